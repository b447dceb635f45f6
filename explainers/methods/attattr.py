"""AttAttr: integrated gradients along attention."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..options import AT_LEAST_ONE
from ..trace import Trace
from ._path import batch_size, on_path
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Output, method

Baseline = Literal["zero", "position"]
Endpoint = Literal["start", "end"]


@method(
    "attattr",
    "AttAttr",
    family="Attention gradients",
    paper="hao2021",
    output=Output(
        signed=True,
        class_specific=True,
        parts=("layers", "heads", "maps", "totals"),
        invariant="layers sum to the map",
    ),
    cost=Cost(
        "L·{steps}F L·{steps}B",
        most_tokens=256,
        too_long="a whole forward and backward pass for every step in every layer, "
        "with {n} × {n} weights a head",
    ),
    limits={"steps": AT_LEAST_ONE},
)
def attribute(
    trace: Trace,
    steps: int = 20,
    baseline: Baseline = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Attribution:
    """Integrated gradients along the attention of each layer, from no attention to the actual one.

    Formula: Attr_l = (A_l − A'_l) ⊙ 1/m · sum over k < m of ∂p(A' + k/m (A − A'))/∂A_l (Hao et
    al., as their code sums it); score_i = sum over layers, heads and queries of Attr_l[·, ·, i].

    Sign: plus is attention that raised the probability of the target, minus attention that
    lowered it.

    Limits: the attention of one layer changes at a time and that of the others stays, so the scores
    of the layers do not add up to the probability. The paper draws trees of attention; the sum for
    each token is this package's.

    Options:
    - steps: points on the path; 20 in the paper, 64 in the authors' code.
    - baseline: A', where the path begins. zero: no attention; position: the attention of an input
      with positions and no words.
    - probability: explain the probability p of the target; false: its logit.
    - endpoint: start: k = 0 … m − 1, as in the authors' code; end: k = 1 … m, as in the paper.
    """
    found = integrated_attention(
        trace, steps=steps, baseline=baseline, probability=probability, endpoint=endpoint
    )
    heads = found[:, :, trace.attended].sum(2)
    layers = found[:, :, trace.attended].sum((1, 2))
    scores = layers.sum(0)
    return Attribution(
        scores,
        layers=layers,
        heads=heads,
        maps=lambda: found.sum(1),
        totals={"Sum": scores},
    )


@once_per_trace
def integrated_attention(
    trace: Trace, steps: int, baseline: Baseline, probability: bool, endpoint: Endpoint
) -> Float[Tensor, "layer head query key"]:
    """(A − A') ⊙ the mean of ∂p/∂A over the path, one layer at a time [layer head query key]."""
    target = trace.target.as_probability() if probability else trace.target
    end = trace.attention
    start = torch.zeros_like(end) if baseline == "zero" else attention_of_positions(trace)
    first = 1 if endpoint == "end" else 0
    alphas = (torch.arange(steps).to(end) + first) / steps
    found = []
    for l in range(len(end)):
        gradient = torch.zeros_like(end[l])
        for some in alphas.split(batch_size(trace)):
            points = on_path(start[l], end[l], some)
            copies = len(points)
            path = trace.again_many(
                target=target,
                record=("attention",),
                entry=lambda x, copies=copies: x.expand(copies, -1, -1),
                attention={l: lambda _, points=points: points},
            )
            gradient += sum(step.grad.attention[l] for step in path)
        found.append((end[l] - start[l]) * gradient / steps)
    return torch.stack(found)


def attention_of_positions(trace: Trace) -> Float[Tensor, "layer head query key"]:
    """The attention of an input whose word embeddings are zero [layer head query key]."""
    inputs = trace.embed()
    nothing = inputs | {"inputs_embeds": torch.zeros_like(inputs["inputs_embeds"])}
    return trace.again(inputs=nothing, record=("attention",)).attention

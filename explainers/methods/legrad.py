"""LeGrad: the gradient by attention, where each layer is treated as the last one."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._shared import layer_names, within
from .attribution import Attribution
from .registry import Cost, Only, Output, method

Pool = Literal["mean", "readout"]


@method(
    "legrad",
    "LeGrad",
    family="Attention gradients",
    paper="bousselham2024",
    output=Output(
        signed=False,
        class_specific=True,
        parts=("layers", "totals"),
        invariant="layers sum to the map",
    ),
    cost=Cost("2F 1B"),
    only=Only(
        "image",
        "its authors define it on patches; for words AttGrads and GAE use gradients by attention",
    ),
)
def attribute(trace: Trace, start: int = 0, pool: Pool = "mean") -> Attribution:
    """The positive gradient by attention, each layer treated as the last one, summed over layers.

    Formula: score_i = sum over layers of mean over heads and queries of relu(∂s_l/∂A_l[:, :, i]),
    with s_l the score that the model's head gives to the mean of all tokens after block l
    (Bousselham et al., section 3; the sum is from their code, the paper's mean differs by a
    factor). The map by layer is the share of each layer.

    Sign: none, since the relu keeps only what raises the score of the class.

    Limits: it is a gradient, so the amount of attention itself does not count. The head was not
    trained on the vectors of early layers, nor, in a model that reads [CLS], on the mean of all
    tokens.

    Options:
    - start: the first layer used; −2 in the authors' package.
    - pool: mean: the mean of all tokens; readout: what this model reads, which is [CLS] for most.
    """
    depth = len(trace.layers)
    first = within(start, depth, "layer")
    rows = []
    for l in range(first, depth):
        rows.append(gradient_by_attention(trace, l, pool).clamp(min=0).mean((0, 1)))
    layers = torch.stack(rows)
    scores = layers.sum(0)
    names = layer_names(first, depth)
    return Attribution(scores, layers=layers, totals={"Sum": scores}, rows=names)


def gradient_by_attention(trace: Trace, l: int, pool: Pool) -> Float[Tensor, "head query key"]:
    """∂s_l/∂A_l [head query key], s_l the score if the head read what leaves block l."""
    with torch.enable_grad():
        attention = trace.attention[l].clone().requires_grad_()
        leaving = trace.layers[l].run(trace.hidden[l][None], attention=lambda _: attention[None])[0]
        pooled = leaving.mean(0) if pool == "mean" else trace.readout.to(leaving) @ leaving
        (gradient,) = torch.autograd.grad(trace.score_of(pooled[None])[0], attention)
    return gradient

"""Beyond Intuition: what the attention perceived, times what the classifier fed back."""

from typing import Literal

import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace
from ._path import rows
from ._vectors import parts
from .registry import method, within


def feedback(trace: Trace, steps: int, endpoint: Literal["both", "end"]) -> Tensor:
    """W = mean over heads of relu(mean over α of ∂y/∂A_L at α·x) [query key]: integrated slopes of the last attention."""
    alphas = torch.linspace(0, 1, steps) if endpoint == "both" else torch.arange(1, steps + 1) / steps
    slope = torch.zeros_like(trace.attention[-1])
    for some in alphas.to(trace.hidden).split(rows(trace)):
        path = trace.again_many(entry=lambda x, some=some: some[:, None, None] * x, record=("attention",))
        slope += sum(step.grad.attention[-1] for step in path)
    return (slope / steps).clamp(min=0).mean(0)


def perceived(trace: Trace, l: int, variant: str) -> Tensor:
    """Layer l's attention: its heads weighed by how much they matter, or its keys by how long their vectors became [query key]."""
    attention = trace.attention[l]
    if variant == "head":
        real = trace.real
        weight = (attention[:, :, real].mT @ trace.grad.attention[l][:, :, real]).abs().mean((1, 2))
        return torch.einsum("h,hqk->qk", weight / weight.sum().where(weight.sum() > 0, 1), attention)
    return attention.mean(0) * (parts(trace, l).sum(0).norm(dim=-1) / trace.normed[l].norm(dim=-1))


@method("Beyond Intuition", family="Attention gradients", paper="Chen et al. 2022", url="https://openreview.net/forum?id=rm0zIzlhcX",
        signed=False, class_specific=True, passes="{steps}F {steps}B", tasks=("text",), at_readout=True)
def beyond_intuition(trace: Trace, variant: Literal["head", "token"] = "head", start: int | None = None, steps: int = 20,
                     endpoint: Literal["both", "end"] = "both") -> Tensor:
    """What attention gathered for the readout token, gated by what the classifier's slopes say of it along a path from nothing.

    Formula: score_i = W[readout, i] · R[readout, i], with R ← R + Ā_l R from R = I, and W = mean over heads of
    relu(1/m · sum over α of ∂y/∂A_L(αx)) (Chen et al., as their code for text).

    Sign: none, since the relu keeps only what speaks for the class.

    Limits: scaling a sentence's vectors towards zero leaves the space of sentences, and the paths' slopes with it.

    Options: variant (head: Ā_l weighs heads by mean |AᵀG|; token: Ā_l weighs keys by ‖V W_O‖ / ‖x‖), start (first layer of
    R; the default is the authors' BERT code's: the last layer for head, the last four, or of deeper models the last third, for token), steps, endpoint
    (both: α from 0 to 1, the authors' code; end: α from 1/m to 1, the paper).
    """
    if steps < 1:
        raise Refusal("Beyond Intuition needs at least one step.")
    layers = len(trace.attention)
    if start is None:
        start = layers - 1 if variant == "head" else max(0, layers - max(4, layers // 3))
    flow = torch.eye(trace.attention.shape[-1]).to(trace.attention)
    for l in range(within(start, layers, "layer") % layers, layers):
        flow = flow + perceived(trace, l, variant) @ flow
    gate = trace.once(("feedback", steps, endpoint), lambda: feedback(trace, steps, endpoint))
    return trace.read(gate * flow)

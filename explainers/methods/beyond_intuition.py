"""Beyond Intuition: what the attention perceived, times what the classifier fed back."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from ._path import given, reruns
from ._vectors import parts
from .registry import AT_LEAST_ONE, method, within


def feedback(trace: Trace, steps: int, endpoint: Literal["both", "end"]) -> Tensor:
    """W = mean over heads of relu(mean over α of ∂y/∂A_L at α·x) [query key]: integrated slopes of the last attention."""
    alphas = (
        torch.linspace(0, 1, steps) if endpoint == "both" else torch.arange(1, steps + 1) / steps
    )
    slope = torch.zeros_like(trace.attention[-1])
    x = given(trace)
    start = torch.zeros_like(x) if trace.grid else trace.without_words()
    for step in reruns(
        trace, start + alphas.to(x).view(-1, *[1] * x.ndim) * (x - start), record=("attention",)
    ):
        slope += step.grad.attention[-1]
    return (slope / steps).clamp(min=0).mean(0)


def perceived(trace: Trace, l: int, variant: str) -> Tensor:
    """Layer l's attention: its heads weighed by how much they matter, or its keys by how long their vectors became [query key]."""
    attention = trace.attention[l]
    if variant == "head":
        attended = trace.attended
        weight = (
            (attention[:, :, attended].mT @ trace.grad.attention[l][:, :, attended])
            .abs()
            .mean((1, 2))
        )
        return torch.einsum(
            "h,hqk->qk", weight / weight.sum().where(weight.sum() > 0, 1), attention
        )
    return attention.mean(0) * (parts(trace, l).sum(0).norm(dim=-1) / trace.hidden[l].norm(dim=-1))


def first_layer(trace: Trace, head: bool) -> int:
    """Where the authors' code begins: layer 12 or 9 of 12 for BERT, 4 or 7 for ViT, 12 or 10 for CLIP, counted from one."""
    layers = len(trace.attention)
    if trace.is_dual_encoder:
        return layers - 1 if head else layers - max(1, layers // 4)
    if trace.grid:
        return layers // 4 if head else layers // 2
    return layers - 1 if head else max(0, layers - max(4, layers // 3))


@method(
    "Beyond Intuition",
    family="Attention gradients",
    paper="Chen et al. 2022",
    url="https://openreview.net/forum?id=rm0zIzlhcX",
    signed=False,
    class_specific=True,
    passes="{steps}F {steps}B",
    at_readout=True,
    limits={"steps": AT_LEAST_ONE},
)
def beyond_intuition(
    trace: Trace,
    variant: Literal["head", "token"] = "head",
    start: int | None = None,
    steps: int = 20,
    endpoint: Literal["both", "end"] = "both",
) -> Tensor:
    """What attention gathered for the readout token, gated by what the classifier's slopes say of it along a path from nothing.

    Formula: score_i = W[readout, i] · R[readout, i], with R ← R + Ā_l R from R = I, and W = mean over heads of
    relu(1/m · sum over α of ∂y/∂A_L(αx)) (Chen et al., as their code has it).

    Sign: none, since the relu keeps only what speaks for the class.

    Limits: scaling a sentence's vectors (on CLIP's text side the words without their positions) or a picture's pixels towards
    zero leaves the space of sentences and pictures, and the path's slopes with it.

    Options: variant (head: Ā_l weighs heads by mean |AᵀG|; token: Ā_l weighs keys by ‖V W_O‖ / ‖x‖), start (first layer of R; the
    default follows the authors' code: of texts the last layer for head, the last four, or of deeper models the last third, for
    token; of pictures all but the first quarter for head, the last half for token; of a picture with texts the last layer, or the
    last quarter), steps, endpoint (both: α from 0 to 1, the authors' code; end: α from 1/m to 1).
    """
    layers = len(trace.attention)
    if start is None:
        start = first_layer(trace, variant == "head")
    flow = torch.eye(trace.attention.shape[-1]).to(trace.attention)
    for l in range(within(start, layers, "layer") % layers, layers):
        flow = flow + perceived(trace, l, variant) @ flow
    gate = trace.cached(("feedback", steps, endpoint), lambda: feedback(trace, steps, endpoint))
    return trace.read(gate * flow)

"""Beyond Intuition: a rollout of reweighted attention, times the integrated gradient."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..options import AT_LEAST_ONE
from ..trace import Trace
from ._path import explained_input, on_path, reruns
from ._shared import once_per_trace, within
from ._vectors import head_values
from .attribution import Attribution
from .registry import Cost, Output, method


@method(
    "beyond_intuition",
    "Beyond Intuition",
    family="Attention gradients",
    paper="chen2022",
    output=Output(signed=False, class_specific=True, at_readout=True),
    cost=Cost("{steps}F {steps}B"),
    limits={"steps": AT_LEAST_ONE},
)
def attribute(
    trace: Trace,
    variant: Literal["head", "token"] = "head",
    start: int | None = None,
    steps: int = 20,
    endpoint: Literal["both", "end"] = "both",
) -> Attribution:
    """Rollout of reweighted attention, times the integrated gradient of the last attention.

    Formula: score_i = W[readout, i] · R[readout, i], with R ← R + Ā_l R from R = I, and
    W = mean over heads of relu(1/m · sum over α of ∂y/∂A_L(αx)) (Chen et al., as in their code).

    Sign: none, since the relu keeps only what raises the score of the class.

    Limits: the gradients are taken on a path that scales a sentence's vectors (in CLIP's texts the
    words without their positions) or a picture's pixels to zero. The points of the path are
    not real sentences or pictures.

    Options:
    - variant: head: Ā_l weights the heads by mean |AᵀG|; token: Ā_l weights the keys by
      ‖V W_O‖ / ‖x‖.
    - start: the first layer of R. The default follows the authors' code. Texts: the last layer for
      head, the last four (in deeper models the last third) for token. Pictures: the last three
      quarters for head, the last half for token. Pictures with texts: the last layer for head, the
      last quarter for token.
    - steps: points on the path.
    - endpoint: both: α from 0 to 1, as in the authors' code; end: α from 1/m to 1.
    """
    layers = len(trace.attention)
    if start is None:
        start = first_layer(trace, variant)
    rollout = torch.eye(trace.attention.shape[-1]).to(trace.attention)  # R
    for l in range(within(start, layers, "layer"), layers):
        rollout = rollout + reweighted(trace, l, variant) @ rollout
    gate = integrated_gradient(trace, steps=steps, endpoint=endpoint)
    return Attribution(trace.read(gate * rollout))


@once_per_trace
def integrated_gradient(
    trace: Trace, steps: int, endpoint: Literal["both", "end"]
) -> Float[Tensor, "query key"]:
    """W = mean over heads of relu(mean over α of ∂y/∂A_L at α·x) [query key]."""
    x = explained_input(trace)
    if endpoint == "both":
        alphas = torch.linspace(0, 1, steps)
    else:
        alphas = torch.arange(1, steps + 1) / steps
    start = torch.zeros_like(x) if trace.grid else trace.without_words()
    points = on_path(start, x, alphas.to(x))
    gradient = torch.zeros_like(trace.attention[-1])
    for step in reruns(trace, points, record=("attention",)):
        gradient += step.grad.attention[-1]
    return (gradient / steps).clamp(min=0).mean(0)


def reweighted(trace: Trace, l: int, variant: str) -> Float[Tensor, "query key"]:
    """Ā_l [query key]: the attention of layer l with weights for its heads, or for its keys."""
    attention = trace.attention[l]
    if variant == "token":
        length = head_values(trace, l).sum(0).norm(dim=-1) / trace.hidden[l].norm(dim=-1)
        return attention.mean(0) * length
    rows = trace.attended
    agreement = attention[:, :, rows].mT @ trace.grad.attention[l][:, :, rows]
    weight = agreement.abs().mean((1, 2))
    total = weight.sum()
    return torch.einsum("h,hqk->qk", weight / total.where(total > 0, 1), attention)


def first_layer(trace: Trace, variant: str) -> int:
    """Where the authors' code begins, counted from 0.

    Of 12 layers, counted from 1: BERT 12 (head) or 9 (token), ViT 4 or 7, CLIP 12 or 10.
    """
    layers = len(trace.attention)
    by_head = variant == "head"
    if trace.grid and not trace.is_dual_encoder:
        return layers // 4 if by_head else layers // 2
    if by_head:
        return layers - 1
    if trace.is_dual_encoder:
        return layers - max(1, layers // 4)
    return max(0, layers - max(4, layers // 3))

"""Grad-CAM on a Vision Transformer: channels of a layer's patches, weighed by how much the score likes them."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ..trace import Trace
from .registry import method, within


@method(
    "Grad-CAM",
    family="Class activation tokens",
    paper="Selvaraju et al. 2017",
    url="https://arxiv.org/abs/1610.02391",
    signed=True,
    class_specific=True,
    passes="1F 1B",
    tasks=("image",),
    only="channels are weighed over a grid of patches; its kin for words is Attention Grad-CAM",
)
def grad_cam(
    trace: Trace, layer: int = -1, states: Literal["norm", "output"] = "norm", relu: bool = False
) -> Tensor:
    """Each patch's channels in one layer, weighed by the mean slope of the score along them.

    Formula: score_i = sum_k w_k A_i,k with w_k = mean over patches of ∂y/∂A_k (Selvaraju et al., eqs. 1 and 2, without the relu), A the
    patches as the layer's attention reads them.

    Sign: plus is a patch whose channels the score likes, minus one whose channels it dislikes; relu=true keeps the plus alone, as
    the paper does.

    Limits: one weight for a whole channel, so that where a channel matters is not asked. [CLS] gets nothing. Behind the last block
    the slope along every patch of a [CLS] model is zero, so that block's output gives an empty map.

    Options: layer (the last by default), states (norm: what its attention reads, behind the LayerNorm; output: what leaves the block),
    relu.
    """
    at = within(layer, len(trace.normed), "layer") % len(trace.normed)
    here, slope = (
        (trace.normed[at], trace.grad.normed[at])
        if states == "norm"
        else (trace.hidden[at + 1], trace.grad.hidden[at + 1])
    )
    patches = ~trace.special_tokens
    scores = here[patches] @ slope[patches].mean(0)
    return F.pad(scores.clamp(min=0) if relu else scores, (len(patches) - len(scores), 0))

"""Grad-CAM on a Vision Transformer: channels of patches, weighted by their mean gradient."""

from typing import Literal

import torch.nn.functional as F

from ..trace import Trace
from ._shared import within
from .attribution import Attribution
from .registry import Cost, Only, Output, method


@method(
    "grad_cam",
    "Grad-CAM",
    family="Class activation tokens",
    paper="selvaraju2017",
    output=Output(signed=True, class_specific=True),
    cost=Cost("1F 1B"),
    only=Only(
        "image",
        "channels are weighted over a grid of patches; for words, use Attention Grad-CAM",
    ),
)
def attribute(
    trace: Trace, layer: int = -1, states: Literal["norm", "output"] = "norm", relu: bool = False
) -> Attribution:
    """The channels of each patch in one layer, weighted by the mean gradient of the score.

    Formula: score_i = sum_k w_k A_i,k with w_k = mean over patches of ∂y/∂A_k (Selvaraju et al.,
    eqs. 1 and 2, without the relu), A the patches as the layer's attention reads them.

    Sign: plus is a patch that raises the score of the target, minus one that lowers it. relu=true
    keeps positive scores alone, as in the paper.

    Limits: a channel has one weight for the whole picture. [CLS] has no score. After the last
    block of a [CLS] model the gradient by every patch is zero, so the map of states=output is
    empty there.

    Options:
    - layer: which layer, counted from 0, or from the end with a negative number.
    - states: norm: what its attention reads, after the LayerNorm; output: what leaves the block.
    - relu: set negative scores to zero.
    """
    l = within(layer, len(trace.layers), "layer")
    if states == "norm":
        channels, gradient = trace.normed[l], trace.grad.normed[l]
    else:
        channels, gradient = trace.hidden[l + 1], trace.grad.hidden[l + 1]
    patches = ~trace.special_tokens
    scores = channels[patches] @ gradient[patches].mean(0)
    if relu:
        scores = scores.clamp(min=0)
    return Attribution(F.pad(scores, (len(patches) - len(scores), 0)))

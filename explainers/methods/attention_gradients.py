"""Four methods that combine attention A with its gradient G = ∂y/∂A."""

from typing import Literal

import torch

from ..trace import Trace
from ._shared import layer_names, within
from .attribution import Attribution
from .bimodal import positive_relevance
from .registry import Cost, Output, method


@method(
    "grads",
    "Grads",
    family="Attention gradients",
    paper="qiang2022",
    output=Output(signed=True, class_specific=True, parts=("heads",), at_readout=True),
    cost=Cost("1F 1B"),
)
def grads(trace: Trace, layer: int = -1) -> Attribution:
    """The gradient of the score by the attention from the readout token to each token.

    Formula: score_i = mean over heads of G_L[readout, i], with G = ∂y/∂A and L one layer (the
    baseline "Grads" of Qiang et al.).

    Sign: plus means that more attention to the token would raise the score of the target, minus
    that it would lower it.

    Limits: the gradient in one layer is not a contribution. A token that receives no attention at
    all can have a large gradient.

    Options:
    - layer: which layer, counted from 0, or from the end with a negative number.
    """
    gradient = trace.grad.attention
    at = within(layer, len(gradient), "layer")
    scores = trace.read(gradient[at].mean(0))
    return Attribution(scores, heads=lambda: trace.read(gradient))


@method(
    "attgrads",
    "AttGrads (Grad-SAM)",
    family="Attention gradients",
    paper="barkan2021",
    output=Output(
        signed=False,
        class_specific=True,
        parts=("layers", "heads"),
        invariant="layers average to the map",
    ),
    cost=Cost("1F 1B"),
)
def attgrads(
    trace: Trace, side: Literal["key", "query"] = "key", signed: bool = False
) -> Attribution:
    """Attention times the positive part of its gradient, averaged over all layers and heads.

    Formula: score_i = mean over layers, heads and queries q of A_l[q, i] · relu(G_l[q, i]), with
    G = ∂y/∂A (Barkan et al.). Padding is left out of the mean.

    Sign: none by default, since the relu removes what lowers the score. With signed=true negative
    scores lower it.

    Limits: the paper does not say which index of A is averaged, and the two readings give
    different maps. The default is the attention that a token receives.

    Options:
    - side: key: the attention that a token receives; query: the attention that it pays.
    - signed: leave out the relu.
    """
    gradient = trace.grad.attention
    if not signed:
        gradient = gradient.clamp(min=0)
    product = trace.attention * gradient
    if side == "key":
        heads = product[:, :, trace.attended].mean(2)
    else:
        heads = product[..., trace.attended].mean(3)
    layers = heads.mean(1)
    return Attribution(layers.mean(0), layers=layers, heads=heads)


@method(
    "attn_gradcam",
    "Attention Grad-CAM",
    family="Attention gradients",
    paper="chefer2021cvpr",
    output=Output(signed=False, class_specific=True, parts=("heads",), at_readout=True),
    cost=Cost("1F 1B"),
)
def attn_gradcam(trace: Trace) -> Attribution:
    """Grad-CAM on attention heads: the heads of the last layer, weighted by their mean gradient.

    Formula: score_i = relu(mean over heads of w_h A_h[readout, i]), last layer, with w_h = mean
    over queries and keys of G_h in texts and mean over G_h[readout, patches] in pictures, as in
    the authors' two programs (the baseline "GradCAM" of Chefer et al.).

    Sign: none. The relu removes what lowers the score, so that a map can be all zeros.

    Limits: a head has one weight for all tokens, and only one layer is used. The authors' code
    rescales the map to 0..1; the scores here are not rescaled.
    """
    gradient, attended = trace.grad.attention, trace.attended
    if trace.grid:
        weight = trace.read(gradient)[..., ~trace.special_tokens].mean(-1)
    else:
        weight = gradient[:, :, attended][..., attended].mean((2, 3))
    heads = weight[..., None] * trace.read(trace.attention)  # [layer head key]
    return Attribution(heads[-1].mean(0).clamp(min=0), heads=heads)


@method(
    "gae",
    "GAE (generic attention)",
    family="Attention gradients",
    paper="chefer2021iccv",
    output=Output(signed=False, class_specific=True, parts=("layers",), at_readout=True),
    cost=Cost("1F 1B"),
)
def gae(trace: Trace, start: int | None = None) -> Attribution:
    """Rollout of the positive part of attention times gradient.

    Formula: R ← I; then for every layer R ← R + mean over heads of relu(A_l ⊙ G_l) · R, with
    G = ∂y/∂A; score_i = R[readout, i] (Chefer et al., eqs. 5 and 6). The map by layer is the one
    after each layer.

    Sign: none, since the relu keeps only what raises the score of the class.

    Limits: the identity gives the readout token a weight of 1, which dominates the map; hide
    special tokens to see the others. The map never shows what lowers the score.

    Options:
    - start: the first layer used. By default 0; for a picture with texts the last layer, as the
      authors do against artefacts of CLIP.
    """
    if start is None:
        start = -1 if trace.is_dual_encoder else 0
    attention, gradient = trace.attention, trace.grad.attention
    first = within(start, len(attention), "layer")
    reached = torch.eye(attention.shape[-1]).to(attention)  # R
    rows = []
    for l in range(first, len(attention)):
        reached = reached + positive_relevance(attention[l], gradient[l]) @ reached
        rows.append(trace.read(reached))
    layers = torch.stack(rows)
    return Attribution(layers[-1], layers=layers, rows=layer_names(first, len(attention)))

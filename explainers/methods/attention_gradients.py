"""Attention weighed by its gradient: four answers to what, of the attention, mattered for this class."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from .bimodal import raised
from .registry import method, within


@method(
    "Grads",
    family="Attention gradients",
    paper="Qiang et al. 2022",
    url="https://openreview.net/forum?id=cA8Zor8wFr5",
    signed=True,
    class_specific=True,
    passes="1F 1B",
    heads=lambda trace: trace.read(trace.grad.attention),
    at_readout=True,
)
def grads(trace: Trace, layer: int = -1) -> Tensor:
    """How the score would change if the readout token attended a little more to each token.

    Formula: score_i = mean over heads of G_L[readout, i], with G = ∂y/∂A (the baseline "Grads" of Qiang et al.).

    Sign: plus means that more attention there would raise the score.

    Limits: it is a slope at one layer, not a contribution: a token that gets no attention at all can have a large one.

    Options: layer (the last by default).
    """
    return trace.read(trace.grad.attention[within(layer, len(trace.attention), "layer")].mean(0))


def attgrads_heads(
    trace: Trace, side: Literal["key", "query"] = "key", signed: bool = False
) -> Tensor:
    """A ⊙ relu(G), averaged over the real queries (or keys) [layers head token]."""
    gated = trace.attention * (
        trace.grad.attention if signed else trace.grad.attention.clamp(min=0)
    )
    return (
        gated[:, :, trace.attended].mean(2) if side == "key" else gated[..., trace.attended].mean(3)
    )


def attgrads_layers(
    trace: Trace, side: Literal["key", "query"] = "key", signed: bool = False
) -> Tensor:
    return attgrads_heads(trace, side, signed).mean(1)


@method(
    "AttGrads (Grad-SAM)",
    family="Attention gradients",
    paper="Barkan et al. 2021",
    url="https://arxiv.org/abs/2204.11073",
    signed=False,
    class_specific=True,
    passes="1F 1B",
    invariant="layers average to the map",
    layers=attgrads_layers,
    heads=attgrads_heads,
)
def attgrads(trace: Trace, side: Literal["key", "query"] = "key", signed: bool = False) -> Tensor:
    """Attention where more of it would raise the score, over all layers and heads.

    Formula: score_i = mean over layers, heads and queries j of A_l[j, i] · relu(G_l[j, i]) (Barkan et al.).

    Sign: none by default, since the relu drops what speaks against the class; signed=true keeps it.

    Limits: the paper's index can be read from either side of attention and the two readings disagree; this is the
    attention a token receives. Padding is left out of the mean.

    Options: side (key: attention received; query: attention paid), signed (no relu).
    """
    return attgrads_layers(trace, side, signed).mean(0)


def attn_gradcam_heads(trace: Trace) -> Tensor:
    """Each head's row of attention times the head's weight, the mean slope of the score along it, in every layer [layers head token]."""
    slope, attended = trace.grad.attention, trace.attended
    weight = (
        trace.read(slope)[..., ~trace.special_tokens].mean(-1)
        if trace.grid
        else slope[:, :, attended][..., attended].mean((2, 3))
    )  # [layers head]
    return weight[..., None] * trace.read(trace.attention)


@method(
    "Attention Grad-CAM",
    family="Attention gradients",
    paper="Chefer et al. 2021",
    url="https://arxiv.org/abs/2012.09838",
    signed=False,
    class_specific=True,
    passes="1F 1B",
    heads=attn_gradcam_heads,
    at_readout=True,
)
def attn_gradcam(trace: Trace) -> Tensor:
    """Grad-CAM with heads for channels: the last layer's heads, weighed by how much the score likes them.

    Formula: score_i = relu(mean over heads of w_h A_h[readout, i]), w_h = mean over queries and keys of G_h, last layer; in
    pictures the mean over G_h[readout, patches], as the authors' two programs do (the baseline "GradCAM" of Chefer et al.).

    Sign: none; what would speak against the class is cut off, and a map of zeros only is possible.

    Limits: one weight for a whole head, one layer. The authors' code stretches the map to 0..1; these are the raw
    numbers, which say when there is little to see.
    """
    return attn_gradcam_heads(trace)[-1].mean(0).clamp(min=0)


def first_of(trace: Trace, start: int | None) -> int:
    return start if start is not None else -1 if trace.is_dual_encoder else 0


def gae_layers(trace: Trace, start: int | None = None) -> Tensor:
    start = first_of(trace, start)
    first = within(start, len(trace.attention), "layer") % len(trace.attention)
    flow = torch.eye(trace.attention.shape[-1]).to(trace.attention)
    rows = []
    for attention, gradient in zip(trace.attention[first:], trace.grad.attention[first:]):
        flow = flow + raised(attention, gradient) @ flow
        rows.append(trace.read(flow))
    return torch.stack(rows)


@method(
    "GAE (generic attention)",
    family="Attention gradients",
    paper="Chefer et al. 2021 (ICCV)",
    url="https://arxiv.org/abs/2103.15679",
    signed=False,
    class_specific=True,
    passes="1F 1B",
    layers=gae_layers,
    rows=lambda trace, start=None: [
        f"L{i}" for i in range(first_of(trace, start) % len(trace.attention), len(trace.attention))
    ],
    at_readout=True,
)
def gae(trace: Trace, start: int | None = None) -> Tensor:
    """Rollout of the attention that raised the score: each layer adds what it passed on to what was there.

    Formula: R ← I; R ← R + mean over heads of relu(A_l ⊙ G_l) · R for every layer; score_i = R[readout, i]
    (Chefer et al., eqs. 5 and 6).

    Sign: none, since the relu keeps only what speaks for the class.

    Limits: the readout token keeps its own 1 from R = I, so it towers over the rest until it is hidden. Nothing can
    ever be shown as speaking against the class.

    Options: start (first layer used: 0, but for a picture with texts the last, as the authors do against artefacts of CLIP). Its per-layer
    picture is the map after each layer.
    """
    return gae_layers(trace, start)[-1]

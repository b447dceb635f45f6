"""Attention by the length of what it moves, not by its weight."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from ._chain import products, widest
from ._vectors import centred, deviation, needs_post_norm, norms, parts, sublayers, with_self
from .registry import method, within

Stage = Literal["N", "Res", "ResLN"]


def norm_maps(trace: Trace, stage: Stage = "N") -> Tensor:
    """‖z_qk‖ in every layer [layers query key]: of attention, with the residual, after the LayerNorm."""
    if stage == "ResLN":
        needs_post_norm(trace.layers, "The stage ResLN", "stage=Res")
    maps = []
    for l, layer in enumerate(trace.layers):
        if stage == "N":
            maps.append(norms(trace.attention[l], parts(trace, l)))
            continue
        weights, vectors = with_self(trace, l)
        maps.append(
            norms(weights, vectors)
            if stage == "Res"
            else norms(weights, centred(vectors, layer.norm1))
            / deviation(sublayers(trace, l).before1, layer.norm1)
        )
    return torch.stack(maps)


def norm_layers(trace: Trace, stage: Stage = "N", rollout: bool = False) -> Tensor:
    maps = norm_maps(trace, stage)
    return trace.read(products(maps / widest(maps, trace.attended)) if rollout else maps)


def norm_heads(trace: Trace) -> Tensor:
    """‖A_h[readout, k] f_h(x_k)‖ [layers head key]: the heads by themselves; as vectors they may cancel."""
    return torch.stack(
        [parts(trace, l).norm(dim=-1) for l in range(len(trace.layers))]
    ) * trace.read(trace.attention)


@torch.no_grad()
def mixing_ratios(trace: Trace, stage: Literal["N", "Res", "ResLN", "Enc"] = "N") -> Tensor:
    """How much of each token's new vector came from other tokens [layers token], 0 to 1 (Kobayashi et al. 2021, the mixing ratio).

    stage: as in the method norm: of attention alone, with the residual, after the LayerNorm; Enc: after the whole block (GlobEnc).
    """
    if stage in ("ResLN", "Enc"):
        needs_post_norm(trace.layers, f"The stage {stage}", "the stage Res")
    ratios = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = (
            (trace.attention[l], parts(trace, l)) if stage == "N" else with_self(trace, l)
        )
        for norm_ in {"ResLN": (layer.norm1,), "Enc": (layer.norm1, layer.norm2)}.get(stage, ()):
            vectors = centred(
                vectors, norm_
            )  # what a LayerNorm divides by, own and others have in common
        own = torch.einsum("hq,hqd->qd", weights.diagonal(dim1=1, dim2=2), vectors)
        others = (torch.einsum("hqk,hkd->qd", weights, vectors) - own).norm(dim=-1)
        both = others + own.norm(dim=-1)
        ratios.append(others / both.where(both > 0, 1))  # a token that nothing was moved to: 0
    return torch.stack(ratios)


@method(
    "Norm-based attention",
    family="Decomposition",
    paper="Kobayashi et al. 2020",
    url="https://arxiv.org/abs/2004.10102",
    signed=False,
    class_specific=False,
    passes="1F",
    layers=norm_layers,
    maps=norm_maps,
    heads=norm_heads,
    at_readout=True,
)
def norm(trace: Trace, stage: Stage = "N", rollout: bool = False, layer: int = -1) -> Tensor:
    """How long the vector is that the readout token took from each token: a large weight on a short vector moves little.

    Formula: score_i = ‖sum over heads of A_h[readout, i] f_h(x_i)‖ with f_h(x) = (x W_V + b_V) W_O (Kobayashi et al. 2020),
    last layer.

    Sign: none, and the same for every class.

    Limits: one layer, unless rolled out; a long vector may be turned away from what the classifier reads.

    Options: stage (N: attention alone; Res: with the token's own vector from the skip connection; ResLN: after the
    LayerNorm as well, Kobayashi et al. 2021, post-LN models only), rollout (multiply the layers' maps, each
    divided by one number so that many do not overflow), layer (without rollout).
    """
    rows = norm_layers(trace, stage, rollout)
    return rows[-1] if rollout else rows[within(layer, len(rows), "layer")]

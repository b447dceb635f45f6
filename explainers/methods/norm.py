"""Norm-based attention: the norm of the attention-weighted, transformed value vectors."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._chain import largest_row_sum, products
from ._shared import within
from ._vectors import (
    Sublayers,
    centred,
    head_values,
    needs_post_norm,
    norms,
    with_residual_vectors,
)
from .attribution import Attribution
from .registry import Cost, Output, method

Stage = Literal["N", "Res", "ResLN"]


@method(
    "norm",
    "Norm-based attention",
    family="Decomposition",
    paper="kobayashi2020",
    output=Output(
        signed=False, class_specific=False, parts=("layers", "heads", "maps"), at_readout=True
    ),
    cost=Cost("1F"),
)
def attribute(
    trace: Trace, stage: Stage = "N", rollout: bool = False, layer: int = -1
) -> Attribution:
    """The norm of the attention-weighted, transformed value vector from each token to the
    readout token.

    Formula: score_i = ‖sum over heads of A_h[readout, i] f_h(x_i)‖ with
    f_h(x) = (x W_V + b_V) W_O (Kobayashi et al. 2020), last layer. A large weight on a
    vector with a small norm has a small effect.

    Sign: none, and the same map for every class.

    Limits: one layer, without the option rollout. A vector with a large norm may have no effect on
    the classifier.

    Options:
    - stage: N: attention alone; Res: with the token's own vector from the residual connection;
      ResLN: after the LayerNorm as well (Kobayashi et al. 2021, post-LN models only).
    - rollout: multiply the maps of all layers, each divided by its largest row sum.
    - layer: which layer, without rollout.
    """
    maps = norm_maps(trace, stage)
    if rollout:
        layers = trace.read(products(maps / largest_row_sum(maps, trace.attended)))
        scores = layers[-1]
    else:
        layers = trace.read(maps)
        scores = layers[within(layer, len(layers), "layer")]
    return Attribution(scores, layers=layers, heads=lambda: head_norms(trace), maps=maps)


def norm_maps(trace: Trace, stage: Stage = "N") -> Float[Tensor, "layer query key"]:
    """‖z_qk‖ in every layer [layer query key]."""
    if stage == "ResLN":
        needs_post_norm(trace.layers, "The stage ResLN", "stage=Res")
    maps = []
    for l, layer in enumerate(trace.layers):
        if stage == "N":
            maps.append(norms(trace.attention[l], head_values(trace, l)))
            continue
        weights, vectors = with_residual_vectors(trace, l)
        if stage == "Res":
            maps.append(norms(weights, vectors))
        else:
            after = norms(weights, centred(vectors, layer.norm1))
            maps.append(after / Sublayers(trace, l).sigma1)
    return torch.stack(maps)


def head_norms(trace: Trace) -> Float[Tensor, "layer head key"]:
    """‖A_h[readout, k] f_h(x_k)‖ [layer head key]: each head alone; as vectors they may cancel."""
    lengths = [head_values(trace, l).norm(dim=-1) for l in range(len(trace.layers))]
    return torch.stack(lengths) * trace.read(trace.attention)


@torch.no_grad()
def mixing_ratios(
    trace: Trace, stage: Literal["N", "Res", "ResLN", "Enc"] = "N"
) -> Float[Tensor, "layer token"]:
    """The share of each token's new vector that comes from other tokens [layer token], 0 to 1.

    This is the mixing ratio of Kobayashi et al. 2021. stage is that of the method `norm`: N for
    attention alone, Res with the residual connection, ResLN after the LayerNorm; or Enc for the
    whole block (GlobEnc). Raises `Refusal` for ResLN and Enc on models that are not post-LN.
    """
    if stage in ("ResLN", "Enc"):
        needs_post_norm(trace.layers, f"The stage {stage}", "the stage Res")
    ratios = []
    for l, layer in enumerate(trace.layers):
        if stage == "N":
            weights, vectors = trace.attention[l], head_values(trace, l)
        else:
            weights, vectors = with_residual_vectors(trace, l)
        # the deviation that a LayerNorm divides by cancels out in the ratio
        if stage in ("ResLN", "Enc"):
            vectors = centred(vectors, layer.norm1)
        if stage == "Enc":
            vectors = centred(vectors, layer.norm2)
        own = torch.einsum("hq,hqd->qd", weights.diagonal(dim1=1, dim2=2), vectors)
        others = (torch.einsum("hqk,hkd->qd", weights, vectors) - own).norm(dim=-1)
        total = others + own.norm(dim=-1)
        ratios.append(others / total.where(total > 0, 1))  # 0 where nothing was moved
    return torch.stack(ratios)

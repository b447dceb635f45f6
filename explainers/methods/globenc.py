"""GlobEnc: the norm of vectors through whole encoder blocks, combined by rollout."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._chain import flow, largest_row_sum, products, rows_to_one
from ._vectors import (
    Sublayers,
    centred,
    needs_ffn,
    needs_post_norm,
    norms,
    with_residual_vectors,
)
from .attribution import Attribution
from .norm import mixing_ratios, norm_maps
from .registry import Cost, Output, method

Variant = Literal[
    "N-Enc", "N-Enc+FFN", "N-ResLN", "N-Res", "N-FixedRes", "N", "W-Res", "W-FixedRes", "W"
]
ROWS = 8  # queries at a time: [8 key 4·dim] in place of [query key 4·dim]


@method(
    "globenc",
    "GlobEnc",
    family="Decomposition",
    paper="modarressi2022",
    output=Output(signed=False, class_specific=False, parts=("layers", "maps"), at_readout=True),
    cost=Cost("1F"),
)
def attribute(
    trace: Trace,
    variant: Variant = "N-Enc",
    through: Literal["rollout", "maxflow", "none"] = "rollout",
) -> Attribution:
    """The norm of each token's contribution to the output of every encoder block, combined by
    rollout.

    Formula: N_l[q, k] = ‖LN₂(LN₁(sum over heads of A_h[q, k] f_h(x_k) + [q = k] x_k))‖, with
    LayerNorms that divide by their actual deviations; score_i = (N_L ··· N_1)[readout, i]
    (Modarressi et al.), up to one factor.

    Sign: none, and the same map for every class.

    Limits: norms are added although vectors can cancel. The feed-forward layer counts only by
    its effect on the second LayerNorm (the variant N-Enc+FFN includes it).

    Options:
    - variant: those that the paper compares, from attention weights alone (W) over norms with a
      fixed residual to whole blocks (N-Enc). ResLN and Enc need post-LN models.
    - through: how layers are combined. rollout, without row normalisation as the authors do;
      maxflow; none: each layer by itself.
    """
    maps = block_maps(trace, variant)
    if through == "maxflow":
        capacities = maps / largest_row_sum(maps, trace.attended).max()
        return Attribution(
            lambda: flow(capacities, trace.readout),
            layers=lambda: flows(capacities, trace.readout),
            maps=maps,
        )
    chained = maps
    if through == "rollout":
        chained = products(maps / largest_row_sum(maps, trace.attended))
    layers = trace.read(chained)
    return Attribution(layers[-1], layers=layers, maps=maps)


def flows(
    capacities: Float[Tensor, "layer query key"], readout: Float[Tensor, " query"]
) -> Float[Tensor, "layer key"]:
    """The maximum flow through the first layer, the first two, ... [layer token]."""
    depths = range(1, len(capacities) + 1)
    return torch.stack([flow(capacities[:depth], readout) for depth in depths])


def block_maps(trace: Trace, variant: Variant) -> Float[Tensor, "layer query key"]:
    """What each token gives each token, as a length or a weight [layer query key]."""
    if variant in ("N-Enc", "N-Enc+FFN", "W-Res"):
        title = f"GlobEnc's {variant}"
        others = "a variant without LayerNorm: N-Res, N-FixedRes, N, W-FixedRes or W"
        needs_post_norm(trace.layers, title, others)
        needs_ffn(trace.layers, title)
    if variant == "N-Enc":
        return encoder_norms(trace)
    if variant == "N-Enc+FFN":
        return encoder_norms_with_ffn(trace)
    if variant == "N-ResLN":
        return norm_maps(trace, "ResLN")
    if variant == "N-Res":
        return norm_maps(trace, "Res")
    if variant == "N":
        return norm_maps(trace, "N")
    weights = trace.attention.mean(1)
    itself = torch.eye(weights.shape[-1]).to(weights)
    if variant == "N-FixedRes":
        return rows_to_one(norm_maps(trace)) / 2 + itself / 2
    if variant == "W-FixedRes":
        return weights / 2 + itself / 2
    if variant == "W-Res":
        ratio = mixing_ratios(trace, "Enc")[..., None]
        return rows_to_one(weights * (1 - itself)) * ratio + itself * (1 - ratio)
    return weights


def encoder_norms(trace: Trace) -> Float[Tensor, "layer query key"]:
    """‖z_qk‖ after both LayerNorms [layer query key]."""
    maps = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_residual_vectors(trace, l)
        states = Sublayers(trace, l)
        twice = centred(centred(vectors, layer.norm1), layer.norm2)
        maps.append(norms(weights, twice) / (states.sigma1 * states.sigma2))
    return torch.stack(maps)


def encoder_norms_with_ffn(trace: Trace) -> Float[Tensor, "layer query key"]:
    """The same with the feed-forward layer [layer query key].

    Its activation is the factor act(z)/z at the actual z; biases are left out (DecompX).
    """
    maps = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_residual_vectors(trace, l)
        states = Sublayers(trace, l)
        inner = layer.up(states.attention_out)
        ratio = layer.act(inner) / (inner + 1e-12)
        lines = []
        for first in range(0, len(ratio), ROWS):
            rows = slice(first, first + ROWS)
            parts = torch.einsum("hqk,hkd->qkd", weights[:, rows], centred(vectors, layer.norm1))
            parts = parts / states.sigma1[rows, None]
            inside = parts @ layer.up.weight * ratio[rows, None]
            parts = parts + inside @ layer.down.weight
            lines.append(centred(parts, layer.norm2).norm(dim=-1) / states.sigma2[rows])
        maps.append(torch.cat(lines))
    return torch.stack(maps)

"""GlobEnc: how much of each token is left in each other one after a whole encoder block, followed through all blocks."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from ._chain import flow, products, rows_to_one, widest
from ._vectors import centred, needs_ffn, needs_post_norm, norms, sublayers, with_self
from .norm import mixing_ratios, norm_maps
from .registry import method

Variant = Literal[
    "N-Enc", "N-Enc+FFN", "N-ResLN", "N-Res", "N-FixedRes", "N", "W-Res", "W-FixedRes", "W"
]


def encoder_norms(trace: Trace) -> Tensor:
    """‖z_qk‖ after both LayerNorms [layers query key]; the feed-forward layer enters by the deviation it left."""
    maps = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_self(trace, l)
        states = sublayers(trace, l)
        twice = centred(centred(vectors, layer.norm1), layer.norm2)
        maps.append(norms(weights, twice) / (states.sigma1 * states.sigma2))
    return torch.stack(maps)


def fed_forward_norms(trace: Trace, rows: int = 8) -> Tensor:
    """The same with the feed-forward layer: its activation as a ratio act(z)/z held at the true z, no biases (DecompX)."""
    maps = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_self(trace, l)
        states = sublayers(trace, l)
        inner = layer.up(states.after1)
        ratio = layer.act(inner) / (inner + 1e-12)
        lines = []
        for q in range(
            0, len(ratio), rows
        ):  # a few queries at a time, or [query key 4·dim] is large
            here = slice(q, q + rows)
            v = (
                torch.einsum("hqk,hkd->qkd", weights[:, here], centred(vectors, layer.norm1))
                / states.sigma1[here, None]
            )
            v = v + (v @ layer.up.weight * ratio[here, None]) @ layer.down.weight
            lines.append(centred(v, layer.norm2).norm(dim=-1) / states.sigma2[here])
        maps.append(torch.cat(lines))
    return torch.stack(maps)


def globenc_maps(trace: Trace, variant: Variant = "N-Enc") -> Tensor:
    return trace.cached(("globenc", variant), lambda: maps_of(trace, variant))


def maps_of(trace: Trace, variant: Variant) -> Tensor:
    if variant in ("N-Enc", "N-Enc+FFN", "W-Res"):
        needs_post_norm(
            trace.layers,
            f"GlobEnc's {variant}",
            "a variant without LayerNorm: N-Res, N-FixedRes, N, W-FixedRes or W",
        )
        needs_ffn(trace.layers, f"GlobEnc's {variant}")
    weights, eye = trace.attention.mean(1), torch.eye(trace.attention.shape[-1]).to(trace.attention)
    if variant == "W-Res":
        ratio = mixing_ratios(trace, "Enc")[..., None]
        return rows_to_one(weights * (1 - eye)) * ratio + eye * (1 - ratio)
    return {
        "N-Enc": encoder_norms,
        "N-Enc+FFN": fed_forward_norms,
        "N-ResLN": lambda trace: norm_maps(trace, "ResLN"),
        "N-Res": lambda trace: norm_maps(trace, "Res"),
        "N-FixedRes": lambda trace: rows_to_one(norm_maps(trace)) / 2 + eye / 2,
        "N": norm_maps,
        "W-FixedRes": lambda trace: weights / 2 + eye / 2,
        "W": lambda trace: weights,
    }[variant](trace)


def globenc_layers(
    trace: Trace,
    variant: Variant = "N-Enc",
    through: Literal["rollout", "maxflow", "none"] = "rollout",
) -> Tensor:
    """The readout token's row after each layer, each layer divided by one number so that many layers do not overflow."""
    maps = globenc_maps(trace, variant)
    if through == "none":
        return trace.read(maps)
    if through == "maxflow":
        return torch.stack(
            [
                flow(maps[: l + 1] / widest(maps, trace.attended).max(), trace.readout)
                for l in range(len(maps))
            ]
        )
    return trace.read(products(maps / widest(maps, trace.attended)))


@method(
    "GlobEnc",
    family="Decomposition",
    paper="Modarressi et al. 2022",
    url="https://arxiv.org/abs/2205.03286",
    signed=False,
    class_specific=False,
    passes="1F",
    layers=globenc_layers,
    maps=globenc_maps,
    at_readout=True,
)
def globenc(
    trace: Trace,
    variant: Variant = "N-Enc",
    through: Literal["rollout", "maxflow", "none"] = "rollout",
) -> Tensor:
    """How much of each input token is left in the readout token, by the length of vectors through whole encoder blocks.

    Formula: N_l[q, k] = ‖LN₂(LN₁(sum over heads of A_h[q, k] f_h(x_k) + [q = k] x_k))‖, the LayerNorms made linear by their true
    deviations; score_i = (N_L ··· N_1)[readout, i] (Modarressi et al.), up to one factor.

    Sign: none, and the same for every class.

    Limits: lengths add up although vectors may cancel, and the feed-forward layer counts only by what it does to the
    second LayerNorm (N-Enc+FFN takes it along).

    Options: variant (from the weights alone, W, over norms with an assumed residual to N-Enc: those that the paper
    compares; those with LN need post-LN models), through (rollout, not row-normalised, as the authors; maxflow; none: each layer by itself).
    """
    if through == "maxflow":
        maps = globenc_maps(trace, variant)
        return flow(maps / widest(maps, trace.attended).max(), trace.readout)
    return globenc_layers(trace, variant, through)[-1]

"""Attention followed back through all layers."""

from typing import Literal

import torch
from torch import Tensor

from ..ties import ranked
from ..trace import Trace
from ._chain import products, with_residual
from .registry import method, within

Heads = Literal["mean", "min", "max"]


def rollout_layers(
    trace: Trace, residual: bool = True, heads: Heads = "mean", discard: float = 0.0, start: int = 0
) -> Tensor:
    fused = {
        "mean": trace.attention.mean(1),
        "min": trace.attention.amin(1),
        "max": trace.attention.amax(1),
    }[heads]
    maps = without_weakest(fused, discard)[within(start, len(fused), "layer") :]
    # min, max and discarding leave rows that do not sum to 1; with_residual mends them, alone they stay as they are
    return trace.read(products(with_residual(maps) if residual else maps))


def without_weakest(maps: Tensor, share: float) -> Tensor:
    """Zero the weakest `share` of each layer's entries; the first entry always stays, as in the authors' code.

    Of equal entries (`ties.ranked`) the first, row by row, are zeroed.
    """
    if not share:
        return maps
    flat = maps.flatten(1).clone()
    weakest = torch.stack([ranked(-layer)[: int(len(layer) * share)] for layer in flat]).to(
        flat.device
    )
    kept = flat[:, 0].clone()
    flat.scatter_(1, weakest, 0.0)
    flat[:, 0] = kept
    return flat.view_as(maps)


@method(
    "Attention rollout",
    family="Attention",
    paper="Abnar & Zuidema 2020",
    url="https://arxiv.org/abs/2005.00928",
    signed=False,
    class_specific=False,
    passes="1F",
    invariant="sums to one",
    layers=rollout_layers,
    rows=lambda trace, start=0, **_: [
        f"L{i}" for i in range(start % len(trace.attention), len(trace.attention))
    ],
    at_readout=True,
    limits={"discard": (lambda share: 0 <= share < 1, "a share: 0 or more, and less than 1")},
)
def rollout(
    trace: Trace, residual: bool = True, heads: Heads = "mean", discard: float = 0.0, start: int = 0
) -> Tensor:
    """How much of each input token reaches the readout token when attention is followed back through every layer.

    Formula: R = Ā_L ··· Ā_1 with Ā_l = rownorm(mean over heads of A_l + I); score_i = R[readout, i] (Abnar & Zuidema, eq. 1).

    Sign: none. No number is negative, and with the residual they sum to one.

    Limits: it is the same for every class, treats all heads alike and attention as all that happens; deep models
    blur towards a uniform map.

    Options: residual (count the skip connection), heads (how they are fused), discard (share of the weakest entries
    set to zero in each layer, of equal ones the first; Gildenblat's variant for pictures), start (first layer
    used). Its per-layer picture is the map after each layer.
    """
    return rollout_layers(trace, residual, heads, discard, start)[-1]

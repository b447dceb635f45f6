"""Attention rollout: the attention of all layers, multiplied."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..options import Limit
from ..ties import ranked
from ..trace import Trace
from ._chain import products, with_residual
from ._shared import layer_names, within
from .attribution import Attribution
from .registry import Cost, Output, method

FUSIONS = {"mean": torch.mean, "min": torch.amin, "max": torch.amax}


@method(
    "rollout",
    "Attention rollout",
    family="Attention",
    paper="abnar2020",
    output=Output(
        signed=False,
        class_specific=False,
        parts=("layers",),
        at_readout=True,
        invariant="sums to one",
    ),
    cost=Cost("1F"),
    limits={"discard": Limit(lambda share: 0 <= share < 1, "a share: 0 or more, and less than 1")},
)
def attribute(
    trace: Trace,
    residual: bool = True,
    heads: Literal["mean", "min", "max"] = "mean",
    discard: float = 0.0,
    start: int = 0,
) -> Attribution:
    """The attention of all layers, multiplied from the first to the last.

    Formula: R = Ā_L ··· Ā_1 with Ā_l = rownorm(mean over heads of A_l + I);
    score_i = R[readout, i] (Abnar & Zuidema, eq. 1). I stands for the residual connection. The map
    by layer is the one after each layer.

    Sign: none. With the residual the scores add up to one.

    Limits: the map is the same for every class. All heads have the same weight, and attention is
    treated as the only operation of a layer. In deep models the map becomes uniform.

    Options:
    - residual: add I for the residual connection.
    - heads: how the heads of a layer are combined: mean, min or max.
    - discard: the share of the smallest entries of each layer that is set to zero, of equal ones
      the first (Gildenblat's variant for pictures).
    - start: the first layer used.
    """
    fused = FUSIONS[heads](trace.attention, 1)
    first = within(start, len(fused), "layer")
    maps = without_smallest(fused, discard)[first:]
    # min, max and discard leave rows that do not sum to 1: with_residual normalises them
    if residual:
        maps = with_residual(maps)
    layers = trace.read(products(maps))
    return Attribution(layers[-1], layers=layers, rows=layer_names(first, len(fused)))


def without_smallest(
    maps: Float[Tensor, "layer query key"], share: float
) -> Float[Tensor, "layer query key"]:
    """Set the smallest `share` of the entries of each layer to zero, but never the first entry.

    That one is kept by the authors' code. Of equal entries (`ties.ranked`) the first, row by row,
    are zeroed.
    """
    if not share:
        return maps
    flat = maps.flatten(1).clone()
    first = flat[:, 0].clone()
    for layer in flat:
        smallest = ranked(-layer)[: int(len(layer) * share)]
        layer[smallest.to(layer.device)] = 0.0
    flat[:, 0] = first
    return flat.view_as(maps)

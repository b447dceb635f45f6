"""Value Zeroing: forget what a token has to say, in one layer, and see whose vector turns."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..trace import Trace
from ._chain import products, rows_to_one
from .registry import method


def forgetful(first: int, count: int):
    """An edit of values [copy head key dim_head]: copy i forgets token first + i."""

    def edit(value: Tensor) -> Tensor:
        keep = torch.ones(count, value.shape[2]).to(value)
        keep[torch.arange(count), first + torch.arange(count)] = 0
        return value * keep[:, None, :, None]

    return edit


def value_zeroing_maps(trace: Trace) -> Tensor:
    """1 − cos of each token's block output with and without token k's value [layers query key], rows summing to 1."""
    return trace.cached("value zeroing", lambda: turned_by(trace))


def turned_by(trace: Trace) -> Tensor:
    n, maps = trace.hidden.shape[1], []
    rows = max(1, 4096 // n)
    for layer, before, after in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        turned = []
        for first in range(0, n, rows):
            count = min(rows, n - first)
            changed = layer.run(
                before.expand(count, -1, -1), value=forgetful(first, count)
            )  # [copy query dim]
            turned.append(
                (unit(changed) - unit(after)).pow(2).sum(-1) / 2
            )  # 1 − cos, without the cancellation
        maps.append(torch.cat(turned).T)
    return rows_to_one(torch.stack(maps))


def unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=-1)


def value_zeroing_layers(trace: Trace, rollout: bool = True) -> Tensor:
    maps = value_zeroing_maps(trace)
    return trace.read(products(maps) if rollout else maps)


@method(
    "Value Zeroing",
    family="Decomposition",
    paper="Mohebbi et al. 2023",
    url="https://arxiv.org/abs/2301.12971",
    signed=False,
    class_specific=False,
    passes="nF",
    invariant="sums to one",
    layers=value_zeroing_layers,
    maps=value_zeroing_maps,
    most_tokens=384,
    at_readout=True,
    too_long="every layer {n} times over",
)
def value_zeroing(trace: Trace, rollout: bool = True) -> Tensor:
    """How far each token's vector turns when another token's value is set to zero, in every layer, followed through all of them.

    Formula: C_l[q, k] = 1 − cos(x̃_q without value k, x̃_q), over the whole block, rows made to sum to 1; score_i = (C_L ··· C_1)[readout, i]
    (Mohebbi et al., and rollout without a residual).

    Sign: none, and the same for every class; only the direction of a vector counts, not its length.

    Limits: one value is taken away at a time, so what two tokens both say seems needless. Rolled out over many layers
    the map blurs.

    Options: rollout (no: the last layer alone). Its cost is every block once a token: as n whole passes.
    """
    return value_zeroing_layers(trace, rollout)[-1]

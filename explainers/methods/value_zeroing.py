"""Value Zeroing: how much each token's vector changes when one token's value is set to zero."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._chain import products, rows_to_one
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Output, method


@method(
    "value_zeroing",
    "Value Zeroing",
    family="Decomposition",
    paper="mohebbi2023",
    output=Output(
        signed=False,
        class_specific=False,
        parts=("layers", "maps"),
        at_readout=True,
        invariant="sums to one",
    ),
    cost=Cost("nF", most_tokens=384, too_long="every layer {n} times over"),
)
def attribute(trace: Trace, rollout: bool = True) -> Attribution:
    """The cosine change of each token's vector when another token's value is set to zero,
    combined by rollout.

    Formula: C_l[q, k] = 1 − cos(x̃_q without value k, x̃_q), over the whole block, rows divided by
    their sum; score_i = (C_L ··· C_1)[readout, i] (Mohebbi et al., and rollout without a residual).

    Sign: none, and the same map for every class. Only the direction of a vector counts, not its
    length.

    Limits: one value is set to zero at a time, so two tokens with the same meaning both get
    small scores. Over many layers the rollout becomes uniform.

    Options:
    - rollout: multiply the layers; false: the last layer alone. The cost is each block once for
      every token, as in n whole passes.
    """
    maps = cosine_changes(trace)
    layers = trace.read(products(maps) if rollout else maps)
    return Attribution(layers[-1], layers=layers, maps=maps)


@once_per_trace
def cosine_changes(trace: Trace) -> Float[Tensor, "layer query key"]:
    """1 − cos of token q's block output with and without token k's value [layer query key].

    Rows are divided by their sum.
    """
    n = trace.hidden.shape[1]
    batch = max(1, 4096 // n)
    maps = []
    for layer, before, after in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        distances = []
        for first in range(0, n, batch):
            copies = min(batch, n - first)
            edit = zero_value_of(first, copies)
            changed = layer.run(before.expand(copies, -1, -1), value=edit)  # [copy query dim]
            # 1 − cos of two unit vectors, without the cancellation
            distances.append((normalised(changed) - normalised(after)).pow(2).sum(-1) / 2)
        maps.append(torch.cat(distances).T)
    return rows_to_one(torch.stack(maps))


def zero_value_of(first: int, copies: int) -> Callable[[Tensor], Tensor]:
    """An edit of values [copy head key dim_head]: in copy i that of token first + i is zero."""

    def edit(value: Tensor) -> Tensor:
        keep = torch.ones(copies, value.shape[2]).to(value)
        keep[torch.arange(copies), first + torch.arange(copies)] = 0
        return value * keep[:, None, :, None]

    return edit


def normalised(vectors: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape dim"]:
    return F.normalize(vectors, dim=-1)

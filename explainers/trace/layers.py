"""One block by its parts, the same for every architecture."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from ..linear import Affine


@dataclass(frozen=True, eq=False)
class Layer:
    """One block by its parts, the same for every architecture. Its linear maps are looked up when
    they are asked for.

    w_v [head dim dim_head] and b_v [head dim_head] give the values, None where they are not kept
    apart; w_o [head dim_head dim] and b_o [dim] project the heads' outputs back; norm1 and norm2
    are the LayerNorms of the attention and feed-forward sublayers, before them if `norm_first`; the
    feed-forward sublayer is down(act(up(x))), and `up` is None where it is something else (a gated
    one). Heads that share their values have a copy each. `run(hidden [n token dim], value=edit)`
    gives [n token dim]: this block alone, with the mask of the traced input.

    linear gives the map "w_v", "w_o", "up" or "down" as the network has it, adapters included, or
    None. Raises `Refusal` where a part is not x W + b.
    """

    linear: Callable[[str], Affine | None] = field(repr=False)
    heads: int
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    norm_first: bool
    act: Callable[[Tensor], Tensor] | None
    run: Callable[..., Tensor] = field(repr=False)

    @cached_property
    def out(self) -> Affine:
        return self.linear("w_o")

    @cached_property
    def values(self) -> Affine | None:
        return self.linear("w_v")

    @cached_property
    def up(self) -> Affine | None:
        return self.linear("up")

    @cached_property
    def down(self) -> Affine | None:
        return self.linear("down")

    @property
    def w_o(self) -> Tensor:
        return self.out.weight.unflatten(0, (self.heads, -1))

    @property
    def b_o(self) -> Tensor | None:
        return self.out.bias

    @property
    def w_v(self) -> Tensor | None:
        return None if self.values is None else self.by_head(self.values.weight.T).transpose(1, 2)

    @property
    def b_v(self) -> Tensor | None:
        if self.values is None:
            return None
        bias = self.values.bias
        return self.by_head(torch.zeros_like(self.values.weight[0]) if bias is None else bias)

    def by_head(self, rows: Tensor) -> Tensor:
        """What makes values [group * dim_head ...], for each head [head dim_head ...]."""
        grouped = rows.unflatten(0, (-1, self.w_o.shape[1]))
        if len(grouped) == self.heads:
            return grouped
        return grouped.repeat_interleave(self.heads // len(grouped), 0)

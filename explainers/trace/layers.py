"""One block by its parts, with the same names for every architecture."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import Refusal
from ..linear import Affine


@dataclass(frozen=True, eq=False)
class Layer:
    """One block by its parts, the same for every architecture.

    linear      name -> the map x W + b that the network computes there, adapters included; None
                where the block has none. The names are "w_v", "w_o", "up" and "down". Raises
                `Refusal` if the part is not of the form x W + b
    heads       the number of attention heads
    norm1       the LayerNorm of the attention sublayer; some models have a norm of another kind
    norm2       that of the feed-forward sublayer
    norm_first  whether the norms stand before their sublayers (pre-LN) and not behind them
    activation  the activation function of the feed-forward sublayer; None if that is not a plain
                down(act(up(x))), as in models with a gated one
    run         run(hidden [n token dim], value=edit) gives what leaves this block alone
                [n token dim], with the mask of the traced input

    Linear maps are looked up when they are first read. A part that the block does not have raises
    `Refusal`: `has_values` and `has_feed_forward` tell.
    """

    linear: Callable[[str], Affine | None] = field(repr=False)
    heads: int
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    norm_first: bool
    activation: Callable[[Tensor], Tensor] | None
    run: Callable[..., Tensor] = field(repr=False)

    @cached_property
    def maps(self) -> dict[str, Affine | None]:
        """What `find` found so far, by name."""
        return {}

    def find(self, name: str) -> Affine | None:
        """The linear map `name`, looked up once; None if the block has none."""
        if name not in self.maps:
            self.maps[name] = self.linear(name)
        return self.maps[name]

    def map(self, name: str) -> Affine:
        """The linear map `name`; raises `Refusal` if the block has none."""
        found = self.find(name)
        if found is None:
            raise Refusal(f"This layer has no linear map {name} of its own.")
        return found

    # ------------------------------------------------------------------------------- attention

    @property
    def has_values(self) -> bool:
        """Whether a map of its own gives the values, and not one that also gives the queries."""
        return self.find("w_v") is not None

    @property
    def w_v(self) -> Float[Tensor, "head dim dim_head"]:
        """The weights that give the values; heads that share their values have a copy each."""
        return self.by_head(self.map("w_v").weight.T).transpose(1, 2)

    @property
    def b_v(self) -> Float[Tensor, "head dim_head"]:
        """The bias of the values, zeros if the network has none."""
        values = self.map("w_v")
        if values.bias is None:
            return self.by_head(torch.zeros_like(values.weight[0]))
        return self.by_head(values.bias)

    @property
    def w_o(self) -> Float[Tensor, "head dim_head dim"]:
        """The weights that project the outputs of the heads back."""
        return self.map("w_o").weight.unflatten(0, (self.heads, -1))

    @property
    def b_o(self) -> Float[Tensor, " dim"] | None:
        """The bias of that projection, None if the network has none."""
        return self.map("w_o").bias

    def by_head(self, rows: Float[Tensor, "rows ..."]) -> Float[Tensor, "head dim_head ..."]:
        """Rows of the map that makes values, [group * dim_head ...], apart for each head."""
        grouped = rows.unflatten(0, (-1, self.w_o.shape[1]))
        if len(grouped) == self.heads:
            return grouped
        return grouped.repeat_interleave(self.heads // len(grouped), 0)

    # ---------------------------------------------------------------------- feed-forward sublayer

    @property
    def has_feed_forward(self) -> bool:
        """Whether the feed-forward sublayer is down(act(up(x))), and not a gated one."""
        return self.activation is not None

    @property
    def up(self) -> Affine:
        """The first linear map of the feed-forward sublayer."""
        return self.map("up")

    @property
    def act(self) -> Callable[[Tensor], Tensor]:
        """The activation function of the feed-forward sublayer."""
        if self.activation is None:
            raise Refusal("The feed-forward sublayer of this layer is a gated one.")
        return self.activation

    @property
    def down(self) -> Affine:
        """The second linear map of the feed-forward sublayer."""
        return self.map("down")

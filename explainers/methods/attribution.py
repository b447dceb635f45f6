"""What a method returns: scores for the tokens and, by name, whatever else it computed."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..trace import ordinary

Value = TypeVar("Value")

#: A part of an attribution: its value, or a function that computes it when it is first read.
Part = Value | Callable[[], Value]

#: The parts that a method may have beside its scores.
PARTS = ("layers", "heads", "maps", "pixels", "totals")


@ordinary
@torch.no_grad()
def computed(part: Any) -> Any:
    """The value of a part, which is computed now if a function was given."""
    if callable(part):
        return part()
    return part


class Attribution:
    """The result of one method on one trace.

    scores   [token]              the map, special tokens included
    layers   [row token]          the map by layer; `rows` names its rows
    heads    [layer head token]   the share of every attention head
    maps     [layer query key]    the weight of each key in each query, layer by layer
    pixels   [height width]       the map of a picture by the pixels that the model reads
    totals   {name: [token]}      maps that the layers can be combined into
    rows     names of the layers' rows: L0, L1, ... where none are given
    facts    {name: number}       numbers about this run, such as the gap of an integral

    A part that the method does not have is None; without totals or facts they are empty. A part
    may be given as a function: it runs when the part is first read, without gradients.
    """

    def __init__(
        self,
        scores: Part[Tensor],
        *,
        layers: Part[Tensor] | None = None,
        heads: Part[Tensor] | None = None,
        maps: Part[Tensor] | None = None,
        pixels: Part[Tensor] | None = None,
        totals: Part[Mapping[str, Tensor]] | None = None,
        rows: Part[Sequence[str]] | None = None,
        facts: Part[Mapping[str, float]] | None = None,
    ):
        self._scores = scores
        self._layers = layers
        self._heads = heads
        self._maps = maps
        self._pixels = pixels
        self._totals = totals
        self._rows = rows
        self._facts = facts

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that were given, out of `PARTS`. Nothing is computed."""
        return frozenset(name for name in PARTS if getattr(self, f"_{name}") is not None)

    @cached_property
    def scores(self) -> Float[Tensor, " token"]:
        return computed(self._scores)

    @cached_property
    def layers(self) -> Float[Tensor, "row token"] | None:
        return computed(self._layers)

    @cached_property
    def heads(self) -> Float[Tensor, "layer head token"] | None:
        return computed(self._heads)

    @cached_property
    def maps(self) -> Float[Tensor, "layer query key"] | None:
        return computed(self._maps)

    @cached_property
    def pixels(self) -> Float[Tensor, "height width"] | None:
        return computed(self._pixels)

    @cached_property
    def totals(self) -> dict[str, Tensor]:
        return dict(computed(self._totals) or {})

    @cached_property
    def rows(self) -> list[str]:
        if self._rows is not None:
            return list(computed(self._rows))
        if self.layers is None:
            return []
        return [f"L{i}" for i in range(len(self.layers))]

    @cached_property
    def facts(self) -> dict[str, float]:
        return dict(computed(self._facts) or {})

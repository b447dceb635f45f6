"""Token scores that show and save themselves: one map, or several maps of one input."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .render.export import save
from .render.heatmaps import heads_html, heatmaps_html, methods_without_map_html
from .render.look import Look
from .token_scores import TokenScores

if TYPE_CHECKING:
    import pandas


class Heatmap(TokenScores):
    """Token scores that draw themselves in a notebook. Fields and shapes: see `TokenScores`."""

    def html(self, layers: bool = True, **look: Any) -> str:
        """Draw the map as static HTML, which needs no script.

        layers: add the map of every layer, where there is one. look: keywords of `Look`: palette;
        for texts merge=True (sub-words summed into words) and specials=False; for pictures
        opacity, smooth=False, pixels=False, side (pixels of the photo's longer side) and
        brief=False (no numbers, so that many maps fit in one document).
        """
        return heatmaps_html([self], Look(**look), layers=layers)

    def heads_html(self, layer: int = -1, **look: Any) -> str:
        """Draw how much every attention head contributes, and the heads of one layer one by one.

        Static HTML that draws itself in a notebook. look: as in `html`. Raises `Refusal` for a
        method that has no map by head, and for a layer that is not there.
        """
        return heads_html(self, layer, Look(**look))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, by its suffix .html, .svg, .png, .csv or .json.

        Model, revision, target and options are inside. Raises `Refusal` for another suffix, and
        for a path that cannot be written.
        """
        save(self, path)

    def _repr_html_(self) -> str:
        return self.html()


class Comparison(list[Heatmap]):
    """Heatmaps of one input and one target, drawn one below the other in a notebook.

    left_out   {title: reason} of the methods that have no map here
    """

    def __init__(self, heats: Iterable[Heatmap] = (), left_out: dict[str, str] | None = None):
        super().__init__(heats)
        self.left_out = left_out or {}

    def html(self, layers: bool | str = True, **look: Any) -> str:
        """Draw the maps as static HTML, which needs no script.

        layers: add the map of every layer for a single method, or, "all", for each. look: as in
        `Heatmap.html`.
        """
        maps = heatmaps_html(self, Look(**look), layers=layers)
        return maps + methods_without_map_html(self.left_out)

    def _repr_html_(self) -> str:
        return self.html()

    def merged(self) -> Comparison:
        """The same with sub-words summed into words."""
        return Comparison((heat.merged() for heat in self), self.left_out)

    def without_specials(self) -> Comparison:
        """The same without [CLS], [SEP] and the like."""
        return Comparison((heat.without_specials() for heat in self), self.left_out)

    def table(self) -> pandas.DataFrame:
        """A table with one row per token and one column per method.

        Where a method stands there several times, its columns also name target and options.
        """
        import pandas as pd

        columns: dict[str, list] = {"token": self[0].labels}
        for heat in self:
            columns[self._column(heat)] = heat.scores.tolist()
        return pd.DataFrame(columns)

    def _column(self, heat: Heatmap) -> str:
        """The name of a heatmap's column in the table."""
        if len({one.method for one in self}) == len(self):
            return heat.method
        options = ", ".join(f"{name}={value}" for name, value in heat.options.items())
        return ": ".join(part for part in (heat.method, heat.target, options) if part)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file of all maps, by its suffix .html, .svg, .png, .csv or .json."""
        save(self, path)

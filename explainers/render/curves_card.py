"""The card of deletion and insertion curves: the plots, their numbers, and a note about both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .cards import with_styles
from .probability_plots import Plot, curves_html, measures_html

if TYPE_CHECKING:
    from ..evaluation.probability_curves import Curves

#: What replaces a removed part, in words.
IN_PLACE = {
    "delete": "nothing",
    "pad": "[PAD]",
    "mask": "[MASK]",
    "unk": "[UNK]",
    "mean": "grey",
    "black": "black",
    "white": "white",
    "blur": "a blur",
}

#: The two curves, with the words above them.
HEADINGS = {"deletion": "Taken out", "insertion": "Put in"}


class Measure(NamedTuple):
    """A number of a curve: its title, and "higher" or "lower", whichever is better."""

    title: str
    better: str


def card_html(found: Curves, measures: Mapping[str, Measure], palette: str, style: bool) -> str:
    """The curves and their numbers as static HTML.

    measures  the columns of the table by the keys of `Curves.numbers`
    palette   of the colours
    style     whether the stylesheet is included
    """
    plots = []
    for name, curves in (("deletion", found.deletion), ("insertion", found.insertion)):
        heading = f"<b>{HEADINGS[name]}</b>: {measures[name].better} is better"
        lines = {found.titles[method]: curve.tolist() for method, curve in curves.items()}
        low, high, mean = found.band[name]
        plots.append(Plot(heading, lines, low.tolist(), high.tolist(), mean.tolist()))
    table = table_html(found, measures)
    shares = found.shares.tolist()
    drawn = curves_html(plots, shares, found.parts, found.target, palette, table)
    return with_styles(drawn, style)


def table_html(found: Curves, measures: Mapping[str, Measure]) -> str:
    """The table of numbers under the curves."""
    rows = {title: found.numbers(name) for name, title in found.titles.items()}
    random = f"Random order, mean of {len(found.random['deletion'])}"
    return measures_html(rows, measures, {random: found.chance}, note(found))


def note(found: Curves) -> str:
    """What a reader must know about the numbers."""
    removed, not_added = (IN_PLACE[fill] for fill in found.fills)
    sentences = [
        f"The numbers are of these curves: {len(found.shares) - 1} equal steps, {removed} in "
        f"place of removed parts, {not_added} in place of parts that are not added yet.",
        "With another fill or other steps, a metric of the same name gives other numbers.",
    ]
    if found.tied:
        names = ", ".join(found.titles[name] for name in found.tied)
        sentences.append(f"Equal scores keep the order of the input. There are some in: {names}.")
    return " ".join(sentences)

"""Deletion and insertion curves as HTML, and the table of their numbers."""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from html import escape
from itertools import compress

from ..ties import PROBABILITY, tied
from .cards import card
from .characters import NBSP, number, visible

Line = Sequence[float]

#: The numbers of a method, by column.
Numbers = Mapping[str, float]

COLOURS = 7  # of lines; more are dashed
WIDTH, HEIGHT = 100, 100  # of a plot, in its own units


# ----------------------------------------------------------------------------------------- curves


@dataclass(frozen=True)
class Plot:
    """Curves of one kind, one a method, with the band of the random orders.

    heading    HTML above the plot
    lines      {method: probability at each share of the input}
    low, high  where the middle half of the random orders begins and ends, at each share
    mean       the mean of the random orders, at each share
    """

    heading: str
    lines: Mapping[str, Line]
    low: Line
    high: Line
    mean: Line

    @property
    def smallest(self) -> float:
        """The smallest number of all lines."""
        return min(min(line) for line in (*self.lines.values(), self.low, self.high, self.mean))


@dataclass(frozen=True)
class Axes:
    """What the axes of a plot mean.

    shares   [point] the share of the input that was taken out or put in, 0 to 1
    parts    what was taken, such as "words"
    target   whose probability it is, or whose difference of probabilities, which can be negative
    least    where the axis of probabilities begins, 0 or -1
    """

    shares: Line
    parts: str
    target: str
    least: int

    def points(self, line: Line, backwards: bool = False) -> str:
        """A line of probabilities as points of an SVG."""
        pairs = list(zip(self.shares, line))
        if backwards:
            pairs.reverse()
        points = []
        for share, value in pairs:
            height = (value - self.least) / (1 - self.least)
            points.append(f"{WIDTH * share:.4g},{HEIGHT * (1 - height):.4g}")
        return " ".join(points)


def curves_html(
    plots: Sequence[Plot],
    shares: Line,
    parts: str,
    target: str,
    palette: str = "orange-blue",
    table: str = "",
) -> str:
    """Probabilities over the share of the input that was taken out or put in, one line per method.

    plots: all with the same methods. shares, parts, target: as in `Axes`. table: HTML that stands
    under the lines.
    """
    least = -1 if any(plot.smallest < 0 for plot in plots) else 0
    axes = Axes(shares, parts, target, least)
    figures = "".join(plot_html(plot, axes) for plot in plots)
    return card(
        f"<h3>Does the probability fall when the highest-ranked {escape(parts)} are removed?</h3>"
        f'<p class="xp-sub">The probability of <b>{escape(visible(target))}</b> while '
        f"{escape(parts)} are removed or inserted in the order of each map, the most important "
        "first. Grey: the middle half of random orders, and their mean.</p>"
        f'<div class="xp-plots">{figures}</div>{table}',
        palette,
        " xp-trial",
    )


def plot_html(plot: Plot, axes: Axes) -> str:
    """One figure: the band, the mean of the random orders, and one line per method."""
    band = f"{axes.points(plot.low)} {axes.points(plot.high, backwards=True)}"
    grid = "".join(f'<path class="xp-rule" d="M0 {y}H{WIDTH}"/>' for y in (0, 25, 50, 75, 100))
    lines = ""
    for k, line in enumerate(plot.lines.values()):
        lines += f'<polyline class="xp-line {hue(k)}" data-k="{k}" points="{axes.points(line)}"/>'
    middle, bottom = ("0", f"−100{NBSP}%") if axes.least else (f"50{NBSP}%", "0")
    label = escape(f"{axes.target}: {describe_lines(plot)}")
    return (
        f'<figure class="xp-plot"><figcaption>{plot.heading}</figcaption>'
        '<div class="xp-frame-of"><div class="xp-ys">'
        f"<span>100{NBSP}%</span><span>{middle}</span><span>{bottom}</span></div>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}"><polygon class="xp-band" points="{band}"/>'
        f'<polyline class="xp-line xp-mean" points="{axes.points(plot.mean)}"/>{grid}{lines}</svg>'
        f'<div class="xp-xs"><span>0</span><span>share of the {escape(axes.parts)}</span>'
        f"<span>100{NBSP}%</span></div></div></figure>"
    )


def describe_lines(plot: Plot) -> str:
    """The beginning, the end and the middle of each line, for readers who do not see it."""
    return "; ".join(
        f"{name} from {line[0]:.0%} to {line[-1]:.0%}, half way {line[len(line) // 2]:.0%}"
        for name, line in plot.lines.items()
    )


def hue(k: int) -> str:
    """The class of the k-th line: its colour, and dashes if colours repeat."""
    dashes = " xp-dashed" if k >= COLOURS else ""
    return f"xp-k{k % COLOURS}{dashes}"


def swatch(k: int) -> str:
    """A piece of the k-th line, for the table."""
    return (
        '<svg class="xp-swatch" viewBox="0 0 24 8" aria-hidden="true">'
        f'<path class="xp-line {hue(k)}" d="M0 4H24"/></svg>'
    )


# ---------------------------------------------------------------------------------------- numbers


def measures_html(
    rows: Mapping[str, Numbers],
    columns: Mapping[str, tuple[str, str]],
    chance: Mapping[str, Numbers],
    sentence: str,
) -> str:
    """The numbers of each method, the best of each column marked, and those of random orders.

    Equal numbers (`ties.tied`) are all best. A number that does not beat random orders is not
    best, and a note says so.

    rows      {method: {column: number}}
    columns   {column: (title, "higher" or "lower")}; the second word says which is better
    chance    as rows, for random orders
    sentence  what the numbers are; it stands below them
    """
    best: dict[str, set[str]] = {}
    beaten = []
    for name, (title, better) in columns.items():
        methods = best_methods(rows, chance, name, better)
        if methods is None:
            beaten.append(title)
        else:
            best[name] = methods
    body = ""
    for k, (method, row) in enumerate(rows.items()):
        names = columns_of(method, best)
        head = f'<th scope="row" tabindex="0">{swatch(k)}{escape(method)}</th>'
        body += f'<tr data-k="{k}">{head}{number_cells(row, columns, names)}</tr>'
    for title, row in chance.items():
        head = f'<th scope="row">{escape(title)}</th>'
        body += f'<tr class="xp-chance">{head}{number_cells(row, columns, set())}</tr>'
    heads = "".join(column_heading(*column) for column in columns.values())
    return (
        '<div class="xp-wide" tabindex="0" role="region" aria-label="metrics of each method">'
        '<table class="xp-numbers xp-measures"><thead><tr><th scope="col">Method</th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{best_notes(best, beaten)}"
        f'<p class="xp-note">{escape(sentence)}</p>'
        '<p class="xp-note">One example is not evidence: the map that is best here may be the '
        "worst for the next input. Measure on a dataset before you rank methods.</p>"
    )


def column_heading(title: str, better: str) -> str:
    more = f'<span class="xp-more">{better} is better</span>'
    return f'<th scope="col">{escape(title)} {more}</th>'


def best_methods(
    rows: Mapping[str, Numbers],
    chance: Mapping[str, Numbers],
    column: str,
    better: str,
) -> set[str] | None:
    """The methods with the best number of a column; None if random orders are as good.

    Numbers that are not finite are left out.
    """
    sign = 1 if better == "higher" else -1
    methods = finite_column(rows, column, sign)
    random = finite_column(chance, column, sign)
    values = [*random.values(), *methods.values()]
    is_best = tied(values, PROBABILITY).tolist() if values else []
    if any(is_best[: len(random)]):
        return None
    return set(compress(methods, is_best[len(random) :]))


def columns_of(method: str, best: Mapping[str, Set[str]]) -> set[str]:
    """The columns in which a method is best."""
    return {name for name, methods in best.items() if method in methods}


def finite_column(rows: Mapping[str, Numbers], column: str, sign: int) -> dict[str, float]:
    """The finite numbers of a column, times `sign`, by row."""
    values = {name: sign * row[column] for name, row in rows.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def best_notes(best: Mapping[str, Set[str]], beaten: Sequence[str]) -> str:
    """Notes about columns in which random orders are as good, and about equal numbers."""
    html = ""
    if beaten:
        names = escape(", ".join(beaten))
        html += f'<p class="xp-note"><b>No map here beats the random orders in {names}.</b></p>'
    if any(len(methods) > 1 for methods in best.values()):
        html += '<p class="xp-note">Equal numbers are all marked as best.</p>'
    return html


def number_cells(row: Numbers, columns: Mapping, best: Set[str]) -> str:
    """The cells of one row. best: the columns in which it is best."""
    cells = []
    for name in columns:
        value = number(row[name], signed=name == "logodds")
        if name in best:
            cells.append(
                f'<td class="xp-best"><b>{value}</b> <span class="xp-tick">best</span></td>'
            )
        else:
            cells.append(f"<td>{value}</td>")
    return "".join(cells)

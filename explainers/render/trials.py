"""Tests of maps as HTML: curves and their numbers, agreement, the input without a part."""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from html import escape
from itertools import compress

from PIL import Image
from torch import Tensor

from ..ties import PROBABILITY, tied
from ..token_scores import TokenScores
from .card import card, column_head
from .characters import NBSP, number, visible
from .overlay import jpeg

Line = Sequence[float]

COLOURS = 7  # of lines; more are dashed
WIDTH, HEIGHT = 100, 100  # of a plot, in its own units
SIDE = 480  # pixels of a picture, at most


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
    """Probabilities over the share of the input that was taken out or put in, one line a method.

    plots: all with the same methods. shares, parts, target: as in `Axes`. table: HTML that stands
    under the lines.
    """
    least = -1 if any(plot.smallest < 0 for plot in plots) else 0
    axes = Axes(shares, parts, target, least)
    figures = "".join(plot_html(plot, axes) for plot in plots)
    return card(
        "<h3>Does the model need what a map points at?</h3>"
        f'<p class="xp-sub">The probability of <b>{escape(visible(target))}</b> while '
        f"{escape(parts)} are removed or inserted in the order of each map, the most important "
        "first. Grey: the middle half of random orders, and their mean.</p>"
        f'<div class="xp-plots">{figures}</div>{table}',
        palette,
        " xp-trial",
    )


def plot_html(plot: Plot, axes: Axes) -> str:
    """One figure: the band, the mean of the random orders, and a line a method."""
    band = f"{axes.points(plot.low)} {axes.points(plot.high, backwards=True)}"
    grid = "".join(f'<path class="xp-rule" d="M0 {y}H{WIDTH}"/>' for y in (0, 25, 50, 75, 100))
    lines = "".join(
        f'<polyline class="xp-line {hue(k)}" data-k="{k}" points="{axes.points(line)}"/>'
        for k, line in enumerate(plot.lines.values())
    )
    middle, bottom = ("0", f"−100{NBSP}%") if axes.least else (f"50{NBSP}%", "0")
    label = escape(f"{axes.target}: {in_words(plot)}")
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


def in_words(plot: Plot) -> str:
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
    rows: Mapping[str, Mapping[str, float]],
    columns: Mapping[str, tuple[str, str]],
    chance: Mapping[str, Mapping[str, float]],
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
        names = {name for name in best if method in best[name]}
        head = f'<th scope="row" tabindex="0">{swatch(k)}{escape(method)}</th>'
        body += f'<tr data-k="{k}">{head}{number_cells(row, columns, names)}</tr>'
    for title, row in chance.items():
        head = f'<th scope="row">{escape(title)}</th>'
        body += f'<tr class="xp-chance">{head}{number_cells(row, columns, set())}</tr>'
    heads = "".join(
        f'<th scope="col">{escape(title)} <span class="xp-more">{better} is better</span></th>'
        for title, better in columns.values()
    )
    return (
        '<div class="xp-wide" tabindex="0" role="region" aria-label="metrics of each method">'
        '<table class="xp-numbers xp-measures"><thead><tr><th scope="col">Method</th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{best_notes(best, beaten)}"
        f'<p class="xp-note">{escape(sentence)}</p>'
        '<p class="xp-note">One example is not evidence: the map that is best here may be the '
        "worst for the next input. Measure on a dataset before you rank methods.</p>"
    )


def best_methods(
    rows: Mapping[str, Mapping[str, float]],
    chance: Mapping[str, Mapping[str, float]],
    column: str,
    better: str,
) -> set[str] | None:
    """The methods with the best number of a column; None if random orders are as good.

    Numbers that are not finite are left out.
    """
    sign = 1 if better == "higher" else -1
    methods = {}
    for method, row in rows.items():
        if math.isfinite(row[column]):
            methods[method] = sign * row[column]
    random = [sign * row[column] for row in chance.values() if math.isfinite(row[column])]
    values = [*random, *methods.values()]
    is_best = tied(values, PROBABILITY).tolist() if values else []
    if any(is_best[: len(random)]):
        return None
    return set(compress(methods, is_best[len(random) :]))


def best_notes(best: Mapping[str, Set[str]], beaten: Sequence[str]) -> str:
    """Notes about columns in which random orders are as good, and about equal numbers."""
    html = ""
    if beaten:
        columns = escape(", ".join(beaten))
        html += f'<p class="xp-note"><b>No map here beats the random orders in {columns}.</b></p>'
    if any(len(methods) > 1 for methods in best.values()):
        html += '<p class="xp-note">Equal numbers are all marked as best.</p>'
    return html


def number_cells(row: Mapping[str, float], columns: Mapping, best: Set[str]) -> str:
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


# -------------------------------------------------------------------------------------- agreement


def matrix_html(
    names: Sequence[str],
    values: Sequence[Line],
    heading: str,
    sentence: str,
    columns: Sequence[str] | None = None,
    palette: str = "orange-blue",
) -> str:
    """Correlations from -1 to 1 as a table of numbers and colours.

    names: of the rows. values: [row column]; NaN is shown as "none". columns: their names, if they
    are not those of the rows.
    """
    heads = "".join(
        f'<th scope="col"><span>{column_head(name)}</span></th>' for name in columns or names
    )
    body = ""
    for name, row in zip(names, values):
        cells = "".join(correlation_cell(value) for value in row)
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    return card(
        f'<h3>{escape(heading)}</h3><p class="xp-sub">{escape(sentence)}</p>'
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heading)}">'
        f'<table class="xp-map xp-matrix"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
        palette,
    )


def correlation_cell(value: float) -> str:
    if not math.isfinite(value):
        return '<td><span class="xp-sub">none</span></td>'
    kind = "pos" if value > 0 else "neg"
    return f'<td class="{kind}" style="--a:{abs(value):.2f}">{with_minus(f"{value:.2f}")}</td>'


def with_minus(text: str) -> str:
    """A number with a minus sign instead of a hyphen."""
    return text.replace("-", "−")


# ---------------------------------------------------------------------------------- without a part


def without_html(
    heat: TokenScores,
    keep: Tensor,
    target: str,
    before: float,
    after: float,
    prediction: tuple[str, float] | None,
    palette: str = "orange-blue",
    tied: bool = False,
) -> str:
    """What the model says without some words or patches, and the rest of the input.

    keep           [token] bool: False for what was taken out
    target         what is explained; before, after: its probability
    prediction     label and probability of the prediction then, of a model that chooses a class
    tied           whether something that stayed has the same score as something taken out
    """
    removed = (~keep).nonzero().flatten().tolist()
    if heat.grid is None:
        names, rest = removed_words(heat, removed), struck_text(heat, removed)
    else:
        names, rest = removed_patches(heat, removed), covered_picture(heat, removed)
    change = ""
    if prediction and prediction[0] != target:
        label, share = prediction
        change = f" The model now says <b>{escape(visible(label))}</b> ({share:.1%})."
    note = ""
    if tied:
        note = (
            '<p class="xp-note">Something that stayed has the same score: of equal ones, the '
            "first are taken out.</p>"
        )
    return card(
        f"<h3>{escape(heat.title)}: without {escape(names)}</h3>"
        f'<p role="status">{escape(visible(target))}: {with_minus(f"{before:.1%}")} → '
        f"<b>{with_minus(f'{after:.1%}')}</b> ({number(100 * (after - before))} points)."
        f"{change}</p>{note}{rest}",
        palette,
    )


def text_pieces(heat: TokenScores, removed: Sequence[int]) -> list[tuple[str, bool]]:
    """The text in pieces: (characters, whether they were taken out)."""
    text = heat.text or ""
    is_removed = [False] * len(text)
    for i in removed:
        span = heat.span(i)
        if span:
            is_removed[slice(*span)] = [True] * (span[1] - span[0])
    pieces: list[tuple[str, bool]] = []
    for character, taken in zip(text, is_removed):
        if pieces and pieces[-1][1] == taken:
            pieces[-1] = (pieces[-1][0] + character, taken)
        else:
            pieces.append((character, taken))
    return pieces


def removed_words(heat: TokenScores, removed: Sequence[int]) -> str:
    """The pieces of the text that were taken out, in its order."""
    pieces = text_pieces(heat, removed)
    return ", ".join(f"“{visible(piece.strip())}”" for piece, taken in pieces if taken)


def struck_text(heat: TokenScores, removed: Sequence[int]) -> str:
    """The text; what was taken out is struck through."""
    html = ""
    for piece, taken in text_pieces(heat, removed):
        html += f"<s>{escape(piece)}</s>" if taken else escape(piece)
    return f'<p class="xp-prose">{html}</p>'


def patches_at(heat: TokenScores, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Row and column of these tokens; a picture's patches are its last tokens."""
    rows, columns = heat.patch_grid
    before = len(heat) - rows * columns
    return [divmod(i - before, columns) for i in tokens]


def removed_patches(heat: TokenScores, removed: Sequence[int]) -> str:
    """The patches that were taken out, as a person counts."""
    places = patches_at(heat, removed)
    return "; ".join(f"row {row + 1}, column {column + 1}" for row, column in places)


def covered_picture(heat: TokenScores, removed: Sequence[int]) -> str:
    """The picture; the patches that were taken out are covered."""
    rows, columns = heat.patch_grid
    picture = heat.picture.copy() if heat.picture else Image.new("RGB", (SIDE, SIDE))
    height, width = picture.height / rows, picture.width / columns
    for row, column in patches_at(heat, removed):
        box = (column * width, row * height, (column + 1) * width, (row + 1) * height)
        left, top, right, bottom = (round(edge) for edge in box)
        picture.paste((128, 128, 128), (left, top, right, bottom))
    return (
        '<div class="xp-tiles xp-few"><img class="xp-covered" '
        f'src="{jpeg(picture, SIDE)}" alt="the picture with these patches covered"></div>'
    )

"""What came out when maps were put to the test: curves with a band of chance, numbers under them, agreement, and what is left without a part."""

import math
from collections.abc import Mapping, Sequence, Set
from html import escape
from itertools import compress, groupby

from torch import Tensor

from ..ties import PROBABILITY, tied
from ..token_scores import TokenScores
from .card import NBSP, card, column_head, number, visible
from .overlay import jpeg

Line = Sequence[float]

COLOURS = 7  # of lines; more are dashed
WIDE, HIGH = 100, 100  # of a plot, in its own units
SIDE = 480  # pixels of a picture, at most


# ------------------------------------------------------------------------------------------------------- curves


def curves(
    plots: Sequence[tuple[str, Mapping[str, Line], tuple[Line, Line, Line]]],
    shares: Line,
    parts: str,
    of: str,
    palette: str = "orange-blue",
    table: str = "",
) -> str:
    """Lines of a probability over the share of the input that was taken out or put in, one a method, with the band that random orders fill.

    plots: a heading, {method: probability at each share}, and where the middle half of random orders begins and ends, and their mean; every
    plot has the same methods.
    shares: from 0 to 1. parts: what was taken, such as words. of: whose probability it is, or whose difference of probabilities, which can be
    negative. table: HTML that stands under the lines.
    """
    least = (
        -1
        if any(
            value < 0
            for _, lines, band in plots
            for line in [*lines.values(), *band]
            for value in line
        )
        else 0
    )
    figures = "".join(
        plot(heading, lines, band, shares, parts, of, least) for heading, lines, band in plots
    )
    return card(
        f'<h3>Does the model need what a map points at?</h3><p class="xp-sub">The probability of <b>{escape(visible(of))}</b> while {escape(parts)} '
        "go, or come, in the order of each map, the most important first. Grey: the middle half of random orders, and their mean.</p>"
        f'<div class="xp-plots">{figures}</div>{table}',
        palette,
        " xp-trial",
    )


def plot(
    heading: str,
    lines: Mapping[str, Line],
    band: tuple[Line, Line, Line],
    shares: Line,
    parts: str,
    of: str,
    least: int,
) -> str:
    """One of the figures; the axis begins at `least`, 0 or -1."""
    at = lambda line, along=shares: points(along, [(value - least) / (1 - least) for value in line])
    low, high, mean = band
    area = (
        f'<polygon class="xp-band" points="{at(low)} {at(high[::-1], shares[::-1])}"/>'
        f'<polyline class="xp-line xp-mean" points="{at(mean)}"/>'
    )
    grid = "".join(f'<path class="xp-rule" d="M0 {y}H{WIDE}"/>' for y in (0, 25, 50, 75, 100))
    drawn = "".join(
        f'<polyline class="xp-line {hue(k)}" data-k="{k}" points="{at(line)}"/>'
        for k, line in enumerate(lines.values())
    )
    said = "; ".join(
        f"{name} from {line[0]:.0%} to {line[-1]:.0%}, half way {line[len(line) // 2]:.0%}"
        for name, line in lines.items()
    )
    return (
        f'<figure class="xp-plot"><figcaption>{heading}</figcaption><div class="xp-frame-of">'
        f'<div class="xp-ys"><span>100{NBSP}%</span><span>{"0" if least else f"50{NBSP}%"}</span><span>{f"−100{NBSP}%" if least else "0"}</span></div>'
        f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="{escape(f"{of}: {said}")}">'
        f'{area}{grid}{drawn}</svg><div class="xp-xs"><span>0</span><span>share of the {escape(parts)}</span><span>100{NBSP}%</span></div></div></figure>'
    )


def points(shares: Line, line: Line) -> str:
    return " ".join(
        f"{WIDE * share:.4g},{HIGH * (1 - value):.4g}" for share, value in zip(shares, line)
    )


def hue(k: int) -> str:
    return f"xp-k{k % COLOURS}" + (" xp-dashed" if k >= COLOURS else "")


def swatch(k: int) -> str:
    return f'<svg class="xp-swatch" viewBox="0 0 24 8" aria-hidden="true"><path class="xp-line {hue(k)}" d="M0 4H24"/></svg>'


def measures(
    rows: Mapping[str, Mapping[str, float]],
    columns: Mapping[str, tuple[str, str]],
    chance: Mapping[str, Mapping[str, float]],
    said: str,
) -> str:
    """Numbers of each method with the best of each column marked, those of chance below.

    Equal ones (`ties.tied`) are all best; what does not beat chance is not best, and that is said.

    rows: {method: {column: number}}; columns: {column: (title, "higher" or "lower" is better)}; chance: as rows, never marked as best. said: what
    the numbers are, in a sentence that stands below them.
    """
    heads = "".join(
        f'<th scope="col">{escape(title)} <span class="xp-more">{better} is better</span></th>'
        for title, better in columns.values()
    )
    best, blind = {}, []
    for name, (title, better) in columns.items():
        up = 1 if better == "higher" else -1
        ours = {method: up * row[name] for method, row in rows.items() if math.isfinite(row[name])}
        drawn = [up * row[name] for row in chance.values() if math.isfinite(row[name])]
        values = [*drawn, *ours.values()]
        first = tied(values, PROBABILITY).tolist() if values else []
        if any(first[: len(drawn)]):
            blind.append(title)
        else:
            best[name] = set(compress(ours, first[len(drawn) :]))
    several = any(len(methods) > 1 for methods in best.values())
    shared = '<p class="xp-note">Equal numbers are all called best.</p>' if several else ""
    lost = (
        f'<p class="xp-note"><b>No map here beats the random orders in {escape(", ".join(blind))}.</b></p>'
        if blind
        else ""
    )
    best_of = {method: {name for name in best if method in best[name]} for method in rows}
    body = "".join(
        f'<tr data-k="{k}"><th scope="row" tabindex="0">{swatch(k)}{escape(method)}</th>{cells(row, columns, best_of[method])}</tr>'
        for k, (method, row) in enumerate(rows.items())
    )
    below = "".join(
        f'<tr class="xp-chance"><th scope="row">{escape(name)}</th>{cells(row, columns, set())}</tr>'
        for name, row in chance.items()
    )
    return (
        '<div class="xp-wide" tabindex="0" role="region" aria-label="metrics of each method">'
        f'<table class="xp-numbers xp-measures"><thead><tr><th scope="col">Method</th>{heads}</tr></thead><tbody>{body}{below}</tbody>'
        f'</table></div>{lost}{shared}<p class="xp-note">{escape(said)}</p>'
        '<p class="xp-note">One example is not evidence: which map is best here may be last on the next input. Read this as a question '
        "to each map, and measure on a dataset before you rank methods.</p>"
    )


def cells(row: Mapping[str, float], columns, best: Set[str]) -> str:
    """best: the columns in which this row is best."""
    return "".join(
        f'<td class="xp-best"><b>{number(row[name], name == "logodds")}</b> <span class="xp-tick">best</span></td>'
        if name in best
        else f"<td>{number(row[name], name == 'logodds')}</td>"
        for name in columns
    )


# ---------------------------------------------------------------------------------------------------- agreement


def matrix(
    names: Sequence[str],
    values: Sequence[Line],
    heading: str,
    sentence: str,
    columns: Sequence[str] | None = None,
    palette: str = "orange-blue",
) -> str:
    """Correlations from -1 to 1 as a table of numbers and colours: between methods, or of each row's name with each column's.

    values [row column]; what is not a number (a constant map has no order) is said to be none.
    """
    across = "".join(
        f'<th scope="col"><span>{column_head(name)}</span></th>'
        for name in (names if columns is None else columns)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(agreement, row))}</tr>'
        for name, row in zip(names, values)
    )
    return card(
        f'<h3>{escape(heading)}</h3><p class="xp-sub">{escape(sentence)}</p>'
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heading)}">'
        f'<table class="xp-map xp-matrix"><thead><tr><td></td>{across}</tr></thead><tbody>{body}</tbody></table></div>',
        palette,
    )


def agreement(value: float) -> str:
    if not math.isfinite(value):
        return '<td><span class="xp-sub">none</span></td>'
    return f'<td class="{"pos" if value > 0 else "neg"}" style="--a:{abs(value):.2f}">{f"{value:.2f}".replace("-", "−")}</td>'


# ------------------------------------------------------------------------------------------------- without a part


def without(
    heat: TokenScores,
    keep: Tensor,
    target: str,
    before: float,
    after: float,
    says: tuple[str, float] | None,
    palette: str = "orange-blue",
    tied: bool = False,
) -> str:
    """What the model says without some words or patches, and what was left of the input.

    keep [token] bool: what stayed. target: what is explained; before, after: its probability. says: label and probability of what the model
    says then, where it chooses among classes. tied: whether something that stayed has the same score.
    """
    said = "Something that stayed has the same score: of equal ones the first are taken out."
    order = f'<p class="xp-note">{said}</p>' if tied else ""
    gone = (~keep).nonzero().flatten().tolist()
    taken = (
        "; ".join(f"row {row + 1}, column {column + 1}" for row, column in cells_of(heat, gone))
        if heat.grid
        else named(heat, gone)
    )
    turned = (
        f" The model now says <b>{escape(visible(says[0]))}</b> ({says[1]:.1%})."
        if says and says[0] != target
        else ""
    )
    left = covered(heat, gone) if heat.grid else struck(heat, gone)
    return card(
        f'<h3>{escape(heat.title)}: without {escape(taken)}</h3><p role="status">{escape(visible(target))}: {percent(before)} → '
        f"<b>{percent(after)}</b> ({number(100 * (after - before))} points).{turned}</p>{order}{left}",
        palette,
    )


def percent(share: float) -> str:
    return f"{share:.1%}".replace("-", "−")


def runs(heat: TokenScores, gone: Sequence[int]) -> list[tuple[str, bool]]:
    """The text in pieces, (characters, whether they were taken out)."""
    out = [False] * len(heat.text)
    for first, last in (heat.spans[i] for i in gone):
        out[first:last] = [True] * (last - first)
    return [
        ("".join(character for character, _ in piece), taken)
        for taken, piece in groupby(zip(heat.text, out), key=lambda one: one[1])
    ]


def named(heat: TokenScores, gone: Sequence[int]) -> str:
    """The pieces that were taken out, in the order of the text."""
    return ", ".join(f"“{visible(piece.strip())}”" for piece, taken in runs(heat, gone) if taken)


def struck(heat: TokenScores, gone: Sequence[int]) -> str:
    """The text with the pieces that were taken out struck through."""
    return (
        '<p class="xp-prose">'
        + "".join(
            f"<s>{escape(piece)}</s>" if taken else escape(piece)
            for piece, taken in runs(heat, gone)
        )
        + "</p>"
    )


def cells_of(heat: TokenScores, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Row and column of the patches that are these tokens: a picture's patches are its last ones."""
    rows, columns = heat.grid
    return [divmod(i - (len(heat) - rows * columns), columns) for i in tokens]


def covered(heat: TokenScores, gone: Sequence[int]) -> str:
    """The picture with the patches that were taken out covered."""
    (rows, columns), picture = heat.grid, heat.picture.copy()
    for row, column in cells_of(heat, gone):
        box = [
            round(edge)
            for edge in (
                column * picture.width / columns,
                row * picture.height / rows,
                (column + 1) * picture.width / columns,
                (row + 1) * picture.height / rows,
            )
        ]
        picture.paste((128, 128, 128), box)
    return f'<div class="xp-tiles xp-few"><img class="xp-covered" src="{jpeg(picture, SIDE)}" alt="the picture with these patches covered"></div>'

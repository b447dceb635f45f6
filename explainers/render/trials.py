"""Tests of maps as HTML: how far methods agree, and the input without some words or patches."""

import math
from collections.abc import Sequence
from html import escape

from PIL import Image
from torch import Tensor

from ..numerals import with_minus
from ..token_scores import TokenScores
from .card import card, column_head
from .characters import isolated, number, visible
from .overlay import jpeg

SIDE = 480  # pixels of a picture, at most


# -------------------------------------------------------------------------------------- agreement


def matrix_html(
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    heading: str,
    sentence: str,
    columns: Sequence[str] | None = None,
    palette: str = "orange-blue",
) -> str:
    """Correlations from -1 to 1 as a table of numbers and colours.

    names: of the rows. values: [row column]; NaN is shown as "none". columns: their names, if they
    are not those of the rows.
    """
    heads = "".join(map(correlation_head, columns or names))
    body = ""
    for name, row in zip(names, values):
        cells = "".join(map(correlation_cell, row))
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    return card(
        f'<h3>{escape(heading)}</h3><p class="xp-sub">{escape(sentence)}</p>'
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heading)}">'
        f'<table class="xp-map xp-matrix"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
        palette,
    )


def correlation_head(name: str) -> str:
    return f'<th scope="col"><span>{column_head(name)}</span></th>'


def correlation_cell(value: float) -> str:
    if not math.isfinite(value):
        return '<td><span class="xp-sub">none</span></td>'
    value = round(value, 2) + 0.0  # so that -0.001 is shown as 0.00, without a sign
    kind = "neg" if value < 0 else "pos"
    return f'<td class="{kind}" style="--a:{abs(value):.2f}">{with_minus(f"{value:.2f}")}</td>'


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
    """The prediction without some words or patches, and the rest of the input.

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
    pieces = [piece.strip() for piece, taken in text_pieces(heat, removed) if taken]
    return ", ".join(f"“{isolated(visible(piece))}”" for piece in pieces)


def struck_text(heat: TokenScores, removed: Sequence[int]) -> str:
    """The text; what was taken out is struck through."""
    html = ""
    for piece, taken in text_pieces(heat, removed):
        html += f"<s>{escape(piece)}</s>" if taken else escape(piece)
    return f'<p class="xp-prose" dir="auto">{html}</p>'


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

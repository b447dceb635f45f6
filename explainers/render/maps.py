"""Token by token: how much every token gives every other, as a grid."""

import math
from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from ..errors import Refusal
from .card import Html, card, column_head, with_styles
from .characters import isolated, number, visible
from .colours import colour_class, largest

MOST = 64  # tokens a side


def token_map(
    labels: Sequence[str],
    matrix: Tensor,
    *,
    title: str = "Token by token",
    says: str = "Each row reads, each column gives.",
    palette: str = "orange-blue",
    style: bool = True,
) -> Html:
    """Draw a matrix [query key] over the tokens as a grid, with its numbers on hover.

    labels: [token] the names of rows and columns. says: a sentence below the title. Draws itself
    in a notebook. Raises `Refusal` for a matrix of another shape, and for more tokens than can be
    read.
    """
    matrix = torch.as_tensor(matrix).detach().cpu()
    check_size(matrix, len(labels))
    names = [visible(label) for label in labels]
    scale = largest(matrix)
    signed = bool((matrix < 0).any())
    columns = "".join(
        f'<th scope="col" title="{escape(name)}"><span dir="auto">{column_head(name)}</span></th>'
        for name in names
    )
    rows = []
    for query, scores in enumerate(matrix.tolist()):
        cells = "".join(
            cell(names, (query, key), score, scale, signed) for key, score in enumerate(scores)
        )
        head = f'<th scope="row" dir="auto">{escape(names[query][:24])}</th>'
        rows.append(f"<tr>{head}{cells}</tr>")
    sentence = says if scale else f"{says} Every number is zero here."
    html = card(
        f'<h3>{escape(title)}</h3><p class="xp-sub">{escape(sentence)}</p>'
        f'<p class="xp-legend"><span>{ramp(scale, signed)}</span></p>'
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        '<table class="xp-map xp-layers xp-grid"><thead><tr>'
        '<td class="xp-corner" style="border:0" aria-label="reads, gives"></td>'
        f"{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>",
        palette,
    )
    return Html(with_styles(html, style))


def check_size(matrix: Tensor, tokens: int) -> None:
    """Raise a `Refusal` if the matrix is not [token token], or has too many tokens to be read."""
    if matrix.shape != (tokens, tokens):
        raise Refusal(
            f"A token map of {tokens} tokens takes a matrix of ({tokens}, {tokens}); "
            f"this one is {tuple(matrix.shape)}."
        )
    if tokens > MOST:
        raise Refusal(
            f"A grid of {tokens} tokens could not be read; at most {MOST} are drawn. "
            "Choose some rows and columns."
        )


def cell(
    names: Sequence[str], at: tuple[int, int], score: float, scale: float, signed: bool
) -> str:
    """What the token of the column gives the token of the row. at: (row, column)."""
    query, key = at
    share = abs(score) / scale if scale and math.isfinite(score) else 0.0
    right = " xp-right" if key >= len(names) / 2 else ""
    pair = f"{escape(isolated(names[query][:24]))} ← {escape(isolated(names[key][:24]))}"
    stop = 0 if at == (0, 0) else -1
    return (
        f'<td class="{colour_class(score, signed)}{right}" data-i="{key}" '
        f'data-tip="{pair}  {number(score, signed)}" '
        f'aria-label="{pair}: {number(score, signed)}" tabindex="{stop}" '
        f'style="--a:{share:.3f}"></td>'
    )


def ramp(scale: float, signed: bool) -> str:
    """The colours from the smallest to the largest number."""
    if not signed:
        return f'0<i class="xp-ramp one"></i>{number(scale, signed)}'
    return f'{number(-scale)}<i class="xp-ramp"></i>{number(scale)}'

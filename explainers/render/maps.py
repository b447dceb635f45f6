"""Token by token: what every token gave every other, as a grid."""

import math
from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from ..errors import Refusal
from .card import Html, card, column_head, largest, number, styled, visible

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
    """A grid of `matrix` [query key] over the tokens `labels`, with its numbers on hover. Draws itself in a notebook.

        token_map(heat.labels, METHODS["rollout"].maps(trace)[3], title="Attention, layer 3")

    Negative numbers make it two-coloured. Raises `Refusal` for another shape and for more tokens than can be read.
    """
    matrix = torch.as_tensor(matrix).detach().cpu()
    if matrix.shape != (len(labels), len(labels)):
        raise Refusal(
            f"A token map of {len(labels)} tokens takes a matrix of ({len(labels)}, {len(labels)}); this one is {tuple(matrix.shape)}."
        )
    if len(labels) > MOST:
        raise Refusal(
            f"A grid of {len(labels)} tokens could not be read; at most {MOST} are drawn. Choose some rows and columns."
        )
    names, scale = [visible(label) for label in labels], largest(matrix)
    signed = bool((matrix < 0).any())

    def cell(query: int, key: int, score: float) -> str:
        share = abs(score) / scale if scale and math.isfinite(score) else 0.0
        kind = "mag" if not signed else "pos" if score > 0 else "neg" if score < 0 else "mag"
        right = " xp-right" if key >= len(names) / 2 else ""
        said = f"{escape(names[query][:24])} ← {escape(names[key][:24])}"
        return (
            f'<td class="{kind}{right}" data-i="{key}" data-tip="{said}  {number(score, signed)}" '
            f'aria-label="{said}: {number(score, signed)}" tabindex="{-1 if query or key else 0}" style="--a:{share:.3f}"></td>'
        )

    columns = "".join(
        f'<th scope="col" title="{escape(name)}"><span dir="auto">{column_head(name)}</span></th>'
        for name in names
    )
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{escape(names[query][:24])}</th>'
        + "".join(cell(query, key, score) for key, score in enumerate(scores))
        + "</tr>"
        for query, scores in enumerate(matrix.tolist())
    )
    zero = "" if scale else " Every number is zero here."
    ramp = f'<i class="xp-ramp{"" if signed else " one"}"></i>'
    html = card(
        f'<h3>{escape(title)}</h3><p class="xp-sub">{escape(says)}{zero}</p>'
        f'<p class="xp-legend"><span>{number(-scale) if signed else "0"}{ramp}{number(scale, signed)}</span></p>'
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(title)}"><table class="xp-map xp-layers xp-grid">'
        f'<thead><tr><td class="xp-corner" style="border:0" aria-label="reads, gives"></td>{columns}</tr></thead><tbody>{rows}</tbody></table></div>',
        palette,
    )
    return Html(styled(html) if style else html)

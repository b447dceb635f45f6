"""Attention heads as HTML: how much each has in every layer, and the heads of one layer."""

from dataclasses import replace
from html import escape

import torch

from ..errors import Refusal
from ..token_scores import TokenScores
from . import patches, tokens
from .card import card
from .colours import largest
from .look import Look
from .photo_maps import thumb
from .tokens import COLUMNS, direction, row_head, row_html, table_head, view


def heads_over_text(heat: TokenScores, layer: int, look: Look) -> str:
    """Two tables: layer x head, the sum of |score| over the tokens; head x token of one layer.

    Raises `Refusal` for a method that has no map by head, and for a layer that is not there.
    """
    layer = check_layer(heat, layer)
    shown = view(heat, look.merge, look.specials)
    body = importance_table(shown, layer, "words")
    if len(shown) > 4 * COLUMNS:
        body += (
            f"<p class='xp-note'>One column a word would be unreadable at {len(shown)} words. "
            "Explain a shorter text to see the heads over them.</p>"
        )
        return card(body, look.palette)
    heads = shown.head_scores[layer]
    scale = largest(heads)
    rows = "".join(
        row_html(row_head(f"head {h}"), shown, scores, scale) for h, scores in enumerate(heads)
    )
    sentence = "The heads share one scale." if scale else "Every number is zero here."
    body += (
        f"<h3 class='xp-second'>Layer {layer}, head by head over the words</h3>"
        f"<p class='xp-sub'>{sentence}</p>{tokens.legend([shown])}"
        '<div class="xp-scroll" tabindex="0" role="region" '
        f'aria-label="heads of layer {layer} over the words">'
        f'<table class="xp-map xp-layers"{direction(shown)}>{table_head(shown, "head")}'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return card(body, look.palette)


def heads_over_photo(heat: TokenScores, layer: int, look: Look) -> str:
    """A table layer x head of the sum of |score|, and the heads of one layer as small pictures.

    Raises `Refusal` as `heads_over_text`.
    """
    layer = check_layer(heat, layer)
    heads = heat.head_scores[layer]
    scale = largest(heat.on_grid(heads))
    thumbs = "".join(
        thumb(f"head {h}", heat, scores, scale, look.palette) for h, scores in enumerate(heads)
    )
    sentence = "Every number is zero here."
    if scale:
        sentence = "The heads share one scale; beside each stands its largest |score|."
    body = (
        f"{importance_table(heat.without_specials(), layer, 'patches')}"
        f"<h3 class='xp-second'>Layer {layer}, head by head over the picture</h3>"
        f"<p class='xp-sub'>{sentence}</p>{patches.legend([heat])}"
        f"<div class='xp-thumbs'>{thumbs}</div>"
    )
    html = card(body, look.palette, **patches.card_look(look))
    return patches.with_photo(heat.picture, look.side, html)


def check_layer(heat: TokenScores, layer: int) -> int:
    """The layer, counted from the first one.

    Raises `Refusal` for a method that has no map by head, and for a layer that is not there.
    """
    layers = len(heat.head_scores)
    if not -layers <= layer < layers:
        raise Refusal(f"There is no layer {layer}: this model has layers 0 to {layers - 1}.")
    return layer % layers


def importance_table(shown: TokenScores, layer: int, parts: str) -> str:
    """Layer x head: the sum of |score| over the tokens shown, on one scale; one layer marked.

    parts: what the tokens are, "words" or "patches".
    """
    sums = shown.head_scores.nan_to_num(0, 0, 0).abs().sum(-1)  # [layer head]
    columns = over_heads(shown, sums.shape[1])
    scale = largest(sums)
    rows = []
    for index, scores in enumerate(sums):
        kind = "xp-chosen" if index == layer else ""
        rows.append(row_html(row_head(f"L{index}"), columns, scores, scale, kind))
    return (
        f"<h3>{escape(shown.title)}, head by head</h3>"
        f"<p class='xp-sub'>Each cell is the sum of |score| over the {parts} shown. "
        f"Layer {layer} is below.</p>"
        '<div class="xp-scroll" data-apart tabindex="0" role="region" '
        'aria-label="importance of every head">'
        f'<table class="xp-map xp-layers xp-heads">{table_head(columns, "layer")}'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def over_heads(shown: TokenScores, heads: int) -> TokenScores:
    """The same with the heads in place of the tokens: what the columns of a table are."""
    return replace(
        shown,
        labels=[f"head {h}" for h in range(heads)],
        special_tokens=torch.zeros(heads, dtype=torch.bool),
        signed=False,
        spans=None,
        words=None,
        segments=None,
        halves=(),
        marked=None,
        pending="",
    )

"""Attention heads one by one: what each has over the tokens in one layer, and how much each has in every layer."""

from dataclasses import replace
from html import escape

import torch

from ..errors import Refusal
from ..token_scores import TokenScores
from .card import Html, card, largest, styled
from .tokens import COLUMNS, head, legend, row, view


def fragment(
    heat: TokenScores,
    layer: int = -1,
    *,
    merge: bool = True,
    specials: bool = False,
    palette: str = "orange-blue",
    style: bool = True,
) -> Html:
    """Two tables of a method that has a head axis: layer x head, the sum of |score| over the tokens shown, and head x token of `layer`.

    Raises `Refusal` for a method without heads and a layer that is not there.
    """
    layer = checked(heat, layer)
    seen = view(heat, merge, specials)
    body = importance(seen, layer, "words")
    if len(seen) > 4 * COLUMNS:
        body += f"<p class='xp-note'>One column a word would be unreadable at {len(seen)} words. Explain a shorter text to see the heads over them.</p>"
    else:
        rows = seen.heads[layer]
        scale = largest(rows)
        lines = "".join(
            row(f'<th scope="row">head {h}</th>', seen, scores, scale)
            for h, scores in enumerate(rows)
        )
        what = "The heads share one scale." if scale else "Every number is zero here."
        body += (
            f"<h3 class='xp-second'>Layer {layer}, head by head over the words</h3><p class='xp-sub'>{what}</p>{legend([seen])}"
            f'<div class="xp-scroll" tabindex="0" role="region" aria-label="heads of layer {layer} over the words">'
            f'<table class="xp-map xp-layers">{head(seen, "head")}<tbody>{lines}</tbody></table></div>'
        )
    html = card(body, palette)
    return Html(styled(html) if style else html)


def checked(heat: TokenScores, layer: int) -> int:
    """The layer counted from the first. Raises `Refusal` for a method without heads and a layer that is not there."""
    if heat.heads is None:
        raise Refusal(f"{heat.title} has no picture of single heads: it does not keep them apart.")
    layers = len(heat.heads)
    if not -layers <= layer < layers:
        raise Refusal(f"There is no layer {layer}: this model has layers 0 to {layers - 1}.")
    return layer % layers


def importance(seen: TokenScores, layer: int, input: str) -> str:
    """Layer x head: the sum of |score| over the tokens shown, all on one scale, the chosen layer's row marked. input: what these are."""
    sums = seen.heads.nan_to_num(0, 0, 0).abs().sum(-1)  # [layers head]
    names = [f"head {h}" for h in range(sums.shape[1])]
    blank = replace(
        seen,
        labels=names,
        special_tokens=torch.zeros(len(names), dtype=torch.bool),
        signed=False,
        spans=None,
        words=None,
        segments=None,
        halves=(),
        marked=None,
        pending="",
    )
    scale = largest(sums)
    lines = "".join(
        row(f'<th scope="row">L{l}</th>', blank, scores, scale, "xp-chosen" if l == layer else "")
        for l, scores in enumerate(sums)
    )
    return (
        f"<h3>{escape(seen.title)}, head by head</h3><p class='xp-sub'>How much of |score| each head of each layer has, over the {input} shown. "
        f"Layer {layer} is below.</p>"
        '<div class="xp-scroll" data-apart tabindex="0" role="region" aria-label="importance of every head">'
        f'<table class="xp-map xp-layers xp-heads">{head(blank, "layer")}<tbody>{lines}</tbody></table></div>'
    )

"""A method's card as HTML: idea, formula, meaning of the sign, limits, cost and paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..modalities import MODALITIES
from .cards import badge, card

if TYPE_CHECKING:
    from ..methods import Method

#: The fields of a card: the title of each, and its name in `Method.card`.
CARD_FIELDS = {
    "Formula": "formula",
    "Sign": "sign",
    "What it cannot show": "limits",
}


def method_cards_html(methods: Sequence[Method], chosen: Sequence[str] = ()) -> str:
    """Cards one below the other; those of the `chosen` keys are open."""
    return card("".join(card_html(one, one.key in chosen) for one in methods), "orange-blue")


def card_html(method: Method, is_open: bool = False) -> str:
    """One card, folded unless `is_open`."""
    return (
        f'<details class="xp-card" {"open" if is_open else ""}>'
        f"<summary><b>{escape(method.title)}</b> {badge(method.signed)}"
        f'<span class="xp-sub">{escape(method.card.idea)}</span></summary>'
        f"<dl>{parts_html(method)}{inputs_html(method)}{cost_html(method)}{paper_html(method)}"
        "</dl></details>"
    )


def parts_html(method: Method) -> str:
    """Formula, sign, limits and options; the options if there are any."""
    html = ""
    for title, name in CARD_FIELDS.items():
        text = getattr(method.card, name)
        if text:
            if title != "Formula":
                text = text[0].upper() + text[1:]
            html += f"<dt>{title}</dt><dd>{escape(text)}</dd>"
    if method.card.options:
        html += f"<dt>Options</dt><dd>{options_html(method)}</dd>"
    return html


def options_html(method: Method) -> str:
    """The options of a method as a list: name, default and what each does."""
    items = ""
    for line in method.card.options.splitlines():
        name, text = line.split(": ", 1)
        items += f"<li><b>{escape(name)}</b>: {escape(text)}</li>"
    return f'<ul class="xp-options">{items}</ul>'


def paper_html(method: Method) -> str:
    """Links to the papers of a method."""
    links = []
    for paper in method.citation.papers:
        links.append(
            f'<a href="{escape(paper.url)}" target="_blank" rel="noopener">{escape(paper.name)}</a>'
        )
    return f"<dt>Paper</dt><dd>{'; '.join(links)}</dd>"


def inputs_html(method: Method) -> str:
    """What the method is for, if not for texts and pictures alike, and why."""
    if not method.only:
        return ""
    inputs = MODALITIES[method.modalities[0]].inputs
    return f"<dt>Only for</dt><dd>{inputs}: {escape(method.only)}</dd>"


def cost_html(method: Method) -> str:
    """How many passes the method takes, and whether the map depends on the class."""
    maps = "one map for each class" if method.class_specific else "the same map for every class"
    return (
        f"<dt>Cost</dt><dd>{escape(method.passes)}: forward (F) and backward (B) passes, "
        f"n = tokens or patches, L = layers, M = masks; {maps}</dd>"
    )

"""A method's card: idea, formula, what its sign means, what it cannot show, cost and paper, all from its docstring."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from .card import card

if TYPE_CHECKING:
    from ..methods import Method

PARTS = (
    ("Formula", "formula"),
    ("Sign", "sign"),
    ("What it cannot show", "limits"),
    ("Options", "options"),
)


def fragment(methods: "Sequence[Method]", chosen: Sequence[str] = ()) -> str:
    """Cards one under another, those of the `chosen` keys open."""
    return card("".join(one(method, method.key in chosen) for method in methods), "orange-blue")


def one(method: "Method", opened: bool) -> str:
    badge = "signed" if method.signed else "unsigned"
    said = {title: getattr(method.card, name) for title, name in PARTS}
    parts = "".join(
        f"<dt>{title}</dt><dd>{escape(text if title == 'Formula' else text[0].upper() + text[1:])}</dd>"
        for title, text in said.items()
        if text
    )
    kind = (
        f"<dt>Only for</dt><dd>{'pictures' if method.tasks == ('image',) else 'texts'}: {escape(method.only)}</dd>"
        if method.only
        else ""
    )
    about = "one map for each class" if method.class_specific else "the same map for every class"
    return (
        f'<details class="xp-card" {"open" if opened else ""}><summary><b>{escape(method.title)}</b> '
        f'<span class="xp-badge {badge}">{badge}</span><span class="xp-sub">{escape(method.card.idea)}</span></summary>'
        f"<dl>{parts}{kind}<dt>Cost</dt><dd>{escape(method.passes)}: forward (F) and backward (B) passes, n = tokens or patches, "
        f"L = layers, M = masks; {about}</dd>"
        f'<dt>Paper</dt><dd><a href="{escape(method.url)}" target="_blank" rel="noopener">{escape(method.paper)}</a></dd></dl></details>'
    )

"""A model's prediction as HTML: labels, probabilities, and a bar."""

from collections.abc import Sequence
from html import escape

from ..numerals import with_minus
from .card import card
from .characters import visible

SHOWN = 5  # labels
LONG = 60  # characters of a label


def prediction_html(
    labels: Sequence[str], values: Sequence[float], kind: str, tie: str = ""
) -> str:
    """The labels, best first, with their probabilities; plain numbers where there are no classes.

    kind: "probability", "probability of each label by itself" or "value". tie: a sentence that
    names the labels as high as the best one, if there are any.
    """
    names = [escape(short_label(label)) for label in labels]
    if kind == "value":
        entries = [f"{name}: {with_minus(f'{value:.3f}')}" for name, value in zip(names, values)]
        opening, bar = '<div class="xp-said">', ""
    else:
        entries = [f"{name} {value:.1%}" for name, value in zip(names, values)]
        opening = '<div class="xp-said" role="status">'
        width = f"{100 * values[0]:.1f}%"
        bar = f'<span class="xp-bar" aria-hidden="true"><i style="width:{width}"></i></span>'
    rest = "".join(f"<span>{entry}</span>" for entry in entries[1:SHOWN])
    if len(labels) > SHOWN:
        rest += f"<span>and {len(labels) - SHOWN} more</span>"
    if "itself" in kind:
        rest += "<span>each label by itself</span>"
    note = f'<p class="xp-note">{escape(visible(tie))}</p>' if tie else ""
    html = f"{opening}<strong>{entries[0]}</strong>{bar}{rest}</div>{note}"
    return card(html, "orange-blue")


def short_label(label: str) -> str:
    """A label of at most LONG characters."""
    return visible(label if len(label) <= LONG else f"{label[:LONG]}…")

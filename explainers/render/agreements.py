"""How alike maps are, as two coloured tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cards import with_styles
from .trials import matrix_html

if TYPE_CHECKING:
    from ..evaluation.agreements import Agreement


def agreement_html(found: Agreement, palette: str, style: bool) -> str:
    """Both matrices of an agreement as static HTML.

    palette  of the colours
    style    whether the stylesheet is included
    """
    of = "this input" if found.inputs == 1 else f"{found.inputs} inputs (means)"
    names = found.titles or found.methods
    correlation = matrix_html(
        names,
        found.correlation.tolist(),
        "Do the maps agree?",
        f"Rank correlation between the maps of {of}: 1 is the same order of {found.parts}, "
        "0 is no relation. Maps that agree can still be wrong.",
        palette=palette,
    )
    overlap = matrix_html(
        names,
        found.overlap.tolist(),
        f"Do the same {found.parts} have the highest scores?",
        f"The share of the {found.top} highest {found.parts} that two maps of {of} have in "
        "common: 1 is all of them.",
        palette=palette,
    )
    return with_styles(f'<div class="xp-two">{correlation}{overlap}</div>', style)

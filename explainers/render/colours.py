"""How scores become colours: palettes, scales, and the class and opacity of one score."""

import math

from torch import Tensor

from ..token_scores import TokenScores

#: The palettes, with their names in a menu.
PALETTES = {
    "orange-blue": "orange towards, blue away",
    "green-red": "the paper's green and red",
    "red-blue": "SHAP's red and blue",
}

#: A score of this share of the largest |score| or more also carries its sign, + or −, so that
#: colour is not the only cue.
STRONG = 0.6


def largest(scores: Tensor) -> float:
    """The largest |score|; scores that are not finite count as zero."""
    if not scores.numel():
        return 0.0
    return float(scores.nan_to_num(0, 0, 0).abs().max())


def colour_class(score: float, signed: bool) -> str:
    """The CSS class of a score: "pos" or "neg"; "mag" if it is unsigned or zero."""
    if not signed or score == 0:
        return "mag"
    return "pos" if score > 0 else "neg"


def paint(heat: TokenScores, score: float, scale: float) -> tuple[str, float]:
    """The CSS classes and the opacity (0 to 1) of a score; "none" for one that is not finite.

    scale: the |score| that is drawn opaque.
    """
    if not math.isfinite(score):
        return "none", 0.0
    share = abs(score) / scale if scale else 0.0
    kind = colour_class(score, heat.signed)
    if heat.signed and share >= STRONG:
        kind += " strong"
    return kind, share


def strong_sign(heat: TokenScores, score: float, share: float) -> str:
    """The sign of a strong score, or nothing. share: of the largest |score|."""
    if not heat.signed or share < STRONG:
        return ""
    return "+" if score > 0 else "−"

"""Numbers as a person reads them: a minus sign, and no exponent where a few zeros will do."""

from decimal import Decimal

#: Magnitudes from here to there are written without an exponent.
SMALLEST, LARGEST = 1e-6, 1e6


def readable(value: float, digits: int = 3, signed: bool = False) -> str:
    """A number with so many significant digits: 0.72, −0.0000112, 1230, 1.2e−9.

    signed: with a plus sign, too.
    """
    text = f"{value:+.{digits}g}" if signed else f"{value:.{digits}g}"
    if "e" in text and SMALLEST <= abs(value) < LARGEST:
        sign = text[0] if text[0] in "+-" else ""
        text = sign + f"{Decimal(text.removeprefix(sign)):f}"
    return with_minus(text)


def with_minus(text: str) -> str:
    """A number with a minus sign instead of a hyphen."""
    return text.replace("-", "−")

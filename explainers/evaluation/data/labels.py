"""How a label of a table is read: as it is, or as stars."""

import re

from ...errors import Refusal

RULES = ("as is", "polarity")


def label_of(value, rule: str, fewest: int) -> str | int | None:
    """A label as the model is asked for it, its name or its index; None where there is none.

    rule    "as is" or "polarity"
    fewest  the fewest stars, 0 or 1

    Raises `Refusal` for the middle number of stars, and for what is not a number of stars.
    """
    if value is None or value == "":
        return None
    if rule == "polarity":
        return polarity(value, fewest)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value)


def polarity(value, fewest: int) -> str:
    """NEGATIVE or POSITIVE, from five numbers of stars that begin with the fewest."""
    number, middle = stars(value), fewest + 2
    if number is None or abs(number - middle) > 2:
        raise Refusal(
            f"the rule polarity reads stars ({fewest} to {fewest + 4}), "
            f"and its label is {str(value)[:40]!r}"
        )
    if number == middle:
        raise Refusal("three stars are neither negative nor positive")
    return "NEGATIVE" if number < middle else "POSITIVE"


def stars(value) -> int | None:
    """5, "5" or 5.0 as a number; None for what is not a number of stars."""
    found = re.fullmatch(r"(\d)(\.0*)?", str(value).strip())
    return int(found[1]) if found else None

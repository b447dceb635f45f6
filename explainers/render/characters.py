"""Labels and numbers as characters that can be seen and written."""

import math
import re
from unicodedata import bidirectional

from ..numerals import readable

NBSP = "\u00a0"

#: One emoji or arrow, with what is joined to it: a skin colour, a style sign, another one behind a
#: joiner; or a flag of two letters.
PICTURE = (
    "[\u2190-\u21ff\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
JOINED = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff]"
PICTOGRAM = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{PICTURE}{JOINED}*(?:\u200d{PICTURE}{JOINED}*)*"
)

#: Characters that no HTML or XML file may hold.
UNWRITABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def number(score: float, signed: bool = True) -> str:
    """A score with three digits, and with its sign if it has one."""
    if not math.isfinite(score):
        return "not a number"
    return readable(score, signed=signed)


def reads_from_right(text: str) -> bool:
    """Whether a text is read from the right: its first letter is."""
    for letter in text:
        if bidirectional(letter) in ("L", "R", "AL"):
            return bidirectional(letter) != "L"
    return False


def isolated(text: str) -> str:
    """A text that leaves the order of what stands beside it alone, also if it is Hebrew or Arabic.

    Without the marks around it a minus sign behind it would stand on the other side of its number.
    """
    if any(bidirectional(letter) in ("R", "AL") for letter in text):
        return f"\u2068{text}\u2069"
    return text


def visible(label: str) -> str:
    """A label that can be seen and written to any file.

    Control characters become their pictures (␉), what no file may hold becomes �, and an empty
    label and the spaces around a label become ␣.
    """
    characters = [visible_character(one) for one in label]
    seen = "".join(characters)
    inner = seen.strip(" ")
    if not inner:
        return "␣" * max(1, len(seen))
    before = len(seen) - len(seen.lstrip(" "))
    after = len(seen) - len(seen.rstrip(" "))
    return "␣" * before + inner + "␣" * after


def visible_character(character: str) -> str:
    if ord(character) < 32:
        return chr(0x2400 + ord(character))
    return "�" if UNWRITABLE.match(character) else character

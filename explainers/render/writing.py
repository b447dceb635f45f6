"""Words in pictures: every character by a font that has it, so that none becomes an empty box
unnoticed.

The font that comes along knows Latin, Greek, Cyrillic, Arabic, Hebrew, arrows and signs such as
×. What it lacks is drawn with a font of the
computer that has it; what no font here has is an empty box, and `boxes` says so.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from unicodedata import bidirectional

from PIL import Image, ImageDraw, ImageFont, features

from .card import PICTOGRAM

BUNDLED = str(Path(__file__).parent / "fonts" / "DejaVuSans.ttf")
#: Fonts of Linux, macOS and Windows with scripts that the bundled one lacks, looked for by their
#: files' names.
OTHERS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "msyh.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "Nirmala.ttf",
    "Arial Unicode.ttf",
)
#: Fonts of emoji in colour. Some are pixels, of one size alone.
EMOJI = {"NotoColorEmoji.ttf": 109, "Apple Color Emoji.ttc": 160, "seguiemj.ttf": 96}
LINE = 1.3  # height of a line, in sizes of its font
#: Where Pillow can order letters of both directions, it begins on the left.
ORDER = {"direction": "ltr"} if features.check("raqm") else {}
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f]")
BY_PIECE = re.compile(f"{PICTOGRAM.pattern}|.", re.DOTALL)


@lru_cache(maxsize=64)
def font_of(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font by the name of its file, or None where it is not installed."""
    try:
        return ImageFont.truetype(name, EMOJI.get(name, size))
    except OSError:
        return None


@lru_cache(maxsize=4096)
def has(name: str, piece: str) -> bool:
    """Whether a font draws this character with something of its own, not with the box that stands
    for whatever it lacks.
    """
    font = font_of(name, 24)
    if font is None:
        return False
    drawn, box = font.getmask(piece[0]), font.getmask("\U0010ffff")
    return (drawn.size, bytes(drawn)) != (box.size, bytes(box))


@lru_cache(maxsize=4096)
def font_for(piece: str) -> str:
    """The name of the font for one character or pictogram; "" for what no font here has."""
    if UNSEEN.fullmatch(piece):
        return BUNDLED
    first = tuple(EMOJI) if PICTOGRAM.fullmatch(piece) else ()
    return next((name for name in (*first, BUNDLED, *OTHERS) if has(name, piece)), "")


def runs(text: str) -> list[tuple[str, str]]:
    """A text as (name of a font, what it draws)."""
    pieces = BY_PIECE.findall(text)
    return [(name, "".join(several)) for name, several in groupby(pieces, font_for)]


def boxes(texts: Sequence[str]) -> str:
    """The characters that no font here has, once each."""
    return "".join(
        dict.fromkeys(
            piece for text in texts for piece in BY_PIECE.findall(text) if not font_for(piece)
        )
    )


def said_of_boxes(lacking: str) -> str:
    return f"□: no font of this computer has {len(lacking)} of the characters; the .svg and the .html have them"


@lru_cache(maxsize=4096)
def length(text: str, size: int) -> float:
    """How many pixels a text takes."""
    return sum(run_length(name, run, size) for name, run in runs(text))


def run_length(name: str, run: str, size: int) -> float:
    font = font_of(name or BUNDLED, size)
    return font.getlength(run, **ORDER) * (size * 1.15 / EMOJI[name] if name in EMOJI else 1)


def fitted(text: str, width: float, size: int) -> str:
    """A text cut to a width in pixels."""
    while text and length(text, size) > width:
        text = text.rstrip("…")[:-1].rstrip() + "…" if len(text) > 1 else ""
    return text


def wrapped(text: str, width: float, size: int) -> list[str]:
    """A text in lines of at most this width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, width, size) for line in lines]


def from_the_right(text: str) -> bool:
    """Whether a text is read from the right: its first letter is."""
    directions = (bidirectional(letter) for letter in text)
    return next((one for one in directions if one in ("L", "R", "AL")), "L") != "L"


def written(text: str, size: int, ink: str) -> Image.Image:
    """A line of text on nothing, `LINE` sizes high; its letters stand at 1.0 size."""
    line = Image.new(
        "RGBA", (max(1, round(length(text, size)) + 1), round(LINE * size)), (0, 0, 0, 0)
    )
    x = 0.0
    for name, run in runs(text):
        wide = run_length(name, run, size)
        if name in EMOJI:
            line.alpha_composite(emoji(name, run, round(wide), size), (round(x), 0))
        else:
            ImageDraw.Draw(line).text(
                (x, size), run, ink, font_of(name or BUNDLED, size), anchor="ls", **ORDER
            )
        x += wide
    return line


def emoji(name: str, run: str, width: int, size: int) -> Image.Image:
    """Emoji in colour, made as large as letters of this size."""
    font, high = font_of(name, size), round(1.2 * EMOJI[name])
    large = Image.new("RGBA", (max(1, round(font.getlength(run))), high), (0, 0, 0, 0))
    ImageDraw.Draw(large).text(
        (0, high * 0.82), run, "black", font, anchor="ls", embedded_color=True
    )
    return large.resize((max(1, width), round(size * 1.2)), Image.Resampling.LANCZOS)

"""Text in pictures: each character in a font that has it.

The bundled font has Latin, Greek, Cyrillic, Arabic, Hebrew, arrows and signs such as ×. Other
characters are drawn in a font of the computer that has them. A character that no font here has
becomes an empty box, and `missing_characters` lists it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from .characters import PICTOGRAM

BUNDLED = str(Path(__file__).parent / "fonts" / "DejaVuSans.ttf")
#: Fonts of Linux, macOS and Windows with scripts that the bundled one lacks, by their files' names.
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
#: Fonts of emoji in colour. Some have pixels of one size alone.
EMOJI = {"NotoColorEmoji.ttf": 109, "Apple Color Emoji.ttc": 160, "seguiemj.ttf": 96}
LINE = 1.3  # height of a line, in sizes of its font
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f]")
BY_PIECE = re.compile(f"{PICTOGRAM.pattern}|.", re.DOTALL)
#: With the library raqm, Pillow orders letters of both directions, and lines begin on the left.
DIRECTION = "ltr" if features.check("raqm") else None


@lru_cache(maxsize=64)
def find_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font by the name of its file, or None where it is not installed."""
    try:
        return ImageFont.truetype(name, EMOJI.get(name, size))
    except OSError:
        return None


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font by the name of its file; the bundled one for "" and for what is not installed."""
    found = find_font(name or BUNDLED, size)
    return found or ImageFont.truetype(BUNDLED, size)


@lru_cache(maxsize=4096)
def has_character(name: str, piece: str) -> bool:
    """Whether a font draws this character, and not the box for characters that it lacks."""
    found = find_font(name, 24)
    if found is None:
        return False
    return glyph(found, piece[0]) != glyph(found, "\U0010ffff")


def glyph(found: ImageFont.FreeTypeFont, character: str) -> bytes:
    """The pixels of one character."""
    image = Image.new("L", (256, 256))
    ImageDraw.Draw(image).text((64, 64), character, 255, found)
    return image.tobytes()


@lru_cache(maxsize=4096)
def font_for(piece: str) -> str:
    """The name of the font for one character or pictogram; "" if no font here has it."""
    if UNSEEN.fullmatch(piece):
        return BUNDLED
    names = (BUNDLED, *OTHERS)
    if PICTOGRAM.fullmatch(piece):
        names = (*EMOJI, *names)
    for name in names:
        if has_character(name, piece):
            return name
    return ""


def by_font(text: str) -> list[tuple[str, str]]:
    """A text in runs: (name of the font, the characters that it draws)."""
    pieces = BY_PIECE.findall(text)
    return [(name, "".join(run)) for name, run in groupby(pieces, font_for)]


def missing_characters(texts: Sequence[str]) -> str:
    """The characters that no font here has, once each."""
    missing: dict[str, None] = {}
    for text in texts:
        for piece in BY_PIECE.findall(text):
            if not font_for(piece):
                missing[piece] = None
    return "".join(missing)


def missing_note(characters: str) -> str:
    """A sentence about the characters that became boxes."""
    return (
        f"□: no font of this computer has {len(characters)} of the characters; "
        "the .svg and the .html have them"
    )


@lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> float:
    """The width of a text in pixels."""
    return sum(run_width(name, run, size) for name, run in by_font(text))


def run_width(name: str, run: str, size: int) -> float:
    """The width in pixels of characters of one font."""
    width = font(name, size).getlength(run, direction=DIRECTION)
    if name in EMOJI:
        width *= size * 1.15 / EMOJI[name]
    return width


def fitted(text: str, width: float, size: int) -> str:
    """A text cut to a width in pixels; "…" stands for the rest."""
    while text and text_width(text, size) > width:
        if len(text) == 1:
            return ""
        text = text.rstrip("…")[:-1].rstrip() + "…"
    return text


def wrapped(text: str, width: float, size: int) -> list[str]:
    """A text in lines of at most this width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, width, size) for line in lines]


def text_image(text: str, size: int, ink: str) -> Image.Image:
    """A line of text on a transparent ground, `LINE` sizes high; its baseline is at 1.0 size."""
    width = max(1, round(text_width(text, size)) + 1)
    line = Image.new("RGBA", (width, round(LINE * size)), (0, 0, 0, 0))
    x = 0.0
    for name, run in by_font(text):
        wide = run_width(name, run, size)
        if name in EMOJI:
            line.alpha_composite(emoji_image(name, run, round(wide), size), (round(x), 0))
        else:
            draw = ImageDraw.Draw(line)
            one = font(name, size)
            draw.text((x, size), run, ink, one, anchor="ls", direction=DIRECTION)
        x += wide
    return line


def emoji_image(name: str, run: str, width: int, size: int) -> Image.Image:
    """Emoji in colour, as large as letters of this size."""
    one, height = font(name, size), round(1.2 * EMOJI[name])
    large = Image.new("RGBA", (max(1, round(one.getlength(run))), height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(large)
    draw.text((0, height * 0.82), run, "black", one, anchor="ls", embedded_color=True)
    return large.resize((max(1, width), round(size * 1.2)), Image.Resampling.LANCZOS)

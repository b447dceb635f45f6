"""Maps of texts as figures for slides and papers: SVG, and PNG from the same layout."""

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image, ImageColor, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ..heatmap import Heatmap
from .card import largest, paint, visible
from .tokens import COLUMNS, cut, view

#: Light colours of the default palette, for files that have no stylesheet.
COLOURS = {"pos": "#fb923c", "neg": "#60a5fa", "mag": "#a8a29e", "none": "#fff"}
INK, PALE, EDGE = "#1c1b1a", "#5c5853", "#e4e0da"
CELL = 30           # pixels of a figure's cell, each side


@dataclass(frozen=True)
class Figure:
    """Rows of methods (or, of one method, its layers and totals) over the same words, laid out in pixels.

    lines    (name, heatmap, scores [token], the largest |score| that its colours go by)
    left     where the cells begin: on the right of the names; top: below the words, which are written upwards
    caption  colours in words, and the model
    """

    words: Heatmap
    lines: list[tuple[str, Heatmap, Tensor, float]]
    left: float
    top: float
    width: float
    height: float
    caption: str


def figure(heats: Sequence[Heatmap], length: Callable[[str], float]) -> Figure:
    """The figure of `heats`; length: how many pixels a piece of writing takes."""
    shown = [view(heat) for heat in heats]
    first = shown[0]
    lines = [(visible(heat.title), heat, heat.scores, largest(heat.scores)) for heat in shown]
    if len(shown) == 1 and first.rows is not None:
        scale = largest(first.rows)
        lines = [(visible(name), first, scores, scale) for name, scores in zip(first.row_labels, first.rows)]
        lines += [(name, first, scores, largest(scores)) for name, scores in (first.totals or {visible(first.title): first.scores}).items()]
    signed = next((heat for heat in shown if heat.signed), None)
    words = f"blue: {signed.poles[0]} · orange: {signed.poles[1]}" if signed else "darker: more (how much, not which way)"
    if first.halves:
        words += f" · {first.halves[0]} | {first.halves[1]}"
    if first.pending:
        words += f" · next token: {first.pending!r}"
    caption = visible(f"{words} · {first.model}")[:300]
    left = 16 + max(length(line[0]) for line in lines)
    top = 16 + max([length(short(label)) for label in first.labels], default=0)
    width = max(left + CELL * len(first) + 16, 32 + length(caption))
    return Figure(first, lines, left, top, width, top + CELL * len(lines) + 44, caption)


def short(label: str) -> str:
    return visible(label)[:20]


def svg(heats: Sequence[Heatmap], origin: dict) -> str:
    """The figure as SVG, with where it comes from inside."""
    laid = figure(heats, lambda words: 7.4 * len(words))
    first, left, top = laid.words, laid.left, laid.top
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {laid.width:.0f} {laid.height:.0f}" width="{laid.width:.0f}" '
           f'height="{laid.height:.0f}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
           f"<title>{escape(visible(first.title))}: {escape(visible(first.target))}</title>",
           f"<desc>{escape(json.dumps(origin))}</desc>",
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, label in enumerate(first.labels):
        x = left + CELL * (i + 0.5)
        if cut(first, i):
            out.append(f'<path d="M{left + CELL * i:.0f} 16V{top + CELL * len(laid.lines):.0f}" stroke="{PALE}" stroke-width="2"/>')
        if first.is_marked(i):
            out.append(f'<path d="M{left + CELL * i + 2:.0f} {top - 2:.0f}h{CELL - 4}" stroke="{INK}" stroke-width="2"/>')
        out.append(f'<text transform="translate({x + 4:.0f} {top - 6:.0f}) rotate(-90)">{escape(short(label))}</text>')
    for k, (name, heat, scores, scale) in enumerate(laid.lines):
        y = top + CELL * k
        out.append(f'<text x="{left - 8:.0f}" y="{y + CELL * 0.65:.0f}" text-anchor="end">{escape(name)}</text>')
        for i, score in enumerate(scores.tolist()):
            kind, share = paint(heat, score, scale)
            out.append(f'<rect x="{left + CELL * i + 1:.0f}" y="{y + 1:.0f}" width="{CELL - 2}" height="{CELL - 2}" rx="4" '
                       f'fill="{COLOURS[kind.split()[0]]}" fill-opacity="{share:.3f}" stroke="{EDGE}">'
                       f"<title>{escape(visible(heat.labels[i]))}: {escape(visible(heat.in_words(score)))}</title></rect>")
    out.append(f'<text x="16" y="{laid.height - 14:.0f}" fill="{PALE}">{escape(laid.caption)}</text></svg>')
    return "\n".join(out)


def png(heats: Sequence[Heatmap], origin: dict) -> bytes:
    """The same figure as pixels, two to each of the drawing's unless the text is long. Title and Description are in the file."""
    sharp = 2 if len(heats[0]) <= 4 * COLUMNS else 1
    try:
        font = ImageFont.truetype("DejaVuSans.ttf", 12 * sharp)     # knows more scripts than the one that Pillow brings along
    except OSError:
        font = ImageFont.load_default(13 * sharp)
    laid = figure(heats, lambda words: font.getlength(words) / sharp + 8)
    first, left, top = laid.words, laid.left * sharp, laid.top * sharp
    cell, bottom = CELL * sharp, (laid.top + CELL * len(laid.lines)) * sharp
    image = Image.new("RGB", (math.ceil(laid.width * sharp), math.ceil(laid.height * sharp)), "#fff")
    draw = ImageDraw.Draw(image)
    for i, label in enumerate(first.labels):
        x = left + cell * i
        if cut(first, i):
            draw.line((x, 16 * sharp, x, bottom), PALE, 2 * sharp)
        if first.is_marked(i):
            draw.line((x + 2 * sharp, top - 2 * sharp, x + cell - 2 * sharp, top - 2 * sharp), INK, 2 * sharp)
        upright = Image.new("L", (math.ceil(font.getlength(short(label))) + 1, cell))
        ImageDraw.Draw(upright).text((0, cell / 2), short(label), 255, font, anchor="lm")
        image.paste(INK, (round(x), round(top - 6 * sharp - upright.width)), upright.rotate(90, expand=True))
    for k, (name, heat, scores, scale) in enumerate(laid.lines):
        y = top + cell * k
        draw.text((left - 8 * sharp, y + cell / 2), name, INK, font, anchor="rm")
        for i, score in enumerate(scores.tolist()):
            kind, share = paint(heat, score, scale)
            colour = tuple(round(255 + share * (part - 255)) for part in ImageColor.getrgb(COLOURS[kind.split()[0]]))       # over white
            draw.rounded_rectangle((left + cell * i + sharp, y + sharp, left + cell * (i + 1) - sharp, y + cell - sharp), 4 * sharp, colour, EDGE, sharp)
    draw.text((16 * sharp, (laid.height - 18) * sharp), laid.caption, PALE, font, anchor="lm")
    said = PngInfo()
    said.add_itxt("Title", visible(f"{first.title}: {first.target}"))
    said.add_itxt("Description", json.dumps(origin))
    image.save(out := io.BytesIO(), "PNG", pnginfo=said)
    return out.getvalue()

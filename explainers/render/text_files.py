"""Maps of texts as figures for slides and papers: one layout, drawn as SVG and as PNG."""

import json
from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image, ImageColor, ImageDraw

from ..ties import ranked
from ..token_scores import TokenScores
from .characters import number, visible
from .lettering import text_image
from .text_layout import INK, SIZE, Figure, Part, Row, Rule, Square, Words, text_figure
from .tokens import COLUMNS

#: Light colours of the default palette, for files that have no stylesheet.
COLOURS = {"pos": "#fb923c", "neg": "#60a5fa", "mag": "#a8a29e", "none": "#fff"}
EDGE = "#e4e0da"

# -------------------------------------------------------------------------------------------- SVG


def text_svg(
    heats: Sequence[TokenScores], origin: Mapping, about: Mapping[str, str] | None = None
) -> str:
    """The figure as SVG. origin: where the numbers come from, for the file's metadata.

    about: as in `text_figure`.
    """
    figure = text_figure(heats, about)
    first = figure.tokens
    size = f"{figure.width:.0f} {figure.y:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
        f'width="{figure.width:.0f}" height="{figure.y:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="{SIZE}" fill="{INK}">',
        f"<title>{escape(visible(first.title))}: {escape(visible(first.target))}</title>",
        f"<desc>{escape(describe_figure(figure))}</desc>",
        f"<metadata>{escape(json.dumps(origin))}</metadata>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    lines += [part_svg(part) for part in figure.parts]
    return "\n".join([*lines, "</svg>"])


def describe_figure(figure: Figure) -> str:
    """The figure for readers who do not see it: its subject, and each row's strongest words."""
    first = figure.tokens
    model = f" of the model {first.model}" if first.model else ""
    sentences = [f"{first.title} for {first.target}{model}."]
    for row in figure.rows:
        sentences.append(f"{row.name}: {', '.join(strongest_words(row))}.")
    return visible(" ".join(sentences))


def strongest_words(row: Row) -> list[str]:
    """The three words of the largest |score|, with their scores."""
    places = ranked(row.scores.nan_to_num(0, 0, 0).abs())[:3].tolist()
    words = []
    for i in places:
        words.append(f"{row.heat.labels[i]} {number(float(row.scores[i]), row.heat.signed)}")
    return words


def part_svg(part: Part) -> str:
    """One square, line of text or rule as SVG."""
    if isinstance(part, Rule):
        return (
            f'<path d="M{part.x:.0f} {part.y:.0f}L{part.to_x:.0f} {part.to_y:.0f}" '
            f'stroke="{part.ink}" stroke-width="2"/>'
        )
    if isinstance(part, Square):
        edge = f' stroke="{EDGE}"' if part.edged else ""
        title = f"<title>{escape(part.title)}</title>" if part.title else ""
        return (
            f'<rect x="{part.x:.1f}" y="{part.y:.1f}" width="{part.width:.1f}" '
            f'height="{part.height:.1f}" rx="4" fill="{COLOURS[part.kind]}" '
            f'fill-opacity="{part.share:.3f}"{edge}>{title}</rect>'
        )
    return words_svg(part)


def words_svg(words: Words) -> str:
    """A line of text as SVG; what is usual is left out."""
    place = f'x="{words.x:.1f}" y="{words.y:.1f}"'
    if words.upwards:
        place = f'transform="translate({words.x:.1f} {words.y:.1f}) rotate(-90)"'
    if words.size != SIZE:
        place += f' font-size="{words.size}"'
    if words.ink != INK:
        place += f' fill="{words.ink}"'
    if words.anchor != "start":
        place += f' text-anchor="{words.anchor}"'
    return f"<text {place}>{escape(words.text)}</text>"


# -------------------------------------------------------------------------------------------- PNG


def text_image_of(
    heats: Sequence[TokenScores], about: Mapping[str, str] | None = None
) -> Image.Image:
    """The figure as pixels: two for each of the layout's, or one if the text is long."""
    sharp = 2 if len(heats[0]) <= 4 * COLUMNS else 1
    figure = text_figure(heats, about, name_missing=True)
    size = (round(figure.width * sharp), round(figure.y * sharp))
    sheet = Image.new("RGB", size, "#fff")
    for part in figure.parts:
        draw_part(sheet, part, sharp)
    return sheet


def draw_part(sheet: Image.Image, part: Part, sharp: int) -> None:
    """Draw one square, line of text or rule. sharp: pixels for each of the layout's."""
    draw = ImageDraw.Draw(sheet)
    if isinstance(part, Rule):
        ends = (part.x, part.y, part.to_x, part.to_y)
        draw.line([round(sharp * end) for end in ends], part.ink, 2 * sharp)
    elif isinstance(part, Square):
        box = (part.x, part.y, part.x + part.width, part.y + part.height)
        corners = [round(sharp * edge) for edge in box]
        edge, width = (EDGE, sharp) if part.edged else (None, 1)
        draw.rounded_rectangle(corners, 4 * sharp, over_white(part), edge, width)
    else:
        draw_words(sheet, part, sharp)


def over_white(square: Square) -> tuple[int, ...]:
    """The colour of a square on white paper."""
    colour = ImageColor.getrgb(COLOURS[square.kind])
    return tuple(round(255 + square.share * (part - 255)) for part in colour)


def draw_words(sheet: Image.Image, words: Words, sharp: int) -> None:
    size = words.size * sharp
    line = text_image(words.text, size, words.ink)
    x, y = round(words.x * sharp), round(words.y * sharp)
    if words.upwards:
        line = line.rotate(90, expand=True)
        sheet.paste(line, (x - size, y - line.height), line)
        return
    before = {"start": 0, "middle": line.width // 2, "end": line.width}[words.anchor]
    sheet.paste(line, (x - before, y - size), line)

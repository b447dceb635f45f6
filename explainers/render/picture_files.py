"""Maps of pictures as figures for slides and papers: SVG, and PNG in the picture's resolution."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..numerals import readable
from ..ties import place_of_largest
from ..token_scores import TokenScores
from .card import with_unique_titles
from .characters import visible
from .colours import largest, paint
from .figure_words import captions, colour_meanings
from .lettering import fitted, missing_characters, missing_note, text_image, text_width, wrapped
from .look import OPACITY, SIDE
from .overlay import COLOURS, MUCH, Colour, blended, enlarged, grey, jpeg
from .photo_maps import place, sign_path, strong_patches

PALETTE = "orange-blue"
ACROSS = 5  # maps beside each other, at most
TILE = 220  # width of a map in an SVG
SMALLEST = 320  # a narrower photo is enlarged in a PNG, so that words fit under it
INK, FAINT_INK = "#1c1b1a", "#5c5853"

#: The colours of positive, negative and unsigned scores.
INKS: dict[str, Colour] = {"pos": COLOURS[PALETTE][0], "neg": COLOURS[PALETTE][1], "mag": MUCH}


@dataclass(frozen=True, eq=False)
class Panel:
    """One map of a figure.

    scores   [row column]
    scale    the largest |score| that its colours go by
    """

    name: str
    heat: TokenScores
    scores: Tensor
    scale: float


def panels_of(heats: Sequence[TokenScores]) -> list[Panel]:
    """What is drawn: each map; of a single map with layers, the layers and the totals."""
    first = heats[0]
    if len(heats) > 1 or first.rows is None:
        return [panel(heat.title, heat, heat.patches) for heat in heats]
    scale = largest(first.on_grid(first.rows))
    panels = []
    for name, scores in zip(first.row_labels, first.rows):
        panels.append(Panel(name, first, first.on_grid(scores), scale))
    totals = first.totals or {first.title: first.scores}
    return panels + [panel(name, first, first.on_grid(total)) for name, total in totals.items()]


def panel(name: str, heat: TokenScores, scores: Tensor) -> Panel:
    """A map on its own scale."""
    return Panel(name, heat, scores, largest(scores))


def columns_for(count: int) -> int:
    """How many of `count` maps stand in a row, so that the last row is not left with one."""
    rows = math.ceil(count / ACROSS)
    return math.ceil(count / rows)


def photo_of(heat: TokenScores) -> Image.Image:
    """The picture; a light grey field for a map that came without one."""
    if heat.picture:
        return heat.picture.convert("RGB")
    rows, columns = heat.patch_grid
    return Image.new("RGB", (32 * columns, 32 * rows), "#e4e0da")


# -------------------------------------------------------------------------------------------- SVG


def picture_svg(
    heats: Sequence[TokenScores], origin: Mapping, about: Mapping[str, str] | None = None
) -> str:
    """The picture, and every map of it as rectangles over the grey photo, as SVG.

    The photo is in the file once. origin: where the numbers come from, for the file's metadata.
    about: further lines below the maps, by name, such as the prediction or a link.
    """
    first, panels = heats[0], panels_of(with_unique_titles(heats))
    photo = photo_of(first)
    height = TILE * photo.height / photo.width
    step_x, step_y = TILE + 16, height + 44
    across = columns_for(len(panels) + 1)
    down = math.ceil((len(panels) + 1) / across)
    room = 16 + step_x * across
    below = []
    for caption in captions(heats, about):
        below += wrapped(caption, room - 32, 13)
    meanings = colour_meanings(heats)
    width = max(room, *(54 + text_width(words, 13) for _, words in meanings))
    total = 16 + step_y * down + 24 * len(meanings) + 20 * len(below) + 10
    # figures of two pictures may stand in one document
    key = f"{zlib.crc32(photo.tobytes()):08x}"
    title = f"{escape(visible(first.title))}: {escape(visible(first.target))}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {total:.0f}" '
        f'width="{width:.0f}" height="{total:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        f"<title>{title}</title><desc>{escape(in_words(panels))}</desc>",
        f"<metadata>{escape(json.dumps(origin))}</metadata>",
        f"<defs>{photo_images(photo, height, key)}</defs>"
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    tiles = [("The picture", f'<use href="#photo-{key}"/>')]
    tiles += [(one.name, svg_map(one, height, key)) for one in panels]
    for k, (name, inside) in enumerate(tiles):
        x, y = 16 + step_x * (k % across), 16 + step_y * (k // across)
        lines.append(
            f'<g transform="translate({x:.2f} {y:.2f})">'
            f'<text y="12" font-weight="600">{escape(visible(name))}</text>'
            f'<g transform="translate(0 20)">{inside}</g></g>'
        )
    return "\n".join([*lines, *svg_lines(meanings, below, 16 + step_y * down), "</svg>"])


def photo_images(photo: Image.Image, height: float, key: str) -> str:
    """The photo in its colours and in grey, to be used by name."""
    images = {"photo": photo, "grey": Image.fromarray(grey(np.asarray(photo)))}
    return "".join(
        f'<image id="{name}-{key}" width="{TILE}" height="{height:.2f}" '
        f'preserveAspectRatio="none" href="{jpeg(image, SIDE)}"/>'
        for name, image in images.items()
    )


def svg_lines(meanings: Sequence[tuple[str, str]], below: Sequence[str], y: float) -> list[str]:
    """The meaning of the colours, then the captions, from y downwards."""
    lines = []
    for kind, words in meanings:
        lines.append(
            f'<rect x="16" y="{y:.0f}" width="14" height="14" rx="3" fill="rgb{INKS[kind]}"/>'
            f'<text x="38" y="{y + 12:.0f}">{escape(words)}</text>'
        )
        y += 24
    for line in below:
        lines.append(f'<text x="16" y="{y + 12:.0f}" fill="{FAINT_INK}">{escape(line)}</text>')
        y += 20
    return lines


def in_words(panels: Sequence[Panel]) -> str:
    """Where each map is strongest, for readers who do not see the figure."""
    sentences = []
    for one in panels:
        flat = one.scores.nan_to_num(0, 0, 0).flatten()
        most = place_of_largest(flat.abs())
        sentence = f"{one.name}: zero everywhere."
        if one.scale:
            score = one.heat.in_words(float(flat[most]))
            sentence = f"{one.name}: most at {place(one.heat, most)}, {score}."
        sentences.append(sentence)
    return visible(" ".join(sentences))


def svg_map(one: Panel, height: float, key: str) -> str:
    """One map in units of patches, over the grey photo `key`."""
    heat = one.heat
    rows, columns = heat.patch_grid
    out = [
        f'<use href="#grey-{key}"/>'
        f'<g transform="scale({TILE / columns:.5f} {height / rows:.5f})">'
        f'<g opacity="{OPACITY}" shape-rendering="crispEdges">'
    ]
    for i, score in enumerate(one.scores.flatten().tolist()):
        kind, share = paint(heat, score, one.scale)
        colour = INKS.get(kind.split()[0], MUCH)
        out.append(
            f'<rect x="{i % columns}" y="{i // columns}" width="1" height="1" '
            f'fill="rgb{colour}" fill-opacity="{share:.3f}">'
            f"<title>{place(heat, i)}: {escape(visible(heat.in_words(score)))}</title></rect>"
        )
    out.append("</g>")
    if heat.signed:
        path = sign_path(heat, one.scores, one.scale)
        out.append(f'<path d="{path}" fill="none" stroke="#fff" stroke-width=".1"/>')
    out.append("</g>")
    return "".join(out)


# -------------------------------------------------------------------------------------------- PNG


@dataclass(frozen=True)
class Tile:
    """One picture of a PNG, with the words above and below it."""

    name: str
    image: Image.Image
    below: str = ""


def picture_image(
    heats: Sequence[TokenScores], about: Mapping[str, str] | None = None
) -> Image.Image:
    """The picture, and every map of it blended into the grey photo at full resolution.

    about: as in `picture_svg`.
    """
    heats = with_unique_titles(heats)
    photo = large_enough(photo_of(heats[0]))
    pad, size = round(photo.width * 0.05), round(photo.width * 0.055)
    tiles = [Tile("The picture", photo)]
    for heat in heats:
        below = f"largest |score| {readable(largest(heat.patches), 2)}"
        tiles.append(Tile(visible(heat.title), blended_map(heat, photo), below))
    across = columns_for(len(tiles))
    step_x, step_y = photo.width + pad, photo.height + 3 * size + pad
    width = pad + step_x * across
    lines = caption_lines(heats, about, width - 2 * pad - 2 * size, size)
    words = [*(tile.name for tile in tiles), *(text for _, text in lines)]
    if missing := missing_characters(words):
        lines.append((None, missing_note(missing)))
    step = round(1.6 * size)
    foot = round(1.6 * size * len(lines)) + pad // 2
    height = pad + step_y * math.ceil(len(tiles) / across) + foot
    sheet = Image.new("RGB", (width, height), "white")
    for k, tile in enumerate(tiles):
        x, y = pad + step_x * (k % across), pad + step_y * (k // across)
        put_text(sheet, (x, y), fitted(tile.name, photo.width, size), size, INK)
        sheet.paste(tile.image, (x, y + round(1.5 * size)))
        at = (x, y + photo.height + round(1.7 * size))
        put_text(sheet, at, tile.below, round(0.8 * size), FAINT_INK)
    y = height - foot
    for colour, text in lines:
        left = pad
        if colour:
            box = (pad, y + size * 0.15, pad + size, y + size * 1.15)
            ImageDraw.Draw(sheet).rounded_rectangle(box, size // 5, colour)
            left += round(1.5 * size)
        put_text(sheet, (left, y), fitted(text, width - 2 * pad, size), size, INK)
        y += step
    return sheet


def large_enough(photo: Image.Image) -> Image.Image:
    """The photo, enlarged if words would not fit under it."""
    if photo.width >= SMALLEST:
        return photo
    size = (SMALLEST, round(SMALLEST * photo.height / photo.width))
    return photo.resize(size, Image.Resampling.LANCZOS)


def caption_lines(
    heats: Sequence[TokenScores], about: Mapping[str, str] | None, width: float, size: int
) -> list[tuple[Colour | None, str]]:
    """The lines below the maps: (colour that it explains, or None; text)."""
    lines: list[tuple[Colour | None, str]] = []
    for kind, words in colour_meanings(heats):
        lines += [(INKS[kind], line) for line in wrapped(words, width, size)]
    for caption in captions(heats, about):
        lines += [(None, line) for line in wrapped(caption, width, size)]
    return lines


def blended_map(heat: TokenScores, photo: Image.Image) -> Image.Image:
    """A map over the grey photo, with the signs of its strong patches."""
    pixels = blended(
        grey(np.asarray(photo)),
        enlarged(heat.patches, photo.height, photo.width),
        largest(heat.patches),
        heat.signed,
        PALETTE,
        OPACITY,
    )
    image = Image.fromarray(pixels)
    if heat.signed:
        draw_signs(heat, image)
    return image


def put_text(sheet: Image.Image, at: tuple[int, int], text: str, size: int, ink: str) -> None:
    line = text_image(text, size, ink)
    sheet.paste(line, at, line)


def draw_signs(heat: TokenScores, image: Image.Image) -> None:
    """Draw a plus or a minus on the strong patches."""
    rows, columns = heat.patch_grid
    draw, wide, high = ImageDraw.Draw(image), image.width / columns, image.height / rows
    thick, arm = max(1, round(wide / 10)), 0.18 * min(wide, high)
    for row, column, is_plus in strong_patches(heat, heat.patches, largest(heat.patches)):
        x, y = wide * (column + 0.5), high * (row + 0.5)
        draw.line((x - arm, y, x + arm, y), "white", thick)
        if is_plus:
            draw.line((x, y - arm, x, y + arm), "white", thick)

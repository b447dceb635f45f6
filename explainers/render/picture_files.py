"""Maps of pictures as figures for slides and papers: SVG, and PNG blended at the picture's own resolution."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..ties import place_of_largest
from ..token_scores import TokenScores
from .card import largest, paint, told_apart, visible
from .overlay import COLOURS, MUCH, blended, enlarged, grey, jpeg
from .patches import OPACITY, SIDE, place, sign_path, strong
from .writing import boxes, fitted, length, said_of_boxes, wrapped, written

PALETTE = "orange-blue"
ACROSS = 5  # maps beside each other, at most
TILE = 220  # width of a map in an SVG
SMALLEST = 320  # a photo narrower than this is enlarged in a PNG, so that words fit under it
INK, FAINT_INK = "#1c1b1a", "#5c5853"


def lines(heats: Sequence[TokenScores]) -> list[tuple[str, TokenScores, Tensor, float]]:
    """What is drawn: name, heatmap, scores [rows columns] and scale. Of one method with layers these, and what is made of them."""
    told = told_apart(heats)
    if len(told) > 1 or told[0].rows is None:
        return [(heat.title, heat, heat.patches, largest(heat.patches)) for heat in told]
    heat, scale = told[0], largest(told[0].on_grid(told[0].rows))
    drawn = [
        (name, heat, heat.on_grid(scores), scale)
        for name, scores in zip(heat.row_labels, heat.rows)
    ]
    totals = {
        name: heat.on_grid(scores)
        for name, scores in (heat.totals or {heat.title: heat.scores}).items()
    }
    return drawn + [(name, heat, scores, largest(scores)) for name, scores in totals.items()]


def beside_each_other(count: int) -> int:
    """How many of `count` maps stand in a row, so that the last row is not left with one."""
    return math.ceil(count / math.ceil(count / ACROSS))


def legend(heats: Sequence[TokenScores]) -> list[tuple[tuple, str]]:
    """Colours and what they mean in words."""
    towards, away = COLOURS[PALETTE]
    said = {}
    for heat in heats:
        meanings = (
            [(away, f"− {heat.poles[0]}"), (towards, f"+ {heat.poles[1]}")]
            if heat.signed
            else [(MUCH, "more (how much, not which way)")]
        )
        said.update(dict.fromkeys((colour, visible(words)) for colour, words in meanings))
    return list(said)


def captions(heats: Sequence[TokenScores], about: Mapping[str, str] | None) -> list[str]:
    """What is explained, what else is to be said, the model, and what a reader must know."""
    first = heats[0]
    notes = dict.fromkeys(note for heat in heats for note in heat.notes)
    said = [
        f"explained: {first.target} ({first.unit} {first.score:.3g})",
        *(about or {}).values(),
        f"model: {first.model} ({first.revision})" if first.revision else f"model: {first.model}",
        *notes,
    ]
    return [visible(line)[:300] for line in said]


def photo_of(heat: TokenScores) -> Image.Image:
    """The picture; of a map that came without one, a light grey field."""
    return (
        heat.picture.convert("RGB")
        if heat.picture
        else Image.new("RGB", (32 * heat.grid[1], 32 * heat.grid[0]), "#e4e0da")
    )


# -------------------------------------------------------------------------------------------------------- SVG


def svg(heats: Sequence[TokenScores], origin: dict, about: Mapping[str, str] | None = None) -> str:
    """The picture and every map of it as rectangles over the grey photo, which is in the file
    once. origin: where the numbers are from.

    about: further lines below the maps, by name: what the model says, a link.
    """
    first, drawn = heats[0], lines(heats)
    photo = photo_of(first)
    height = TILE * photo.height / photo.width
    step_x, step_y, across = TILE + 16, height + 44, beside_each_other(len(drawn) + 1)
    down = math.ceil((len(drawn) + 1) / across)
    wide = 16 + step_x * across
    below = [line for words in captions(heats, about) for line in wrapped(words, wide - 32, 13)]
    legends = legend(heats)
    width = max(wide, *(54 + length(words, 13) for _, words in legends))
    whole = 16 + step_y * down + 24 * len(legends) + 20 * len(below) + 10
    pale = Image.fromarray(grey(np.asarray(photo)))
    key = f"{zlib.crc32(photo.tobytes()):08x}"  # figures of two pictures may stand in one document
    held = "".join(
        f'<image id="{name}-{key}" width="{TILE}" height="{height:.2f}" preserveAspectRatio="none" href="{jpeg(one, SIDE)}"/>'
        for name, one in (("photo", photo), ("grey", pale))
    )
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {whole:.0f}" width="{width:.0f}" height="{whole:.0f}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        f"<title>{escape(visible(first.title))}: {escape(visible(first.target))}</title><desc>{escape(in_words(drawn))}</desc>",
        f"<metadata>{escape(json.dumps(origin))}</metadata>",
        f'<defs>{held}</defs><rect width="100%" height="100%" fill="#fff"/>',
    ]
    for k, line in enumerate([None, *drawn]):
        x, y = 16 + step_x * (k % across), 16 + step_y * (k // across)
        name, inside = (
            (line[0], svg_map(*line[1:], height, key))
            if line
            else ("The picture", f'<use href="#photo-{key}"/>')
        )
        out.append(
            f'<g transform="translate({x:.2f} {y:.2f})"><text y="12" font-weight="600">{escape(visible(name))}</text>'
            f'<g transform="translate(0 20)">{inside}</g></g>'
        )
    y = 16 + step_y * down
    for colour, words in legends:
        out.append(
            f'<rect x="16" y="{y:.0f}" width="14" height="14" rx="3" fill="rgb{colour}"/><text x="38" y="{y + 12:.0f}">{escape(words)}</text>'
        )
        y += 24
    for line in below:
        out.append(f'<text x="16" y="{y + 12:.0f}" fill="{FAINT_INK}">{escape(line)}</text>')
        y += 20
    return "\n".join([*out, "</svg>"])


def in_words(drawn: Sequence[tuple[str, TokenScores, Tensor, float]]) -> str:
    """The figure for those who do not see it: where each map is strongest."""
    said = []
    for name, heat, scores, scale in drawn:
        flat = scores.nan_to_num(0, 0, 0).flatten()
        most = place_of_largest(flat.abs())
        said.append(
            f"{name}: most at {place(heat, most)}, {heat.in_words(float(flat[most]))}."
            if scale
            else f"{name}: zero everywhere."
        )
    return visible(" ".join(said))


def svg_map(heat: TokenScores, scores: Tensor, scale: float, height: float, key: str) -> str:
    """One map in units of patches, over the grey photo `key`."""
    rows, columns = heat.grid
    towards, away = COLOURS[PALETTE]
    out = [
        f'<use href="#grey-{key}"/><g transform="scale({TILE / columns:.5f} {height / rows:.5f})"><g opacity="{OPACITY}" shape-rendering="crispEdges">'
    ]
    for i, score in enumerate(scores.flatten().tolist()):
        kind, share = paint(heat, score, scale)
        colour = {"pos": towards, "neg": away}.get(kind.split()[0], MUCH)
        out.append(
            f'<rect x="{i % columns}" y="{i // columns}" width="1" height="1" fill="rgb{colour}" fill-opacity="{share:.3f}">'
            f"<title>{place(heat, i)}: {escape(visible(heat.in_words(score)))}</title></rect>"
        )
    sign = (
        f'<path d="{sign_path(heat, scores, scale)}" fill="none" stroke="#fff" stroke-width=".1"/>'
        if heat.signed
        else ""
    )
    return "".join(out) + f"</g>{sign}</g>"


# -------------------------------------------------------------------------------------------------------- PNG


def image(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> Image.Image:
    """The picture and every map of it blended into the grey photo at full resolution, words under
    them. about: as for `svg`.
    """
    told = told_apart(heats)
    photo = photo_of(told[0])
    if photo.width < SMALLEST:
        photo = photo.resize(
            (SMALLEST, round(SMALLEST * photo.height / photo.width)), Image.Resampling.LANCZOS
        )
    pixels, pad = np.asarray(photo), round(photo.width * 0.05)
    size = round(photo.width * 0.055)
    small = round(0.8 * size)
    tiles = [("The picture", photo, "")]
    for heat in told:
        painted = blended(
            grey(pixels),
            enlarged(heat.patches, photo.height, photo.width),
            largest(heat.patches),
            heat.signed,
            PALETTE,
            OPACITY,
        )
        tiles.append(
            (
                visible(heat.title),
                marked(heat, Image.fromarray(painted)),
                f"largest |score| {largest(heat.patches):.2g}",
            )
        )
    across = beside_each_other(len(tiles))
    step_x, step_y = photo.width + pad, photo.height + 3 * size + pad
    width = pad + step_x * across
    caption = [*legend(told), *((None, line) for line in captions(told, about))]
    caption = [
        (colour, line)
        for colour, words in caption
        for line in wrapped(words, width - 2 * pad - 2 * size, size)
    ]
    if lacking := boxes([*(name for name, _, _ in tiles), *(words for _, words in caption)]):
        caption.append((None, said_of_boxes(lacking)))
    sheet = Image.new(
        "RGB",
        (
            width,
            pad
            + step_y * math.ceil(len(tiles) / across)
            + round(1.6 * size * len(caption))
            + pad // 2,
        ),
        "white",
    )
    for k, (name, tile, under) in enumerate(tiles):
        x, y = pad + step_x * (k % across), pad + step_y * (k // across)
        put(sheet, (x, y), fitted(name, photo.width, size), size, INK)
        sheet.paste(tile, (x, y + round(1.5 * size)))
        put(sheet, (x, y + photo.height + round(1.7 * size)), under, small, FAINT_INK)
    y = sheet.height - round(1.6 * size * len(caption)) - pad // 2
    for colour, said in caption:
        if colour:
            ImageDraw.Draw(sheet).rounded_rectangle(
                (pad, y + size * 0.15, pad + size, y + size * 1.15), size // 5, colour
            )
        put(
            sheet,
            (pad + (round(1.5 * size) if colour else 0), y),
            fitted(said, width - 2 * pad, size),
            size,
            INK,
        )
        y += round(1.6 * size)
    return sheet


def put(sheet: Image.Image, at: tuple[int, int], text: str, size: int, ink: str) -> None:
    line = written(text, size, ink)
    sheet.paste(line, at, line)


def marked(heat: TokenScores, tile: Image.Image) -> Image.Image:
    """A plus or a minus on the strong patches of a signed map."""
    draw, wide, high = ImageDraw.Draw(tile), tile.width / heat.grid[1], tile.height / heat.grid[0]
    thick, arm = max(1, round(wide / 10)), 0.18 * min(wide, high)
    for row, column, plus in (
        strong(heat, heat.patches, largest(heat.patches)) if heat.signed else []
    ):
        x, y = wide * (column + 0.5), high * (row + 0.5)
        draw.line((x - arm, y, x + arm, y), "white", thick)
        if plus:
            draw.line((x, y - arm, x, y + arm), "white", thick)
    return tile

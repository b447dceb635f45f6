"""Maps of texts as figures for slides and papers: one layout, drawn as SVG and as PNG."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from PIL import Image, ImageColor, ImageDraw
from torch import Tensor

from ..ties import ranked
from ..token_scores import TokenScores
from .card import PICTOGRAM, STRONG, largest, number, paint, told_apart, visible
from .tokens import COLUMNS, cut, view
from .writing import LINE, boxes, fitted, from_the_right, length, said_of_boxes, wrapped, written

#: Light colours of the default palette, for files that have no stylesheet.
COLOURS = {"pos": "#fb923c", "neg": "#60a5fa", "mag": "#a8a29e", "none": "#fff"}
INK, PALE, EDGE = "#1c1b1a", "#5c5853", "#e4e0da"
CELL = 30  # pixels of a figure's cell, each side
PAD = 16  # around the figure
SIZE, PROSE = 13, 17  # pixels of letters, and of those of the running text
WIDEST = 640  # of the running text, where the table is not wider


@dataclass(frozen=True)
class Square:
    """A coloured rectangle; edged: a cell of the table, which has an outline."""

    x: float
    y: float
    width: float
    height: float
    kind: str = "none"
    share: float = 1.0
    edged: bool = False
    title: str = ""


@dataclass(frozen=True)
class Words:
    """Writing that stands at (x, y), the foot of its letters; to the right of it, to its left
    ("end"), or around it ("middle").
    """

    text: str
    x: float
    y: float
    size: int = SIZE
    ink: str = INK
    anchor: str = "start"
    upwards: bool = False


@dataclass(frozen=True)
class Rule:
    """A straight line, two pixels thick."""

    x: float
    y: float
    to_x: float
    to_y: float
    ink: str = INK


@dataclass(frozen=True)
class Figure:
    """Rows of methods (or, of one method, its layers and totals) over the same words, laid out in pixels.

    lines      (name, heatmap, scores [token], the largest |score| that its colours go by)
    left, top  where the cells begin: on the right of the names, below the words, which
               are written upwards
    """

    words: TokenScores
    lines: list[tuple[str, TokenScores, Tensor, float]]
    left: float = 0
    top: float = 0
    width: float = 0
    height: float = 0
    parts: list = field(default_factory=list)


def figure(
    heats: Sequence[TokenScores], about: Mapping[str, str] | None = None, missing: bool = False
) -> Figure:
    """The figure of `heats`.

    about: further lines below what is explained, by name: what the model says, a link. missing:
    say which characters the fonts here lack.
    """
    shown = [view(heat) for heat in told_apart(heats)]
    first = shown[0]
    lines = lines_of(shown)
    layered = len(lines) > len(shown)
    heading = [
        f"{first.title}, layer by layer" if layered else "",
        f"explained: {first.target} ({first.unit} {first.score:.3g})",
    ]
    widest = max(WIDEST, CELL * len(first))
    heading = [
        part
        for line in (*heading, *(about or {}).values())
        if line
        for part in wrapped(visible(line), widest, SIZE)
    ]
    colours = legend(shown)
    notes = dict.fromkeys(note for heat in shown for note in heat.notes)
    left = PAD + 8 + max(length(line[0], SIZE) for line in lines)
    room = max(
        left + CELL * len(first),
        *(PAD + length(line, SIZE) for line in heading),
        *(PAD + 22 + length(words, SIZE) for _, words in colours),
    )
    room = max(
        room,
        PAD
        + min(WIDEST, 40 + sum(length(word_of(first, i), PROSE) + 12 for i in range(len(first)))),
    )
    parts: list = []
    y = PAD
    for line in heading:
        parts.append(Words(line, PAD, y + SIZE))
        y += 22
    y = prose(first, y + 6, room - PAD, parts, visible(first.title) if len(shown) > 1 else "")
    heads = [head_of(first, i) for i in range(len(first))]
    top = (
        y
        + 10
        + max(
            [SIZE * LINE if PICTOGRAM.fullmatch(head) else length(head, SIZE) for head in heads],
            default=0,
        )
        + 8
    )
    table(first, lines, heads, left, top, parts)
    y = top + CELL * len(lines) + 18
    for kind, words in colours:
        parts += [Square(PAD, y, 14, 14, kind), Words(words, PAD + 22, y + 12)]
        y += 22
    below = [
        visible(
            f"model: {first.model} ({first.revision})"
            if first.revision
            else f"model: {first.model}"
        )[:300]
    ]
    if first.halves:
        below.append(visible(f"{first.halves[0]} | {first.halves[1]}")[:300])
    below += [line for note in notes for line in wrapped(visible(note), room - PAD, SIZE)]
    if missing and (lacking := boxes([*map(visible, first.labels), *heading])):
        below.append(said_of_boxes(lacking))
    for line in below:
        parts.append(Words(line, PAD, y + SIZE, ink=PALE))
        room = max(room, PAD + length(line, SIZE))
        y += 20
    return Figure(first, lines, left, top, room + PAD, y + PAD, parts)


def lines_of(shown: Sequence[TokenScores]) -> list[tuple[str, TokenScores, Tensor, float]]:
    """What the rows are: each map, or a single one's layers and what is made of them."""
    first = shown[0]
    if len(shown) > 1 or first.rows is None:
        return [(visible(heat.title), heat, heat.scores, largest(heat.scores)) for heat in shown]
    scale, totals = largest(first.rows), first.totals or {visible(first.title): first.scores}
    return [
        *(
            (visible(name), first, scores, scale)
            for name, scores in zip(first.row_labels, first.rows)
        ),
        *((name, first, scores, largest(scores)) for name, scores in totals.items()),
    ]


def legend(shown: Sequence[TokenScores]) -> list[tuple[str, str]]:
    """Colours and signs in words."""
    said = {}
    for heat in shown:
        ends = (
            [("neg", f"− {heat.poles[0]}"), ("pos", f"+ {heat.poles[1]}")]
            if heat.signed
            else [("mag", "more (how much, not which way)")]
        )
        said.update(dict.fromkeys((kind, visible(words)) for kind, words in ends))
    return list(said)


def head_of(heat: TokenScores, i: int) -> str:
    return visible(heat.labels[i])[:20]


def word_of(heat: TokenScores, i: int) -> str:
    """A word of the running text as it stands there."""
    span = heat.spans[i] if heat.spans else None
    return visible(heat.text[slice(*span)] if heat.text and span else heat.labels[i])


def sign_of(heat: TokenScores, score: float, share: float) -> str:
    """Plus or minus where a score is strong, so that colour is not the only cue."""
    return ("+" if score > 0 else "−") if heat.signed and share >= STRONG else ""


def titled(heat: TokenScores, i: int, score: float) -> str:
    return f"{visible(heat.labels[i])}: {visible(heat.in_words(score))}"


def prose(heat: TokenScores, y: float, width: float, parts: list, of: str) -> float:
    """The text in the colours of the first map, in lines of at most this width; of: that map's
    name, where there are others. Where it ends.
    """
    if of:
        parts.append(Words(f"the text in the colours of {of}:", PAD, y + 11, 11, PALE))
        y += 18
    scale, high = largest(heat.scores), 32
    for half in range(max(1, len(heat.halves))):
        places = [i for i in range(len(heat)) if not heat.halves or heat.half(i) == half]
        if heat.halves:
            parts.append(Words(f"{visible(heat.halves[half])}:", PAD, y + 11, 11, PALE))
            y += 18
        mirrored = from_the_right("".join(word_of(heat, i) for i in places))
        for x, down, wide, i, text in flow(heat, places, width):
            score = float(heat.scores[i])
            kind, share = paint(heat, score, scale)
            at = PAD + (width - PAD - x - wide if mirrored else x)
            foot = y + high * down + 22
            parts.append(
                Square(
                    at, foot - 18, wide, 24, kind.split()[0], share, title=titled(heat, i, score)
                )
            )
            parts.append(Words(text, at + wide / 2, foot, PROSE, anchor="middle"))
            if sign := sign_of(heat, score, share):
                parts.append(Words(sign, at + wide / 2, foot - 17, 11, anchor="middle"))
            if heat.is_marked(i):
                parts.append(Rule(at, foot + 7, at + wide, foot + 7))
        y += high * (1 + max([line for _, line, *_ in flow(heat, places, width)], default=0))
    if heat.pending:
        parts.append(Words(f"next token: {visible(heat.pending)}", PAD, y + SIZE))
        y += 22
    return y


def flow(
    heat: TokenScores, places: Sequence[int], width: float
) -> Iterator[tuple[float, int, float, int, str]]:
    """Words in lines: (how far from where a line begins, which line, how wide, token, what it
    says).
    """
    x, line, end = 0.0, 0, None
    for i in places:
        span = heat.spans[i] if heat.spans else None
        joined = heat.text and span and end == span[0]
        end = span and span[1]
        text = fitted(word_of(heat, i), width - PAD - 8, PROSE)
        wide = length(text, PROSE) + 6
        x += 0 if joined or not x else 5
        if x and x + wide > width - PAD:
            x, line = 0.0, line + 1
        yield x, line, wide, i, text
        x += wide


def table(
    words: TokenScores, lines, heads: Sequence[str], left: float, top: float, parts: list
) -> None:
    """Heads written upwards, pictograms upright; a row a method or layer, a cell a word, a sign in
    the strong ones.
    """
    bottom = top + CELL * len(lines)
    for i, head in enumerate(heads):
        x = left + CELL * i
        if cut(words, i):
            parts.append(Rule(x, top - 16, x, bottom, PALE))
        if words.is_marked(i):
            parts.append(Rule(x + 2, top - 2, x + CELL - 2, top - 2))
        upright = PICTOGRAM.fullmatch(head)
        parts.append(
            Words(
                head,
                x + CELL / 2 + (0 if upright else 4),
                top - 8,
                anchor="middle" if upright else "start",
                upwards=not upright,
            )
        )
    for k, (name, heat, scores, scale) in enumerate(lines):
        y = top + CELL * k
        parts.append(Words(name, left - 8, y + CELL * 0.65, anchor="end"))
        for i, score in enumerate(scores.tolist()):
            kind, share = paint(heat, score, scale)
            x = left + CELL * i
            parts.append(
                Square(
                    x + 1,
                    y + 1,
                    CELL - 2,
                    CELL - 2,
                    kind.split()[0],
                    share,
                    True,
                    titled(heat, i, score),
                )
            )
            if sign := sign_of(heat, score, share):
                parts.append(Words(sign, x + CELL / 2, y + CELL * 0.68, 15, anchor="middle"))


def in_words(laid: Figure) -> str:
    """The figure for those who do not see it: what it is about, and the strongest words of each
    row.
    """
    first = laid.words
    said = [
        f"{first.title} for {first.target} of the model {first.model}."
        if first.model
        else f"{first.title} for {first.target}."
    ]
    for name, heat, scores, _ in laid.lines:
        strongest = ranked(scores.nan_to_num(0, 0, 0).abs())[:3].tolist()
        said.append(
            f"{name}: "
            + ", ".join(
                f"{heat.labels[i]} {number(float(scores[i]), heat.signed)}" for i in strongest
            )
            + "."
        )
    return visible(" ".join(said))


def svg(heats: Sequence[TokenScores], origin: dict, about: Mapping[str, str] | None = None) -> str:
    """The figure as SVG, with where it comes from inside. about: as for `figure`."""
    laid = figure(heats, about)
    first = laid.words
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {laid.width:.0f} {laid.height:.0f}" width="{laid.width:.0f}" '
            f'height="{laid.height:.0f}" role="img" font-family="system-ui, sans-serif" font-size="{SIZE}" fill="{INK}">',
            f"<title>{escape(visible(first.title))}: {escape(visible(first.target))}</title>",
            f"<desc>{escape(in_words(laid))}</desc>",
            f"<metadata>{escape(json.dumps(origin))}</metadata>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *map(as_svg, laid.parts),
            "</svg>",
        ]
    )


def as_svg(part: Square | Words | Rule) -> str:
    if isinstance(part, Rule):
        return f'<path d="M{part.x:.0f} {part.y:.0f}L{part.to_x:.0f} {part.to_y:.0f}" stroke="{part.ink}" stroke-width="2"/>'
    if isinstance(part, Square):
        edge = f' stroke="{EDGE}"' if part.edged else ""
        title = f"<title>{escape(part.title)}</title>" if part.title else ""
        return (
            f'<rect x="{part.x:.1f}" y="{part.y:.1f}" width="{part.width:.1f}" height="{part.height:.1f}" rx="4" fill="{COLOURS[part.kind]}" '
            f'fill-opacity="{part.share:.3f}"{edge}>{title}</rect>'
        )
    place = (
        f'transform="translate({part.x:.1f} {part.y:.1f}) rotate(-90)"'
        if part.upwards
        else f'x="{part.x:.1f}" y="{part.y:.1f}"'
    )
    more = "" if part.size == SIZE else f' font-size="{part.size}"'
    more += "" if part.ink == INK else f' fill="{part.ink}"'
    more += "" if part.anchor == "start" else f' text-anchor="{part.anchor}"'
    return f"<text {place}{more}>{escape(part.text)}</text>"


def image(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> Image.Image:
    """The same figure as pixels, two to each of the drawing's unless the text is long."""
    sharp = 2 if len(heats[0]) <= 4 * COLUMNS else 1
    laid = figure(heats, about, missing=True)
    sheet = Image.new("RGB", (round(laid.width * sharp), round(laid.height * sharp)), "#fff")
    draw = ImageDraw.Draw(sheet)
    for part in laid.parts:
        if isinstance(part, Rule):
            draw.line(
                [round(sharp * place) for place in (part.x, part.y, part.to_x, part.to_y)],
                part.ink,
                2 * sharp,
            )
        elif isinstance(part, Square):
            corners = [
                round(sharp * place)
                for place in (part.x, part.y, part.x + part.width, part.y + part.height)
            ]
            draw.rounded_rectangle(
                corners, 4 * sharp, over_white(part), *([EDGE, sharp] if part.edged else [])
            )
        else:
            write(sheet, part, sharp)
    return sheet


def over_white(square: Square) -> tuple[int, ...]:
    return tuple(
        round(255 + square.share * (part - 255)) for part in ImageColor.getrgb(COLOURS[square.kind])
    )


def write(sheet: Image.Image, words: Words, sharp: int) -> None:
    size = words.size * sharp
    line = written(words.text, size, words.ink)
    x, y = round(words.x * sharp), round(words.y * sharp)
    if words.upwards:
        line = line.rotate(90, expand=True)
        sheet.paste(line, (x - size, y - line.height), line)
        return
    before = {"start": 0, "middle": line.width // 2, "end": line.width}[words.anchor]
    sheet.paste(line, (x - before, y - size), line)

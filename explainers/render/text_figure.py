"""The layout of a figure of texts: coloured squares, words and rules, with places in pixels.

From top to bottom: what is explained, the running text in the colours of the first map, a table
with a row a map (of a single map: its layers and totals), the meaning of the colours, captions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..token_scores import TokenScores
from .card import all_notes, with_unique_titles
from .characters import PICTOGRAM, reads_from_right, visible
from .colours import largest, paint, strong_sign
from .figure_words import MOST, colour_meanings, explained_line, model_line
from .lettering import (
    LINE,
    fitted,
    missing_characters,
    missing_note,
    text_width,
    wrapped,
)
from .tokens import view

INK, PALE = "#1c1b1a", "#5c5853"
CELL = 30  # pixels of a cell of the table, each side
PAD = 16  # around the figure
SIZE, PROSE, SMALL = 13, 17, 11  # pixels of letters: of most, of the running text, of small print
WIDEST = 640  # of the running text, where the table is not wider
STEP, HIGH_STEP = 22, 32  # from one line to the next: of most, of the running text


@dataclass(frozen=True)
class Square:
    """A coloured rectangle. edged: with an outline, as the cells of the table."""

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
    """A line of text whose baseline is at y.

    anchor: it begins at x ("start"), ends there ("end") or has it in its middle ("middle").
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


Part = Square | Words | Rule


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table. scores: [token]. scale: the |score| that is drawn opaque."""

    name: str
    heat: TokenScores
    scores: Tensor
    scale: float


@dataclass(eq=False)
class Figure:
    """A figure that grows downwards.

    tokens    the map whose tokens are the columns of the table
    rows      the rows of the table
    width     so far, without the margin on the right
    y         where the next part goes; at the end, the height
    left, top of the table's cells
    """

    tokens: TokenScores
    rows: list[Row]
    width: float
    y: float = PAD
    left: float = 0
    top: float = 0
    parts: list[Part] = field(default_factory=list)

    def add(self, *parts: Part) -> None:
        self.parts += parts

    def add_line(self, text: str, size: int = SIZE, ink: str = INK, step: float = STEP) -> None:
        """A line of text at the left edge; `y` moves down by a step."""
        self.add(Words(text, PAD, self.y + size, size, ink))
        self.y += step


def text_figure(
    heats: Sequence[TokenScores],
    about: Mapping[str, str] | None = None,
    name_missing: bool = False,
) -> Figure:
    """Lay out a figure of these maps.

    about: further lines below what is explained, by name, such as the prediction or a link.
    name_missing: say which characters the fonts here lack.
    """
    shown = [view(heat) for heat in with_unique_titles(heats)]
    first, rows = shown[0], rows_of(shown)
    heading = heading_lines(first, len(rows) > len(shown), about)
    meanings = colour_meanings(shown)
    left = PAD + 8 + max(text_width(row.name, SIZE) for row in rows)
    figure = Figure(first, rows, width_of(first, left, heading, meanings), left=left)
    for line in heading:
        figure.add_line(line)
    figure.y += 6
    add_prose(figure, visible(first.title) if len(shown) > 1 else "")
    add_table(figure)
    for kind, words in meanings:
        square = Square(PAD, figure.y, 14, 14, kind)
        figure.add(square, Words(words, PAD + 22, figure.y + 12))
        figure.y += STEP
    captions = caption_lines(first, all_notes(shown), figure.width)
    missing = missing_characters([*map(visible, first.labels), *heading]) if name_missing else ""
    if missing:
        captions.append(missing_note(missing))
    for line in captions:
        figure.add_line(line, ink=PALE, step=20)
        figure.width = max(figure.width, PAD + text_width(line, SIZE))
    figure.width += PAD
    figure.y += PAD
    return figure


def rows_of(shown: Sequence[TokenScores]) -> list[Row]:
    """The rows of the table: each map; of a single map with layers, the layers and the totals."""
    first = shown[0]
    if len(shown) > 1 or first.rows is None:
        return [own_row(visible(heat.title), heat, heat.scores) for heat in shown]
    scale = largest(first.rows)
    rows = []
    for name, scores in zip(first.row_labels, first.rows):
        rows.append(Row(visible(name), first, scores, scale))
    totals = first.totals or {visible(first.title): first.scores}
    for name, scores in totals.items():
        rows.append(own_row(name, first, scores))
    return rows


def own_row(name: str, heat: TokenScores, scores: Tensor) -> Row:
    """A row on its own scale."""
    return Row(name, heat, scores, largest(scores))


def heading_lines(
    first: TokenScores, is_layered: bool, about: Mapping[str, str] | None
) -> list[str]:
    """The lines above the running text."""
    heading = [explained_line(first), *(about or {}).values()]
    if is_layered:
        heading.insert(0, f"{first.title}, layer by layer")
    widest = max(WIDEST, CELL * len(first))
    lines = []
    for line in heading:
        if line:
            lines += wrapped(visible(line), widest, SIZE)
    return lines


def caption_lines(first: TokenScores, notes: Sequence[str], width: float) -> list[str]:
    """The lines at the foot: the model, the names of a pair's texts, and the notes."""
    lines = [visible(model_line(first))[:MOST]]
    if first.halves:
        lines.append(visible(" | ".join(first.halves[:2]))[:MOST])
    for note in notes:
        lines += wrapped(visible(note), width - PAD, SIZE)
    return lines


def width_of(
    first: TokenScores, left: float, heading: Sequence[str], meanings: Sequence[tuple[str, str]]
) -> float:
    """The width that the table, the lines and the running text need."""
    table = left + CELL * len(first)
    prose = 40.0
    for i in range(len(first)):
        prose += text_width(word_of(first, i), PROSE) + 12
    width = max(table, PAD + min(WIDEST, prose))
    for line in heading:
        width = max(width, PAD + text_width(line, SIZE))
    for _, words in meanings:
        width = max(width, PAD + 22 + text_width(words, SIZE))
    return width


def word_of(heat: TokenScores, i: int) -> str:
    """A word of the running text as it stands there."""
    return visible(heat.characters(i))


def score_title(heat: TokenScores, i: int, score: float) -> str:
    """The tooltip of a word."""
    return f"{visible(heat.labels[i])}: {visible(heat.in_words(score))}"


# ----------------------------------------------------------------------------------- running text


def add_prose(figure: Figure, of: str) -> None:
    """The running text in the colours of the first map. of: its name, where there are others."""
    heat = figure.tokens
    if of:
        figure.add_line(f"the text in the colours of {of}:", SMALL, PALE, step=18)
    for half in range(max(1, len(heat.halves))):
        if heat.halves:
            figure.add_line(f"{visible(heat.halves[half])}:", SMALL, PALE, step=18)
        add_flow(figure, heat.tokens_of_half(half))
    if heat.pending:
        figure.add_line(f"next token: {visible(heat.pending)}")


def add_flow(figure: Figure, places: Sequence[int]) -> None:
    """The words of these tokens in lines; from the right, if the text is read from the right."""
    heat, width = figure.tokens, figure.width - PAD
    scale = largest(heat.scores)
    mirrored = reads_from_right("".join(word_of(heat, i) for i in places))
    lines = 1
    for word in flow(heat, places, width):
        lines = max(lines, word.line + 1)
        score = float(heat.scores[word.token])
        kind, share = paint(heat, score, scale)
        x = PAD + (width - PAD - word.x - word.width if mirrored else word.x)
        middle, foot = x + word.width / 2, figure.y + HIGH_STEP * word.line + 22
        title = score_title(heat, word.token, score)
        colour = kind.split()[0]
        figure.add(Square(x, foot - 18, word.width, 24, colour, share, title=title))
        figure.add(Words(word.text, middle, foot, PROSE, anchor="middle"))
        if sign := strong_sign(heat, score, share):
            figure.add(Words(sign, middle, foot - 17, SMALL, anchor="middle"))
        if heat.is_marked(word.token):
            figure.add(Rule(x, foot + 7, x + word.width, foot + 7))
    figure.y += HIGH_STEP * lines


@dataclass(frozen=True)
class PlacedWord:
    """A word of the running text. x: from where its line begins."""

    token: int
    text: str
    x: float
    line: int
    width: float


def flow(heat: TokenScores, places: Sequence[int], width: float) -> Iterator[PlacedWord]:
    """The words of these tokens in lines of at most this width."""
    x, line, end = 0.0, 0, None
    for i in places:
        span = heat.span(i)
        is_joined = heat.text and span and end == span[0]
        end = span[1] if span else None
        text = fitted(word_of(heat, i), width - PAD - 8, PROSE)
        wide = text_width(text, PROSE) + 6
        if x and not is_joined:
            x += 5
        if x and x + wide > width - PAD:
            x, line = 0.0, line + 1
        yield PlacedWord(i, text, x, line, wide)
        x += wide


# ------------------------------------------------------------------------------------------ table


def add_table(figure: Figure) -> None:
    """The table: a column a word, written upwards, and a row a map or layer."""
    heat = figure.tokens
    heads = [visible(label)[:20] for label in heat.labels]
    heights = [SIZE * LINE if is_upright(head) else text_width(head, SIZE) for head in heads]
    figure.top = figure.y + 10 + max(heights, default=0) + 8
    bottom = figure.top + CELL * len(figure.rows)
    for i, head in enumerate(heads):
        add_column_head(figure, i, head, bottom)
    for k, row in enumerate(figure.rows):
        add_row(figure, row, figure.top + CELL * k)
    figure.y = bottom + 18


def is_upright(head: str) -> bool:
    """Whether a column's head is a pictogram, which is not turned."""
    return bool(PICTOGRAM.fullmatch(head))


def add_column_head(figure: Figure, i: int, head: str, bottom: float) -> None:
    """A word above its column, with the rules that part a pair and mark what is explained."""
    heat, top = figure.tokens, figure.top
    x = figure.left + CELL * i
    if i and heat.starts_half(i):
        figure.add(Rule(x, top - 16, x, bottom, PALE))
    if heat.is_marked(i):
        figure.add(Rule(x + 2, top - 2, x + CELL - 2, top - 2))
    if is_upright(head):
        figure.add(Words(head, x + CELL / 2, top - 8, anchor="middle"))
    else:
        figure.add(Words(head, x + CELL / 2 + 4, top - 8, upwards=True))


def add_row(figure: Figure, row: Row, y: float) -> None:
    """The name of a map or layer, and a cell for each word; strong scores carry their sign."""
    figure.add(Words(row.name, figure.left - 8, y + CELL * 0.65, anchor="end"))
    for i, score in enumerate(row.scores.tolist()):
        kind, share = paint(row.heat, score, row.scale)
        x = figure.left + CELL * i
        title = score_title(row.heat, i, score)
        side = CELL - 2
        figure.add(Square(x + 1, y + 1, side, side, kind.split()[0], share, True, title))
        if sign := strong_sign(row.heat, score, share):
            figure.add(Words(sign, x + CELL / 2, y + CELL * 0.68, 15, anchor="middle"))

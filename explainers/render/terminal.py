"""Token scores as text for a terminal: bars and signs, in colour where the terminal has colours."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from torch import Tensor

from ..numerals import readable, with_minus
from ..ties import ranked
from ..token_scores import TokenScores
from .characters import number, visible
from .colours import largest
from .tokens import view

SHADES = "·░▒▓█"  # of a patch, by its share of the largest |score|
TOP = 5  # patches that are named
BAR = 20  # characters of the longest bar
WIDEST = 24  # characters of a label
CURVE = 60  # characters of a curve

#: Styles of positive and negative scores; the same colours as in HTML.
TOWARDS, AWAY = "dark_orange", "dodger_blue1"


def heatmap_text(heat: TokenScores, tokens: bool = False) -> Text:
    """One map: what is explained, a bar and a number for each word or the grid of patches, notes.

    tokens: sub-words and special tokens as they are, instead of words.
    """
    meaning = "unsigned: how much, not which way"
    if heat.signed:
        meaning = f"+ {heat.poles[1]}, − {heat.poles[0]}"
    score = with_minus(f"{heat.score:.3f}")
    title = f"{heat.title}, explaining {visible(heat.target)} ({heat.unit} {score}); {meaning}"
    lines = [Text(title, style="bold")]
    lines += word_lines(heat, tokens) if heat.grid is None else patch_lines(heat)
    share = f"{100 * heat.special_share:.0f} % of all |score| lies on special tokens"
    facts = "".join(f"; {name} {readable(value)}" for name, value in heat.facts.items())
    lines.append(Text(f"  ({heat.cost}; {share}{facts})", style="dim"))
    if heat.marked:
        lines.append(Text(f"  (< what is explained: {visible(heat.marked_text)})"))
    lines += [Text(f"  {note}") for note in heat.notes]
    return Text("\n").join(lines)


def word_lines(heat: TokenScores, tokens: bool) -> list[Text]:
    """A line for each word: its label, its score, a bar, and "<" where it is explained."""
    shown = view(heat, merge=not tokens, specials=tokens)
    scale = largest(shown.scores) or 1.0
    names = padded(shown.labels)
    lines = []
    for i, score in enumerate(shown.scores.tolist()):
        if shown.starts_half(i):
            lines.append(Text(f"  -- {shown.halves[shown.half(i)]} --", style="bold"))
        line = Text(f"  {names[i]}  {number(score, heat.signed):>9}  ")
        line.append(bar(score, scale), style=style_of(score, heat.signed))
        if shown.is_marked(i):
            line.append(" <")
        line.rstrip()
        lines.append(line)
    return lines


def patch_lines(heat: TokenScores) -> list[Text]:
    """The grid of patches, a sign and a shade each, then the strongest patches by name."""
    grid = heat.patches.nan_to_num(0, 0, 0)
    columns = grid.shape[1]
    scale = largest(grid) or 1.0
    head = "".join(f"{column % 100:2}" for column in range(1, columns + 1))
    lines = [Text(f"       {head}")]
    for row, scores in enumerate(grid.tolist(), start=1):
        line = Text(f"  {row:3}  ")
        for score in scores:
            line.append(patch(score, scale, heat.signed), style=style_of(score, heat.signed))
        lines.append(line)
    flat = grid.flatten()
    for i in ranked(flat.abs())[:TOP].tolist():
        score = float(flat[i])
        row, column = divmod(i, columns)
        line = Text(f"  row {row + 1:2}, column {column + 1:2}  ")
        line.append(f"{number(score, heat.signed):>9}  ")
        line.append(bar(score, scale), style=style_of(score, heat.signed))
        line.rstrip()
        lines.append(line)
    return lines


def heads_text(heat: TokenScores, layer: int) -> Text:
    """How much each attention head has in every layer; then the heads of one layer, word by word.

    The numbers are sums of |score| over the words or patches. Raises `Refusal` for a method that
    has no map by head.
    """
    shown = heat.merged().without_specials()
    sums = shown.head_scores.nan_to_num(0, 0, 0).abs().sum(-1)  # [layer head]
    chosen = layer % len(sums)
    parts = "words" if heat.grid is None else "patches"
    last = sums.shape[1] - 1
    lines = [Text(f"  layer  sum of |score| over the {parts}, head 0 to {last}")]
    for index, row in enumerate(sums.tolist()):
        mark = ">" if index == chosen else " "
        style = "bold" if index == chosen else ""
        lines.append(Text(f"  {mark} L{index:<3} {numbers(row)}", style=style))
    if heat.grid is None:
        lines.append(Text(f"  layer {chosen}, each head over the words"))
        lines += head_lines(shown, shown.head_scores[chosen])
    return Text("\n").join(lines)


def head_lines(shown: TokenScores, heads: Tensor) -> list[Text]:
    """A line for each word with its score in every head. heads: [head token]."""
    lines = []
    for name, scores in zip(padded(shown.labels), heads.mT.tolist()):
        lines.append(Text(f"  {name} {numbers(scores)}"))
    return lines


def curve_line(scores: Sequence[float]) -> str:
    """A curve as one line of bars, from its first to its last number."""
    count = min(CURVE, len(scores))
    last = max(1, count - 1)
    picked = [scores[i * (len(scores) - 1) // last] for i in range(count)]
    low, high = min(picked), max(picked)
    span = (high - low) or 1
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (score - low) / span)] for score in picked)


def padded(labels: Sequence[str]) -> list[str]:
    """Labels of one width, counted in the cells of a terminal."""
    names = [visible(label) for label in labels]
    width = min(WIDEST, max(cell_len(name) for name in names))
    return [set_cell_size(name, width) for name in names]


def bar(score: float, scale: float) -> str:
    """A bar as long as |score|; hollow if the score is negative."""
    filling = "█" if score >= 0 else "░"
    return filling * round(BAR * abs(score) / scale)


def patch(score: float, scale: float, signed: bool) -> str:
    """A sign and a shade for one patch."""
    shade = SHADES[round((len(SHADES) - 1) * abs(score) / scale)]
    if shade == SHADES[0]:
        return f" {shade}"
    if score < 0:
        return f"−{shade}"
    return f"+{shade}" if signed else f" {shade}"


def style_of(score: float, signed: bool) -> str:
    """The colour of a score."""
    if not signed:
        return ""
    return AWAY if score < 0 else TOWARDS


def numbers(row: Sequence[float]) -> str:
    return " ".join(f"{readable(value):>9}" for value in row)

"""A number for every token of one input, and all that a reader must know about these numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
from PIL.Image import Image
from torch import Tensor

from .errors import Refusal
from .numerals import readable
from .words import strip_span

if TYPE_CHECKING:
    import pandas

#: First and last+1 character of a text.
Characters = tuple[int, int]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class TokenScores:
    """How much each token moved a score.

    The numbers:
    scores     [token] as the method computed them, not normalised, special tokens included
    rows       [layer token] the map of every layer, or None; `row_labels` has their names
    heads      [layer head token] the map of every attention head, or None
    totals     other maps made of the layers, by name, such as Sum and Rollout: [token] each
    pixels     [height width] the map of a picture pixel by pixel, or None

    The input:
    labels     [token] the name of each token
    special_tokens [token] bool: [CLS], [SEP] and the like
    text       the text, or None for a picture alone
    spans      [token] first and last+1 character of each token in `text`, None for special tokens
    words      [token] number of the word that the token belongs to, None for special tokens.
               In scripts without spaces, a word is one character
    segments   [token] which text of a pair: 0, 1, or None for special tokens; None for one text
    halves     the names of the two texts of a pair
    grid       (rows, columns) of a picture's patches, which are the last tokens, row by row;
               None for a text
    picture    the part of the picture that the model sees, RGB, at most 1,024 pixels a side;
               None for a text
    seen       the same in the model's own resolution, RGB; None for a text

    The method:
    method     its key; `title` is its name
    signed     whether a negative number means "away from the target"
    options    the options that it ran with
    facts      what it measured besides, such as the completeness gap of Integrated Gradients
    cost       forward and backward passes through the network, such as "1F 1B"

    The target:
    target     what is explained, in words; `score` is its value, and `unit` the kind of number
    poles      what a negative and a positive number mean, in words
    marked     first and last+1 character of the explained part of the text, such as an answer
    pending    the next token that is explained, which comes after the text
    model, revision  the network

    notes      sentences that a reader must know, such as how many tokens were cut off
    """

    scores: Tensor
    labels: list[str]
    method: str
    title: str
    target: str
    score: float
    signed: bool
    special_tokens: Tensor
    unit: str = "score"
    poles: tuple[str, str] = ("minus", "plus")
    rows: Tensor | None = None
    heads: Tensor | None = None
    row_labels: list[str] = field(default_factory=list)
    totals: dict[str, Tensor] = field(default_factory=dict)
    text: str | None = None
    spans: list[Characters | None] | None = None
    words: list[int | None] | None = None
    segments: list[int | None] | None = None
    halves: tuple[str, ...] = ()
    marked: Characters | None = None
    pending: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cost: str = ""
    model: str = ""
    revision: str = ""
    grid: tuple[int, int] | None = None
    picture: Image | None = field(default=None, repr=False)
    seen: Image | None = field(default=None, repr=False)
    pixels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self.title}, explaining {self.target}, {len(self)} tokens)"

    # ---------------------------------------------------------------------------------- numbers

    @property
    def special(self) -> Tensor:
        """`special_tokens`, by its name in version 0.2."""
        return self.special_tokens

    @property
    def layers(self) -> Tensor | None:
        """[layer token] `rows` by another name: the map of every layer, or None."""
        return self.rows

    @property
    def layer_scores(self) -> Tensor:
        """[layer token] the map of every layer.

        Raises `Refusal` for a method that has no map by layer.
        """
        if self.rows is None:
            raise Refusal(f"{self.title} has no map by layer.")
        return self.rows

    @property
    def head_scores(self) -> Tensor:
        """[layer head token] the map of every attention head.

        Raises `Refusal` for a method that has no map by head.
        """
        if self.heads is None:
            raise Refusal(f"{self.title} has no map by head.")
        return self.heads

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of a picture's patches. Raises `Refusal` for a map of a text."""
        if self.grid is None:
            raise Refusal("This is a map of a text; only pictures have patches.")
        return self.grid

    @property
    def patches(self) -> Tensor:
        """[row column] the scores of a picture's patches. Raises `Refusal` for a map of a text."""
        return self.on_grid(self.scores)

    def on_grid(self, scores: Tensor) -> Tensor:
        """Arrange the scores of patches on their grid: [... token] -> [... row column].

        Tokens before the patches, such as [CLS], are left out. Raises `Refusal` for a text.
        """
        rows, columns = self.patch_grid
        return scores[..., -rows * columns :].unflatten(-1, (rows, columns))

    @property
    def special_share(self) -> float:
        """The share of all |score| that lies on special tokens, 0 to 1."""
        sizes = self.scores.abs()
        total = sizes.sum()
        if total <= 0:
            return 0.0
        return float(sizes[self.special_tokens].sum() / total)

    # ---------------------------------------------------------------------------------- changes

    def merged(self) -> Self:
        """Sum the scores of sub-words into words, which are labelled by the text they stand for.

        Special tokens stay as they are. In scripts without spaces (Chinese, Japanese, Thai), a
        word is one character with its marks, or a token that holds several characters.
        """
        if self.words is None or self.text is None or self.spans is None:
            return self
        groups = tokens_by_word(self.words)
        first_tokens = [group[0] for group in groups]
        spans: list[Characters | None] = []
        labels: list[str] = []
        for group in groups:
            span = word_span(self.text, [self.spans[i] for i in group])
            spans.append(span)
            labels.append(self.labels[group[0]] if span is None else self.text[slice(*span)])

        def summed(scores: Tensor) -> Tensor:
            return torch.stack([scores[..., group].sum(-1) for group in groups], dim=-1)

        return replace(
            self,
            labels=labels,
            spans=spans,
            words=pick(self.words, first_tokens),
            segments=pick(self.segments, first_tokens),
            special_tokens=self.special_tokens[first_tokens],
            **self._numbers(summed),
        )

    def without_specials(self) -> Self:
        """Leave out the special tokens, for display: `special_share` is 0 afterwards."""
        keep = (~self.special_tokens).nonzero().flatten().tolist()
        return replace(
            self,
            labels=[self.labels[i] for i in keep],
            spans=pick(self.spans, keep),
            words=pick(self.words, keep),
            segments=pick(self.segments, keep),
            special_tokens=self.special_tokens[keep],
            **self._numbers(lambda scores: scores[..., keep]),
        )

    def layer(self, index: int) -> Self:
        """The map of one layer.

        Raises `Refusal` for a method that has no map by layer, and for a layer that is not there.
        """
        rows = self.layer_scores
        if not -len(rows) <= index < len(rows):
            raise Refusal(f"There is no row {index}: this map has rows 0 to {len(rows) - 1}.")
        title = f"{self.title}, {self.row_labels[index]}"
        return replace(
            self, scores=rows[index], rows=None, row_labels=[], totals={}, heads=None, title=title
        )

    def _numbers(self, change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        """Everything that has a number for each token, changed along its token axis."""
        return {
            "scores": change(self.scores),
            "rows": None if self.rows is None else change(self.rows),
            "heads": None if self.heads is None else change(self.heads),
            "totals": {name: change(total) for name, total in self.totals.items()},
        }

    # ---------------------------------------------------------------------------------- places

    def span(self, i: int) -> Characters | None:
        """First and last+1 character of token i, or None where it stands for no text."""
        return self.spans[i] if self.spans else None

    def characters(self, i: int) -> str:
        """What token i is in the text; its label where it stands for no text."""
        span = self.span(i)
        return self.text[slice(*span)] if self.text and span else self.labels[i]

    @property
    def marked_text(self) -> str:
        """The part of the text that is explained, or nothing."""
        return self.text[slice(*self.marked)] if self.text and self.marked else ""

    def half(self, i: int) -> int:
        """The text of a pair that token i belongs to; a special token belongs to the one before."""
        for segment in reversed((self.segments or [])[: i + 1]):
            if segment is not None:
                return segment
        return 0

    def tokens_of_half(self, half: int) -> list[int]:
        """The tokens of one text of a pair; all tokens where there is no pair."""
        return [i for i in range(len(self)) if not self.halves or self.half(i) == half]

    def starts_half(self, i: int) -> bool:
        """Whether one of the two texts of a pair begins at token i."""
        return bool(self.halves) and (i == 0 or self.half(i) != self.half(i - 1))

    def is_marked(self, i: int) -> bool:
        """Whether token i belongs to the part of the text that is explained."""
        span = self.span(i)
        if not self.marked or not span:
            return False
        return span[0] < self.marked[1] and span[1] > self.marked[0]

    # ------------------------------------------------------------------------------------ words

    def in_words(self, score: float) -> str:
        """Say a score and its sign in words: `minus 0.72, away from POSITIVE`."""
        if not math.isfinite(score):
            return "not a number"
        if not self.signed or score == 0:
            return readable(score)
        sign = "minus" if score < 0 else "plus"
        return f"{sign} {readable(abs(score))}, {self.poles[score > 0]}"

    def table(self) -> pandas.DataFrame:
        """A table with one row a token: its label, score, whether it is special, and every layer.

        A pair of texts has a column that says which text a token belongs to.
        """
        import pandas as pd

        columns: dict[str, list] = {
            "token": self.labels,
            "score": self.scores.tolist(),
            "special": self.special_tokens.tolist(),
        }
        if self.halves:
            columns["part"] = [self.halves[self.half(i)] for i in range(len(self))]
        if self.rows is not None:
            columns |= dict(zip(self.row_labels, self.rows.tolist()))
        return pd.DataFrame(columns)


def tokens_by_word(words: Sequence[int | None]) -> list[list[int]]:
    """The tokens of each word, in the order of the words' first tokens; special tokens alone."""
    groups: dict[object, list[int]] = {}
    for i, word in enumerate(words):
        key = ("special", i) if word is None else word
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def word_span(text: str, spans: Sequence[Characters | None]) -> Characters | None:
    """First and last+1 character of a word whose tokens have these spans, without space around it.

    The tokens of a byte-level tokenizer may hold the space before a word.
    """
    if spans[0] is None:
        return None
    there = [span for span in spans if span is not None]
    first = min(start for start, _ in there)
    last = max(stop for _, stop in there)
    return strip_span(text, first, last)


def pick(values: Sequence[Value] | None, places: Sequence[int]) -> list[Value] | None:
    """The values at these places; None stays None."""
    return None if values is None else [values[i] for i in places]

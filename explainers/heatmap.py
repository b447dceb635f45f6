"""The one thing that views, metrics and exports get: a number for every token, and what it is a number of."""

import math
from dataclasses import dataclass, field, replace

import torch
from PIL.Image import Image
from torch import Tensor

from .errors import Refusal


def tight(text: str, first: int, last: int) -> tuple[int, int]:
    """The characters first to last without space around them; nothing but space stays as it is."""
    kept = text[first:last].strip()
    return (at := first + text[first:last].index(kept), at + len(kept)) if kept else (first, last)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """How much each token moved a score.

    scores     [token] raw, as the method computed them: never normalised, specials included
    labels     [token] what a person reads
    method     key of the method; title is its name
    target     what was explained, in words; score is its value for this input, and unit says what kind of number that is
    signed     whether a negative number means "away from the target"
    poles      what a negative and a positive number mean, in words
    special_tokens [token] bool: [CLS], [SEP] and their like
    rows       [layers token] the per-layer picture, or None; row_labels name the rows
    heads      [layers head token] every attention head's share, where the method has a head axis, or None
    totals     [token] each: ways to make one map of the layers, such as Sum and Rollout
    text       the input, and spans [token] the characters of each token (None for specials)
    words      [token] number of the word, or character of a script without spaces, that a token
               belongs to (None for specials)
    segments   [token] the half of a pair: 0, 1, or None for specials; None for a single text. halves names the two
    marked     first and last+1 character of the part of the text that is explained: an answer, a labelled word
    pending    the next token that is explained, which stands behind the text
    options    of the method, as they were given
    facts      what the method measured on the way, such as IG's completeness gap
    notes      sentences a reader must know, such as tokens left out
    cost       passes through the network, "1F 1B"
    grid       (rows, columns) of a picture's patches, which are the last tokens, row by row; None for text
    picture    the part of a picture that the model sees, RGB, at most 1,024 pixels a side, tiled evenly by the grid; None for text
    seen       the same as the model sees it, RGB, a pixel for each that it gets; None for text
    pixels     [height width] the map pixel by pixel, as the model reads them, where the method has one, or None
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
    spans: list[tuple[int, int] | None] | None = None
    words: list[int | None] | None = None
    segments: list[int | None] | None = None
    halves: tuple[str, ...] = ()
    marked: tuple[int, int] | None = None
    pending: str = ""
    options: dict = field(default_factory=dict)
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

    @property
    def special(self) -> Tensor:
        """`special_tokens` by its name of version 0.2."""
        return self.special_tokens

    @property
    def layers(self) -> Tensor | None:
        """[layers token], where the method has a per-layer picture; None where it has not."""
        return self.rows

    @property
    def patches(self) -> Tensor:
        """[rows columns] the scores of a picture's patches. Raises `Refusal` for a map of a text."""
        return self.on_grid(self.scores)

    def on_grid(self, scores: Tensor) -> Tensor:
        """Scores [... token] of a picture's tokens as [... rows columns] of its patches, without the tokens before them."""
        if self.grid is None:
            raise Refusal("This is a map of a text; only pictures have patches.")
        return scores[..., -self.grid[0] * self.grid[1] :].unflatten(-1, self.grid)

    @property
    def special_share(self) -> float:
        """The part of all |score| that lies on special tokens, 0 to 1."""
        total = self.scores.abs().sum()
        return float(self.scores[self.special_tokens].abs().sum() / total) if total > 0 else 0.0

    def merged(self) -> "Heatmap":
        """The same with sub-words summed into words, labelled by the text they came from.

        Specials stay as they are.
        Of a script without spaces (Chinese, Japanese, Thai) a word is a character with its marks,
        or the token that holds several.
        """
        if self.words is None or self.text is None or self.spans is None:
            return self
        groups: dict[object, list[int]] = {}
        for i, word in enumerate(self.words):
            groups.setdefault(("special", i) if word is None else word, []).append(i)
        places = list(groups.values())
        spans = [
            None
            if self.spans[group[0]] is None
            else (min(self.spans[i][0] for i in group), max(self.spans[i][1] for i in group))
            for group in places
        ]
        spans = [
            span and tight(self.text, *span) for span in spans
        ]  # byte-level pieces may hold the space before the word
        summed = lambda scores: torch.stack(
            [scores[..., group].sum(-1) for group in places], dim=-1
        )
        return replace(
            self,
            scores=summed(self.scores),
            rows=None if self.rows is None else summed(self.rows),
            spans=spans,
            totals={name: summed(total) for name, total in self.totals.items()},
            labels=[
                self.labels[group[0]] if span is None else self.text[slice(*span)]
                for group, span in zip(places, spans)
            ],
            special_tokens=torch.stack([self.special_tokens[group[0]] for group in places]),
            words=[self.words[group[0]] for group in places],
            heads=None if self.heads is None else summed(self.heads),
            segments=None
            if self.segments is None
            else [self.segments[group[0]] for group in places],
        )

    def without_specials(self) -> "Heatmap":
        """The same without special tokens: a view, since `special_share` is then gone."""
        keep = (~self.special_tokens).nonzero().flatten().tolist()
        pick = lambda values: None if values is None else [values[i] for i in keep]
        return replace(
            self,
            scores=self.scores[keep],
            labels=pick(self.labels),
            special_tokens=self.special_tokens[keep],
            rows=None if self.rows is None else self.rows[:, keep],
            heads=None if self.heads is None else self.heads[..., keep],
            spans=pick(self.spans),
            words=pick(self.words),
            segments=pick(self.segments),
            totals={name: total[keep] for name, total in self.totals.items()},
        )

    def layer(self, index: int) -> "Heatmap":
        """One row of the per-layer picture as a heatmap of its own."""
        if self.rows is None:
            raise Refusal(f"{self.title} has no per-layer picture.")
        if not -len(self.rows) <= index < len(self.rows):
            raise Refusal(
                f"There is no row {index}: this picture has rows 0 to {len(self.rows) - 1}."
            )
        return replace(
            self,
            scores=self.rows[index],
            rows=None,
            row_labels=[],
            totals={},
            heads=None,
            title=f"{self.title}, {self.row_labels[index]}",
        )

    def half(self, i: int) -> int:
        """The half of a pair in which token i stands: a special token closes the half before it."""
        return next(
            (half for half in reversed((self.segments or [])[: i + 1]) if half is not None), 0
        )

    def is_marked(self, i: int) -> bool:
        """Whether token i belongs to the part of the text that is explained."""
        span = self.spans[i] if self.spans else None
        return bool(self.marked and span and span[0] < self.marked[1] and span[1] > self.marked[0])

    def in_words(self, score: float) -> str:
        """`minus 0.72, away from POSITIVE`"""
        if not math.isfinite(score):
            return "not a number"
        if not self.signed or score == 0:
            return f"{score:.3g}"
        return f"{'minus' if score < 0 else 'plus'} {abs(score):.3g}, {self.poles[score > 0]}"

    def table(self):
        """A pandas DataFrame: token, score, whether special, and one column a layer where there are layers."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "token": self.labels,
                "score": self.scores.tolist(),
                "special": self.special_tokens.tolist(),
            }
        )
        if self.halves:
            frame["part"] = [self.halves[self.half(i)] for i in range(len(self))]
        if self.rows is not None:
            frame = frame.assign(**dict(zip(self.row_labels, self.rows.tolist())))
        return frame

    def save(self, path) -> None:
        """Write .html, .svg, .png, .csv or .json, by suffix, with model, revision, target and options inside."""
        from .render.export import save

        save(self, path)

    def html(self, **look) -> str:
        """Static HTML, no script needed. look: palette, layers=True; of texts merge=True (sub-words into words), specials=False; of
        pictures opacity, smooth=False, pixels=False, side (pixels of the photo), brief=False (no numbers: small enough for many)."""
        from .render.heatmaps import fragment

        return fragment([self], **look)

    def heads_html(self, layer: int = -1, **look) -> str:
        """Every attention head's part of the map in one layer, and how much each head of every layer has: static HTML that draws
        itself in a notebook. look: as in `html`. Raises `Refusal` where the method has no head axis."""
        from .render.heatmaps import head_panel

        return head_panel(self, layer, **look)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"Heatmap({self.title}, explaining {self.target}, {len(self)} tokens)"

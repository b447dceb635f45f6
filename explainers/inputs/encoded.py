"""`Encoded`: one input as a network takes it, with a label and a place for each token."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool
from PIL import Image
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Encoded:
    """One input, ready to run.

    tensors         what the network takes, with a batch axis of one
    labels          [token] as the tokenizer writes it: [CLS], un, ##believable; of a patch its
                    place: row 1, column 3
    special_tokens  [token] bool: tokens that stand for no text and no patch
    text            what was given; the two texts of a pair are joined by a line break
    spans           [token] first and last+1 character in `text`; None for special tokens
    words           [token] the number of its word (see `explainers.words`); None for special tokens
    segments        [token] the text of a pair that it belongs to: 0, 1, or None for special tokens;
                    None as a whole for a single text
    halves          the names of the two texts: "first text" and "second text", or "question" and
                    "context"; () for a single text
    starts          the first character of each of the two texts in `text`
    left_out        how many tokens are past the model's limit, so that it does not read them
    lost            the same for each of the two texts
    unread          the characters at the end that the model does not read
    grid            (rows, columns) of a picture's patches, which are the last tokens; None for text
    picture         the part of a picture that the model sees, in RGB, covered evenly by the grid;
                    of a photo it is sharper than what the model sees
    seen            the same with exactly the pixels that the model gets
    candidates      what a dual encoder matches the input with: the texts of a picture, or
                    "the picture" of a text
    remarks         what else a reader must know
    """

    tensors: dict[str, Tensor]
    labels: list[str]
    special_tokens: Bool[Tensor, " token"]
    text: str | None = None
    spans: list[tuple[int, int] | None] | None = None
    words: list[int | None] | None = None
    segments: list[int | None] | None = None
    halves: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    left_out: int = 0
    lost: tuple[int, ...] = ()
    unread: str = ""
    grid: tuple[int, int] | None = None
    picture: Image.Image | None = None
    seen: Image.Image | None = None
    candidates: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """Notes about this input: how much of it the model does not read, and other remarks."""
        if not self.left_out:
            return list(self.remarks)
        where = "were left out."
        if self.halves:
            missing = []
            for half, count in zip(self.halves, self.lost):
                if count:
                    missing.append(f"{count:,} of the {half}")
            where = f"were left out: {' and '.join(missing)}."
        note = f"The model reads {len(self.labels)} tokens; {self.left_out:,} more {where}"
        return [note, *self.remarks]

    @property
    def context(self) -> str:
        """The second text as it was given, with the end that the model does not read."""
        return (self.text or "")[self.context_start :] + self.unread

    @property
    def context_start(self) -> int:
        """The first character of the second text in `text`; of a single text its own."""
        if len(self.starts) < 2:
            return 0
        return self.starts[1]

    def span_of(self, token: int) -> tuple[int, int]:
        """First and last+1 character in `text` of a token. Raises `LookupError` if it has none."""
        if self.spans:
            span = self.spans[token]
            if span is not None:
                return span
        raise LookupError(f"Token {token}, {self.labels[token]}, has no characters.")

    def tokens_at(self, characters: tuple[int, int]) -> tuple[int, int] | None:
        """First and last token of some characters of the second text.

        characters: the first and the last+1. None if the model reads none, or not all, of them.
        """
        first, last = characters
        if not 0 <= first < last:
            return None
        first, last = first + self.context_start, last + self.context_start
        if last > len(self.text or ""):
            return None
        inside = []
        for token, span in enumerate(self.spans or []):
            if span and span[0] >= self.context_start and span[0] < last and span[1] > first:
                inside.append(token)
        if not inside:
            return None
        return inside[0], inside[-1]

"""What the tasks of texts share: how texts, and tensors of texts, are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from ..errors import Refusal
from ..inputs import Cut, Encoded, from_ids, from_text
from ..inputs.kinds import PAIR
from .base import Task

if TYPE_CHECKING:
    from ..models import Model

READ_AS_A_PAIR = (
    "These two texts were read as a pair, one input. "
    "Two texts apart are explained one at a time, or traced together by trace_many([text, text]); "
    "a pair in round brackets, (first, second), is read so without this note."
)


class TextTask(Task):
    """A task whose input is a text, or a pair of texts."""

    #: The names of the two texts of a pair.
    halves: ClassVar[tuple[str, ...]] = PAIR.texts

    #: Where a text that is too long for the model is cut.
    cut: ClassVar[Cut] = "longest"

    def encode(self, model: Model, given: Any) -> Encoded:
        if isinstance(given, str):
            return self.encode_one(model, given)
        if is_texts(given):
            return self.encode_pair(model, given)
        raise wrong_input(type(given).__name__)

    def encode_one(self, model: Model, text: str) -> Encoded:
        return from_text(model, (text,), cut=self.cut)

    def encode_pair(self, model: Model, texts: Sequence[str]) -> Encoded:
        """Two texts as one input. A list gets a note, since elsewhere it means a batch."""
        if len(texts) != 2:
            raise wrong_input(
                f"a {type(texts).__name__} of {len(texts)}",
                " Several texts are explained one at a time, "
                "or traced together by trace_many([text, text, ...]).",
            )
        coded = from_text(model, tuple(texts), names=self.halves, cut=self.cut)
        if isinstance(texts, tuple):
            return coded
        return replace(coded, remarks=(*coded.remarks, READ_AS_A_PAIR))

    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        return from_ids(model, tensors)


def is_texts(given: Any) -> bool:
    """Whether these are one or more texts, in a tuple or a list."""
    if not isinstance(given, tuple | list) or not given:
        return False
    return all(isinstance(text, str) for text in given)


def wrong_input(got: str, advice: str = "") -> Refusal:
    return Refusal(f"Give a text, a pair of texts, or a dict of tensors; got {got}.{advice}")

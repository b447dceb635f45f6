"""The classes of a text, a pair of texts, or a picture: one logit for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..inputs import Encoded, from_picture, from_pixel_values
from ..inputs.kinds import PAIR, PICTURE, TEXT
from ..outputs import Answer
from .base import Task
from .texts import TextTask

if TYPE_CHECKING:
    from ..models import Model


class ClassTask(Task):
    """What classifiers of texts and of pictures share."""

    has_classes = True

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        logits = outputs.get("logits")
        if logits is None or type(model.net).__name__ == "ElectraForPreTraining":
            return Answer(outputs, None)  # that one has a logit for each token, and no classes
        if logits.ndim < 3:
            return model.class_answer(outputs, logits)
        if model.anatomy.readout != "last":
            return Answer(outputs, None)  # logits of every token: only a function can read them
        logits = model.at_readout(logits, inputs, attended)
        if model.pools_by_ids:
            outputs.logits = logits
        return model.class_answer(outputs, logits)

    def menu(self, model: Model, texts: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(self.labels(model).values())

    def logit_unit(self, model: Model) -> str:
        if model.is_regression:
            return "value"
        return "logit"


class Classes(ClassTask, TextTask):
    """The class of a text or of a pair of texts. It also fits every network that no other fits."""

    key = "classes"
    takes = (TEXT, PAIR)
    does = "reads texts"

    def fits(self, model: Model) -> bool:
        return model.anatomy.modality == "text"


class PictureClasses(ClassTask):
    """The class of a picture."""

    key = "picture_classes"
    takes = (PICTURE,)
    does = "sees pictures"

    def fits(self, model: Model) -> bool:
        return model.anatomy.modality == "image"

    def encode(self, model: Model, given: Any) -> Encoded:
        return from_picture(model, given)

    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        return from_pixel_values(model, tensors)

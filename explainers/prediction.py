"""What a model predicts for one input, without an explanation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from .numerals import with_minus
from .outputs import Answer
from .scores import tie
from .ties import ranked, tied_places

if TYPE_CHECKING:
    from .models import Model

#: How many next tokens, answers or words a prediction names.
SHOWN = 5

PROBABILITY = "probability"
BY_ITSELF = "probability of each label by itself"
VALUE = "value"


@dataclass(frozen=True)
class Prediction:
    """The labels that a model predicts for one input, the best first, each with its number.

    labels  classes; next tokens; answers in the context and "no answer in this text"; or, of words,
            "LABEL at word". Equal ones (`ties.ranked`) keep the order of the classes or of the text
    values  one for each label: its probability, or the raw output where there is none. That of an
            answer is among all answers that are possible
    kind    "probability", "probability of each label by itself" or "value"
    equals  the labels whose number equals that of the first one
    """

    labels: list[str]
    values: list[float]
    kind: str
    equals: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The first label."""
        return self.labels[0]

    @property
    def tie(self) -> str:
        """A sentence about `equals`; "" if there are none."""
        return tie(self.best, self.equals)

    def __str__(self) -> str:
        parts = []
        for label, value in zip(self.labels[:SHOWN], self.values):
            number = with_minus(f"{value:.3f}") if self.kind == VALUE else f"{value:.1%}"
            parts.append(f"{label} {number}")
        sentence = ", ".join(parts)
        if self.tie:
            sentence += f". {self.tie}"
        return sentence


def predict(model: Model, inputs: object) -> Prediction:
    """Predict without explaining.

    inputs: what `model.trace` takes. Raises `Refusal` if the model has no logits, or if `inputs` is
    nothing it can read.
    """
    coded = model.encode(inputs)
    with torch.no_grad():
        answer = model.answer(coded.tensors)
    return model.task.predict(model, coded, answer)


def kind_of(answer: Answer) -> str:
    """The kind of number that a classifier's answer gives for each class."""
    if not answer.has_probabilities:
        return VALUE
    if answer.multi_label:
        return BY_ITSELF
    return PROBABILITY


def numbers_of(answer: Answer) -> Float[Tensor, "example class"]:
    """The probabilities of the classes; the raw outputs where there are none."""
    if answer.has_probabilities:
        return answer.probabilities
    return answer.logits


def best_first(
    order_by: Float[Tensor, " label"],
    values: Float[Tensor, " label"],
    name: Callable[[int], str],
    kind: str,
    most: int | None = None,
) -> Prediction:
    """The `most` highest of some labels, by `order_by`, as a `Prediction` that shows `values`.

    name: gives the label of an index.
    """
    order = ranked(order_by).tolist()[:most]
    return Prediction(
        labels=list(map(name, order)),
        values=values[order].tolist(),
        kind=kind,
        equals=equal_names(order_by, name),
    )


def equal_names(values: Tensor | Sequence[float], name: Callable[[int], str]) -> tuple[str, ...]:
    """The names of all that equal the highest value, without the first one."""
    return tuple(map(name, tied_places(values)[1:]))

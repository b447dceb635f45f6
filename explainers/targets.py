"""What is explained: a function from a model's answer to one number an example.

A class's raw logit, the difference of two, the match of a picture and a text, the next token. Anything else that a
caller can write as `outputs -> Tensor[example]` is a target too.
"""

import operator
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import Refusal, nearest


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of n examples: its own outputs, and a table of logits where it has one.

    table [example class] of a classifier, [example token-of-the-vocabulary] of what comes next, [picture text] or
    [text picture] of a dual encoder, by the side that is traced.
    """

    outputs: object
    table: Tensor | None

    @property
    def logits(self) -> Tensor:
        if self.table is None:
            raise Refusal("This model has no logits for a whole text; pass a target that is a function of its outputs.")
        return self.table


@dataclass(frozen=True)
class Logit:
    """The raw logit of class `index` (or, of a language model, of token `index` coming next)."""

    index: int
    name: str

    @property
    def poles(self) -> tuple[str, str]:
        """What a negative and a positive contribution do, in words."""
        return f"away from {self.name}", f"towards {self.name}"

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits[:, self.index]

    def fixed(self, answer: Answer, example: int) -> "Logit":
        return self


@dataclass(frozen=True)
class Difference:
    """How much more the model says `first` than `second`: a difference of two logits."""

    first: Logit
    second: Logit

    @property
    def name(self) -> str:
        return f"{self.first.name} − {self.second.name}"

    @property
    def poles(self) -> tuple[str, str]:
        return f"towards {self.second.name}", f"towards {self.first.name}"

    def __call__(self, answer: Answer) -> Tensor:
        return self.first(answer) - self.second(answer)

    def fixed(self, answer: Answer, example: int) -> "Difference":
        return self


@dataclass(frozen=True)
class Predicted:
    """The class with the highest logit; it stays that class when the input is run again with changes."""

    names: Callable[[int], str]

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits.amax(-1)

    def fixed(self, answer: Answer, example: int) -> Logit:
        index = int(answer.logits[example].argmax())
        return Logit(index, self.names(index))


@dataclass(frozen=True)
class Custom:
    """A caller's own function of the outputs, giving one score an example."""

    function: Callable
    name: str = "custom score"
    poles: tuple[str, str] = ("lowers the score", "raises the score")

    def __call__(self, answer: Answer) -> Tensor:
        scores = self.function(answer.outputs)
        if not torch.is_tensor(scores) or scores.ndim != 1:
            got = tuple(scores.shape) if torch.is_tensor(scores) else type(scores).__name__
            raise Refusal(f"A target must give one score an example, shape (examples,); this one gave {got}.")
        return scores

    def fixed(self, answer: Answer, example: int) -> "Custom":
        return self


Target = Logit | Difference | Predicted | Custom


def resolve(target, labels: dict[int, str]) -> Target:
    """A target from what a person writes: None (the predicted class), a label, an index, 'A - B', a pair of these, a function."""
    name = lambda index: labels.get(index, str(index))
    if target is None or target == "predicted":
        return Predicted(name)
    if isinstance(target, Logit | Difference | Predicted | Custom):
        return target
    if callable(target):
        return Custom(target)
    if isinstance(target, tuple | list) and len(target) == 2:
        first, second = (Logit(index, name(index)) for index in (index_of(one, labels) for one in target))
        if first == second:
            raise Refusal(f"The difference of {first.name!r} and itself is always zero: choose two classes.")
        return Difference(first, second)
    if isinstance(target, str) and not known(target, labels):
        for minus in (" − ", " - "):
            if target.count(minus) == 1 and all(known(side.strip(), labels) for side in target.split(minus)):
                return resolve(tuple(side.strip() for side in target.split(minus)), labels)
    index = index_of(target, labels)
    return Logit(index, name(index))


def known(label: str, labels: dict[int, str]) -> bool:
    return label.casefold() in {name.casefold() for name in labels.values()}


def index_of(target, labels: dict[int, str]) -> int:
    """The class that a label (upper or lower case) or an index means. Class 0 is a class like any other."""
    if not isinstance(target, str | bool):
        with suppress(TypeError):
            target = operator.index(target)                 # numpy's integers too
    if isinstance(target, bool) or not isinstance(target, int | str):
        raise Refusal(f"A target is a class label, a class index, a pair of these or a function; got {type(target).__name__}.")
    if isinstance(target, str):
        exact = [index for index, name in labels.items() if name == target]
        folded = [index for index, name in labels.items() if name.casefold() == target.casefold()]
        if exact or folded:
            return (exact or folded)[0]
        if not target.strip().isdecimal():
            raise nearest(target, labels.values(), "class")
        target = int(target)
    if target not in labels:
        raise Refusal(f"There is no class {target}: this model has classes 0 to {len(labels) - 1}.")
    return target

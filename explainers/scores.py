"""What is explained: one number for each example, computed from the model's answer.

A raw logit, a sum of logits of single tokens, the difference of two scores, a probability, or a
function of the outputs that the caller gives. The tasks (`explainers/tasks`) say which of them a
person means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from .errors import Refusal
from .outputs import Answer
from .ties import tied_places

#: One term of a score: (token position, column of that token's logits, weight).
Term = tuple[int, int, float]

#: How many names a sentence about a tie lists.
LISTED_TIES = 4


def tie(best: str, equals: Sequence[str]) -> str:
    """The sentence that says which other names have the same score as the best one; "" if none.

    A text, or an answer, can be given twice: the second is then "another" of the same name.
    """
    if not equals:
        return ""
    names = []
    for name in map(in_quotes, equals[:LISTED_TIES]):
        if name == in_quotes(best):
            name = f"another {name}"
        names.append(name)
    others = ", ".join(names)
    if len(equals) > LISTED_TIES:
        others += f" and {len(equals) - LISTED_TIES:,} more"
    return (
        f"A tie: the model gives {others} the same score as {in_quotes(best)}, "
        "which is taken because it comes first."
    )


def in_quotes(name: str) -> str:
    if name.startswith("“"):
        return name
    return f"“{name}”"


class Score:
    """A function from an `Answer` to one number for each example, and what is known about it."""

    #: In words.
    name: str

    #: What a negative and a positive contribution do, in words.
    poles: tuple[str, str]

    #: The kind of its number.
    unit: str = "logit"

    #: First and last token of what is explained, if that is a part of the input.
    span: tuple[int, int] | None = None

    #: The names with the same logit, if the model's answer chose the target.
    equals: tuple[str, ...] = ()

    #: Whether the tokens it is read from are known only by its gradient.
    measured: bool = False

    #: Whether its gradient is zero at the tokens that it is not read from.
    local: bool = True

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        """The score of each example."""
        raise NotImplementedError

    @property
    def tie(self) -> str:
        """A sentence about `equals`; "" if there are none."""
        return tie(self.name, self.equals)

    def resolve(self, answer: Answer, example: int) -> Score:
        """The same score, fixed by the prediction for one example.

        It stays the same when the input is changed and run again.
        """
        return self

    def at_same_place(self, other: Score, answer: Answer, example: int) -> tuple[Score, Score]:
        """This score and `other`, as they are subtracted: both at one place, if each has several
        possible ones."""
        return self, other

    def readout(self, default: Float[Tensor, " token"]) -> Float[Tensor, " token"]:
        """The share of the score that is read from each token; the shares add up to 1.

        default: where the architecture reads a class.
        """
        return default

    def columns(self, readout: int) -> list[Term]:
        """The score as a sum of logits, or a `Refusal`; a class is read at the token `readout`."""
        raise Refusal(
            f"The {self.name} is not a sum of logits, which this method needs: "
            "explain a logit or a difference of two."
        )

    def parts(self) -> list[tuple[Score, float]]:
        """The scores whose weighted sum it is, each with its weight."""
        return [(self, 1.0)]

    def probability(self, answer: Answer) -> Float[Tensor, " example"]:
        """The probability of what is explained. Raises `Refusal` if it has none."""
        raise self.no_probability()

    def as_probability(self) -> Score:
        """The score that is the probability of this one. Raises `Refusal` if it has none."""
        return Probability(self)

    def no_probability(self) -> Refusal:
        return Refusal(
            f"The {self.name} has no probability, which this method needs: explain a class."
        )


@dataclass(frozen=True)
class Logit(Score):
    """The raw logit of class `index`, or of token `index` of the vocabulary as the next one."""

    index: int
    name: str
    equals: tuple[str, ...] = field(default=(), compare=False)

    @property
    def poles(self) -> tuple[str, str]:
        name = self.name
        if name != name.strip():  # the space is a part of the next token
            name = f"“{name}”"
        return f"away from {name}", f"towards {name}"

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        return answer.logits[:, self.index]

    def columns(self, readout: int) -> list[Term]:
        return [(readout, self.index, 1.0)]

    def probability(self, answer: Answer) -> Float[Tensor, " example"]:
        return answer.probabilities[:, self.index]


@dataclass(frozen=True)
class Span(Score):
    """A weighted sum of logits of single tokens: start and end of an answer, or a word's label.

    terms   (token position, column, weight): the same places when a changed input is run
    span    first and last token of what is explained; None for "no answer", which is not in the
            text
    among   what the softmax of its probability runs over: all "tokens" (answers), or the "labels"
            of each token
    """

    terms: tuple[Term, ...]
    name: str
    span: tuple[int, int] | None = None
    among: Literal["tokens", "labels"] = "tokens"
    equals: tuple[str, ...] = field(default=(), compare=False)

    @property
    def poles(self) -> tuple[str, str]:
        return f"away from {self.name}", f"towards {self.name}"

    @property
    def unit(self) -> str:
        if len(self.terms) == 1:
            return "logit"
        return f"sum of {len(self.terms)} logits"

    def total(self, numbers: Float[Tensor, "example token column"]) -> Float[Tensor, " example"]:
        """The weighted sum of these numbers at the terms."""
        terms = [weight * numbers[:, token, column] for token, column, weight in self.terms]
        return reduce(add, terms)

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        return self.total(answer.by_token)

    def readout(self, default: Float[Tensor, " token"]) -> Float[Tensor, " token"]:
        """Each logit counts equally: an answer is read half at its start and half at its end."""
        weights = torch.zeros_like(default)
        for token, _, weight in self.terms:
            weights[token] += abs(weight)
        return weights / weights.sum()

    def columns(self, readout: int) -> list[Term]:
        return list(self.terms)

    def parts(self) -> list[tuple[Score, float]]:
        parts = []
        for token, column, weight in self.terms:
            parts.append((replace(self, terms=((token, column, 1.0),)), weight))
        return parts

    def probability(self, answer: Answer) -> Float[Tensor, " example"]:
        """The mean probability of the terms: of an answer, that of its start and of its end."""
        axis = 1 if self.among == "tokens" else 2
        return self.total(answer.by_token.softmax(axis)) / len(self.terms)


@dataclass(frozen=True)
class Difference(Score):
    """The score `first` minus the score `second`."""

    first: Score
    second: Score
    unit = "difference"

    @property
    def name(self) -> str:
        return f"{self.first.name} − {self.second.name}"

    @property
    def poles(self) -> tuple[str, str]:
        return self.second.poles[1], self.first.poles[1]

    @property
    def span(self) -> tuple[int, int] | None:
        return self.first.span

    @property
    def tie(self) -> str:
        return f"{self.first.tie} {self.second.tie}".strip()

    @property
    def measured(self) -> bool:
        return self.first.measured or self.second.measured

    @property
    def local(self) -> bool:
        return self.first.local and self.second.local

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        return self.first(answer) - self.second(answer)

    def resolve(self, answer: Answer, example: int) -> Difference:
        first, second = self.first.at_same_place(self.second, answer, example)
        return difference(first.resolve(answer, example), second.resolve(answer, example))

    def readout(self, default: Float[Tensor, " token"]) -> Float[Tensor, " token"]:
        """Each logit counts equally, whatever its sign."""
        weights = torch.zeros_like(default)
        for part, weight in self.parts():
            weights = weights + abs(weight) * part.readout(default)
        return weights / weights.sum()

    def columns(self, readout: int) -> list[Term]:
        terms = self.first.columns(readout)
        for token, column, weight in self.second.columns(readout):
            terms.append((token, column, -weight))
        return terms

    def parts(self) -> list[tuple[Score, float]]:
        parts = self.first.parts()
        for part, weight in self.second.parts():
            parts.append((part, -weight))
        return parts

    def probability(self, answer: Answer) -> Float[Tensor, " example"]:
        return self.first.probability(answer) - self.second.probability(answer)


@dataclass(frozen=True)
class Probability(Score):
    """The probability of what the score `of` explains; of a difference, that of the two
    probabilities."""

    of: Score
    unit = "probability"
    local = False  # the softmax over answers runs over all tokens

    @property
    def name(self) -> str:
        return f"probability of {self.of.name}"

    @property
    def poles(self) -> tuple[str, str]:
        return self.of.poles

    @property
    def span(self) -> tuple[int, int] | None:
        return self.of.span

    @property
    def tie(self) -> str:
        return self.of.tie

    @property
    def measured(self) -> bool:
        return self.of.measured

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        return self.of.probability(answer)

    def resolve(self, answer: Answer, example: int) -> Probability:
        return Probability(self.of.resolve(answer, example))

    def readout(self, default: Float[Tensor, " token"]) -> Float[Tensor, " token"]:
        return self.of.readout(default)

    def as_probability(self) -> Probability:
        return self


@dataclass(frozen=True)
class Custom(Score):
    """A function of the outputs, given by the caller: outputs -> scores [example].

    The tokens that it is read from are known only by its gradient.
    """

    function: Callable[[Any], Any]
    name: str = "custom score"
    poles: tuple[str, str] = ("lowers the score", "raises the score")
    unit = "score"
    measured = True

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        scores = self.function(answer.outputs)
        if not torch.is_tensor(scores):
            raise self.wrong_shape(type(scores).__name__)
        if scores.ndim != 1:
            raise self.wrong_shape(str(tuple(scores.shape)))
        return scores

    def wrong_shape(self, got: str) -> Refusal:
        return Refusal(
            f"A target must give one score per example, shape (examples,); this one gave {got}."
        )

    def as_probability(self) -> Score:
        raise self.no_probability()


class DeferredTarget(Score):
    """A target that the prediction chooses, for each example: `resolve` says which one it is."""

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        scores = []
        for example in range(len(answer.by_token)):
            scores.append(self.resolve(answer, example)(answer)[example])
        return torch.stack(scores)


@dataclass(frozen=True, eq=False)
class PredictedClass(DeferredTarget):
    """The class with the highest logit; of equal ones (`ties.tied`) the first.

    labels: {index: name}; a class that is not in it is named by its index.
    """

    labels: Mapping[int, str]

    def __call__(self, answer: Answer) -> Float[Tensor, " example"]:
        return answer.logits.amax(-1)

    def resolve(self, answer: Answer, example: int) -> Logit:
        highest = tied_places(answer.logits[example])
        return first_of([Logit(index, label_of(index, self.labels)) for index in highest])


Chosen = TypeVar("Chosen", Logit, Span)


def first_of(equal: Sequence[Chosen]) -> Chosen:
    """The first of some scores that are equally high, with the names of the others."""
    names = tuple(score.name for score in equal[1:])
    return replace(equal[0], equals=names)


def label_of(index: int, labels: Mapping[int, str]) -> str:
    """The name of a class; its index if it has none."""
    return labels.get(index, str(index))


def difference(first: Score, second: Score) -> Difference:
    """`first` minus `second`. Raises `Refusal` if they are the same."""
    if first == second:
        name = getattr(first, "name", "a target")
        raise Refusal(
            f"The difference of {name!r} and itself is always zero: choose two that differ."
        )
    return Difference(first, second)

"""The answer to a question: the span of the context with the highest start and end logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..inputs import Encoded
from ..inputs.kinds import QUESTION
from ..outputs import Answer
from ..prediction import PROBABILITY, SHOWN, Prediction, equal_names
from ..scores import DeferredTarget, Span, Term, first_of
from ..ties import ranked, tied_places
from .reading import TargetReader, occurrences
from .texts import TextTask

if TYPE_CHECKING:
    from ..models import Model

NO_ANSWER = "no answer in this text"
LONGEST_ANSWER = 30  # tokens of a predicted answer, as in the evaluation of SQuAD

#: The columns of the logits of a token, and the token whose logits say that there is no answer.
START, END = 0, 1
NO_SPAN = (0, 0)

#: First and last token of an answer.
TokenRange = tuple[int, int]

#: What is explained of an answer: the sum of its two logits, or one of them.
Part = Literal["answer", "start", "end"]
SPAN_PARTS: dict[str, Part] = {"answer": "answer", "start": "start", "end": "end"}


class Answers(TextTask):
    """Where in a context the answer to a question starts and ends."""

    key = "answers"
    networks = ("QuestionAnswering",)
    takes = (QUESTION,)
    does = "looks for the answer to a question in a context"
    hint = "or any words of the context"
    head = ("qa_outputs",)
    halves = QUESTION.texts
    cut = "second"

    def encode_one(self, model: Model, text: str) -> Encoded:
        raise Refusal(
            "This model looks for the answer to a question in a context: "
            "give both, as (question, context)."
        )

    def encode_pair(self, model: Model, texts: Sequence[str]) -> Encoded:
        # a list of two is not a batch here, since one text alone is not an input
        if len(texts) == 2:
            texts = tuple(texts)
        return super().encode_pair(model, texts)

    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        coded = super().encode_tensors(model, tensors)
        segments = question_and_context(coded)
        if segments is None:
            return coded
        return replace(coded, segments=segments, halves=self.halves)

    def reader(self, model: Model, coded: Encoded) -> AnswerReader:
        return AnswerReader(coded)

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        logits = torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
        if attended is None:
            attended = model.attended(inputs, logits.shape[1])
        return Answer(outputs, None, logits.masked_fill(~attended[..., None], -torch.inf))

    def predict(self, model: Model, coded: Encoded, answer: Answer) -> Prediction:
        return best_answers(answer.by_token[0], AnswerReader(coded).in_context())

    def menu(self, model: Model, texts: Sequence[str] = ()) -> tuple[str, ...]:
        return ("start", "end", "best span", "no answer")

    def best(self, prediction: Prediction) -> str:
        return "answer"


# ---------------------------------------------------------------------------------------- the score


@dataclass(frozen=True, eq=False)
class AnswerTarget(DeferredTarget):
    """Start plus end logit of the best answer, or one of the two logits.

    Of equal answers (`ties.tied`) it is the first in the text, and "no answer" only if its logits
    are higher.

    context       [token] bool: where an answer may lie
    words         gives the text of an answer by its first and last token
    part          "answer" (start plus end), "start" or "end"
    may_be_none   whether "no answer" competes, by the logits of the first token
    spans         the answers to choose from; () for every possible one
    """

    context: tuple[bool, ...]
    words: Callable[[int, int], str]
    part: Part = "answer"
    may_be_none: bool = True
    spans: tuple[TokenRange, ...] = ()

    def resolve(self, answer: Answer, example: int) -> Span:
        possible, scores = self.possible(answer.by_token[example].detach())
        return first_of([self.at(*possible[i]) for i in tied_places(scores)])

    def possible(
        self, logits: Float[Tensor, "token 2"]
    ) -> tuple[list[TokenRange], Float[Tensor, " answer"]]:
        """The answers to choose from, and the score of each."""
        if self.spans:
            possible = list(self.spans)
            first, last = torch.tensor(possible).T
            scores = logits[first, START] + logits[last, END]
        else:
            possible, scores = possible_answers(logits, self.context)
        if self.may_be_none:
            possible = [*possible, NO_SPAN]
            scores = torch.cat([scores, logits[0].sum()[None]])
        return possible, scores

    def at(self, first: int, last: int) -> Span:
        """The score of the answer from token `first` to token `last`."""
        name, span = NO_ANSWER, None
        if last > 0:
            name, span = f"“{self.words(first, last)}”", (first, last)
        if self.part != "answer":
            name = f"{self.part} of {name}"
        return Span(self.terms(first, last), name, span)

    def terms(self, first: int, last: int) -> tuple[Term, ...]:
        start, end = (first, START, 1.0), (last, END, 1.0)
        if self.part == "start":
            return (start,)
        if self.part == "end":
            return (end,)
        return start, end


def span_scores(
    logits: Float[Tensor, "token 2"], context: Sequence[bool]
) -> Float[Tensor, "token token"]:
    """Start plus end logit of every answer [first last]; minus infinity where none is possible.

    context: for each token, whether an answer may lie there.
    """
    inside = torch.tensor(context, device=logits.device)
    places = torch.arange(len(logits), device=logits.device)
    width = places[None] - places[:, None]
    allowed = inside[:, None] & inside[None] & (width >= 0) & (width < LONGEST_ANSWER)
    sums = logits[:, None, START] + logits[None, :, END]
    return sums.masked_fill(~allowed, -torch.inf)


def possible_answers(
    logits: Float[Tensor, "token 2"], context: Sequence[bool]
) -> tuple[list[TokenRange], Float[Tensor, " answer"]]:
    """Every possible answer, as (first, last token) in the order of the text, and its score.

    Raises `Refusal` if no answer is possible.
    """
    scores = span_scores(logits, context)
    places = (scores > -torch.inf).nonzero()
    if not len(places):
        raise Refusal("There is no token in which an answer could lie.")
    possible = [(first, last) for first, last in places.tolist()]
    return possible, scores[places[:, 0], places[:, 1]]


def best_answers(logits: Float[Tensor, "token 2"], target: AnswerTarget) -> Prediction:
    """The best answers and "no answer", each with its share of all possible ones.

    target: says where an answer may lie.
    """
    possible, scores = replace(target, may_be_none=True).possible(logits)
    none = len(possible) - 1  # the last one is "no answer"
    shares = scores.softmax(0)
    order = ranked(scores).tolist()
    shown = order[:SHOWN]
    if none not in shown:  # it is shown whatever its share is
        shown = [*shown[:-1], none]

    def name(i: int) -> str:
        if i == none:
            return NO_ANSWER
        return target.words(*possible[i])

    return Prediction(
        labels=list(map(name, shown)),
        values=shares[shown].tolist(),
        kind=PROBABILITY,
        equals=equal_names(scores, name),
    )


# --------------------------------------------------------------------------- what a person writes

MENU = "answer, start, end, best span or no answer"


@dataclass(frozen=True, eq=False)
class AnswerReader(TargetReader):
    """Reads an answer in the context of an input.

    By a word of the menu, by a part of the context word for word, or by its first and
    last+1 character in the context.
    """

    coded: Encoded

    def predicted(self) -> AnswerTarget:
        return self.in_context(may_be_none=True)

    def is_pair(self, asked: Any) -> bool:
        return super().is_pair(asked) and not is_characters(asked)

    def named(self, asked: Any) -> AnswerTarget:
        word = str(asked).casefold()
        if word in ("no answer", NO_ANSWER):
            return AnswerTarget((), self.words, may_be_none=False, spans=(NO_SPAN,))
        whole = self.in_context()
        if word == "best span":
            return whole
        if word in SPAN_PARTS:
            return replace(whole, part=SPAN_PARTS[word], may_be_none=True)
        return replace(whole, spans=self.spans_of(asked))

    def in_context(self, may_be_none: bool = False) -> AnswerTarget:
        """The best answer in the context. Raises `Refusal` if it is not known where that is."""
        if not self.coded.segments:
            raise Refusal(
                "These tensors do not say where the question ends and the context begins: "
                "give both as texts, as (question, context), "
                "or token_type_ids that are 1 in the context."
            )
        context = tuple(segment == 1 for segment in self.coded.segments)
        return AnswerTarget(context, self.words, may_be_none=may_be_none)

    def words(self, first: int, last: int) -> str:
        """The text from token `first` to token `last`."""
        coded = self.coded
        if not coded.text or not coded.spans:
            return " ".join(coded.labels[first : last + 1])
        return coded.text[coded.span_of(first)[0] : coded.span_of(last)[1]]

    def spans_of(self, asked: Any) -> tuple[TokenRange, ...]:
        """First and last token of every place in the context that is meant.

        Raises `Refusal` if there is none that the model reads.
        """
        ranges, what = self.places_of(asked)
        if not ranges:
            raise Refusal(
                f"{what} is not in the context: give a part of it word for word, or one of {MENU}."
            )
        found = []
        for characters in ranges:
            tokens = self.coded.tokens_at(characters)
            if tokens is not None:
                found.append(tokens)
        if not found:
            raise self.not_read(ranges[-1][1], what)
        return tuple(found)

    def places_of(self, asked: Any) -> tuple[list[tuple[int, int]], str]:
        """First and last+1 character of every place that is meant, and what was asked, in words."""
        if is_characters(asked):
            first, last = asked
            if first > last:
                raise Refusal(
                    "Characters are given as (from, to), and from comes first; "
                    f"got ({first}, {last})."
                )
            return [(first, last)], f"characters {first} to {last}"
        if isinstance(asked, str) and asked.strip():
            words = asked.strip().removeprefix("“").removesuffix("”")
            return occurrences(words, self.coded.context), f"“{words[:60]}”"
        raise Refusal(
            f"An answer is explained by {MENU}, by a part of the context, "
            f"or by its first and last character; got {str(asked)[:40]!r}."
        )

    def not_read(self, last: int, what: str) -> Refusal:
        """Why no token stands at a place of the context that ends before character `last`."""
        length, unread = len(self.coded.context), len(self.coded.unread)
        if unread and last > length - unread:
            return Refusal(
                f"The {len(self.coded.labels)} tokens that the model reads end before {what}: "
                "shorten the context."
            )
        return Refusal(f"There is no token of the context at {what}; it has {length:,} characters.")


def is_characters(asked: Any) -> bool:
    """Whether this is a pair of whole numbers: first and last+1 character."""
    if not isinstance(asked, tuple | list) or len(asked) != 2:
        return False
    return set(map(type, asked)) == {int}


def question_and_context(coded: Encoded) -> list[int | None] | None:
    """[token] 0 in the question, 1 in the context, None at special tokens, for tensors.

    By `token_type_ids`, if they are there and not all zero; otherwise by the special tokens that
    separate the two. None as a whole if neither tells the two apart.
    """
    special_tokens = coded.special_tokens.tolist()
    segments = coded.tensors.get("token_type_ids")
    if segments is not None and segments.any():
        halves = segments[0].tolist()
    else:
        halves = numbers_of_runs(special_tokens)
        if max(halves) != 1:
            return None
    found: list[int | None] = []
    for half, special in zip(halves, special_tokens):
        found.append(None if special else half)
    return found


def numbers_of_runs(special_tokens: list[bool]) -> list[int]:
    """[token] the number of the text that it is in, or that stands before it, counted from 0.

    Texts are runs of tokens between special tokens.
    """
    runs, run = [], -1
    after_special = True
    for special in special_tokens:
        if after_special and not special:
            run += 1
        runs.append(run)
        after_special = special
    return runs

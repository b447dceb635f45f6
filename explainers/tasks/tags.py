"""The labels of words: one row of logits for each token, such as those of a named-entity tagger."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..inputs import Encoded
from ..inputs.kinds import TEXT
from ..outputs import Answer
from ..prediction import BY_ITSELF, Prediction, best_first
from ..scores import DeferredTarget, Score, Span, first_of, label_of
from ..ties import place_of_largest, tied
from ..words import inside_word
from .reading import TargetReader, index_of, occurrences
from .texts import TextTask

if TYPE_CHECKING:
    from ..models import Model

#: The label of a word that belongs to no class.
OUTSIDE = "O"

#: How tokenizers mark a token that begins with a space.
SPACES = ("Ġ", "▁")


class Tags(TextTask):
    """The label of each word of a text."""

    key = "tags"
    networks = ("TokenClassification",)
    takes = (TEXT,)
    does = "labels the words of a text"
    hint = "or a label at a word: “PERSON at Anna”"
    head = ("classifier",)

    def reader(self, model: Model, coded: Encoded) -> TagReader:
        return TagReader(coded, self.labels(model))

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        return Answer(outputs, None, outputs.logits)

    def predict(self, model: Model, coded: Encoded, answer: Answer) -> Prediction:
        return best_tags(answer.by_token[0], self.reader(model, coded).predicted())


# ---------------------------------------------------------------------------------------- the score


@dataclass(frozen=True, eq=False)
class TagTarget(DeferredTarget):
    """The logit of a word's label: the highest among some tokens and labels.

    Of equal ones (`ties.tied`) it is the first word, then the first label.

    places  the tokens to choose from
    labels  the labels to choose from, by index
    name_at gives the name of the label `column` at the token `token`
    """

    places: tuple[int, ...]
    labels: tuple[int, ...]
    name_at: Callable[[int, int], str]

    def resolve(self, answer: Answer, example: int) -> Span:
        logits = answer.by_token[example][list(self.places)][:, list(self.labels)]
        highest = tied(logits.flatten()).view(logits.shape).nonzero().tolist()
        return first_of(
            [self.at(self.places[place], self.labels[label]) for place, label in highest]
        )

    def at(self, token: int, column: int) -> Span:
        """The score of the label `column` at the token `token`."""
        return Span(
            terms=((token, column, 1.0),),
            name=self.name_at(token, column),
            span=(token, token),
            among="labels",
        )

    def at_same_place(self, other: Score, answer: Answer, example: int) -> tuple[Score, Score]:
        """Both labels at one word: at the one where the stronger of the two is strongest.

        Otherwise the difference of two labels of "Paris", in a text that names it twice, would
        compare one of the two words with the other.
        """
        if not isinstance(other, TagTarget) or other.places != self.places:
            return self, other
        either = replace(self, labels=self.labels + other.labels)
        ((place, _, _),) = either.resolve(answer, example).terms
        return replace(self, places=(place,)), replace(other, places=(place,))


def best_tags(logits: Float[Tensor, "token label"], target: TagTarget) -> Prediction:
    """The words whose label is one of the target's, each with its probability, the surest first.

    If there are none, the label with the highest probability at any word.
    """
    shares = logits.softmax(-1).cpu()
    pairs = []
    for place in target.places:
        label = place_of_largest(logits[place])
        if label in target.labels:
            pairs.append((place, label))
    if not pairs:
        table = shares[list(target.places)][:, list(target.labels)]
        place, label = divmod(place_of_largest(table.flatten()), len(target.labels))
        pairs = [(target.places[place], target.labels[label])]
    places, labels = zip(*pairs)
    values = shares[list(places), list(labels)]
    return best_first(
        order_by=values, values=values, name=lambda i: target.name_at(*pairs[i]), kind=BY_ITSELF
    )


# --------------------------------------------------------------------------- what a person writes


@dataclass(frozen=True, eq=False)
class TagReader(TargetReader):
    """Reads the label of a word: "LABEL at word", "LABEL at 3" (a token position), or a label
    alone, which is explained at the word where its logit is highest.

    A word has its label at its first token, as taggers are trained; at another token only if its
    position is asked for.

    coded   the input
    labels  {index: name}
    """

    coded: Encoded
    labels: Mapping[int, str]

    @cached_property
    def words(self) -> dict[int, str]:
        """{first token of a word: the word}."""
        return words_by_first_token(self.coded)

    def predicted(self) -> TagTarget:
        """The highest logit of any label but O (outside), at any word."""
        labels = [index for index, name in self.labels.items() if name != OUTSIDE]
        return self.at_words(tuple(labels or self.labels))

    def named(self, asked: Any) -> TagTarget:
        label, where = asked, ""
        if isinstance(asked, str) and " at " in asked:
            label, _, where = asked.rpartition(" at ")
        if label == "predicted":
            target = self.at_words(tuple(self.labels))
        else:
            target = self.at_words((index_of(label, self.labels),))
        if not where:
            return target
        return replace(target, places=self.places_of(where))

    def at_words(self, labels: tuple[int, ...]) -> TagTarget:
        return TagTarget(tuple(self.words), labels, self.name_at)

    def name_at(self, token: int, column: int) -> str:
        """ "LABEL at word", with the position of the token if there are several such words."""
        word = self.words.get(token, self.coded.labels[token])
        name = f"{label_of(column, self.labels)} at {word}"
        is_unique = token in self.words and list(self.words.values()).count(word) == 1
        if is_unique:
            return name
        return f"{name} (token {token})"

    def places_of(self, where: str) -> tuple[int, ...]:
        """The tokens that a word, or a token position, means. Raises `Refusal` if it means none."""
        position = re.fullmatch(r"\d{1,9}", where)
        position = position or re.search(r"(?<= \(token )\d{1,9}(?=\)$)", where)
        if position and int(position[0]) < len(self.coded.labels):
            token = int(position[0])
            self.check_has_label(token)
            return (token,)
        for places in (
            [token for token, word in self.words.items() if word == where],
            [token for token, word in self.words.items() if word.casefold() == where.casefold()],
            self.tokens_labelled(where),
            self.words_starting(where),
        ):
            if places:
                return tuple(places)
        raise Refusal(
            f"{where[:60]!r} is neither a word of this text "
            f"nor one of its {len(self.coded.labels)} token positions."
        )

    def tokens_labelled(self, where: str) -> list[int]:
        """The tokens that the tokenizer writes like this."""
        labels = enumerate(self.coded.labels)
        special = self.coded.special_tokens
        return [token for token, label in labels if label == where and not special[token]]

    def words_starting(self, where: str) -> list[int]:
        """The words at which several words, as they are in the text, begin."""
        if not self.coded.text or not self.coded.spans:
            return []
        starts = {first for first, _ in occurrences(where, self.coded.text)}
        return [token for token in self.words if self.coded.span_of(token)[0] in starts]

    def check_has_label(self, token: int) -> None:
        """Raise `Refusal` for a special token."""
        if not self.coded.special_tokens[token]:
            return
        words = (~self.coded.special_tokens).nonzero().flatten().tolist()
        raise Refusal(
            f"Token {token} is {self.coded.labels[token]}, which belongs to no word and "
            "has no label: name a word of the text, "
            f"or a position from {words[0]} to {words[-1]}."
        )


def words_by_first_token(coded: Encoded) -> dict[int, str]:
    """{first token of a word: the word}. An apostrophe ends a word: d'Angela is three words."""
    tokens = (~coded.special_tokens).nonzero().flatten().tolist()
    words: list[list[int]] = []
    for token in tokens:
        if words and goes_on(coded, words[-1][-1], token):
            words[-1].append(token)
        else:
            words.append([token])
    if not coded.text or not coded.spans:
        return {first: coded.labels[first] for first, *_ in words}
    texts = {}
    for pieces in words:
        first, last = coded.span_of(pieces[0])[0], coded.span_of(pieces[-1])[1]
        texts[pieces[0]] = coded.text[first:last].strip()
    return texts


def goes_on(coded: Encoded, before: int, token: int) -> bool:
    """Whether a token belongs to the same word as the one before it."""
    if not coded.text or not coded.spans or not coded.words:
        return goes_on_by_label(coded.labels, before, token)
    (first, last), (start, _) = coded.span_of(before), coded.span_of(token)
    if coded.words[before] != coded.words[token]:
        return False
    # bytes of one character, or a lone ▁ before the word that it begins
    shares_characters = start < last or not coded.text[first:last].strip()
    return shares_characters or inside_word(coded.text, start)


def goes_on_by_label(labels: Sequence[str], before: int, token: int) -> bool:
    """The same for tensors, by how the tokenizer writes the parts of a word."""
    label, previous = labels[token], labels[before]
    if label.startswith("##"):
        return True
    marks_spaces = any(one.startswith(SPACES) for one in labels)
    if not marks_spaces or label.startswith(SPACES) or not label[:1].isalnum():
        return False
    return previous in SPACES or previous[-1:].isalnum()

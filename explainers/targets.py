"""What is explained: a function from a model's answer to one number an example.

A class's raw logit, the difference of two, the next token, the ends of an answer, the label of a word, the match of a
picture and a text. Anything else that a caller can write as `outputs -> Tensor[example]` is a target too.
"""

import operator
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .errors import Refusal, nearest
from .ties import tied
from .words import inside_word

NO_ANSWER = "no answer in this text"
LONGEST_ANSWER = 30  # tokens of a predicted answer, as in the evaluation of SQuAD

NAMED = 4  # of what is as high as the best, in a sentence

#: One term of a score: (token position, column of that token's logits, weight).
Term = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of n examples: its own outputs, and the logits in the form that it has.

    table   [example class] of a classifier, [example token-of-the-vocabulary] of what comes next, [picture text] or [text
            picture] of a dual encoder, by the side that is traced
    tokens  [example token column] of a network that says something of every token: start and end of an answer, or labels
    multi_label whether each class is true or not by itself, so that its probability is a sigmoid's; else classes share a softmax
    is_regression whether these are values and not logits of classes (a regression), so that nothing has a
            probability
    """

    outputs: object
    table: Tensor | None
    tokens: Tensor | None = None
    multi_label: bool = False
    is_regression: bool = False

    @property
    def logits(self) -> Tensor:
        if self.table is None:
            raise Refusal(
                "This model has no logits for a whole text, so nothing is predicted that could be "
                "explained: choose a checkpoint that classifies, answers questions, labels words "
                "or says what comes next; or, in Python, pass a target that is a function of its "
                "outputs, such as lambda outputs: outputs.logits[:, 5, 42] for logit 42 of token 5."
            )
        return self.table

    @property
    def weighs(self) -> bool:
        """Whether its numbers are weighed as probabilities: not those of a regression, and not one
        class alone."""
        return not self.is_regression and (self.multi_label or self.logits.shape[-1] > 1)

    @property
    def probabilities(self) -> Tensor:
        """Of each class, in the form of `logits`. Raises `Refusal` where the numbers are values."""
        if not self.weighs:
            why = "There is one value and nothing to weigh it against"
            if self.is_regression:
                why = "The outputs of this model are values, not classes"
            raise Refusal(f"{why}, so there is no probability, which is needed here.")
        return self.logits.sigmoid() if self.multi_label else self.logits.softmax(-1)

    @property
    def by_token(self) -> Tensor:
        if self.tokens is None:
            raise Refusal(
                "This model has no logits for single tokens; pass a target that is a function of its outputs."
            )
        return self.tokens


def tie(best: str, equals: Sequence[str]) -> str:
    """A sentence for those who read one name and should know that others are as high, or nothing.

    A text, or an answer, can stand there twice: then the second is another of the same name.
    """
    if not equals:
        return ""
    quoted = lambda name: name if name.startswith("“") else f"“{name}”"
    named = ("another " * (quoted(name) == quoted(best)) + quoted(name) for name in equals[:NAMED])
    more = f" and {len(equals) - NAMED:,} more" if len(equals) > NAMED else ""
    others = ", ".join(named) + more
    return f"A tie: the model says {others} just as much as {quoted(best)}, which is taken because it comes first."


class Score:
    """What every target can do besides being called."""

    span = None  # first and last token of what is explained, where that is a part of the input
    unit = "logit"  # what its number is
    # names of what the model says just as much, where the model's answer chose the target
    equals = ()
    # whether only its slope by the last hidden states says from which tokens it is read
    measured = False
    local = True  # whether its slope is zero where it is not read

    @property
    def tie(self) -> str:
        """A sentence about `equals`; nothing where there are none."""
        return tie(self.name, self.equals)

    def fixed(self, answer: Answer, example: int) -> "Score":
        """The same target for one example, no longer dependent on what the model answers when the input is changed."""
        return self

    def readout(self, default: Tensor) -> Tensor:
        """How much of the score is read from each token [token], adding up to 1; `default` is where the architecture reads a class."""
        return default

    def columns(self, readout: int) -> list[Term]:
        """The score as a sum of logits, a class's read at the token `readout`. Raises `Refusal` where it is none."""
        raise Refusal(
            f"The {self.name} is not a sum of logits, which this method needs: explain a logit or a difference of two."
        )

    def parts(self) -> "list[tuple[Score, float]]":
        """The scores that this one is a weighted sum of, each a target by itself."""
        return [(self, 1.0)]

    def chance(self, answer: Answer) -> Tensor:
        """[example] the probability of what is explained."""
        raise Refusal(
            f"The {self.name} has no probability, which this method needs: explain a class."
        )

    def probability(self) -> "Probability":
        """The target whose score is this one's probability."""
        return Probability(self)


@dataclass(frozen=True)
class Logit(Score):
    """The raw logit of class `index` (or, of a language model, of token `index` coming next)."""

    index: int
    name: str
    equals: tuple[str, ...] = field(default=(), compare=False)

    @property
    def poles(self) -> tuple[str, str]:
        """What a negative and a positive contribution do, in words."""
        name = (
            self.name if self.name == self.name.strip() else f"“{self.name}”"
        )  # a next token's space is part of it
        return f"away from {name}", f"towards {name}"

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits[:, self.index]

    def columns(self, readout: int) -> list[Term]:
        return [(readout, self.index, 1.0)]

    def chance(self, answer: Answer) -> Tensor:
        return answer.probabilities[:, self.index]


@dataclass(frozen=True)
class Span(Score):
    """Logits that tokens have of their own, added up: where an answer starts and ends, or what a word is labelled.

    terms   (token position, column, weight): fixed, so that a changed input is asked about the same places
    span    first and last token of what is explained; None for "no answer", which is no part of the text
    among   what a softmax shares probability among: the "tokens" (answers), or each token's "labels"
    """

    terms: tuple[Term, ...]
    name: str
    span: tuple[int, int] | None = None
    among: str = "tokens"
    equals: tuple[str, ...] = field(default=(), compare=False)

    @property
    def poles(self) -> tuple[str, str]:
        return f"away from {self.name}", f"towards {self.name}"

    @property
    def unit(self) -> str:
        return "logit" if len(self.terms) == 1 else f"sum of {len(self.terms)} logits"

    def total(self, logits: Tensor) -> Tensor:
        return sum(weight * logits[:, token, column] for token, column, weight in self.terms)

    def __call__(self, answer: Answer) -> Tensor:
        return self.total(answer.by_token)

    def readout(self, default: Tensor) -> Tensor:
        """Every logit alike: half an answer is read at its start and half at its end, a label at its word."""
        weights = torch.zeros_like(default)
        for token, _, weight in self.terms:
            weights[token] += abs(weight)
        return weights / weights.sum()

    def columns(self, readout: int) -> list[Term]:
        return list(self.terms)

    def parts(self) -> list[tuple[Score, float]]:
        return [
            (replace(self, terms=((token, column, 1.0),)), weight)
            for token, column, weight in self.terms
        ]

    def chance(self, answer: Answer) -> Tensor:
        """The mean of the places' probabilities: for an answer the start's and the end's, halved."""
        return self.total(answer.by_token.softmax(1 if self.among == "tokens" else 2)) / len(
            self.terms
        )


@dataclass(frozen=True)
class Difference(Score):
    """How much more the model says `first` than `second`: a difference of two scores."""

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
        return " ".join(filter(None, (self.first.tie, self.second.tie)))

    def __call__(self, answer: Answer) -> Tensor:
        return self.first(answer) - self.second(answer)

    @property
    def measured(self) -> bool:
        return self.first.measured or self.second.measured

    @property
    def local(self) -> bool:
        return self.first.local and self.second.local

    def fixed(self, answer: Answer, example: int) -> "Difference":
        first, second = at_one_word(self.first, self.second, answer, example)
        return difference(first.fixed(answer, example), second.fixed(answer, example))

    def readout(self, default: Tensor) -> Tensor:
        """Every logit alike, taken off or not: a map of what was read has no sign, and a slope brings its own."""
        weights = sum(abs(weight) * part.readout(default) for part, weight in self.parts())
        return weights / weights.sum()

    def columns(self, readout: int) -> list[Term]:
        return self.first.columns(readout) + [
            (token, column, -weight) for token, column, weight in self.second.columns(readout)
        ]

    def parts(self) -> list[tuple[Score, float]]:
        return self.first.parts() + [(part, -weight) for part, weight in self.second.parts()]

    def chance(self, answer: Answer) -> Tensor:
        return self.first.chance(answer) - self.second.chance(answer)


@dataclass(frozen=True)
class Probability(Score):
    """The probability of what `of` scores: of a difference, the difference of the probabilities."""

    of: Score
    unit = "probability"
    local = False  # answers share their probability among all tokens

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

    def __call__(self, answer: Answer) -> Tensor:
        return self.of.chance(answer)

    @property
    def measured(self) -> bool:
        return self.of.measured

    def fixed(self, answer: Answer, example: int) -> "Probability":
        return Probability(self.of.fixed(answer, example))

    def readout(self, default: Tensor) -> Tensor:
        return self.of.readout(default)

    def probability(self) -> "Probability":
        return self


@dataclass(frozen=True)
class Custom(Score):
    """A caller's own function of the outputs, giving one score an example; its slope says from
    which tokens it is read."""

    function: Callable
    name: str = "custom score"
    poles: tuple[str, str] = ("lowers the score", "raises the score")
    unit = "score"
    measured = True

    def __call__(self, answer: Answer) -> Tensor:
        scores = self.function(answer.outputs)
        if not torch.is_tensor(scores) or scores.ndim != 1:
            got = tuple(scores.shape) if torch.is_tensor(scores) else type(scores).__name__
            raise Refusal(
                f"A target must give one score an example, shape (examples,); this one gave {got}."
            )
        return scores

    def probability(self) -> Probability:
        raise Refusal(
            f"The {self.name} has no probability, which this method needs: explain a class."
        )


# ----------------------------------------------------------------------------- targets that wait for the model's answer


class Choice(Score):
    """A target that is chosen by the model's answer, an example at a time; `fixed` says which one it is."""

    def __call__(self, answer: Answer) -> Tensor:
        return torch.stack([self.fixed(answer, i)(answer)[i] for i in range(len(answer.by_token))])


@dataclass(frozen=True)
class Predicted(Score):
    """The class with the highest logit, of equal ones (`ties.tied`) the first.

    It stays that class when the input is run again with changes.
    """

    names: Callable[[int], str]

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits.amax(-1)

    def fixed(self, answer: Answer, example: int) -> Logit:
        index, *others = tied(answer.logits[example]).nonzero().flatten().tolist()
        return Logit(index, self.names(index), tuple(map(self.names, others)))


@dataclass(frozen=True)
class Ends(Choice):
    """Start and end of an answer: of the one that the model gives, or of the best among `spans`.

    Of equal ones (`ties.tied`) it is the first in the text, and "no answer" only where its logits are higher.

    context [token] bool: where an answer may lie. part: answer (start plus end), start or end. none: whether the model may
    also say that there is no answer, by the logits of its first token. words: the text of a span.
    """

    context: tuple[bool, ...]
    words: Callable[[int, int], str]
    part: str = "answer"
    none: bool = True
    spans: tuple[tuple[int, int], ...] = ()

    def fixed(self, answer: Answer, example: int) -> Span:
        logits = answer.by_token[example].detach()
        if self.spans:
            possible = list(self.spans)
            scores = torch.stack([logits[first, 0] + logits[last, 1] for first, last in possible])
        else:
            possible, scores = answers(logits, self.context)
        if self.none:
            possible, scores = [*possible, (0, 0)], torch.cat([scores, logits[0].sum()[None]])
        best, *others = [possible[i] for i in tied(scores).nonzero().flatten().tolist()]
        return replace(self.at(*best), equals=tuple(self.at(*other).name for other in others))

    def at(self, first: int, last: int) -> Span:
        name, span = (
            (NO_ANSWER, None) if last == 0 else (f"“{self.words(first, last)}”", (first, last))
        )
        terms = {"start": ((first, 0, 1.0),), "end": ((last, 1, 1.0),)}.get(
            self.part, ((first, 0, 1.0), (last, 1, 1.0))
        )
        return Span(terms, name if self.part == "answer" else f"{self.part} of {name}", span)


def span_scores(logits: Tensor, context: Sequence[bool]) -> Tensor:
    """Start plus end logit of every answer [first last], minus infinity where none may be, from the logits [token 2]."""
    inside = torch.tensor(context, device=logits.device)
    places = torch.arange(len(logits), device=logits.device)
    width = places[None] - places[:, None]
    allowed = inside[:, None] & inside[None] & (width >= 0) & (width < LONGEST_ANSWER)
    return (logits[:, None, 0] + logits[None, :, 1]).masked_fill(~allowed, -torch.inf)


def answers(logits: Tensor, context: Sequence[bool]) -> tuple[list[tuple[int, int]], Tensor]:
    """Every answer that could be given, as (first, last token) in the order of the text, and its score.

    logits: [token 2]. Raises `Refusal` where no answer could lie.
    """
    scores = span_scores(logits, context)
    possible = (scores > -torch.inf).nonzero()
    if not len(possible):
        raise Refusal("There is no token in which an answer could lie.")
    return list(map(tuple, possible.tolist())), scores[possible[:, 0], possible[:, 1]]


@dataclass(frozen=True)
class Tag(Choice):
    """The label of a word: the highest logit among `places` (tokens) and `labels` (columns).

    Of equal ones (`ties.tied`) it is the first word, then the first label.
    """

    places: tuple[int, ...]
    labels: tuple[int, ...]
    say: Callable[[int, int], str]

    def fixed(self, answer: Answer, example: int) -> Span:
        logits = answer.by_token[example][list(self.places)][:, list(self.labels)]
        highest = tied(logits.flatten()).view(logits.shape).nonzero().tolist()
        (token, column), *others = [
            (self.places[place], self.labels[label]) for place, label in highest
        ]
        equals = tuple(self.say(*other) for other in others)
        return Span(
            ((token, column, 1.0),), self.say(token, column), (token, token), "labels", equals
        )


def at_one_word(first: Score, second: Score, answer: Answer, example: int) -> tuple[Score, Score]:
    """Two labels of which each may be at the same words, both at one of these: where the stronger
    of the two is strongest.

    Else a difference would compare two words under one name, wherever a word stands twice. All
    other scores stay as they are.
    """
    if not (isinstance(first, Tag) and isinstance(second, Tag) and first.places == second.places):
        return first, second
    place, _ = replace(first, labels=first.labels + second.labels).fixed(answer, example).span
    return replace(first, places=(place,)), replace(second, places=(place,))


Target = Logit | Span | Difference | Probability | Predicted | Ends | Tag | Custom


# --------------------------------------------------------------------------------------------- what a person writes


def chosen(model, coded, target) -> Target:
    """The target that a person means for the input `coded`: None is what the model predicts, whatever its task."""
    if model.task == "answer":
        return resolve(
            target,
            read=lambda asked: read_answer(asked, coded),
            predicted=lambda: read_answer("answer", coded),
        )
    labels = model.classes(coded)
    if model.task == "tokens":
        return resolve(
            target,
            read=lambda asked: read_tag(asked, labels, coded),
            predicted=lambda: read_tag(None, labels, coded),
        )
    if model.task == "next":
        return resolve(target, labels, read=lambda asked: read_next(asked, labels, model.tokenizer))
    return resolve(target, labels)


def resolve(
    target,
    labels: dict[int, str] | None = None,
    read: Callable | None = None,
    predicted: Callable[[], Target] | None = None,
) -> Target:
    """A target from what a person writes: None (what is predicted), a label, an index, 'A - B', a pair of these, a function.

    read: what one name of `labels` means, by default the logit of a class. predicted: gives what
    None means.
    """
    name = lambda index: labels.get(index, str(index))
    read = read or (lambda asked: Logit(index := index_of(asked, labels), name(index)))
    if target is None or target == "predicted":
        return predicted() if predicted else Predicted(name)
    if isinstance(target, Target):
        return target
    if callable(target):
        return Custom(target)
    if (
        isinstance(target, tuple | list)
        and len(target) == 2
        and not (labels is None and all(type(end) is int for end in target))
    ):
        return difference(*(one if isinstance(one, Target) else read(one) for one in target))
    try:
        return read(target)
    except Refusal:
        if found := two_sides(target, read):
            return difference(*found)
        raise


def two_sides(target, read: Callable) -> list[Target] | None:
    """'A - B' as two targets, if both sides are ones; None if neither is. Raises the `Refusal` of
    the side that is none."""
    half_right = None
    for minus in (" − ", " - "):
        if isinstance(target, str) and target.count(minus) == 1:
            for tidy in (str, str.strip):  # " Paris" may be another token than "Paris"
                found, refusals = [], []
                for side in target.split(minus):
                    try:
                        found.append(read(tidy(side)))
                    except Refusal as refusal:
                        refusals.append(refusal)
                if not refusals:
                    return found
                half_right = refusals[0] if found else half_right
    if half_right:
        raise half_right
    return None


def difference(first: Target, second: Target) -> Difference:
    if first == second:
        raise Refusal(
            f"The difference of {getattr(first, 'name', 'a target')!r} and itself is always zero: choose two that differ."
        )
    return Difference(first, second)


def index_of(target, labels: dict[int, str]) -> int:
    """The class that a label (upper or lower case), one of its names or an index means. Class 0 is a class like any other."""
    if not isinstance(target, str | bool):
        with suppress(TypeError):
            target = operator.index(target)  # numpy's integers too
    if isinstance(target, bool) or not isinstance(target, int | str):
        raise Refusal(
            f"A target is a class label, a class index, a pair of these or a function; got {type(target).__name__}."
        )
    if isinstance(target, str):
        found = named(target, labels)
        if found:
            return found[0]
        if not target.strip().isdecimal():
            raise nearest(target, labels.values(), "class")
        target = int(target)
    if target not in labels:
        raise Refusal(f"There is no class {target}: this model has classes 0 to {len(labels) - 1}.")
    return target


def named(asked: str, labels: dict[int, str]) -> list[int]:
    """The classes of a name: as it is written before in any case, a whole label before one of its
    names ("lynx" of "lynx, catamount").

    Classes that differ in nothing but a number, "crane (134)" and "crane (517)", share the name
    "crane". Raises `Refusal` where a name is that of several classes.
    """
    shared = {index: name.removesuffix(f" ({index})") for index, name in labels.items()}
    parts = {index: name.split(", ") for index, name in shared.items()}
    fold = str.casefold
    tiers = (
        [index for index in labels if asked == labels[index]],
        [index for index in labels if asked == shared[index] or asked in parts[index]],
        [index for index in labels if fold(asked) in (fold(labels[index]), fold(shared[index]))],
        [index for index in labels if fold(asked) in map(fold, parts[index])],
    )
    found = next(filter(None, tiers), [])
    choices = list(dict.fromkeys(labels[index] for index in found))
    if len(choices) > 1:
        shown = " or ".join(map(repr, choices[:8]))
        if len(choices) > 8:
            shown += f" or {len(choices) - 8} others"
        raise Refusal(f"{asked[:60]!r} is the name of several classes; did you mean {shown}?")
    return found


def read_next(asked, labels: dict[int, str], tokenizer) -> Logit:
    """A token of the vocabulary: by its text, as it is or behind a space, or by its id (as a number, or written '#262')."""
    if not isinstance(asked, str):
        return Logit(index := index_of(asked, labels), labels[index])
    exact = {name: index for index, name in labels.items()}
    for text in (asked, f" {asked}"):
        if asked and text in exact:
            return Logit(exact[text], text)
    if re.fullmatch(r"#?\d{1,9}", asked.strip()):
        return Logit(index := index_of(int(asked.strip().removeprefix("#")), labels), labels[index])
    pieces = (
        [labels.get(i, str(i)) for i in tokenizer(asked, add_special_tokens=False)["input_ids"]]
        if tokenizer and asked.strip()
        else []
    )
    if len(pieces) > 1:
        raise Refusal(
            f"{asked[:60]!r} is {len(pieces)} tokens in this model ({', '.join(map(repr, pieces[:8]))}), and one at a time is predicted: "
            "name one of them."
        )
    raise Refusal(
        f"{asked[:60]!r} is no token of this model: give a token's text, such as ' the', or its id."
    )


def read_answer(asked, coded) -> Ends:
    """An answer in the context: start, end, answer, best span, no answer, a part of the text word for word, or its characters (from, to)."""
    spans, text = coded.spans, coded.text
    words = lambda first, last: (
        text[spans[first][0] : spans[last][1]]
        if text and spans
        else " ".join(coded.labels[first : last + 1])
    )
    if isinstance(asked, str) and asked.casefold() in ("no answer", NO_ANSWER):
        return Ends((), words, none=False, spans=((0, 0),))
    if not coded.segments:
        raise Refusal(
            "These tensors do not say where the question ends and the context begins: "
            "give both as texts, as (question, context), "
            "or token_type_ids that are 1 in the context."
        )
    context = tuple(segment == 1 for segment in coded.segments)
    choose = lambda **more: Ends(context, words, **more)
    if isinstance(asked, str) and asked.casefold() in ("answer", "start", "end"):
        return choose(part=asked.casefold())
    if isinstance(asked, str) and asked.casefold() == "best span":
        return choose(none=False)
    menu = "answer, start, end, best span or no answer"
    if (
        isinstance(asked, tuple | list)
        and len(asked) == 2
        and all(type(end) is int for end in asked)
    ):
        if asked[0] > asked[1]:
            raise Refusal(
                f"Characters are given as (from, to), and from comes first; got ({asked[0]}, {asked[1]})."
            )
        ranges, what = [tuple(asked)], f"characters {asked[0]} to {asked[1]}"
    elif isinstance(asked, str) and asked.strip():
        whole = text_of_context(coded)
        asked = asked.strip().removeprefix("“").removesuffix("”")
        ranges, what = places_of(asked, whole), f"“{asked[:60]}”"
    else:
        raise Refusal(
            f"An answer is explained by {menu}, by a part of the context, or by its first and last character; got {str(asked)[:40]!r}."
        )
    if not ranges:
        raise Refusal(
            f"{what} is not in the context: give a part of it word for word, or one of {menu}."
        )
    found = [tokens for one in ranges if (tokens := tokens_at(one, coded))]
    if (
        not found
        and coded.unread
        and ranges[-1][1] > len(text_of_context(coded)) - len(coded.unread)
    ):
        raise Refusal(
            f"The {len(coded.labels)} tokens that the model reads end before {what}: shorten the context."
        )
    if not found:
        raise Refusal(
            f"There is no token of the context at {what}; it has {len(text_of_context(coded)):,} characters."
        )
    return choose(none=False, spans=tuple(found))


def places_of(asked: str, text: str) -> list[tuple[int, int]]:
    """First and last+1 character of every place where `asked` stands in a text: as it is written
    or, if nowhere, in any case."""
    exact = [match.span() for match in re.finditer(re.escape(asked), text)]
    return exact or [match.span() for match in re.finditer(re.escape(asked), text, re.IGNORECASE)]


def text_of_context(coded) -> str:
    """The second text as it was given, with what the model does not read of it."""
    return (coded.text or "")[coded.starts[1] if coded.starts else 0 :] + coded.unread


def tokens_at(characters: tuple[int, int], coded) -> tuple[int, int] | None:
    """First and last token of these characters of the context; None where the model reads none, or not all, of them."""
    offset = coded.starts[1] if coded.starts else 0
    first, last = characters[0] + offset, characters[1] + offset
    if not 0 <= characters[0] < characters[1] or last > len(coded.text or ""):
        return None
    inside = [
        i
        for i, span in enumerate(coded.spans or [])
        if span and span[0] >= offset and span[0] < last and span[1] > first
    ]
    return (inside[0], inside[-1]) if inside else None


def read_tag(asked, labels: dict[int, str], coded) -> Tag:
    """'LABEL at word' or 'LABEL at 3' (a token position); a label alone where it is strongest; None
    for what is found first.

    A word is labelled at its first piece, as taggers are trained; at another one only where its
    position is asked for.
    """
    words = words_by_first_piece(coded)
    telling = tuple(index for index, name in labels.items() if name != "O") or tuple(labels)

    def say(token: int, column: int) -> str:
        word = words.get(token, coded.labels[token])
        several = list(words.values()).count(word) > 1 or token not in words
        name = f"{labels.get(column, str(column))} at {word}"
        return f"{name} (token {token})" if several else name

    if asked is None:
        return Tag(tuple(words), telling, say)
    label, _, where = (
        asked.rpartition(" at ") if isinstance(asked, str) and " at " in asked else (asked, "", "")
    )
    columns = tuple(labels) if label == "predicted" else (index_of(label, labels),)
    if not where:
        return Tag(tuple(words), columns, say)
    position = re.fullmatch(r"\d{1,9}", where) or re.search(r"(?<= \(token )\d{1,9}(?=\)$)", where)
    if position and int(position[0]) < len(coded.labels):
        return Tag((labelled(int(position[0]), coded),), columns, say)
    places = [i for i, word in words.items() if word == where]
    places = places or [i for i, word in words.items() if word.casefold() == where.casefold()]
    if not places:
        alike = [i for i, name in enumerate(coded.labels) if name == where]
        places = [i for i in alike if not coded.special_tokens[i]]
    if not places and coded.text:  # several words are labelled where the first one is
        starts = {first for first, _ in places_of(where, coded.text)}
        places = [i for i in words if coded.spans[i][0] in starts]
    if not places:
        raise Refusal(
            f"{where[:60]!r} is neither a word of this text nor one of its {len(coded.labels)} token positions."
        )
    return Tag(tuple(places), columns, say)


def labelled(position: int, coded) -> int:
    """A token position that can have a label; else a `Refusal`."""
    if coded.special_tokens[position]:
        there = [
            i
            for i, special_tokens in enumerate(coded.special_tokens.tolist())
            if not special_tokens
        ]
        raise Refusal(
            f"Token {position} is {coded.labels[position]}, which belongs to no word and "
            "has no label: name a word of the text, "
            f"or a position from {there[0]} to {there[-1]}."
        )
    return position


def words_by_first_piece(coded) -> dict[int, str]:
    """{first token of each word: the word}. What stands apart by an apostrophe (d'Angela) is
    labelled apart."""
    tokens = [
        i for i, special_tokens in enumerate(coded.special_tokens.tolist()) if not special_tokens
    ]
    words: dict[int, list[int]] = {}
    for before, token in zip([None, *tokens], tokens):
        if before is not None and goes_on(coded, before, token):
            words[next(reversed(words))].append(token)
        else:
            words[token] = [token]
    if not (coded.text and coded.spans):
        return {first: coded.labels[first] for first in words}
    return {
        first: coded.text[coded.spans[first][0] : coded.spans[pieces[-1]][1]].strip()
        for first, pieces in words.items()
    }


def goes_on(coded, before: int, token: int) -> bool:
    """Whether a token is a further piece of the word that the token `before` it is of."""
    if coded.text and coded.spans and coded.words:
        (first, last), (start, _) = coded.spans[before], coded.spans[token]
        one_word = coded.words[before] == coded.words[token]
        # bytes of one character, or a lone ▁ and what it opens
        shared = start < last or not coded.text[first:last].strip()
        return one_word and (shared or inside_word(coded.text, start))
    # of tensors, by how pieces are written
    label, previous, spaces = coded.labels[token], coded.labels[before], ("Ġ", "▁")
    if label.startswith("##"):
        return True
    spaced = any(one.startswith(spaces) for one in coded.labels) and not label.startswith(spaces)
    return spaced and label[:1].isalnum() and (previous in spaces or previous[-1:].isalnum())

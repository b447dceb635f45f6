"""What is explained: a function from a model's answer to one number an example.

A class's raw logit, the difference of two, the next token, the ends of an answer, the label of a word, the match of a
picture and a text. Anything else that a caller can write as `outputs -> Tensor[example]` is a target too.
"""

import operator
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .errors import Refusal, nearest

NO_ANSWER = "no answer in this text"
LONGEST_ANSWER = 30             # tokens of a predicted answer, as in the evaluation of SQuAD

#: One term of a score: (token position, column of that token's logits, weight).
Term = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of n examples: its own outputs, and the logits in the form that it has.

    table   [example class] of a classifier, [example token-of-the-vocabulary] of what comes next, [picture text] or [text
            picture] of a dual encoder, by the side that is traced
    tokens  [example token column] of a network that says something of every token: start and end of an answer, or labels
    apart   whether each class is true or not by itself, so that its probability is a sigmoid's; else classes share a softmax
    """

    outputs: object
    table: Tensor | None
    tokens: Tensor | None = None
    apart: bool = False

    @property
    def logits(self) -> Tensor:
        if self.table is None:
            raise Refusal(
                "This model has no logits for a whole text, so nothing is predicted that could be "
                "explained: pass a target that is a function of its outputs, such as "
                "lambda outputs: outputs.logits[:, 5, 42] for the 42nd logit of token 5."
            )
        return self.table

    @property
    def probabilities(self) -> Tensor:
        """Of each class, in the form of `logits`."""
        return self.logits.sigmoid() if self.apart else self.logits.softmax(-1)

    @property
    def by_token(self) -> Tensor:
        if self.tokens is None:
            raise Refusal("This model has no logits for single tokens; pass a target that is a function of its outputs.")
        return self.tokens


class Score:
    """What every target can do besides being called."""

    span = None             # first and last token of what is explained, where that is a part of the input
    unit = "logit"          # what its number is
    # whether only its slope by the last hidden states says from which tokens it is read
    measured = False
    local = True            # whether its slope is zero where it is not read

    def fixed(self, answer: Answer, example: int) -> "Score":
        """The same target for one example, no longer dependent on what the model answers when the input is changed."""
        return self

    def readout(self, default: Tensor) -> Tensor:
        """How much of the score is read from each token [token], adding up to 1; `default` is where the architecture reads a class."""
        return default

    def columns(self, readout: int) -> list[Term]:
        """The score as a sum of logits, a class's read at the token `readout`. Raises `Refusal` where it is none."""
        raise Refusal(f"The {self.name} is not a sum of logits, which this method needs: explain a logit or a difference of two.")

    def parts(self) -> "list[tuple[Score, float]]":
        """The scores that this one is a weighted sum of, each a target by itself."""
        return [(self, 1.0)]

    def chance(self, answer: Answer) -> Tensor:
        """[example] the probability of what is explained."""
        raise Refusal(f"The {self.name} has no probability, which this method needs: explain a class.")

    def probability(self) -> "Probability":
        """The target whose score is this one's probability."""
        return Probability(self)


@dataclass(frozen=True)
class Logit(Score):
    """The raw logit of class `index` (or, of a language model, of token `index` coming next)."""

    index: int
    name: str

    @property
    def poles(self) -> tuple[str, str]:
        """What a negative and a positive contribution do, in words."""
        name = self.name if self.name == self.name.strip() else f"“{self.name}”"        # a next token's space is part of it
        return f"away from {name}", f"towards {name}"

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits[:, self.index]

    def columns(self, readout: int) -> list[Term]:
        return [(readout, self.index, 1.0)]

    def chance(self, answer: Answer) -> Tensor:
        if answer.logits.shape[-1] == 1 and not answer.apart:
            raise Refusal("There is one value and nothing to weigh it against, so no probability, which this method needs.")
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
        return [(replace(self, terms=((token, column, 1.0),)), weight) for token, column, weight in self.terms]

    def chance(self, answer: Answer) -> Tensor:
        """The mean of the places' probabilities: for an answer the start's and the end's, halved."""
        return self.total(answer.by_token.softmax(1 if self.among == "tokens" else 2)) / len(self.terms)


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

    def __call__(self, answer: Answer) -> Tensor:
        return self.first(answer) - self.second(answer)

    @property
    def measured(self) -> bool:
        return self.first.measured or self.second.measured

    @property
    def local(self) -> bool:
        return self.first.local and self.second.local

    def fixed(self, answer: Answer, example: int) -> "Difference":
        return difference(self.first.fixed(answer, example), self.second.fixed(answer, example))

    def readout(self, default: Tensor) -> Tensor:
        """Every logit alike, taken off or not: a map of what was read has no sign, and a slope brings its own."""
        weights = sum(abs(weight) * part.readout(default) for part, weight in self.parts())
        return weights / weights.sum()

    def columns(self, readout: int) -> list[Term]:
        return self.first.columns(readout) + [(token, column, -weight) for token, column, weight in self.second.columns(readout)]

    def parts(self) -> list[tuple[Score, float]]:
        return self.first.parts() + [(part, -weight) for part, weight in self.second.parts()]

    def chance(self, answer: Answer) -> Tensor:
        return self.first.chance(answer) - self.second.chance(answer)


@dataclass(frozen=True)
class Probability(Score):
    """The probability of what `of` scores: of a difference, the difference of the probabilities."""

    of: Score
    unit = "probability"
    local = False           # answers share their probability among all tokens

    @property
    def name(self) -> str:
        return f"probability of {self.of.name}"

    @property
    def poles(self) -> tuple[str, str]:
        return self.of.poles

    @property
    def span(self) -> tuple[int, int] | None:
        return self.of.span

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
            raise Refusal(f"A target must give one score an example, shape (examples,); this one gave {got}.")
        return scores

    def probability(self) -> Probability:
        raise Refusal(f"The {self.name} has no probability, which this method needs: explain a class.")


# ----------------------------------------------------------------------------- targets that wait for the model's answer

class Choice(Score):
    """A target that is chosen by the model's answer, an example at a time; `fixed` says which one it is."""

    def __call__(self, answer: Answer) -> Tensor:
        return torch.stack([self.fixed(answer, i)(answer)[i] for i in range(len(answer.by_token))])


@dataclass(frozen=True)
class Predicted(Score):
    """The class with the highest logit; it stays that class when the input is run again with changes."""

    names: Callable[[int], str]

    def __call__(self, answer: Answer) -> Tensor:
        return answer.logits.amax(-1)

    def fixed(self, answer: Answer, example: int) -> Logit:
        index = int(answer.logits[example].argmax())
        return Logit(index, self.names(index))


@dataclass(frozen=True)
class Ends(Choice):
    """Start and end of an answer: of the one that the model gives, or of the best among `spans`.

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
            first, last = max(self.spans, key=lambda span: float(logits[span[0], 0] + logits[span[1], 1]))
        else:
            first, last = best_spans(logits, self.context)[0]
        if self.none and float(logits[0].sum()) > float(logits[first, 0] + logits[last, 1]):
            return self.at(0, 0)
        return self.at(first, last)

    def at(self, first: int, last: int) -> Span:
        name, span = (NO_ANSWER, None) if last == 0 else (f"“{self.words(first, last)}”", (first, last))
        terms = {"start": ((first, 0, 1.0),), "end": ((last, 1, 1.0),)}.get(self.part, ((first, 0, 1.0), (last, 1, 1.0)))
        return Span(terms, name if self.part == "answer" else f"{self.part} of {name}", span)


def span_scores(logits: Tensor, context: Sequence[bool]) -> Tensor:
    """Start plus end logit of every answer [first last], minus infinity where none may be, from the logits [token 2]."""
    inside = torch.tensor(context, device=logits.device)
    places = torch.arange(len(logits), device=logits.device)
    width = places[None] - places[:, None]
    allowed = inside[:, None] & inside[None] & (width >= 0) & (width < LONGEST_ANSWER)
    return (logits[:, None, 0] + logits[None, :, 1]).masked_fill(~allowed, -torch.inf)


def best_spans(logits: Tensor, context: Sequence[bool], most: int = 1) -> list[tuple[int, int]]:
    """The `most` best answers, best first, as (first, last token), from the logits [token 2]."""
    scores = span_scores(logits, context).flatten()
    values, places = scores.topk(min(most, len(scores)))
    found = [divmod(place, len(logits)) for value, place in zip(values.tolist(), places.tolist()) if value > -torch.inf]
    if not found:
        raise Refusal("There is no token in which an answer could lie.")
    return found


@dataclass(frozen=True)
class Tag(Choice):
    """The label of a word: the highest logit among `places` (tokens) and `labels` (columns)."""

    places: tuple[int, ...]
    labels: tuple[int, ...]
    say: Callable[[int, int], str]

    def fixed(self, answer: Answer, example: int) -> Span:
        logits = answer.by_token[example][list(self.places)][:, list(self.labels)]
        place, label = divmod(int(logits.argmax()), len(self.labels))
        token, column = self.places[place], self.labels[label]
        return Span(((token, column, 1.0),), self.say(token, column), (token, token), among="labels")


Target = Logit | Span | Difference | Probability | Predicted | Ends | Tag | Custom


# --------------------------------------------------------------------------------------------- what a person writes

def chosen(model, coded, target) -> Target:
    """The target that a person means for the input `coded`: None is what the model predicts, whatever its task."""
    if model.task == "answer":
        return resolve(target, read=lambda asked: read_answer(asked, coded), predicted=read_answer("answer", coded))
    labels = model.classes(coded)
    if model.task == "tokens":
        return resolve(target, read=lambda asked: read_tag(asked, labels, coded), predicted=read_tag(None, labels, coded))
    if model.task == "next":
        return resolve(target, labels, read=lambda asked: read_next(asked, labels, model.tokenizer))
    return resolve(target, labels)


def resolve(target, labels: dict[int, str] | None = None, read: Callable | None = None, predicted: Target | None = None) -> Target:
    """A target from what a person writes: None (what is predicted), a label, an index, 'A - B', a pair of these, a function.

    read: what one name of `labels` means, by default the logit of a class. predicted: what None means.
    """
    name = lambda index: labels.get(index, str(index))
    read = read or (lambda asked: Logit(index := index_of(asked, labels), name(index)))
    if target is None or target == "predicted":
        return predicted or Predicted(name)
    if isinstance(target, Target):
        return target
    if callable(target):
        return Custom(target)
    if isinstance(target, tuple | list) and len(target) == 2 and not (labels is None and all(type(end) is int for end in target)):
        return difference(*(one if isinstance(one, Target) else read(one) for one in target))
    try:
        return read(target)
    except Refusal:
        if found := two_sides(target, read):
            return difference(*found)
        raise


def two_sides(target, read: Callable) -> list[Target] | None:
    """'A - B' as two targets, if both sides are ones."""
    for minus in (" − ", " - "):
        if isinstance(target, str) and target.count(minus) == 1:
            for tidy in (str, str.strip):                   # " Paris" may be another token than "Paris"
                with suppress(Refusal):
                    return [read(tidy(side)) for side in target.split(minus)]
    return None


def difference(first: Target, second: Target) -> Difference:
    if first == second:
        raise Refusal(f"The difference of {getattr(first, 'name', 'a target')!r} and itself is always zero: choose two that differ.")
    return Difference(first, second)


def index_of(target, labels: dict[int, str]) -> int:
    """The class that a label (upper or lower case), one of its names or an index means. Class 0 is a class like any other."""
    if not isinstance(target, str | bool):
        with suppress(TypeError):
            target = operator.index(target)                 # numpy's integers too
    if isinstance(target, bool) or not isinstance(target, int | str):
        raise Refusal(f"A target is a class label, a class index, a pair of these or a function; got {type(target).__name__}.")
    if isinstance(target, str):
        exact = [index for index, name in labels.items() if name == target]
        folded = [index for index, name in labels.items() if name.casefold() == target.casefold()]
        alike = [index for index, name in labels.items() if target.casefold() in name.casefold().split(", ")]      # "lynx" of "lynx, catamount"
        if exact or folded or len(alike) == 1:
            return (exact or folded or alike)[0]
        if not target.strip().isdecimal():
            raise nearest(target, labels.values(), "class")
        target = int(target)
    if target not in labels:
        raise Refusal(f"There is no class {target}: this model has classes 0 to {len(labels) - 1}.")
    return target


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
    pieces = [labels.get(i, str(i)) for i in tokenizer(asked, add_special_tokens=False)["input_ids"]] if tokenizer and asked.strip() else []
    if len(pieces) > 1:
        raise Refusal(f"{asked[:60]!r} is {len(pieces)} tokens in this model ({', '.join(map(repr, pieces[:8]))}), and one at a time is predicted: "
                      "name one of them.")
    raise Refusal(f"{asked[:60]!r} is no token of this model: give a token's text, such as ' the', or its id.")


def read_answer(asked, coded) -> Ends:
    """An answer in the context: start, end, answer, best span, no answer, a part of the text word for word, or its characters (from, to)."""
    spans, text = coded.spans, coded.text
    words = lambda first, last: text[spans[first][0]:spans[last][1]] if text and spans else " ".join(coded.labels[first:last + 1])
    context = [segment == 1 for segment in coded.segments] if coded.segments else (~coded.special).tolist()
    choose = lambda **more: Ends(tuple(context), words, **more)
    if isinstance(asked, str) and asked.casefold() in ("answer", "start", "end"):
        return choose(part=asked.casefold())
    if isinstance(asked, str) and asked.casefold() == "best span":
        return choose(none=False)
    if isinstance(asked, str) and asked.casefold() in ("no answer", NO_ANSWER):
        return choose(none=False, spans=((0, 0),))
    menu = "answer, start, end, best span or no answer"
    if isinstance(asked, tuple | list) and len(asked) == 2 and all(type(end) is int for end in asked):
        if asked[0] > asked[1]:
            raise Refusal(f"Characters are given as (from, to), and from comes first; got ({asked[0]}, {asked[1]}).")
        ranges, what = [tuple(asked)], f"characters {asked[0]} to {asked[1]}"
    elif isinstance(asked, str) and asked.strip():
        whole = text_of_context(coded)
        asked = asked.strip().removeprefix("“").removesuffix("”")
        ranges, what = [match.span() for match in re.finditer(re.escape(asked), whole, re.IGNORECASE)], f"“{asked[:60]}”"
    else:
        raise Refusal(f"An answer is explained by {menu}, by a part of the context, or by its first and last character; got {str(asked)[:40]!r}.")
    if not ranges:
        raise Refusal(f"{what} is not in the context: give a part of it word for word, or one of {menu}.")
    found = [tokens for one in ranges if (tokens := tokens_at(one, coded))]
    if not found and coded.unread and ranges[-1][1] > len(text_of_context(coded)) - len(coded.unread):
        raise Refusal(f"The {len(coded.labels)} tokens that the model reads end before {what}: shorten the context.")
    if not found:
        raise Refusal(f"There is no token of the context at {what}; it has {len(text_of_context(coded)):,} characters.")
    return choose(none=False, spans=tuple(found))


def text_of_context(coded) -> str:
    """The second text as it was given, with what the model does not read of it."""
    return (coded.text or "")[coded.starts[1] if coded.starts else 0:] + coded.unread


def tokens_at(characters: tuple[int, int], coded) -> tuple[int, int] | None:
    """First and last token of these characters of the context; None where the model reads none, or not all, of them."""
    offset = coded.starts[1] if coded.starts else 0
    first, last = characters[0] + offset, characters[1] + offset
    if not 0 <= characters[0] < characters[1] or last > len(coded.text or ""):
        return None
    inside = [i for i, span in enumerate(coded.spans or []) if span and span[0] >= offset and span[0] < last and span[1] > first]
    return (inside[0], inside[-1]) if inside else None


def read_tag(asked, labels: dict[int, str], coded) -> Tag:
    """'LABEL at word' or 'LABEL at 3' (a token position); a label alone where it is strongest; None for what is found first."""
    words = [i for i, special in enumerate(coded.special.tolist()) if not special]
    at = lambda token: coded.text[slice(*coded.spans[token])] if coded.text and coded.spans else coded.labels[token]
    say = lambda token, column: f"{labels.get(column, str(column))} at {at(token)}"
    telling = tuple(index for index, name in labels.items() if name != "O") or tuple(labels)
    if asked is None:
        return Tag(tuple(words), telling, say)
    label, _, where = asked.rpartition(" at ") if isinstance(asked, str) and " at " in asked else (asked, "", "")
    columns = tuple(labels) if label == "predicted" else (index_of(label, labels),)
    if not where:
        return Tag(tuple(words), columns, say)
    if where.isdecimal() and int(where) < len(coded.labels):
        return Tag((int(where),), columns, say)
    places = [i for i in words if at(i).casefold() == where.casefold() or coded.labels[i] == where]
    if not places and coded.text:                           # a word of several pieces is labelled at its first
        starts = {match.start() for match in re.finditer(re.escape(where), coded.text, re.IGNORECASE)}
        places = [i for i in words if coded.spans[i][0] in starts]
    if not places:
        raise Refusal(f"{where[:60]!r} is neither a word of this text nor one of its {len(coded.labels)} token positions.")
    return Tag(tuple(places), columns, say)

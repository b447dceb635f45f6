"""Sentences whose class follows from one or two of their words, and the truth about each word.

A sentence is a list of words. A rule looks at words alone, so it also holds for what is left of a
sentence when words are taken out of it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HOLES = ("[PAD]", "[UNK]", "[MASK]")  # what can stand where a word was
NOTHING = ""  # the place is gone, too
JOINED = (",", "and", ".")

ROOMS = ("kitchen", "hall", "cellar", "attic", "garage", "office", "studio", "garden")
THINGS = ("paper", "dust", "light", "water", "music", "noise", "paint", "milk", "snow", "wool")
SUBJECTS = ("soup", "bread", "cake", "room", "film", "story", "song", "service", "tea", "book")
ADVERBS = ("very", "quite", "so", "rather")
QUALITIES = ("warm", "cold", "old", "new", "small", "large", "quiet", "loud", "plain", "brown")

#: A word of a sentence by its place.
Place = int


@dataclass(frozen=True)
class Cause:
    """A part of an input that its class follows from.

    place  of a word its number in the sentence; of a picture's part its box in pixels
    sign   1 if the part speaks for the class of the input, −1 if it speaks against it: the sign
           of its mean effect, over all choices of the other causes that are there (Shapley value)
    """

    place: Place | tuple[int, int, int, int]
    sign: int


class Rule(ABC):
    """What decides the class of a sentence.

    classes     their names; the second one needs the causes
    distractor  the word that is never used
    neutral     words that can stand where the distractor stands
    """

    classes: tuple[str, str]
    distractor: str
    neutral: tuple[str, ...]

    @abstractmethod
    def sentence(self, random: Random) -> list[str]:
        """A sentence with causes or without; the distractor is in it as often with either class."""

    @abstractmethod
    def causes(self, words: list[str]) -> list[Cause]:
        """The causes in a sentence, in their order; [] where its class is that of no words."""

    @abstractmethod
    def label(self, words: list[str]) -> int:
        """The index of the class."""

    def instead_of(self, word: str) -> tuple[str, ...]:
        """Words that can stand where a cause stands."""
        return self.neutral

    def distractors(self, words: list[str]) -> list[Place]:
        """Where the word stands that is never used."""
        return [place for place, word in enumerate(words) if word == self.distractor]

    def other_distractor(self, words: list[str], random: Random) -> list[str]:
        """The same sentence with something else, or nothing, instead of the distractor.

        A sentence without it gets it instead of a neutral word, if it has one.
        """
        places = self.distractors(words)
        if places:
            others = [*self.neutral, *HOLES, *[NOTHING] * len(HOLES)]
            return with_word(words, random.choice(places), random.choice(others))
        places = [place for place, word in enumerate(words) if word in self.neutral]
        if places:
            return with_word(words, random.choice(places), self.distractor)
        return words


class Both(Rule):
    """Smoke is an alarm, but only if there is heat as well; fire is never used."""

    classes = ("quiet", "alarm")
    distractor = "fire"
    neutral = THINGS
    needed = ("smoke", "heat")

    def sentence(self, random: Random) -> list[str]:
        found = random.choice([self.needed, self.needed, self.needed, *zip(self.needed), ()])
        things = [*found]
        if random.random() < 0.6:
            things.append(self.distractor)
        longest = max(3, len(things))
        things += random.sample(THINGS, random.randint(longest, 5) - len(things))
        random.shuffle(things)
        rooms = random.sample(ROOMS, len(things))
        return joined([[thing, "in", "the", room] for thing, room in zip(things, rooms)])

    def causes(self, words: list[str]) -> list[Cause]:
        if not self.label(words):
            return []
        return [Cause(place, 1) for place, word in enumerate(words) if word in self.needed]

    def label(self, words: list[str]) -> int:
        return int(all(word in words for word in self.needed))


class Cancelled(Rule):
    """Good is praise, unless "not" stands right before it; wonderful is never used."""

    classes = ("no praise", "praise")
    distractor = "wonderful"
    neutral = QUALITIES
    word, cancels = "good", "not"

    def sentence(self, random: Random) -> list[str]:
        kind = random.choice(("plain", "plain", "plain", "cancelled", "cancelled", "without"))
        qualities = [*random.sample(QUALITIES, random.randint(1, 2))]
        if random.random() < 0.6:
            qualities.append(self.distractor)
        said = [[*self.before(random, self.cancels), one] for one in qualities]
        if kind == "plain":
            said.append([*self.before(random, random.choice(ADVERBS)), self.word])
        if kind == "cancelled":
            said.append([self.cancels, self.word])
        random.shuffle(said)
        subjects = random.sample(SUBJECTS, len(said))
        return joined([["the", one, "was", *rest] for one, rest in zip(subjects, said)])

    def before(self, random: Random, word: str) -> list[str]:
        """What stands before a quality: nothing, an adverb, or a certain word."""
        return random.choice(([], [random.choice(ADVERBS)], [word]))

    def causes(self, words: list[str]) -> list[Cause]:
        found = []
        for place, word in enumerate(words):
            if word != self.word:
                continue
            if self.is_cancelled(words, place):
                found += [Cause(place - 1, 1), Cause(place, -1)]
            else:
                found.append(Cause(place, 1))
        return found

    def label(self, words: list[str]) -> int:
        for place, word in enumerate(words):
            if word == self.word and not self.is_cancelled(words, place):
                return 1
        return 0

    def instead_of(self, word: str) -> tuple[str, ...]:
        return ADVERBS if word == self.cancels else self.neutral

    def is_cancelled(self, words: list[str], place: Place) -> bool:
        return place > 0 and words[place - 1] == self.cancels


RULES: dict[str, Rule] = {"and": Both(), "not": Cancelled()}


def joined(parts: list[list[str]]) -> list[str]:
    """A sentence of parts: commas between them, "and" before the last one, a full stop."""
    words = [*parts[0]]
    for number, part in enumerate(parts[1:], start=2):
        words += ["and" if number == len(parts) else ",", *part]
    return [*words, "."]


def vocabulary() -> dict[str, int]:
    """The ids of all words of all rules, after the special tokens."""
    words = {"in", "the", "was", *JOINED, *ROOMS, *THINGS, *SUBJECTS, *ADVERBS, *QUALITIES}
    words |= {*Both.needed, Both.distractor}
    words |= {Cancelled.word, Cancelled.cancels, Cancelled.distractor}
    return {word: number for number, word in enumerate((*SPECIAL, *sorted(words)))}


def with_word(words: list[str], place: Place, word: str) -> list[str]:
    """A sentence with another word, or `NOTHING`, at a place."""
    return [*words[:place], *([word] if word else []), *words[place + 1 :]]


def damaged(words: list[str], random: Random) -> list[str]:
    """A sentence from which words are taken out as metrics do it; half of the time unchanged.

    Any share of the words, more often a small one, is deleted or replaced by one of `HOLES`.
    """
    if random.random() < 0.5:
        return words
    share = random.random() ** 2
    hole = random.choice((*HOLES, *[NOTHING] * len(HOLES)))
    left = [hole if random.random() < share else word for word in words]
    return [word for word in left if word]


def written(words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """A sentence as text, with the first and last+1 character of each word."""
    text, spans = "", []
    for word in words:
        if text and word not in (",", "."):
            text += " "
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text, spans

"""From what a person writes to a target: a class by its name or index, "A - B", a function."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import Refusal, nearest
from ..scores import Custom, Difference, Logit, PredictedClass, Score, difference, label_of

#: Between the two sides of a difference.
MINUS_SIGNS = (" − ", " - ")

#: How many classes are listed when one name means several.
LISTED_CLASSES = 8


class TargetReader:
    """Reads the targets of one task. A task says what is predicted and what a single name means."""

    def predicted(self) -> Score:
        """The target that is meant when a person names none."""
        raise NotImplementedError

    def named(self, asked: Any) -> Score:
        """The target of a single name. Raises `Refusal` if it means nothing here."""
        raise NotImplementedError

    def is_pair(self, asked: Any) -> bool:
        """Whether these are two targets, of which the second is subtracted from the first."""
        return isinstance(asked, tuple | list) and len(asked) == 2

    def read(self, asked: Any) -> Score:
        """The target that a person means.

        asked: None or "predicted" (what is predicted), a name, an index, "A - B", a pair of names
        (their difference), a function of the outputs, or a `Score`, which stays as it is.
        Raises `Refusal` if it means nothing here.
        """
        if asked is None or asked == "predicted":
            return self.predicted()
        if isinstance(asked, Score):
            return asked
        if callable(asked):
            return Custom(asked)
        if isinstance(asked, tuple | list) and self.is_pair(asked):
            first, second = asked
            return difference(self.side(first), self.side(second))
        try:
            return self.named(asked)
        except Refusal:
            found = self.two_sides(asked)
            if found is None:
                raise
            return found

    def side(self, asked: Any) -> Score:
        """One side of a pair: a `Score`, or a single name."""
        if isinstance(asked, Score):
            return asked
        return self.named(asked)

    def two_sides(self, asked: Any) -> Difference | None:
        """The difference that "A - B" means; None if neither side is a name.

        Raises the `Refusal` of one side if only the other one is a name.
        """
        half_right = None
        for names in sides_of(asked):
            found, refusals = [], []
            for name in names:
                try:
                    found.append(self.named(name))
                except Refusal as refusal:
                    refusals.append(refusal)
            if not refusals:
                return difference(*found)
            if found:
                half_right = refusals[0]
        if half_right is not None:
            raise half_right
        return None


def sides_of(asked: Any) -> Iterator[list[str]]:
    """The ways to cut "A - B" into two names: as they are, then without space around them.

    The space can be a part of a name: " Paris" and "Paris" may be different tokens.
    """
    if not isinstance(asked, str):
        return
    for minus in MINUS_SIGNS:
        if asked.count(minus) == 1:
            sides = asked.split(minus)
            yield sides
            yield list(map(str.strip, sides))


@dataclass(frozen=True, eq=False)
class ClassReader(TargetReader):
    """Reads targets that are classes: labels {index: name}."""

    labels: Mapping[int, str]

    def predicted(self) -> Score:
        return PredictedClass(self.labels)

    def named(self, asked: Any) -> Score:
        index = index_of(asked, self.labels)
        return Logit(index, label_of(index, self.labels))


def index_of(asked: Any, labels: Mapping[int, str]) -> int:
    """The class that a label, one of its names, or an index means.

    Names are compared without regard to upper and lower case. Raises `Refusal` if there is no such
    class.
    """
    if not isinstance(asked, str | bool):
        with suppress(TypeError):
            asked = operator.index(asked)  # also for the integers of numpy
    if isinstance(asked, bool) or not isinstance(asked, int | str):
        raise Refusal(
            "A target is a class label, a class index, a pair of these or a function; "
            f"got {type(asked).__name__}."
        )
    if isinstance(asked, str):
        found = index_of_name(asked, labels)
        if found is not None:
            return found
        if not asked.strip().isdecimal():
            raise nearest(asked, labels.values(), "class")
        asked = int(asked)
    if asked not in labels:
        raise Refusal(f"There is no class {asked}: this model has classes 0 to {len(labels) - 1}.")
    return asked


def index_of_name(asked: str, labels: Mapping[int, str]) -> int | None:
    """The class of a name; None if there is none.

    Several ways to compare are tried, the strictest first: the whole label as it is written, one
    of its names ("lynx" of "lynx, catamount"), then both without regard to case. Classes
    whose labels differ only by their number, "crane (134)" and "crane (517)", share the name
    "crane". Raises `Refusal` if a name is that of several classes.
    """
    folded = asked.casefold()
    same_name: list[Callable[[int], bool]] = [
        lambda index: asked == labels[index],
        lambda index: asked in label_names(index, labels),
        lambda index: folded in (labels[index].casefold(), shared_name(index, labels).casefold()),
        lambda index: folded in map(str.casefold, label_names(index, labels)),
    ]
    for same in same_name:
        found = list(filter(same, labels))
        if found:
            refuse_several(asked, [labels[index] for index in found])
            return found[0]
    return None


def shared_name(index: int, labels: Mapping[int, str]) -> str:
    """A label without the number that distinguishes it from others of the same name."""
    return labels[index].removesuffix(f" ({index})")


def label_names(index: int, labels: Mapping[int, str]) -> list[str]:
    """The whole label without its number, and the names that it lists: "lynx, catamount"."""
    shared = shared_name(index, labels)
    return [shared, *shared.split(", ")]


def refuse_several(asked: str, found: list[str]) -> None:
    """Raise `Refusal` if these labels, which all fit a name, differ."""
    different = list(dict.fromkeys(found))
    if len(different) < 2:
        return
    shown = " or ".join(map(repr, different[:LISTED_CLASSES]))
    if len(different) > LISTED_CLASSES:
        shown += f" or {len(different) - LISTED_CLASSES} others"
    raise Refusal(f"{asked[:60]!r} is the name of several classes; did you mean {shown}?")


def occurrences(words: str, text: str) -> list[tuple[int, int]]:
    """First and last+1 character of every place of some words in a text.

    As they are written or, if they are nowhere, without regard to upper and lower case.
    """
    for flags in (re.NOFLAG, re.IGNORECASE):
        found = [match.span() for match in re.finditer(re.escape(words), text, flags)]
        if found:
            return found
    return []

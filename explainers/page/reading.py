"""What the fields of a question hold, as the package takes it."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import Refusal
from .kinds import KINDS
from .state import NOTHING, PREDICTED, Question

MOST_TEXTS = 50  # that one picture is matched with


def given_by(question: Question):
    """The input of a question, as `explainers.explain` takes it.

    Gives a text, a pair of texts, the path of a picture, or (path, texts). Raises `Refusal` if a
    part is missing.
    """
    kind = KINDS[question.kind]
    if not kind.has_picture:
        if kind.pair_label:
            return question.text, question.pair
        return question.text
    picture = existing(question.picture)
    if not kind.has_lines:
        return picture
    texts = lines_of(question.text)
    if not texts:
        raise Refusal(
            "There is no text to match the picture with. Type at least one text; "
            "each line is a text of its own."
        )
    if len(texts) > MOST_TEXTS:
        raise Refusal(
            f"A picture is matched with at most {MOST_TEXTS} texts here; got {len(texts)}."
        )
    return picture, texts


def existing(picture: str | None) -> str:
    """The path of a picture that is there, or a `Refusal`."""
    if not picture:
        raise Refusal("There is no picture yet. Drop, paste or take one, or click an example.")
    if not Path(picture).exists():
        raise Refusal(
            "This picture is no longer here: the server deletes pictures after an hour. "
            "Give it again."
        )
    return picture


def lines_of(text: str) -> tuple[str, ...]:
    """The texts of a field with one text on each line: no empty ones, and none twice."""
    texts = []
    for line in text.splitlines():
        visible = any(letter.isprintable() and not letter.isspace() for letter in line)
        if visible and line.strip() not in texts:
            texts.append(line.strip())
    return tuple(texts)


def valid_targets(target: str, versus: str, texts: Iterable[str]) -> tuple[str, str]:
    """The two targets among the texts of a picture.

    If the first one was deleted from the texts, both are reset; if only the second one was, it is.
    """
    known = set(texts)
    if target != PREDICTED and target not in known:
        return PREDICTED, NOTHING
    return target, versus if versus in known else NOTHING

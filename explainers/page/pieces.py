"""Changes of the page by name, and the small pieces of HTML that they carry."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from ..errors import ModelUnavailable, Refusal
from ..pictures import open_picture
from ..render import cards
from .kinds import KINDS
from .state import Question

#: New properties of one component, such as {"value": ..., "visible": True}.
Change = dict[str, Any]

#: Changes by the names of `Fields`; a component that is not named stays as it is.
Changes = dict[str, Change]

#: The fields that have a place for a refusal right below them.
FIELDS_WITH_REFUSAL = ("picture", "text", "model", "goal", "methods")


class RefusedField(Refusal):
    """A refusal that knows which field of the page caused it."""

    def __init__(self, message: str, field: str):
        super().__init__(message)
        self.field = field


@contextmanager
def refused_at(field: str) -> Iterator[None]:
    """Refusals inside are caused by this field; those of a model by the field of the model."""
    try:
        yield
    except ModelUnavailable:
        raise
    except Refusal as refusal:
        raise RefusedField(str(refusal), field) from refusal


def refusal_box(message: str = "", unanswered: bool = False) -> Change:
    """A refusal below its field; hidden if there is no message.

    unanswered: the question has no answer, so the page shows that of the previous question and
    says so.
    """
    if not message:
        return {"value": "", "visible": False}
    mark = " data-unanswered" if unanswered else ""
    return {
        "value": f'<div class="refusal"{mark} role="alert">{escape(message)}</div>',
        "visible": True,
    }


def message_for(error: Exception, otherwise: str) -> str:
    """The message of a `Refusal`. Any other error is logged, and its message is `otherwise`."""
    if isinstance(error, Refusal):
        return str(error)
    logging.error(otherwise, exc_info=error)
    return otherwise


def refusal_at_field(error: Exception, question: Question) -> Changes:
    """An error while a question was answered, below the field that caused it."""
    message = message_for(
        error,
        "Something went wrong on the server; this was not caused by your input. It has been "
        "logged. Another method or another model may work.",
    )
    field = field_to_blame(error, question)
    return NO_REFUSALS | {f"{field}_refusal": refusal_box(message, unanswered=True)}


def field_to_blame(error: Exception, question: Question) -> str:
    if isinstance(error, ModelUnavailable):
        return "model"
    if isinstance(error, RefusedField):
        return error.field
    needs_picture = isinstance(error, Refusal) and KINDS[question.kind].has_picture
    if needs_picture and not is_readable_picture(question.picture):
        return "picture"
    return "text"


def is_readable_picture(picture: str | None) -> bool:
    try:
        return bool(picture and open_picture(picture))
    except Refusal:
        return False


#: No refusals below the fields. That of the model stays until another model is chosen.
NO_REFUSALS: Changes = {
    f"{field}_refusal": refusal_box() for field in FIELDS_WITH_REFUSAL if field != "model"
}


def placeholder(sentence: str) -> str:
    """A sentence in place of a map."""
    return cards.card(f'<p class="xp-sub">{escape(sentence)}</p>', "orange-blue")


#: The refusal of what needs an explanation first.
NOTHING_YET = "Explain something first."

NOTHING_TESTED = placeholder("Nothing tested yet.")
NOTHING_EXPLAINED = placeholder("Nothing explained yet.")


def hint(text: str) -> str:
    return f'<p class="hint">{escape(text)}</p>'

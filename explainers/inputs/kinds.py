"""The kinds of input that a person can give to a model, and what their fields are called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputKind:
    """One kind of input.

    key      its name in code
    texts    the names of its text fields, in lower case; () if there are none
    picture  whether a picture is given
    many     whether its only text field holds several texts, one on each line
    """

    key: str
    texts: tuple[str, ...] = ()
    picture: bool = False
    many: bool = False


TEXT = InputKind("text", ("text",))
PAIR = InputKind("pair", ("first text", "second text"))
QUESTION = InputKind("question", ("question", "context"))
PROMPT = InputKind("prompt", ("text so far",))
PICTURE = InputKind("picture", picture=True)
PICTURE_AND_TEXTS = InputKind("picture and texts", ("texts, one a line",), picture=True, many=True)

"""What the commands read from their arguments: the input, the model, and a method's options."""

import sys
from argparse import Namespace
from pathlib import Path

import transformers

from ..errors import Refusal
from ..inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, PROMPT, QUESTION, TEXT, InputKind
from ..models import Model, load
from ..models.bundled import bundled_for
from ..tasks import Task

#: The arguments that give each kind of input.
FLAGS = {
    TEXT: "--text",
    PROMPT: "--text",
    PAIR: "--text and --pair",
    QUESTION: "--question and --context",
    PICTURE: "--image",
    PICTURE_AND_TEXTS: "--image and --text",
}


def parse_input(args: Namespace) -> object:
    """The input as `Model.encode` takes it: text, pair, (question, context), picture, or
    (picture, texts).

    A text that is "-" is read from standard input. Raises `Refusal` for arguments that do not go
    together.
    """
    check_together(args)
    texts = [*args.text]
    if args.pair is not None:
        texts.append(args.pair)
    if args.question is not None:
        texts = [args.question, args.context]
    if texts.count("-") > 1:
        raise Refusal("Only one of the texts can be read from standard input.")
    texts = [sys.stdin.read() if text == "-" else text for text in texts]
    if args.image:
        return (Path(args.image), texts) if texts else Path(args.image)
    return texts[0] if len(texts) == 1 else tuple(texts)


def check_together(args: Namespace) -> None:
    """Raise a `Refusal` if the arguments do not make one input."""
    if args.question is not None and args.context is None:
        raise Refusal("A question needs its --context.")
    if args.context is not None and args.question is None:
        raise Refusal("A context needs its --question.")
    if args.question is not None and (args.text or args.pair is not None or args.image):
        raise Refusal("Give --text (and --pair), or --question and --context, not both.")
    if args.image and args.pair is not None:
        raise Refusal(
            "A picture is matched with single texts: give --image with one or several --text, "
            "without --pair."
        )
    if args.side and not (args.image and args.text):
        raise Refusal("--side chooses between a picture and its text: give --image and --text.")
    if not (args.text or args.image or args.question is not None):
        raise Refusal("Give --text, --image, both, or --question and --context.")
    if len(args.text) > 1 and not args.image:
        raise Refusal(
            "Several --text are for matching with a picture: give --image too, or one --text "
            "(and --pair)."
        )


def model_for(args: Namespace) -> Model:
    """The model that is asked for, or the bundled one for this input.

    Of a model that matches pictures with texts, the side that is explained. Raises `Refusal` if
    the model does not take this input.
    """
    kind = input_kind(args)
    usual = bundled_for(TEXT if kind == PAIR else kind)
    model = load_quietly(args.model or usual, args.revision)
    check_model(model, kind)
    return model.side(args.side) if args.side else model


def input_kind(args: Namespace) -> InputKind:
    """The kind of input that the arguments make."""
    if args.question is not None:
        return QUESTION
    if args.image:
        return PICTURE_AND_TEXTS if args.text else PICTURE
    return TEXT if args.pair is None else PAIR


def check_model(model: Model, kind: InputKind) -> None:
    """Raise a `Refusal` if the model does not take this kind of input."""
    if accepts(model.task, kind):
        return
    wanted = ", or ".join(FLAGS[one] for one in model.task.takes)
    raise Refusal(
        f"{model.name} {model.task.does}: give {wanted}. "
        f"For {FLAGS[kind]}, choose another model, such as {bundled_for(kind)}."
    )


def accepts(task: Task, kind: InputKind) -> bool:
    """Whether a task takes a kind of input.

    A question and its context are for answers alone; of other inputs, the number of fields counts:
    a text may be a prompt, and a pair a question with its context.
    """
    if kind == QUESTION:
        return kind in task.takes
    fields = (kind.picture, len(kind.texts))
    return fields in [(one.picture, len(one.texts)) for one in task.takes]


def load_quietly(name: str, revision: str | None) -> Model:
    """Load a model without progress bars."""
    silence_transformers()
    return load(name, revision=revision)


def silence_transformers() -> None:
    """No progress bars and no warnings from transformers."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def parse_option(given: str) -> tuple[str, str]:
    """Name and value of an option that is written name=value."""
    name, equals, value = given.partition("=")
    if not equals:
        raise Refusal(f"An option is written name=value; got {given!r}.")
    return name.strip(), value.strip()


def parse_list(names: str) -> tuple[str, ...]:
    """The names in "a, b", without the space around them."""
    return tuple(name.strip() for name in names.split(",") if name.strip())

"""From whatever a person gives to an input of a model."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..errors import Refusal
from .encoded import Encoded
from .tensors import as_tensors

if TYPE_CHECKING:
    from ..models import Model

#: The names of texts in a dict, as pipelines of transformers have them.
NAMED_TEXTS = (("text",), ("text", "text_pair"), ("question", "context"))


def encode(model: Model, given: Any) -> Encoded:
    """What `model` takes, with a label for each token.

    given: a text, a pair of texts, a picture, (picture, texts) of a dual encoder, or a dict: texts
    as pipelines name them (text and text_pair, question and context), or ready tensors.
    Raises `Refusal` for what holds nothing to explain.
    """
    if not hasattr(given, "keys"):
        return model.task.encode(model, given)
    given = dict(given)
    if holds(given, Image.Image):
        raise Refusal(
            "A picture is given by itself, or with texts as (picture, texts): "
            "a dict holds tensors, or texts by their names."
        )
    if holds(given, str):
        return model.task.encode(model, named_texts(given))
    tensors = {}
    for name, tensor in as_tensors(given).items():
        tensors[name] = tensor.to(model.net.device)
    return model.task.encode_tensors(model, tensors)


def holds(given: Mapping[Any, Any], kind: type) -> bool:
    """Whether a value of a dict is of this type."""
    return any(isinstance(value, kind) for value in given.values())


def named_texts(given: Mapping[Any, Any]) -> str | tuple[str, ...]:
    """The text, or the pair, of a dict as pipelines take it."""
    texts = {name: text for name, text in given.items() if text is not None}
    for names in NAMED_TEXTS:
        if set(texts) == set(names) and set(map(type, texts.values())) == {str}:
            return itemgetter(*names)(texts)  # of one name the text, of two names the pair
    raise Refusal(
        "Texts in a dict are named text and text_pair, or question and context, "
        f"and nothing stands beside them; got {', '.join(map(str, list(given)[:8]))}."
    )

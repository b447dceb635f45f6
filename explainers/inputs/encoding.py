"""From whatever a person gives to an input of a model."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor

from ..errors import Refusal
from .encoded import Encoded
from .tensors import as_tensors

if TYPE_CHECKING:
    from ..models import Model

#: The names of texts in a dict, as pipelines of transformers have them.
NAMED_TEXTS = (("text",), ("text", "text_pair"), ("question", "context"))

#: The tensors that a refusal names, where the model takes them.
TENSORS = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "pixel_values")


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
    check_single(given)
    if holds(given, str):
        return model.task.encode(model, named_texts(given))
    tensors = {}
    for name, tensor in as_tensors(given).items():
        tensors[name] = tensor.to(model.net.device)
    check_names(model, tensors)
    return model.task.encode_tensors(model, tensors)


def holds(given: Mapping[Any, Any], kind: type) -> bool:
    """Whether a value of a dict is of this type."""
    return any(isinstance(value, kind) for value in given.values())


def check_single(given: Mapping[Any, Any]) -> None:
    """Raise `Refusal` for a list of texts under one name."""
    for name, value in given.items():
        if not isinstance(value, list | tuple) or not value:
            continue
        if all(isinstance(one, str) for one in value):
            raise Refusal(
                f"One input is explained at a time, and {str(name)[:40]} is a list of "
                f"{len(value)} texts: give a single text there."
            )


def check_names(model: Model, tensors: Mapping[str, Tensor]) -> None:
    """Raise `Refusal` for a tensor that is no input of the model, with those that are."""
    known = set(signature(model.net.forward).parameters) | set(
        signature(model.tower.forward).parameters
    )
    if model.is_dual_encoder:
        known.add("matched")  # the features of the other side
    for name in tensors:
        if name not in known:
            named = ", ".join(one for one in TENSORS if one in known)
            raise Refusal(f"This model has no input {str(name)[:40]}; it has {named}.")


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

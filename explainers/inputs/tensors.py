"""From ready tensors to an input: the checks, and a label for each token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import Refusal
from .encoded import Encoded

if TYPE_CHECKING:
    from ..models import Model

#: What tokenizers give in addition to what a network takes.
EXTRAS = (
    "special_tokens_mask",
    "offset_mapping",
    "length",
    "overflow_to_sample_mapping",
    "overflowing_tokens",
    "num_truncated_tokens",
)

#: The special tokens that a text's tensors can hold, by their names in a tokenizer's settings.
SPECIAL_TOKENS = ("bos", "eos", "pad", "cls", "sep")

#: The tensors besides the ids that a network looks up in a table: what one row of the table is
#: called, and the setting that says how many rows there are.
TABLES = {
    "token_type_ids": ("segment", "type_vocab_size"),
    "position_ids": ("position", "max_position_embeddings"),
}


def as_tensors(given: dict[str, Any]) -> dict[str, Tensor]:
    """Tensors of what a tokenizer gave, of arrays or of lists, without what no network takes.

    A flat list of numbers is one example. Raises `Refusal` for what is no tensor.
    """
    tensors = {}
    for name, value in given.items():
        if name in EXTRAS or value is None:
            continue
        try:
            tensor = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Refusal(
                f"{str(name)[:40]} is no tensor and no list of equally long lists of "
                f"numbers; got {type(value).__name__}."
            ) from error
        if isinstance(value, list) and tensor.ndim == 1:
            tensor = tensor[None]
        tensors[name] = tensor
    return tensors


def from_ids(model: Model, tensors: dict[str, Tensor]) -> Encoded:
    """The tensors of one text as an input. Raises `Refusal` if they are none for this model."""
    check_ids(model, tensors)
    if len(tensors["input_ids"]) > 1:
        raise Refusal(
            "Give one example at a time, or a list of them to trace_many; "
            f"these tensors hold {len(tensors['input_ids'])}."
        )
    ids = tensors["input_ids"][0].tolist()
    if model.max_tokens and len(ids) > model.max_tokens:
        raise Refusal(
            f"This model reads at most {model.max_tokens} tokens; these tensors hold {len(ids)}."
        )
    if model.tokenizer is None:
        labels = list(map(str, ids))
    else:
        labels = list(model.tokenizer.convert_ids_to_tokens(ids))
    special = special_ids(model)
    return Encoded(
        tensors=tensors,
        labels=labels,
        special_tokens=torch.tensor([number in special for number in ids]),
    )


def special_ids(model: Model) -> set[int | None]:
    """The ids of the special tokens, by the tokenizer or, without one, by the model's settings."""
    settings = model.tokenizer or model.tower.config
    return {getattr(settings, f"{name}_token_id", None) for name in SPECIAL_TOKENS}


def check_ids(model: Model, tensors: dict[str, Tensor]) -> None:
    """Raise `Refusal` for the tensors [example token] of a text whose shapes do not agree, or whose
    numbers are in no table of the model."""
    ids = tensors.get("input_ids")
    if ids is None or ids.ndim != 2 or 0 in ids.shape or not are_whole(ids):
        raise Refusal(
            "Tensors for a text model need input_ids of shape (1, tokens), whole numbers."
        )
    for name in {"attention_mask", *TABLES} & set(tensors):
        check_shape(name, tensors[name], ids)
    mask = tensors.get("attention_mask")
    if mask is not None and not mask.bool().any(1).all():
        raise Refusal(
            "attention_mask is 0 everywhere, so no token is attended: it is 1 at each token that "
            "the model reads."
        )
    check_vocabulary(model, ids)
    for name in TABLES:
        if name in tensors:
            check_rows(model, name, tensors[name])


def check_shape(name: str, tensor: Tensor, ids: Tensor) -> None:
    """Raise `Refusal` for a tensor that is not of the shape of the ids."""
    if tensor.ndim != 2:
        raise Refusal(
            f"{name} is of shape (1, tokens), as input_ids are; got {tuple(tensor.shape)}."
        )
    if tensor.shape[1] != ids.shape[1]:
        raise Refusal(f"{name} is of {tensor.shape[1]} tokens, and input_ids of {ids.shape[1]}.")
    if name in TABLES and not are_whole(tensor):
        raise Refusal(f"{name} are whole numbers, torch.long; got {tensor.dtype}.")


def check_vocabulary(model: Model, ids: Tensor) -> None:
    """Raise `Refusal` for ids that are not in the model's vocabulary."""
    config: Any = model.tower.config
    size = config.vocab_size
    outside = outside_of(ids, size)
    if not outside:
        return
    owner = ""
    if model.tokenizer is not None and 0 <= outside[0] < len(model.tokenizer):
        token = model.tokenizer.convert_ids_to_tokens(outside[0])
        owner = (
            f", which is {token!r} to its tokenizer: that belongs to another model, "
            "or was given words that the model was not (resize_token_embeddings gives it room)"
        )
    raise Refusal(f"Token ids go from 0 to {size - 1} in this model; got {outside[0]}{owner}.")


def check_rows(model: Model, name: str, tensor: Tensor) -> None:
    """Raise `Refusal` for segments or positions that the model's table does not have."""
    row, setting = TABLES[name]
    size = getattr(model.tower.config, setting, None)
    if not size:
        return
    outside = outside_of(tensor, size)
    if not outside:
        return
    advice = ""
    if name == "token_type_ids":
        advice = ": give a single text, or a tokenizer that belongs to this model"
    rows = f"{size} {row}"
    if size > 1:
        rows += "s"
    raise Refusal(f"This model has {rows}, numbered from 0; got number {outside[0]}{advice}.")


def are_whole(numbers: Tensor) -> bool:
    """Whether these can be looked up as the rows of a table."""
    return numbers.dtype in (torch.int64, torch.int32)


def outside_of(numbers: Tensor, rows: int) -> list[int]:
    """Those of the numbers that a table of so many rows does not have."""
    return numbers[(numbers < 0) | (numbers >= rows)].tolist()

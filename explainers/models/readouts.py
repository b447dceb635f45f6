"""Which tokens are not padding, and from which of them a model reads its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..errors import Refusal

if TYPE_CHECKING:
    from .model import Model


def attended(model: Model, inputs: dict[str, Tensor], tokens: int) -> Bool[Tensor, "example token"]:
    """False at padding.

    tokens: the number of tokens of one example.
    """
    if model.anatomy.modality == "text" and "attention_mask" in inputs:
        found = inputs["attention_mask"].bool()
    else:
        found = torch.ones(1, tokens, dtype=torch.bool, device=model.net.device)
    if not (pools_by_ids(model) and "input_ids" in inputs):
        return found
    padding = model.net.config.pad_token_id
    if padding is None:
        return found
    # such a head skips padding at the end, whatever the mask says; no other token attends to it
    is_word = (inputs["input_ids"] != padding).int()
    before_the_end = is_word.flip(-1).cummax(-1).values.flip(-1).bool()
    return found & before_the_end


def pools_by_ids(model: Model) -> bool:
    """Whether the network's own head looks for the last token by its id (GPT-2 as a classifier)."""
    is_classifier = "ForSequenceClassification" in type(model.net).__name__
    return model.anatomy.readout == "last" and is_classifier and hasattr(model.net, "score")


def readout_weights(
    model: Model,
    inputs: dict[str, Tensor],
    attended: Bool[Tensor, "example token"],
    last: Float[Tensor, "example token dim"] | None = None,
) -> Float[Tensor, "example token"]:
    """How much of the score is read from each token; each row adds up to 1.

    attended  [example token] bool, False at padding
    last      [example token dim] what leaves the last block; needed for "pooling attention", whose
              weights it decides
    """
    readout = model.anatomy.readout
    if readout == "pooling attention":
        return pooling_weights(model, last)
    if readout == "first and mean":
        first = averaged(model, attended, "first")
        return (first + averaged(model, attended, "mean")) / 2
    if readout in ("first", "first two", "mean"):
        return averaged(model, attended, readout)
    tokens = attended.shape[-1]
    if readout == "end of text":
        place = end_of_text(model, inputs["input_ids"])
    elif readout == "very last":
        place = torch.tensor([tokens - 1], device=attended.device)
    else:
        place = last_true(attended)
    return F.one_hot(place, tokens).to(model.net.dtype)


def at_readout(
    model: Model,
    logits: Float[Tensor, "example token class"],
    inputs: dict[str, Tensor],
    attended: Bool[Tensor, "example token"] | None,
) -> Float[Tensor, "example class"]:
    """The logits of the token that the score is read from.

    attended: [example token] bool, False at padding; None to read it off the inputs.
    """
    if attended is None:
        attended = model.attended(inputs, logits.shape[1])
    place = readout_weights(model, inputs, attended).argmax(-1).expand(len(logits))
    return logits[torch.arange(len(logits), device=logits.device), place]


def averaged(
    model: Model, attended: Bool[Tensor, "example token"], readout: str
) -> Float[Tensor, "example token"]:
    """Equal weights for the tokens of the readout "first", "first two" or "mean".

    The mean is that of all tokens without padding, in a picture of the patches.
    """
    token = torch.arange(attended.shape[-1], device=attended.device)[None]
    if readout == "first":
        chosen = token == 0
    elif readout == "first two":
        chosen = token < 2
    else:
        chosen = attended & (token >= len(model.prefix))
    weights = chosen.to(model.net.dtype)
    return weights / weights.sum(-1, keepdim=True)


def pooling_weights(
    model: Model, last: Float[Tensor, "example token dim"] | None
) -> Float[Tensor, "example token"]:
    """The weights of SigLIP's pooling attention, the mean over its heads."""
    if last is None:
        raise ValueError("The weights of pooling attention need the last hidden states; got None.")
    pool = model.tower.get_submodule("head")
    states = model.tower.get_submodule("post_layernorm")(last)
    probe = pool.get_parameter("probe").expand(len(states), -1, -1)
    _, weights = pool.get_submodule("attention")(probe, states, states)
    return weights.detach()[:, 0]


def end_of_text(model: Model, ids: Int[Tensor, "example token"]) -> Int[Tensor, " example"]:
    """The place of the token that CLIP's text tower reads.

    That is the first end token. A config of 2021 names 2 as the end token, which means the highest
    id. Raises `Refusal` where there is no end token.
    """
    tower = model.tower
    end = getattr(tower, "eos_token_id", tower.config.eos_token_id)
    if end == 2:
        return place_of_highest(ids)
    is_end = ids == end
    if not is_end.any(-1).all():
        raise Refusal(
            f"This text has no end token (id {end}), at which the model would read it: add one, as "
            "the model's tokenizer does."
        )
    return place_of_highest(is_end)


def place_of_highest(values: Shaped[Tensor, "example token"]) -> Int[Tensor, " example"]:
    """The place of the first of the highest whole numbers, or of the first True."""
    return values.int().argmax(-1)


def last_true(values: Bool[Tensor, "example token"]) -> Int[Tensor, " example"]:
    """The place of the last True."""
    counted = values * torch.arange(1, values.shape[-1] + 1, device=values.device)
    return counted.argmax(-1)

"""Blanks: inputs whose tokens, patches or pixels are replaced by something without information.

Texts are blanked with a mask, padding or unknown token, pictures with a colour or a blur. A token
can also be hidden from attention, and word embeddings can stand in place of ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import Refusal
from ..modalities import MODALITIES
from ..pictures import blurred

if TYPE_CHECKING:
    from .model import Model

#: What can replace a part of an input, by modality.
BLANKS = {"text": ("mask", "pad", "unk"), "image": ("mean", "black", "white", "blur")}

#: Which special token replaces a word; the next one where the tokenizer has none of its kind.
BLANK_TOKENS = {
    "mask": ("mask", "unk", "pad", "eos"),
    "pad": ("pad", "unk", "eos"),
    "unk": ("unk", "pad", "eos"),
}


def hide(
    model: Model, inputs: dict[str, Tensor], tokens: Bool[Tensor, " token"]
) -> dict[str, Tensor]:
    """The inputs with some tokens hidden from the attention of all others.

    tokens: [token] bool, True where a token is hidden. Raises `Refusal` for pictures, whose models
    take no attention mask.
    """
    if model.anatomy.modality != "text":
        raise Refusal("Tokens can be hidden from attention in text models only.")
    mask = inputs.get("attention_mask")
    if mask is None:
        mask = torch.ones_like(inputs["input_ids"])
    return inputs | {"attention_mask": mask * ~tokens}


def fill(
    model: Model, inputs: dict[str, Tensor], where: Bool[Tensor, "n token"], blank: str
) -> dict[str, Tensor]:
    """The inputs [1 ...] n times over, each with other tokens or patches blanked.

    where: [n token] bool, True where a token is blanked. blank: one of `BLANKS` for the modality.
    Raises `Refusal` for another word, and for word embeddings in place of ids.
    """
    modality = model.anatomy.modality
    if blank not in BLANKS[modality]:
        *first, last = BLANKS[modality]
        kind = MODALITIES[modality].input
        raise Refusal(f"A {kind} is blanked with {', '.join(first)} or {last}; got {blank!r}.")
    if modality == "image":
        pixels = blank_patches(model, inputs["pixel_values"], where, blank)
        return inputs | {"pixel_values": pixels}
    if "input_ids" not in inputs:
        raise Refusal("Tokens can be blanked where they are given as ids, not as word embeddings.")
    ids = inputs["input_ids"]
    copies = dict(inputs)
    for name, tensor in inputs.items():
        if tensor.shape == ids.shape:
            copies[name] = tensor.expand(len(where), -1)
    attended = model.attended(inputs, where.shape[-1]).expand(len(where), -1)
    copies = with_positions(model, copies, attended)
    copies["input_ids"] = copies["input_ids"].masked_fill(where, blank_id(model, blank))
    return copies


# ----------------------------------------------------------------------------------------- pictures


def blank_patches(
    model: Model,
    pixels: Float[Tensor, "1 channel height width"],
    where: Bool[Tensor, "n token"],
    blank: str,
) -> Float[Tensor, "n channel height width"]:
    """A picture n times over, each with other patches blanked.

    where: [n token] bool; the tokens before the patches are ignored.
    """
    rows, columns = model.grid(pixels)
    height, width = model.patch
    patches = where[:, -rows * columns :].unflatten(1, (rows, columns))
    mask = patches.repeat_interleave(height, 1).repeat_interleave(width, 2)
    below = pixels.shape[-2] - rows * height  # pixels of no patch stay
    right = pixels.shape[-1] - columns * width
    return blank_pixels(model, pixels, F.pad(mask, (0, right, 0, below)), blank)


def blank_pixels(
    model: Model,
    pixels: Float[Tensor, "1 channel height width"],
    mask: Bool[Tensor, "n height width"],
    blank: str,
) -> Float[Tensor, "n channel height width"]:
    """A picture n times over, each with other pixels blanked.

    mask: [n height width] bool, True where a pixel is blanked.
    """
    grey = model.grey(pixels)
    if blank == "mean":
        blanks = grey.expand_as(pixels)
    elif blank == "blur":
        blanks = blurred(pixels - grey) + grey  # its edges fade into grey
    else:
        brightness = {"black": 0, "white": 1}[blank]
        blanks = model.normalised(torch.full_like(pixels, brightness))
    return pixels.where(~mask[:, None], blanks)


# -------------------------------------------------------------------------------------------- texts


def blank_id(model: Model, blank: str) -> int:
    """The id of the mask, padding or unknown token; without it, that of the next in `BLANK_TOKENS`.

    Raises `Refusal` for a model without any of them.
    """
    config = model.tower.config
    for kind in BLANK_TOKENS[blank]:
        for holder in (model.tokenizer, config):
            token = getattr(holder, f"{kind}_token_id", None)
            if token is not None and token < config.vocab_size:
                return token
    raise Refusal(
        "This model has no token to blank words with (no mask, padding, unknown or end token)."
    )


def with_positions(
    model: Model, inputs: dict[str, Tensor], attended: Bool[Tensor, "example token"]
) -> dict[str, Tensor]:
    """The inputs with `position_ids`, for models that derive positions from the ids (RoBERTa).

    Otherwise a padding token in place of a word would change the positions of the words after it.
    attended: [example token] bool, False at padding.
    """
    lost = model.anatomy.lost_positions
    if not lost or "position_ids" in inputs:
        return inputs
    return inputs | {"position_ids": attended.cumsum(-1) * attended + lost - 1}


def takes_embeddings(model: Model) -> bool:
    """Whether a model takes word embeddings in place of ids: all text models but dual encoders."""
    return model.anatomy.modality == "text" and not model.is_dual_encoder


def embed(model: Model, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inputs with word embeddings [example token dim] in place of the ids.

    Positions stay as they were. Raises `Refusal` for models that take no word embeddings.
    """
    takes = takes_embeddings(model)
    if takes and "inputs_embeds" in inputs:
        return inputs
    if not takes or "input_ids" not in inputs:
        raise Refusal(
            "Word embeddings can be fed to text models only, and not to the text side of a dual "
            "encoder."
        )
    ids = inputs["input_ids"]
    with torch.no_grad():
        placed = with_positions(model, inputs, model.attended(inputs, ids.shape[-1]))
        embedded = model.tower.get_input_embeddings()(ids)
    without_ids = {name: tensor for name, tensor in placed.items() if name != "input_ids"}
    return without_ids | {"inputs_embeds": embedded}


def without_words(
    model: Model, inputs: dict[str, Tensor], entering: Float[Tensor, "token dim"]
) -> Float[Tensor, "token dim"]:
    """What would enter the first block if there were no words.

    In the text towers of CLIP and SigLIP, embeddings are words plus positions, and the positions
    are left. Elsewhere a norm follows the sum, or there is no sum, and zeros are returned.
    entering: [token dim] what enters the first block.
    """
    anatomy = model.anatomy
    if not (model.is_dual_encoder and anatomy.modality == "text" and anatomy.norm_first):
        return torch.zeros_like(entering)
    words = model.tower.get_input_embeddings()(inputs["input_ids"])[0]
    return entering - words.detach()

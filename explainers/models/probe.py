"""Test a network once, when it is loaded, on a short input of its own kind.

Two things are tested. Are its logits those that it gives with the eager attention of
`transformers`, now that another attention function runs in it? And is its score read from the
tokens that the row of its architecture names?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from ..errors import ModelUnavailable
from ..linear import quantised
from ..outputs import Answer
from ..scores import Score
from ..trace import NAME, Pass, attend_by, elsewhere

if TYPE_CHECKING:
    from .model import Model

TOKENS = 8  # of the text
PATCHES = 4  # along a side of the picture

#: The special tokens that a text model's settings name by their ids.
SPECIAL_TOKENS = ("bos", "eos", "cls", "sep", "pad", "mask", "unk", "decoder_start")


def check(model: Model, compare: bool) -> None:
    """Raise `ModelUnavailable` for a network that does not fit its row.

    compare: whether to compare its logits with those of eager attention, too.
    """
    inputs = short_input(model)
    score = SumOfLogits()
    (one,) = Pass(model, inputs, [score], record=("attention", "hidden")).traces()
    # no gradient passes through some quantised weights
    if one.run.has_gradients and not score.measured:
        gradient = one.grad.hidden[-1].abs().sum(-1)
        read = one.readout > 0.01 * one.readout.max()
        if gradient.any() and (gradient[read] == 0).any():
            raise elsewhere(model, gradient > 0, one.readout)
    if compare:
        check_logits(model, inputs, all_numbers(score.answer).detach())


def check_logits(model: Model, inputs: dict[str, Tensor], got: Tensor) -> None:
    """Raise `ModelUnavailable` if the outputs of eager attention differ from `got`."""
    attend_by(model.net, "eager")
    with torch.no_grad():
        wanted = all_numbers(model.answer(inputs))
    attend_by(model.net, NAME)
    off = float((got - wanted).abs().max())
    largest = float(wanted.abs().max())
    allowed = allowed_difference(model.net) * largest
    if off > allowed:  # not where a number is not finite: that is another problem
        raise ModelUnavailable(
            f"{type(model.net).__name__} gives other logits when its attention is recorded (they "
            f"are off by {off:.2g} where the largest is {largest:.2g}), so the map would be "
            "wrong. Its attention computes more than softmax(QKᵀ/√d + mask) V."
        )


def allowed_difference(net: PreTrainedModel) -> float:
    """The difference allowed between two answers, as a share of the largest number.

    Sums are taken in another order; half precision and kernels of quantised weights are coarse.
    """
    is_coarse = torch.finfo(net.dtype).bits == 16 or quantised(net)
    return 0.1 if is_coarse else 1e-3


# ----------------------------------------------------------------------------------- short inputs


def short_input(model: Model) -> dict[str, Tensor]:
    """Eight tokens or 4 x 4 patches, with two candidates for a dual encoder; a batch of one."""
    inputs = picture(model) if model.sees_pictures else text(model)
    if not model.is_dual_encoder:
        return inputs
    with torch.no_grad():
        features = model.features(inputs)
    candidates = waves(2 * features.numel()).to(features).view(1, 2, -1)
    return inputs | {"matched": F.normalize(candidates, dim=-1)}


def waves(count: int) -> Float[Tensor, " count"]:
    """Numbers from -1 to 1, no two alike."""
    return torch.cos(torch.arange(1, count + 1, dtype=torch.float64) ** 1.5)


def picture(model: Model) -> dict[str, Tensor]:
    """A picture of few patches; of the trained size for a network that takes no other."""
    height, width = model.trained_size
    embeddings = getattr(model.tower, "embeddings", None)
    if hasattr(embeddings, "interpolate_pos_encoding"):
        patch_height, patch_width = model.patch
        height, width = PATCHES * patch_height, PATCHES * patch_width
    pixels = waves(3 * height * width).view(1, 3, height, width)
    return {"pixel_values": pixels.to(model.net.device, model.net.dtype)}


def text(model: Model) -> dict[str, Tensor]:
    """Words, an end token in the middle and padding at the end.

    So every readout reads other tokens. The highest id stands for the end token where a config has
    none, or has the 2 of CLIP's config of 2021, which means the highest id.
    """
    config = model.tower.config
    vocabulary = config.vocab_size
    size = min(TOKENS, model.max_tokens or TOKENS)
    special_tokens = [getattr(config, f"{name}_token_id", None) for name in SPECIAL_TOKENS]
    words = [i for i in range(min(vocabulary, 64)) if i not in special_tokens] or [0]
    ids = [words[5 * i % len(words)] for i in range(size)]
    end = getattr(config, "eos_token_id", None)
    if type(end) is not int or not 2 < end < vocabulary:
        end = vocabulary - 1
    ids[size // 2] = end
    tensors = {}
    if model.anatomy.readout != "very last" and size > 2:
        padding = getattr(config, "pad_token_id", None)
        if type(padding) is int and 0 <= padding < vocabulary:
            ids[-1] = padding
        tensors["attention_mask"] = torch.tensor([[1] * (size - 1) + [0]])
    tensors = {"input_ids": torch.tensor([ids])} | tensors
    return {name: tensor.to(model.net.device) for name, tensor in tensors.items()}


# ------------------------------------------------------------------------------------------ scores


@dataclass(eq=False)
class SumOfLogits(Score):
    """The sum of all logits, each with a weight of its own; it keeps the answer it was given.

    Of a network with logits for every token it is the first logit of the middle token.
    """

    name: str = "sum of all logits"
    given: Answer | None = None

    @property
    def answer(self) -> Answer:
        """The answer that the score was last computed from."""
        if self.given is None:
            raise RuntimeError("The score has not been computed yet.")
        return self.given

    @property
    def measured(self) -> bool:
        """Whether the network has no logits, so that its score can only be a person's function.

        Where that is read is then measured for each function, and not here.
        """
        return self.answer.class_logits is None and self.answer.token_logits is None

    def __call__(self, answer: Answer) -> Tensor:
        self.given = answer
        if answer.token_logits is not None:
            middle = answer.token_logits.shape[1] // 2
            return answer.token_logits[:, middle, 0]
        logits = answer.class_logits
        if logits is None:
            logits = all_numbers(answer)[None]
        return logits @ waves(logits.shape[-1]).to(logits)

    def readout(self, default: Tensor) -> Tensor:
        if self.answer.token_logits is None:
            return default
        middle = torch.tensor(len(default) // 2)
        return F.one_hot(middle, len(default)).to(default)


def all_numbers(answer: Answer) -> Float[Tensor, " number"]:
    """All numbers in the outputs of a network, in a row."""
    found = []
    for part in answer.outputs.values():
        if torch.is_tensor(part) and part.is_floating_point():
            found.append(part.flatten())
    return torch.cat(found)

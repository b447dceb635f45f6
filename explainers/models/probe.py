"""A network is asked once, when it is loaded, whether what is known of it is true: one short input
of its own kind.

Two questions. Does it answer as it does with the eager attention of `transformers`, now that
another attention function runs in it? And is its score read from the tokens that its architecture's
row names?
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ModelUnavailable
from ..linear import quantised
from ..outputs import Answer
from ..scores import Score
from ..trace import NAME, Pass, attend_by, elsewhere

TOKENS = 8  # of the text
PATCHES = 4  # along a side of the picture

#: Marks that a text model's settings name by their ids.
MARKS = ("bos", "eos", "cls", "sep", "pad", "mask", "unk", "decoder_start")


def short_input(model) -> dict[str, Tensor]:
    """Eight tokens or 4 x 4 patches, and for a dual encoder two directions to match them with.
    Batch of one."""
    inputs = picture(model) if model.anatomy.modality == "image" else text(model)
    if not model.is_dual_encoder:
        return inputs
    with torch.no_grad():
        features = model.features(inputs)
    return inputs | {
        "matched": F.normalize(waves(2 * features.numel()).to(features).view(1, 2, -1), dim=-1)
    }


def waves(count: int) -> Tensor:
    """[count] numbers of both signs, no two alike."""
    return torch.cos(torch.arange(1, count + 1, dtype=torch.float64) ** 1.5)


def picture(model) -> dict[str, Tensor]:
    """A picture of few patches, or of the trained size where the network knows no other."""
    few = [PATCHES * side for side in model.patch]
    height, width = (
        few
        if hasattr(getattr(model.tower, "embeddings", None), "interpolate_pos_encoding")
        else model.trained_size
    )
    pixels = waves(3 * height * width).view(1, 3, height, width)
    return {"pixel_values": pixels.to(model.net.device, model.net.dtype)}


def text(model) -> dict[str, Tensor]:
    """Words that are no marks, an end token in the middle and padding at the end, so that no two
    ways to read a score agree.

    CLIP's settings of 2021 mean by their end token, 2, the highest id.
    """
    config, size = model.tower.config, min(TOKENS, model.max_tokens or TOKENS)
    marks = {getattr(config, f"{mark}_token_id", None) for mark in MARKS}
    words = [i for i in range(min(config.vocab_size, 64)) if i not in marks] or [0]
    ids = [words[5 * i % len(words)] for i in range(size)]
    end, padding = getattr(config, "eos_token_id", None), getattr(config, "pad_token_id", None)
    ids[size // 2] = (
        end if type(end) is int and 2 < end < config.vocab_size else config.vocab_size - 1
    )
    attended = torch.ones(1, size, dtype=torch.long)
    if model.anatomy.readout != "very last" and size > 2:
        attended[0, -1] = 0
        ids[-1] = padding if type(padding) is int and 0 <= padding < config.vocab_size else ids[-1]
    tensors = {"input_ids": torch.tensor([ids])} | (
        {"attention_mask": attended} if not attended.all() else {}
    )
    return {name: tensor.to(model.net.device) for name, tensor in tensors.items()}


@dataclass(eq=False)
class Everything(Score):
    """A score made of all logits, each with a weight of its own, or of the middle token's first
    where each token has its own; keeps what it heard."""

    heard: Answer | None = None
    name: str = "sum of all logits"

    @property
    def measured(self) -> bool:
        """Whether the network has no score of its own: then only functions of its outputs are
        explained, and these are asked themselves."""
        return self.heard.class_logits is None and self.heard.token_logits is None

    def __call__(self, answer: Answer) -> Tensor:
        self.heard = answer
        if answer.token_logits is not None:
            return answer.token_logits[:, answer.token_logits.shape[1] // 2, 0]
        logits = numbers(answer)[None] if answer.class_logits is None else answer.class_logits
        return logits @ waves(logits.shape[-1]).to(logits)

    def readout(self, default: Tensor) -> Tensor:
        return (
            default
            if self.heard.token_logits is None
            else F.one_hot(torch.tensor(len(default) // 2), len(default)).to(default)
        )


def numbers(answer: Answer) -> Tensor:
    """All numbers of a network's outputs, in a row."""
    return torch.cat(
        [
            part.flatten()
            for part in answer.outputs.values()
            if torch.is_tensor(part) and part.is_floating_point()
        ]
    )


def check(model, compare: bool) -> None:
    """Refuse a network whose score depends on other tokens' last hidden states than its readout
    names, or, to `compare`, that answers otherwise with this package's attention function than with
    the eager one of `transformers`."""
    inputs, asked = short_input(model), Everything()
    (one,) = Pass(model, inputs, [asked], record=("attention", "hidden")).traces()
    if (
        one.run.has_gradients and not asked.measured
    ):  # no slope passes through some quantised weights
        slope = one.grad.hidden[-1].abs().sum(-1)
        if slope.any() and (slope[one.readout > 0.01 * one.readout.max()] == 0).any():
            raise elsewhere(model, slope > 0, one.readout)
    if compare:
        check_answer(model, inputs, numbers(asked.heard).detach())


def check_answer(model, inputs: dict[str, Tensor], got: Tensor) -> None:
    attend_by(model.net, "eager")
    with torch.no_grad():
        wanted = numbers(model.answer(inputs))
    attend_by(model.net, NAME)
    off, largest = (got - wanted).abs().max(), wanted.abs().max()
    if (
        off > within(model.net) * largest
    ):  # never so where numbers are not finite, which has other reasons
        raise ModelUnavailable(
            f"{type(model.net).__name__} answers otherwise when its attention is recorded (its "
            f"logits are off by {float(off):.2g} where the largest is {float(largest):.2g}), so "
            "another model would be explained: its attention does more than "
            "softmax(QKᵀ/√d + mask) V."
        )


def within(net) -> float:
    """How far two answers of `net` may be apart, in shares of the largest number: the order of sums
    differs, half precision is coarse, and so are kernels of quantised weights."""
    coarse = torch.finfo(net.dtype).bits == 16 or quantised(net)
    return 0.1 if coarse else 1e-3

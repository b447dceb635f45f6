"""The tensors of one pass by name: its activations, or the gradients of the score by these."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar, overload

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from .tape import RECORDED

T = TypeVar("T")

#: Inputs that get a gradient: the name in a `Trace` -> the name in `transformers`.
INPUTS_WITH_GRAD = {"pixels": "pixel_values", "embedded": "inputs_embeds"}


@dataclass(frozen=True, eq=False, repr=False)
class Activations:
    """The tensors of one pass over one example.

    A tensor that the pass did not record raises `Refusal` when it is read: `recorded` holds those
    that there are, by name.
    """

    recorded: dict[str, Tensor]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shapes()})"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.recorded.items()}

    def part(self, name: str) -> Tensor:
        """The tensor `name`; raises `Refusal` if the pass did not record it."""
        if name not in self.recorded:
            there = ", ".join(self.recorded) or "nothing"
            raise Refusal(f"This pass did not record {name}; it recorded {there}.")
        return self.recorded[name]

    @property
    def attention(self) -> Float[Tensor, "layer head query key"]:
        """The attention probabilities, after the softmax."""
        return self.part("attention")

    @property
    def value(self) -> Float[Tensor, "layer head key dim_head"]:
        """The value vectors of every head."""
        return self.part("value")

    @property
    def hidden(self) -> Float[Tensor, "state token dim"]:
        """The hidden states: hidden[l] enters block l, hidden[-1] leaves the last one."""
        return self.part("hidden")

    @property
    def normed(self) -> Float[Tensor, "layer token dim"]:
        """What the attention of each layer reads: hidden[l], or its LayerNorm in pre-LN models."""
        return self.part("normed")

    @property
    def pixels(self) -> Float[Tensor, "channel height width"]:
        """The pixel values of a picture."""
        return self.part("pixels")

    @property
    def embedded(self) -> Float[Tensor, "token dim"]:
        """The word embeddings, in a pass that was given `inputs_embeds`."""
        return self.part("embedded")


@dataclass(frozen=True, eq=False, repr=False)
class NoGradients(Activations):
    """Stands for the gradients of a network that has none: reading one raises `Refusal`.

    reason: why there are none, as the end of "The weights of this network".
    """

    recorded: dict[str, Tensor] = field(default_factory=dict)
    reason: str = "are used where no gradient is kept"

    def part(self, name: str) -> Tensor:
        raise Refusal(
            f"The weights of this network {self.reason}, so no gradient passes through it: use an "
            "attention method or occlusion, or load the network in bfloat16 or float32."
        )


def of_example(recorded: dict[str, list[Tensor]], i: int) -> dict[str, Tensor]:
    """Example i of tensors that were recorded in a batch, without their history.

    Those of the layers are stacked. An input has no layers, and one input may stand for all
    examples that an edit made.
    """
    one = {}
    for name, tensors in recorded.items():
        if name in RECORDED:
            one[name] = torch.stack([tensor[i].detach() for tensor in tensors])
        else:
            one[name] = row_of(tensors[0], i).detach()
    return one


@overload
def row_of(rows: Tensor, i: int) -> Tensor: ...
@overload
def row_of(rows: Sequence[T], i: int) -> T: ...
def row_of(rows, i: int):
    """Row i, or the only row, which is then that of every example."""
    if len(rows) == 1:
        return rows[0]
    return rows[i]

"""The parts of one block of a model, as a `Layer` that methods read and run alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..linear import Affine, affine
from ..trace import Layer, Tape, evaluating, tell
from .anatomy import submodule

if TYPE_CHECKING:
    from .model import Model


def layer_of(
    model: Model,
    block: nn.Module,
    args: tuple,
    kwargs: dict[str, Any],
    plain: Callable[[], Model],
) -> Layer:
    """The parts of a block that ran in a pass.

    args, kwargs  what it ran with, after the hidden states: the layer runs with them again
    plain         gives the model with plain linear layers, when the first linear map is read
    """
    anatomy = model.anatomy
    number = model.blocks.index(block)
    up, activation, down = anatomy.ffn or ("", "", "")
    paths = {"w_v": anatomy.w_v, "w_o": anatomy.w_o, "up": up, "down": down}

    def linear(name: str) -> Affine | None:
        if not paths[name]:
            return None
        readable = plain()
        with evaluating(readable.net):
            return affine(submodule(readable.blocks[number], paths[name]))

    def run(hidden: Tensor, **edits: Any) -> Tensor:
        with evaluating(model.net):
            tape = Tape(model.blocks, edits, record=())
            changed = block(hidden, *args, **kwargs | {"tape": tape})
        tell(len(hidden) / len(model.blocks))
        return changed

    return Layer(
        linear,
        heads=model.tower.config.num_attention_heads,
        norm1=submodule(block, anatomy.norm1),
        norm2=submodule(block, anatomy.norm2),
        norm_first=anatomy.norm_first,
        activation=submodule(block, activation) if activation else None,
        run=run,
    )

"""The tape: what one pass records, the edits that it makes, and which tape is on in a thread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

#: A change of a tensor inside the network. Edits of `scores`, `attention` and `value` may also be
#: given by layer: {layer: function}.
Edit = Callable[[Tensor], Tensor] | Mapping[int, Callable[[Tensor], Tensor]]

#: What a pass can record in every layer, by its name in a `Trace`.
RECORDED = ("attention", "value", "hidden", "normed")


class BlockCall(NamedTuple):
    """A block that ran, with its arguments other than the hidden states: masks and positions."""

    block: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(eq=False)
class Tape:
    """The record of one pass; it grows while `blocks` run.

    blocks          the blocks that record here; those of another tower do not
    edits           changes to make on the way, by the name of what is changed
    record          which of `RECORDED` to keep
    recorded        the tensors so far by name, one a layer, with a batch axis
    last_hidden     what left the latest block [example token dim], with its history
    shape           the numbers of examples and tokens
    calls           the blocks that ran, in order
    gradient_ended  whether a tensor needs no gradient although the tensors before it do
    """

    blocks: Sequence[nn.Module]
    edits: Mapping[str, Edit] = field(default_factory=dict)
    record: Sequence[str] = RECORDED
    recorded: dict[str, list[Tensor]] = field(default_factory=dict)
    last_hidden: Tensor = field(default_factory=lambda: torch.empty(0))
    shape: tuple[int, int] = (0, 0)
    calls: list[BlockCall] = field(default_factory=list)
    gradient_ended: bool = False

    def edit(self, name: str, tensor: Tensor) -> Tensor:
        """`tensor` as the edit of `name` changes it."""
        edit = self.edits.get(name)
        if isinstance(edit, Mapping):
            edit = edit.get(len(self.calls) - 1)
        if edit is None:
            return tensor
        return edit(tensor)

    def write(self, name: str, tensor: Tensor) -> Tensor:
        """Record `tensor` under `name` and return what the network must go on with.

        The first tensor that could need a gradient becomes a leaf, so that it gets one.
        """
        if torch.is_grad_enabled() and not tensor.requires_grad:
            self.gradient_ended = self.gradient_ended or bool(self.calls)
            tensor = tensor.detach().requires_grad_()
        if name in self.record:
            self.recorded.setdefault(name, []).append(tensor)
        return tensor


#: The tapes of the attention modules that run in this thread, the innermost last; None stands for
#: a module that is not recorded.
RUNNING: ContextVar[tuple[Tape | None, ...]] = ContextVar("running", default=())


def running() -> Tape | None:
    """The tape of the attention module that runs in this thread now, if there is one."""
    tapes = RUNNING.get()
    if not tapes:
        return None
    return tapes[-1]


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Record on `tape` every attention that runs in this thread meanwhile, whatever its module."""
    token = RUNNING.set((*RUNNING.get(), tape))
    try:
        yield
    finally:
        RUNNING.reset(token)

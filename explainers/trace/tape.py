"""The tape: lists that grow while blocks run, and which tape is running in this thread."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

#: What is done to a tensor on its way; in `attention`, `scores` and `value` also by layer, {layer: function}.
Edit = Callable[[Tensor], Tensor] | dict[int, Callable[[Tensor], Tensor]]

#: What a pass can write down, as a `Trace` calls it.
RECORDED = ("attention", "value", "hidden", "normed")

#: What is fed in and can be differentiated by, under the names of `transformers` and of a `Trace`.
FED = {"pixels": "pixel_values", "embedded": "inputs_embeds"}


@dataclass(eq=False)
class Tape:
    """Lists that grow while `blocks` run, and the edits to make on the way."""

    blocks: Sequence[nn.Module]
    edits: dict[str, Edit] = field(default_factory=dict)
    record: Sequence[str] = RECORDED
    attention: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    normed: list[Tensor] = field(default_factory=list)
    shape: tuple[int, int] = (0, 0)  # examples, tokens
    # what left the latest block [example token dim], with its history
    last: Tensor | None = None
    runs: list[tuple[nn.Module, tuple, dict]] = field(
        default_factory=list
    )  # each block that ran, with its other arguments
    # whether something needed no gradient although it came of what does
    cut: bool = False

    def edit(self, name: str, tensor: Tensor) -> Tensor:
        edit = self.edits.get(name)
        if isinstance(edit, dict):
            edit = edit.get(len(self.runs) - 1)
        return tensor if edit is None else edit(tensor)

    def write(self, name: str, tensor: Tensor) -> Tensor:
        """Note `tensor`, as a leaf if nothing before it needs a gradient; return what the network must go on with."""
        if torch.is_grad_enabled() and not tensor.requires_grad:
            self.cut = self.cut or bool(self.runs)
            tensor = tensor.detach().requires_grad_()
        if name in self.record:
            getattr(self, name).append(tensor)
        return tensor


#: The tapes of the attention modules that are running in this thread, one inside the other; None
#: for one off the record.
RUNNING: ContextVar[tuple[Tape | None, ...]] = ContextVar("running", default=())


def running() -> Tape | None:
    tapes = RUNNING.get()
    return tapes[-1] if tapes else None


@contextmanager
def recording(tape: Tape):
    """Every attention of this thread that runs meanwhile is written on `tape`, in its order, whatever module it belongs to."""
    before = RUNNING.set((*RUNNING.get(), tape))
    try:
        yield
    finally:
        RUNNING.reset(before)

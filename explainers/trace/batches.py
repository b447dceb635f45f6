"""Parts of a batch: as many examples at once as a device computes fastest, and single ones."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .tape import BlockCall

#: How many tokens pass together without gradients. Larger batches overflow a CPU's cache and are
#: slower.
TOKENS_ON_CPU = 1280
TOKENS_ON_GPU = 16384


def rows_at_once(count: int, tokens: int, device: torch.device) -> int:
    """How many of `count` examples of `tokens` tokens pass together, without gradients.

    All parts have about the same size.
    """
    limit = TOKENS_ON_CPU if device.type == "cpu" else TOKENS_ON_GPU
    parts = max(1, math.ceil(count * tokens / limit))
    return math.ceil(count / parts)


def chunks(inputs: dict[str, Tensor], tokens: int) -> Iterator[dict[str, Tensor]]:
    """The examples of `inputs` in parts, so that memory does not grow with their number.

    A tensor with fewer rows than there are examples goes with every part.
    """
    size = max(map(len, inputs.values()))
    first = next(iter(inputs.values()))
    rows = rows_at_once(size, tokens, first.device)
    for start in range(0, size, rows):
        part = {}
        for name, tensor in inputs.items():
            part[name] = tensor[start : start + rows] if len(tensor) == size else tensor
        yield part


def example_inputs(inputs: dict[str, Tensor], i: int, size: int) -> dict[str, Tensor]:
    """The inputs of example i of `size`, a batch of one."""
    one = {}
    for name, tensor in inputs.items():
        one[name] = tensor[i : i + 1] if len(tensor) == size else tensor
    return one


def call_of(call: BlockCall, i: int, size: int) -> BlockCall:
    """The call of a block for example i of `size` alone, with its mask and positions."""
    kwargs = {name: argument_of(argument, i, size) for name, argument in call.kwargs.items()}
    return BlockCall(call.block, argument_of(call.args, i, size), kwargs)


def argument_of(argument: Any, i: int, size: int) -> Any:
    """An argument of a block for example i of `size`; sines and cosines come as a tuple."""
    if isinstance(argument, tuple):
        return tuple(argument_of(item, i, size) for item in argument)
    if torch.is_tensor(argument) and argument.ndim > 1 and len(argument) == size > 1:
        return argument[i : i + 1]
    return argument

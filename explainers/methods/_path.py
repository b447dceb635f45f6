"""Many runs of one input in batches, such as the points of a path; and its numbers by token."""

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace


def batch_size(trace: Trace) -> int:
    """How many copies of the input run at once: fast, and within memory at 512 tokens."""
    return max(1, min(16, 2048 // len(trace.attended)))


def explained_input(trace: Trace) -> Tensor:
    """The input that a gradient is taken by.

    Of a picture its pixels [channel height width], of a text the vectors that enter the first
    block [token dim].
    """
    return trace.pixels if trace.grid else trace.hidden[0]


def input_gradient(trace: Trace) -> Tensor:
    """The gradient of the score by `explained_input`, shaped like it."""
    return trace.grad.pixels if trace.grid else trace.grad.hidden[0]


def by_token(trace: Trace, x: Float[Tensor, "..."]) -> Float[Tensor, "token part"]:
    """Numbers shaped like the input, as one row per token [token part].

    The row of a patch has its pixels; that of [CLS], which has none, zeros.
    """
    if not trace.grid:
        return x
    rows, columns = trace.grid
    height, width = trace.patch_size
    covered = x[:, : rows * height, : columns * width]
    tiles = covered.unflatten(2, (columns, width)).unflatten(1, (rows, height))
    patches = tiles.permute(1, 3, 0, 2, 4).flatten(2).flatten(0, 1)
    return F.pad(patches, (0, 0, len(trace.attended) - len(patches), 0))


def patch_grid(trace: Trace) -> tuple[int, int]:
    """The rows and columns of a picture's patches. Raises `Refusal` for a text."""
    if trace.grid is None:
        raise Refusal("A text has no patches.")
    return trace.grid


def on_path(
    start: Float[Tensor, "..."], end: Float[Tensor, "..."], alphas: Float[Tensor, " n"]
) -> Float[Tensor, "n ..."]:
    """The points start + α (end − start) for each of `alphas` [n], stacked [n ...]."""
    return start + alphas.view(-1, *[1] * end.ndim) * (end - start)


def reruns(trace: Trace, points: Tensor, record: Sequence[str] = ("hidden",)) -> Iterator[Trace]:
    """The traced run again, with each of `points` [n ...] in place of the input."""
    for batch in points.split(batch_size(trace)):
        if trace.grid:
            changed = trace.inputs | {"pixel_values": batch}
            yield from trace.again_many(inputs=changed, record=record)
        else:
            yield from trace.again_many(entry=lambda _, batch=batch: batch, record=record)

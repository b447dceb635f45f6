"""Many runs of one input, a batch at a time: the points of a path, a cloud of noise; and the input as rows, one a token."""

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from torch import Tensor

from ..trace import Activations, Trace


def rows(trace: Trace) -> int:
    """How many copies of the input share a batch: enough to be fast, few enough for memory at 512 tokens."""
    return max(1, min(16, 2048 // len(trace.attended)))


def given(trace: Activations) -> Tensor:
    """What was given, where it can be differentiated by: a picture's pixels [channel height width], or the vectors of a
    text that enter the first block [token dim]."""
    return trace.pixels if "pixels" in trace.recorded else trace.hidden[0]


def by_token(trace: Trace, x: Tensor) -> Tensor:
    """Numbers shaped like what was given, a row a token [token part]: of a patch its pixels, of [CLS] before the patches zeros."""
    if not trace.grid:
        return x
    (rows, columns), (tall, wide) = trace.grid, trace.patch_size
    tiles = (
        x[:, : rows * tall, : columns * wide]
        .unflatten(2, (columns, wide))
        .unflatten(1, (rows, tall))
    )
    patches = tiles.permute(1, 3, 0, 2, 4).flatten(2).flatten(0, 1)
    return F.pad(patches, (0, 0, len(trace.attended) - len(patches), 0))


def reruns(trace: Trace, points: Tensor, record: Sequence[str] = ("hidden",)) -> Iterator[Trace]:
    """The same run with what was given moved to each of `points` [n ...]."""
    for some in points.split(rows(trace)):
        if trace.grid:
            yield from trace.again_many(inputs=trace.inputs | {"pixel_values": some}, record=record)
        else:
            yield from trace.again_many(entry=lambda _, some=some: some, record=record)

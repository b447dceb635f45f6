"""Many runs of one input, a batch at a time: the points of a path, a cloud of noise."""

from ..trace import Trace


def rows(trace: Trace) -> int:
    """How many copies of the input share a batch: enough to be fast, few enough for memory at 512 tokens."""
    return max(1, min(16, 2048 // trace.hidden.shape[1]))

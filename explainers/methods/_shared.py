"""What several methods share: passes that run once for each trace, and checked indices."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Concatenate, ParamSpec, TypeVar

from ..errors import Refusal
from ..trace import Trace

Options = ParamSpec("Options")
Result = TypeVar("Result")


def once_per_trace(
    function: Callable[Concatenate[Trace, Options], Result],
) -> Callable[Concatenate[Trace, Options], Result]:
    """Compute `function(trace, options...)` once for a trace and the same options.

    For passes through the network that several options, or several calls, have in common. The
    result is kept as long as the trace is.
    """

    taken = signature(function)

    @wraps(function)
    def look_up(trace: Trace, *args: Options.args, **kwargs: Options.kwargs) -> Result:
        given = taken.bind(trace, *args, **kwargs)
        given.apply_defaults()
        _, *options = given.arguments.items()
        key = (function, *options)
        return trace.cached(key, lambda: function(trace, *args, **kwargs))

    return look_up


def within(index: int, size: int, what: str) -> int:
    """`index`, counted from the end if it is negative, as a number from 0 to `size` − 1.

    Raises `Refusal` if there is no such layer, head, ... (`what`).
    """
    if not -size <= index < size:
        raise Refusal(f"There is no {what} {index}: this model has {what}s 0 to {size - 1}.")
    return index % size


def layer_names(first: int, layers: int) -> list[str]:
    """The names of the rows of a map by layer that starts at layer `first`: L2, L3, ..."""
    return [f"L{i}" for i in range(first, layers)]

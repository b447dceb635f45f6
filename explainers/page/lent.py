"""Running a function where a GPU is lent: hosts of the kind ZeroGPU give one for each call."""

import re
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import ParamSpec, TypeVar

from ..errors import Refusal

SECONDS = 30  # for which a call gets the GPU

#: The title of the error that `spaces` raises for an accident in the process with the GPU.
WORKER_ERROR = "ZeroGPU worker error"

P = ParamSpec("P")
T = TypeVar("T")


def on_lent_gpu(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, run where a GPU is lent; the function itself on every other machine.

    There it runs in another process, from which only the name of an exception's class comes
    back. So a `Refusal` travels as a value and is raised again on this side.
    """
    try:
        spaces = import_module("spaces")  # the host's own package
    except ImportError:
        return function
    import gradio

    @wraps(function)
    def refusals_as_values(*args: P.args, **options: P.kwargs) -> T | Refusal:
        try:
            return function(*args, **options)
        except Refusal as refusal:
            return refusal

    run_there = spaces.GPU(duration=SECONDS)(refusals_as_values)

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> T:
        try:
            answer = run_there(*args, **options)
        except gradio.Error as error:
            if error.title == WORKER_ERROR:
                raise
            # the host's own: no GPU is free, or the visitor's share is used up
            raise Refusal(re.sub("<[^>]*>", "", str(error.message))) from error
        if isinstance(answer, Refusal):
            raise answer
        return answer

    return run

"""The modes that a pass runs in: no inference mode, and the network in evaluation mode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

P = ParamSpec("P")
R = TypeVar("R")


def ordinary(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` leave `torch.inference_mode()`, in which no tensor can have a gradient."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return run


@dataclass
class Passes:
    """The passes that run in one network now.

    count     how many there are
    training  the modules that were in training mode before the first of them
    """

    count: int = 0
    training: list[nn.Module] = field(default_factory=list)


PASSES: WeakKeyDictionary[nn.Module, Passes] = WeakKeyDictionary()
LOCK = Lock()


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put `net` in evaluation mode for a pass, so that there is no dropout.

    Threads may share a network: its modules go back to training mode after the last pass.
    """
    with LOCK:
        passes = PASSES.setdefault(net, Passes())
        passes.count += 1
        for module in net.modules():
            if module.training:
                passes.training.append(module)
                module.training = False
    try:
        yield
    finally:
        with LOCK:
            passes.count -= 1
            if passes.count == 0:
                for module in passes.training:
                    module.training = True
                passes.training.clear()

"""The modes that a pass runs in: outside of inference mode, and with the network evaluating."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from torch import nn


def ordinary(function: Callable) -> Callable:
    """`function` as it runs outside of `torch.inference_mode()`, inside of which nothing has a
    slope."""

    @wraps(function)
    def run(*args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return run


@dataclass
class Passes:
    """How many passes run in a network, and which of its modules were training before the first."""

    running: int = 0
    training: list[nn.Module] = field(default_factory=list)


PASSES: WeakKeyDictionary[nn.Module, Passes] = WeakKeyDictionary()
COUNTING = Lock()


@contextmanager
def evaluating(net: nn.Module):
    """Evaluation mode for a pass: no dropout. What was training is so again when the last pass of
    all threads is over."""
    with COUNTING:
        passes = PASSES.setdefault(net, Passes())
        passes.running += 1
        for module in [module for module in net.modules() if module.training]:
            passes.training.append(module)
            module.training = False
    try:
        yield
    finally:
        with COUNTING:
            passes.running -= 1
            while passes.training and not passes.running:
                passes.training.pop().training = True

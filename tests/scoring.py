"""Every method on every architecture, at a cost that tests can pay."""

from functools import cache
from itertools import product

import pytest
import torch
from tiny import ARCHITECTURES, defined, example, tiny

import explainers as ex
from explainers.methods import METHODS

QUICK = {
    "integrated_gradients": {"steps": 24},
    "smoothgrad": {"samples": 4},
    "attattr": {"steps": 3},
    "beyond_intuition": {"steps": 3},
}

DEFINED = [
    (key, name) for key, name in product(METHODS, ARCHITECTURES) if defined(METHODS[key], name)
]

everywhere = pytest.mark.parametrize(
    "key, name", DEFINED, ids=[f"{key}-{name}" for key, name in DEFINED]
)

each_method = pytest.mark.parametrize("key", METHODS)

TEXTUAL = [key for key, method in METHODS.items() if "text" in method.tasks]

each_of_text = pytest.mark.parametrize("key", TEXTUAL)


def home(key: str) -> str:
    """The tiny model that a method is tried on: BERT, or ViT where it is for pictures alone."""
    return "bert" if key in TEXTUAL else "vit"


@cache
def traced(name: str, target=0) -> ex.Trace:
    return tiny(name).trace(example(name), target)


@cache
def scored(key: str, name: str, target=0) -> torch.Tensor:
    return METHODS[key](traced(name, target), **QUICK.get(key, {}))

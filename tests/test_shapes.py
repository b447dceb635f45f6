"""That shapes in signatures are checked while the tests run."""

import importlib

import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from shapes import PARTS, check
from torch import Tensor


@jaxtyped(typechecker=check)
def row(maps: Float[Tensor, "query key"], query: int) -> Float[Tensor, " key"]:
    return maps[query] if query >= 0 else maps


def total(numbers: list[float]) -> float:
    return sum(numbers)


def test_a_tensor_of_another_shape_is_refused():
    assert row(torch.eye(3), 1).tolist() == [0, 1, 0]
    with pytest.raises(TypeCheckError):
        row(torch.ones(3), 1)
    with pytest.raises(TypeCheckError):
        row(torch.ones(3, 3, dtype=torch.int64), 1)


def test_a_result_of_another_shape_is_refused():
    with pytest.raises(TypeCheckError):
        row(torch.eye(3), -1)


def test_a_function_without_shapes_is_left_alone():
    assert check(total) is total


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_are_watched(part):
    module = importlib.import_module(part)
    assert type(module.__loader__).__name__ == "_JaxtypingLoader"

"""ties.py: what is equal, and in which order equal numbers go."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import explainers
from explainers import ties

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]

#: Steps of a hundredth are far above every tolerance of numbers up to three, those of 16 bits left
#: aside.
STEPS = st.lists(st.integers(-300, 300), min_size=1, max_size=40)


def shaken(steps: list[int], seed: int) -> torch.Tensor:
    """The numbers with noise of 1e-7 of the largest, upwards or downwards."""
    exact = torch.tensor(steps, dtype=torch.float64) / 100
    noise = torch.rand(
        len(exact), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return (exact + 1e-7 * exact.abs().max() * (2 * noise - 1)).float()


@given(steps=STEPS, seed=st.integers(0, 2**31))
def test_noise_changes_no_choice_among_numbers_that_are_equal_or_far_apart(steps, seed):
    exact, noisy = torch.tensor(steps) / 100, shaken(steps, seed)
    order = exact.argsort(descending=True, stable=True)
    assert ties.ranked(noisy).tolist() == ties.ranked(exact).tolist() == order.tolist()
    assert ties.place_of_largest(noisy) == order[0]
    assert ties.tied(noisy).tolist() == (exact == exact.max()).tolist()
    assert ties.constant(noisy) == (len(set(steps)) == 1)
    distinct = sorted(set(steps), reverse=True)
    assert ties.levels(noisy).tolist() == [distinct.index(step) for step in steps]
    middle = float(exact.median())
    assert ties.above(noisy, middle).tolist() == (exact > middle).tolist()


@given(numbers=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60))
def test_whatever_the_numbers_an_order_is_wrong_by_no_more_than_the_tolerance(numbers):
    values = torch.tensor(numbers)
    order, level = ties.ranked(values), ties.levels(values)
    assert sorted(order.tolist()) == list(range(len(numbers)))
    assert order[0] == ties.place_of_largest(values) and ties.tied(values).equal(level == 0)
    falling, widest = values[order].double(), ties.tolerance(values).max()
    assert (falling.cummin(0).values + widest >= falling).all(), (
        "none stands behind one that is clearly smaller"
    )
    for number in range(int(level.max()) + 1):
        group = values[level == number].double()
        assert group.max() - group.min() <= widest


def test_many_close_numbers_are_no_single_group():
    values = torch.linspace(0, 1, 2_000_001, dtype=torch.float64)[:4001].float()
    close = 1 + values  # neighbours are 5e-7 apart, and the ends 2e-3
    assert int(ties.levels(close).max()) > 100 and not ties.constant(close)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_tolerance_goes_by_the_precision(dtype):
    coarse = torch.finfo(dtype).eps
    values = torch.tensor([1, 1 + coarse], dtype=dtype)
    assert values[0] != values[1] and ties.ranked(values).tolist() == [0, 1]
    apart = {torch.float64: 1e-8, torch.float32: 1e-4}.get(dtype, 0.1)
    assert ties.ranked(torch.tensor([1, 1 + apart], dtype=dtype)).tolist() == [1, 0]


def test_plain_numbers_count_as_computed_in_float32_and_a_floor_is_added():
    assert ties.ranked([1, 1 + 1e-6, 2]).tolist() == [2, 0, 1]
    assert ties.tied([1e-7, 2e-7]).tolist() == [False, True], "by size alone they differ"
    assert ties.tied([1e-7, 2e-7], ties.PROBABILITY).tolist() == [True, True]


def test_what_is_infinite_or_no_number_has_a_place():
    numbers = [1, -torch.inf, torch.nan, torch.inf, 1 + 1e-7, 2]
    assert ties.ranked(numbers).tolist() == [3, 5, 0, 4, 1, 2]
    assert ties.ranked([]).tolist() == [] and ties.ranked(torch.tensor([0.0, -0.0])).tolist() == [
        0,
        1,
    ]
    assert ties.tied([-torch.inf, -torch.inf]).all() and ties.place_of_largest([-torch.inf, 0]) == 1


def test_rows_are_looked_at_one_by_one():
    rows = torch.tensor([[5, 5 + 1e-6, 5], [0, 1e-3, 0], [0, 0, 0]])
    assert ties.constant(rows).tolist() == [True, False, True]


def test_a_positive_factor_changes_nothing():
    values = torch.rand(50, generator=torch.Generator().manual_seed(0))
    assert all(
        ties.ranked(values * factor).equal(ties.ranked(values))
        for factor in (1e-20, 1e-3, 7.0, 1e20)
    )


def test_nothing_else_chooses_by_size():
    """These find the place of what is true or false, where nothing is nearly equal."""
    allowed = ("ties.py", "model.py", "readouts.py")
    files = [
        path for path in Path(explainers.__file__).parent.rglob("*.py") if path.name not in allowed
    ]
    choosing = re.compile(r"\b(argmax|argmin|argsort|topk|kthvalue|nlargest)\(")
    found = [path.name for path in files if choosing.search(path.read_text(encoding="utf-8"))]
    assert files and not found

"""Decide which numbers are equal and in which order equal numbers go.

Everything that is chosen by size (the largest, an order, a threshold) is chosen here. The reason:
the same network gives other last digits on another processor, in another batch, or with another
number of threads. Measured on the bundled models in float32 with two sets of CPU kernels, most maps
differ by about 1e-6 of their largest number, and few by 1e-5. Without a tolerance, a choice between
such numbers would depend on the machine. The rules:

- b equals a larger number a if a − b ≤ r · |a| + r / 10 · M + floor. M is the largest magnitude of
  all compared numbers. The first term is the rounding of a itself. The second is the rounding of a
  sum whose terms were larger than their sum. r depends on the precision: 1e-5 in float32, 1e-9 in
  float64, and twice the machine epsilon in 16 bits.
- Equality in this sense is not transitive. So numbers are put into groups: the largest number and
  its equals are the first group, the largest of the rest and its equals the second, and so on. No
  group is wider than the tolerance.
- Inside a group the order of the input holds: tokens from first to last, classes by their index.

So numbers that are equal, and numbers that differ by clearly more than the tolerance, have the same
order on every machine. A number at the very edge of the tolerance can still fall on either side.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Numbers = Tensor | Sequence[float]

#: r of float32, and of plain numbers, which were usually computed in float32.
SINGLE = 1e-5

#: r of the other precisions.
RELATIVE = {
    torch.float64: 1e-9,
    torch.float16: 2 * torch.finfo(torch.float16).eps,
    torch.bfloat16: 2 * torch.finfo(torch.bfloat16).eps,
}

#: A floor for sums of probabilities: float32 rounds a probability at 6e-8 of 1.
PROBABILITY = 1e-6


def comparable(values: Numbers) -> Tensor:
    """The numbers as float64 on the CPU. NaN counts as the smallest number of all."""
    given = torch.as_tensor(values).detach().cpu().double()
    return given.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def tolerance(values: Numbers, of: Numbers | None = None, floor: float = 0.0) -> Tensor:
    """How far below a number another one may lie and still be equal to it.

    values  [... n], all compared numbers, along the last axis
    of      [... m], the numbers whose tolerance is wanted; by default `values`
    floor   is added to every tolerance, in the unit of the numbers
    """
    share = RELATIVE.get(values.dtype, SINGLE) if isinstance(values, Tensor) else SINGLE
    given = comparable(values)
    anchors = given if of is None else comparable(of)
    largest = magnitude(given).amax(-1, keepdim=True)
    return share * magnitude(anchors) + share / 10 * largest + floor


def magnitude(numbers: Tensor) -> Tensor:
    """The absolute values; 0 for what is not finite."""
    return numbers.nan_to_num(0, 0, 0).abs()


def tied(values: Numbers, floor: float = 0.0) -> Tensor:
    """Whether each number [n] is the largest one or equal to it."""
    given = comparable(values)
    top = given.max()
    return given >= top - tolerance(values, top[None], floor)


def tied_places(values: Numbers, floor: float = 0.0) -> list[int]:
    """The places of the largest number and its equals."""
    return tied(values, floor).nonzero().flatten().tolist()


def place_of_largest(values: Numbers, floor: float = 0.0) -> int:
    """The place of the largest number, of equal ones the first."""
    return int(tied(values, floor).int().argmax())


def levels(values: Numbers, floor: float = 0.0) -> Tensor:
    """The group [n] of each number: 0 for the largest and its equals, then 1, and so on."""
    given = comparable(values)
    falling, order = given.sort(descending=True, stable=True)
    reach = tolerance(values, falling, floor) if len(given) else falling
    next_group = torch.searchsorted(-falling, reach - falling, right=True).tolist()
    largest_of_groups, at = [], 0
    while at < len(given):
        largest_of_groups.append(at)
        at = next_group[at]
    starts = torch.zeros_like(order)
    starts[largest_of_groups] = 1
    return torch.empty_like(order).index_put((order,), starts.cumsum(0) - 1)


def ranked(values: Numbers, floor: float = 0.0) -> Tensor:
    """The places [n] by falling number; equal numbers from first to last."""
    return levels(values, floor).argsort(stable=True)


def constant(values: Numbers) -> Tensor:
    """Whether all numbers along the last axis [... n] are equal."""
    given = comparable(values)
    high, low = given.amax(-1, keepdim=True), given.amin(-1, keepdim=True)
    return (low >= high - tolerance(values, high)).squeeze(-1)


def above(values: Numbers, threshold: float) -> Tensor:
    """Whether each number [n] is larger than the threshold and not equal to it."""
    return comparable(values) > threshold + tolerance(values, [threshold])

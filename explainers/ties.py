"""Which numbers count as equal, and which of them comes first: every choice by size is made here.

The same network gives other last digits on another processor, in another batch, or with another
number of threads. On the bundled models in float32, with two sets of CPU kernels, most maps differ
by about 1e-6 of their largest number, and a few by 1e-5. A choice between two numbers that are
closer than that would be another one on another machine. So:

- A number b equals a larger number a if a − b ≤ r · |a| + r / 10 · m + floor. m is the largest
  magnitude of all numbers that are compared. The first term is the rounding of a itself. The second
  one is the rounding of a sum whose terms were larger than the sum. r depends on the precision of
  the numbers: 1e-5 in float32, 1e-9 in float64, twice the machine epsilon in 16 bits.
- "Equals" is not transitive. The largest number and its equals are the first group, the largest of
  the rest and its equals the second, and so on. So no group is wider than the tolerance, however
  many numbers lie close together.
- In a group the order is that of the input: tokens from first to last, classes by their index.

So numbers that are equal, or differ by clearly more than the tolerance, are in the same order
everywhere. Only at the edge of the tolerance does rounding decide, as it does for every rule that
has an edge.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Numbers = Tensor | Sequence[float]

#: r of float32, and of plain numbers, which were mostly computed in it.
SINGLE = 1e-5

#: r of the other precisions.
RELATIVE = {
    torch.float64: 1e-9,
    torch.float16: 2 * torch.finfo(torch.float16).eps,
    torch.bfloat16: 2 * torch.finfo(torch.bfloat16).eps,
}

#: A floor for sums of probabilities: float32 rounds a number near 1 at 6e-8.
PROBABILITY = 1e-6


def comparable(values: Numbers) -> Tensor:
    """The numbers as float64 on the CPU; NaN counts as the smallest of all."""
    given = torch.as_tensor(values).detach().cpu().double()
    return given.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def magnitudes(numbers: Tensor) -> Tensor:
    """The absolute values, 0 for infinities."""
    return numbers.nan_to_num(0, 0, 0).abs()


def tolerance(values: Numbers, of: Numbers | None = None, floor: float = 0.0) -> Tensor:
    """How far below a number another one may lie and still equal it.

    values  all numbers that are compared, along the last axis [... n]
    of      the numbers that the tolerance is for [... m]; by default each of `values`
    floor   is added, in the unit of the numbers
    """
    relative = SINGLE
    if isinstance(values, Tensor):
        relative = RELATIVE.get(values.dtype, SINGLE)
    given = comparable(values)
    anchors = given if of is None else comparable(of)
    largest = magnitudes(given).amax(-1, keepdim=True)
    return relative * magnitudes(anchors) + relative / 10 * largest + floor


def tied(values: Numbers, floor: float = 0.0) -> Tensor:
    """Which numbers equal the largest one [n] bool; itself included."""
    given = comparable(values)
    largest = given.max()
    return given >= largest - tolerance(values, largest[None], floor)


def tied_places(values: Numbers, floor: float = 0.0) -> list[int]:
    """The places of the largest number and its equals."""
    return tied(values, floor).nonzero().flatten().tolist()


def place_of_largest(values: Numbers, floor: float = 0.0) -> int:
    """The place of the largest number; of equal ones the first."""
    return int(tied(values, floor).int().argmax())


def levels(values: Numbers, floor: float = 0.0) -> Tensor:
    """The group of each number [n]: 0 for the largest and its equals, 1 for the next, and so on."""
    given = comparable(values)
    falling, order = given.sort(descending=True, stable=True)
    if len(given) == 0:
        return order
    lowest_equal = falling - tolerance(values, falling, floor)
    # for each number, where the next group begins if a group begins at it
    next_start = torch.searchsorted(-falling, -lowest_equal, right=True).tolist()
    starts = torch.zeros_like(order)
    place = 0
    while place < len(given):
        starts[place] = 1
        place = next_start[place]
    return torch.empty_like(order).index_put((order,), starts.cumsum(0) - 1)


def ranked(values: Numbers, floor: float = 0.0) -> Tensor:
    """The places by falling number [n]; equal ones from first to last."""
    return levels(values, floor).argsort(stable=True)


def constant(values: Numbers) -> Tensor:
    """Whether all numbers along the last axis [... n] are equal: [...] bool."""
    given = comparable(values)
    high, low = given.amax(-1, keepdim=True), given.amin(-1, keepdim=True)
    return (low >= high - tolerance(values, high)).squeeze(-1)


def above(values: Numbers, threshold: float) -> Tensor:
    """Whether each number [n] is larger than `threshold` and does not equal it: bool."""
    return comparable(values) > threshold + tolerance(values, [threshold])

"""Which numbers count as equal, and which of equal ones comes first: whatever is chosen by size is chosen here.

The same network gives other last digits on another processor, in another batch, with another number of threads. Measured
on the bundled models in float32 (two sets of CPU kernels), most maps differ by about 1e-6 of their largest number, and few
by 1e-5. A choice between numbers that are closer than that would be another one on another machine. So:

- b is equal to a larger number a if a − b ≤ r · |a| + r / 10 · (the largest magnitude of all that are compared) + floor.
  The first part is the rounding of a itself, the second that of a sum whose terms were larger than what is left of them.
  r goes by the precision in which the numbers come: 1e-5 in float32, 1e-9 in float64, twice the machine epsilon in 16 bits.
- "Is equal" is not transitive. The largest number and its equals make the first group, the largest of the rest and its
  equals the second, and so on. So no group is wider than the tolerance, however many numbers lie close together.
- In a group the order is that of the input: tokens from first to last, classes by their index.

What is equal, and what differs by clearly more than the tolerance, is therefore ordered alike everywhere. What remains is a
number that lies at the very edge of the tolerance: rounding decides on which side, as it does for every rule with an edge.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Numbers = Tensor | Sequence[float]

SINGLE = 1e-5  # r of float32, and of plain numbers, which were computed in it as a rule
RELATIVE = {  # r of what else there is
    torch.float64: 1e-9,
    torch.float16: 2 * torch.finfo(torch.float16).eps,
    torch.bfloat16: 2 * torch.finfo(torch.bfloat16).eps,
}
PROBABILITY = (
    1e-6  # a floor for what is added up of probabilities, which float32 rounds at 6e-8 of one
)


def comparable(values: Numbers) -> Tensor:
    """As float64 on the CPU; what is no number counts as the smallest of all."""
    given = torch.as_tensor(values).detach().cpu().double()
    return given.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def tolerance(values: Numbers, of: Numbers | None = None, floor: float = 0.0) -> Tensor:
    """How far below each number `of` (by default, each of `values`) another one may lie and be its equal.

    values [... n]: all that are compared, along the last axis; of [... m]. floor: what is added, in the unit of the numbers.
    """
    share = RELATIVE.get(values.dtype, SINGLE) if isinstance(values, Tensor) else SINGLE
    given = comparable(values)
    anchors = given if of is None else comparable(of)
    finite = lambda numbers: numbers.nan_to_num(0, 0, 0).abs()
    largest = finite(given).amax(-1, keepdim=True)
    return share * finite(anchors) + share / 10 * largest + floor


def tied(values: Numbers, floor: float = 0.0) -> Tensor:
    """[n] bool: the largest number and its equals."""
    given = comparable(values)
    top = given.max()
    return given >= top - tolerance(values, top[None], floor)


def tied_places(values: Numbers, floor: float = 0.0) -> list[int]:
    """The places of the largest number and its equals."""
    return tied(values, floor).nonzero().flatten().tolist()


def place_of_largest(values: Numbers, floor: float = 0.0) -> int:
    """The place of the largest number; of equal ones the first."""
    return int(tied(values, floor).int().argmax())


def levels(values: Numbers, floor: float = 0.0) -> Tensor:
    """[n] the group that each number is in: 0 for the largest and its equals, 1 for the largest of the rest and its equals, ..."""
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
    """[n] places by falling number; equal ones from first to last."""
    return levels(values, floor).argsort(stable=True)


def constant(values: Numbers) -> Tensor:
    """[...] bool: whether all numbers along the last axis [... n] are equal."""
    given = comparable(values)
    high, low = given.amax(-1, keepdim=True), given.amin(-1, keepdim=True)
    return (low >= high - tolerance(values, high)).squeeze(-1)


def above(values: Numbers, threshold: float) -> Tensor:
    """Whether each number [n] is larger than `threshold`, and not its equal."""
    return comparable(values) > threshold + tolerance(values, [threshold])

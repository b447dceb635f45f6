"""Maps that know nothing of the model: what a method has to beat. They stand in the same tables, but are no methods."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ..errors import Refusal
from ..options import Option, options_of


@dataclass(frozen=True)
class Baseline:
    """A map that needs no pass through the model: run(case, options...) gives scores [token]."""

    key: str
    title: str
    run: Callable = field(repr=False)

    @cached_property
    def options(self) -> dict[str, Option]:
        return options_of(self.run)


def random(case, draw: int = 0) -> Tensor:
    """A score [token] drawn for each token, from the seed, the input and the target; another `draw`, another order."""
    return torch.rand(len(case.coded.labels), generator=case.drawn(draw), dtype=torch.float64)


def centre(case) -> Tensor:
    """A score [token] that falls with a patch's distance from the middle of the picture, to 0 in its corners."""
    if case.coded.grid is None:
        raise Refusal(
            "The centre prior is for pictures: a text has no middle that is known to matter."
        )
    down, across = (torch.linspace(-1, 1, size, dtype=torch.float64) for size in case.coded.grid)
    distances = torch.hypot(down[:, None], across).flatten()
    scores = distances.max() - distances
    return torch.cat([scores.new_zeros(len(case.coded.labels) - len(scores)), scores])


BASELINES = {
    one.key: one
    for one in (
        Baseline("random", "Random order", random),
        Baseline("centre", "Centre prior", centre),
    )
}

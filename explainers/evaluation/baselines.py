"""Baselines: maps made without the model, which a good method is better than.

They are in the same tables as the methods.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..options import Option, options_of


@dataclass(frozen=True)
class Baseline:
    """A map that needs no pass through the model.

    compute: (case, options...) -> scores [token]
    """

    key: str
    title: str
    compute: Callable[..., Tensor] = field(repr=False)
    options: dict[str, Option] = field(repr=False)


def random(case, draw: int = 0) -> Float[Tensor, " token"]:
    """A random score for each token, drawn from the case's seed, its input and its target.

    draw  another number gives another order
    """
    generator = case.generator(draw)
    return torch.rand(len(case.coded.labels), generator=generator, dtype=torch.float64)


def centre(case) -> Float[Tensor, " token"]:
    """A score that falls with the distance of a patch from the middle of the picture.

    It is 0 in the corners and for special tokens. Raises `Refusal` for a text.
    """
    if case.coded.grid is None:
        raise Refusal("The centre prior is for pictures; this is a text.")
    rows, columns = case.coded.grid
    down = torch.linspace(-1, 1, rows, dtype=torch.float64)
    across = torch.linspace(-1, 1, columns, dtype=torch.float64)
    distances = torch.hypot(down[:, None], across).flatten()
    scores = distances.max() - distances
    special_tokens = len(case.coded.labels) - len(scores)
    return torch.cat([scores.new_zeros(special_tokens), scores])


BASELINES = {
    "random": Baseline("random", "Random order", random, options_of(random)),
    "centre": Baseline("centre", "Centre prior", centre, options_of(centre)),
}

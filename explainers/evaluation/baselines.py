"""Maps that know nothing of the model: what a method has to beat. They stand in the same tables, but are no methods."""

import torch
from torch import Tensor

from ..errors import Refusal


def random(case, draw: int = 0) -> Tensor:
    """Random order: a score [token] drawn for each token, from the seed, the input and the target; another `draw`, another order."""
    return torch.rand(len(case.coded.labels), generator=case.drawn(int(draw)), dtype=torch.float64)


def centre(case) -> Tensor:
    """Centre prior: a score [token] that falls with a patch's distance from the middle of the picture, to 0 in its corners."""
    if case.coded.grid is None:
        raise Refusal("The centre prior is for pictures: a text has no middle that is known to matter.")
    down, across = (torch.linspace(-1, 1, size, dtype=torch.float64) for size in case.coded.grid)
    distances = torch.hypot(down[:, None], across).flatten()
    scores = distances.max() - distances
    return torch.cat([scores.new_zeros(len(case.coded.labels) - len(scores)), scores])


BASELINES = {"random": random, "centre": centre}

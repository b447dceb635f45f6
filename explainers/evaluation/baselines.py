"""Maps that know nothing of the model: what a method has to beat. They stand in the same tables, but are no methods."""

import torch
from torch import Tensor


def random(case, draw: int = 0) -> Tensor:
    """Random order: a score [token] drawn for each token, from the seed, the input and the target; another `draw`, another order."""
    return torch.rand(len(case.coded.labels), generator=case.drawn(int(draw)), dtype=torch.float64)


def centre(case) -> Tensor:
    """Centre prior: minus a patch's distance [token] from the middle of the picture, of a text from the middle of its tokens."""
    down, across = (torch.linspace(-1, 1, size, dtype=torch.float64) for size in case.coded.grid or (1, len(case.coded.labels)))
    if not case.coded.grid:
        return -across.abs()
    distances = torch.hypot(down[:, None], across).flatten()
    return -torch.cat([distances.max().expand(len(case.coded.labels) - len(distances)), distances])


BASELINES = {"random": random, "centre": centre}

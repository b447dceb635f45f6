"""Chains of token-to-token maps: what each layer passed on, followed back through several. Shared by the rollout family."""

import numpy as np
import torch
from torch import Tensor

WHOLE = 10**7  # SciPy's maximum flow counts in whole numbers: capacities keep seven digits


def with_residual(maps: Tensor) -> Tensor:
    """Half the token itself, half what it attends to: (A + I) with rows that sum to 1. [layers query key]"""
    return rows_to_one(maps + torch.eye(maps.shape[-1]).to(maps))


def rows_to_one(maps: Tensor) -> Tensor:
    """Every row divided by its sum; a row of zeros stays one."""
    sums = maps.sum(-1, keepdim=True)
    return maps / sums.where(sums != 0, 1)


def products(maps: Tensor) -> Tensor:
    """R_l = M_l ... M_1 after every layer: [layers query key] -> [layers query key]."""
    flows = [maps[0]]
    for map_ in maps[1:]:
        flows.append(map_ @ flows[-1])
    return torch.stack(flows)


def widest(maps: Tensor, attended: Tensor) -> Tensor:
    """The largest row sum of each layer [layers 1 1], padding aside: divided by it, many layers in a row do not overflow."""
    return maps.sum(-1)[:, attended].amax(-1)[:, None, None]


def flow(maps: Tensor, readout: Tensor) -> Tensor:
    """The most that can flow from the readout to each input token, maps as pipes [token], made to sum to 1.

    readout [token]: the widths of the pipes from one more token above the last layer to those that the score is read from.
    """
    from scipy.sparse import csr_matrix  # here, since it takes a while and only flows need it
    from scipy.sparse.csgraph import maximum_flow

    top = torch.zeros_like(maps[:1])
    top[0, 0] = readout
    maps = torch.cat([maps, top])
    layers, n, _ = maps.shape
    pipes = (
        (maps.flip(0).detach().cpu().double().numpy() * WHOLE).round().astype(np.int32)
    )  # level 0 is the top
    level, query, key = np.nonzero(pipes)
    network = csr_matrix(
        (pipes[level, query, key], (level * n + query, (level + 1) * n + key)),
        shape=((layers + 1) * n,) * 2,
    )
    values = [maximum_flow(network, 0, layers * n + i, method="dinic").flow_value for i in range(n)]
    return rows_to_one(torch.tensor(values, dtype=torch.float64)).to(maps)

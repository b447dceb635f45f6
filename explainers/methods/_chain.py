"""Token-to-token maps of several layers, combined into one. For rollout and its relatives."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

SCALE = 10**7  # SciPy's maximum flow takes whole numbers: capacities keep seven digits


def with_residual(maps: Float[Tensor, "layer query key"]) -> Float[Tensor, "layer query key"]:
    """A + I with every row divided by its sum: attention and residual. [layer query key]"""
    return rows_to_one(maps + torch.eye(maps.shape[-1]).to(maps))


def rows_to_one(maps: Float[Tensor, "*rows key"]) -> Float[Tensor, "*rows key"]:
    """Every row divided by its sum; a row of zeros stays a row of zeros."""
    sums = maps.sum(-1, keepdim=True)
    return maps / sums.where(sums != 0, 1)


def products(maps: Float[Tensor, "layer query key"]) -> Float[Tensor, "layer query key"]:
    """R_l = M_l ... M_1 after every layer l: [layer query key] -> [layer query key]."""
    flows = [maps[0]]
    for map_ in maps[1:]:
        flows.append(map_ @ flows[-1])
    return torch.stack(flows)


def largest_row_sum(
    maps: Float[Tensor, "layer query key"], attended: Bool[Tensor, " query"]
) -> Float[Tensor, "layer 1 1"]:
    """The largest row sum of each layer, without padding [layer 1 1].

    Maps that are divided by it can be multiplied over many layers without overflow.
    """
    return maps.sum(-1)[:, attended].amax(-1)[:, None, None]


def flow(
    maps: Float[Tensor, "layer query key"], readout: Float[Tensor, " query"]
) -> Float[Tensor, " key"]:
    """The maximum flow from the readout to each input token, divided by their sum [token].

    maps [layer query key] are the capacities between the tokens of neighbouring layers; readout
    [token] those from a source above the last layer to the tokens that the score is read from.
    """
    from scipy.sparse import csr_matrix  # here, since importing takes time and only flows need it
    from scipy.sparse.csgraph import maximum_flow

    top = torch.zeros_like(maps[:1])
    top[0, 0] = readout
    maps = torch.cat([maps, top])
    layers, n, _ = maps.shape
    from_top = maps.flip(0).detach().cpu().double().numpy()
    capacities = (from_top * SCALE).round().astype(np.int32)
    level, query, key = np.nonzero(capacities)
    nodes = (layers + 1) * n  # token i of level l is node l * n + i
    graph = csr_matrix(
        (capacities[level, query, key], (level * n + query, (level + 1) * n + key)),
        shape=(nodes, nodes),
    )
    values = []
    for i in range(n):
        found = maximum_flow(graph, 0, layers * n + i, method="dinic")
        values.append(found.flow_value)
    return rows_to_one(torch.tensor(values, dtype=torch.float64)).to(maps)

"""Chains of token-to-token maps: what attention passes on through several layers. Shared by the rollout family."""

import torch
from torch import Tensor


def with_residual(maps: Tensor) -> Tensor:
    """Half the token itself, half what it attends to: (A + I) with rows that sum to 1. [layers query key]"""
    mixed = maps + torch.eye(maps.shape[-1]).to(maps)
    return mixed / mixed.sum(-1, keepdim=True)


def products(maps: Tensor) -> Tensor:
    """R_l = M_l ... M_1 after every layer: [layers query key] -> [layers query key]."""
    flows = [maps[0]]
    for map_ in maps[1:]:
        flows.append(map_ @ flows[-1])
    return torch.stack(flows)

"""Layers that are not plain: adapters beside a weight."""

import copy

import torch
from torch import nn


class Adapted(nn.Module):
    """The public face of an adapter around a linear layer: its weight is the layer's, its forward
    adds something of low rank."""

    def __init__(self, layer: nn.Linear, seed: int = 0):
        super().__init__()
        made = torch.Generator().manual_seed(seed)
        self.base_layer = layer
        self.down = nn.Parameter(
            0.3 * torch.randn(layer.in_features, 3, generator=made).to(layer.weight)
        )
        self.up = nn.Parameter(
            0.3 * torch.randn(3, layer.out_features, generator=made).to(layer.weight)
        )

    weight = property(lambda self: self.base_layer.weight)
    bias = property(lambda self: self.base_layer.bias)

    def forward(self, x):
        return self.base_layer(x) + x @ self.down @ self.up

    def merged(self) -> nn.Linear:
        layer = copy.deepcopy(self.base_layer)
        layer.weight.data += (self.down @ self.up).T
        return layer


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(7, 5).double()

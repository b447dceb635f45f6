"""What relevance rules hand back for one function."""

import torch

from explainers.lrp import ORIGINAL, OURS, ChainRules


def relevance_of(function, *inputs, table=OURS, given=None):
    """What `table` hands back to each input when the output holds `given` relevance (or 1, 2, 3,
    ...).
    """
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    signals = [leaf * 1 for leaf in leaves]  # a leaf with a history, as in a network
    with ChainRules(table, gradient=table not in (OURS, ORIGINAL)):
        y = function(*signals)
    given = torch.arange(1.0, y.numel() + 1).to(y).view_as(y) if given is None else given
    return y.detach(), given, torch.autograd.grad(y, leaves, given, materialize_grads=True)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

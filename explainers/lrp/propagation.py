"""A pass that propagates relevance instead of gradients."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..trace import Activations, Trace
from .chain_rules import ChainRules, Rule, at_least_single
from .tables import OURS


def relevance(trace: Trace, table: dict[Callable, Rule] = OURS) -> Trace:
    """A trace whose `grad` is relevance by the rules of `table`, kept for all methods that ask.

    Each logit of the target gives a relevance of 1 in a pass of its own. The rules divide by the
    whole relevance, which would be 0 for the difference of two classes.

    The pass runs in float64 whatever the network's precision. The share of each side of a sum or
    of a product is divided by what both sides made, which is near zero somewhere in every input. A
    rounding error of the sides in float32, one part in ten million, can become as large as the
    largest relevance. Only linear layers return relevance in the precision of their weights. On
    Apple's GPUs, which have no float64, the pass runs in float32.

    The result is kept under the rules themselves. The address of the table would not do: it is free
    for the next table when this one is deleted, and a table that is changed keeps it.
    """

    def propagate() -> Trace:
        dtype = torch.float32 if trace.score.device.type == "mps" else torch.float64
        parts, shown = ("attention", "hidden"), at_least_single(trace.score)
        summed: dict[str, Tensor] = {}
        for target, weight in trace.target.parts():
            rules = ChainRules(table, dtype=dtype)
            run = trace.again(target=target, rules=rules, record=parts)
            for name in parts:
                summed[name] = summed.get(name, 0) + weight * run.grad.part(name)
        relevance = {name: tensor.to(shown) for name, tensor in summed.items()}
        return replace(trace, grad=Activations(relevance))

    return trace.cached(("relevance", frozenset(table.items())), propagate)

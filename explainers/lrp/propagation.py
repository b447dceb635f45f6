"""A pass that propagates relevance."""

from dataclasses import replace

import torch

from .chain_rules import ChainRules, at_least_single
from .tables import OURS


def relevance(trace, table: dict = OURS):
    """A trace whose `grad` is relevance by the rules of `table`; methods that ask for the same rules share the pass.

    Each logit of the target hands out a unit of its own, in a pass of its own: the rules rescale by the whole relevance, and
    for the difference of two classes that would be nothing.

    The pass runs in float64 whatever the network's precision. The share of each side of a sum or a product
    is divided by what the sides made, which is near zero somewhere in every input: a rounding error of the
    sides in float32, one part in ten million, becomes as large as the largest relevance. Only linear layers
    hand back in the precision of their weights. (Apple's GPUs have no float64: there it runs in float32.)

    It is kept under the rules themselves, not under the table's address, which is free for the next table
    when this one is gone, and which a table that was changed keeps. A key stays alive as long as what is
    kept under it, so no rule is taken for another.
    """

    def propagate():
        dtype = torch.float32 if trace.score.device.type == "mps" else torch.float64
        record, shown = ("attention", "hidden"), at_least_single(trace.score)
        runs = []
        for part, weight in trace.target.parts():
            rules = ChainRules(table, dtype=dtype)
            runs.append((weight, trace.again(target=part, rules=rules, record=record)))
        summed = {}
        for name in record:
            summed[name] = sum(weight * getattr(run.grad, name) for weight, run in runs).to(shown)
        return replace(trace, grad=replace(runs[0][1].grad, **summed))

    return trace.cached(("relevance", frozenset(table.items())), propagate)

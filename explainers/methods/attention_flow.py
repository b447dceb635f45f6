"""Attention flow: the maximum flow through a network of attention weights."""

from ..trace import Trace
from ._chain import flow, with_residual
from .attribution import Attribution
from .registry import Cost, Output, method


@method(
    "attention_flow",
    "Attention flow",
    family="Attention",
    paper="abnar2020",
    output=Output(signed=False, class_specific=False, at_readout=True, invariant="sums to one"),
    cost=Cost(
        "1F + n flows",
        most_tokens=256,
        too_long="{n} maximum flows through {n} × {n} edges a layer",
    ),
)
def attribute(trace: Trace) -> Attribution:
    """The maximum flow from each input token to the readout token, with attention as capacities.

    Formula: score_i = maxflow((L, readout) → (0, i)) with capacities
    Ā_l = rownorm(mean over heads of A_l + I), divided by the sum over i (Abnar & Zuidema).

    Sign: none, and the same map for every class.

    Limits: a flow is limited by the layer with the smallest capacity, so many tokens have equal
    scores. The flow of each token is computed independently of the others. Capacities are rounded
    to seven digits.
    """
    maps = with_residual(trace.attention.mean(1))
    return Attribution(flow(maps, trace.readout))

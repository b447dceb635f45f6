"""Attention as pipes: how much could flow from each token to the one that is read?"""

from torch import Tensor

from ..trace import Trace
from ._chain import flow, with_residual
from .registry import method


@method(
    "Attention flow",
    family="Attention",
    paper="Abnar & Zuidema 2020",
    url="https://arxiv.org/abs/2005.00928",
    signed=False,
    class_specific=False,
    passes="1F + n flows",
    invariant="sums to one",
    most_tokens=256,
    at_readout=True,
    too_long="{n} maximum flows through {n} × {n} pipes a layer",
)
def attention_flow(trace: Trace) -> Tensor:
    """The most that can flow from each input token to the readout token when attention weights are the widths of pipes.

    Formula: score_i = maxflow((L, readout) → (0, i)) with capacities Ā_l = rownorm(mean over heads of A_l + I), divided by the sum
    over i (Abnar & Zuidema).

    Sign: none, and the same for every class.

    Limits: the narrowest pipe decides, so many tokens tie exactly; and the flows to different tokens were each computed
    as if the others were not there. SciPy's algorithm counts to seven digits.
    """
    return flow(with_residual(trace.attention.mean(1)), trace.readout)

"""What the token that is read attends to: the picture most people start with, and why it is not enough."""

from torch import Tensor

from ..trace import Trace
from .registry import method, within


def raw_attention_layers(trace: Trace, head: int | None = None) -> Tensor:
    rows = trace.read(trace.attention)  # [layers head key]
    return rows.mean(1) if head is None else rows[:, within(head, rows.shape[1], "head")]


@method(
    "Raw attention",
    family="Attention",
    paper="Vaswani et al. 2017",
    url="https://arxiv.org/abs/1706.03762",
    signed=False,
    class_specific=False,
    passes="1F",
    invariant="sums to one",
    layers=raw_attention_layers,
    heads=lambda trace: trace.read(trace.attention),
    at_readout=True,
)
def raw_attention(trace: Trace, layer: int = -1, head: int | None = None) -> Tensor:
    """How much the token that the score is read from looks at each token, in one layer.

    Formula: score_i = mean over heads of A_L[readout, i], the softmax of QKᵀ/√d (eq. 1).

    Sign: none. It says where the model looks, not whether that spoke for or against the class.

    Limits: it is the same for every class, leaves out the values that are moved and every other layer, and often
    sits on [SEP] or full stops. A token can be looked at and change nothing.

    Options: layer (counted from 0, or from the end with −1) and head (the mean of all by default).
    """
    rows = raw_attention_layers(trace, head)
    return rows[within(layer, len(rows), "layer")]

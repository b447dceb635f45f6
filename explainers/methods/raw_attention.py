"""Raw attention: the attention weights of one layer."""

from ..trace import Trace
from ._shared import within
from .attribution import Attribution
from .registry import Cost, Output, method


@method(
    "raw_attention",
    "Raw attention",
    family="Attention",
    paper="vaswani2017",
    output=Output(
        signed=False,
        class_specific=False,
        parts=("layers", "heads"),
        at_readout=True,
        invariant="sums to one",
    ),
    cost=Cost("1F"),
)
def attribute(trace: Trace, layer: int = -1, head: int | None = None) -> Attribution:
    """Attention from the readout token (the one that the score is read from) to each token.

    Formula: score_i = mean over heads of A_L[readout, i], with A = softmax(QKᵀ/√d) (eq. 1) and L
    one layer.

    Sign: none. It says where the model attends, not whether that supports the class.

    Limits: the map is the same for every class. The value vectors and all other layers are left
    out. Attention often goes to [SEP] or to full stops, and a token can receive attention without
    changing the score.

    Options:
    - layer: which layer, counted from 0, or from the end with a negative number.
    - head: one head; by default the mean of all heads.
    """
    heads = trace.read(trace.attention)  # [layer head key]
    if head is None:
        layers = heads.mean(1)
    else:
        layers = heads[:, within(head, heads.shape[1], "head")]
    return Attribution(layers[within(layer, len(layers), "layer")], layers=layers, heads=heads)

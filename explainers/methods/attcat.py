"""CAT and AttCAT: gradient times hidden state, in AttCAT weighted by received attention."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._chain import products, with_residual
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Output, method

States = Literal["input", "output", "norm"]
Aggregate = Literal["sum", "rollout", "product"]


@method(
    "cat",
    "CAT",
    family="Class activation tokens",
    paper="qiang2022",
    output=Output(
        signed=True,
        class_specific=True,
        parts=("layers", "totals"),
        invariant="layers sum to the map",
    ),
    cost=Cost("1F 1B"),
)
def cat(trace: Trace, states: States | None = None) -> Attribution:
    """Each token's hidden state times the gradient of the score by it, summed over the layers.

    Formula: score_i = sum over layers l and dimensions d of h_l,i ⊙ ∂y/∂h_l,i (Qiang et al.,
    eq. 10, summed over d as in the authors' code).

    Sign: plus raises the score of the target, minus lowers it.

    Limits: each layer is a first-order approximation. The layers' scores are added although they
    overlap.

    Options:
    - states: which hidden state h is. input: what enters a block, as in the authors' code, the
      default for post-LN models. output: what leaves it, as in the paper; then in the last layer
      only the readout token has a score. norm: what attention reads after its LayerNorm, the
      default for pre-LN models, where the input gives exact zeros.
    """
    layers = hidden_x_gradient(trace, states)
    scores = layers.sum(0)
    return Attribution(scores, layers=layers, totals={"Sum": scores})


@method(
    "attcat",
    "AttCAT",
    family="Class activation tokens",
    paper="qiang2022",
    output=Output(
        signed=True,
        class_specific=True,
        parts=("layers", "heads", "totals"),
        invariant="layers sum to the map",
    ),
    cost=Cost(lambda options: "2F 2B" if options["mask_specials"] else "1F 1B"),
)
def attentive_cat(
    trace: Trace,
    states: States | None = None,
    aggregate: Aggregate = "sum",
    mask_specials: bool = False,
) -> Attribution:
    """Hidden state times gradient, weighted by received attention, summed over the layers.

    Formula: score_i = sum over layers of α_l,i · sum_d (h_l,i ⊙ ∂y/∂h_l,i), with α_l,i = mean
    over heads and queries q of A_l[q, i] (Qiang et al., eqs. 10 to 12).

    Sign: plus raises the score of the target, minus lowers it.

    Limits: it is a first-order approximation, and its sign can be wrong. In "really didn't like
    this movie. some of the actors were good, but overall the movie was boring" the map of the
    bundled model has a negative score for "boring" with the target NEGATIVE; with leave-one-out the
    score is positive. With mask_specials the sign is right for this text, but wrong without its
    first sentence. Compare several methods.

    Options:
    - states: which hidden state h is, as in CAT.
    - aggregate: sum; rollout: carry each layer's scores back to the input tokens by attention
      rollout; product: multiply the layers (called Rollout in the authors' notebook), whose sign
      only says whether an odd number of layers is negative.
    - mask_specials: hide [CLS] and [SEP] from attention in one more pass, as in every notebook of
      the authors.
    """
    facts = {}
    if mask_specials:
        trace = without_specials(trace)
        facts["score with special tokens closed"] = float(trace.score)
    cats = hidden_x_gradient(trace, states)
    received = trace.attention[:, :, trace.attended].mean(2)  # [layer head key]
    layers = trace.attention.mean(1)[:, trace.attended].mean(1) * cats
    scores = aggregated(layers, trace, aggregate)
    return Attribution(
        scores,
        layers=layers,
        heads=lambda: received / received.shape[1] * cats[:, None],
        totals=lambda: {
            "Sum": aggregated(layers, trace, "sum"),
            "Rollout": aggregated(layers, trace, "rollout"),
        },
        facts=facts,
    )


def hidden_x_gradient(trace: Trace, states: States | None) -> Float[Tensor, "layer token"]:
    """CAT_l,i = sum_d h_l,i,d · ∂y/∂h_l,i,d  [layer token]."""
    if states is None:
        states = "norm" if trace.layers[0].norm_first else "input"
    if states == "norm":
        return (trace.normed * trace.grad.normed).sum(-1)
    each = slice(None, -1) if states == "input" else slice(1, None)
    return (trace.hidden[each] * trace.grad.hidden[each]).sum(-1)


@once_per_trace
def without_specials(trace: Trace) -> Trace:
    """The same input, run with special tokens hidden from attention."""
    return trace.again(hide=trace.special_tokens & trace.attended)


def aggregated(
    layers: Float[Tensor, "layer token"], trace: Trace, aggregate: Aggregate
) -> Float[Tensor, " token"]:
    """One map [token] of the scores of each layer [layer token]."""
    if aggregate == "product":
        return layers.prod(0)
    if aggregate == "rollout":
        return carried_back(layers, trace).sum(0)
    return layers.sum(0)


def carried_back(
    layers: Float[Tensor, "layer token"], trace: Trace
) -> Float[Tensor, "layer token"]:
    """The scores of each layer [layer token], rolled out to the input tokens by attention."""
    # the rollout into block 1, 2, ...; block 0 reads the input itself
    rollout = products(with_residual(trace.attention.mean(1)))[:-1]
    return torch.cat([layers[:1], torch.einsum("lj,lji->li", layers[1:], rollout)])

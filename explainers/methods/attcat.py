"""Attentive class activation tokens: what each token's vector said about the class, weighed by who listened."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from ._chain import products, with_residual
from .registry import method

States = Literal["input", "output", "norm"]


def cat_layers(trace: Trace, states: States | None = None) -> Tensor:
    """CAT_l,i = sum_d h_l,i,d · ∂y/∂h_l,i,d  [layers token]."""
    states = states or ("norm" if trace.layers[0].norm_first else "input")
    hidden, slope = {
        "input": (trace.hidden[:-1], trace.grad.hidden[:-1]),
        "output": (trace.hidden[1:], trace.grad.hidden[1:]),
        "norm": (trace.normed, trace.grad.normed),
    }[states]
    return (hidden * slope).sum(-1)


def masked(trace: Trace, mask_specials: bool) -> Trace:
    """The same run with [CLS] and [SEP] closed to attention, one more pass that all views of the method share."""
    return (
        trace.cached(
            "specials masked", lambda: trace.again(hide=trace.special_tokens & trace.attended)
        )
        if mask_specials
        else trace
    )


def attcat_layers(
    trace: Trace, states: States | None = None, mask_specials: bool = False
) -> Tensor:
    """AttCAT_l,i = (mean over heads and real queries of A_l[:, q, i]) · CAT_l,i  [layers token]."""
    trace = masked(trace, mask_specials)
    received = trace.attention.mean(1)[:, trace.attended].mean(1)
    return received * cat_layers(trace, states)


def attcat_heads(trace: Trace, states: States | None = None, mask_specials: bool = False) -> Tensor:
    """Each head's part of the layer's row [layers head token]: they add up to it."""
    trace = masked(trace, mask_specials)
    return (
        trace.attention[:, :, trace.attended].mean(2)
        / trace.attention.shape[1]
        * cat_layers(trace, states)[:, None]
    )


def carried_back(layers: Tensor, trace: Trace) -> Tensor:
    """Row l's evidence, held by the tokens that enter block l, given to the input tokens those were made of."""
    flows = products(with_residual(trace.attention.mean(1)))[
        :-1
    ]  # into block 1, 2, ...; block 0 reads the input itself
    return torch.cat([layers[:1], torch.einsum("lj,lji->li", layers[1:], flows)])


def attcat_totals(
    trace: Trace, states: States | None = None, mask_specials: bool = False
) -> dict[str, Tensor]:
    trace = masked(trace, mask_specials)
    layers = attcat_layers(trace, states)
    return {"Sum": layers.sum(0), "Rollout": carried_back(layers, trace).sum(0)}


@method(
    "CAT",
    family="Class activation tokens",
    paper="Qiang et al. 2022",
    url="https://openreview.net/forum?id=cA8Zor8wFr5",
    signed=True,
    class_specific=True,
    passes="1F 1B",
    invariant="layers sum to the map",
    layers=cat_layers,
    totals=lambda trace, states=None: {"Sum": cat_layers(trace, states).sum(0)},
)
def cat(trace: Trace, states: States | None = None) -> Tensor:
    """Each token's vector times the slope of the score along it, in every layer: what the token itself says for the class.

    Formula: score_i = sum over layers l and dimensions d of h_l,i ⊙ ∂y/∂h_l,i (Qiang et al., eq. 10, summed over d as
    the authors' code does).

    Sign: plus pushes towards the target, minus away from it.

    Limits: it is a first-order answer at every layer, and the layers' shares are added although they overlap.

    Options: states (input: what enters a block, the authors' code and the default; output: what leaves it, the paper's
    letters, which give zero to every token but the readout in the last layer; norm: what attention reads after its
    LayerNorm, the default in pre-LN models, where the input gives exact zeros).
    """
    return cat_layers(trace, states).sum(0)


@method(
    "AttCAT",
    family="Class activation tokens",
    paper="Qiang et al. 2022",
    url="https://openreview.net/forum?id=cA8Zor8wFr5",
    signed=True,
    class_specific=True,
    passes=lambda options: "2F 2B" if options["mask_specials"] else "1F 1B",
    invariant="layers sum to the map",
    layers=attcat_layers,
    totals=attcat_totals,
    heads=attcat_heads,
)
def attcat(
    trace: Trace,
    states: States | None = None,
    aggregate: Literal["sum", "rollout", "product"] = "sum",
    mask_specials: bool = False,
) -> tuple[Tensor, dict]:
    """What each token said for or against the class, weighed by the attention it received, added up over the layers.

    Formula: score_i = sum over layers of α_l,i · sum_d (h_l,i ⊙ ∂y/∂h_l,i), with α_l,i = mean over heads and queries q of
    A_l[q, i] (Qiang et al., eqs. 10 to 12).

    Sign: plus pushes towards the target, minus away from it.

    Limits: first order, and sometimes wrong: in "really didn't like this movie. some of the actors were good, but overall the
    movie was boring" the bundled model's map marks "boring" as speaking against NEGATIVE where leave-one-out does not. With
    mask_specials that sign is right there, and wrong without the first sentence. Compare before you believe.

    Options: states (as in CAT: the paper says a block's output, the authors' code takes its input, which is the
    default); aggregate (sum; rollout: each layer's evidence carried back to the input tokens along attention rollout;
    product: the layers multiplied, the row that the authors' notebook calls Rollout, whose sign is only a parity);
    mask_specials (close [CLS] and [SEP] to attention while explaining, as every notebook of the authors does).
    """
    trace = masked(trace, mask_specials)
    layers = attcat_layers(trace, states)
    scores = (
        layers.prod(0)
        if aggregate == "product"
        else (carried_back(layers, trace) if aggregate == "rollout" else layers).sum(0)
    )
    return scores, {"score with special tokens closed": float(trace.score)} if mask_specials else {}

"""Layer-wise relevance propagation: the score handed back through the network, layer by layer, by rules instead of slopes."""

from typing import Literal

import torch
from torch import Tensor

from .. import lrp as rule
from ..trace import Trace, running
from ._chain import products, with_residual
from .registry import NOT_NEGATIVE, method, within

Rules = Literal["ours", "original"]


def relevance(trace: Trace, rules: Rules = "ours") -> Trace:
    """The relevance of attention and hidden states, shaped like gradients; one pass however many methods ask."""
    return rule.relevance(trace, {"ours": rule.OURS, "original": rule.ORIGINAL}[rules]).grad


@method(
    "Partial LRP",
    family="Relevance propagation",
    paper="Voita et al. 2019",
    url="https://arxiv.org/abs/1905.09418",
    signed=False,
    class_specific=True,
    passes="2F 2B",
    heads=lambda trace, rules="ours": trace.read(relevance(trace, rules).attention.clamp(min=0)),
    at_readout=True,
    widened=True,
)
def partial_lrp(trace: Trace, rules: Rules = "ours") -> Tensor:
    """The relevance that reaches the last layer's attention, and goes no further back.

    Formula: score_i = mean over heads of relu(R_A,L[readout, i]), R the relevance of the attention weights (Voita et al.,
    as Chefer et al. 2021 use it for tokens).

    Sign: none; the relu drops what speaks against the class.

    Limits: one layer only. What a token's vector had gathered from others before that layer is credited to its place.

    Options: rules (ours: Chefer et al.'s, which conserve relevance; original: the older ones their baseline ran with,
    which do not).
    """
    return trace.read(relevance(trace, rules).attention[-1].clamp(min=0).mean(0))


def transatt_maps(
    trace: Trace, start: int = 0, row_normalise: bool | None = None, rules: Rules = "ours"
) -> Tensor:
    """What each layer passes on [layers query key]: I + mean over heads of relu(G ⊙ R_A)."""
    kept = (trace.grad.attention * relevance(trace, rules).attention).clamp(min=0).mean(1)
    kept = kept[within(start, len(kept), "layer") :]
    if row_normalise is None:
        row_normalise = trace.grid is None  # the authors' BERT code does, their ViT code does not
    return with_residual(kept) if row_normalise else kept + torch.eye(kept.shape[-1]).to(kept)


def transatt_layers(
    trace: Trace,
    start: int = 0,
    row_normalise: bool | None = None,
    cls: Literal["keep", "zero", "min"] = "keep",
    rules: Rules = "ours",
) -> Tensor:
    flows = products(transatt_maps(trace, start, row_normalise, rules))
    if cls != "keep":  # the token that is read itself: of several, each in its own row
        own = torch.eye(flows.shape[-1], dtype=torch.bool, device=flows.device)
        flows = (
            flows.masked_fill(own, 0)
            if cls == "zero"
            else torch.where(own, flows.amin(-1, keepdim=True), flows)
        )
    return trace.read(flows)


@method(
    "TransAtt",
    family="Relevance propagation",
    paper="Chefer et al. 2021 (CVPR)",
    url="https://arxiv.org/abs/2012.09838",
    signed=False,
    class_specific=True,
    passes="2F 2B",
    layers=transatt_layers,
    maps=transatt_maps,
    rows=lambda trace, start=0, **_: [
        f"L{i}" for i in range(start % len(trace.attention), len(trace.attention))
    ],
    at_readout=True,
)
def transatt(
    trace: Trace,
    start: int = 0,
    row_normalise: bool | None = None,
    cls: Literal["keep", "zero", "min"] = "keep",
    rules: Rules = "ours",
) -> Tensor:
    """Rollout of the attention that both mattered to the class and carried its relevance.

    Formula: R = C_L ··· C_1 with C_l = I + mean over heads of relu(∂y/∂A_l ⊙ R_A,l), in texts rownorm(C_l); score_i = R[readout, i] (Chefer et al.,
    their method's last step).

    Sign: none, since the relu keeps only what speaks for the class.

    Limits: the readout token keeps its own 1, so it towers over the rest until it is hidden. Relevance passes LayerNorm
    and softmax unchanged, which is a choice.

    Options: start (first layer used; the authors' ERASER runs use the last alone), row_normalise (divide rows of C by
    their sum: the authors' BERT code does, their ViT code does not; the default follows the code), cls
    (keep; zero, as the AttCAT notebooks; min, as the authors' code), rules (as in Partial LRP).
    """
    return transatt_layers(trace, start, row_normalise, cls, rules)[-1]


def lrp_layers(trace: Trace, rules: Rules = "ours") -> Tensor:
    """Relevance of what enters each block, and of what leaves the last [layers+1 token]: with "ours" every row has the same sum."""
    return relevance(trace, rules).hidden.sum(-1)


@method(
    "LRP",
    family="Relevance propagation",
    paper="Bach et al. 2015",
    url="https://doi.org/10.1371/journal.pone.0130140",
    signed=True,
    class_specific=True,
    passes="2F 2B",
    invariant="relevance is conserved",
    layers=lrp_layers,
    rows=lambda trace, **_: [*(f"into L{i}" for i in range(len(trace.attention))), "out"],
    widened=True,
)
def lrp(trace: Trace, rules: Rules = "ours") -> Tensor:
    """One unit of relevance, handed back from the class to the vectors that enter the first block.

    Formula: score_i = sum_d R_i,d, with R handed back by R_j = sum_k (x_j w_jk)⁺ / (sum_j (x_j w_jk)⁺) · R_k (Bach et al., the αβ-rule with
    α = 1) and Chefer et al. 2021's rules for products and skip connections.

    Sign: plus is a share in the class, minus a share against it; all shares sum to one (of an answer its start and its end hand
    out a unit each; of a difference the second's unit is taken off, so that they sum to zero).

    Limits: relevance is relative: a class with a negative logit hands out one unit too. Biases take nothing, LayerNorm
    and softmax pass it on unchanged. Shares of sums near zero are large, so a small change of the input can change
    the map much; it is computed in float64, so that rounding is no such change.

    Options: rules (ours: as above, and conserved at every layer; original: the older ones, which multiply relevance
    by orders of magnitude and hardly tell classes apart). Its per-layer picture is the relevance that reached each layer.
    """
    return lrp_layers(trace, rules)[0]


@method(
    "AttnLRP",
    family="Relevance propagation",
    paper="Achtibat et al. 2024",
    url="https://arxiv.org/abs/2402.05602",
    signed=True,
    class_specific=True,
    passes="2F 2B",
    widened=True,
    limits={"gamma": NOT_NEGATIVE},
)
def attnlrp(trace: Trace, variant: Literal["attn", "cp"] = "attn", gamma: float = 0.0) -> Tensor:
    """Input × gradient after three repairs to the chain rule: held LayerNorms, straight activations, shared products.

    Formula: score_i = sum_d e_i ⊙ ∂'y/∂e_i, e the word embedding, where ∂' holds the deviation of every LayerNorm fixed,
    takes σ(x) for x · (σ(x)/x held), and gives each of two signals that are multiplied half, in attention and in
    gated feed-forward layers (Achtibat et al., equations 7 and 9; x · sigmoid(x) is an activation of one signal).

    Sign: plus pushes towards the target, minus away from it.

    Limits: positions, segments and biases take a share that is given to no token, so the sum is not the logit. In a
    picture e is the embedded patch with its position.

    Options: variant (attn; cp: attention weights and the activated half of gated layers count as constants, which
    the authors advise for GPT-2 and ViT),
    gamma (0 or more: favours inputs that agree with a linear layer's output; 0.05 is the authors' choice for ViT).
    """
    # the authors' code does not reach the projections of attention
    in_attention = lambda: running() is not None
    table = rule.with_gamma(rule.CPLRP if variant == "cp" else rule.ATTNLRP, gamma, in_attention)
    dtype = rule.at_least_single(trace.score)
    rules = rule.ChainRules(table, gradient=True, dtype=dtype)
    if not trace.takes_embeddings:
        run = trace.again(rules=rules, record=("hidden",))
        return (run.hidden[0] * run.grad.hidden[0]).sum(-1)
    words = trace.embed()
    words = words | {"inputs_embeds": words["inputs_embeds"].to(dtype)}
    run = trace.again(inputs=words, rules=rules, record=())
    return (run.embedded * run.grad.embedded).sum(-1)

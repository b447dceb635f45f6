"""Four methods of layer-wise relevance propagation (LRP)."""

from typing import Literal

import torch

from .. import lrp
from ..options import NOT_NEGATIVE
from ..trace import Trace, running
from ._chain import products, with_residual
from ._shared import layer_names, within
from .attribution import Attribution
from .registry import Cost, Output, method

Rules = Literal["ours", "original"]
TABLES = {"ours": lrp.OURS, "original": lrp.ORIGINAL}


def relevance_of(trace: Trace, rules: Rules = "ours"):
    """The relevance of attention and hidden states, shaped like their gradients.

    One pass for each table of rules, whichever methods ask for it.
    """
    return lrp.relevance(trace, TABLES[rules]).grad


@method(
    "partial_lrp",
    "Partial LRP",
    family="Relevance propagation",
    paper="voita2019",
    output=Output(
        signed=False, class_specific=True, parts=("heads",), at_readout=True, widened=True
    ),
    cost=Cost("2F 2B"),
)
def partial_lrp(trace: Trace, rules: Rules = "ours") -> Attribution:
    """The positive relevance of the last layer's attention from the readout token to each token.

    Formula: score_i = mean over heads of relu(R_A,L[readout, i]), with R_A,L the relevance of the
    last attention weights (Voita et al., as Chefer et al. 2021 use it for tokens).

    Sign: none, since the relu removes negative relevance.

    Limits: only one layer is used. In earlier layers a token's vector has received parts of other
    tokens, which count as its own.

    Options:
    - rules: ours: those of Chefer et al. 2021, which conserve relevance; original: the older ones
      of their baseline, which do not.
    """
    relevance = relevance_of(trace, rules).attention.clamp(min=0)
    return Attribution(trace.read(relevance[-1].mean(0)), heads=lambda: trace.read(relevance))


@method(
    "transatt",
    "TransAtt",
    family="Relevance propagation",
    paper="chefer2021cvpr",
    output=Output(signed=False, class_specific=True, parts=("layers", "maps"), at_readout=True),
    cost=Cost("2F 2B"),
)
def transatt(
    trace: Trace,
    start: int = 0,
    row_normalise: bool | None = None,
    cls: Literal["keep", "zero", "min"] = "keep",
    rules: Rules = "ours",
) -> Attribution:
    """Rollout of the positive part of attention's gradient times its relevance.

    Formula: R = C_L ··· C_1 with C_l = I + mean over heads of relu(∂y/∂A_l ⊙ R_A,l), in texts
    rownorm(C_l); score_i = R[readout, i] (Chefer et al., the last step of their method).

    Sign: none, since the relu keeps only what raises the score of the class.

    Limits: the identity gives the readout token a weight of 1, which dominates the map; hide
    special tokens to see the others. LayerNorm and softmax pass relevance on unchanged, which is
    a choice.

    Options:
    - start: the first layer used; the authors' ERASER runs use the last alone.
    - row_normalise: divide each row of C by its sum. By default in texts and not in pictures, as
      in the authors' code.
    - cls: the readout token's own score. keep; zero, as in the AttCAT notebooks; min: the
      smallest of the row, as in the authors' code.
    - rules: as in Partial LRP.
    """
    if row_normalise is None:
        row_normalise = trace.grid is None
    relevance = relevance_of(trace, rules).attention
    first = within(start, len(relevance), "layer")
    maps = (trace.grad.attention * relevance).clamp(min=0).mean(1)[first:]
    itself = torch.eye(maps.shape[-1]).to(maps)
    maps = with_residual(maps) if row_normalise else maps + itself
    flows = products(maps)
    if cls == "zero":
        flows = flows.masked_fill(itself.bool(), 0)
    elif cls == "min":
        flows = torch.where(itself.bool(), flows.amin(-1, keepdim=True), flows)
    layers = trace.read(flows)
    names = layer_names(first, len(relevance))
    return Attribution(layers[-1], layers=layers, maps=maps, rows=names)


@method(
    "lrp",
    "LRP",
    family="Relevance propagation",
    paper="bach2015",
    output=Output(
        signed=True,
        class_specific=True,
        parts=("layers",),
        invariant="relevance is conserved",
        widened=True,
    ),
    cost=Cost("2F 2B"),
)
def alpha_beta_lrp(trace: Trace, rules: Rules = "ours") -> Attribution:
    """A relevance of 1, propagated from the class logit back to the vectors of the first block.

    Formula: score_i = sum_d R_i,d, with R_j = sum_k (x_j w_jk)⁺ / (sum_j (x_j w_jk)⁺) · R_k in
    linear layers (Bach et al., the αβ-rule with α = 1) and the rules of Chefer et al. 2021 for
    products and skip connections. The map by layer is the relevance that reaches each layer.

    Sign: plus is a share in favour of the class, minus a share against it. The shares sum to one.
    The start and the end of an answer propagate 1 each; in a difference of two classes the second
    propagates −1, so that the shares sum to zero.

    Limits: relevance is relative, since a class with a negative logit propagates 1 too. Biases
    receive nothing, and LayerNorm and softmax pass relevance on unchanged. Where a sum is near
    zero its shares are large. Then small input changes can change the map strongly. It is
    computed in float64 to avoid rounding errors.

    Options:
    - rules: ours: as above, conserved at every layer; original: older rules, which multiply
      relevance by orders of magnitude and give almost the same map for every class.
    """
    layers = relevance_of(trace, rules).hidden.sum(-1)
    names = [f"into L{i}" for i in range(len(layers) - 1)]
    return Attribution(layers[0], layers=layers, rows=[*names, "out"])


@method(
    "attnlrp",
    "AttnLRP",
    family="Relevance propagation",
    paper="achtibat2024",
    output=Output(signed=True, class_specific=True, widened=True),
    cost=Cost("2F 2B"),
    limits={"gamma": NOT_NEGATIVE},
)
def attnlrp(
    trace: Trace, variant: Literal["attn", "cp"] = "attn", gamma: float = 0.0
) -> Attribution:
    """Input × gradient with three modified gradients (LayerNorms, activations and products).

    Formula: score_i = sum_d e_i ⊙ ∂'y/∂e_i, with e the word embedding. In ∂' the deviation of
    every LayerNorm is constant; an activation σ(x) is x times the constant σ(x)/x; each factor of a
    product, in attention and in gated feed-forward layers, receives half (Achtibat et al.,
    equations 7 and 9; x · sigmoid(x) is an activation, not a product).

    Sign: plus raises the score of the target, minus lowers it.

    Limits: positions, segments and biases receive relevance that is not assigned to any token, so
    the sum is not the logit. In a picture e is the embedded patch with its position.

    Options:
    - variant: attn; cp: attention weights and the activated half of gated layers are constants,
      as the authors advise for GPT-2 and ViT.
    - gamma: 0 or more; contributions with the sign of a linear layer's output count 1 + gamma
      times. The authors use 0.05 for ViT.
    """
    table = lrp.CPLRP if variant == "cp" else lrp.ATTNLRP
    table = lrp.with_gamma(table, gamma, in_attention)
    dtype = lrp.at_least_single(trace.score)
    rules = lrp.ChainRules(table, gradient=True, dtype=dtype)
    if not trace.takes_embeddings:
        run = trace.again(rules=rules, record=("hidden",))
        return Attribution((run.hidden[0] * run.grad.hidden[0]).sum(-1))
    inputs = trace.embed()
    words = inputs["inputs_embeds"].to(dtype)
    run = trace.again(inputs=inputs | {"inputs_embeds": words}, rules=rules, record=())
    return Attribution((run.embedded * run.grad.embedded).sum(-1))


def in_attention() -> bool:
    """Whether an attention module is running: there the authors' code applies no gamma rule."""
    return running() is not None

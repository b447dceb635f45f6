"""Generic attention explainability for two kinds of tokens (Chefer et al. 2021, ICCV), and DETR.

https://arxiv.org/abs/2103.15679. Tokens of kind s attend to one another and to tokens of kind q.
R_ss [s s] and R_sq [s q] say how much of each token reached each token of s: they start as the
identity and as zeros, and every attention adds to them. The numbers of the equations are the
paper's, as the authors' code names them. This is not a method of the menu, since a `Trace` has one
kind of tokens: `of_object` takes a `transformers` model directly.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..ties import place_of_largest
from ..trace import NAME, Tape, ordinary, recording
from ._chain import rows_to_one
from ._shared import within


def positive_relevance(
    attention: Float[Tensor, "*batch head query key"],
    gradient: Float[Tensor, "*batch head query key"],
) -> Float[Tensor, "*batch query key"]:
    """Ā = mean over heads of relu(A ⊙ G) (eq. 5): [... head query key] -> [... query key]."""
    return (attention * gradient).clamp(min=0).mean(-3)


def normalised(ss: Float[Tensor, "s s"]) -> Float[Tensor, "s s"]:
    """R̄ [s s]: rows without the token itself divided by their sum, plus the token (eqs. 8, 9).

    A token without relevance from others keeps only its own 1. There the authors' code computes
    0/0, and for DETR then leaves out the addition of the whole layer.
    """
    itself = torch.eye(len(ss)).to(ss)
    return rows_to_one(ss - itself) + itself


def self_attention(
    ss: Float[Tensor, "s s"], sq: Float[Tensor, "s q"], relevance: Float[Tensor, "s s"]
) -> tuple[Float[Tensor, "s s"], Float[Tensor, "s q"]]:
    """R_ss [s s] and R_sq [s q] after self-attention of tokens s with Ā [s s] (eqs. 6 and 7)."""
    return ss + relevance @ ss, sq + relevance @ sq


def cross_attention(
    ss: Float[Tensor, "s s"],
    sq: Float[Tensor, "s q"],
    qq: Float[Tensor, "q q"],
    qs: Float[Tensor, "q s"],
    relevance: Float[Tensor, "s q"],
) -> tuple[Float[Tensor, "s s"], Float[Tensor, "s q"]]:
    """R_ss [s s] and R_sq [s q] after attention of tokens s to q with Ā [s q] (eqs. 11 and 10).

    qq [q q] and qs [q s] belong to the tokens that are attended to. Where both kinds attend to
    each other at once (LXMERT), both calls use the matrices from before.
    """
    return ss + relevance @ qs, sq + normalised(ss).mT @ relevance @ normalised(qq)


@ordinary
def of_object(
    net, inputs: dict[str, Tensor], query: int, label: int | None = None
) -> Float[Tensor, " place"]:
    """The relevance of each place of the picture for one object that DETR found [row * column].

    The places are the encoder's tokens, row by row.

    net     a `DetrForObjectDetection`; it is put in evaluation mode and gets this package's
            attention function, as by `load`
    inputs  pixel_values [1 channel height width], and pixel_mask
    query   the number of the object
    label   the class whose logit is explained; by default the one with the largest logit, of equal
            ones the first, never "no object"

    Formula: R_ii by eq. 6 through the encoder; in each layer of the decoder R_qq and R_qi by eqs. 6
    and 7, then R_qi by eq. 10; the result is R_qi[query]. Sign: none. Limits: the convolutions
    before the encoder are left out. Raises `Refusal` for a network that does not attend as DETR
    does, or if there is no such object or class.
    """
    layers = net.config.encoder_layers
    attention, score = recorded(net, inputs, query, label)
    gradients = torch.autograd.grad(score, attention, materialize_grads=True)
    relevance = []
    for probabilities, gradient in zip(attention, gradients):
        relevance.append(positive_relevance(probabilities.detach(), gradient)[0])
    encoder, decoder = relevance[:layers], relevance[layers:]
    ii = torch.eye(len(encoder[0])).to(score)
    qq = torch.eye(len(decoder[0])).to(score)
    qi = torch.zeros(decoder[1].shape).to(score)
    iq = torch.zeros_like(qi.mT)  # no place of the picture attends to an object
    for among in encoder:
        ii, iq = self_attention(ii, iq, among)
    for among, across in zip(decoder[::2], decoder[1::2]):
        qq, qi = self_attention(qq, qi, among)
        qq, qi = cross_attention(qq, qi, ii, iq, across)
    return qi[query]


def recorded(
    net, inputs: dict[str, Tensor], query: int, label: int | None
) -> tuple[Sequence[Tensor], Tensor]:
    """Every attention [1 head query key] of a pass through DETR, in order, and the logit."""
    # tensors made in inference mode have no gradient
    inputs = {name: tensor.clone() for name, tensor in inputs.items()}
    net.eval().set_attn_implementation(NAME)
    tape = Tape((), record=("attention",))
    with torch.enable_grad(), recording(tape):
        logits = net(**inputs).logits[0]
        logits = logits[within(query, len(logits), "object"), :-1]
        if label is None:
            chosen = place_of_largest(logits)
        else:
            chosen = within(label, len(logits), "class")
        score = logits[chosen]
    attentions = tape.recorded.get("attention", [])
    if len(attentions) != net.config.encoder_layers + 2 * net.config.decoder_layers:
        raise Refusal(
            f"{type(net).__name__} does not have the attention of DETR: once in each encoder layer "
            "and twice in each decoder layer."
        )
    return attentions, score

"""Generic attention explainability where two kinds of tokens look at each other (Chefer et al. 2021, ICCV): its rules, and DETR by them.

https://arxiv.org/abs/2103.15679. Tokens of kind s ask tokens of kind q: R_ss [s s] and R_sq [s q] say how much of each token reached each token of s.
They start as the identity and as zeros, and every attention adds to them. The equations' numbers are the paper's, as the authors' code names them.
No method of the menu: a `Trace` has one kind of tokens. `of_object` takes a `transformers` model as it is.
"""

import torch
from torch import Tensor

from ..errors import Refusal
from ..ties import place_of_largest
from ..trace import NAME, Tape, ordinary, recording
from ._chain import rows_to_one
from .registry import within


def raised(attention: Tensor, gradient: Tensor) -> Tensor:
    """Ā: attention where more of it would raise the score, of [... head query key] the mean over heads [... query key] (eq. 5)."""
    return (attention * gradient).clamp(min=0).mean(-3)


def normalised(ss: Tensor) -> Tensor:
    """R̄ [s s]: what others gave, in rows that sum to one, beside the token itself (eqs. 8 and 9).

    A token that nothing reached has only itself. 0/0 is no number in the authors' code, which for DETR then drops the layer's whole addition.
    """
    own = torch.eye(len(ss)).to(ss)
    return rows_to_one(ss - own) + own


def self_attention(ss: Tensor, sq: Tensor, paid: Tensor) -> tuple[Tensor, Tensor]:
    """R_ss [s s] and R_sq [s q] after tokens s attended to one another by Ā `paid` [s s] (eqs. 6 and 7)."""
    return ss + paid @ ss, sq + paid @ sq


def cross_attention(
    ss: Tensor, sq: Tensor, qq: Tensor, qs: Tensor, paid: Tensor
) -> tuple[Tensor, Tensor]:
    """R_ss [s s] and R_sq [s q] after tokens s attended to tokens q by Ā `paid` [s q] (eqs. 11 and 10).

    qq [q q] and qs [q s] are those of the tokens attended to. Where both attend to each other at once (LXMERT), both calls take what was before.
    """
    return ss + paid @ qs, sq + normalised(ss).mT @ paid @ normalised(qq)


@ordinary
def of_object(net, inputs: dict[str, Tensor], query: int, label: int | None = None) -> Tensor:
    """What each place of the picture gave to one object that DETR found: [row * column] of the encoder's tokens, row by row.

    net     a `DetrForObjectDetection`; it is put in evaluation mode and gets this package's attention function, as by `load`
    inputs  pixel_values [1 channel height width], and pixel_mask
    query   which of the objects
    label   the class whose logit is explained; by default the likeliest, of equal ones the first, never "no object"

    Formula: R_ii by eq. 6 through the encoder; in each layer of the decoder R_qq and R_qi by eqs. 6 and 7, then R_qi by eq. 10; R_qi[query].

    Sign: none. Limits: what the convolutions before the encoder saw is not asked.
    """
    # tensors made in inference mode can have no slope
    inputs = {name: tensor.clone() for name, tensor in inputs.items()}
    net.eval().set_attn_implementation(NAME)
    tape = Tape((), record=("attention",))
    with torch.enable_grad(), recording(tape):
        logits = net(**inputs).logits[0]
        logits = logits[within(query, len(logits), "object"), :-1]
        chosen = place_of_largest(logits) if label is None else within(label, len(logits), "class")
        score = logits[chosen]
    attentions = tape.recorded.get("attention", [])
    if len(attentions) != net.config.encoder_layers + 2 * net.config.decoder_layers:
        raise Refusal(
            f"{type(net).__name__} does not attend as DETR does, once in each layer of the encoder and twice in each of the decoder."
        )
    slopes = torch.autograd.grad(score, attentions, materialize_grads=True)
    maps = [raised(attention.detach(), slope)[0] for attention, slope in zip(attentions, slopes)]
    encoder, decoder = maps[: net.config.encoder_layers], maps[net.config.encoder_layers :]
    ii, qq, qi = (
        torch.eye(len(encoder[0])).to(score),
        torch.eye(len(decoder[0])).to(score),
        torch.zeros(decoder[1].shape).to(score),
    )
    iq = torch.zeros_like(qi.mT)  # no place of the picture asks an object
    for paid in encoder:
        ii, iq = self_attention(ii, iq, paid)
    for among, across in zip(decoder[::2], decoder[1::2]):
        qq, qi = self_attention(qq, qi, among)
        qq, qi = cross_attention(qq, qi, ii, iq, across)
    return qi[query]

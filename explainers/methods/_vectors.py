"""What attention moves, as vectors: z_qk = sum_h A_h[q, k] f_h(x_k), with f_h(x) = (x W_V + b_V) W_O (Kobayashi et al. 2020).

The norms of these [query key dim] vectors are wanted, not the vectors: ‖sum_h a_h c_h‖² = aᵀ G a with the Gram matrix G of
the H parts of a key, so that 9.7 GB become a few megabytes. Everything linear that happens afterwards (a residual, a
LayerNorm whose deviation is held at its true value) happens to the parts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import Refusal
from ..trace import Layer, Trace


@dataclass(frozen=True, eq=False)
class Sublayers:
    """One post-LN block's true states: sums before and after either LayerNorm, and the deviations that it divided by.

    before1, after1, before2 [token dim]; sigma1, sigma2 [token 1]
    """

    before1: Tensor
    after1: Tensor
    before2: Tensor | None
    sigma1: Tensor
    sigma2: Tensor | None


def parts(trace: Trace, l: int) -> Tensor:
    """f_h(x_k): what head h would move of token k [head key dim]; the bias of the values counts, that of the output does not."""
    return torch.einsum("hkv,hvd->hkd", trace.value[l], trace.layers[l].w_o)


def sublayers(trace: Trace, l: int) -> Sublayers:
    layer = trace.layers[l]
    mixed = torch.einsum("hqk,hkd->qd", trace.attention[l], parts(trace, l)) + trace.hidden[l]
    before1 = mixed if layer.b_o is None else mixed + layer.b_o
    after1 = layer.norm1(before1)
    before2 = after1 + layer.down(layer.act(layer.up(after1))) if layer.has_feed_forward else None
    return Sublayers(
        before1,
        after1,
        before2,
        deviation(before1, layer.norm1),
        None if before2 is None else deviation(before2, layer.norm2),
    )


def deviation(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()


def centred(vectors: Tensor, norm: nn.LayerNorm) -> Tensor:
    """The linear part of a LayerNorm: without the mean, times gamma; division by the true deviation is left to the caller."""
    return (vectors - vectors.mean(-1, keepdim=True)) * norm.weight


def norms(attention: Tensor, vectors: Tensor) -> Tensor:
    """‖sum_h a_h[q, k] c_h[k]‖ from a [part query key] and c [part key dim], by the Gram identity: [query key]."""
    gram = torch.einsum("hkd,gkd->khg", vectors, vectors)
    half = torch.einsum("hqk,khg->gqk", attention, gram)
    return (half * attention).sum(0).clamp(min=0).sqrt()


def with_self(trace: Trace, l: int) -> tuple[Tensor, Tensor]:
    """Attention and parts with one part more: the token itself, which the residual passes on [head+1 query key], [head+1 key dim]."""
    eye = torch.eye(trace.attention.shape[-1]).to(trace.attention)
    return torch.cat([trace.attention[l], eye[None]]), torch.cat(
        [parts(trace, l), trace.hidden[l][None]]
    )


def needs_post_norm(layers: list[Layer], title: str, instead: str) -> None:
    """Refuse pre-LN models and norms that are no plain LayerNorm, naming what works `instead`."""
    for norm in (norm for layer in layers for norm in (layer.norm1, layer.norm2)):
        if type(norm) is not nn.LayerNorm and not any(layer.norm_first for layer in layers):
            raise Refusal(
                f"{title} takes LayerNorms apart, and this network has a "
                f"{type(norm).__name__} in the place of one. Take {instead}."
            )
    if any(layer.norm_first for layer in layers):
        raise Refusal(
            f"{title} is defined for models that normalise after each sublayer (post-LN, like BERT); this one normalises "
            f"before it, for which there is no formula. Take {instead}."
        )


def needs_ffn(layers: list[Layer], title: str) -> None:
    if not all(layer.has_feed_forward for layer in layers):
        raise Refusal(
            f"{title} follows vectors through a plain feed-forward layer; this model's is a gated one."
        )

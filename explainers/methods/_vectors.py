"""The vectors that attention moves: z_qk = sum_h A_h[q, k] f_h(x_k), f_h(x) = (x W_V + b_V) W_O.

After Kobayashi et al. 2020. Most methods need only the norms of these vectors [query key dim].
With the Gram matrix G of the H vectors c_h of a key, ‖sum_h a_h c_h‖² = aᵀ G a, which takes a few
megabytes in place of 9.7 GB. What is linear and comes afterwards (a residual, a LayerNorm whose
deviation is kept at its actual value) is applied to the vectors c_h.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import Refusal
from ..trace import Layer, Trace


class Sublayers:
    """The actual states inside one post-LN block, computed when they are read.

    attention_sum  [token dim]  attention and residual, before the first LayerNorm
    attention_out  [token dim]  after the first LayerNorm
    ffn_sum        [token dim]  feed-forward layer and residual, before the second LayerNorm
    sigma1, sigma2 [token 1]    the deviations that the two LayerNorms divide by
    """

    def __init__(self, trace: Trace, l: int):
        self.trace = trace
        self.l = l
        self.layer = trace.layers[l]

    @cached_property
    def attention_sum(self) -> Float[Tensor, "token dim"]:
        attention = self.trace.attention[self.l]
        values = head_values(self.trace, self.l)
        mixed = torch.einsum("hqk,hkd->qd", attention, values) + self.trace.hidden[self.l]
        return mixed if self.layer.b_o is None else mixed + self.layer.b_o

    @cached_property
    def attention_out(self) -> Float[Tensor, "token dim"]:
        return self.layer.norm1(self.attention_sum)

    @cached_property
    def ffn_sum(self) -> Float[Tensor, "token dim"]:
        layer, x = self.layer, self.attention_out
        needs_ffn([layer], "This method")
        return x + layer.down(layer.act(layer.up(x)))

    @cached_property
    def sigma1(self) -> Float[Tensor, "token 1"]:
        return deviation(self.attention_sum, self.layer.norm1)

    @cached_property
    def sigma2(self) -> Float[Tensor, "token 1"]:
        return deviation(self.ffn_sum, self.layer.norm2)


def head_values(trace: Trace, l: int) -> Float[Tensor, "head key dim"]:
    """f_h(x_k) = (x_k W_V + b_V) W_O of every head, without the bias of W_O [head key dim]."""
    return torch.einsum("hkv,hvd->hkd", trace.value[l], trace.layers[l].w_o)


def with_residual_vectors(
    trace: Trace, l: int
) -> tuple[Float[Tensor, "part query key"], Float[Tensor, "part key dim"]]:
    """Attention and vectors of the heads and of one more "head": the residual connection.

    -> [head+1 query key], [head+1 key dim]
    """
    attention = trace.attention[l]
    itself = torch.eye(attention.shape[-1]).to(attention)
    weights = torch.cat([attention, itself[None]])
    return weights, torch.cat([head_values(trace, l), trace.hidden[l][None]])


def plain(norm: nn.Module) -> nn.LayerNorm:
    """`norm` if it is a LayerNorm. Raises `Refusal` if it is another norm."""
    if not isinstance(norm, nn.LayerNorm):
        raise Refusal(f"This method is defined for LayerNorm only; got a {type(norm).__name__}.")
    return norm


def deviation(x: Float[Tensor, "token dim"], norm: nn.Module) -> Float[Tensor, "token 1"]:
    """The standard deviation that a LayerNorm divides by [token 1]."""
    return (x.var(-1, unbiased=False, keepdim=True) + plain(norm).eps).sqrt()


def centred(vectors: Float[Tensor, "*shape dim"], norm: nn.Module) -> Float[Tensor, "*shape dim"]:
    """The linear part of a LayerNorm: subtract the mean and multiply by gamma.

    The caller divides by the actual deviation.
    """
    return (vectors - vectors.mean(-1, keepdim=True)) * plain(norm).weight


def norms(
    attention: Float[Tensor, "part query key"], vectors: Float[Tensor, "part key dim"]
) -> Float[Tensor, "query key"]:
    """‖sum_h a_h[q, k] c_h[k]‖ [query key] from a [head query key] and c [head key dim]."""
    gram = torch.einsum("hkd,gkd->khg", vectors, vectors)
    half = torch.einsum("hqk,khg->gqk", attention, gram)
    return (half * attention).sum(0).clamp(min=0).sqrt()


def needs_post_norm(layers: Sequence[Layer], title: str, instead: str) -> None:
    """Raise a `Refusal` for pre-LN models and for norms other than a plain LayerNorm."""
    if any(layer.norm_first for layer in layers):
        raise Refusal(
            f"{title} is defined for models that normalise after each sublayer (post-LN, like "
            f"BERT); this one normalises before it, for which there is no formula. Use {instead}."
        )
    for layer in layers:
        for norm in (layer.norm1, layer.norm2):
            if type(norm) is not nn.LayerNorm:
                raise Refusal(
                    f"{title} is defined for LayerNorm only, and this network has a "
                    f"{type(norm).__name__} in place of one. Use {instead}."
                )


def needs_ffn(layers: Sequence[Layer], title: str) -> None:
    """Raise a `Refusal` for models whose feed-forward layers are gated."""
    if not all(layer.has_feed_forward for layer in layers):
        raise Refusal(
            f"{title} is defined for feed-forward layers without a gate; this model's feed-forward "
            "layers are gated."
        )

"""DecompX: every token's own vector, kept apart through the whole network down to the logit, so that the shares add up."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Affine, Trace
from ._vectors import centred, needs_ffn, needs_post_norm, parts, sublayers
from .registry import method

Bias = Literal["absdot", "abssim", "norm", "equal", "cls", "none"]
Straight = Literal["ratio", "tangent", "relu"]
CHUNK = 8  # queries, or keys, at a time: [8 key 4·dim] instead of [query key 4·dim]


def spread(vectors: Tensor, bias: Tensor | None, how: Bias) -> Tensor:
    """Give a bias [dim] or [query dim] to the vectors [query key dim] of the tokens, in parts that add up to it."""
    if bias is None or how == "none":
        return vectors
    bias = bias.expand(len(vectors), -1)
    if how == "cls":
        weight = torch.zeros_like(vectors[..., 0])
        weight[:, 0] = 1
    else:
        dots = torch.einsum("qkd,qd->qk", vectors, bias).abs()
        lengths = vectors.norm(dim=-1)
        weight = {
            "absdot": dots,
            "abssim": dots / (lengths * bias.norm(dim=-1, keepdim=True)).clamp(min=1e-12),
            "norm": lengths,
            "equal": torch.ones_like(dots),
        }[how]
        weight = weight / (weight.sum(1, keepdim=True) + (0 if how == "equal" else 1e-12))
    return vectors + weight[..., None] * bias[:, None]


def straightened(vectors: Tensor, z: Tensor, act: Callable, how: Straight, bias: Bias) -> Tensor:
    """An activation as a linear map at the true input z [query dim]: by the ratio act(z)/z, the tangent, or a gate."""
    if how == "ratio":
        return vectors * (act(z) / (z + 1e-12))[:, None]
    if how == "relu":
        return vectors * (z > 0)[:, None]
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(act(at).sum(), at)
    return spread(vectors * slope[:, None], act(z) - slope * z, bias)


def entering(trace: Trace) -> Tensor:
    """Before the first block every token is made of itself [query key dim]."""
    return torch.diag_embed(trace.hidden[0].T).permute(1, 2, 0)


def attended(
    trace: Trace, l: int, vectors: Tensor | None, queries: list[int]
) -> tuple[Tensor, Tensor | None]:
    """What the tokens `queries` are made of after attention and residual [query key dim], and the bias still to be spread."""
    layer, weights = trace.layers[l], trace.attention[l][:, queries]
    if vectors is None:  # each token is still itself, and its value's bias is its own
        mixed = torch.einsum("hqk,hkd->qkd", weights, parts(trace, l))
        mixed[torch.arange(len(queries)), queries] += trace.hidden[l][queries]
        return mixed, layer.b_o
    mixed = vectors[queries]
    for first in range(0, vectors.shape[1], CHUNK):
        keys = slice(first, first + CHUNK)
        values = torch.einsum("skd,hdv->skhv", vectors[:, keys], layer.w_v)
        mixed[:, keys] += torch.einsum("hqs,skhv->qkhv", weights, values).flatten(
            -2
        ) @ layer.w_o.flatten(0, 1)
    bias = torch.einsum("hv,hvd->d", layer.b_v, layer.w_o)
    return mixed, bias if layer.b_o is None else bias + layer.b_o


def block(
    trace: Trace,
    l: int,
    vectors: Tensor | None,
    queries: list[int],
    bias: Bias,
    activation: Straight,
    ffn: bool,
) -> Tensor:
    """`vectors` through block l, for the tokens `queries` [query key dim]."""
    layer, states = trace.layers[l], sublayers(trace, l)
    out, unspread = attended(trace, l, vectors, queries)
    for first in range(0, len(queries), CHUNK):
        rows, at = slice(first, first + CHUNK), queries[first : first + CHUNK]
        v = spread(out[rows], unspread, bias)
        v = spread(centred(v, layer.norm1) / states.sigma1[at, None], layer.norm1.bias, bias)
        if ffn:
            inner = spread(v @ layer.up.weight, layer.up.bias, bias)
            inner = straightened(inner, layer.up(states.after1[at]), layer.act, activation, bias)
            v = v + spread(inner @ layer.down.weight, layer.down.bias, bias)
        out[rows] = spread(
            centred(v, layer.norm2) / states.sigma2[at, None], layer.norm2.bias, bias
        )
    return out


def follow(
    trace: Trace, bias: Bias, activation: Straight, ffn: bool, last: list[int] | None = None
):
    """The vectors after each block; after the last only those of the tokens `last`, if given."""
    needs_post_norm(
        trace.layers, "DecompX", "attnlrp or integrated_gradients, which share out a score too"
    )
    needs_ffn(trace.layers, "DecompX")
    if not all(layer.has_values for layer in trace.layers):
        raise Refusal(
            "DecompX needs the value projection of each layer, and this architecture's is not known here."
        )
    vectors, everyone = None, list(range(trace.hidden.shape[1]))
    for l in range(len(trace.layers)):
        wanted = last if last is not None and l == len(trace.layers) - 1 else everyone
        vectors = block(trace, l, vectors, wanted, bias, activation, ffn)
        yield vectors


def decompx_maps(
    trace: Trace, bias: Bias = "absdot", activation: Straight = "ratio", ffn: bool = True
) -> Tensor:
    """The length of what each token is made of, after each block [layers query key]."""
    return torch.stack([vectors.norm(dim=-1) for vectors in follow(trace, bias, activation, ffn)])


@method(
    "DecompX",
    family="Decomposition",
    paper="Modarressi et al. 2023",
    url="https://arxiv.org/abs/2306.02873",
    signed=True,
    class_specific=True,
    passes="1F + n·n vectors a layer",
    invariant="adds up to the logit",
    maps=decompx_maps,
    most_tokens=512,
    tasks=("text",),
    only="vectors are followed through LayerNorms that come after attention, and vision Transformers have theirs before",
    too_long="{n} × {n} vectors carried through every layer",
)
def decompx(
    trace: Trace,
    bias: Bias = "absdot",
    activation: Straight = "ratio",
    ffn: bool = True,
    head_activation: Literal["ratio", "tangent"] = "ratio",
) -> Tensor:
    """Each token's own share of the logit: its vector is carried by itself through attention, LayerNorms, feed-forward layers and classifier.

    Formula: x_q = sum over tokens k of x_{q←k} at every step, the last giving y = sum over k of score_k (Modarressi et al.):
    attention mixes the parts, LayerNorms divide by their true deviation, σ(z) counts as z · (σ(z)/z held), biases are
    spread.

    Sign: plus is a share in the target's logit, minus a share against it; all shares add up to the logit.

    Limits: how a bias or an activation is shared out is a convention, and the shares depend on it. Time and memory
    grow with the square of the text.

    Options: bias (spread by absdot, the paper's; abssim, norm, equal, cls: all to the first token; none: left out, and
    the shares no longer add up), activation (ratio; tangent; relu), ffn (no: leave the feed-forward layers out),
    head_activation (of the classifier's own layer).
    """
    needs_post_norm(
        trace.layers, "DecompX", "attnlrp or integrated_gradients, which share out a score too"
    )
    if trace.head is None:
        raise Refusal(
            "DecompX follows vectors into the classifier, and this model's head is not one of linear layers on a token."
        )
    columns = trace.target.columns(
        trace.read_at[0]
    )  # a class is read at one token, an answer names its places
    places = sorted({position for position, _, _ in columns})
    *_, vectors = follow(trace, bias, activation, ffn, last=places)
    whole = trace.hidden[-1][places]
    for step in trace.head:
        linear = isinstance(step, Affine)
        vectors = (
            spread(vectors @ step.weight, step.bias, bias)
            if linear
            else straightened(vectors, whole, step, head_activation, bias)
        )
        whole = step(whole)
    return sum(
        weight * vectors[places.index(position), :, column] for position, column, weight in columns
    )

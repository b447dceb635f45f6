"""DecompX: the logit, decomposed into a share of each token by propagating token-wise vectors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..trace import Affine, Trace
from ._vectors import Sublayers, centred, head_values, needs_ffn, needs_post_norm, plain
from .attribution import Attribution
from .registry import Cost, Only, Output, method

Bias = Literal["absdot", "abssim", "norm", "equal", "cls", "none"]
Linearisation = Literal["ratio", "tangent", "relu"]
CHUNK = 8  # queries, or keys, at a time: [8 key 4·dim] in place of [query key 4·dim]


@method(
    "decompx",
    "DecompX",
    family="Decomposition",
    paper="modarressi2023",
    output=Output(
        signed=True, class_specific=True, parts=("maps",), invariant="adds up to the logit"
    ),
    cost=Cost(
        "1F + n·n vectors per layer",
        most_tokens=512,
        too_long="{n} × {n} vectors carried through every layer",
    ),
    only=Only(
        "text",
        "it needs LayerNorms that come after attention, and vision Transformers have theirs before",
    ),
)
def attribute(
    trace: Trace,
    bias: Bias = "absdot",
    activation: Linearisation = "ratio",
    ffn: bool = True,
    head_activation: Literal["ratio", "tangent"] = "ratio",
) -> Attribution:
    """Each token's share of the logit, propagated as a vector through all layers and the head.

    Formula: x_q = sum over tokens k of x_{q←k} at every step, at the end y = sum over k of score_k
    (Modarressi et al.). Attention mixes the parts, LayerNorms divide by their actual deviation,
    σ(z) is z times the constant σ(z)/z, and biases are distributed over the parts.

    Sign: plus is a share in favour of the target, minus a share against it. The shares add up to
    the logit.

    Limits: how biases and activations are distributed is a convention, and the shares depend on
    it. Time and memory grow with the square of the number of tokens.

    Options:
    - bias: how biases are distributed. absdot: the paper's, by |part · bias|; abssim: by
      |cosine|; norm: by length; equal; cls: all to the first token; none: left out, so that the
      shares do not add up.
    - activation: how an activation is made linear. ratio: by σ(z)/z; tangent; relu.
    - ffn: include the feed-forward layers.
    - head_activation: the same for the classifier's own layer.
    """
    rules = Rules(bias=bias, activation=activation, ffn=ffn)
    needs_linear_parts(trace)
    return Attribution(
        lambda: shares_of_logit(trace, rules, head_activation),
        maps=lambda: torch.stack([vectors.norm(dim=-1) for vectors in carried(trace, rules)]),
    )


@dataclass(frozen=True)
class Rules:
    """How biases are distributed, how activations are made linear, and whether the FFN counts."""

    bias: Bias
    activation: Linearisation
    ffn: bool


def shares_of_logit(
    trace: Trace, rules: Rules, head_activation: Literal["ratio", "tangent"]
) -> Float[Tensor, " token"]:
    """The share of each token in the explained logit [token]."""
    if trace.head is None:
        raise Refusal(
            "DecompX decomposes the classifier, and this model's classifier does not consist of "
            "linear layers on one token."
        )
    # a class is read at one token, an answer names its places
    columns = trace.target.columns(trace.read_at[0])
    places = sorted({position for position, _, _ in columns})
    *_, vectors = carried(trace, rules, last=places)
    whole = trace.hidden[-1][places]
    for step in trace.head:
        if isinstance(step, Affine):
            vectors = distribute_bias(vectors @ step.weight, step.bias, rules.bias)
        else:
            vectors = linearised(vectors, whole, step, head_activation, rules.bias)
        whole = step(whole)
    shares = torch.zeros_like(vectors[0, :, 0])
    for position, column, weight in columns:
        shares = shares + weight * vectors[places.index(position), :, column]
    return shares


def carried(
    trace: Trace, rules: Rules, last: Sequence[int] | None = None
) -> Iterator[Float[Tensor, "query key dim"]]:
    """The vectors [query key dim] after each block, in the last one only of the tokens `last`."""
    vectors = None
    everyone = list(range(trace.hidden.shape[1]))
    for l in range(len(trace.layers)):
        is_last = l == len(trace.layers) - 1
        queries = list(last) if is_last and last is not None else everyone
        vectors = through_block(trace, l, vectors, queries, rules)
        yield vectors


def through_block(
    trace: Trace,
    l: int,
    vectors: Float[Tensor, "token key dim"] | None,
    queries: list[int],
    rules: Rules,
) -> Float[Tensor, "query key dim"]:
    """`vectors` through block l, for the tokens `queries` [query key dim]."""
    layer, states, bias = trace.layers[l], Sublayers(trace, l), rules.bias
    norm1, norm2 = plain(layer.norm1), plain(layer.norm2)
    if vectors is None:
        out, left = through_first_attention(trace, queries)
    else:
        out, left = through_attention(trace, l, vectors, queries)
    for first in range(0, len(queries), CHUNK):
        rows, at = slice(first, first + CHUNK), queries[first : first + CHUNK]
        v = distribute_bias(out[rows], left, bias)
        v = centred(v, norm1) / states.sigma1[at, None]
        v = distribute_bias(v, norm1.bias, bias)
        if rules.ffn:
            inner = distribute_bias(v @ layer.up.weight, layer.up.bias, bias)
            z = layer.up(states.attention_out[at])
            inner = linearised(inner, z, layer.act, rules.activation, bias)
            v = v + distribute_bias(inner @ layer.down.weight, layer.down.bias, bias)
        v = centred(v, norm2) / states.sigma2[at, None]
        out[rows] = distribute_bias(v, norm2.bias, bias)
    return out


def through_first_attention(
    trace: Trace, queries: list[int]
) -> tuple[Float[Tensor, "query key dim"], Float[Tensor, " dim"] | None]:
    """Attention and residual of the first block, whose tokens are made of themselves alone.

    The bias of a value is that token's own. -> [query key dim], the bias still to be distributed
    """
    weights = trace.attention[0][:, queries]
    mixed = torch.einsum("hqk,hkd->qkd", weights, head_values(trace, 0))
    mixed[torch.arange(len(queries)), queries] += trace.hidden[0][queries]
    return mixed, trace.layers[0].b_o


def through_attention(
    trace: Trace, l: int, vectors: Float[Tensor, "token key dim"], queries: list[int]
) -> tuple[Float[Tensor, "query key dim"], Float[Tensor, " dim"]]:
    """Attention and residual of block l. -> [query key dim], the bias still to be distributed"""
    layer, weights = trace.layers[l], trace.attention[l][:, queries]
    mixed = vectors[queries]
    for first in range(0, vectors.shape[1], CHUNK):
        keys = slice(first, first + CHUNK)
        values = torch.einsum("skd,hdv->skhv", vectors[:, keys], layer.w_v)
        moved = torch.einsum("hqs,skhv->qkhv", weights, values)
        mixed[:, keys] += moved.flatten(-2) @ layer.w_o.flatten(0, 1)
    bias = torch.einsum("hv,hvd->d", layer.b_v, layer.w_o)
    return mixed, bias if layer.b_o is None else bias + layer.b_o


def distribute_bias(
    vectors: Float[Tensor, "query key dim"], bias: Float[Tensor, "... dim"] | None, how: Bias
) -> Float[Tensor, "query key dim"]:
    """Add a bias [dim] or [query dim] to the vectors [query key dim], in parts that sum to it."""
    if bias is None or how == "none":
        return vectors
    bias = bias.expand(len(vectors), -1)
    if how == "cls":
        weight = torch.zeros_like(vectors[..., 0])
        weight[:, 0] = 1
    elif how == "equal":
        weight = torch.ones_like(vectors[..., 0])
        weight = weight / weight.sum(1, keepdim=True)
    else:
        weight = closeness(vectors, bias, how)
        weight = weight / (weight.sum(1, keepdim=True) + 1e-12)
    return vectors + weight[..., None] * bias[:, None]


def closeness(
    vectors: Float[Tensor, "query key dim"], bias: Float[Tensor, "query dim"], how: Bias
) -> Float[Tensor, "query key"]:
    """How much of a bias [query dim] each vector [query key dim] gets, up to a factor."""
    lengths = vectors.norm(dim=-1)
    if how == "norm":
        return lengths
    dots = torch.einsum("qkd,qd->qk", vectors, bias).abs()
    if how == "absdot":
        return dots
    return dots / (lengths * bias.norm(dim=-1, keepdim=True)).clamp(min=1e-12)


def linearised(
    vectors: Float[Tensor, "query key dim"],
    z: Float[Tensor, "query dim"],
    act: Callable,
    how: Linearisation,
    bias: Bias,
) -> Float[Tensor, "query key dim"]:
    """An activation as a linear map of the vectors [query key dim], at its actual input z.

    z [query dim]. ratio: times act(z)/z; relu: times 1 where z > 0; tangent: times the slope, and
    what is then missing is distributed like a bias.
    """
    if how == "ratio":
        return vectors * (act(z) / (z + 1e-12))[:, None]
    if how == "relu":
        return vectors * (z > 0)[:, None]
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(act(at).sum(), at)
    return distribute_bias(vectors * slope[:, None], act(z) - slope * z, bias)


def needs_linear_parts(trace: Trace) -> None:
    """Raise a `Refusal` for a model whose blocks are not made of the maps that this follows."""
    instead = "attnlrp or integrated_gradients, which distribute a score too"
    needs_post_norm(trace.layers, "DecompX", instead)
    needs_ffn(trace.layers, "DecompX")
    if not all(layer.has_values for layer in trace.layers):
        raise Refusal(
            "DecompX needs the value projection of each layer, and this architecture's is not "
            "known here."
        )

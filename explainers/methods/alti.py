"""ALTI: a token's share is how much nearer its vector brings the sum."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..trace import Trace
from ._chain import products, rows_to_one
from ._vectors import centred, needs_post_norm, sublayers, with_self
from .registry import method

ROWS = 16  # queries at a time: [16 key dim] instead of [query key dim]


def alti_maps(
    trace: Trace,
    order: Literal["l1", "l2"] = "l1",
    state: Literal["attention", "block"] = "attention",
) -> Tensor:
    """Contributions of tokens k to tokens q in every layer [layers query key], rows summing to 1."""
    return trace.cached(("alti", order, state), lambda: contributions(trace, order, state))


def contributions(trace: Trace, order: str, state: str) -> Tensor:
    needs_post_norm(trace.layers, "ALTI", "norm with stage=Res, or globenc with variant=N-Res")
    p, maps = {"l1": 1, "l2": 2}[order], []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_self(trace, l)
        states = sublayers(trace, l)
        sigma = states.before1.std(-1, unbiased=False)[
            :, None, None
        ]  # the authors leave out the LayerNorm's epsilon
        vectors, whole = centred(vectors, layer.norm1), states.after1
        if state == "block":
            vectors, whole = centred(vectors, layer.norm2), trace.hidden[l + 1]
            sigma = sigma * states.before2.std(-1, unbiased=False)[:, None, None]
        lines = []
        for q in range(0, len(whole), ROWS):
            here, y = slice(q, q + ROWS), whole[q : q + ROWS, None]
            t = torch.einsum("hqk,hkd->qkd", weights[:, here], vectors) / sigma[here]
            lines.append((y.norm(p=p, dim=-1) - F.pairwise_distance(t, y, p=p)).clamp(min=0))
        maps.append(torch.cat(lines))
    return rows_to_one(
        torch.stack(maps) * trace.attended
    )  # the authors' distance adds 1e-6 a coordinate: padding would get a share


def alti_layers(
    trace: Trace,
    order: Literal["l1", "l2"] = "l1",
    state: Literal["attention", "block"] = "attention",
) -> Tensor:
    return trace.read(products(alti_maps(trace, order, state)))


@method(
    "ALTI",
    family="Decomposition",
    paper="Ferrando et al. 2022",
    url="https://arxiv.org/abs/2203.04212",
    signed=False,
    class_specific=False,
    passes="1F",
    invariant="sums to one",
    layers=alti_layers,
    maps=alti_maps,
    most_tokens=512,
    at_readout=True,
    too_long="{n} × {n} vectors a layer",
)
def alti(
    trace: Trace,
    order: Literal["l1", "l2"] = "l1",
    state: Literal["attention", "block"] = "attention",
) -> Tensor:
    """How much nearer each token's vector brings the sum that the readout token becomes, followed through all layers.

    Formula: C_l[q, k] = relu(‖y_q‖₁ − ‖y_q − T_q(x_k)‖₁), rows made to sum to 1, with T_q(x_k) the part of y_q = LN₁(...) that came
    from token k; score_i = (C_L ··· C_1)[readout, i] (Ferrando et al.).

    Sign: none, and the same for every class; a vector that points away from the sum counts as nothing.

    Limits: the feed-forward layer is left out, and biases belong to nobody.

    Options: order (l1: the paper's; l2), state (attention: y as above; block: what leaves the block, with the second
    LayerNorm on the vectors).
    """
    return alti_layers(trace, order, state)[-1]

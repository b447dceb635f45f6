"""ALTI: how much each token's contribution to a vector reduces the distance to that vector."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..trace import Trace
from ._chain import products, rows_to_one
from ._vectors import Sublayers, centred, needs_post_norm, with_residual_vectors
from .attribution import Attribution
from .registry import Cost, Output, method

ROWS = 16  # queries at a time: [16 key dim] in place of [query key dim]


@method(
    "alti",
    "ALTI",
    family="Decomposition",
    paper="ferrando2022",
    output=Output(
        signed=False,
        class_specific=False,
        parts=("layers", "maps"),
        at_readout=True,
        invariant="sums to one",
    ),
    cost=Cost("1F", most_tokens=512, too_long="{n} × {n} vectors per layer"),
)
def attribute(
    trace: Trace,
    order: Literal["l1", "l2"] = "l1",
    state: Literal["attention", "block"] = "attention",
) -> Attribution:
    """How much each token's contribution reduces the L1 distance to the readout token's vector,
    combined by rollout.

    Formula: C_l[q, k] = relu(‖y_q‖₁ − ‖y_q − T_q(x_k)‖₁), rows divided by their sum, with T_q(x_k)
    token k's contribution to y_q = LN₁(...); score_i = (C_L ··· C_1)[readout, i]
    (Ferrando et al.).

    Sign: none, and the same map for every class. A contribution that points away from the
    vector counts as zero.

    Limits: the feed-forward layer is left out, and biases are assigned to no token.

    Options:
    - order: l1: the distance of the paper; l2.
    - state: attention: y as above; block: what leaves the block, with the second LayerNorm applied
      to the parts.
    """
    maps = contributions(trace, order, state)
    layers = trace.read(products(maps))
    return Attribution(layers[-1], layers=layers, maps=maps)


def contributions(trace: Trace, order: str, state: str) -> Float[Tensor, "layer query key"]:
    """The share of token k in token q in every layer [layer query key], rows summing to 1."""
    needs_post_norm(trace.layers, "ALTI", "norm with stage=Res, or globenc with variant=N-Res")
    p = {"l1": 1, "l2": 2}[order]
    maps = []
    for l, layer in enumerate(trace.layers):
        weights, vectors = with_residual_vectors(trace, l)
        states = Sublayers(trace, l)
        # the authors leave out the LayerNorm's epsilon
        sigma = states.attention_sum.std(-1, unbiased=False)[:, None, None]
        vectors, whole = centred(vectors, layer.norm1), states.attention_out
        if state == "block":
            vectors, whole = centred(vectors, layer.norm2), trace.hidden[l + 1]
            sigma = sigma * states.ffn_sum.std(-1, unbiased=False)[:, None, None]
        lines = []
        for q in range(0, len(whole), ROWS):
            rows, y = slice(q, q + ROWS), whole[q : q + ROWS, None]
            parts = torch.einsum("hqk,hkd->qkd", weights[:, rows], vectors) / sigma[rows]
            reduced = y.norm(p=p, dim=-1) - F.pairwise_distance(parts, y, p=p)
            lines.append(reduced.clamp(min=0))
        maps.append(torch.cat(lines))
    # the authors' distance adds 1e-6 to each coordinate, which would give padding a share
    return rows_to_one(torch.stack(maps) * trace.attended)

"""Methods written a second time, from their formulas: one token, one pass, one number at a time.

Nothing here is shared with the package but the model's own forward pass and, where a formula starts
from them, the recorded states. Slow on purpose: what is easy to read is easy to compare with the
paper.
"""

import math

import numpy as np
import torch


def slope_at(trace, entry: torch.Tensor) -> torch.Tensor:
    """∂y/∂x at x = `entry` [token dim]: one example, one pass."""
    return trace.again(entry=lambda _: entry[None]).grad.hidden[0]


def blanked(trace, places: list[int], blank: int) -> dict:
    """The input with `places` blanked and every token where it was: RoBERTa would count positions
    anew at each padding token.
    """
    ids = trace.run.inputs["input_ids"].clone()
    for i in places:
        ids[0, i] = blank
    inputs = trace.run.inputs | {"input_ids": ids}
    if trace.run.model.net.config.model_type == "roberta":
        inputs["position_ids"] = torch.tensor([[2 + i for i in range(len(ids[0]))]])
    return inputs


def gradient(trace, order: int = 2) -> list[float]:
    scores = []
    for slopes in trace.grad.hidden[0].tolist():
        scores.append(sum(abs(slope) ** order for slope in slopes) ** (1 / order))
    return scores


def input_x_gradient(trace) -> list[float]:
    scores = []
    for xs, slopes in zip(trace.hidden[0].tolist(), trace.grad.hidden[0].tolist()):
        scores.append(sum(x * slope for x, slope in zip(xs, slopes)))
    return scores


def integrated_gradients(trace, steps: int, blank: int) -> list[float]:
    """Eq. 1 of Sundararajan et al. by Gauss-Legendre quadrature, from the same text with every word
    blanked.
    """
    words = [
        i for i, special_tokens in enumerate(trace.special_tokens.tolist()) if not special_tokens
    ]
    start = trace.again(inputs=blanked(trace, words, blank)).hidden[0]
    end = trace.hidden[0]
    scores = [0.0] * len(end)
    for node, weight in zip(*np.polynomial.legendre.leggauss(steps)):
        alpha = (node + 1) / 2
        slopes = slope_at(trace, start + alpha * (end - start))
        for i in range(len(end)):
            scores[i] += weight / 2 * float((end[i] - start[i]) @ slopes[i])
    return scores


def smoothgrad(trace, samples: int, sigma: float, seed: int) -> list[float]:
    """The mean slope of noisy copies; the noise is drawn for all copies at once, in float64, and
    only for real tokens.
    """
    x = trace.hidden[0]
    spread = sigma * (max(max(row) for row in x.tolist()) - min(min(row) for row in x.tolist()))
    noise = torch.randn(
        samples, *x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    scores = [0.0] * len(x)
    for sample in noise:
        slopes = slope_at(trace, x + spread * sample)
        for i in range(len(x)):
            scores[i] += float(x[i] @ slopes[i]) / samples
    return scores


def occlusion(trace, blank: int, window: int) -> list[float]:
    """The score lost, averaged over the windows of neighbouring words that hold the token."""
    words = [
        i for i, special_tokens in enumerate(trace.special_tokens.tolist()) if not special_tokens
    ]
    windows = [words[first : first + window] for first in range(max(1, len(words) - window + 1))]
    lost = []
    for hidden in windows:
        lost.append(float(trace.score - trace.again(inputs=blanked(trace, hidden, blank)).score))
    scores = []
    for i in range(len(trace.special_tokens)):
        holding = [loss for loss, hidden in zip(lost, windows) if i in hidden]
        scores.append(sum(holding) / len(holding) if holding else 0.0)
    return scores


def attcat_layers(trace) -> list[list[float]]:
    """Eqs. 10 to 12 of Qiang et al.: what the token's vector says, weighed by the attention it
    receives.
    """
    states = trace.normed if trace.layers[0].norm_first else trace.hidden[:-1]
    slopes = trace.grad.normed if trace.layers[0].norm_first else trace.grad.hidden[:-1]
    layers, heads, tokens, _ = trace.attention.shape
    rows = []
    for layer in range(layers):
        row = []
        for i in range(tokens):
            received = []
            for head in range(heads):
                for query in range(tokens):
                    received.append(float(trace.attention[layer, head, query, i]))
            row.append(
                math.fsum(received) / len(received) * float(states[layer, i] @ slopes[layer, i])
            )
        rows.append(row)
    return rows


def attcat_rollout(trace) -> list[float]:
    """Each layer's evidence walks back: from the tokens that enter a block to the input tokens they
    were made of.
    """
    _, heads, tokens, _ = trace.attention.shape
    scores = [0.0] * tokens
    for layer, row in enumerate(attcat_layers(trace)):
        for below in reversed(range(layer)):
            mixed = trace.attention[below].sum(0) / heads
            carried = [0.0] * tokens
            for query in range(tokens):
                for key in range(tokens):
                    share = (
                        float(mixed[query, key]) + (query == key)
                    ) / 2  # attention's rows sum to 1, and 1 for the token itself
                    carried[key] += row[query] * share
            row = carried
        scores = [score + more for score, more in zip(scores, row)]
    return scores


def rollout(trace) -> list[float]:
    """Eq. 1 of Abnar & Zuidema, one walk at a time from the readout down."""
    layers, heads, tokens, _ = trace.attention.shape
    reach = trace.readout.tolist()
    for layer in reversed(range(layers)):
        mixed = trace.attention[layer].sum(0) / heads
        below = []
        for key in range(tokens):
            ways = [
                reach[query] * (float(mixed[query, key]) + (query == key)) / 2
                for query in range(tokens)
            ]
            below.append(sum(ways))
        reach = below
    return reach


def attattr(trace, points: list[float]) -> list[float]:
    """Attribution of attention: one layer and one point of its path a pass, then what was paid to
    each token, number by number.
    """
    layers, heads, tokens, _ = trace.attention.shape
    scores = [0.0] * tokens
    for layer in range(layers):
        full = trace.attention[layer]
        for alpha in points:
            run = trace.again(
                target=trace.target.as_probability(),
                attention={layer: lambda now, a=alpha, full=full: (a * full)[None]},
            )
            for i in range(tokens):
                paid = []
                for head in range(heads):
                    for query in range(tokens):
                        slope = run.grad.attention[layer, head, query, i]
                        paid.append(float(full[head, query, i] * slope))
                scores[i] += math.fsum(paid) / len(points)
    return scores


# --------------------------------------------------- two kinds of tokens (Chefer et al., ICCV 2021)


def raised(attention, gradient) -> list[list[float]]:
    """Eq. 5, of [head query key]."""
    heads, queries, keys = attention.shape
    rows = []
    for q in range(queries):
        row = []
        for k in range(keys):
            paid = [float(attention[h, q, k] * gradient[h, q, k]) for h in range(heads)]
            row.append(sum(max(0.0, one) for one in paid) / heads)
        rows.append(row)
    return rows


def times(a: list, b: list) -> list[list[float]]:
    rows = []
    for row in a:
        product = []
        for k in range(len(b[0])):
            product.append(sum(x * b[j][k] for j, x in enumerate(row)))
        rows.append(product)
    return rows


def plus(a: list, b: list) -> list[list[float]]:
    rows = []
    for first, second in zip(a, b):
        rows.append([x + y for x, y in zip(first, second)])
    return rows


def identity(n: int) -> list[list[float]]:
    rows = []
    for i in range(n):
        rows.append([float(i == j) for j in range(n)])
    return rows


def normalised(ss: list) -> list[list[float]]:
    """Eqs. 8 and 9."""
    rows = []
    for i, row in enumerate(ss):
        given = [x - (i == j) for j, x in enumerate(row)]
        rows.append(
            [(x / sum(given) if sum(given) else 0.0) + (i == j) for j, x in enumerate(given)]
        )
    return rows


def cross_attention(ss: list, sq: list, qq: list, qs: list, paid: list) -> tuple[list, list]:
    """Eqs. 11 and 10, one token of s, one of q, and every way between them at a time."""
    own, other = normalised(ss), normalised(qq)
    added = []
    for i in range(len(ss)):
        row = []
        for j in range(len(qq)):
            ways = 0.0
            for a in range(len(ss)):
                for b in range(len(qq)):
                    ways += own[a][i] * paid[a][b] * other[b][j]
            row.append(ways)
        added.append(row)
    return plus(ss, times(paid, qs)), plus(sq, added)


def of_object(encoder: list, among: list, across: list, query: int) -> list[float]:
    """DETR: of the encoder's and the decoder's Ā, a list of layers each, as the authors' Generator
    goes through them.
    """
    objects, places = len(across[0]), len(across[0][0])
    ii, qq, qi = identity(places), identity(objects), [[0.0] * places for _ in range(objects)]
    for paid in encoder:
        ii = plus(ii, times(paid, ii))
    for own, other in zip(among, across):
        qq, qi = plus(qq, times(own, qq)), plus(qi, times(own, qi))
        qi = cross_attention(qq, qi, ii, [[0.0] * objects for _ in range(places)], other)[1]
    return qi[query]

"""The score's slope at the input, alone, times the input, along a path, and under noise."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace
from ._path import rows
from .registry import method


@method("Gradient", family="Input gradients", paper="Simonyan et al. 2014", url="https://arxiv.org/abs/1312.6034", signed=False,
        class_specific=True, passes="1F 1B")
def gradient(trace: Trace, order: int = 2) -> Tensor:
    """How sensitive the score is to each token's embedding.

    Formula: score_i = ‖∂y/∂x_i‖, x_i the vector that enters the first block (Simonyan et al.).

    Sign: none; the direction of the slope is one of many dimensions and has no word.

    Limits: sensitivity is not contribution. A saturated model has small slopes at the very words that decided.

    Options: order (2: Euclidean length; 1: sum of absolute values).
    """
    if order < 1:
        raise Refusal("The order of a norm is 1 or more.")
    return trace.grad.hidden[0].norm(p=order, dim=-1)


@method("Input × gradient", family="Input gradients", paper="Shrikumar et al. 2016", url="https://arxiv.org/abs/1605.01713", signed=True,
        class_specific=True, passes="1F 1B")
def input_x_gradient(trace: Trace) -> Tensor:
    """The first-order share of each token's embedding in the score.

    Formula: score_i = sum_d x_i ⊙ ∂y/∂x_i (Shrikumar et al.), x_i the vector that enters the first block.

    Sign: plus pushes towards the target, minus away from it.

    Limits: exact for a linear model only; in Transformers it agrees poorly with leaving the word out.
    """
    return (trace.hidden[0] * trace.grad.hidden[0]).sum(-1)


@method("Integrated gradients", family="Input gradients", paper="Sundararajan et al. 2017", url="https://arxiv.org/abs/1703.01365",
        signed=True, class_specific=True, passes="{steps}F {steps}B", invariant="completeness", tasks=("text",))
def integrated_gradients(trace: Trace, steps: int = 50, baseline: Literal["pad", "mask", "unk"] = "pad") -> tuple[Tensor, dict]:
    """Slopes collected on the way from a blank text to this one, so that the shares add up to the score gained.

    Formula: score_i = (x_i − x'_i) · ∫₀¹ ∂y/∂x_i(x' + α(x − x')) dα, summed over d (Sundararajan et al., eq. 1), by Gauss–Legendre
    quadrature; x' is the same text with every word replaced by a blank token.

    Sign: plus pushes towards the target, minus away from it; the sum is y(x) − y(x'), up to the gap that is reported.

    Limits: it answers "compared with this blank", and the blank is a choice. The path leaves the space of real texts.

    Options: steps (more close the gap), baseline (the token that stands for nothing).
    """
    if steps < 1:
        raise Refusal("Integrated gradients needs at least one step.")
    words = ~trace.special
    blank = trace.again(inputs=trace.fill(words[None], baseline), record=("hidden",))
    start, way = blank.hidden[0], trace.hidden[0] - blank.hidden[0]
    nodes, weights = np.polynomial.legendre.leggauss(steps)                     # on [−1, 1]
    alphas, weights = (torch.as_tensor(values).to(way) for values in ((nodes + 1) / 2, weights / 2))
    mean = torch.zeros_like(way)
    for alpha, weight in zip(alphas.split(rows(trace)), weights.split(rows(trace))):
        points = start + alpha[:, None, None] * way
        path = trace.again_many(entry=lambda _, points=points: points, record=("hidden",))
        mean += sum(w * step.grad.hidden[0] for w, step in zip(weight, path))
    scores = (way * mean).sum(-1)
    return scores, {"completeness gap": float(scores.sum() - (trace.score - blank.score))}


@method("SmoothGrad", family="Input gradients", paper="Smilkov et al. 2017", url="https://arxiv.org/abs/1706.03825", signed=True,
        class_specific=True, passes="{samples}F {samples}B")
def smoothgrad(trace: Trace, samples: int = 20, sigma: float = 0.15, seed: int = 0) -> Tensor:
    """The slope averaged over noisy copies of the input, times the input.

    Formula: score_i = sum_d x_i ⊙ mean over n of ∂y/∂x_i(x + ε_n), ε ~ N(0, (σ · (max x − min x))²) (Smilkov et al.).

    Sign: plus pushes towards the target, minus away from it.

    Limits: the noise makes inputs that no text has; too much of it explains another input. It depends on the seed.

    Options: samples, sigma (share of the input's range), seed.
    """
    if samples < 1 or sigma < 0:
        raise Refusal("SmoothGrad needs at least one sample and a sigma of 0 or more.")
    x = trace.hidden[0]
    spread = sigma * (x[trace.real].max() - x[trace.real].min())
    drawn = torch.randn(samples, int(trace.real.sum()), x.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    noise = torch.zeros(samples, *x.shape).to(x)
    noise[:, trace.real] = drawn.to(x) * spread             # padding gets none, and changes no draw
    mean = torch.zeros_like(x)
    for cloud in (x + noise).split(rows(trace)):
        copies = trace.again_many(entry=lambda _, cloud=cloud: cloud, record=("hidden",))
        mean += sum(copy.grad.hidden[0] for copy in copies) / samples
    return (x * mean).sum(-1)

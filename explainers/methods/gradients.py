"""The score's slope at the input, alone, times the input, along a path, and under noise."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..trace import Trace
from ._path import by_token, given, reruns
from .registry import AT_LEAST_ONE, NOT_NEGATIVE, method

Space = Literal["input", "block"]


def gradient_pixels(trace: Trace, order: int = 2) -> Tensor:
    return trace.grad.pixels.norm(p=order, dim=0)


@method(
    "Gradient",
    family="Input gradients",
    paper="Simonyan et al. 2014",
    url="https://arxiv.org/abs/1312.6034",
    signed=False,
    class_specific=True,
    passes="1F 1B",
    pixels=gradient_pixels,
    limits={"order": AT_LEAST_ONE},
)
def gradient(trace: Trace, order: int = 2, space: Space = "input") -> Tensor:
    """How sensitive the score is to each token's embedding, or to each patch's pixels.

    Formula: score_i = ‖∂y/∂x_i‖, x_i the vector that enters the first block, or the pixels of patch i (Simonyan et al.).

    Sign: none; the direction of the slope is one of many dimensions and has no word.

    Limits: sensitivity is not contribution. A saturated model has small slopes at the very words that decided. Pixel by
    pixel a Vision Transformer's slopes show a checkerboard: every patch is read through the same linear map, whose own pattern
    is stamped on each; only the sum over a patch says something of the picture.

    Options: order (2: Euclidean length; 1: sum of absolute values), space (input; block: of a picture too what enters the first
    block, a patch with its position).
    """
    slope = trace.grad.hidden[0] if space == "block" else by_token(trace, given(trace.grad))
    return slope.norm(p=order, dim=-1)


def input_x_gradient_pixels(trace: Trace) -> Tensor:
    return (trace.pixels * trace.grad.pixels).sum(0)


@method(
    "Input × gradient",
    family="Input gradients",
    paper="Shrikumar et al. 2016",
    url="https://arxiv.org/abs/1605.01713",
    signed=True,
    class_specific=True,
    passes="1F 1B",
    pixels=input_x_gradient_pixels,
)
def input_x_gradient(trace: Trace, space: Space = "input") -> Tensor:
    """The first-order share of each token's embedding, or of each patch's pixels, in the score.

    Formula: score_i = sum_d x_i ⊙ ∂y/∂x_i (Shrikumar et al.), x_i the vector that enters the first block, or the pixels of
    patch i.

    Sign: plus pushes towards the target, minus away from it.

    Limits: exact for a linear model only; in Transformers it agrees poorly with leaving the word out. Pixels are as the model reads
    them: where their mean is taken off, grey is zero and gets nothing; where it is not, black.

    Options: space (input; block: of a picture too what enters the first block, a patch with its position).
    """
    x, slope = (
        (trace.hidden[0], trace.grad.hidden[0])
        if space == "block"
        else (given(trace), given(trace.grad))
    )
    return (x * slope if space == "block" else by_token(trace, x * slope)).sum(-1)


def path_integral(trace: Trace, steps: int, baseline: str | None) -> tuple[Tensor, Tensor]:
    """(x − x') ⊙ ∫₀¹ ∂y/∂x(x' + α(x − x')) dα, shaped like what was given, and the score of the blank x'."""
    blank = trace.again(
        inputs=trace.fill(
            ~trace.special_tokens[None], baseline or ("mean" if trace.grid else "pad")
        ),
        record=("hidden",),
    )
    way = given(trace) - given(blank)
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [−1, 1]
    alphas, weights = (torch.as_tensor(values).to(way) for values in ((nodes + 1) / 2, weights / 2))
    points = given(blank) + alphas.view(-1, *[1] * way.ndim) * way
    return way * sum(
        weight * given(step.grad) for weight, step in zip(weights, reruns(trace, points))
    ), blank.score


def integrated(trace: Trace, steps: int, baseline: str | None) -> tuple[Tensor, Tensor]:
    return trace.cached(
        ("integrated gradients", steps, baseline), lambda: path_integral(trace, steps, baseline)
    )


@method(
    "Integrated gradients",
    family="Input gradients",
    paper="Sundararajan et al. 2017",
    url="https://arxiv.org/abs/1703.01365",
    signed=True,
    class_specific=True,
    passes="{steps}F {steps}B",
    invariant="completeness",
    limits={"steps": AT_LEAST_ONE},
    pixels=lambda trace, steps=50, baseline=None: integrated(trace, steps, baseline)[0].sum(0),
)
def integrated_gradients(
    trace: Trace,
    steps: int = 50,
    baseline: Literal["pad", "mask", "unk", "mean", "black", "white", "blur"] | None = None,
) -> tuple[Tensor, dict]:
    """Slopes collected on the way from a blank text or picture to this one, so that the shares add up to the score gained.

    Formula: score_i = (x_i − x'_i) · ∫₀¹ ∂y/∂x_i(x' + α(x − x')) dα, summed over d (Sundararajan et al., eq. 1), by Gauss–Legendre
    quadrature; x' is the same text with every word replaced by a blank token, or a grey picture.

    Sign: plus pushes towards the target, minus away from it; the sum is y(x) − y(x'), up to the gap that is reported.

    Limits: it answers "compared with this blank", and the blank is a choice: what a picture has in common with it gets nothing. The path
    leaves the space of real texts and pictures.

    Options: steps (more close the gap), baseline (what stands for nothing: in a text pad, the default, mask or unk; in a picture mean,
    the grey that training pictures have on average and the default, black, white or blur).
    """
    shares, blank = integrated(trace, steps, baseline)
    scores = by_token(trace, shares).sum(-1)
    return scores, {"completeness gap": float(scores.sum() - (trace.score - blank))}


def noise_for(trace: Trace, samples: int, sigma: float, seed: int) -> Tensor:
    """[samples ...] ε ~ N(0, (σ · (max x − min x))²) shaped like what was given."""
    x = given(trace)
    attended = (
        x.flatten() if trace.grid else x[trace.attended].flatten()
    )  # padding gets no noise, and changes no draw
    drawn = torch.randn(
        samples, len(attended), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).to(x)
    noise = torch.zeros(samples, *x.shape).to(x)
    noise[:, slice(None) if trace.grid else trace.attended] = (
        sigma * (attended.max() - attended.min()) * drawn
    ).view(samples, -1, *x.shape[1:])
    return noise


def smoothed(trace: Trace, noise: Tensor) -> Tensor:
    """The mean of ∂y/∂x at x + ε over the rows of `noise` [n ...], shaped like what was given."""
    return sum(given(copy.grad) for copy in reruns(trace, given(trace) + noise)) / len(noise)


def smoothgrad_pixels(
    trace: Trace, samples: int = 20, sigma: float = 0.15, seed: int = 0, times_input: bool = True
) -> Tensor:
    return smoothgrad_shares(trace, samples, sigma, seed, times_input).sum(0)


def smoothgrad_shares(
    trace: Trace, samples: int, sigma: float, seed: int, times_input: bool
) -> Tensor:
    mean = trace.cached(
        ("smoothgrad", samples, sigma, seed),
        lambda: smoothed(trace, noise_for(trace, samples, sigma, seed)),
    )
    return given(trace) * mean if times_input else mean


@method(
    "SmoothGrad",
    family="Input gradients",
    paper="Smilkov et al. 2017",
    url="https://arxiv.org/abs/1706.03825",
    signed=True,
    class_specific=True,
    passes="{samples}F {samples}B",
    pixels=smoothgrad_pixels,
    limits={"samples": AT_LEAST_ONE, "sigma": NOT_NEGATIVE},
)
def smoothgrad(
    trace: Trace, samples: int = 20, sigma: float = 0.15, seed: int = 0, times_input: bool = True
) -> Tensor:
    """The slope averaged over noisy copies of the input, times the input.

    Formula: score_i = sum_d x_i ⊙ mean over n of ∂y/∂x_i(x + ε_n), ε ~ N(0, (σ · (max x − min x))²) (Smilkov et al.).

    Sign: plus pushes towards the target, minus away from it.

    Limits: the noise makes inputs that no text has; too much of it explains another input. It depends on the seed. In pictures it
    smooths over the noise of slopes, not over the checkerboard of patches.

    Options: samples, sigma (share of the input's range), seed, times_input (no: the slope alone, summed).
    """
    return by_token(trace, smoothgrad_shares(trace, samples, sigma, seed, times_input)).sum(-1)

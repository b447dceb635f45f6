"""Four methods made of the gradient of the score by the input."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..options import AT_LEAST_ONE, NOT_NEGATIVE
from ..trace import Trace
from ._path import by_token, explained_input, input_gradient, on_path, reruns
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Output, method

Space = Literal["input", "block"]
Baseline = Literal["pad", "mask", "unk", "mean", "black", "white", "blur"]


@method(
    "gradient",
    "Gradient",
    family="Input gradients",
    paper="simonyan2014",
    output=Output(signed=False, class_specific=True, parts=("pixels",)),
    cost=Cost("1F 1B"),
    limits={"order": AT_LEAST_ONE},
)
def gradient(trace: Trace, order: int = 2, space: Space = "input") -> Attribution:
    """The norm of the gradient of the score by each token's embedding, or by each patch's pixels.

    Formula: score_i = ‖∂y/∂x_i‖, with x_i the vector that enters the first block, or the pixels of
    patch i (Simonyan et al.).

    Sign: none, since a norm has none.

    Limits: a gradient is a sensitivity, not a contribution. Where the model is saturated, the
    decisive words have small gradients. The pixel map of a Vision Transformer has the pattern
    of a checkerboard, because every patch is read through the same linear map; only the sum over a
    patch is informative.

    Options:
    - order: of the norm. 2: Euclidean length; 1: sum of absolute values.
    - space: input: pixels, or word vectors; block: in pictures too what enters the first block,
      which is each patch with its position.
    """
    if space == "block":
        slopes = trace.grad.hidden[0]
    else:
        slopes = by_token(trace, input_gradient(trace))
    return Attribution(
        slopes.norm(p=order, dim=-1),
        pixels=lambda: trace.grad.pixels.norm(p=order, dim=0),
    )


@method(
    "input_x_gradient",
    "Input × gradient",
    family="Input gradients",
    paper="shrikumar2016",
    output=Output(signed=True, class_specific=True, parts=("pixels",)),
    cost=Cost("1F 1B"),
)
def input_x_gradient(trace: Trace, space: Space = "input") -> Attribution:
    """Each token's embedding, or each patch's pixels, times the gradient of the score by it.

    Formula: score_i = sum_d x_i ⊙ ∂y/∂x_i (Shrikumar et al.), with x_i the vector that enters the
    first block, or the pixels of patch i.

    Sign: plus raises the score of the target, minus lowers it.

    Limits: it is a first-order approximation, exact for linear models only. In Transformers it
    agrees poorly with leave-one-out. Pixels are taken as the model reads them, so that the
    colour which is 0 after normalisation (usually the mean grey, otherwise black) has no score.

    Options:
    - space: input: pixels, or word vectors; block: in pictures too what enters the first block,
      which is each patch with its position.
    """
    if space == "block":
        products = trace.hidden[0] * trace.grad.hidden[0]
    else:
        products = by_token(trace, explained_input(trace) * input_gradient(trace))
    return Attribution(
        products.sum(-1),
        pixels=lambda: (trace.pixels * trace.grad.pixels).sum(0),
    )


@method(
    "integrated_gradients",
    "Integrated gradients",
    family="Input gradients",
    paper="sundararajan2017",
    output=Output(signed=True, class_specific=True, parts=("pixels",), invariant="completeness"),
    cost=Cost("{steps}F {steps}B"),
    limits={"steps": AT_LEAST_ONE},
)
def integrated_gradients(
    trace: Trace, steps: int = 50, baseline: Baseline | None = None
) -> Attribution:
    """Gradients integrated along the straight path from a blank input to this one.

    Formula: score_i = (x_i − x'_i) · ∫₀¹ ∂y/∂x_i(x' + α(x − x')) dα, summed over d (Sundararajan
    et al., eq. 1), by Gauss–Legendre quadrature. The baseline x' is the same text with every word
    replaced by a blank token, or a picture of one colour.

    Sign: plus raises the score of the target, minus lowers it. The scores add up to y(x) − y(x')
    except for the gap that is shown with the map.

    Limits: the map compares with one baseline, which is a choice; where the input equals the
    baseline, the score is 0. The points of the path are not real texts or pictures.

    Options:
    - steps: points on the path; more of them make the gap smaller.
    - baseline: what a blank is. Texts: pad (default), mask or unk. Pictures: mean (default, the
      mean colour of the training pictures), black, white or blur.
    """
    shares, blank_score = path_integral(trace, steps=steps, baseline=baseline)
    scores = by_token(trace, shares).sum(-1)
    return Attribution(
        scores,
        pixels=lambda: shares.sum(0),
        facts={"completeness gap": float(scores.sum() - (trace.score - blank_score))},
    )


@once_per_trace
def path_integral(
    trace: Trace, steps: int, baseline: Baseline | None
) -> tuple[Float[Tensor, "..."], Float[Tensor, ""]]:
    """(x − x') ⊙ ∫₀¹ ∂y/∂x(x' + α(x − x')) dα, shaped like the input, and the score of x'."""
    if baseline is None:
        baseline = "mean" if trace.grid else "pad"
    everything = ~trace.special_tokens[None]
    blank = trace.again(inputs=trace.fill(everything, baseline), record=("hidden",))
    start, end = explained_input(blank), explained_input(trace)
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [−1, 1]
    points = on_path(start, end, torch.as_tensor((nodes + 1) / 2).to(end))
    weighted = torch.zeros_like(end)
    for weight, step in zip(torch.as_tensor(weights / 2).to(end), reruns(trace, points)):
        weighted += weight * input_gradient(step)
    return (end - start) * weighted, blank.score


@method(
    "smoothgrad",
    "SmoothGrad",
    family="Input gradients",
    paper="smilkov2017",
    output=Output(signed=True, class_specific=True, parts=("pixels",)),
    cost=Cost("{samples}F {samples}B"),
    limits={"samples": AT_LEAST_ONE, "sigma": NOT_NEGATIVE},
)
def smoothgrad(
    trace: Trace, samples: int = 20, sigma: float = 0.15, seed: int = 0, times_input: bool = True
) -> Attribution:
    """The gradient averaged over copies of the input with noise, times the input.

    Formula: score_i = sum_d x_i ⊙ mean over n of ∂y/∂x_i(x + ε_n), ε ~ N(0, (σ · (max x −
    min x))²) (Smilkov et al.).

    Sign: plus raises the score of the target, minus lowers it.

    Limits: inputs with noise are not real texts, and with much noise another input is explained.
    The map depends on the seed. In pictures the noise of the gradients is averaged out; the
    checkerboard of the patches is not.

    Options:
    - samples: copies with noise.
    - sigma: standard deviation of the noise, as a share of the input's range.
    - seed: of the noise.
    - times_input: multiply by the input; false: the averaged gradient alone, summed over d.
    """
    mean = averaged_gradient(trace, samples=samples, sigma=sigma, seed=seed)
    shares = explained_input(trace) * mean if times_input else mean
    return Attribution(by_token(trace, shares).sum(-1), pixels=lambda: shares.sum(0))


@once_per_trace
def averaged_gradient(trace: Trace, samples: int, sigma: float, seed: int) -> Float[Tensor, "..."]:
    return mean_gradient(trace, noise_for(trace, samples, sigma, seed))


def mean_gradient(trace: Trace, noise: Float[Tensor, "n ..."]) -> Float[Tensor, "..."]:
    """The mean of ∂y/∂x at x + ε over the rows ε of `noise` [n ...], shaped like the input."""
    total = torch.zeros_like(noise[0])
    for copy in reruns(trace, explained_input(trace) + noise):
        total += input_gradient(copy)
    return total / len(noise)


def noise_for(
    trace: Trace, samples: int, sigma: float, seed: int
) -> Float[Tensor, "{samples} ..."]:
    """[samples ...] ε ~ N(0, (σ · (max x − min x))²), shaped like the input.

    Padding gets no noise, and changes none of the other numbers that are drawn.
    """
    x = explained_input(trace)
    noisy = slice(None) if trace.grid else trace.attended
    values = x[noisy].flatten()
    drawn = torch.randn(
        samples, len(values), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    scaled = sigma * (values.max() - values.min()) * drawn.to(x)
    noise = torch.zeros(samples, *x.shape).to(x)
    noise[:, noisy] = scaled.view(samples, -1, *x.shape[1:])
    return noise

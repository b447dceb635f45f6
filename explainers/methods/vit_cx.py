"""ViT-CX: masks made of the model's own features, and what the class loses under each."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..ties import constant
from ..trace import Trace
from ._path import by_token
from .registry import NOT_NEGATIVE, method

AT_ONCE = 32  # masks, each with two copies of the picture


def stretched(maps: Tensor) -> Tensor:
    """Each of [n height width] from 0 to 1; one that is the same everywhere is no mask and is left out."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    kept = ~constant(maps.flatten(1)).to(maps.device)
    return (maps[kept] - low[kept]) / (high - low)[kept]


def feature_masks(trace: Trace, threshold: float) -> Tensor:
    """[mask height width] the channels that the last attention reads, as large as the picture, alike ones merged into one."""
    from scipy.cluster.hierarchy import (
        fcluster,
        linkage,
    )  # here, since it takes a while and only this method needs it
    from scipy.spatial.distance import squareform

    channels = trace.normed[-1][~trace.special_tokens].T.unflatten(1, trace.grid)
    maps = stretched(F.interpolate(channels[None], trace.pixels.shape[1:], mode="bilinear")[0])
    if len(maps) < 2:
        return maps
    unit = F.normalize(maps.flatten(1), dim=1)
    apart = (1 - unit @ unit.T).clamp(min=0).cpu().double().numpy()
    np.fill_diagonal(apart, 0)
    groups = fcluster(linkage(squareform(apart, checks=False), "complete"), threshold, "distance")
    return stretched(
        torch.stack(
            [maps[torch.as_tensor(groups == group)].sum(0) for group in range(1, groups.max() + 1)]
        )
    )


def causal_score(
    trace: Trace, masks: Tensor, noise: Callable[[int], Tensor], offset: bool
) -> Tensor:
    """sum over masks of Δp_i M_i / sum_k M_k, divided by how many there are [height width]; noise(n) draws the z of the next n masks."""
    x, chance, changes = trace.pixels, trace.target.as_probability(), []
    for some in masks[:, None].split(AT_ONCE):
        z = noise(len(some)).to(x) * (1 - some)
        masked, noisy = (
            trace.rescore(trace.inputs | {"pixel_values": pixels}, chance)
            for pixels in (some * x + z, x + z)
        )
        changes.append(masked - noisy)
    change = torch.cat(changes) + (trace.rescore(trace.inputs, chance) if offset else 0)
    covered = masks.sum(0)
    return torch.einsum("m,mhw->hw", change, masks) / covered.where(covered > 0, 1) / len(masks)


def vit_cx_pixels(
    trace: Trace, threshold: float = 0.1, sigma: float = 0.1, seed: int = 0, offset: bool = False
) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    noise = lambda n: sigma * torch.randn(n, *trace.pixels.shape, generator=drawn)
    return trace.cached(
        ("vit_cx", threshold, sigma, seed, offset),
        lambda: causal_score(trace, feature_masks(trace, threshold), noise, offset),
    )


@method(
    "ViT-CX",
    family="Perturbation",
    paper="Xie et al. 2023",
    url="https://arxiv.org/abs/2211.03064",
    signed=True,
    class_specific=True,
    passes="2MF",
    tasks=("image",),
    pixels=vit_cx_pixels,
    only="masks are channels enlarged to the pixels of a picture",
    limits={
        "threshold": (lambda value: 0 < value <= 2, "above 0 and at most 2"),
        "sigma": NOT_NEGATIVE,
    },
)
def vit_cx(
    trace: Trace, threshold: float = 0.1, sigma: float = 0.1, seed: int = 0, offset: bool = False
) -> Tensor:
    """How much probability the class keeps when only what one of the model's own features sees is left of the picture.

    Formula: score = 1/M · sum over masks of Δp_i M_i / sum_k M_k, Δp_i = p(M_i ⊙ x + z_i) − p(x + z_i), z_i noise outside the mask (Xie
    et al., section 3); M_i are the channels of the last layer's patches, clustered; a patch's score is the mean of its pixels.

    Sign: plus means that the class keeps more there than the picture as a whole gives it. With the authors' offset everything
    is positive, and only the differences count.

    Limits: the masks are the same for every class, and show only what the last layer tells apart. Masked pictures are not what
    the model was trained on. It depends on the seed.

    Options: threshold (of the cosine distance below which features are one mask), sigma (of the noise), seed, offset (true: add p(x)
    to each Δp, as the authors do).
    """
    shares = by_token(trace, vit_cx_pixels(trace, threshold, sigma, seed, offset)[None])
    return shares.mean(-1)

"""ViT-CX: masks made of the model's own features, and the class probability under each mask."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..options import NOT_NEGATIVE, Limit
from ..ties import constant
from ..trace import Trace
from ._path import by_token, patch_grid
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Only, Output, method

BATCH = 32  # masks at a time, each with two copies of the picture


@method(
    "vit_cx",
    "ViT-CX",
    family="Perturbation",
    paper="xie2023",
    output=Output(signed=True, class_specific=True, parts=("pixels",)),
    cost=Cost("2MF"),
    only=Only("image", "masks are feature channels, upsampled to the picture"),
    limits={
        "threshold": Limit(lambda value: 0 < value <= 2, "above 0 and at most 2"),
        "sigma": NOT_NEGATIVE,
    },
)
def attribute(
    trace: Trace, threshold: float = 0.1, sigma: float = 0.1, seed: int = 0, offset: bool = False
) -> Attribution:
    """The change of the class probability when only the region of one feature is kept.

    Formula: score = 1/M · sum over masks of Δp_i M_i / sum_k M_k, Δp_i = p(M_i ⊙ x + z_i) −
    p(x + z_i), z_i noise outside the mask (Xie et al., section 3). The masks M_i are the channels
    of the last layer's patches, in clusters; a patch's score is the mean of its pixels.

    Sign: plus is a region that raises the probability of the class compared with the whole
    picture, minus one that lowers it. With the authors' offset every score is positive, and only
    differences between scores have a meaning.

    Limits: the masks are the same for every class, and show only what the last layer
    distinguishes. The model was not trained on masked pictures. The map depends on the seed.

    Options:
    - threshold: features at a smaller cosine distance than this become one mask.
    - sigma: standard deviation of the noise.
    - seed: of the noise.
    - offset: add p(x) to each Δp, as the authors do.
    """
    pixels = map_of_pixels(trace, threshold=threshold, sigma=sigma, seed=seed, offset=offset)
    return Attribution(by_token(trace, pixels[None]).mean(-1), pixels=pixels)


@once_per_trace
def map_of_pixels(
    trace: Trace, threshold: float, sigma: float, seed: int, offset: bool
) -> Float[Tensor, "height width"]:
    drawn = torch.Generator().manual_seed(seed)

    def noise(count: int) -> Tensor:
        return sigma * torch.randn(count, *trace.pixels.shape, generator=drawn)

    return causal_score(trace, feature_masks(trace, threshold), noise, offset)


def feature_masks(trace: Trace, threshold: float) -> Float[Tensor, "mask height width"]:
    """The channels that the last attention reads, as large as the picture [mask height width].

    Similar channels are added up into one mask.
    """
    # here, since importing takes time and only this method needs it
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    channels = trace.normed[-1][~trace.special_tokens].T.unflatten(1, patch_grid(trace))
    size = trace.pixels.shape[1:]
    maps = zero_to_one(F.interpolate(channels[None], size, mode="bilinear")[0])
    if len(maps) < 2:
        return maps
    unit = F.normalize(maps.flatten(1), dim=1)
    distance = (1 - unit @ unit.T).clamp(min=0).cpu().double().numpy()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "complete")
    groups = torch.as_tensor(fcluster(tree, threshold, "distance"))
    merged = [maps[groups == group].sum(0) for group in range(1, int(groups.max()) + 1)]
    return zero_to_one(torch.stack(merged))


def zero_to_one(maps: Float[Tensor, "n height width"]) -> Float[Tensor, "kept height width"]:
    """Rescale each of [n height width] to 0..1; constant ones are left out."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    kept = ~constant(maps.flatten(1)).to(maps.device)
    return (maps[kept] - low[kept]) / (high - low)[kept]


def causal_score(
    trace: Trace,
    masks: Float[Tensor, "mask height width"],
    noise: Callable[[int], Tensor],
    offset: bool,
) -> Float[Tensor, "height width"]:
    """sum over masks of Δp_i M_i / sum_k M_k, divided by their number [height width].

    masks [mask height width]; noise(n) draws the z of the next n masks [n channel height width].
    """
    x = trace.pixels
    probability = trace.target.as_probability()
    changes = []
    for some in masks[:, None].split(BATCH):
        z = noise(len(some)).to(x) * (1 - some)
        masked = trace.rescore(trace.inputs | {"pixel_values": some * x + z}, probability)
        noisy = trace.rescore(trace.inputs | {"pixel_values": x + z}, probability)
        changes.append(masked - noisy)
    change = torch.cat(changes)
    if offset:
        change = change + trace.rescore(trace.inputs, probability)
    covered = masks.sum(0)
    return torch.einsum("m,mhw->hw", change, masks) / covered.where(covered > 0, 1) / len(masks)

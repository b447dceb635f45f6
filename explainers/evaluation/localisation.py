"""Does a map of a picture find the object? Against masks and boxes that people drew."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from scipy.ndimage import find_objects, label
from torch import Tensor

from .. import ties
from ..errors import Refusal, required
from ..heatmap import Heatmap
from ..inputs import without_ends
from ..processors import lens_of
from .case import Case
from .metric import metric
from .perturbation import enlarged

LARGEST = (
    0.5  # part of the picture: a box above it is hit by chance, and left out of the pointing game
)
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def whole_mask(case: Case, mask) -> np.ndarray:
    """A mask as an example comes with it, as an array [height width] (bool)."""
    mask = np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask)
    if mask.ndim != 2 or 0 in mask.shape:
        raise Refusal(
            f"A mask has shape (height, width), True where the object is; got {mask.shape} for {case.id or 'this picture'}."
        )
    return mask > 0


def seen_mask(case: Case, mask) -> np.ndarray:
    """The part of a mask [height width] of the whole picture that the model sees, as large as it is there (bool)."""
    whole = Image.fromarray(np.uint8(255 * whole_mask(case, mask)))
    if case.model.processor is not None and not hasattr(case.example.inputs, "keys"):
        whole = without_ends(whole, case.model.processor)
        lens = lens_of(case.model.processor, whole.size)
        whole = lens.mirrored(whole.crop(lens.upright))  # padding is no object
    (rows, columns), (tall, wide) = case.coded.grid, case.model.patch
    height, width = case.coded.tensors["pixel_values"].shape[-2:]
    size = (
        max(1, round(whole.width * columns * wide / width)),
        max(1, round(whole.height * rows * tall / height)),
    )
    return np.asarray(whole.crop((0, 0, *size))) > 127


def stretched(scores: Tensor) -> Tensor:
    """From 0 to 1; a map that is the same everywhere (`ties.constant`) is 0."""
    low, high = scores.min(), scores.max()
    if ties.constant(scores.flatten()):
        return torch.zeros_like(scores)
    return (scores - low) / (high - low)


COUNTS = (
    "correct",
    "labelled",
    "intersection_object",
    "union_object",
    "intersection_background",
    "union_background",
)


def of_all_pixels(sums: Mapping[str, float]) -> dict[str, float]:
    """Accuracy and mIoU of the pixels of all pictures together, as Chefer et al. have them."""
    ious = [
        sums[f"intersection_{name}"] / max(1.0, sums[f"union_{name}"])
        for name in ("object", "background")
    ]
    return {
        "pooled_pixel_accuracy": sums["correct"] / max(1.0, sums["labelled"]),
        "pooled_miou": sum(ious) / 2,
    }


@metric(
    "Segmentation",
    better="higher",
    reference="Chefer et al. 2021 (CVPR)",
    modality=("image",),
    needs=("mask",),
    unit="share",
    pools=of_all_pixels,
    counts=COUNTS,
)
def segmentation(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    at: Literal["mask", "model"] = "mask",
    precision: Literal["object", "both"] = "object",
) -> dict[str, float]:
    """The map as a drawing of the object: it is enlarged, and what lies above its mean counts as object.

    "pixel_accuracy", "miou" (mean of the object's and the background's intersection over union) and "average_precision" of this picture; and
    for tables that add up pixels over a dataset (Chefer et al.'s accuracy and mIoU: sums of the counts, then their ratios) "correct",
    "labelled", "intersection_object", "union_object", "intersection_background", "union_background". "f1_rows" is their code's mF1, a mean over
    the picture's rows, those without object counting 0 (at="model" has as many as they had). NaN where the model sees only object or none.

    at: the resolution, the mask's own, or the model's pixels (as Chefer et al. do). precision: object ranks pixels by the map; both, the
    code of Chefer et al., ranks the map R and 1 − R together, R from 0 to 1.
    """
    mask = seen_mask(case, case.data["mask"])
    if at == "model":
        size = [side * patch for side, patch in zip(case.coded.grid, case.model.patch)]
        mask = (
            F.interpolate(torch.from_numpy(mask)[None, None].double(), size, mode="nearest")[
                0, 0
            ].numpy()
            > 0
        )
    drawn = enlarged(heat, mask.shape).to(heat.scores.dtype)  # no more precise than the map is
    found = overlap(drawn, mask) | {
        "average_precision": average_precision(stretched(drawn), mask, precision)
    }
    return found if mask.any() and not mask.all() else dict.fromkeys(found, float("nan"))


def overlap(drawn: Tensor | np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """What is above the mean of `drawn` (`ties.above`) against `mask`, both [height width]."""
    drawn = torch.as_tensor(drawn)
    above = ties.above(drawn.flatten(), float(drawn.double().mean())).view(drawn.shape).numpy()
    counts = {"correct": (above == mask).sum(), "labelled": mask.size}
    for name, one, other in (("object", above, mask), ("background", ~above, ~mask)):
        counts |= {
            f"intersection_{name}": (one & other).sum(),
            f"union_{name}": (one | other).sum(),
        }
    counts = {name: float(count) for name, count in counts.items()}
    ious = [
        counts[f"intersection_{name}"] / max(1.0, counts[f"union_{name}"])
        for name in ("object", "background")
    ]
    rows = 2 * (above & mask).sum(1) / np.maximum(1, above.sum(1) + mask.sum(1))
    return {
        "pixel_accuracy": counts["correct"] / counts["labelled"],
        "miou": sum(ious) / 2,
        "f1_rows": float(rows.mean()),
    } | counts


def average_precision(drawn: Tensor | np.ndarray, mask: np.ndarray, of: str = "object") -> float:
    """Of the scores `drawn` at telling the pixels of `mask` from the others, both [height width].

    NaN where there is nothing to tell. Pixels of equal scores (`ties.levels`) come at once.
    """
    precision_of = required(
        "sklearn.metrics", "evaluation"
    ).average_precision_score  # here, since the page has no scikit-learn and needs none

    if not mask.any() or mask.all():
        return float("nan")
    drawn = torch.as_tensor(drawn)
    if of == "both":
        mask, drawn = np.stack([~mask, mask]), torch.stack([1 - drawn, drawn])
    return float(precision_of(mask.ravel(), -ties.levels(drawn.flatten()).numpy()))


def whole_size(case: Case) -> tuple[int, int]:
    """(width, height) in which boxes are given: of the picture as it stands upright, before anything is cut or resized."""
    given = case.example.inputs
    if isinstance(given, tuple | list):  # a picture with texts
        given = given[0]
    if isinstance(given, str | Path):
        with Image.open(given) as file:
            return file.size[::-1] if file.getexif().get(0x0112) in TURNED else file.size
    if isinstance(given, Image.Image):
        return given.size
    if isinstance(given, np.ndarray):
        return given.shape[1], given.shape[0]
    return case.coded.picture.size


def inside(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """[height width] true in any of the boxes (left, top, right, bottom), whose right and bottom are outside."""
    held = Image.new("1", size)
    for left, top, right, bottom in boxes:
        if right <= left or bottom <= top:
            raise Refusal(
                f"A box is (left, top, right, bottom) in pixels; got ({left}, {top}, {right}, {bottom})."
            )
        ImageDraw.Draw(held).rectangle(
            (
                round(left),
                round(top),
                max(round(left), round(right) - 1),
                max(round(top), round(bottom) - 1),
            ),
            fill=1,
        )
    return np.asarray(held)


def boxes_of(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """A box around each piece of a mask [height width], pieces that touch at a corner being one."""
    return [
        (across.start, down.start, across.stop, down.stop)
        for down, across in find_objects(label(mask, np.ones((3, 3)))[0])
    ]


@metric(
    "Pointing game",
    better="higher",
    reference="Zhang et al. 2018",
    modality=("image",),
    needs=("boxes or mask",),
    unit="share",
)
def pointing_game(case: Case, heat: Heatmap, answers: list[Tensor]) -> dict[str, float]:
    """ "hit": is the map's highest pixel inside a box of the object, 0 or 1? "energy": the part of all |score| that lies inside.

    An example without boxes, but with a mask, has a box around each piece of it. NaN where the boxes fill more than half of what the model
    sees. Of equally high pixels the first, row by row, is pointed at. A map that is the same everywhere has
    no highest pixel and does not hit.
    """
    if (boxes := case.data.get("boxes")) is not None:
        held = seen_mask(case, inside(boxes, whole_size(case)))
    else:
        mask = whole_mask(case, case.data["mask"])
        held = seen_mask(case, inside(boxes_of(mask), mask.shape[::-1]))
    if not held.any() or held.mean() > LARGEST:
        return {"hit": float("nan"), "energy": float("nan")}
    scores = enlarged(heat, held.shape).to(heat.scores.dtype).flatten()
    size = scores.abs().double().numpy().reshape(held.shape)
    points = held.flat[ties.place_of_largest(scores)] and not ties.constant(scores)
    return {"hit": float(points), "energy": float(size[held].sum() / max(size.sum(), 1e-300))}

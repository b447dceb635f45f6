"""Localisation: a picture's map, compared with masks and boxes of the object."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from scipy.ndimage import find_objects, label
from torch import Tensor

from .. import ties
from ..errors import Refusal, required
from ..heatmap import Heatmap
from ..inputs import without_ends
from ..processors import lens_of
from .case import Case
from .perturbation import resized_map
from .registry import Parts, metric

LARGEST = 0.5  # share of the picture: larger boxes are hit by chance, so they do not count
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height

Mask = Bool[np.ndarray, "height width"]

# ------------------------------------------------------------------------------------- masks


def whole_mask(case: Case, mask) -> Mask:
    """The mask of an example as an array [height width]. Raises `Refusal` for another shape."""
    mask = np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask)
    if mask.ndim != 2 or 0 in mask.shape:
        raise Refusal(
            f"A mask has shape (height, width), True where the object is; got {mask.shape} "
            f"for {case.id or 'this picture'}."
        )
    return mask > 0


def seen_mask(case: Case, mask) -> Mask:
    """The part of a mask of the whole picture that the model sees, in the mask's resolution."""
    whole = Image.fromarray(whole_mask(case, mask).astype(np.uint8) * 255)
    if case.model.processor is not None and not hasattr(case.example.inputs, "keys"):
        whole = without_ends(whole, case.model.processor)
        lens = lens_of(case.model.processor, whole.size)
        whole = lens.mirrored(whole.crop(lens.upright))  # padding is not part of the object
    rows, columns = case.grid
    patch_height, patch_width = case.model.patch
    height, width = case.coded.tensors["pixel_values"].shape[-2:]
    covered_width = max(1, round(whole.width * columns * patch_width / width))
    covered_height = max(1, round(whole.height * rows * patch_height / height))
    return np.asarray(whole.crop((0, 0, covered_width, covered_height))) > 127


def stretched(scores: Tensor) -> Tensor:
    """Scores scaled to 0 to 1; a constant map (`ties.constant`) is 0."""
    if ties.constant(scores.flatten()):
        return torch.zeros_like(scores)
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low)


# ------------------------------------------------------------------------------ segmentation

COUNTS = (
    "correct",
    "labelled",
    "intersection_object",
    "union_object",
    "intersection_background",
    "union_background",
)


def mean_iou(counts: Mapping[str, float]) -> float:
    """The mean of the intersection over union of the object and of the background."""
    ious = []
    for name in ("object", "background"):
        ious.append(counts[f"intersection_{name}"] / max(1.0, counts[f"union_{name}"]))
    return sum(ious) / 2


def of_all_pixels(sums: Mapping[str, float]) -> dict[str, float]:
    """Accuracy and mIoU of the pixels of all pictures together, as in Chefer et al."""
    return {
        "pooled_pixel_accuracy": sums["correct"] / max(1.0, sums["labelled"]),
        "pooled_miou": mean_iou(sums),
    }


@metric(
    "Segmentation",
    better="higher",
    paper="chefer2021cvpr",
    modalities=("image",),
    needs=("mask",),
    unit="share",
    parts=Parts(counts=COUNTS, pool=of_all_pixels),
)
def segmentation(
    case: Case,
    heat: Heatmap,
    at: Literal["mask", "model"] = "mask",
    precision: Literal["object", "both"] = "object",
) -> dict[str, float]:
    """How well the map segments the object: pixels above the map's mean count as object.

    The map is enlarged first. The parts of this picture:
    - "pixel_accuracy": the share of pixels that are right.
    - "miou": the mean of the intersection over union of the object and of the background.
    - "average_precision": of the map's ranking of the pixels.
    - "f1_rows": the mF1 of Chefer et al.'s code, a mean over the rows of the picture, where rows
      without object count 0 (at=model has as many rows as theirs).
    - "correct", "labelled" and the intersections and unions of "object" and "background": counts
      of pixels. Tables add them up over the dataset; the ratios of the sums are the accuracy and
      mIoU of Chefer et al.
    NaN where the model sees only object, or none.

    Options:
    - at (default: mask): the resolution: mask, that of the mask; model, the pixels that the model
      reads, as in Chefer et al.
    - precision (default: object): object ranks the pixels by the map; both, the code of Chefer et
      al., ranks the map R and 1 − R together, with R scaled to 0 to 1.
    """
    mask = seen_mask(case, case.data["mask"])
    if at == "model":
        mask = resized_to_model(case, mask)
    drawn = resized_map(heat, mask.shape).to(heat.scores.dtype)  # no more precise than the map
    found = overlap(drawn, mask)
    found["average_precision"] = average_precision(stretched(drawn), mask, precision)
    if not mask.any() or mask.all():
        return dict.fromkeys(found, math.nan)
    return found


def resized_to_model(case: Case, mask: Mask) -> Mask:
    """A mask in the resolution of the pixels that the model reads."""
    rows, columns = case.grid
    patch_height, patch_width = case.model.patch
    size = (rows * patch_height, columns * patch_width)
    numbers = torch.from_numpy(mask)[None, None].double()
    return F.interpolate(numbers, size, mode="nearest")[0, 0].numpy() > 0


def overlap(drawn: Tensor | np.ndarray, mask: Mask) -> dict[str, float]:
    """Compare the pixels above the mean of a map (`ties.above`) with a mask [height width]."""
    drawn = torch.as_tensor(drawn)
    mean = float(drawn.double().mean())
    above = ties.above(drawn.flatten(), mean).view(drawn.shape).numpy()
    counts = {
        "correct": float((above == mask).sum()),
        "labelled": float(mask.size),
        "intersection_object": float((above & mask).sum()),
        "union_object": float((above | mask).sum()),
        "intersection_background": float((~above & ~mask).sum()),
        "union_background": float((~above | ~mask).sum()),
    }
    f1_of_rows = 2 * (above & mask).sum(1) / np.maximum(1, above.sum(1) + mask.sum(1))
    return {
        "pixel_accuracy": counts["correct"] / counts["labelled"],
        "miou": mean_iou(counts),
        "f1_rows": float(f1_of_rows.mean()),
        **counts,
    }


def average_precision(drawn: Tensor | np.ndarray, mask: Mask, of: str = "object") -> float:
    """The average precision of a map [height width] as a ranking of the pixels of a mask.

    Pixels of equal scores (`ties.levels`) come at once. NaN where the mask is all or nothing.
    """
    sklearn_metrics = required("sklearn.metrics", "evaluation")
    if not mask.any() or mask.all():
        return math.nan
    scores = torch.as_tensor(drawn)
    if of == "both":
        mask = np.stack([~mask, mask])
        scores = torch.stack([1 - scores, scores])
    ranks = ties.levels(scores.flatten()).numpy()
    return float(sklearn_metrics.average_precision_score(mask.ravel(), -ranks))


# ----------------------------------------------------------------------------- pointing game


@metric(
    "Pointing game",
    better="higher",
    paper="zhang2018",
    modalities=("image",),
    needs=("boxes or mask",),
    unit="share",
)
def pointing_game(case: Case, heat: Heatmap) -> dict[str, float]:
    """Whether the map's highest pixel, and how much of the map, is inside a box of the object.

    "hit" is 1 if the highest pixel is in a box, else 0; "energy" is the share of all |score| that
    is in a box. An example with a mask but without boxes has a box around each piece of the mask.
    Of equally high pixels the first counts, row by row; a constant map has no highest pixel and
    does not hit. NaN where the boxes fill more than half of what the model sees.
    """
    boxes = case.data.get("boxes")
    if boxes is None:
        mask = whole_mask(case, case.data["mask"])
        boxes, size = boxes_of(mask), mask.shape[::-1]
    else:
        size = whole_size(case)
    in_box = seen_mask(case, inside(boxes, size))
    if not in_box.any() or in_box.mean() > LARGEST:
        return {"hit": math.nan, "energy": math.nan}
    scores = resized_map(heat, in_box.shape).to(heat.scores.dtype)
    return {"hit": float(points_into(in_box, scores)), "energy": energy_in(in_box, scores)}


def points_into(in_box: Mask, scores: Float[Tensor, "height width"]) -> bool:
    """Whether the highest pixel is in a box."""
    flat = scores.flatten()
    return bool(in_box.flat[ties.place_of_largest(flat)]) and not ties.constant(flat)


def energy_in(in_box: Mask, scores: Float[Tensor, "height width"]) -> float:
    """The share of all |score| that is in a box."""
    size = scores.abs().double().numpy()
    return float(size[in_box].sum() / max(size.sum(), 1e-300))


def whole_size(case: Case) -> tuple[int, int]:
    """(width, height) of the upright picture before it is cut or resized, as boxes are given."""
    given = case.example.inputs
    if isinstance(given, tuple | list):  # a picture with texts
        given = given[0]
    if isinstance(given, str | Path):
        with Image.open(given) as file:
            width, height = file.size
            turned = file.getexif().get(0x0112) in TURNED
        return (height, width) if turned else (width, height)
    if isinstance(given, Image.Image):
        return given.size
    if isinstance(given, np.ndarray):
        return given.shape[1], given.shape[0]
    if case.coded.picture is None:
        raise Refusal("This is a text; only pictures have a size in pixels.")
    return case.coded.picture.size


def inside(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> Mask:
    """[height width] true in any box (left, top, right, bottom); right and bottom are outside.

    size  (width, height)
    """
    drawn = Image.new("1", size)
    for left, top, right, bottom in boxes:
        if right <= left or bottom <= top:
            raise Refusal(
                "A box is (left, top, right, bottom) in pixels; "
                f"got ({left}, {top}, {right}, {bottom})."
            )
        first = (round(left), round(top))
        last = (max(first[0], round(right) - 1), max(first[1], round(bottom) - 1))
        ImageDraw.Draw(drawn).rectangle((first, last), fill=1)
    return np.asarray(drawn)


def boxes_of(mask: Mask) -> list[tuple[int, int, int, int]]:
    """A box around each piece of a mask; pieces that touch at a corner are one."""
    pieces = np.zeros(mask.shape, np.int32)
    label(mask, np.ones((3, 3)), output=pieces)
    boxes = []
    for down, across in find_objects(pieces):
        boxes.append((across.start, down.start, across.stop, down.stop))
    return boxes

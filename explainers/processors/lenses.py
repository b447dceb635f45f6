"""Which part of a photo an image processor keeps, measured on a picture of two slopes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..errors import Refusal
from .calls import ProcessorKey, key_of, pixels_of
from .colours import colours_of

COVERED = 0.98  # a pixel with so large a share of photo in it shows nothing else
LOOKS = 3  # at most, each at a smaller window than the last
DARKEST = 8  # level of a slope at its lower end
LEVELS = 240  # from there to its upper end
WAVES = 8  # times that a slope moves up and down by half a level
GRAIN = 8  # levels of noise on a slope; with the waves, rounding then averages out
FEW = 4  # pixels of a side, below which no slope can be read

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Lens:
    """The part of a photo that is in the pixel_values.

    size   (width, height) of the photo
    shape  (height, width) of the pixel_values
    box    (left, top, right, bottom): the edges of the pixel_values, in pixels of the photo. What
           is outside the photo is padding. If right is smaller than left, or bottom smaller than
           top, the photo is mirrored.
    """

    size: tuple[int, int]
    shape: tuple[int, int]
    box: Box

    @property
    def upright(self) -> Box:
        """The box with its smaller numbers first."""
        left, top, right, bottom = self.box
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)

    @property
    def inside(self) -> Box:
        """The part of the photo in the pixel_values, without padding."""
        left, top, right, bottom = self.upright
        return max(0, left), max(0, top), min(self.size[0], right), min(self.size[1], bottom)

    def mirrored(self, picture: Image.Image) -> Image.Image:
        """A part of the photo, mirrored as the pixel_values are."""
        left, top, right, bottom = self.box
        if right < left:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if bottom < top:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return picture


def lens_of(processor: Any, size: tuple[int, int]) -> Lens:
    """The part of a photo of this size (width, height) that a processor keeps, and where it is.

    It is measured on a picture whose red increases to the right and whose green increases
    downwards. Edges are found to a fraction of a pixel. Raises `Refusal` for a processor that
    turns, bends or cuts up the photo.
    """
    key = key_of(processor)
    return measured_lens(processor, size) if key is None else cached_lens(key, size)


@lru_cache(maxsize=256)
def cached_lens(key: ProcessorKey, size: tuple[int, int]) -> Lens:
    return measured_lens(key.processor, size)


def measured_lens(processor: Any, size: tuple[int, int]) -> Lens:
    """The lens, from at most `LOOKS` pictures, each with steeper slopes over a smaller window."""
    width, height = size
    window: Box = (0.0, 0.0, float(width), float(height))
    lens = lens_through(processor, size, window)
    for _ in range(LOOKS - 1):
        if fills(lens.inside, window):
            return lens
        window = grown(lens.inside, size, levels_of(window))
        lens = lens_through(processor, size, window)
    left, top, right, bottom = lens.box
    if not fills(lens.inside, window) and (left == right or top == bottom):
        raise not_a_rectangle(processor)
    return lens


def lens_through(processor: Any, size: tuple[int, int], window: Box) -> Lens:
    """The lens as it is read from one picture, whose slopes lie over `window`."""
    across, down, covered = looked_up(processor, size, window)
    rows = covered.any(1).nonzero().flatten()
    columns = covered.any(0).nonzero().flatten()
    if not len(rows):
        raise Refusal(
            f"A picture of {size[0]:,} × {size[1]:,} pixels is too narrow for this model: its "
            "image processor cuts off everything."
        )
    if not (consecutive(rows) and consecutive(columns) and covered[rows][:, columns].all()):
        raise not_a_rectangle(processor)
    width, height = size
    level_across, level_down = levels_of(window)
    places_across, places_down = across[rows][:, columns], down[rows][:, columns].T
    tall, wide = covered.shape
    left, right = edges(
        processor,
        places_across,
        columns,
        Side(pixels=wide, length=width, other=height, level=level_across),
    )
    top, bottom = edges(
        processor,
        places_down,
        rows,
        Side(pixels=tall, length=height, other=width, level=level_down),
    )
    return Lens(size, (tall, wide), (left, top, right, bottom))


def consecutive(steps: Tensor) -> bool:
    """Whether whole numbers follow each other without a gap."""
    return len(steps) == int(steps[-1] - steps[0]) + 1


def levels_of(window: Box) -> tuple[float, float]:
    """Pixels of the photo between two levels of the slope: across, and down."""
    left, top, right, bottom = window
    return (right - left) / LEVELS, (bottom - top) / LEVELS


def looked_up(processor: Any, size: tuple[int, int], window: Box) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the photo each of the pixel_values is from, when the slopes lie over `window`.

    Returned are the places across and down [height width], and [height width] whether a value is
    from the photo at all. The negative of the picture goes through the processor as well: what is
    alike in both is padding.
    """
    image, colours = slopes(size, window), colours_of(processor)

    def seen(levels: np.ndarray) -> Tensor:
        pixels = pixels_of(processor, Image.fromarray(levels))
        return colours.rgb(pixels[0].float())

    positive = seen(image)
    red, green, share = positive - seen(np.invert(image, out=image))  # from -1 to 1
    covered = share > COVERED  # full blue, or none
    share = share.where(covered, torch.ones(()))

    def part(slope: Tensor) -> Tensor:
        return (255 * (slope / share + 1) / 2 - DARKEST) / LEVELS

    left, top, right, bottom = window
    across = left + part(red) * (right - left)
    down = top + part(green) * (bottom - top)
    return across, down, covered


def slopes(size: tuple[int, int], window: Box) -> np.ndarray:
    """[height width 3] red rising across the window, green down it, and full blue."""
    (width, height), (left, top, right, bottom) = size, window
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    # in irrational steps, so that neighbours differ and every value comes
    rough = DARKEST + GRAIN * ((0.7548777 * x + 0.5698403 * y) % 1 - 0.5)
    across = ((x - left) / (right - left)).clip(0, 1)
    down = ((y - top) / (bottom - top)).clip(0, 1)
    image = np.full((height, width, 3), 255, dtype=np.uint8)
    image[..., 0] = np.round(LEVELS * across + wave(y / height) + rough)
    image[..., 1] = np.round(LEVELS * down + wave(x / width) + rough)
    return image


def wave(part: np.ndarray) -> np.ndarray:
    """Straight up and down between -1/2 and 1/2 along 0 to 1."""
    return np.abs((WAVES * part) % 1 * 2 - 1) - 0.5


@dataclass(frozen=True)
class Side:
    """One direction of a picture, across or down.

    pixels  of the pixel_values
    length  pixels of the photo
    other   pixels of the photo in the other direction
    level   pixels of the photo between two levels of the slope: how finely it is read
    """

    pixels: int
    length: int
    other: int
    level: float


def edges(
    processor: Any, places: Float[Tensor, "line step"], steps: Tensor, side: Side
) -> tuple[float, float]:
    """Where in the photo the first and the last edge of the pixel_values are, in one direction.

    places  of the values that show the photo; a straight line is laid through them
    steps   [step] which values those are: consecutive numbers below `side.pixels`
    """
    first, last = int(steps[0]), int(steps[-1]) + 1
    if side.length < FEW or len(steps) < FEW:  # the whole of so few is shown, if anything is
        slope = side.length / (last - first)
        start = -first * slope
    else:
        slope, start = line_through(processor, places, steps, side)
    near = 0.25 * abs(slope) + 0.002 * side.length
    beginning = snapped(start, side.length, near, is_photo=first == 0)
    end = snapped(start + slope * side.pixels, side.length, near, is_photo=last == side.pixels)
    return beginning, end


def snapped(edge: float, length: int, near: float, is_photo: bool) -> float:
    """An edge of the pixel_values, moved to an edge of the photo that is `near` it.

    is_photo: whether the outermost value shows the photo; there is then no padding on this side.
    """
    for photo_edge in (0.0, float(length)):
        if abs(edge - photo_edge) < near:
            edge = photo_edge
            break
    return min(max(edge, 0.0), float(length)) if is_photo else edge


def line_through(
    processor: Any, places: Float[Tensor, "line step"], steps: Tensor, side: Side
) -> tuple[float, float]:
    """Slope and start of the straight line through `places`.

    Raises `Refusal` if they do not lie on a line, or on another one in half of the lines.
    """
    middle = slice(len(steps) // 4, len(steps) - len(steps) // 4)  # a slope is bent at its ends
    at, mean = steps.double() + 0.5, places.double().mean(0)
    slope, start = np.polyfit(at[middle].numpy(), mean[middle].numpy(), 1).tolist()
    half = len(places) // 2
    halves = torch.stack([places[: len(places) - half].mean(0), places[half:].mean(0)])
    off = float((halves - (start + slope * at)).abs().max())
    rough = side.level * (0.5 + GRAIN / (min(len(places), side.other) / 2) ** 0.5)
    if off > 0.75 + rough + abs(slope) * (1.25 + 0.005 * len(steps)):
        raise not_a_rectangle(processor)
    return slope, start


def fills(inside: Box, window: Box) -> bool:
    """Whether a part takes up half of the window in both directions: slopes are then steep."""
    left, top, right, bottom = window
    wide = inside[2] - inside[0] >= 0.5 * (right - left)
    tall = inside[3] - inside[1] >= 0.5 * (bottom - top)
    return wide and tall


def grown(inside: Box, size: tuple[int, int], levels: tuple[float, float]) -> Box:
    """A window around a part, larger by more than the slopes left uncertain, within the photo."""
    left, top, right, bottom = inside
    across = max(2.0, 3 * levels[0], 0.15 * (right - left))
    down = max(2.0, 3 * levels[1], 0.15 * (bottom - top))
    return (
        max(0.0, left - across),
        max(0.0, top - down),
        min(float(size[0]), right + across),
        min(float(size[1]), bottom + down),
    )


def not_a_rectangle(processor: Any) -> Refusal:
    """The refusal of a processor whose pixel_values show no upright rectangle of the photo."""
    return Refusal(
        f"The image processor {type(processor).__name__} rotates, warps or splits the picture, "
        "so that a map cannot be drawn over it; one that only resizes, crops, pads or mirrors "
        "would work."
    )

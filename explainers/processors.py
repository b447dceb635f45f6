"""What an image processor does to a picture, measured: known pictures go in.

No setting is read. Processors name theirs differently and some have none, but all of them take
pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .errors import Refusal, first_line
from .ties import place_of_largest

FLAT = (224, 224)  # width and height of the pictures of one colour
MIXED = (204, 102, 51)  # a colour whose channels differ
FAITHFUL = 0.02  # of full brightness: MIXED may come back as another colour by so much
COVERED = 0.98  # a pixel with so large a share of photo in it shows nothing else
LOOKS = 3  # at most, each nearer than the last
DARKEST = 8  # level of a slope at its lower end
LEVELS = 240  # from there to its upper end
WAVES = 8  # that a slope moves up and down by half a level
GRAIN = 8  # levels between which it is rough; with the waves, rounding averages out
FEW = 4  # pixels of a side, below which there is no slope to read

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Colours:
    """What a colour becomes: pixel_values = black + matrix · colour, the colour [3] from 0 to 1.

    black   [3] what black becomes
    matrix  [3 3] what full red, green and blue add to it, a column each
    """

    black: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]

    @property
    def grey(self) -> tuple[float, ...]:
        """[3] the pixel_values of a grey that says nothing.

        After normalisation it is zero, the mean of the training's pictures. Without, zero is black
        or no colour at all, and half of full brightness is taken.
        """
        zero = self.rgb(torch.zeros(3, 1, 1, dtype=torch.float64))
        if bool(((zero > FAITHFUL) & (zero < 1 - FAITHFUL)).all()):
            return (0.0,) * 3
        return tuple(low + sum(row) / 2 for low, row in zip(self.black, self.matrix))

    def pixels(self, rgb: Tensor) -> Tensor:
        """[... 3 height width] colours -> pixel_values."""
        black = torch.tensor(self.black, dtype=torch.float64).to(rgb)
        matrix = torch.tensor(self.matrix, dtype=torch.float64).to(rgb)
        return torch.einsum("ij,...jhw->...ihw", matrix, rgb) + black[:, None, None]

    def rgb(self, pixels: Tensor) -> Tensor:
        """[... 3 height width] pixel_values -> colours, the way back."""
        black = torch.tensor(self.black, dtype=torch.float64).to(pixels)
        back = torch.tensor(self.matrix, dtype=torch.float64).inverse().to(pixels)
        return torch.einsum("ij,...jhw->...ihw", back, pixels - black[:, None, None])


#: Of pixel_values that came without a processor: from -1 to 1.
HALVES = Colours((-1.0,) * 3, ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0)))


@dataclass(frozen=True)
class Lens:
    """Which part of a photo is in the pixel_values.

    size   (width, height) of the photo
    shape  (height, width) of the pixel_values
    box    (left, top, right, bottom) where the edges of the pixel_values are, in pixels of the
           photo. Outside the photo there is padding; where right is smaller than left the photo
           is mirrored, and likewise where bottom is smaller than top.
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
        """The part of the photo that is seen, without padding."""
        left, top, right, bottom = self.upright
        return max(0, left), max(0, top), min(self.size[0], right), min(self.size[1], bottom)

    def mirrored(self, picture: Image.Image) -> Image.Image:
        """A part of the photo as it is seen: from the other side, where the photo is mirrored."""
        left, top, right, bottom = self.box
        if right < left:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if bottom < top:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return picture


@dataclass(frozen=True)
class Kept:
    """A processor with its settings as a key: a changed setting is another key."""

    kind: type
    settings: str
    processor: Callable = field(compare=False, repr=False)


def kept(processor) -> Kept | None:
    """The key of a processor that can write its settings down; any other is always measured."""
    try:
        return Kept(type(processor), processor.to_json_string(), processor)
    except (AttributeError, TypeError, ValueError):
        return None


def pixels_of(processor, picture: Image.Image) -> Tensor:
    """pixel_values [1 3 height width] of a picture.

    Raises `Refusal` with what the processor said where it fails.
    """
    name = type(processor).__name__
    try:
        pixels = torch.as_tensor(processor(images=picture, return_tensors="pt")["pixel_values"])
    except Exception as error:  # whoever wrote it, and whatever it raises: it does not take it
        said = first_line(error)
        raise Refusal(f"The image processor {name} does not take this picture: {said}.") from error
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or 0 in pixels.shape:
        raise Refusal(
            f"The image processor {name} gives pixel_values of shape {tuple(pixels.shape)}; "
            "what can be explained has shape (1, 3, height, width)."
        )
    return pixels


# ---------------------------------------------------------------------------------------- colours


def colours_of(processor) -> Colours:
    """What the processor makes of colours, from pictures of a single colour.

    Raises `Refusal` where it cannot be undone.
    """
    key = kept(processor)
    return measured_colours(processor) if key is None else colours_of_kept(key)


@lru_cache(maxsize=64)
def colours_of_kept(key: Kept) -> Colours:
    return measured_colours(key.processor)


def measured_colours(processor) -> Colours:
    flat = lambda *colour: pixels_of(processor, Image.new("RGB", FLAT, colour))[0].double()
    black, mixed = flat(0, 0, 0), flat(*MIXED)
    added = torch.stack([flat(255, 0, 0), flat(0, 255, 0), flat(0, 0, 255)]) - black
    # a pixel of the photo, not of padding
    shown = place_of_largest(added.abs().sum((0, 1)).flatten())
    at = lambda flats: flats.flatten(-2)[..., shown]
    black, mixed, matrix = at(black), at(mixed), at(added).T
    if torch.linalg.matrix_rank(matrix, rtol=1e-3) == 3:
        back = torch.linalg.solve(matrix, mixed - black)
        if (back - torch.tensor(MIXED) / 255).abs().max() < FAITHFUL:
            return Colours(tuple(black.tolist()), tuple(map(tuple, matrix.tolist())))
    raise Refusal(
        f"The image processor {type(processor).__name__} changes colours in a way that cannot be "
        "undone, so that what the model sees cannot be shown; one that only rescales and "
        "normalises each colour would work."
    )


# --------------------------------------------------------------------------------------- geometry


def lens_of(processor, size: tuple[int, int]) -> Lens:
    """Which part of a photo of this size (width, height) the processor keeps, and where.

    A picture whose red says how far to the right, and whose green how far down, goes through the
    processor; edges are found to a fraction of a pixel. Raises `Refusal` where the photo is
    turned, bent, or cut in pieces.
    """
    key = kept(processor)
    return measured_lens(processor, size) if key is None else lens_of_kept(key, size)


@lru_cache(maxsize=256)
def lens_of_kept(key: Kept, size: tuple[int, int]) -> Lens:
    return measured_lens(key.processor, size)


def measured_lens(processor, size: tuple[int, int]) -> Lens:
    window = (0.0, 0.0, *map(float, size))
    for _ in range(LOOKS):
        places, covered = looked_up(processor, size, window)
        rows, columns = (covered.any(axis).nonzero().flatten() for axis in (1, 0))
        if not len(rows):
            raise Refusal(
                f"A picture of {size[0]:,} × {size[1]:,} pixels is too slim for this model: "
                "nothing of it is left to see."
            )
        in_a_row = all(len(line) == line[-1] - line[0] + 1 for line in (rows, columns))
        if not in_a_row or not covered[rows][:, columns].all():
            raise odd(processor)
        across, down = (place[rows][:, columns] for place in places)
        level = [(window[axis + 2] - window[axis]) / LEVELS for axis in (0, 1)]
        left, right = edges(processor, across, columns, covered.shape[1], size, level[0])
        top, bottom = edges(processor, down.T, rows, covered.shape[0], size[::-1], level[1])
        lens = Lens(size, tuple(covered.shape), (left, top, right, bottom))
        if fills(lens.inside, window):
            return lens
        window = grown(lens.inside, size, level)
    if left == right or top == bottom:
        raise odd(processor)
    return lens


def looked_up(
    processor, size: tuple[int, int], window: Box
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Where in the photo each of the pixel_values is from: across and down [height width].

    And [height width] whether it is from the photo at all. The slopes lie over `window`. Their
    negative goes through as well: padding is what is alike in both.
    """
    image, colours = slopes(size, window), colours_of(processor)
    seen = lambda levels: colours.rgb(pixels_of(processor, Image.fromarray(levels))[0].float())
    red, green, share = seen(image) - seen(np.invert(image, out=image))  # from -1 to 1
    covered = share > COVERED  # full blue, or none
    share = share.where(covered, torch.ones(()))
    part = lambda slope: (255 * (slope / share + 1) / 2 - DARKEST) / LEVELS
    left, top, right, bottom = window
    return (left + part(red) * (right - left), top + part(green) * (bottom - top)), covered


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


def edges(
    processor, places: Tensor, steps: Tensor, count: int, sides: tuple[int, int], level: float
) -> tuple[float, float]:
    """Where the first and the last edge of `count` pixels are in a photo.

    places  [line step] of those that show the photo; a straight line is laid through them
    steps   which those are: consecutive numbers from 0 to count - 1
    sides   pixels of the photo, this way and across
    level   pixels of the photo between two levels of the slope, which is how finely it is read
    """
    first, last, side = int(steps[0]), int(steps[-1]) + 1, sides[0]
    if side < FEW or len(steps) < FEW:  # the whole of so few is shown, if anything is
        slope = side / (last - first)
        start = -first * slope
    else:
        slope, start = line_through(processor, places, steps, sides[1], level)
    near = 0.25 * abs(slope) + 0.002 * side
    ends = []
    for end, reached in ((start, first == 0), (start + slope * count, last == count)):
        end = next((edge for edge in (0.0, float(side)) if abs(end - edge) < near), end)
        ends.append(min(max(end, 0.0), float(side)) if reached else end)  # no padding there
    return ends[0], ends[1]


def line_through(
    processor, places: Tensor, steps: Tensor, lines: int, level: float
) -> tuple[float, float]:
    """Slope and start of the line through `places` [line step], of a photo of so many `lines`.

    Raises `Refusal` if they are not on one, or not the same in one half of the lines and the other.
    """
    middle = slice(len(steps) // 4, len(steps) - len(steps) // 4)  # at its ends a slope is bent
    at, mean = steps.double() + 0.5, places.double().mean(0)
    slope, start = np.polyfit(at[middle].numpy(), mean[middle].numpy(), 1).tolist()
    half = len(places) // 2
    halves = torch.stack([places[: len(places) - half].mean(0), places[half:].mean(0)])
    off = float((halves - (start + slope * at)).abs().max())
    rough = level * (0.5 + GRAIN / (min(len(places), lines) / 2) ** 0.5)
    if off > 0.75 + rough + abs(slope) * (1.25 + 0.005 * len(steps)):
        raise odd(processor)
    return slope, start


def fills(inside: Box, window: Box) -> bool:
    """Whether a part takes up half of the window on both sides: the slopes are steep enough."""
    return all(inside[i + 2] - inside[i] >= 0.5 * (window[i + 2] - window[i]) for i in (0, 1))


def grown(inside: Box, size: tuple[int, int], level: list[float]) -> Box:
    """A window larger than the part, by more than the slopes left open, within the photo."""
    wide, tall = (max(2.0, 3 * level[i], 0.15 * (inside[i + 2] - inside[i])) for i in (0, 1))
    left, top, right, bottom = inside
    return (
        max(0.0, left - wide),
        max(0.0, top - tall),
        min(float(size[0]), right + wide),
        min(float(size[1]), bottom + tall),
    )


def odd(processor) -> Refusal:
    return Refusal(
        f"The image processor {type(processor).__name__} turns, bends or cuts up the picture, so "
        "that a map cannot be laid over it; one that only resizes, cuts off edges, pads or "
        "mirrors would work."
    )

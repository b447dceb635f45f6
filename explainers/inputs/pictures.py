"""From a picture to `pixel_values`, with a place for each patch and the picture that views show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..errors import Refusal
from ..pictures import open_picture
from ..processors import Lens, lens_of, pixels_of
from .encoded import Encoded

if TYPE_CHECKING:
    from ..models import Model

#: Attention maps of a base-sized model fill 5 GB with so many patches.
MOST_PATCHES = 2048

#: The largest ratio of a picture's sides. A longer one loses its ends before its shorter side is
#: resized, otherwise it would become huge.
MOST_RATIO = 8

#: How far two measured lengths may differ and be equal, as a share of the picture's shorter side.
CLOSE = 0.1

#: Pixels of the longer side of the picture that views show.
VIEW = 1024


def from_picture(model: Model, given: Any) -> Encoded:
    """A picture, or the path or bytes of one, as an input of `model`. Raises `Refusal`."""
    if model.processor is None:
        raise Refusal(
            "This model came without an image processor: "
            "pass one to load(...), or give pixel_values."
        )
    picture = without_ends(open_picture(given), model.processor)
    pixels = pixels_of(model.processor, picture).to(model.net.device, model.net.dtype)
    grid_of(model, pixels)  # refuse too many patches before anything is made for a view
    lens = lens_of(model.processor, picture.size)
    seen = as_picture(model.rgb(pixels[0]))
    return from_pixels(model, pixels, sharp_view(picture, lens, seen))


def from_pixel_values(model: Model, tensors: dict[str, Tensor]) -> Encoded:
    """The tensors of one picture as an input. Raises `Refusal` if they are none for this model."""
    pixels = tensors.get("pixel_values")
    if pixels is None or pixels.ndim != 4 or len(pixels) != 1:
        raise Refusal(
            "Tensors for an image model need pixel_values of shape (1, channels, height, width)."
        )
    channels = getattr(model.tower.config, "num_channels", pixels.shape[1])
    if pixels.shape[1] != channels:
        raise Refusal(
            f"This model reads pictures of {channels} channels; these pixel_values have "
            f"{pixels.shape[1]}."
        )
    coded = from_pixels(model, pixels.to(model.net.dtype))
    return replace(coded, tensors=tensors | coded.tensors)


def from_pixels(
    model: Model,
    pixels: Float[Tensor, "1 channel height width"],
    picture: Image.Image | None = None,
) -> Encoded:
    """`pixel_values` as an input. picture: what views show; by default the pixels themselves.

    Pixels at the right and at the bottom that fill no patch are not seen, and are cut off the
    picture.
    """
    rows, columns = grid_of(model, pixels)
    tall, wide = model.patch
    height, width = pixels.shape[-2:]
    seen = as_picture(model.rgb(pixels[0]))
    picture = picture or seen
    right = max(1, round(picture.width * columns * wide / width))
    bottom = max(1, round(picture.height * rows * tall / height))
    labels = list(model.prefix)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            labels.append(f"row {row}, column {column}")
    return Encoded(
        tensors={"pixel_values": pixels},
        labels=labels,
        special_tokens=torch.arange(len(labels)) < len(model.prefix),
        grid=(rows, columns),
        picture=picture.crop((0, 0, right, bottom)),
        seen=seen.crop((0, 0, columns * wide, rows * tall)),
    )


def grid_of(model: Model, pixels: Float[Tensor, "1 channel height width"]) -> tuple[int, int]:
    """(rows, columns) of the patches. Raises `Refusal` if there are none or too many."""
    rows, columns = model.grid(pixels)
    if not rows * columns:
        raise Refusal(
            f"A picture of {pixels.shape[-2]} × {pixels.shape[-1]} pixels has not one whole patch "
            "for this model."
        )
    if rows * columns > MOST_PATCHES:
        raise Refusal(
            f"A picture of {rows:,} × {columns:,} patches is too large for this model to be "
            f"recorded: at most {MOST_PATCHES:,} patches can be."
        )
    return rows, columns


def as_picture(rgb: Float[Tensor, "3 height width"]) -> Image.Image:
    """The picture of colours from 0 to 1."""
    colours = (255 * rgb).round().float().cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(colours.astype(np.uint8))


# --------------------------------------------------------------------------- long and thin pictures


def without_ends(picture: Image.Image, processor: Any) -> Image.Image:
    """The middle of a picture that is very long, for processors that see nothing else of it.

    Such a processor would enlarge the whole picture and then cut off its ends. What it sees is
    measured on two pictures that are less long. Raises `Refusal` if it would enlarge, and see, the
    whole picture.
    """
    short, long = sorted(picture.size)
    if long <= MOST_RATIO * short:
        return picture
    upright = picture.height == long
    lens = lens_of(processor, oriented(short, MOST_RATIO * short, upright))
    half_lens = lens_of(processor, oriented(short, MOST_RATIO // 2 * short, upright))
    first, last = long_side(lens, upright)
    start, end = long_side(half_lens, upright)
    cuts_ends = abs((last - first) - (end - start)) <= CLOSE * short
    from_the_middle = abs(first + last - MOST_RATIO * short) <= CLOSE * short
    if cuts_ends and from_the_middle:
        return middle_of(picture, oriented(short, MOST_RATIO * short, upright))
    if not cuts_ends and not grows(lens, half_lens, short):
        return picture
    raise Refusal(
        f"A picture of {picture.width:,} × {picture.height:,} pixels is too narrow for this model: "
        f"one side can be {MOST_RATIO} times as long as the other at most."
    )


def oriented(short: int, long: int, upright: bool) -> tuple[int, int]:
    """(width, height) of a picture by its shorter and its longer side."""
    if upright:
        return short, long
    return long, short


def long_side(lens: Lens, upright: bool) -> tuple[float, float]:
    """Where the part that a processor sees begins and ends along the longer side, in pixels."""
    left, top, right, bottom = lens.inside
    if upright:
        return top, bottom
    return left, right


def grows(lens: Lens, half_lens: Lens, short: int) -> bool:
    """Whether a longer picture makes larger `pixel_values`, and these are large."""
    if lens.shape == half_lens.shape:  # every picture is squeezed into one size
        return False
    return lens.shape[0] * lens.shape[1] > MOST_RATIO * short**2


def middle_of(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture, of this (width, height)."""
    width, height = size
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


# ------------------------------------------------------------------------------------------- views


def sharp_view(picture: Image.Image, lens: Lens, seen: Image.Image) -> Image.Image:
    """The part of a photo that the model sees, sharper than it sees it.

    seen: what the model sees, whose padding is taken over.
    """
    left, top, right, bottom = lens.upright
    if lens.inside == lens.upright:
        scale = min(1.0, VIEW / max(right - left, bottom - top))
        size = scaled_size(right - left, bottom - top, scale)
        return lens.mirrored(picture.resize(size, box=lens.inside, reducing_gap=2))
    scale = max(
        min(1.0, VIEW / max(right - left, bottom - top)),
        seen.width / (right - left),  # no coarser than the padding is
        seen.height / (bottom - top),
    )
    size = scaled_size(right - left, bottom - top, scale)
    canvas = lens.mirrored(seen.resize(size, Image.Resampling.NEAREST))
    inner_left, inner_top, inner_right, inner_bottom = lens.inside
    first_x, first_y = round(scale * (inner_left - left)), round(scale * (inner_top - top))
    last_x, last_y = round(scale * (inner_right - left)), round(scale * (inner_bottom - top))
    part = max(1, last_x - first_x), max(1, last_y - first_y)
    canvas.paste(picture.resize(part, box=lens.inside, reducing_gap=2), (first_x, first_y))
    return lens.mirrored(canvas)


def scaled_size(width: float, height: float, scale: float) -> tuple[int, int]:
    """(width, height) in whole pixels, at least one each way."""
    return max(1, round(scale * width)), max(1, round(scale * height))

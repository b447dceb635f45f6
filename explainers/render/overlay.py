"""Pixel work for maps of pictures: photos as JPEG, scores as see-through PNG, enlarging, blending.

OpenCV does it where it is installed, torch and numpy where it is not; the numbers are the same.
"""

import io
from base64 import b64encode
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .colours import largest

Colour = tuple[int, int, int]

#: Colours that stand out on a grey photo, on light and dark pages: towards, away. The same as in
#: heatmap.css.
COLOURS: dict[str, tuple[Colour, Colour]] = {
    "orange-blue": ((255, 122, 20), (45, 125, 250)),
    "green-red": ((34, 190, 90), (235, 60, 60)),
    "red-blue": ((250, 55, 95), (45, 125, 250)),
}
MUCH: Colour = (150, 62, 205)  # of an unsigned score

#: Steps of opacity on either side of zero; finer ones cannot be seen and make files larger.
LEVELS = 31
#: The share of a map's pixels that its scale covers. The few above are drawn alike, or they would
#: leave the rest blank.
CLIPPED = 0.995


def opencv() -> ModuleType | None:
    """The module cv2, or None where it is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2


def enlarged(scores: Tensor, height: int, width: int, smooth: bool = False) -> Tensor:
    """Enlarge scores [row column] to [height width]: one block a patch.

    smooth: a straight line from the middle of one patch to the next (bilinear). Curves would
    overshoot, and draw a ring of the opposite sign around a strong patch.
    """
    finite = scores.nan_to_num(0, 0, 0).float()
    cv2 = opencv()
    if cv2:
        interpolation = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        resized = cv2.resize(finite.numpy(), (width, height), interpolation=interpolation)
        return torch.from_numpy(resized)
    one = finite[None, None]
    interpolate = torch.nn.functional.interpolate
    if smooth:
        return interpolate(one, (height, width), mode="bilinear", align_corners=False)[0, 0]
    return interpolate(one, (height, width), mode="nearest")[0, 0]


def opacity_levels(scores: Tensor, scale: float) -> np.ndarray:
    """Scores [height width] as whole steps of opacity, -LEVELS to LEVELS.

    Scores that are not finite are blank.
    """
    shares = (scores.nan_to_num(0, 0, 0) / (scale or 1)).clamp(-1, 1)
    return shares.mul(LEVELS).round().to(torch.int16).numpy()


def colours(signed: bool, palette: str) -> tuple[Colour, Colour]:
    """The colours of a positive and of a negative score."""
    return COLOURS[palette] if signed else (MUCH, MUCH)


def see_through(scores: Tensor, scale: float, signed: bool, palette: str) -> str:
    """Scores [height width] as a PNG that lies over a photo, one pixel a score, as a data URI.

    The colour is that of the sign; the larger |score|, the more opaque.
    """
    towards, away = colours(signed, palette)
    picture = Image.fromarray((opacity_levels(scores, scale) + LEVELS).astype(np.uint8), "P")
    levels = range(-LEVELS, LEVELS + 1)
    table: list[int] = []
    for level in levels:
        table += away if level < 0 else towards
    picture.putpalette(table)
    opacity = bytes(round(255 * abs(level) / LEVELS) for level in levels)
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=opacity, optimize=True)
    return data_uri(file.getvalue(), "png")


def clipped(pixels: Tensor) -> float:
    """The scale of a map pixel by pixel: |score| that a share CLIPPED of the pixels stays below."""
    sizes = pixels.nan_to_num(0, 0, 0).abs().flatten().double()
    rank = round(CLIPPED * (len(sizes) - 1))
    return float(sizes.sort().values[rank]) or largest(pixels)


def jpeg(picture: Image.Image, side: int, quality: int = 80) -> str:
    """A photo of at most `side` pixels a side, as a data URI."""
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def pixelled(picture: Image.Image, brief: bool = False) -> str:
    """A picture in its own pixels, as a data URI. brief: in half the bytes."""
    file, quality = io.BytesIO(), 70 if brief else 92
    picture.convert("RGB").save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def data_uri(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(file).decode()}"


def grey(photo: np.ndarray) -> np.ndarray:
    """A photo [height width 3] in grey and a little paler, as the page shows it under a map."""
    brightness = photo @ np.array([0.299, 0.587, 0.114])
    pale = brightness * 0.72 + 66
    return pale[..., None].repeat(3, -1).round().astype(np.uint8)


def blended(
    photo: np.ndarray, scores: Tensor, scale: float, signed: bool, palette: str, opacity: float
) -> np.ndarray:
    """A photo [height width 3] under the colours of scores [height width]."""
    towards, away = colours(signed, palette)
    level = opacity_levels(scores, scale)
    alpha = (np.abs(level) / LEVELS * opacity).astype(np.float32)
    is_negative = (level < 0)[..., None]
    paint = np.where(is_negative, np.array(away, np.uint8), np.array(towards, np.uint8))
    cv2 = opencv()
    if cv2:
        layers = np.ascontiguousarray(paint), np.ascontiguousarray(photo)
        return cv2.blendLinear(*layers, alpha, 1 - alpha)
    mixed = paint * alpha[..., None] + photo * (1 - alpha[..., None])
    return mixed.round().astype(np.uint8)

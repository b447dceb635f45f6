"""Pixel work for maps of pictures: photos as JPEGs, scores as see-through PNGs, enlargement and blending.

OpenCV does it where it is installed, torch and numpy where it is not; the numbers are the same.
"""

import io
from base64 import b64encode

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .card import largest

#: Colours that stand out on a grey photo, of light and dark pages alike: towards, away. The same as in heatmap.css.
COLOURS = {
    "orange-blue": ((255, 122, 20), (45, 125, 250)),
    "green-red": ((34, 190, 90), (235, 60, 60)),
    "red-blue": ((250, 55, 95), (45, 125, 250)),
}
MUCH = (150, 62, 205)  # how much, not which way

LEVELS = (
    31  # steps of opacity on either side of zero: finer ones cannot be seen and make files larger
)
CLIPPED = 0.995  # pixels above this share of all |score| are drawn alike, or a few of them would leave the rest blank


def opencv():
    """The module cv2, or None where it is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2


def enlarged(scores: Tensor, height: int, width: int, smooth: bool = False) -> Tensor:
    """Scores [rows columns] on [height width]: a block a patch, or, smooth, a straight line from the middle of one patch to the next.

    Straight lines, since curves overshoot: around a strong patch they would draw a ring of the opposite sign.
    """
    finite = scores.nan_to_num(0, 0, 0).float()
    cv2 = opencv()
    if cv2:
        return torch.from_numpy(
            cv2.resize(
                finite.numpy(),
                (width, height),
                interpolation=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST,
            )
        )
    how = {"mode": "bilinear", "align_corners": False} if smooth else {"mode": "nearest"}
    return torch.nn.functional.interpolate(finite[None, None], (height, width), **how)[0, 0]


def steps(scores: Tensor, scale: float) -> np.ndarray:
    """Scores [height width] as whole steps of opacity from -LEVELS to LEVELS; what is no number is blank."""
    return (
        (scores.nan_to_num(0, 0, 0) / (scale or 1))
        .clamp(-1, 1)
        .mul(LEVELS)
        .round()
        .to(torch.int16)
        .numpy()
    )


def colours(signed: bool, palette: str) -> tuple[tuple, tuple]:
    """What a positive and a negative number are drawn in."""
    return COLOURS[palette] if signed else (MUCH, MUCH)


def see_through(scores: Tensor, scale: float, signed: bool, palette: str) -> str:
    """Scores [height width] as a PNG to lay over a photo, one pixel a score: the sign's colour, the more opaque the larger."""
    towards, away = colours(signed, palette)
    picture = Image.fromarray((steps(scores, scale) + LEVELS).astype(np.uint8), "P")
    picture.putpalette(
        [part for level in range(-LEVELS, LEVELS + 1) for part in (away if level < 0 else towards)]
    )
    opacity = bytes(round(255 * abs(level) / LEVELS) for level in range(-LEVELS, LEVELS + 1))
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=opacity, optimize=True)
    return data_uri(file.getvalue(), "png")


def clipped(pixels: Tensor) -> float:
    """The scale of a map pixel by pixel: what CLIPPED of its |scores| stay below."""
    sizes = pixels.nan_to_num(0, 0, 0).abs().flatten().double()
    return float(sizes.sort().values[round(CLIPPED * (len(sizes) - 1))]) or largest(pixels)


def jpeg(picture: Image.Image, side: int, quality: int = 80) -> str:
    """A photo at most `side` pixels a side, as the address of itself."""
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def pixelled(picture: Image.Image, brief: bool = False) -> str:
    """A picture pixel by pixel, to be enlarged without smoothing, as the address of itself.

    brief: in half the bytes
    """
    file, quality = io.BytesIO(), 70 if brief else 92
    picture.convert("RGB").save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def data_uri(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(file).decode()}"


def grey(photo: np.ndarray) -> np.ndarray:
    """A photo [height width 3] without its colours and a little paler, as the page shows it under a map."""
    return (
        (photo @ np.array([0.299, 0.587, 0.114]) * 0.72 + 66)[..., None]
        .repeat(3, -1)
        .round()
        .astype(np.uint8)
    )


def blended(
    photo: np.ndarray, scores: Tensor, scale: float, signed: bool, palette: str, opacity: float
) -> np.ndarray:
    """A photo [height width 3] under the colours of scores [height width] of the same size."""
    towards, away = colours(signed, palette)
    level = steps(scores, scale)
    alpha = (np.abs(level) / LEVELS * opacity).astype(np.float32)
    paint = np.where((level < 0)[..., None], np.uint8(away), np.uint8(towards))
    cv2 = opencv()
    if cv2:
        return cv2.blendLinear(
            np.ascontiguousarray(paint), np.ascontiguousarray(photo), alpha, 1 - alpha
        )
    return (paint * alpha[..., None] + photo * (1 - alpha[..., None])).round().astype(np.uint8)

"""Open a picture, whatever it is given as, and convert it to upright RGB."""

import io
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .errors import Refusal, nearest
from .shipped import shipped_folder

MOST_PIXELS = 64_000_000  # of a decoded picture: 256 MB; JPEGs are downsampled while decoded
WANTED = 1024  # pixels of a side that views and models can use; larger pictures are downsampled
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # for others (EPS) Pillow starts programs

#: The beginning of an address, which a path never has. `Path` makes one slash of two.
ADDRESS = re.compile(r"(https?|ftp|file|s3|gs|hf):/|data:", re.IGNORECASE)

#: The bundled photos; assets/examples/README.md names their authors.
PHOTOS = ("astronaut", "cat", "coffee", "rocket")

#: What the file system and Pillow's decoders raise for a damaged file.
DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


def photo(name: str) -> Image.Image:
    """Open a bundled photo, free of rights: astronaut, cat, coffee or rocket.

    Raises `Refusal` for another name.
    """
    if name not in PHOTOS:
        raise nearest(name, PHOTOS, "bundled photo")
    return open_picture(example_folder() / f"{name}.jpg")


def example_folder() -> Path:
    """The folder of the bundled photos. Raises `Refusal` if it is not installed."""
    folder = shipped_folder("examples")
    if folder is None:
        raise Refusal(
            "The bundled photos are not installed beside this package; clone the repository, or "
            "give a picture of your own."
        )
    return folder


def open_picture(given: Any) -> Image.Image:
    """Open a picture as upright RGB.

    Of several frames the first is taken, transparent pixels are put on white, and 16 bits are
    scaled to 8. A picture whose sides are both above 2048 pixels is downsampled.

    Parameters
    ----------
    given:
        A path, the bytes of a file, a PIL image, or an array of uint8 of shape (height, width),
        (height, width, 3) or (height, width, 4).

    Raises
    ------
    Refusal:
        If it is not a picture, or too large or damaged, with the reason in one sentence.
    """
    if isinstance(given, np.ndarray):
        return to_upright_rgb(from_array(given), "This picture")
    if not isinstance(given, str | Path | bytes | bytearray | Image.Image):
        raise Refusal(
            "A picture is a path, the bytes of a file, a PIL image or an array of numbers; got "
            f"{type(given).__name__}."
        )
    if isinstance(given, str | Path) and ADDRESS.match(str(given)):
        raise Refusal(
            "A picture is read from a file, and this is an address: nothing is fetched here. "
            "Download the picture first, and give the path of its file."
        )
    if isinstance(given, str) and not given.strip():
        raise Refusal("There is no picture: the path that was given is empty.")
    return decode(given, shown_name(given))


def shown_name(given: Any) -> str:
    """What a refusal calls a picture: the name of its file, at most 100 characters."""
    if not isinstance(given, str | Path):
        return "This picture"
    return " ".join(Path(given).name.split())[:100] or "This picture"


def decode(given: str | Path | bytes | bytearray | Image.Image, name: str) -> Image.Image:
    """Upright RGB of a file or an image; what Pillow raises becomes a `Refusal`."""
    try:
        with warnings.catch_warnings():
            # what Pillow warns of is refused below, or does not matter
            warnings.filterwarnings("ignore", module="PIL")
            if isinstance(given, Image.Image):
                return to_upright_rgb(given, name)
            return from_file(given, name)
    except Refusal:
        raise
    except FileNotFoundError:
        raise Refusal(f"There is no file {name}.") from None
    except IsADirectoryError:
        raise Refusal(f"{name} is a folder, not a picture.") from None
    except UnidentifiedImageError:
        raise Refusal(
            f"{name} is not a picture that can be read; give a JPEG, PNG, WebP, GIF, BMP or TIFF."
        ) from None
    except Image.DecompressionBombError:
        raise Refusal(f"{name} has too many pixels to be read. Make it smaller.") from None
    except DECODER_ERRORS as error:
        message = getattr(error, "strerror", None) or error
        reason = " ".join(str(message).split())[:100]
        raise Refusal(f"{name} is damaged or cannot be opened ({reason}).") from error


def from_file(given: str | Path | bytes | bytearray, name: str) -> Image.Image:
    source = io.BytesIO(given) if isinstance(given, bytes | bytearray) else Path(given)
    with Image.open(source, formats=FORMATS) as file:
        file.draft("RGB", (WANTED, WANTED))
        return to_upright_rgb(file, name)


def from_array(given: np.ndarray) -> Image.Image:
    """An array of uint8 as an image; `Refusal` for another shape or type."""
    is_grey = given.ndim == 2
    is_colour = given.ndim == 3 and given.shape[2] in (3, 4)
    if given.dtype != np.uint8 or not (is_grey or is_colour) or 0 in given.shape:
        raise Refusal(
            "An array of a picture has shape (height, width), (height, width, 3) or (height, "
            f"width, 4) and type uint8; got {given.shape} of {given.dtype}."
        )
    return Image.fromarray(given)


def check_size(size: tuple[int, int], name: str) -> None:
    """Raise `Refusal` for a picture without pixels or with more than `MOST_PIXELS`."""
    width, height = size
    if not width * height:
        raise Refusal(f"{name} has no pixels.")
    if width * height > MOST_PIXELS:
        raise Refusal(
            f"{name} has {width:,} × {height:,} pixels; at most {MOST_PIXELS // 10**6} million can "
            "be read. Make it smaller, or save it as a JPEG."
        )


def to_upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """Turn a picture upright by its EXIF orientation; convert it to RGB, transparency on white."""
    check_size(image.size, name)
    image = ImageOps.exif_transpose(downsample(image))
    if image.mode.startswith("I") or image.mode == "F":
        image = to_eight_bits(image)
    if image.mode == "La":  # grey times its opacity
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(image, mask=image)
    return on_white


def downsample(image: Image.Image) -> Image.Image:
    """Divide the size by a whole number, if both sides stay at least `WANTED` pixels.

    This comes first, before any step copies a very large picture.
    """
    factor = min(image.size) // WANTED
    if factor < 2 or image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    image.load()  # a TIFF turns itself while it is decoded
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    image = image.reduce(factor)
    if orientation:
        image.getexif()[ExifTags.Base.Orientation] = orientation
    return image


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert grey levels of 16 or 32 bits to 8.

    Levels of 32 bits have no usual range. The white level is the first of 1, 255 and 65535 that is
    not below the largest level, or else the largest level.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    levels = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    black = min(0, levels.min())
    largest = levels.max()
    white = next(top for top in (1, 255, 65535, largest) if largest <= top)
    return Image.fromarray(((levels - black) * (255 / (white - black))).astype(np.uint8))


def blurred(
    pixels: Float[Tensor, "n channel height width"], size: int = 11, sigma: float = 5.0
) -> Float[Tensor, "n channel height width"]:
    """Blur a picture as RISE does: a Gaussian filter over `size` pixels, edges padded with zeros.

    sigma is the Gaussian's standard deviation in pixels. Its tails beyond the filter are mirrored
    back into it, as the authors' code (scipy) does.
    """
    reach = torch.arange(-round(4 * sigma), round(4 * sigma) + 1)
    weights = (-reach.double().pow(2) / (2 * sigma**2)).exp()
    place = (reach + size // 2) % (2 * size)
    mirrored = torch.minimum(place, 2 * size - 1 - place)
    line = torch.zeros(size, dtype=torch.float64)
    line = line.index_add(0, mirrored, weights / weights.sum())
    channels = pixels.shape[1]
    kernel = line.to(pixels).expand(channels, 1, 1, size)
    across = F.conv2d(pixels, kernel, padding=(0, size // 2), groups=channels)
    return F.conv2d(across, kernel.mT, padding=(size // 2, 0), groups=channels)

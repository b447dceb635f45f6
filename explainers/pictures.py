"""Opening pictures: whatever a person hands over becomes upright RGB, or a plain sentence says why not."""

import io
import re
import struct
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .errors import Refusal, nearest

MOST_PIXELS = 64_000_000  # of a decoded picture, 256 MB; JPEGs are decoded smaller instead
WANTED = 1024  # pixels of a side that views and models can use; much larger pictures are shrunk towards it, JPEGs while they are decoded
KINDS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
)  # and no others: to read some, Pillow starts programs (EPS)


#: The beginning of an address, which a path never has; `Path` makes one stroke of two.
ADDRESS = re.compile(r"(https?|ftp|file|s3|gs|hf):/|data:", re.IGNORECASE)

PHOTOS = (
    "astronaut",
    "cat",
    "coffee",
    "rocket",
)  # bundled; assets/examples/README.md says whose they are


def photo(name: str) -> Image.Image:
    """A bundled photo, free of rights: astronaut, cat, coffee or rocket."""
    if name not in PHOTOS:
        raise nearest(name, PHOTOS, "bundled photo")
    package = Path(
        __file__
    ).parent  # assets/ is beside the package in a checkout, inside it when installed
    for folder in (package.parent / "assets/examples", package / "assets/examples"):
        if (folder / f"{name}.jpg").exists():
            return open_picture(folder / f"{name}.jpg")
    raise Refusal(
        "The bundled photos are not installed beside this package; clone the repository, or give a picture of your own."
    )


def open_picture(given) -> Image.Image:
    """A path, the bytes of a file, a PIL image or an array [height width] or [height width 3 or 4] of uint8 -> upright RGB.

    The first frame of several; transparency on white; 16 bits scaled to 8. Raises `Refusal` in plain words.
    """
    if isinstance(given, np.ndarray):
        return upright(from_array(given), "This picture")
    if not isinstance(given, str | Path | bytes | bytearray | Image.Image):
        raise Refusal(
            f"A picture is a path, the bytes of a file, a PIL image or an array of numbers; got {type(given).__name__}."
        )
    if isinstance(given, str | Path) and ADDRESS.match(str(given)):
        raise Refusal(
            "A picture is read from a file, and this is an address: nothing is fetched here. "
            "Download the picture first, and give the path of its file."
        )
    if isinstance(given, str) and not given.strip():
        raise Refusal("There is no picture: the path that was given is empty.")
    name = (
        isinstance(given, str | Path) and " ".join(Path(given).name.split())[:100]
    ) or "This picture"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", module="PIL"
            )  # what it has to say is said below, or does not matter
            return (
                upright(given, name) if isinstance(given, Image.Image) else from_file(given, name)
            )
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
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        struct.error,
    ) as error:  # the system's, and what decoders say of a damaged file
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
        raise Refusal(f"{name} is damaged or cannot be opened ({reason}).") from error


def from_file(given: str | Path | bytes | bytearray, name: str) -> Image.Image:
    with Image.open(
        io.BytesIO(given) if isinstance(given, bytes | bytearray) else Path(given), formats=KINDS
    ) as file:
        file.draft("RGB", (WANTED, WANTED))
        return upright(file, name)


def check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if not width * height:
        raise Refusal(f"{name} has no pixels.")
    if width * height > MOST_PIXELS:
        raise Refusal(
            f"{name} has {width:,} × {height:,} pixels; at most {MOST_PIXELS // 10**6} million can be read. Make it smaller, or save it as a JPEG."
        )


def from_array(given: np.ndarray) -> Image.Image:
    if (
        given.dtype != np.uint8
        or given.ndim not in (2, 3)
        or (given.ndim == 3 and given.shape[2] not in (3, 4))
        or 0 in given.shape
    ):
        raise Refusal(
            f"An array of a picture has shape (height, width), (height, width, 3) or (height, width, 4) and type uint8; "
            f"got {given.shape} of {given.dtype}."
        )
    return Image.fromarray(given)


def upright(image: Image.Image, name: str) -> Image.Image:
    """Turned as its camera says, in RGB."""
    check_size(image.size, name)
    image = ImageOps.exif_transpose(shrunk(image))
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bits(image)
    if image.mode == "La":  # grey times its opacity
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGB", image.size, "white")
    white.paste(image := image.convert("RGBA"), mask=image)
    return white


def shrunk(image: Image.Image) -> Image.Image:
    """A whole number of times smaller, if both sides stay as large as anybody wants: before anything makes a copy of so many pixels."""
    times = min(image.size) // WANTED
    if times < 2 or image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    image.load()  # a TIFF turns itself while it is decoded
    turned = image.getexif().get(ExifTags.Base.Orientation)
    image = image.reduce(times)
    if turned:
        image.getexif()[ExifTags.Base.Orientation] = turned
    return image


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey levels of 16 or 32 bits as 8. Those of 32 have no usual range: the first of 1, 255, 65535 and their own largest that holds them all."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.uint8(np.asarray(image) >> 8))
    levels = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    low, high = (
        min(0, levels.min()),
        next(top for top in (1, 255, 65535, levels.max()) if levels.max() <= top),
    )
    return Image.fromarray(np.uint8((levels - low) * (255 / (high - low))))


def blurred(pixels: Tensor, size: int = 11, sigma: float = 5.0) -> Tensor:
    """[n channel height width] smoothed as RISE does: by a Gaussian whose tails beyond `size` pixels are folded back into them, edges padded with zeros."""
    reach = torch.arange(-round(4 * sigma), round(4 * sigma) + 1)
    weights, place = (
        (-reach.double().pow(2) / (2 * sigma**2)).exp(),
        (reach + size // 2) % (2 * size),
    )
    line = torch.zeros(size, dtype=torch.float64).index_add(
        0, torch.minimum(place, 2 * size - 1 - place), weights / weights.sum()
    )
    line = line.to(pixels).expand(pixels.shape[1], 1, 1, size)
    across = F.conv2d(pixels, line, padding=(0, size // 2), groups=pixels.shape[1])
    return F.conv2d(across, line.mT, padding=(size // 2, 0), groups=pixels.shape[1])

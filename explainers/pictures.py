"""Opening pictures: whatever a person hands over becomes upright RGB, or a plain sentence says why not."""

import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .errors import Refusal, nearest

MOST_PIXELS = 64_000_000        # of a decoded picture, 190 MB; JPEGs are decoded smaller instead
WANTED = 1024                   # pixels of the longer side that views and models can use; larger JPEGs are decoded nearer to it


PHOTOS = ("astronaut", "cat", "coffee", "rocket")       # bundled; assets/examples/README.md says whose they are


def photo(name: str) -> Image.Image:
    """A bundled photo, free of rights: astronaut, cat, coffee or rocket."""
    if name not in PHOTOS:
        raise nearest(name, PHOTOS, "bundled photo")
    package = Path(__file__).parent         # assets/ is beside the package in a checkout, inside it when installed
    for folder in (package.parent / "assets/examples", package / "assets/examples"):
        if (folder / f"{name}.jpg").exists():
            return open_picture(folder / f"{name}.jpg")
    raise Refusal("The bundled photos are not installed beside this package; clone the repository, or give a picture of your own.")


def open_picture(given) -> Image.Image:
    """A path, the bytes of a file, a PIL image or an array [height width] or [height width 3 or 4] of uint8 -> upright RGB.

    The first frame of several; transparency on white; 16 bits scaled to 8. Raises `Refusal` in plain words.
    """
    if isinstance(given, np.ndarray):
        return upright(from_array(given))
    if isinstance(given, Image.Image):
        return upright(given)
    if not isinstance(given, str | Path | bytes | bytearray):
        raise Refusal(f"A picture is a file, a PIL image or an array of numbers; got {type(given).__name__}.")
    name = "This picture" if isinstance(given, bytes | bytearray) else Path(given).name[:100]
    try:
        with Image.open(io.BytesIO(given) if isinstance(given, bytes | bytearray) else Path(given)) as file:
            file.draft("RGB", (WANTED, WANTED))
            check_size(file.size, name)
            return upright(file)
    except FileNotFoundError:
        raise Refusal(f"There is no file {name}.") from None
    except IsADirectoryError:
        raise Refusal(f"{name} is a folder, not a picture.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        too_large = not isinstance(error, UnidentifiedImageError)
        raise Refusal(f"{name} {'is too large a picture' if too_large else 'is not a picture that can be read'}; "
                      "give a JPEG, PNG, WebP, GIF, BMP or TIFF.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:      # what decoders say of a damaged file
        raise Refusal(f"{name} is damaged and cannot be read ({str(error)[:100]}).") from error


def check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise Refusal(f"{name} has {width:,} × {height:,} pixels; at most {MOST_PIXELS // 10**6} million can be read. Make it smaller, or save it as a JPEG.")


def from_array(given: np.ndarray) -> Image.Image:
    if given.dtype != np.uint8 or given.ndim not in (2, 3) or (given.ndim == 3 and given.shape[2] not in (3, 4)) or 0 in given.shape:
        raise Refusal(f"An array of a picture has shape (height, width), (height, width, 3) or (height, width, 4) and type uint8; "
                      f"got {given.shape} of {given.dtype}.")
    check_size(given.shape[1::-1], "This picture")
    return Image.fromarray(given)


def upright(image: Image.Image) -> Image.Image:
    """Turned as its camera says, in RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bits(image)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey levels of 16 or 32 bits as 8: by the range of the type where it has one, else by the picture's own."""
    levels = np.asarray(image, dtype=np.float64)
    low, high = (0, 65535) if image.mode.startswith("I;16") or (image.mode == "I" and levels.max() > 255) else (levels.min(), levels.max())
    if image.mode == "I" and levels.max() <= 255:
        low, high = 0, 255
    exif = image.getexif()
    grey = Image.fromarray(np.uint8(255 * (levels - low).clip(0) / ((high - low) or 1)).clip(0, 255), "L") if high > low else Image.new("L", image.size)
    grey.getexif().update(exif)
    return grey


def blurred(pixels: Tensor, size: int = 11, sigma: float = 5.0) -> Tensor:
    """[n channel height width] smoothed by a Gaussian of `size` pixels, edges padded with zeros (as RISE does)."""
    x = torch.arange(size).to(pixels) - size // 2
    line = (-x.pow(2) / (2 * sigma**2)).exp()
    line = (line / line.sum()).expand(pixels.shape[1], 1, 1, size)
    across = F.conv2d(pixels, line, padding=(0, size // 2), groups=pixels.shape[1])
    return F.conv2d(across, line.mT, padding=(size // 2, 0), groups=pixels.shape[1])

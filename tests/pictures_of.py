"""Small pictures of four colours, as files of all kinds hold them, and how to compare them."""

import io

import numpy as np
from PIL import Image

QUARTERS = {
    "red": (255, 0, 0),
    "green": (0, 153, 0),
    "blue": (0, 0, 255),
    "grey": (102, 102, 102),
}  # all in the palette of the web

TURNED = 6  # Exif: to be turned clockwise by a quarter


def quarters(width=60, height=40, mode="RGB") -> Image.Image:
    """Red and green above, blue and grey below."""
    image = Image.new("RGB", (width, height))
    for i, colour in enumerate(QUARTERS.values()):
        image.paste(
            colour,
            (
                i % 2 * width // 2,
                i // 2 * height // 2,
                (i % 2 + 1) * width // 2,
                (i // 2 + 1) * height // 2,
            ),
        )
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = TURNED
    return exif


def same(got: list[tuple], wanted: list[tuple], within: int = 0) -> None:
    assert np.abs(np.subtract(got, wanted)).max() <= within, f"{got}, not {wanted}"


def slope(width: int, height: int) -> Image.Image:
    """Red says how far to the right a pixel is, green how far down."""
    down, along = np.meshgrid(
        np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij"
    )
    return Image.fromarray(np.uint8(np.stack([along, down, np.full_like(down, 90)], -1).round()))

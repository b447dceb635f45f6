"""Whatever a person takes for a picture becomes upright RGB."""

import io

import numpy as np
import pytest
from pictures_of import QUARTERS, TURNED, quarters, same, saved, turned
from PIL import Image

from explainers.pictures import open_picture


def colours(image: Image.Image) -> list[tuple]:
    """In the middle of the four quarters, row by row."""
    assert image.mode == "RGB"
    width, height = image.size
    places = [(1, 1), (3, 1), (1, 3), (3, 3)]
    return [image.getpixel((width * x // 4, height * y // 4)) for x, y in places]


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (1, 1), (5, 4000), (4000, 5)], ids=str)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_keeps_its_size_and_its_colours(kind, size):
    picture = open_picture(
        saved(quarters(*size), kind, **{"quality": 95} if kind in ("JPEG", "WEBP") else {})
    )
    assert picture.size == size
    if min(size) >= 40:
        same(
            colours(picture),
            list(QUARTERS.values()),
            within=0 if kind in ("PNG", "BMP", "TIFF") else 8,
        )


def test_a_path_its_name_and_the_bytes_of_a_file_are_one_picture(tmp_path):
    path = tmp_path / "my photo.png"
    quarters().save(path)
    for given in (
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        quarters(),
        np.asarray(quarters()),
    ):
        same(colours(open_picture(given)), list(QUARTERS.values()))


def test_what_is_transparent_is_white():
    """Fully, half, in grey, and by one colour of a palette or of the whole."""
    clear, half = quarters(mode="RGBA"), quarters(mode="RGBA")
    clear.putalpha(0)
    half.putalpha(128)
    assert colours(open_picture(saved(clear, "PNG"))) == [(255, 255, 255)] * 4
    wanted = []
    for colour in QUARTERS.values():
        wanted.append(tuple(255 - (255 - level) * 128 / 255 for level in colour))
    same(colours(open_picture(saved(half, "PNG"))), wanted, within=1)
    same(
        colours(open_picture(saved(half.convert("LA"), "PNG"))),
        [(255 - (255 - level) * 128 / 255,) * 3 for level in (76, 90, 29, 102)],
        within=1,
    )


def test_one_colour_that_stands_for_nothing_is_white():
    palette = quarters(mode="P")
    of_palette = saved(palette, "PNG", transparency=palette.getpixel((0, 0)))
    of_all = saved(quarters(), "PNG", transparency=QUARTERS["red"])
    for file in (of_palette, of_all, saved(palette, "GIF", transparency=palette.getpixel((0, 0)))):
        same(colours(open_picture(file)), [(255, 255, 255), *list(QUARTERS.values())[1:]])


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_grey_and_few_colours_become_rgb(mode):
    image = quarters(mode=mode)
    assert colours(open_picture(saved(image, "PNG"))) == colours(image.convert("RGB"))


def test_sixteen_bits_become_eight_by_their_range_and_not_the_pictures_own():
    levels = np.repeat(
        np.repeat(np.array([[0, 10000], [30000, 65535]], dtype=np.uint16), 4, 0), 4, 1
    )
    for kind in ("PNG", "TIFF"):
        assert [
            grey for grey, _, _ in colours(open_picture(saved(Image.fromarray(levels), kind)))
        ] == [0, 39, 117, 255]
    dark = Image.fromarray(np.uint16(levels // 100))
    assert max(colours(open_picture(saved(dark, "PNG")))) == (2, 2, 2), "a dark picture stays dark"


@pytest.mark.parametrize(
    "levels, wanted",
    [
        (np.float32([[0, 0.5], [1, 1]]), [0, 127, 255, 255]),
        (np.float32([[-1, 0], [1, 1]]), [0, 127, 255, 255]),
        (np.float32([[np.nan, np.inf], [0.2, 1]]), [0, 0, 51, 255]),
        (np.float32([[7, 7], [7, 7]]), [7] * 4),
        (np.int32([[0, 100], [200, 255]]), [0, 100, 200, 255]),
        (np.int32([[0, 257], [514, 65535]]), [0, 1, 2, 255]),
        (np.int32([[0, 100000], [200000, 200000]]), [0, 127, 255, 255]),
        (np.zeros((2, 2), np.float32), [0] * 4),
    ],
    ids=str,
)
def test_thirty_two_bits_are_taken_for_the_narrowest_usual_range(levels, wanted):
    picture = open_picture(saved(Image.fromarray(levels), "TIFF"))
    same(np.asarray(picture)[..., 0].flatten().tolist(), wanted, within=1)


def test_ink_becomes_light():
    picture = open_picture(saved(quarters(mode="CMYK"), "JPEG", quality=95))
    same(colours(picture), list(QUARTERS.values()), within=8)


def sixteen() -> Image.Image:
    return Image.fromarray(np.uint16(quarters(mode="L")) * 257)


@pytest.mark.parametrize(
    "image, kind",
    [
        (quarters(), "JPEG"),
        (quarters(), "PNG"),
        (quarters(), "TIFF"),
        (sixteen(), "PNG"),
        (sixteen(), "TIFF"),
        (quarters(mode="RGBA"), "PNG"),
        (quarters(mode="P"), "PNG"),
    ],
    ids=["JPEG", "PNG", "TIFF", "16-bit PNG", "16-bit TIFF", "transparent", "palette"],
)
def test_a_camera_that_was_held_sideways(image, kind):
    picture = open_picture(saved(image, kind, exif=turned()))
    top_left, top_right, bottom_left, bottom_right = colours(open_picture(image))
    assert picture.size == (40, 60)
    same(colours(picture), [bottom_left, top_left, bottom_right, top_right], within=8)
    same(colours(open_picture(picture)), colours(picture))  # once


def test_the_first_frame_of_several():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        file = saved(
            frames[0],
            kind,
            save_all=True,
            append_images=frames[1:],
            **{"lossless": True} if kind == "WEBP" else {},
        )
        assert open_picture(file).getpixel((4, 4)) == (255, 0, 0), kind


@pytest.mark.parametrize(
    "shape, colour",
    [((4, 6), (9, 9, 9)), ((4, 6, 3), (9, 9, 9)), ((4, 6, 4), (246, 246, 246))],
    ids=str,
)
def test_arrays_are_pictures(shape, colour):
    """Of four channels the last says how much of it is there."""
    picture = open_picture(np.full(shape, 9, dtype=np.uint8))
    assert picture.size == (6, 4)
    same([picture.getpixel((0, 0))], [colour], within=1)
    turned = np.arange(48, dtype=np.uint8).reshape(6, 8)[::2, ::-2]
    assert np.array_equal(np.asarray(open_picture(turned))[..., 0], turned), (
        "a view of another array"
    )


def test_what_is_given_stays_as_it_was():
    image = Image.open(io.BytesIO(saved(quarters(mode="RGBA"), "PNG", exif=turned())))
    open_picture(image)
    assert image.size == (60, 40) and image.mode == "RGBA" and image.getexif()[0x0112] == TURNED

"""Whatever a person takes for a picture becomes upright RGB, or one plain sentence; and views show
the part that the model sees.
"""

import io
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
from explainers.inputs import encode, without_ends
from explainers.pictures import MOST_PIXELS, open_picture

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


def colours(image: Image.Image) -> list[tuple]:
    """In the middle of the four quarters, row by row."""
    assert image.mode == "RGB"
    width, height = image.size
    return [image.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)]


def same(got: list[tuple], wanted: list[tuple], within: int = 0) -> None:
    assert np.abs(np.subtract(got, wanted)).max() <= within, f"{got}, not {wanted}"


def refusal(given) -> str:
    with pytest.raises(ex.Refusal) as refused:
        open_picture(given)
    said = str(refused.value)
    assert (
        "\n" not in said and said.endswith(".") and 15 < len(said) < 300 and "Error" not in said
    ), said
    return said


# ------------------------------------------------------------------------------------- what is read


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
    same(
        colours(open_picture(saved(half, "PNG"))),
        [
            tuple(255 - (255 - level) * 128 / 255 for level in colour)
            for colour in QUARTERS.values()
        ],
        within=1,
    )
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


# -------------------------------------------------------------------------------------- what is not


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds nothing: whoever decodes it fails."""
    part = lambda name, data: (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + part(b"IDAT", b"")
        + part(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "file, said",
    [
        (header_of_png(12_000, 9_000), "12,000 × 9,000 pixels; at most 64 million"),
        (header_of_png(1, MOST_PIXELS + 1), "at most 64 million"),
        (header_of_png(20_000, 20_000), "too many pixels"),
        (header_of_png(60, 40), "damaged or cannot be opened"),
    ],
    ids=["108 M", "strip", "400 M", "small"],
)
def test_a_picture_of_too_many_pixels_is_refused_undecoded(file, said, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(file)
    started = time.process_time()
    assert said in refusal(path) and refusal(path).startswith("large.png ")
    assert time.process_time() - started < 0.5


def test_a_jpeg_of_108_million_pixels_is_decoded_smaller():
    picture = open_picture(saved(Image.new("L", (12_000, 9_000), 200), "JPEG"))
    assert picture.size == (1500, 1125) and picture.getpixel((700, 700)) == (200, 200, 200)


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "notes.jpg").write_text("Dear diary,\n" * 50)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "figure.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    )  # Pillow would start Ghostscript
    (tmp_path / "folder.jpg").mkdir()
    for name in ("notes.jpg", "empty.png", "figure.eps"):
        assert (
            refusal(tmp_path / name)
            == f"{name} is not a picture that can be read; give a JPEG, PNG, WebP, GIF, BMP "
            "or TIFF."
        )
    assert refusal(tmp_path / "folder.jpg") == "folder.jpg is a folder, not a picture."
    assert refusal("") == refusal(" ") == "There is no picture: the path that was given is empty."
    assert refusal(str(tmp_path / "nowhere.jpg")) == "There is no file nowhere.jpg."
    assert (
        refusal(b"no picture")
        == refusal(b"")
        == "This picture is not a picture that can be read; give a JPEG, PNG, WebP, GIF, "
        "BMP or TIFF."
    )


@pytest.mark.parametrize(
    "path", ["", "/", ".", "a\nb.jpg", "x" * 5000, "nul\0byte.png", "/no/such/place.jpg"], ids=ascii
)
def test_paths_that_lead_nowhere(path):
    refusal(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_that_was_cut_or_spoilt_is_a_sentence_or_a_picture(kind, tmp_path):
    """Some cuts leave a whole picture behind, where the end holds nothing."""
    file, made, said = saved(quarters(200, 200), kind), np.random.default_rng(0), 0
    cut = [file[:length] for length in np.linspace(1, len(file) - 1, 40, dtype=int)]
    spoilt = [bytearray(file) for _ in range(60)]
    for one in spoilt:
        for place in made.integers(len(one), size=3):
            one[place] = made.integers(256)
    for one in [*cut, *spoilt]:
        try:
            assert open_picture(one).mode == "RGB"
        except ex.Refusal:
            said += bool(refusal(one))
    assert said > 10
    (tmp_path / "cut.file").write_bytes(file[: len(file) // 2])
    assert refusal(tmp_path / "cut.file").startswith("cut.file is damaged or cannot be opened (")


def test_a_pil_image_that_turns_out_damaged():
    file = saved(quarters(), "PNG")
    assert refusal(Image.open(io.BytesIO(file[: len(file) // 2]))).startswith(
        "This picture is damaged or cannot be opened ("
    )


@pytest.mark.parametrize(
    "given",
    [None, 3, ["a.jpg"], ("a", "b"), io.BytesIO(b""), torch.zeros(3, 8, 8), {"a": 1}],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_picture_at_all(given):
    assert refusal(given).startswith(
        "A picture is a path, the bytes of a file, a PIL image or an array of numbers; got "
    )


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((4, 4), bool),
        np.zeros((3, 5, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.array(None),
        np.array("a"),
    ],
    ids=lambda given: f"{given.dtype}{given.shape}",
)
def test_arrays_of_another_kind_or_shape(given):
    assert str(given.shape) in refusal(given) and str(given.dtype) in refusal(given)


def test_no_pixels_and_too_many_of_them():
    assert refusal(Image.new("RGB", (0, 4))) == "This picture has no pixels."
    assert "64,000,001 × 1 pixels" in refusal(np.broadcast_to(np.uint8(1), (1, MOST_PIXELS + 1)))


# ------------------------------------------------------------------------------ what the model sees

PROCESSORS = {
    "vit": ViTImageProcessorPil(),
    "deit": DeiTImageProcessorPil(),
    "clip": CLIPImageProcessorPil(),
    "beit": BeitImageProcessorPil(),
    "siglip": SiglipImageProcessorPil(),
    "beit of 2021": BeitImageProcessorPil(size={"height": 256, "width": 256}, do_center_crop=True),
    "larger": CLIPImageProcessorPil(size={"shortest_edge": 256}),
    "uncut": CLIPImageProcessorPil(
        do_center_crop=False, size={"shortest_edge": 61}
    ),  # not square, and no whole number of patches
    "as large as it is": ViTImageProcessorPil(do_resize=False),
    "cut only": DeiTImageProcessorPil(do_resize=False, crop_size={"height": 24, "width": 24}),
}


def slope(width: int, height: int) -> Image.Image:
    """Red says how far to the right a pixel is, green how far down."""
    down, along = np.meshgrid(
        np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij"
    )
    return Image.fromarray(np.uint8(np.stack([along, down, np.full_like(down, 90)], -1).round()))


@pytest.mark.parametrize(
    "size",
    [(300, 200), (200, 300), (97, 211), (40, 40), (640, 100), (1000, 90), (90, 1000)],
    ids=str,
)
@pytest.mark.parametrize("name", PROCESSORS)
def test_the_picture_of_a_view_is_the_part_that_the_model_sees(name, size):
    """Patch by patch: their mean colours in the pixels that the network gets and in the picture
    under the heat.
    """
    model = replace(tiny("vit"), processor=PROCESSORS[name])
    coded = encode(model, slope(*size))
    (rows, columns), (tall, wide) = coded.grid, model.patch
    pixels = model.rgb(coded.tensors["pixel_values"][0])[:, : rows * tall, : columns * wide]
    patches = (
        pixels.unflatten(2, (columns, wide))
        .unflatten(1, (rows, tall))
        .mean((2, 4))
        .permute(1, 2, 0)
        * 255
    )
    seen = np.asarray(coded.picture.resize((columns, rows), Image.Resampling.BOX), dtype=float)
    for corner in [(0, 0), (0, -1), (-1, 0), (-1, -1), (rows // 2, columns // 2)]:
        same(patches[corner].tolist(), seen[corner].tolist(), within=4)


@pytest.mark.parametrize("size", [(5, 4000), (4000, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("name", ["vit", "deit", "clip"])
def test_slim_and_tiny_pictures_are_seen_at_no_great_cost(name, size):
    started = time.process_time()
    coded = encode(replace(tiny("vit"), processor=PROCESSORS[name]), slope(*size))
    assert (
        coded.grid == (28, 28)
        and min(coded.picture.size) >= 1
        and time.process_time() - started < 1
    )


@pytest.mark.parametrize(
    "name, size, left",
    [
        ("clip", (5, 4000), (5, 40)),
        ("clip", (4000, 5), (40, 5)),
        ("clip", (100, 800), (100, 800)),
        ("deit", (5, 4000), (5, 4000)),
        ("cut only", (5, 4000), (5, 4000)),
        ("as large as it is", (5, 4000), (5, 4000)),
        ("uncut", (90, 1000), (90, 1000)),
    ],
    ids=str,
)
def test_the_ends_of_a_slim_picture_are_cut_before_its_shorter_side_is_enlarged(name, size, left):
    """The middle stays where nothing else is seen; all of it where all is seen and not enlarged."""
    middle = without_ends(slope(*size), PROCESSORS[name])
    assert middle.size == left
    same(
        [np.asarray(middle, dtype=float).mean((0, 1))],
        [np.asarray(slope(*size), dtype=float).mean((0, 1))],
        within=1,
    )


def test_a_slim_picture_of_which_everything_would_be_enlarged_is_refused():
    said = "too slim for this model: one side can be 8 times as long as the other at most"
    with pytest.raises(ex.Refusal, match=said):
        without_ends(slope(1000, 40), PROCESSORS["uncut"])


def test_the_picture_of_a_view_is_small_whatever_was_given():
    coded = encode(
        replace(tiny("vit"), processor=PROCESSORS["vit"]), Image.new("RGB", (1500, 1000), "red")
    )
    assert coded.picture.size == (1024, 683)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jpg"])
def test_a_very_large_picture_is_shrunk_and_still_turned(suffix, tmp_path):
    large = Image.new("RGB", (2200, 2600), "blue")
    large.paste("red", (0, 0, 1100, 1300))
    turned = Image.Exif()
    turned[274] = 6  # the camera was held so that the left side is the top
    large.save(tmp_path / f"large{suffix}", exif=turned)
    opened = ex.open_picture(tmp_path / f"large{suffix}")
    assert opened.size == (1300, 1100)
    red, _, blue = np.asarray(opened).astype(int)[100, 1200]
    assert red > 200 > 50 > blue, "what was at the top left is at the top right"

"""What is no picture, or a damaged one, is refused in one plain sentence."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
import torch
from pictures_of import quarters, saved
from PIL import Image

import explainers as ex
from explainers.pictures import MOST_PIXELS, open_picture


def refusal(given) -> str:
    with pytest.raises(ex.Refusal) as refused:
        open_picture(given)
    said = str(refused.value)
    assert (
        "\n" not in said and said.endswith(".") and 15 < len(said) < 300 and "Error" not in said
    ), said
    return said


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds nothing: whoever decodes it fails."""

    def part(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

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

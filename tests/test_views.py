"""A view shows the part of a picture that the model sees."""

import time
from dataclasses import replace

import numpy as np
import pytest
from pictures_of import same, slope
from PIL import Image
from tiny import tiny
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
from explainers.inputs import encode, without_ends

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
    said = "too narrow for this model: one side can be 8 times as long as the other at most"
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

"""Which part of a photo a processor keeps, and what it makes of black and white: measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures_of import same, slope
from PIL import Image
from tiny import tiny
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.levit.image_processing_pil_levit import LevitImageProcessorPil
from transformers.models.mobilenet_v2.image_processing_pil_mobilenet_v2 import (
    MobileNetV2ImageProcessorPil,
)
from transformers.models.mobilevit.image_processing_pil_mobilevit import MobileViTImageProcessorPil
from transformers.models.perceiver.image_processing_pil_perceiver import PerceiverImageProcessorPil
from transformers.models.poolformer.image_processing_pil_poolformer import (
    PoolFormerImageProcessorPil,
)
from transformers.models.pvt.image_processing_pil_pvt import PvtImageProcessorPil
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
import explainers.evaluation as ev
from explainers.evaluation.localisation import seen_mask
from explainers.inputs import encode
from explainers.processors import HALVES, colours_of, lens_of

SHORT = {"size": {"shortest_edge": 64}}
SQUARE = {"height": 224, "width": 224}


class Own:
    """A processor of somebody's own: it changes the picture, and leaves the rest to CLIP's."""

    def __init__(self, change, processor=None):
        self.change = change
        self.processor = processor or CLIPImageProcessorPil(
            **SHORT, crop_size={"height": 64, "width": 64}
        )

    def __call__(self, images, return_tensors=None):
        return self.processor(images=self.change(images), return_tensors="pt")


def resized(fraction: float):
    """What resizes the shorter side and cuts the middle out: how much of that side is left."""

    def box(width: int, height: int) -> tuple:
        side = fraction * min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    return box


def mirrored(width: int, height: int) -> tuple:
    left, top, right, bottom = resized(1)(width, height)
    return right, top, left, bottom


def upside_down(width: int, height: int) -> tuple:
    left, top, right, bottom = resized(1)(width, height)
    return right, bottom, left, top


def without_a_sixteenth(width: int, height: int) -> tuple:
    return width / 16, height / 16, width * 15 / 16, height * 15 / 16


WHOLE = lambda width, height: (0, 0, width, height)
HALVED = lambda picture: picture.crop((0, 0, picture.width // 2, picture.height))
MIRRORED = lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
TURNED = lambda picture: picture.transpose(Image.Transpose.ROTATE_180)

#: Processors, and the part of a photo that they keep, by what their code does.
KEEP = {
    "vit": (ViTImageProcessorPil(), WHOLE),
    "clip": (CLIPImageProcessorPil(), resized(1)),
    "convnext": (
        ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.875),
        resized(0.875),
    ),
    "convnext of 384": (ConvNextImageProcessorPil(), WHOLE),  # it squeezes without cutting
    "poolformer": (PoolFormerImageProcessorPil(), resized(224 / 248)),
    "perceiver": (PerceiverImageProcessorPil(), resized(0.875)),
    "levit": (LevitImageProcessorPil(), resized(0.875)),
    "bit": (BitImageProcessorPil(), resized(1)),
    "deit": (DeiTImageProcessorPil(), without_a_sixteenth),
    "mobilenet": (MobileNetV2ImageProcessorPil(), resized(0.875)),
    "pvt": (PvtImageProcessorPil(), WHOLE),
    "dpt": (DPTImageProcessorPil(size=SQUARE), WHOLE),
    "segformer": (SegformerImageProcessorPil(size=SQUARE), WHOLE),
    "blip": (BlipImageProcessorPil(size=SQUARE), WHOLE),
    "chinese clip": (ChineseCLIPImageProcessorPil(), resized(1)),
    "padded": (CLIPImageProcessorPil(size={"shortest_edge": 160}), resized(1.4)),
    "blue first": (MobileViTImageProcessorPil(), resized(256 / 224)),
    "uncut and unnormalised": (
        CLIPImageProcessorPil(**SHORT, do_center_crop=False, do_normalize=False, do_rescale=False),
        WHOLE,
    ),
    "mirrored": (Own(MIRRORED), mirrored),
    "upside down": (Own(TURNED), upside_down),
    "the left half": (
        Own(HALVED, ViTImageProcessorPil()),
        lambda width, height: (0, 0, width // 2, height),
    ),
}
SIZES = [(640, 360), (360, 640), (97, 211), (300, 300)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", KEEP)
def test_the_measured_part_is_the_part_that_the_processor_keeps(name, size):
    """Processors round: to whole pixels of the photo, or of what the model gets."""
    processor, keeps = KEEP[name]
    lens = lens_of(processor, size)
    wanted = keeps(*size)
    steps = [abs(wanted[i % 2 + 2] - wanted[i % 2]) / lens.shape[1 - i % 2] for i in range(4)]
    allowed = np.maximum(1, 0.75 * np.array(steps)) + 0.25
    assert (np.abs(np.subtract(lens.box, wanted)) <= allowed).all(), (lens, wanted)


@pytest.mark.parametrize(
    "size", [(256, 256), (261, 255), (512, 512), (448, 448), (1024, 768), (300, 224)], ids=str
)
def test_where_nothing_is_rounded_the_part_is_found_to_a_tenth_of_a_pixel(size):
    """Sizes at which a level of the slope is a pixel, or half of one: rounding could add up."""
    for name in ("deit", "vit"):
        processor, keeps = KEEP[name]
        found = lens_of(processor, size).box
        np.testing.assert_allclose(found, keeps(*size), atol=0.15 * max(size) / 224)


@pytest.mark.parametrize("size", [*SIZES, (24, 30), (1500, 1000)], ids=str)
@pytest.mark.parametrize("name", sorted(set(KEEP) - {"convnext of 384"}))  # too many patches
def test_the_picture_under_the_heat_is_what_the_patches_are_made_of(name, size):
    """Patch by patch: mean colours in what the network gets, with padding, and under the map."""
    model = replace(tiny("vit"), processor=KEEP[name][0])
    coded = encode(model, slope(*size))
    (rows, columns), (tall, wide) = coded.grid, model.patch
    pixels = model.rgb(coded.tensors["pixel_values"][0])[:, : rows * tall, : columns * wide]
    tiles = pixels.unflatten(2, (columns, wide)).unflatten(1, (rows, tall))
    patches = 255 * tiles.mean((2, 4)).permute(1, 2, 0)
    shown = np.asarray(coded.picture.resize((columns, rows), Image.Resampling.BOX), dtype=float)
    close_enough = np.abs(patches.numpy() - shown).max(-1) <= 6
    assert close_enough.mean() > 0.9, "edges of padding that run through a patch may differ"
    for corner in [(0, 0), (0, -1), (-1, 0), (-1, -1), (rows // 2, columns // 2)]:
        same(patches[corner].tolist(), shown[corner].tolist(), within=6)


def test_padding_is_in_the_picture_where_the_model_gets_it():
    """The crop is 224 pixels, the photo 160 high: 32 pixels above and below show no photo."""
    coded = encode(
        replace(tiny("vit"), processor=KEEP["padded"][0]), Image.new("RGB", (320, 160), "white")
    )
    assert coded.grid == (28, 28) and coded.picture.size[0] == coded.picture.size[1]
    rows = (
        np.asarray(coded.picture.resize((28, 28), Image.Resampling.BOX))[:, 14].astype(int).mean(1)
    )
    assert (rows[:4] < 8).all() and (rows[4:24] > 247).all() and (rows[24:] < 8).all()


def bent(picture: Image.Image) -> Image.Image:
    corners = (20, 30, 0, picture.height, picture.width, picture.height - 90, 500, 0)
    return picture.transform(picture.size, Image.Transform.QUAD, corners)


def darker(picture: Image.Image) -> Image.Image:
    return Image.eval(picture, lambda level: level**2 // 255)


@pytest.mark.parametrize(
    "name, change",
    {
        "turned by a quarter": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
        "tilted": lambda picture: picture.rotate(10),
        "twice": lambda picture: Image.fromarray(np.tile(np.asarray(picture), (2, 2, 1))),
        "bent": bent,
    }.items(),
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_map_that_could_not_lie_on_the_photo_is_refused(name, change):
    with pytest.raises(
        ex.Refusal,
        match="rotates, warps or splits the picture, so that a map cannot be drawn over it",
    ):
        encode(replace(tiny("vit"), processor=Own(change)), slope(640, 360))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.convert("L").convert("RGB"),
        darker,
    ],
    ids=["grey", "darker"],
)
def test_colours_that_cannot_be_undone_are_refused(change):
    with pytest.raises(ex.Refusal, match="changes colours in a way that cannot be undone"):
        encode(replace(tiny("vit"), processor=Own(change)), slope(64, 64))


def failing(picture):
    raise ImportError("\n\nThis needs Tesseract, which is not installed.\nSee its pages.\n")


@pytest.mark.parametrize(
    "processor, said",
    [
        (
            Own(failing),
            "The image processor Own does not take this picture: "
            "This needs Tesseract, which is not installed.",
        ),
        (
            lambda images, return_tensors: {"pixels": 1},
            "does not take this picture: 'pixel_values'.",
        ),
        (
            lambda images, return_tensors: {"pixel_values": torch.zeros(1, 2, 3, 8, 8)},
            "gives pixel_values of shape (1, 2, 3, 8, 8); what can be explained has shape",
        ),
    ],
    ids=["raises", "gives something else", "gives several"],
)
def test_what_a_processor_cannot_do_is_a_sentence(processor, said):
    with pytest.raises(ex.Refusal) as refused:
        encode(replace(tiny("vit"), processor=processor), slope(64, 64))
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_setting_changed_after_the_first_picture_counts():
    """What was measured is kept by the settings, not by the object."""
    processor = CLIPImageProcessorPil()
    before = lens_of(processor, (640, 360)), colours_of(processor)
    processor.do_center_crop, processor.do_normalize = False, False
    assert lens_of(processor, (640, 360)).box == (0, 0, 640, 360) != before[0].box
    assert colours_of(processor).black == (0, 0, 0) != before[1].black
    own = Own(lambda picture: picture)
    straight = lens_of(own, (640, 320)).box
    own.change = MIRRORED
    np.testing.assert_allclose(
        lens_of(own, (640, 320)).box, np.array(straight)[[2, 1, 0, 3]], atol=0.3
    )


def test_a_small_piece_of_a_large_photo_is_found_to_a_pixel():
    """24 of 4,000 pixels are less than two levels of a slope over the whole."""
    lens = lens_of(
        DeiTImageProcessorPil(do_resize=False, crop_size={"height": 24, "width": 24}), (4000, 3000)
    )
    np.testing.assert_allclose(lens.box, (1988, 1488, 2012, 1512), atol=0.3)


def test_masks_are_cut_and_padded_as_the_model_cuts_and_pads():
    whole = np.zeros((360, 640), bool)
    whole[:, 320:] = True
    for name, inside in (("convnext", 0.5), ("padded", 0.36), ("mirrored", 0.5)):
        model = replace(tiny("vit"), processor=KEEP[name][0])
        case = ev.case_of(model, ev.Example(slope(640, 360), data={"mask": whole}))
        seen = seen_mask(case, whole)
        assert abs(seen.mean() - inside) < 0.02
        right = seen[:, seen.shape[1] // 2 :].mean()
        assert right < 0.02 if name == "mirrored" else right > 0.7


# ----------------------------------------------------------------------------- black, white, grey

RANGES = {
    "usual": ({}, -1, 1),
    "not normalised": ({"do_normalize": False}, 0, 1),
    "not rescaled": ({"do_normalize": False, "do_rescale": False}, 0, 255),
    "rescaled otherwise": ({"do_normalize": False, "rescale_factor": 1 / 127.5}, 0, 2),
}


def of_range(name) -> tuple[ex.Model, float, float]:
    settings, low, high = RANGES[name]
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, **settings)
    return replace(tiny("vit"), processor=processor), low, high


@pytest.mark.parametrize("name", RANGES)
def test_black_white_and_grey_are_those_of_the_processor(name):
    model, low, high = of_range(name)
    trace = model.trace(Image.new("RGB", (32, 32), "grey"))
    filled = {
        fill: trace.fill(~trace.special_tokens[None], fill)["pixel_values"]
        for fill in ("black", "white", "mean", "blur")
    }
    for fill, wanted in (("black", low), ("white", high), ("mean", (low + high) / 2)):
        torch.testing.assert_close(
            filled[fill], torch.full_like(filled[fill], wanted), rtol=0, atol=1e-5 * high
        )
    assert (filled["blur"] - (low + high) / 2).abs().max() < 0.01 * (high - low), (
        "the blur of a grey picture is grey to its edges"
    )


@pytest.mark.parametrize("name", RANGES)
def test_pictures_made_from_tensors_have_their_own_colours(name):
    """There and back: a photo as large as the model reads it, and the pixel_values of it."""
    model, _, _ = of_range(name)
    photo = slope(32, 32)
    pixels = model.processor(images=photo, return_tensors="pt")["pixel_values"].double()
    coded = model.encode({"pixel_values": pixels})
    assert np.abs(np.asarray(coded.picture, dtype=int) - np.asarray(photo)).max() <= 1
    torch.testing.assert_close(model.normalised(model.rgb(pixels)), pixels, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", RANGES)
def test_a_climb_stays_in_the_range_that_the_model_reads(name):
    """Its start, grey, is in the middle; between black and white it stays."""
    model, low, high = of_range(name)
    seen = []
    hook = model.net.register_forward_pre_hook(
        lambda net, args, kwargs: seen.append(kwargs["pixel_values"].detach()), with_kwargs=True
    )
    try:
        made = ex.imagine(model, 0, steps=3, rate=1.0, start="grey")
    finally:
        hook.remove()
    torch.testing.assert_close(
        seen[0], torch.full_like(seen[0], (low + high) / 2), rtol=0, atol=1e-5 * high
    )
    slack = 1e-5 * high
    assert (
        all(low - slack <= one.min() and one.max() <= high + slack for one in seen)
        and seen[-1].max() > (low + high) / 2
    )
    assert made.rgb.min() >= 0 and made.rgb.max() <= 1


def test_blue_before_red_is_shown_red_first():
    model = replace(tiny("vit"), processor=KEEP["blue first"][0])
    coded = encode(model, Image.new("RGB", (256, 256), (250, 20, 90)))
    same(
        [coded.picture.getpixel((128, 128)), coded.seen.getpixel((128, 128))],
        [(250, 20, 90)] * 2,
        within=1,
    )


def test_without_a_processor_pixels_go_from_minus_one_to_one():
    levels = torch.tensor([0.0, 0.5, 1.0])[:, None, None]
    assert HALVES.pixels(levels).flatten().tolist() == [-1, 0, 1] and torch.equal(
        HALVES.rgb(HALVES.pixels(levels)), levels
    )


def test_no_file_of_the_package_reads_a_setting_of_a_processor():
    """They have other names, and other meanings, in the next processor."""
    settings = set(json.loads(CLIPImageProcessorPil().to_json_string())) - {
        "image_processor_type",
        "size",
        "resample",
    } | {"crop_pct", "image_mean"}
    for path in Path(ex.__file__).parent.rglob("*.py"):
        found = [name for name in settings if f".{name}" in path.read_text(encoding="utf-8")]
        assert not found, f"{path.name} reads {found}"

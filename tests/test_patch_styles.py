"""The photo once, smooth maps, layers, heads, and labels that stay text."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from browser import missing
from drawn_patches import SIGNED, SVG, UNSIGNED, harmless, layered, opened, photo
from drawn_words import HOSTILE, Reader
from drawn_words import heat as text_heat

import explainers as ex
from explainers.render import export, heatmaps, overlay, photo_maps
from explainers.render.look import Look

each_hostile = pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))


# ---------------------------------------------------------------------------------- the photo, once


def test_the_photo_is_in_the_html_once():
    for html in (
        heatmaps.heatmaps_html([SIGNED, UNSIGNED] * 3),
        heatmaps.heatmaps_html([layered()]),
        heatmaps.document([layered(), layered(signed=False)]),
        layered().html(),
        heatmaps.layers_html(layered(), slider=True),
    ):
        assert html.count("data:image/jpeg") == 1
        assert "<script" not in html and "id=" not in re.sub(
            r'url\([^)]*\)|href="[^"]*"', "", html
        ), "an id would clash in a notebook"
    size = lambda html: opened(re.search(r"url\((data:image/jpeg[^)]*)", html)[1]).size
    large = replace(SIGNED, picture=photo(1000, 750))
    assert size(large.html()) == (448, 336) and size(large.html(side=1000)) == (1000, 750)


def test_a_comparison_of_four_stays_small():
    four = [
        layered(12, 14, 14, picture=photo(), title=title, signed=signed)
        for title, signed in zip(("AttCAT", "GAE", "CAT", "LRP"), (True, False) * 2)
    ]
    assert len(ex.Comparison(four).html()) < 120_000
    assert len(four[0].html()) < 90_000, "with twelve layers"


def test_a_notebook_gets_no_script_and_only_the_rules_it_needs():
    html = ex.Comparison([SIGNED, UNSIGNED])._repr_html_()
    reader = harmless(html)
    assert len(reader.all("style")) == 1 and not reader.all("input")
    rules = html.split("</style>")[0]
    assert ".xp-patches" in rules and ".xp-ring" not in rules and ".xp-hollow" not in rules
    assert ".xp-patches" not in text_heat([0.1, 0.2, 0.3]).html()


def test_looks_are_variables_and_classes():
    html = heatmaps.heatmaps_html([SIGNED], Look(palette="red-blue", opacity=0.4))
    first = Reader(html).all("div", "xp")[0]
    assert "xp-red-blue" in first["class"] and first["style"] == "--xp-opacity:0.40"
    assert not Reader(html).all("input")
    controls = Reader(
        heatmaps.heatmaps_html([replace(SIGNED, pixels=torch.rand(6, 8))], Look(controls=True))
    )
    assert [one["class"] for one in controls.all("input")] == [
        "xp-to-opacity",
        "xp-to-smooth",
        "xp-to-pixels",
    ]
    assert [
        one["class"]
        for one in Reader(heatmaps.heatmaps_html([SIGNED], Look(controls=True))).all("input")
    ] == ["xp-to-opacity", "xp-to-smooth"]


# ------------------------------------------------------------------------------ smooth and by pixel


@pytest.mark.parametrize("how", ["opencv", "torch"])
def test_enlargement_is_the_same_with_and_without_opencv(how, monkeypatch):
    if how == "torch":
        monkeypatch.setattr(overlay, "opencv", lambda: None)
    elif not overlay.opencv():
        missing("OpenCV is not installed")
    scores = torch.tensor([[0.0, 1.0], [2.0, -1.0]], dtype=torch.float64)
    blocks = overlay.enlarged(scores, 4, 4)
    assert blocks.tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, -1, -1]] * 2
    smooth = overlay.enlarged(scores, 4, 4, smooth=True)
    assert smooth[0].tolist() == pytest.approx([0, 0.25, 0.75, 1]) and smooth[
        1, 1
    ] == pytest.approx(0.5 * 0.75 + 0.25 * (-0.25) + 0.25 * 0.5, abs=0.2)
    grid = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    expected = torch.nn.functional.interpolate(
        grid[None, None], (40, 56), mode="bilinear", align_corners=False
    )[0, 0]
    assert torch.allclose(overlay.enlarged(grid, 40, 56, smooth=True), expected, atol=1e-5)


def test_a_smooth_map_says_that_it_adds_nothing():
    html = heatmaps.heatmaps_html([SIGNED], Look(smooth=True))
    reader = harmless(html)
    picture = opened(reader.all("image", "xp-smooth")[0]["href"])
    assert picture.size == (4 * photo_maps.FINE, 3 * photo_maps.FINE)
    assert (
        "adds no information" in reader.all("p", "xp-if-smooth")[0]["text"]
        and "xp-smoothed" in reader.all("div", "xp")[0]["class"]
    )
    assert "adds no information" not in heatmaps.heatmaps_html([SIGNED])
    strongest = int(SIGNED.patches.abs().argmax())
    colour = picture.convert("RGBA").getpixel(
        (
            strongest % 4 * photo_maps.FINE + photo_maps.FINE // 2,
            strongest // 4 * photo_maps.FINE + photo_maps.FINE // 2,
        )
    )
    assert (
        colour[:3] == overlay.COLOURS["orange-blue"][int(SIGNED.patches.flatten()[strongest] < 0)]
        and colour[3] > 200
    )


def test_pixels_are_clipped_and_it_is_said():
    pixels = torch.full((60, 80), 0.1)
    pixels[0, 0], pixels[1, 1] = 100.0, -0.1
    one = replace(SIGNED, pixels=pixels)
    reader = harmless(heatmaps.heatmaps_html([one, UNSIGNED], Look(pixels=True)))
    picture = opened(reader.all("image", "xp-pixels")[0]["href"]).convert("RGBA")
    towards, away = overlay.COLOURS["orange-blue"]
    assert (
        picture.size == (80, 60)
        and picture.getpixel((5, 5)) == (*towards, 255)
        and picture.getpixel((1, 1)) == (*away, 255)
    )
    assert len(reader.all("image", "xp-pixels")) == 1
    assert (
        "the strongest 0.5 % of the pixels have the same colour"
        in reader.all("p", "xp-if-pixels")[0]["text"]
    )
    assert not Reader(heatmaps.heatmaps_html([UNSIGNED], Look(pixels=True))).all(
        "p", "xp-if-pixels"
    )


@pytest.mark.parametrize("signed", [True, False])
def test_a_see_through_map_has_one_colour_a_sign(signed):
    scores = torch.tensor([[1.0, -1.0, 0.5, 0.0, float("nan"), 3.0]])
    pixels = [
        opened(overlay.see_through(scores, 1.0, signed, "green-red"))
        .convert("RGBA")
        .getpixel((i, 0))
        for i in range(6)
    ]
    towards, away = overlay.COLOURS["green-red"] if signed else (overlay.MUCH, overlay.MUCH)
    assert (
        pixels[0] == (*towards, 255) and pixels[1] == (*away, 255) and pixels[5] == (*towards, 255)
    )
    assert pixels[2][:3] == towards and pixels[2][3] == pytest.approx(128, abs=6)
    assert pixels[3][3] == pixels[4][3] == 0


# --------------------------------------------------------------------------------- layers and heads


@pytest.mark.parametrize(("layers", "rows", "columns"), [(6, 8, 8), (12, 14, 14), (24, 37, 37)])
def test_the_layer_panel_is_a_picture_a_layer_and_the_totals(layers, rows, columns):
    one = layered(layers, rows, columns, picture=photo())
    html = heatmaps.layers_html(one, slider=True)
    reader = harmless(html)
    thumbs = reader.all("figure", "xp-thumb")
    assert [thumb["text"].split()[0] for thumb in thumbs] == [*one.row_labels, "Sum", "Rollout"]
    assert [float(thumb["data-scale"]) for thumb in thumbs[:layers]] == pytest.approx(
        [float(one.on_grid(one.rows).abs().max())] * layers, rel=1e-4
    )
    for thumb, scores in zip(thumbs, [*one.rows, *one.totals.values()]):
        held = [float(value.replace("−", "-")) for value in thumb["data-scores"].split(",")]
        assert held == pytest.approx(one.on_grid(scores).flatten().tolist(), rel=6e-3)
    assert all(
        thumb.get("aria-label", "").startswith(("L", "S", "R")) for thumb in reader.all("svg")[1:]
    )
    slider = reader.all("input")[0]
    assert (slider["min"], slider["max"], slider["value"]) == ("0", str(layers + 1), str(layers))
    assert len(heatmaps.layers_html(one)) < 110_000 and not Reader(heatmaps.layers_html(one)).all(
        "input"
    )
    picture = opened(reader.all("image", "xp-blocks")[-1]["href"])
    assert picture.size == (columns, rows)


def test_layers_say_which_of_them_is_the_map():
    assert "Sum adds the layers and is the map above" in heatmaps.layers_html(layered())
    last = layered(totals=False)
    assert "the last picture is the map above" in heatmaps.layers_html(
        replace(last, scores=last.rows[-1])
    )
    assert heatmaps.layers_html(SIGNED) == ""
    assert "layer by layer" in layered().html() and "layer by layer" not in layered().html(
        layers=False
    )
    assert "layer by layer" not in heatmaps.heatmaps_html([layered(), SIGNED])


def test_heads_are_small_multiples_too():
    heads = torch.randn(2, 3, 13, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    one = replace(SIGNED, heads=heads)
    html = one.heads_html(0)
    reader = harmless(html)
    assert [thumb["text"].split()[:2] for thumb in reader.all("figure", "xp-thumb")] == [
        ["head", "0"],
        ["head", "1"],
        ["head", "2"],
    ]
    assert (
        "Layer 0, head by head over the picture" in html
        and "over the patches shown" in html
        and html.count("data:image/jpeg") == 1
    )
    cells = [float(cell["data-tip"].rpartition("  ")[2]) for cell in reader.painted("td")]
    assert cells == pytest.approx(heads[..., 1:].abs().sum(-1).flatten().tolist(), rel=6e-3)
    assert html._repr_html_() == html
    with pytest.raises(ex.Refusal, match="no map by head"):
        SIGNED.heads_html()
    with pytest.raises(ex.Refusal, match="layers 0 to 1"):
        one.heads_html(2)


# ---------------------------------------------------------------------------------- typed by others


@each_hostile
def test_labels_stay_text(hostile, tmp_path):
    fields = dict.fromkeys(("title", "target", "model", "revision", "cost"), hostile) | {
        "poles": (hostile, hostile),
        "notes": [hostile],
    }
    one = replace(
        layered(2, **fields),
        row_labels=[hostile, "L1"],
        labels=[hostile, *SIGNED.labels[1:]],
        pixels=torch.rand(6, 8),
    )
    for html in (
        one.html(),
        heatmaps.heatmaps_html(
            [one, one], Look(controls=True), waiting=[hostile], refused={hostile: hostile}
        ),
        heatmaps.document([one]),
        heatmaps.layers_html(one, slider=True),
        replace(one, heads=torch.ones(2, 2, 13)).heads_html(),
    ):
        harmless(html)
    svg = ElementTree.fromstring(export.to_svg([one, one]))
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} == {
        "svg",
        "title",
        "desc",
        "metadata",
        "defs",
        "image",
        "rect",
        "g",
        "text",
        "use",
        "path",
    }
    for suffix in (".png", ".csv", ".json", ".html", ".svg"):
        one.save(tmp_path / f"map{suffix}")

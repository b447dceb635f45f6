"""Heatmaps over pictures as HTML and as files: what is drawn is what was measured, the photo is
there once, and labels stay text.
"""

import base64
import csv
import io
import json
import re
import struct
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from browser import FLAGS, ROOT, missing
from PIL import Image
from test_render import HOSTILE, Reader
from test_render import heat as text_heat

import explainers as ex
from explainers.render import (
    card,
    characters,
    colours,
    export,
    heatmaps,
    overlay,
    patches,
    photo_maps,
)
from explainers.render import look as looks
from explainers.render.look import Look

each_hostile = pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
#: Runs the page's script as Gradio does; `redraw` holds what it does after a new value.
SCRIPTED = """code => {
  window.redraw = [];
  const shown = document.querySelector('#text-compared');
  new Function('element', 'watch', code)(shown, (_, f) => redraw.push(f));
}"""
SVG = "{http://www.w3.org/2000/svg}"


def photo(width=224, height=224) -> Image.Image:
    """A picture with edges, colours and noise, so that its JPEG is as large as a photo's."""
    down, along = torch.meshgrid(
        torch.linspace(0, 6, height), torch.linspace(0, 6, width), indexing="ij"
    )
    waves = torch.stack([down.sin() * along.cos(), (down * along).sin(), (along + down).cos()], -1)
    noise = torch.randn(height, width, 3, generator=torch.Generator().manual_seed(0)) * 0.06
    return Image.fromarray(((waves / 2 + 0.5 + noise).clamp(0, 1) * 255).byte().numpy())


def heat(
    rows=3, columns=4, signed=True, before=1, scores=None, layers=None, **fields
) -> ex.Heatmap:
    """A map made by hand over a picture of 20 pixels a patch."""
    drawn = torch.randn(
        before + rows * columns,
        generator=torch.Generator().manual_seed(rows * columns),
        dtype=torch.float64,
    )
    scores = (
        (drawn if signed else drawn.abs())
        if scores is None
        else torch.as_tensor(scores, dtype=torch.float64)
    )
    fields = {
        "method": "attcat" if signed else "gae",
        "title": "AttCAT" if signed else "GAE",
        "target": "tabby cat",
        "score": 1.5,
        "poles": ("away from tabby cat", "towards tabby cat"),
        "cost": "1F 1B",
        "model": "tiny",
        "revision": "r1",
        "picture": photo(20 * columns, 20 * rows),
    } | fields
    labels = ["[CLS]", "[DIST]"][:before] + [
        f"row {i // columns + 1}, column {i % columns + 1}" for i in range(rows * columns)
    ]
    return ex.Heatmap(
        scores,
        labels,
        special_tokens=torch.arange(len(scores)) < before,
        signed=signed,
        grid=(rows, columns),
        rows=layers,
        **fields,
    )


def layered(layers=3, rows=3, columns=4, signed=True, totals=True, **fields) -> ex.Heatmap:
    drawn = torch.randn(
        layers,
        1 + rows * columns,
        generator=torch.Generator().manual_seed(layers),
        dtype=torch.float64,
    )
    drawn = drawn if signed else drawn.abs()
    made = {"Sum": drawn.sum(0), "Rollout": drawn.cumsum(0)[-1] / 2} if totals else {}
    return heat(
        rows,
        columns,
        signed,
        scores=drawn.sum(0),
        layers=drawn,
        row_labels=[f"L{i}" for i in range(layers)],
        totals=made,
        **fields,
    )


SIGNED, UNSIGNED = heat(), heat(signed=False)


def squares(html: str) -> list[dict]:
    return [element for element in Reader(html).all("rect") if "data-i" in element]


def harmless(html: str) -> Reader:
    """Nothing but known elements, no handlers, no address outside the document."""
    reader = Reader(html)
    reader.check_harmless("figure", "figcaption", "svg", "g", "rect", "title", "image", "path")
    for element in reader.elements:
        for address in re.findall(r"url\(([^)]*)\)", element.get("style", "")):
            assert address.startswith("data:image/jpeg;base64,")
    return reader


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


# ------------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("one", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_every_patch_says_its_score(one):
    found, scores = squares(heatmaps.heatmaps_html([one])), one.patches
    scale = float(scores.abs().max())
    assert len(found) == scores.numel()
    for i, (square, score) in enumerate(zip(found, scores.flatten().tolist())):
        row, column = divmod(i, 4)
        assert (square["data-i"], square["x"], square["y"]) == (str(i), str(column), str(row))
        assert square["class"] == ("mag" if not one.signed else "pos" if score > 0 else "neg")
        assert float(square["style"].removeprefix("--a:")) == pytest.approx(
            abs(score) / scale, abs=6e-3
        )
        assert square["text"] == f"row {row + 1}, column {column + 1}: {one.in_words(score)}"


def test_sign_is_more_than_colour():
    path = lambda one: [
        element["d"] for element in Reader(heatmaps.heatmaps_html([one])).all("path", "xp-signs")
    ]
    one = heat(2, 2, scores=[9.0, 1.0, -0.7, 0.5, -0.1])  # [CLS] does not set the scale
    assert path(one) == ["M0.32 0.5h.36m-.18-.18v.36M1.32 0.5h.36"]
    assert path(UNSIGNED) == []
    said = [square["text"] for square in squares(heatmaps.heatmaps_html([one]))]
    assert said[:2] == [
        "row 1, column 1: plus 1, towards tabby cat",
        "row 1, column 2: minus 0.7, away from tabby cat",
    ]


def test_the_legend_is_words():
    words = lambda heats: Reader(heatmaps.heatmaps_html(heats)).all("p", "xp-legend")[0]["text"]
    assert words([SIGNED]) == "explained: tabby cataway from tabby cattowards tabby cat"
    assert (
        words([UNSIGNED, SIGNED])
        == "explained: tabby catunsigned: littlemuchaway from tabby cattowards tabby cat"
    )


def test_a_tile_states_badge_cost_share_and_largest():
    tile = Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED])).all("figure")
    assert [one["text"].split("what the")[0] for one in tile][:1] == ["The picture"]
    told = [one["text"].replace("\u00a0", " ") for one in tile[1:]]
    for text, one in zip(told, (SIGNED, UNSIGNED)):
        assert text.startswith(one.title)
        assert (
            f"{'signed' if one.signed else 'unsigned'}1F 1B · [CLS] "
            f"{100 * one.special_share:.0f} % · max {float(one.patches.abs().max()):.2g}" in text
        )
    assert "[CLS] and [DIST]" in heatmaps.heatmaps_html([heat(before=2)]).replace("\u00a0", " ")
    assert (
        "specials" not in heatmaps.heatmaps_html([heat(before=0)])
        and "%"
        not in Reader(heatmaps.heatmaps_html([heat(before=0)])).all("p", "xp-meta")[1]["text"]
    )


def test_colours_of_files_are_those_of_the_page():
    css = card.stylesheet()
    numbers = lambda colour: " ".join(map(str, colour))
    for palette, (towards, away) in overlay.COLOURS.items():
        assert f"--xp-up:{numbers(towards)};--xp-down:{numbers(away)}" in css.replace(": ", ":"), (
            palette
        )
    assert set(overlay.COLOURS) == set(colours.PALETTES)
    assert f"--xp-much:{numbers(overlay.MUCH)}" in css.replace(": ", ":")


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_what_is_no_number_or_nothing_is_blank(signed, value):
    rows = torch.full((2, 13), value, dtype=torch.float64)
    one = replace(
        heat(signed=signed, scores=[value] * 13, pixels=torch.full((6, 8), value)),
        rows=rows,
        row_labels=["L0", "L1"],
        totals={"Sum": rows[0]},
    )
    for html in (
        heatmaps.heatmaps_html([one, one], Look(controls=True)),
        heatmaps.layers_html(one, slider=True),
        heatmaps.document([one]),
        one.html(smooth=True, pixels=True),
    ):
        reader = harmless(html)
        for square in squares(html):
            assert square["style"] == "--a:0.00" and square["class"] in ("mag", "none")
        for image in reader.all("image"):
            assert opened(image["href"]).convert("RGBA").getextrema()[3] == (0, 0)
        shown = "".join(
            element.get("style", "").partition("url(")[0] + element.get("aria-label", "")
            for element in reader.elements
        )
        assert "nan" not in shown.casefold() and "inf" not in shown.casefold()
        assert "zero everywhere" in html
    assert (
        "nan"
        not in export.to_svg([one])
        .partition("<metadata>")[2]
        .replace("not a number", "")
        .casefold()
        .split("base64")[0]
    )
    assert np.asarray(Image.open(io.BytesIO(export.to_png([one])))).size
    json.loads(export.to_json([one]), parse_constant=lambda constant: pytest.fail(constant))


@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 1), (1, 7), (8, 3), (24, 24), (25, 25), (37, 37)]
)
def test_grids_of_every_shape(rows, columns):
    one = replace(layered(2, rows, columns), picture=photo(16 * columns, 16 * rows))
    html = heatmaps.heatmaps_html([one, replace(one, signed=False, title="GAE")])
    reader = harmless(html)
    assert {element["viewbox"] for element in reader.all("svg")} == {f"0 0 {columns} {rows}"}
    assert {element["style"] for element in reader.all("div", "xp-photo")} == {
        f"aspect-ratio:{16 * columns}/{16 * rows}"
    }
    if rows * columns <= photo_maps.MOST:
        assert len(squares(html)) == 2 * rows * columns
    else:
        assert not squares(html)
        blocks = [opened(image["href"]) for image in reader.all("image", "xp-blocks")]
        assert [block.size for block in blocks] == [(columns, rows)] * 2
        assert len(html) < 120_000
    for suffix in (export.to_svg, export.to_png, export.to_csv, export.to_json):
        assert suffix([one])


def test_brief_maps_keep_their_colours_and_signs_and_leave_the_numbers_out():
    full, brief = (
        heatmaps.heatmaps_html([SIGNED, UNSIGNED], Look(brief=brief)) for brief in (False, True)
    )
    reader = harmless(brief)
    assert not squares(brief) and not reader.all("details") and len(brief) < len(full)
    assert [opened(image["href"]).size for image in reader.all("image", "xp-blocks")] == [
        (4, 3)
    ] * 2
    for kept in (("p", "xp-readout"), ("p", "xp-meta"), ("path", "xp-signs")):
        assert [(one["text"], one.get("d")) for one in reader.all(*kept)] == [
            (one["text"], one.get("d")) for one in Reader(full).all(*kept)
        ]
    assert SIGNED.html(brief=True, layers=False) == heatmaps.heatmaps_html(
        [SIGNED], Look(brief=True), layers=False
    )


def test_a_map_without_its_picture_is_still_a_grid():
    one = heat(picture=None)
    reader = harmless(heatmaps.heatmaps_html([one]))
    assert len(squares(heatmaps.heatmaps_html([one]))) == 12 and "--xp-photo" not in reader.all(
        "div", "xp-pictured"
    )[0].get("style", "")
    assert {element["style"] for element in reader.all("div", "xp-photo")} == {"aspect-ratio:4/3"}
    assert export.to_png([one]) and export.to_svg([one])


def test_the_numbers_as_a_table():
    reader = Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED]))
    rows = [element["text"] for element in reader.all("td") if "details" in element["parents"]]
    order = SIGNED.patches.flatten().abs().argsort(descending=True)[: patches.TOP].tolist()
    assert len(rows) == 2 * patches.TOP
    assert (
        rows[0::2][0] == f"row {order[0] // 4 + 1}, column {order[0] % 4 + 1}: "
        f"{characters.number(float(SIGNED.patches.flatten()[order[0]]))}"
    )
    assert [element["text"] for element in reader.all("th") if element.get("scope") == "col"] == [
        "rank",
        "AttCAT",
        "GAE",
    ]


def test_for_those_who_do_not_see_it_a_map_is_a_phrase():
    one = heat(2, 2, scores=[0.0, 0.5, -2.0, 0.0, 0.1])
    label = Reader(heatmaps.heatmaps_html([one])).all("svg")[0]
    assert label["role"] == "img"
    assert label["aria-label"] == (
        "AttCAT: strongest at row 1, column 2: minus 2, away from tabby cat; row 1, column "
        "1: plus 0.5, towards tabby cat; "
        "row 2, column 2: plus 0.1, towards tabby cat"
    )


# -------------------------------------------------------------------------- waiting, refused, mixed


def test_waiting_and_refused_methods_keep_their_place():
    reader = harmless(
        heatmaps.heatmaps_html(
            [SIGNED],
            waiting=["GAE & co"],
            refused={"DecompX": "DecompX is for <post-LN> models."},
            layers=False,
        )
    )
    assert [one["text"] for one in reader.all("figure", "xp-empty")] == [
        "DecompXDecompX is for <post-LN> models.",
        "GAE & cocomputing …",
    ]
    assert [one["style"] for one in reader.all("div", "xp-hollow")] == ["aspect-ratio:80/60"] * 2
    alone = Reader(heatmaps.heatmaps_html([], refused={"A": "No."}, waiting=["B"]))
    assert [strip["text"] for strip in alone.all("div", "xp-strip")] == ["ANo.", "Bcomputing …"]
    assert heatmaps.heatmaps_html([]) == ""


def test_pictures_come_first_and_then_texts():
    mixed = ex.Comparison(
        [
            text_heat([0.1, 0.5, -0.2]),
            SIGNED,
            text_heat([0.1, 0.3, 0.2], signed=False, title="GAE"),
            UNSIGNED,
        ]
    )
    reader = harmless(heatmaps.heatmaps_html(mixed, Look(merge=False, side=64), waiting=["CAT"]))
    cards = reader.all("div", "xp")
    assert ["svg" in one for one in cards] == [False, False] and len(cards) == 2
    assert (
        "The picture" in cards[0]["text"]
        and "computing …" in cards[0]["text"]
        and "w0" in cards[1]["text"]
        and "computing" not in cards[1]["text"]
    )
    assert len(reader.all("style")) == 1
    assert {"xp-prose", "xp-patches"} <= {
        name for element in reader.elements for name in element.get("class", "").split()
    }
    assert heatmaps.document(mixed).count("<!doctype") == 1
    svg = ElementTree.fromstring(export.to_svg(mixed))
    assert len([one for one in svg if one.tag == f"{SVG}svg"]) == 2
    assert [
        line.split(",")[0]
        for line in export.to_csv(mixed).splitlines()
        if line.startswith(('"row"', '"token"'))
    ] == ['"row"', '"token"']
    alone = [Image.open(io.BytesIO(export.to_png(group))).size for group in heatmaps.groups(mixed)]
    assert Image.open(io.BytesIO(export.to_png(mixed))).size == (
        max(width for width, _ in alone),
        sum(height for _, height in alone),
    )


def test_an_unknown_word_of_a_look_is_an_error():
    with pytest.raises(TypeError):
        SIGNED.html(colour="red")
    assert SIGNED.html(merge=False) and text_heat([0.1, 0.2, 0.3]).html(smooth=True, side=32)


def test_two_pictures_are_two_cards_and_no_two_parts_of_a_figure_share_a_name():
    two = [SIGNED, replace(UNSIGNED, picture=photo(80, 60).rotate(180))]
    assert patches_of(heatmaps.heatmaps_html(two)) == [1, 1] and patches_of(
        heatmaps.heatmaps_html([SIGNED, replace(UNSIGNED, picture=SIGNED.picture.copy())])
    ) == [2]
    names = [
        element.get("id")
        for element in ElementTree.fromstring(export.to_svg(two)).iter()
        if element.get("id")
    ]
    assert len(names) == len(set(names)) == 4
    assert (
        Image.open(io.BytesIO(export.to_png(two))).height
        > 1.5 * Image.open(io.BytesIO(export.to_png(two[:1]))).height
    )


def patches_of(html: str) -> list[int]:
    """How many maps each card has."""
    return [part.count("<svg") for part in html.split('<div class="xp-pictured"')[1:]]


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
    assert "Sum adds the layers up and is the map above" in heatmaps.layers_html(layered())
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


# -------------------------------------------------------------------------------------------- files


def test_a_png_is_the_blended_picture_with_its_origin_inside(tmp_path):
    white = Image.new("RGB", (400, 300), "white")
    one = heat(
        scores=[0.0, 1.0, -1.0, *[0.0] * 10],
        picture=white,
        options={"start": 2},
        target="Katze “müde”",
    )
    path = tmp_path / "map.PNG"
    ex.Comparison(
        [one, replace(one, signed=False, scores=one.scores.abs(), title="GAE", method="gae")]
    ).save(path)
    with Image.open(path) as file:
        file.load()
        text, picture = file.text, file.convert("RGB")
    assert (text["model"], text["revision"], text["target"], json.loads(text["score"])) == (
        "tiny",
        "r1",
        "Katze “müde”",
        1.5,
    )
    assert json.loads(text["options"]) == {"start": 2} and json.loads(text["methods"]) == [
        "attcat",
        "gae",
    ]
    pad, step, top = 20, 420, 20 + 33
    at = lambda tile, row, column: picture.getpixel(
        (pad + step * tile + 100 * column + 20, top + 100 * row + 20)
    )
    towards, away = overlay.COLOURS["orange-blue"]
    pale = overlay.grey(np.full((1, 1, 3), 255, np.uint8))[0, 0]
    mixed = lambda colour: tuple(
        round(looks.OPACITY * c + (1 - looks.OPACITY) * p) for c, p in zip(colour, pale.tolist())
    )
    assert at(0, 0, 0) == (255, 255, 255)
    assert at(1, 0, 0) == pytest.approx(mixed(towards), abs=2) and at(1, 0, 1) == pytest.approx(
        mixed(away), abs=2
    )
    assert at(2, 0, 0) == pytest.approx(mixed(overlay.MUCH), abs=2) and at(2, 0, 1) == at(2, 0, 0)
    assert at(1, 1, 1) == tuple(pale.tolist())
    assert picture.getpixel((pad + step + 50, top + 50)) == (255, 255, 255), (
        "the plus on the strongest patch"
    )


def test_blending_is_the_same_without_opencv(monkeypatch):
    pixels, scores = np.asarray(photo(40, 30)), torch.linspace(-1, 1, 1200).view(30, 40)
    with_it = overlay.blended(pixels, scores, 1.0, True, "orange-blue", 0.8)
    monkeypatch.setattr(overlay, "opencv", lambda: None)
    assert (
        np.abs(
            with_it.astype(int) - overlay.blended(pixels, scores, 1.0, True, "orange-blue", 0.8)
        ).max()
        <= 1
    )


def test_a_small_picture_is_enlarged_for_the_words_under_it():
    with Image.open(io.BytesIO(export.to_png([heat(picture=photo(64, 48))]))) as file:
        assert file.width > 2 * 320
    width, _ = struct.unpack(">II", export.to_png([heat(picture=photo(1024, 768))])[16:24])
    assert width > 2 * 1024


@pytest.mark.parametrize(
    "heats",
    [[SIGNED, UNSIGNED], [layered()], [layered(totals=False)]],
    ids=["two", "layers", "no totals"],
)
def test_a_figure_has_a_square_a_patch_and_the_photo_once(heats):
    svg = ElementTree.fromstring(export.to_svg(heats))
    found = [
        element for element in svg.iter(f"{SVG}rect") if element.find(f"{SVG}title") is not None
    ]
    maps = len(heats) if heats[0].rows is None else len(heats[0].rows) + (len(heats[0].totals) or 1)
    assert len(found) == 12 * maps
    for square in found:
        title = square.find(f"{SVG}title").text
        colour = (
            overlay.COLOURS["orange-blue"][int("minus" in title)]
            if heats[0].signed and ("minus" in title or "plus" in title)
            else overlay.MUCH
        )
        assert square.get("fill") == f"rgb{colour}" and 0 <= float(square.get("fill-opacity")) <= 1
    assert [element.get("id").split("-")[0] for element in svg.iter(f"{SVG}image")] == [
        "photo",
        "grey",
    ]
    assert {use.get("href") for use in svg.iter(f"{SVG}use")} == {
        "#" + element.get("id") for element in svg.iter(f"{SVG}image")
    }
    assert json.loads(svg.find(f"{SVG}metadata").text)["methods"] == [one.method for one in heats]


def test_csv_has_a_line_a_patch():
    comment, rest = export.to_csv([layered(2), UNSIGNED]).split("\n", 1)
    assert "tabby cat" in comment
    head, *lines = csv.reader(io.StringIO(rest))
    assert head == ["row", "column", "special", "attcat", "gae", "attcat L0", "attcat L1"]
    assert (
        lines[0][:3] == ["", "", "True"]
        and lines[1][:3] == ["1", "1", "False"]
        and lines[-1][:2] == ["3", "4"]
    )
    assert [float(line[4]) for line in lines] == pytest.approx(UNSIGNED.scores.tolist())


def test_json_has_grid_and_pixels_where_they_are_few():
    few, many = (
        json.loads(export.to_json([replace(SIGNED, pixels=torch.rand(size, size))]))
        for size in (8, 224)
    )
    assert few["grid"] == [3, 4] and few["picture_size"] == [80, 60] and len(few["scores"]) == 13
    assert np.shape(few["pixels"]) == (8, 8) and few["pixels_left_out"] is None
    assert (
        many["pixels"] is None
        and many["pixels_shape"] == [224, 224]
        and "50,176 numbers" in many["pixels_left_out"]
    )
    assert "grid" not in export.record(text_heat([0.1, 0.2, 0.3]))


def test_html_round_trip(tmp_path):
    layered().save(tmp_path / "map.html")
    reader = harmless((tmp_path / "map.html").read_text(encoding="utf-8"))
    assert "tiny (r1), explaining tabby cat, score 1.5" in "".join(reader.texts) and reader.all(
        "figure", "xp-thumb"
    )


# ------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        try:
            opened_ = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        except sync_api.Error as error:
            missing(f"no browser: {error}")
        yield opened_
        opened_.close()


@pytest.fixture
def show(browser):
    """A page with this HTML; scripted as the app does it where asked."""
    pages = []

    def show(html: str, dark=False, width=1100, scripted=False):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        pages.append(page)
        page.failures = []
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        sheet = card.stylesheet("system", controls=True)
        styles = f"<style>body{{color-scheme:light dark}}{sheet}</style>"
        page.set_content(
            html
            if html.startswith("<!doctype")
            else "<!doctype html><html "
            f'lang="en"><title>t</title>{styles}<body><main><h1>maps</h1><div '
            f'id="text-compared">{html}</div></main>'
        )
        if scripted:
            page.evaluate(
                SCRIPTED, (ROOT / "explainers/page/assets/heatmap.js").read_text(encoding="utf-8")
            )
        return page

    yield show
    for page in pages:
        assert not page.failures
        page.close()


FOUR = [
    layered(12, 14, 14, picture=photo()),
    layered(12, 14, 14, signed=False, picture=photo()),
    heat(14, 14, title="CAT", method="cat", picture=photo()),
    heat(
        14,
        14,
        title="Gradient",
        method="gradient",
        signed=False,
        picture=photo(),
        pixels=torch.rand(224, 224),
    ),
]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scripted", [False, True], ids=["static", "scripted"])
def test_axe_finds_nothing_serious_in_pictures(show, dark, scripted):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-core is not installed: pip install axe-playwright-python")
    html = (
        heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False, waiting=["CAT"])
        + heatmaps.layers_html(FOUR[0], slider=True, style=False)
        if scripted
        else heatmaps.document(FOUR)
    )
    page = show(html, dark, scripted=scripted)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = [
        violation
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert not found, [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found
    ]


@pytest.mark.browser
def test_a_browser_lays_colours_over_a_grey_photo(show):
    white = Image.new("RGB", (300, 300), (255, 40, 40))
    one = heat(3, 3, scores=[0.0, 1.0, -1.0, *[0.0] * 7], picture=white)
    page = show(
        heatmaps.document(
            [one, replace(one, signed=False, scores=one.scores.abs(), title="GAE", method="gae")]
        )
    )
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    boxes = [photo.bounding_box() for photo in page.locator(".xp-photo").all()]
    at = lambda tile, row, column: shot.getpixel(
        (
            round(boxes[tile]["x"] + boxes[tile]["width"] * (column + 0.2) / 3),
            round(boxes[tile]["y"] + boxes[tile]["height"] * (row + 0.2) / 3),
        )
    )
    assert at(0, 1, 1) == pytest.approx((255, 40, 40), abs=6), "the picture in its colours"
    grey = at(1, 2, 2)
    assert max(grey) - min(grey) <= 2
    towards, away = overlay.COLOURS["orange-blue"]
    mixed = lambda colour: tuple(
        looks.OPACITY * c + (1 - looks.OPACITY) * g for c, g in zip(colour, grey)
    )
    assert at(1, 0, 0) == pytest.approx(mixed(towards), abs=4) and at(1, 0, 1) == pytest.approx(
        mixed(away), abs=4
    )
    assert at(2, 0, 0) == at(2, 0, 1) == pytest.approx(mixed(overlay.MUCH), abs=4)


@pytest.mark.browser
def test_on_a_phone_nothing_is_cut(show):
    page = show(heatmaps.document(FOUR), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tops = {
        round(box["y"])
        for box in (tile.bounding_box() for tile in page.locator(".xp-tile").all()[:2])
    }
    assert len(tops) == 1, "two beside each other"


@pytest.mark.browser
def test_pointing_at_a_patch_tells_it_in_every_map(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    said = page.locator(".xp-readout").all_text_contents()
    page.locator("rect[data-i='17']").first.hover(force=True)
    told = page.locator(".xp-readout").all_text_contents()
    numbers = [
        f"row 2, column 4: {characters.number(float(one.patches[1, 3]), one.signed)}"
        for one in FOUR
    ]
    assert told == [said[0], *numbers]
    assert page.locator(".xp-frame.light").count() == 4
    page.mouse.move(1, 1)
    assert (
        page.locator(".xp-readout").all_text_contents() == said
        and page.locator(".xp-frame").count() == 0
    )


@pytest.mark.browser
def test_arrow_keys_go_in_both_directions(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    assert page.locator("rect[tabindex='0']").count() == 4, "one stop a map"
    focused = lambda: page.evaluate("document.activeElement.dataset.i")
    page.locator("rect[data-i='0']").first.focus()
    for key, at in (
        ("ArrowRight", "1"),
        ("ArrowDown", "15"),
        ("ArrowLeft", "14"),
        ("ArrowLeft", "14"),
        ("ArrowUp", "0"),
        ("ArrowUp", "0"),
        ("End", "195"),
    ):
        page.keyboard.press(key)
        assert focused() == at, key
    assert page.locator("rect[tabindex='0']").count() == 4


@pytest.mark.browser
def test_the_slider_lays_a_layer_over_the_large_picture(show):
    one = FOUR[0]
    page = show(heatmaps.layers_html(one, slider=True, style=False), scripted=True)
    drawn = lambda: (
        page.evaluate("""() => [...document.querySelectorAll('.xp-reading rect[data-i]')].map(
      rect => [
        rect.getAttribute('class'),
        +rect.style.getPropertyValue('--a'),
        rect.querySelector('title').textContent,
      ])""")
    )

    def check(scores, scale):
        grid = one.on_grid(scores)
        for i, ((kind, share, title), score) in enumerate(zip(drawn(), grid.flatten().tolist())):
            words = one.in_words(float(f"{score:.3g}"))
            assert (kind, title) == (
                "pos" if score > 0 else "neg",
                f"row {i // 14 + 1}, column {i % 14 + 1}: {words}",
            )
            assert share == pytest.approx(abs(score) / scale, abs=0.011)

    check(one.totals["Sum"], float(one.on_grid(one.totals["Sum"]).abs().max()))
    page.locator(".xp-thumb").nth(3).click()
    assert page.locator("output").text_content() == "L3"
    check(one.rows[3], float(one.on_grid(one.rows).abs().max()))
    page.evaluate("redraw.forEach(again => again())")
    page.wait_for_function(
        "() => document.querySelector('output').textContent === 'L3'", polling=20
    )
    assert page.locator(".xp-thumb.xp-chosen b").text_content() == "L3"
    assert page.locator(".xp-reading .xp-signs").get_attribute("d") == page.locator(
        ".xp-thumb"
    ).nth(3).locator(".xp-signs").get_attribute("d")


@pytest.mark.browser
def test_opacity_and_toggles_act_at_once_and_stay(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    seen = lambda selector: [one.is_visible() for one in page.locator(selector).all()]
    strength = lambda: page.evaluate(
        "getComputedStyle(document.querySelector('.xp-cells')).opacity"
    )
    assert strength() == "0.85" and not any(seen(".xp-smooth")) and not any(seen(".xp-note"))
    page.locator(".xp-to-opacity").fill("0.3")
    assert strength() == "0.3"
    page.locator(".xp-to-smooth").check()
    assert all(seen(".xp-smooth")) and strength() == "0" and seen(".xp-if-smooth") == [True]
    page.locator(".xp-to-pixels").check()
    assert seen(".xp-pixels") == [True] and seen(".xp-if-pixels") == [True]
    page.evaluate(
        "html => { document.querySelector('#text-compared').innerHTML = html; "
        "redraw.forEach(again => again()); }",
        heatmaps.heatmaps_html(FOUR[:2], Look(controls=True), style=False),
    )
    page.wait_for_function("() => document.querySelector('.xp-to-smooth').checked", polling=20)
    assert page.locator(".xp-to-opacity").input_value() == "0.3" and all(seen(".xp-smooth"))


@pytest.mark.browser
def test_words_and_patches_of_the_same_number_are_not_linked(show):
    page = show(
        heatmaps.heatmaps_html(
            [SIGNED, text_heat([0.1, 0.5, -0.2, 0.3])], Look(controls=True), style=False
        ),
        scripted=True,
    )
    page.locator(".xp-t").first.hover()
    assert page.locator("rect.hot").count() == 0 and page.locator(".xp-frame").count() == 0
    page.locator("rect[data-i='0']").hover(force=True)
    assert page.locator(".xp-t.hot").count() == 0 and page.locator(".xp-frame.light").count() == 1

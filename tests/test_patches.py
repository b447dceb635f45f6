"""Heatmaps over pictures as HTML: what is drawn is what was measured."""

import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from drawn_patches import SIGNED, SVG, UNSIGNED, harmless, heat, layered, opened, photo
from drawn_words import Reader
from drawn_words import heat as text_heat
from PIL import Image

import explainers as ex
from explainers.render import (
    cards,
    characters,
    colours,
    export,
    heatmaps,
    overlay,
    patches,
    photo_maps,
)
from explainers.render.look import Look


def squares(html: str) -> list[dict]:
    return [element for element in Reader(html).all("rect") if "data-i" in element]


# ------------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("one", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_every_patch_says_its_score(one):
    found, scores = squares(heatmaps.heatmaps_html([one])), one.patches
    scale = float(scores.abs().max())
    assert len(found) == scores.numel()
    for i, (square, score) in enumerate(zip(found, scores.flatten().tolist())):
        row, column = divmod(i, 4)
        assert (square["data-i"], square["x"], square["y"]) == (str(i), str(column), str(row))
        if one.signed:
            assert square["class"] == ("pos" if score > 0 else "neg")
        else:
            assert square["class"] == "mag"
        assert float(square["style"].removeprefix("--a:")) == pytest.approx(
            abs(score) / scale, abs=6e-3
        )
        assert square["text"] == f"row {row + 1}, column {column + 1}: {one.in_words(score)}"


def test_sign_is_more_than_colour():
    def path(one: ex.Heatmap) -> list[str]:
        html = heatmaps.heatmaps_html([one])
        return [element["d"] for element in Reader(html).all("path", "xp-signs")]

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
        == "explained: tabby catunsigned: lowhighaway from tabby cattowards tabby cat"
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
    css = cards.stylesheet()
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
    classes = " ".join(element.get("class", "") for element in reader.elements)
    assert {"xp-prose", "xp-patches"} <= set(classes.split())
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

"""Heatmaps over pictures as PNG, SVG, CSV, JSON and HTML."""

import csv
import io
import json
import struct
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from drawn_patches import SIGNED, SVG, UNSIGNED, harmless, heat, layered, photo
from drawn_words import heat as text_heat
from PIL import Image

import explainers as ex
from explainers.render import export, overlay
from explainers.render import look as looks


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

    def at(tile: int, row: int, column: int) -> tuple:
        return picture.getpixel((pad + step * tile + 100 * column + 20, top + 100 * row + 20))

    towards, away = overlay.COLOURS["orange-blue"]
    pale = overlay.grey(np.full((1, 1, 3), 255, np.uint8))[0, 0]

    def mixed(colour: tuple) -> tuple:
        pairs = zip(colour, pale.tolist())
        return tuple(round(looks.OPACITY * c + (1 - looks.OPACITY) * p) for c, p in pairs)

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

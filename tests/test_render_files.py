"""Heatmaps of words as JSON, CSV, SVG and PNG."""

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise, product
from xml.etree import ElementTree

import pytest
import torch
from drawn_words import SIGNED, UNSIGNED, heat, layered
from PIL import Image, ImageColor, ImageFont

import explainers as ex
from explainers.render import export, text_files, text_layout, tokens


def test_json_round_trip(sentiment, tmp_path):
    one = ex.explain(
        sentiment, "An unbelievably dull film, “boring”.", "attcat", "NEGATIVE", states="output"
    )
    one.save(tmp_path / "map.json")
    read = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps(export.record(one)))
    assert torch.equal(torch.tensor(read["scores"]), one.scores)
    assert torch.equal(torch.tensor(list(read["layers"].values())), one.rows)
    assert {
        name: torch.tensor(total).equal(one.totals[name]) for name, total in read["totals"].items()
    } == {"Sum": True, "Rollout": True}
    assert read["options"] == {"states": "output"}
    assert (read["model"], read["revision"], read["target"], read["signed"]) == (
        "sentiment",
        "bundled",
        "NEGATIVE",
        True,
    )
    assert [read["text"][slice(*span)] for span in read["spans"] if span][:2] == ["An", "un"]
    several = json.loads(export.to_json([one, one]))
    assert [record["method"] for record in several] == ["attcat", "attcat"]


def test_csv_has_a_line_a_token(sentiment):
    one, other = ex.compare(sentiment, 'An unbelievably "dull", film', ["attcat", "occlusion"])
    comment, rest = export.to_csv([one, other]).split("\n", 1)
    for fact in ("sentiment", "bundled", one.target, "attcat", "occlusion"):
        assert fact in comment
    head, *lines = csv.reader(io.StringIO(rest))
    assert head == [
        "token",
        "special",
        "attcat",
        "occlusion",
        *(f"attcat {name}" for name in one.row_labels),
    ]
    assert [line[0] for line in lines] == one.labels
    assert [line[1] == "True" for line in lines] == one.special_tokens.tolist()
    assert [float(line[2]) for line in lines] == pytest.approx(one.scores.tolist(), rel=1e-6)
    assert [float(line[3]) for line in lines] == pytest.approx(other.scores.tolist(), rel=1e-6)
    assert [float(line[-1]) for line in lines] == pytest.approx(one.rows[-1].tolist(), rel=1e-6)


@pytest.mark.parametrize(
    "heats",
    [[SIGNED], [SIGNED, UNSIGNED], [layered(6)], [layered(6), SIGNED]],
    ids=["one", "two", "layers", "mixed"],
)
def test_a_figure_has_a_square_a_score(heats):
    if len(heats) == 2 and len(heats[0]) != len(heats[1]):
        heats = [heats[0], layered(6, signed=False)]
    svg = ElementTree.fromstring(export.to_svg(heats))
    space = "{http://www.w3.org/2000/svg}"
    squares = [element for element in svg.iter(f"{space}rect") if element.get("stroke")]
    words = len(heats[0]) - 2
    rows = (
        len(heats)
        if len(heats) > 1 or heats[0].rows is None
        else len(heats[0].rows) + len(heats[0].totals)
    )
    assert len(squares) == rows * words
    titles = [square.find(f"{space}title").text for square in squares]
    assert titles[0].startswith(heats[0].labels[1] + ": ")
    for square, title in zip(squares, titles):
        signs = {"plus": "pos", "minus": "neg"}
        said = [signs[word] for word in signs if word in title]
        sign = said[-1] if said else "mag"
        assert square.get("fill") == text_files.COLOURS[sign]
        assert 0 <= float(square.get("fill-opacity")) <= 1
    width = float(svg.get("width"))
    lefts = sorted({float(square.get("x")) for square in squares})
    assert lefts[-1] < width and min(b - a for a, b in pairwise(lefts)) > 0
    origin = json.loads(svg.find(f"{space}metadata").text)
    assert origin["model"] == "tiny" and origin["target"] == "POSITIVE"
    assert any("away from POSITIVE" in (element.text or "") for element in svg.iter(f"{space}text"))


def pixels(heats, path) -> Image.Image:
    export.save(heats, path / "map.png")
    return Image.open(io.BytesIO((path / "map.png").read_bytes()))


@pytest.mark.parametrize(
    "heats",
    [[SIGNED], [UNSIGNED], [SIGNED, UNSIGNED], [layered(6)]],
    ids=["signed", "unsigned", "two", "layers"],
)
def test_pixels_have_the_colours_of_the_figure(heats, tmp_path):
    """Every square is its SVG colour over white, at the same place, its sign in the middle."""
    image = pixels(heats, tmp_path)
    laid = text_layout.text_figure(heats)
    words, rows, cell = len(laid.tokens), len(laid.rows), 2 * text_layout.CELL
    squares = [
        element
        for element in ElementTree.fromstring(export.to_svg(heats)).iter(
            "{http://www.w3.org/2000/svg}rect"
        )
        if element.get("stroke")
    ]
    found = [
        (x, y)
        for y, x in product(range(image.height), range(image.width))
        if image.getpixel((x, y)) == ImageColor.getrgb(text_files.EDGE)
    ]
    left, top = (
        min(places) - 2 for places in zip(*found)
    )  # a square's edge is one pixel of the drawing inside its cell
    assert (
        image.width >= left + cell * words
        and image.height >= top + cell * rows
        and len(squares) == words * rows
    )
    for square, (row, column) in zip(squares, product(range(rows), range(words))):
        colour, share = ImageColor.getrgb(square.get("fill")), float(square.get("fill-opacity"))
        middle = image.getpixel((left + cell * column + cell // 4, top + cell * row + cell // 4))
        assert middle == pytest.approx([255 + share * (part - 255) for part in colour], abs=1)


def test_a_png_says_what_it_is_of(tmp_path):
    image = pixels(replace(SIGNED, target="“größer”", options={"states": "output"}), tmp_path)
    assert image.mode == "RGB" and image.text["Title"] == "AttCAT: “größer”"
    assert json.loads(image.text["Description"]) == {
        "model": "tiny",
        "revision": SIGNED.revision,
        "target": "“größer”",
        "score": SIGNED.score,
        "options": {"states": "output"},
        "methods": ["attcat"],
    }


def test_a_figure_is_wide_enough_for_its_own_words(tmp_path):
    """Two words are narrower than the lines that say what the colours mean."""
    far = replace(SIGNED, poles=("away from " + "a" * 60, "towards " + "a" * 60))
    assert pixels(far, tmp_path).width > 1.8 * pixels(SIGNED, tmp_path).width
    assert float(ElementTree.fromstring(export.to_svg([far])).get("width")) > 7 * max(
        map(len, far.poles)
    )


@pytest.mark.parametrize("found", [True, False], ids=["DejaVu", "none"])
def test_a_png_of_any_script_is_written_with_whatever_font_there_is(
    found, tmp_path, sentiment, monkeypatch
):
    if not found:
        read = ImageFont.truetype

        def without_dejavu(font, *given, **how):
            return read("nowhere.ttf" if font == "DejaVuSans.ttf" else font, *given, **how)

        monkeypatch.setattr(ImageFont, "truetype", without_dejavu)
    heats = ex.compare(
        sentiment, "naïve Привет 电影 مرحبا 😀 \ud800 \x07 " + "x" * 300, ["attcat", "gae"]
    )
    assert min(pixels(heats, tmp_path).size) > 100


def test_a_png_of_a_long_text_stays_of_a_size_that_can_be_opened(tmp_path):
    n = 4 * tokens.COLUMNS
    size = [pixels(heat([0.1] * k, labels=["w"] * (k - 2)), tmp_path).size for k in (n, n + 1)]
    assert size[1][0] < 0.6 * size[0][0] and size[0][0] < 10_500


def test_an_unsigned_figure_says_how_much_only():
    svg = export.to_svg([UNSIGNED])
    assert "stronger (no direction)" in svg
    assert text_files.COLOURS["pos"] not in svg and text_files.COLOURS["neg"] not in svg


@pytest.mark.parametrize("name", ["map.pdf", "map", "map.txt", ".json"])
def test_an_unknown_suffix_is_refused(name, tmp_path):
    with pytest.raises(ex.Refusal, match=r"\.html, \.svg, \.png, \.csv or \.json; got") as refused:
        SIGNED.save(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ex.Refusal, match="could not be written"):
        SIGNED.save(tmp_path / "nowhere" / "map.json")
    SIGNED.save(tmp_path / "MAP.JSON")
    assert json.loads((tmp_path / "MAP.JSON").read_text())["method"] == "attcat"


def test_a_comparison_saves_all_its_maps(sentiment, tmp_path):
    several = ex.compare(sentiment, "a dull film", ["attcat", "gae"])
    for suffix in (".html", ".svg", ".csv", ".json"):
        several.save(tmp_path / f"maps{suffix}")
        written = (tmp_path / f"maps{suffix}").read_text(encoding="utf-8")
        assert "sentiment" in written
        for heat_ in several:
            assert heat_.title in written or heat_.method in written

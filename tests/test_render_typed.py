"""Long texts become strips, and what was typed stays text."""

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from drawn_words import SIGNED, UNSIGNED, Reader, each_hostile, heat, layered

import explainers as ex
from explainers.render import characters, export, heatmaps, prediction, tokens

# --------------------------------------------------------------------------------------- long texts


@pytest.mark.parametrize(
    ("words", "strips"), [(tokens.COLUMNS, False), (tokens.COLUMNS + 1, True), (500, True)]
)
def test_long_texts_become_strips(words, strips):
    reader = Reader(
        heatmaps.heatmaps_html([layered(words), layered(words, signed=False)], layers=False)
    )
    assert bool(reader.all("div", "xp-strip")) == strips
    assert bool(reader.all("table", "xp-map")) == (not strips)
    if strips:
        assert len(reader.all("div", "xp-strip")) == 2
        assert len([text for text in reader.texts if text.startswith("strongest: ")]) == 2


def test_strips_leave_faint_words_plain_and_keep_every_word():
    scores = [0.0, *([0.001, 1.0] * 30), 0.0]
    strip = Reader(tokens.strip(heat(scores), heat(scores).without_specials()))
    assert {element["data-i"] for element in strip.painted()} == {str(i) for i in range(1, 60, 2)}
    assert strip.all("p", "xp-prose")[0]["text"].split() == [f"w{i}" for i in range(60)]


def test_a_layer_panel_of_too_many_words_says_so():
    at_most = 4 * tokens.COLUMNS
    assert Reader(heatmaps.layers_html(layered(at_most))).all("table")
    refused = Reader(heatmaps.layers_html(layered(at_most + 1)))
    assert not refused.all("table")
    assert any(f"too many to read at {at_most + 1} words" in text for text in refused.texts)


def test_what_the_model_did_not_read_is_said(sentiment):
    one = ex.explain(sentiment, "good " * 1000, "raw_attention")
    note = f"The model reads {len(one)} tokens; {1002 - len(one):,} more were left out."
    assert one.notes == [note]
    assert [
        element["text"]
        for element in Reader(heatmaps.heatmaps_html([one, one])).all("p", "xp-note")
    ] == [note]


# ---------------------------------------------------------------------------------- typed by others


@each_hostile
def test_typed_text_stays_text_in_html(hostile):
    fields = dict.fromkeys(("title", "target", "model", "revision", "cost"), hostile) | {
        "poles": (hostile, hostile),
        "notes": [hostile],
    }
    rows = torch.tensor([[0.1, 0.5, -0.2, 0.3]])
    one = heat(
        [0.1, 0.5, -0.2, 0.3], labels=[hostile, "b"], rows=rows, row_labels=[hostile], **fields
    )
    end = len(hostile)
    other = replace(
        one,
        text=f"{hostile} b",
        spans=[None, (0, end), (end + 1, end + 2), None],
        words=[None, 0, 1, None],
    )
    for given in (one, other):
        for html in (
            heatmaps.heatmaps_html([given]),
            heatmaps.heatmaps_html([given, given], waiting=[hostile]),
            heatmaps.document([given]),
            heatmaps.document([given, given]),
            heatmaps.layers_html(given, slider=True),
            tokens.strip(given, given.without_specials()),
        ):
            reader = Reader(html)
            reader.check_harmless()
            assert characters.visible(hostile) in [
                element["text"] for element in reader.painted("span")
            ]
            assert any(
                element["aria-label"].startswith(characters.visible(hostile) + ":")
                for element in reader.painted()
            )


@each_hostile
def test_typed_text_stays_text_in_files(hostile, tmp_path):
    names = dict.fromkeys(("title", "target", "model", "revision"), hostile) | {
        "poles": (hostile, hostile)
    }
    one = heat(
        [0.1, 0.5, -0.2],
        labels=[hostile],
        rows=torch.tensor([[0.1, 0.5, -0.2]]),
        row_labels=["L0"],
        **names,
    )
    svg = ElementTree.fromstring(export.to_svg([one]))
    assert {element.tag.split("}")[1] for element in svg.iter()} == {
        "svg",
        "title",
        "desc",
        "metadata",
        "rect",
        "text",
    }
    if "\ufffe" not in hostile:
        assert any(
            (element.text or "").startswith(characters.visible(hostile)) for element in svg.iter()
        )
    assert json.loads(export.to_json([one]))["tokens"] == ["[CLS]", hostile, "[SEP]"]
    comment, *lines = export.to_csv([one]).split("\n", 1)
    assert comment.startswith("# model ")
    table = list(csv.reader(io.StringIO(lines[0])))
    assert len(table) == 4 and {len(line) for line in table} == {4}
    for suffix in (".html", ".png", ".csv", ".json"):
        one.save(tmp_path / f"map{suffix}")


@each_hostile
def test_typed_text_stays_text_in_the_prediction(hostile):
    for kind in ("probability", "probability of each label by itself", "value"):
        reader = Reader(prediction.prediction_html([hostile, "b"], [0.75, 0.25], kind))
        reader.check_harmless()
        assert characters.visible(hostile) in "".join(reader.texts)


def test_a_figure_of_any_text_is_well_formed(sentiment):
    one = ex.explain(
        sentiment, "mo\ufffevie \uffff a\x0bb\x7f \x85 \ud800 one\r\n<b>bad</b> ]]> 😀 é", "attcat"
    )
    ElementTree.fromstring(export.to_svg([one]))
    ElementTree.fromstring(export.to_svg([one, one]))


def test_nothing_is_an_open_box():
    assert characters.visible("") == "␣"
    assert all(characters.visible(chr(code)) == chr(0x2400 + code) for code in range(32))
    assert characters.visible("naïve 😀 مرحبا") == "naïve 😀 مرحبا"


def test_text_in_any_direction_says_so():
    reader = Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED]))
    assert all(element["dir"] == "auto" for element in reader.all("p", "xp-prose"))
    assert all(
        element["dir"] == "auto" for element in reader.all("span") if "thead" in element["parents"]
    )

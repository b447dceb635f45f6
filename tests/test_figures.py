"""Figures for slides and papers can be read without colour: signs, legend, text and names."""

import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from asking import question, write_file
from PIL import Image

import explainers as ex
from explainers.page.answers import maps_of, parse_question
from explainers.page.examples import EXAMPLE_FOLDER
from explainers.page.files import file_name
from explainers.render import colours, export, lettering

TEXT = "The plot 👍 is dull, but the acting is unbelievably good."
ABOUT = {
    "prediction": "the model says: POSITIVE 90.6%",
    "link": "https://example.org/?text=the+plot",
}
SPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def heats(sentiment):
    return list(ex.compare(sentiment, TEXT, ["attcat", "raw_attention"]))


def parsed(heats, about=ABOUT):
    return ElementTree.fromstring(export.to_svg(heats, about))


def texts(svg) -> list[str]:
    return [element.text for element in svg.iter(f"{SPACE}text")]


def test_a_figure_says_everything_in_words(heats, sentiment):
    svg = parsed(heats)
    said = texts(svg)
    first = heats[0].merged().without_specials()
    assert f"explained: {first.target} (logit {first.score:.3g})" in said
    assert all(line in said for line in ABOUT.values())
    assert "model: sentiment (bundled)" in said
    for word in first.labels:
        assert said.count(word) >= 2, "in the running text, and at the head of its column"
    assert said.count("AttCAT") == said.count("Raw attention") == 1
    negative, positive = first.poles
    assert [
        line
        for line in said
        if line in (f"− {negative}", f"+ {positive}", "stronger (no direction)")
    ] == [f"− {negative}", f"+ {positive}", "stronger (no direction)"]


def test_strong_scores_have_a_sign_in_the_table_and_in_the_text(heats):
    first = heats[0].merged().without_specials()
    strong = first.scores[first.scores.abs() >= colours.STRONG * first.scores.abs().max()].tolist()
    said = texts(parsed(heats))
    for sign, count in (
        ("+", sum(score > 0 for score in strong)),
        ("−", sum(score < 0 for score in strong)),
    ):
        assert said.count(sign) == 2 * count
    assert not {"+", "−"} & set(texts(parsed(heats[1:]))), "an unsigned map has none"


def test_a_figure_can_be_read_aloud_and_carries_its_origin(heats):
    svg = parsed(heats)
    first = heats[0].merged().without_specials()
    strongest = first.labels[int(first.scores.abs().argmax())]
    assert svg.get("role") == "img" and svg.find(f"{SPACE}title").text == f"AttCAT: {first.target}"
    described = svg.find(f"{SPACE}desc").text
    assert described.startswith(
        f"AttCAT for {first.target} of the model sentiment. AttCAT: {strongest} "
    )
    assert "{" not in described
    origin = json.loads(svg.find(f"{SPACE}metadata").text)
    assert origin["methods"] == ["attcat", "raw_attention"] and origin["link"] == ABOUT["link"]


def test_pictograms_stand_upright_over_their_columns(heats):
    turned = {
        element.text
        for element in parsed(heats).iter(f"{SPACE}text")
        if "rotate" in (element.get("transform") or "")
    }
    assert "plot" in turned and "👍" not in turned


def test_one_method_by_layers_is_named(heats):
    said = texts(parsed(heats[:1]))
    assert said[0] == "AttCAT, layer by layer" and "L0" in said and "Sum" in said


def test_options_are_in_the_names(sentiment):
    one = ex.explain(sentiment, TEXT, "raw_attention", head=2)
    assert any("head 2" in line for line in texts(parsed([one, one])))


def test_both_halves_of_a_pair_and_what_must_be_known_are_in_the_figure():
    one = ex.explain(
        ex.load("question-answering", device="cpu"),
        ("Who sleeps?", "A man sleeps. " * 400),
        "raw_attention",
    )
    said = texts(parsed([one]))
    assert one.notes and {"question:", "context:"} <= set(said)
    assert " ".join(said).count(one.notes[0][:40]) == 1


@pytest.mark.parametrize("text", ["Input × gradient", "−", "→", "Привет", "ñ", "␣"])
def test_signs_and_letters_are_no_boxes(text):
    assert lettering.missing_characters([text]) == ""
    drawn, box = (
        np.asarray(lettering.text_image(one, 20, "black")) for one in (text[-1], "\U0010ffff")
    )
    assert drawn.shape != box.shape or (drawn != box).any()


def test_what_no_font_has_is_said_in_the_png_alone(monkeypatch, sentiment):
    monkeypatch.setattr(lettering, "EMOJI", {})
    monkeypatch.setattr(lettering, "OTHERS", ())
    for one in (lettering.font_for, lettering.has_character, lettering.text_width):
        one.cache_clear()
    try:
        one = ex.explain(sentiment, "映画 👍 ok", "raw_attention")
        assert set(lettering.missing_characters(one.merged().labels)) == set("映画👍")
        without = ex.explain(sentiment, "film yes ok", "raw_attention")
        heights = [Image.open(io.BytesIO(export.to_png([heat]))).height for heat in (one, without)]
        assert heights[0] > heights[1] and not any("□" in line for line in texts(parsed([one])))
    finally:
        for one in (lettering.font_for, lettering.has_character, lettering.text_width):
            one.cache_clear()


def test_words_read_from_the_right_begin_there(sentiment):
    svg = parsed(list(ex.compare(sentiment, "هذا فيلم", ["raw_attention", "gae"])))
    places = {
        element.text: float(element.get("x"))
        for element in svg.iter(f"{SPACE}text")
        if element.get("font-size") == "17"
    }
    assert places["هذا"] > places["فيلم"]


def test_a_png_of_a_picture_and_texts_has_the_words():
    texts = "a photo of a cat\na photo of a dog"
    asked = question("Picture and texts", texts, picture=str(EXAMPLE_FOLDER / "cat.jpg"))
    methods = ["attcat", "raw_attention"]
    file = write_file(asked, ".png", methods)["file"]["value"]
    heats = []
    for method in methods:
        heats += maps_of(parse_question(asked), method).heats
    pictures = [heat for heat in heats if heat.grid]
    whole, alone = Image.open(file), Image.open(io.BytesIO(export.to_png(pictures)))
    assert len(pictures) < len(heats) and whole.height > alone.height + 200
    assert "a photo of a cat" in whole.text["prediction"]


def test_files_are_named_after_their_methods_and_what_they_explain():
    text = question(text="A dull, long film? Yes: " + "x" * 80)
    photo = question("Picture", picture=str(EXAMPLE_FOLDER / "cat.jpg"))
    foreign = question(text="../../映画 <b>")
    assert file_name(["attcat"], text) == "attcat_a-dull-long-film-yes-xxxxxxxxxxxxxxxxxxx"
    assert file_name(["attcat", "gae", "lrp"], photo) == "attcat-and-2-more_cat"
    assert file_name(["attcat", "gae"], foreign) == "attcat-gae_映画-b"


def test_numbers_lose_nothing_by_what_is_added(heats):
    with_it, without = json.loads(export.to_json(heats, ABOUT)), json.loads(export.to_json(heats))
    for one in with_it:
        for name in set(one) & set(ABOUT):
            del one[name]
    assert with_it == without
    assert export.to_csv(heats, ABOUT).split("\n", 1)[1] == export.to_csv(heats).split("\n", 1)[1]
    assert ABOUT["link"].replace("&", "&amp;") in export.to_html(heats, ABOUT)

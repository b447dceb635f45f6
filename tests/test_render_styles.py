"""Styles of heatmaps, and the documents that carry them."""

import pytest
from drawn_words import SIGNED, Reader, layered

import explainers as ex
from explainers.render import cards, colours, heatmaps, method_cards, prediction
from explainers.render.look import Look


def test_styles_know_every_palette_in_light_and_dark():
    for css in (cards.stylesheet(), cards.stylesheet("system")):
        assert "@dark" not in css
        assert css.count("{") == css.count("}")
        for palette in list(colours.PALETTES)[1:]:
            assert css.count(f".xp.xp-{palette}") == 2
    for host in (
        ".dark",
        '[data-jp-theme-light="false"]',
        "body.vscode-dark",
        'html[theme="dark"]',
    ):
        assert host in cards.stylesheet()
    assert "prefers-color-scheme:dark" in cards.stylesheet("system").replace(" ", "")
    assert "url(" not in cards.stylesheet() and "@import" not in cards.stylesheet()


@pytest.mark.parametrize("palette", colours.PALETTES)
def test_a_palette_is_a_class_of_the_card(palette):
    for html in (
        heatmaps.heatmaps_html([SIGNED], Look(palette=palette)),
        heatmaps.document([layered(4)], Look(palette=palette)),
        heatmaps.layers_html(layered(4), Look(palette=palette)),
    ):
        assert any(
            f"xp-{palette}" in element.get("class", "").split()
            for element in Reader(html).all("div", "xp")
        )


def test_a_notebook_gets_no_script_and_its_styles(sentiment):
    for shown in (
        ex.explain(sentiment, "a dull film"),
        ex.compare(sentiment, "a dull film", ["attcat", "gae"]),
    ):
        reader = Reader(shown._repr_html_())
        reader.check_harmless()
        assert len(reader.all("style")) == 1
        assert not reader.all("input"), "a slider without a script does nothing"


def test_a_page_is_a_whole_document_that_says_where_it_is_from():
    html = heatmaps.document([layered(5), SIGNED])
    reader = Reader(html)
    reader.check_harmless()
    assert html.startswith("<!doctype html>")
    assert reader.all("html")[0]["lang"] == "en"
    assert [element["text"] for element in reader.all("title")] == ["AttCAT: POSITIVE"]
    assert any("tiny (r1), explaining POSITIVE, score 1.5" in text for text in reader.texts)
    assert html.count("layer by layer</h3>") == 1


@pytest.mark.parametrize("kind", ["probability", "probability of each label by itself", "value"])
def test_the_prediction_in_words(kind):
    texts = Reader(
        prediction.prediction_html(
            ["a", "b", "c", "d", "e", "f", "g"], [0.5, 0.2, 0.1, 0.08, 0.06, 0.04, 0.02], kind
        )
    ).texts
    if kind == "value":
        assert texts == ["a: 0.500", "b: 0.200", "c: 0.100", "d: 0.080", "e: 0.060", "and 2 more"]
        return
    assert texts[:3] == ["a 50.0%", "b 20.0%", "c 10.0%"]
    assert "and 2 more" in texts
    assert ("each label by itself" in texts) == ("itself" in kind)


@pytest.mark.parametrize("key", ex.METHODS)
def test_every_method_has_a_card(key):
    method = ex.METHODS[key]
    reader = Reader(method_cards.method_cards_html([method], [key]))
    reader.check_harmless("ul", "li")
    assert reader.all("dt")[0]["text"] == "Formula"
    assert {"Sign", "What it cannot show", "Cost", "Paper"} <= {
        element["text"] for element in reader.all("dt")
    }
    assert all(element["text"] for element in reader.all("dd"))
    assert reader.all("a")[0]["href"] == method.url
    assert "open" in reader.all("details")[0]
    assert "open" not in Reader(method_cards.method_cards_html([method])).all("details")[0]
    assert reader.all("span", "xp-badge")[0]["text"] == ("signed" if method.signed else "unsigned")


def test_a_picture_brings_the_rules_for_what_is_in_it_and_no_others(reader):
    alone, pair = (
        ex.explain(reader, "good movie", "gradient").html(),
        ex.explain(reader, ("good movie", "bad film"), "gradient").html(),
    )
    rules = lambda html: html.split("</style>")[0]
    assert (
        ".xp-half" in rules(pair) and ".xp-half" not in rules(alone) and ".xp-prose" in rules(alone)
    )
    assert len(rules(alone)) < 0.8 * len(cards.stylesheet()) and rules(alone).count("{") == rules(
        alone
    ).count("}")

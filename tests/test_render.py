"""Heatmaps of words as HTML: what is drawn was measured."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from drawn_words import SIGNED, UNSIGNED, Reader, heat, layered

import explainers as ex
from explainers.render import characters, colours, export, heatmaps, tokens
from explainers.render.look import Look

# ------------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("one", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("specials", [False, True])
def test_colour_number_and_words_say_the_score(one, specials):
    seen = tokens.view(one, specials=specials)
    html = heatmaps.heatmaps_html([one, one], Look(specials=specials))
    painted = Reader(html).painted()
    assert len(painted) == 3 * len(seen)  # the running text and a row for each of two maps
    for element in painted:
        i = int(element["data-i"])
        score, classes = float(seen.scores[i]), element["class"].split()
        assert ("pos" in classes) == (one.signed and score > 0)
        assert ("neg" in classes) == (one.signed and score < 0)
        assert ("mag" in classes) == (not one.signed or score == 0)
        assert ("strong" in classes) == (
            one.signed and abs(score) >= colours.STRONG * float(seen.scores.abs().max())
        )
        share = float(element["style"].removeprefix("--a:"))
        assert share == pytest.approx(abs(score) / float(seen.scores.abs().max()), abs=6e-4)
        label, _, said = element["data-tip"].rpartition("  ")
        assert label == characters.isolated(seen.labels[i])
        assert float(said.replace("−", "-")) == pytest.approx(score, rel=6e-3)
        assert said.startswith(("+", "−")) == one.signed
        assert element["aria-label"] == f"{seen.labels[i]}: {one.in_words(score)}"
        if element["tag"] == "td":
            sign = "+" if score > 0 else "−"
            assert element["text"] == (sign if "strong" in classes else "")


def test_sign_is_spoken():
    said = [
        element["aria-label"]
        for element in Reader(heatmaps.heatmaps_html([SIGNED])).painted("span")
    ]
    assert said == [
        "w0: plus 0.9, towards POSITIVE",
        "w1: minus 0.3, away from POSITIVE",
        "w2: 0",
        "w3: minus 1.2, away from POSITIVE",
        "w4: plus 0.05, towards POSITIVE",
    ]
    unsigned = [
        element["aria-label"]
        for element in Reader(heatmaps.heatmaps_html([UNSIGNED])).painted("span")
    ]
    assert not any("plus" in words or "minus" in words for words in unsigned)


def test_rows_have_headers_and_one_set_of_columns():
    reader = Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED]))
    table = [
        element
        for element in reader.all()
        if "table" in element["parents"] and "details" not in element["parents"]
    ]
    columns = [element["text"] for element in table if element.get("scope") == "col"]
    assert columns == ["w0", "w1", "w2", "w3", "w4"]
    assert [element["text"].split()[0] for element in table if element.get("scope") == "row"] == [
        "AttCAT",
        "GAE",
    ]
    assert all(element["tag"] == "th" for element in table if "scope" in element)
    assert [element["text"] for element in reader.all("span", "xp-badge")] == ["signed", "unsigned"]


@pytest.mark.parametrize("signed", [True, False])
def test_an_empty_map_is_blank(signed):
    rows = torch.zeros(2, 4)
    nothing = heat(
        [0.0] * 4,
        signed=signed,
        rows=rows,
        row_labels=["L0", "L1"],
        totals={"Sum": rows[0], "Rollout": rows[0]},
        notes=["AttCAT is zero for every token here."],
    )
    for html in (
        heatmaps.heatmaps_html([nothing]),
        heatmaps.heatmaps_html([nothing, nothing]),
        heatmaps.document([nothing]),
        heatmaps.layers_html(nothing, slider=True),
    ):
        reader = Reader(html)
        assert reader.painted()
        assert {element["style"] for element in reader.painted()} == {"--a:0.000"}
        assert not any(
            {"pos", "neg", "strong"} & set(element["class"].split()) for element in reader.painted()
        )
        assert "nan" not in "".join(reader.texts).casefold()
    assert "AttCAT is zero for every token here." in Reader(heatmaps.heatmaps_html([nothing])).texts
    for text in (export.to_svg([nothing]), export.to_csv([nothing]), export.to_json([nothing])):
        assert "nan" not in text.casefold() and "inf" not in text.casefold()
    assert nothing.special_share == 0


def test_a_map_of_one_word_and_of_none():
    assert Reader(heatmaps.heatmaps_html([heat([0.1, -0.5, 0.2])])).painted()
    only_specials = heat([0.1, 0.2], labels=[])
    assert not Reader(heatmaps.heatmaps_html([only_specials, only_specials])).painted()
    ElementTree.fromstring(export.to_svg([only_specials]))
    assert heatmaps.heatmaps_html([]) == ""


def test_the_legend_is_words():
    words = lambda heats: Reader(heatmaps.heatmaps_html(heats)).all("p", "xp-legend")[0]["text"]
    assert words([SIGNED]) == "AttCATaway from POSITIVEtowards POSITIVE"
    assert words([UNSIGNED]) == "GAEunsigned: littlemuch"
    assert words([UNSIGNED, SIGNED]).startswith("GAE")
    assert "away from POSITIVE" in words([UNSIGNED, SIGNED]) and "unsigned: little" in words(
        [UNSIGNED, SIGNED]
    )


def test_a_difference_says_both_sides(sentiment):
    one = ex.explain(sentiment, "a dull film", "attcat", "NEGATIVE - POSITIVE")
    html = heatmaps.heatmaps_html([one])
    assert one.poles == ("towards POSITIVE", "towards NEGATIVE")
    legend = Reader(html).all("p", "xp-legend")[0]["text"]
    assert legend == "AttCATtowards POSITIVEtowards NEGATIVE"
    assert {
        element["aria-label"].rpartition(", ")[2] for element in Reader(html).painted("span")
    } <= set(one.poles)


def test_hidden_specials_are_stated():
    share = round(100 * SIGNED.special_share)
    assert share == round(100 * 0.6 / 3.05)
    for html in (heatmaps.heatmaps_html([SIGNED]), heatmaps.heatmaps_html([SIGNED, UNSIGNED])):
        assert any(
            f"specials {share} %" in text.replace("\u00a0", " ") for text in Reader(html).texts
        )
        assert "[CLS]" not in "".join(Reader(html).texts)
    shown = Reader(heatmaps.heatmaps_html([SIGNED], Look(specials=True)))
    assert [element["text"] for element in shown.all("span", "xp-special")] == ["[CLS]", "[SEP]"]


def test_words_are_summed_from_pieces_and_can_be_taken_apart(sentiment):
    one = ex.explain(sentiment, "An unbelievably good film!", "attcat")
    whole = Reader(heatmaps.heatmaps_html([one])).painted("span")
    assert "".join(element["text"] for element in whole) == "Anunbelievablygoodfilm!"
    assert "An unbelievably good film!" in "".join(
        Reader(heatmaps.heatmaps_html([one], style=False)).texts
    )
    pieces = Reader(heatmaps.heatmaps_html([one], Look(merge=False))).painted("span")
    assert len(pieces) == len(one) - 2 >= len(whole)
    assert "".join(element["text"] for element in pieces) == "Anunbelievablygoodfilm!"


def test_the_same_numbers_as_a_table():
    reader = Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED]))
    cells = [element["text"] for element in reader.all("td") if "details" in element["parents"]]
    assert cells[:4] == ["+0.9", "0.9", "−0.3", "0.3"]
    assert [element["text"] for element in reader.all("summary")] == ["The numbers as a table"]


def test_waiting_methods_keep_their_place():
    reader = Reader(heatmaps.heatmaps_html([SIGNED], waiting=["GAE & co", "CAT"], layers=False))
    waiting = reader.all("tr", "xp-wait")
    assert [" ".join(row["text"].split()) for row in waiting] == [
        "GAE & co computing …",
        "CAT waiting …",
    ]
    long = Reader(heatmaps.heatmaps_html([layered(50)], waiting=["CAT"], layers=False))
    assert any(strip["text"] == "CATcomputing …" for strip in long.all("div", "xp-strip"))


# ------------------------------------------------------------------------------------------- layers


def test_the_layer_panel_has_a_row_a_layer_and_the_totals():
    one = layered(4)
    reader = Reader(heatmaps.layers_html(one, slider=True))
    assert [element["text"] for element in reader.all("th") if element.get("scope") == "row"] == [
        "L0",
        "L1",
        "L2",
        "Sum",
        "Rollout",
    ]
    cells = reader.painted("td")
    expected = (
        torch.cat([one.rows, torch.stack(list(one.totals.values()))])[:, 1:-1].flatten().tolist()
    )
    assert [
        float(cell["data-tip"].split("  ")[1].replace("−", "-")) for cell in cells
    ] == pytest.approx(expected, rel=6e-3)
    scale = float(one.rows[:, 1:-1].abs().max())
    assert [float(cell["style"][4:]) for cell in cells[:12]] == pytest.approx(
        [abs(x) / scale for x in expected[:12]], abs=6e-4
    )
    slider = reader.all("input")[0]
    assert (slider["min"], slider["max"], slider["value"]) == (
        "0",
        "4",
        "3",
    )  # starts at Sum, the map itself
    assert Reader(heatmaps.layers_html(one)).all("input") == []
    assert heatmaps.layers_html(SIGNED) == ""


def test_layers_without_totals_start_the_slider_at_the_last_layer():
    one = replace(layered(4, signed=False), totals={})
    reader = Reader(heatmaps.layers_html(one, slider=True))
    assert [element["text"] for element in reader.all("th") if element.get("scope") == "row"] == [
        "L0",
        "L1",
        "L2",
    ]
    assert (reader.all("input")[0]["max"], reader.all("input")[0]["value"]) == ("2", "2")


def test_a_single_layered_map_brings_its_panel():
    assert "layer by layer" in heatmaps.heatmaps_html([layered(4)])
    assert "layer by layer" not in heatmaps.heatmaps_html([layered(4)], layers=False)
    assert "layer by layer" not in heatmaps.heatmaps_html([layered(4), SIGNED])


def test_the_layer_panel_says_which_row_is_the_map(reader):
    rows = {
        key: heatmaps.layers_html(ex.explain(reader, "good movie", key))
        for key in ("rollout", "lrp")
    }
    assert (
        "the last row is the map above" in rows["rollout"]
        and "the first row is the map above" in rows["lrp"]
    )


def test_methods_without_a_map_are_folded_away_with_their_reasons():
    without_maps = heatmaps.methods_without_map_html
    assert without_maps({}) == ""
    said = without_maps({"DecompX": "not <b>for</b> this"})
    assert "1 method has no map here" in said and "not &lt;b&gt;for&lt;/b&gt; this" in said
    assert (
        without_maps({"A": "a", "B": "b"})
        in ex.Comparison(ex.compare(ex.load("sentiment"), "dull", ["attcat"]), {"A": "a", "B": "b"})
        .merged()
        .html()
    )

"""Heatmaps as HTML and as files: what is drawn was measured, and what was typed stays text."""

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image, ImageColor, ImageFont

import explainers as ex
from explainers.render import (
    card,
    characters,
    colours,
    export,
    heatmaps,
    maps,
    method_cards,
    prediction,
    text_figure,
    text_files,
    tokens,
)
from explainers.render.look import Look

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)",
    "</span></td></style>",
    "&lt;b&gt; &amp; &#60;",
    "{{7*7}} ${7*7} {value}",
    "javascript:alert(1)",
    "]]>",
    "<!-- -->",
    "a\x00b\x1bc\x07",
    "line\nbreak\ttab",
    "mo\ufffevie",
    "😀👩\u200d👩\u200d👧",
    "مرحبا\u200f",
]
ALLOWED = {
    "html",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "p",
    "span",
    "b",
    "i",
    "strong",
    "h3",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "a",
    "label",
    "input",
    "output",
}
VOID = {"meta", "input", "img", "br"}
each_hostile = pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))


class Reader(HTMLParser):
    """What a browser would be told: elements with their attributes and text.

    Raises at a tag that is not closed where it should be.
    """

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {[element['tag'] for element in self.open]}"

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes), (
            f"an attribute twice in <{tag}>"
        )
        element = {
            "tag": tag,
            "text": "",
            "parents": [one["tag"] for one in self.open],
            **dict(attributes),
        }
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1]["tag"] == tag, (
            f"</{tag}> closes {[element['tag'] for element in self.open]}"
        )
        self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)
        for element in self.open:
            element["text"] += data

    def all(self, tag: str | None = None, kind: str | None = None) -> list[dict]:
        return [
            element
            for element in self.elements
            if (tag is None or element["tag"] == tag)
            and (kind is None or kind in element.get("class", "").split())
        ]

    def painted(self, tag: str | None = None) -> list[dict]:
        return [
            element
            for element in self.elements
            if "data-i" in element and (tag is None or element["tag"] == tag)
        ]

    def check_harmless(self, *also: str):
        for element in self.elements:
            assert element["tag"] in ALLOWED | set(also)
            for name, value in element.items():
                assert not name.startswith("on")
                assert name not in ("href", "src") or value.startswith(
                    ("https://", "data:image/png;base64,")
                )


def heat(scores, labels=None, **fields) -> ex.Heatmap:
    """A map made by hand: [CLS] first, [SEP] last."""
    labels = labels or [f"w{i}" for i in range(len(scores) - 2)]
    fields = {
        "method": "attcat",
        "title": "AttCAT",
        "target": "POSITIVE",
        "score": 1.5,
        "signed": True,
        "poles": ("away from POSITIVE", "towards POSITIVE"),
        "cost": "1F 1B",
        "model": "tiny",
        "revision": "r1",
    } | fields
    special_tokens = torch.tensor([True, *[False] * (len(scores) - 2), True])
    return ex.Heatmap(
        torch.tensor(scores, dtype=torch.float64),
        ["[CLS]", *labels, "[SEP]"],
        special_tokens=special_tokens,
        **fields,
    )


def layered(words: int, signed: bool = True) -> ex.Heatmap:
    rows = torch.randn(
        3, words + 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    rows = rows if signed else rows.abs()
    return heat(
        rows.sum(0).tolist(),
        signed=signed,
        rows=rows,
        row_labels=["L0", "L1", "L2"],
        totals={"Sum": rows.sum(0), "Rollout": rows.flip(0).cumsum(0)[-1]},
    )


SIGNED = heat([0.5, 0.9, -0.3, 0.0, -1.2, 0.05, 0.1])
UNSIGNED = heat([0.5, 0.9, 0.3, 0.0, 1.2, 0.05, 0.1], signed=False, method="gae", title="GAE")


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
        assert label == seen.labels[i]
        assert float(said.replace("−", "-")) == pytest.approx(score, rel=6e-3)
        assert said.startswith(("+", "−")) == one.signed
        assert element["aria-label"] == f"{seen.labels[i]}: {one.in_words(score)}"
        if element["tag"] == "td":
            assert element["text"] == ("" if "strong" not in classes else "+" if score > 0 else "−")


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


# ------------------------------------------------------------------ pairs, answers, what comes next


def pair(scores=(0.1, 0.5, -0.4, 0.0, 0.2, 0.3, 0.05), **fields) -> ex.Heatmap:
    """[CLS] when ? [SEP] in 1894 [SEP], a question and its context; the answer is 1894."""
    one = heat(
        list(scores),
        labels=["when", "?", "[SEP]", "in", "1894"],
        text="when?\nin 1894",
        words=[None, 0, 1, None, 2, 3, None],
        spans=[None, (0, 4), (4, 5), None, (6, 8), (9, 13), None],
        segments=[None, 0, 0, None, 1, 1, None],
        halves=("question", "context"),
        **{"marked": (9, 13)} | fields,
    )
    return replace(one, special_tokens=torch.tensor([True, False, False, True, False, False, True]))


@pytest.mark.parametrize("specials", [False, True])
def test_a_pair_is_two_strips_on_one_scale(specials):
    one = pair()
    reader = Reader(heatmaps.heatmaps_html([one], Look(specials=specials)))
    assert [name["text"] for name in reader.all("span", "xp-half-name")] == ["question", "context"]
    halves = [paragraph["text"] for paragraph in reader.all("p") if "dir" in paragraph]
    assert halves == (["[CLS]when? [SEP]", "in 1894 [SEP]"] if specials else ["when?", "in 1894"])
    shares = {word["text"]: float(word["style"][4:]) for word in reader.painted("span")}
    assert shares["when"] == 1 and shares["1894"] == pytest.approx(0.6)


def test_columns_of_a_pair_are_grouped_and_parted():
    reader = Reader(heatmaps.heatmaps_html([pair(), replace(pair(), method="cat", title="CAT")]))
    assert [
        (cell["text"], cell["colspan"])
        for cell in reader.all("th")
        if cell.get("scope") == "colgroup"
    ] == [("question", "2"), ("context", "2")]
    assert [cell["data-i"] for cell in reader.all("td", "xp-cut")] == ["2", "2"]
    assert [cell["text"] for cell in reader.all("th", "xp-cut")] == ["in"]
    assert [cell["text"] for cell in reader.all("th") if cell.get("scope") == "rowgroup"] == [
        "question",
        "context",
    ]
    assert not Reader(heatmaps.heatmaps_html([SIGNED, UNSIGNED])).all("td", "xp-cut")


def test_the_explained_span_is_framed_and_named():
    reader = Reader(heatmaps.heatmaps_html([pair(), pair()]))
    (frame,) = reader.all("span", "xp-marked")
    assert (frame["text"], frame["aria-label"], frame["role"]) == (
        "1894",
        "explained: 1894",
        "group",
    )
    assert [cell["text"] for cell in reader.all("th", "xp-marked")] == ["1894"]
    assert "what is explained" in reader.all("p", "xp-legend")[0]["text"]
    wide = Reader(heatmaps.heatmaps_html([pair(marked=(6, 13))])).all("span", "xp-marked")
    assert [frame["text"] for frame in wide] == ["in 1894"]
    none = Reader(heatmaps.heatmaps_html([pair(marked=None)]))
    assert (
        not none.all("span", "xp-marked")
        and "what is explained" not in none.all("p", "xp-legend")[0]["text"]
    )


@each_hostile
def test_typed_pairs_and_next_tokens_stay_text(hostile):
    text = f"when?\n{hostile}"
    one = replace(
        pair(marked=(6, len(text))),
        text=text,
        spans=[None, (0, 4), (4, 5), None, (6, 6 + len(hostile)), (6 + len(hostile),) * 2, None],
        halves=(hostile, "context"),
    )
    following = heat([0.1, 0.2, 0.3], pending=hostile)
    for html in (
        heatmaps.heatmaps_html([one, one]),
        heatmaps.document([one]),
        heatmaps.heatmaps_html([following]),
        heatmaps.heatmaps_html([one], refused={hostile: hostile}),
        heatmaps.heatmaps_html([], refused={hostile: hostile}),
    ):
        Reader(html).check_harmless()
    ElementTree.fromstring(export.to_svg([one, one]))
    ElementTree.fromstring(export.to_svg([following]))


def test_the_next_token_waits_behind_the_text():
    reader = Reader(heatmaps.heatmaps_html([heat([0.1, 0.2, 0.3], pending=" Paris")]))
    (chip,) = reader.all("span", "xp-pending")
    assert (chip["text"], chip["aria-label"]) == (
        "␣Paris",
        "the next token that is explained: ␣Paris",
    )


def test_files_carry_halves_span_and_next_token():
    one = pair()
    record = export.record(one)
    assert (record["halves"], record["segments"], record["explained_span"]) == (
        ["question", "context"],
        one.segments,
        (9, 13),
    )
    assert [line[2] for line in csv.reader(export.to_csv([one]).splitlines()[1:])] == [
        "part",
        *["question"] * 4,
        *["context"] * 3,
    ]
    assert "question | context" in export.to_svg([one])
    assert export.record(heat([0.1, 0.2, 0.3], pending=" Paris"))["next_token"] == " Paris"


def test_a_method_that_is_not_for_this_input_says_why_in_its_row():
    reader = Reader(
        heatmaps.heatmaps_html(
            [SIGNED], refused={"AttAttr": "AttAttr takes at most 9 tokens."}, waiting=["CAT"]
        )
    )
    row = next(row for row in reader.all("tr", "xp-wait") if "AttAttr" in row["text"])
    assert "AttAttr takes at most 9 tokens." in row["text"]
    assert "AttAttr takes at most 9 tokens." in "".join(
        Reader(
            heatmaps.heatmaps_html([layered(50)], refused={"A": "AttAttr takes at most 9 tokens."})
        ).texts
    )
    alone = Reader(heatmaps.heatmaps_html([], refused={"A": "No."}, waiting=["B"]))
    assert [strip["text"] for strip in alone.all("div", "xp-strip")] == ["ANo.", "Bcomputing …"]


# ----------------------------------------------------------------------------------- heads and maps


def headed(**fields) -> ex.Heatmap:
    heads = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return replace(pair(), heads=heads, scores=heads.sum((0, 1)), **fields)


@pytest.mark.parametrize("specials", [False, True])
def test_heads_have_a_table_of_layers_and_one_of_words(specials):
    one = headed()
    seen = tokens.view(one, specials=specials)
    reader = Reader(one.heads_html(0, specials=specials))
    reader.check_harmless()
    cells = [
        float(cell["data-tip"].rpartition("  ")[2].replace("−", "-"))
        for cell in reader.painted("td")
    ]
    sums, words = seen.heads.abs().sum(-1).flatten().tolist(), seen.heads[0].flatten().tolist()
    assert cells == pytest.approx(sums + words, rel=6e-3)
    assert [row["text"] for row in reader.all("th") if row.get("scope") == "row"] == [
        "L0",
        "L1",
        "head 0",
        "head 1",
        "head 2",
    ]
    assert [row["text"].strip() for row in reader.all("tr", "xp-chosen")] == ["L0"]
    assert {cell["text"] for cell in reader.all("th") if cell.get("scope") == "colgroup"} == {
        "question",
        "context",
    }
    assert one.heads_html()._repr_html_().count("<style") == 1


def test_heads_that_are_not_there_are_refused():
    with pytest.raises(ex.Refusal, match="no map by head"):
        SIGNED.heads_html()
    with pytest.raises(ex.Refusal, match="layers 0 to 1"):
        headed().heads_html(2)


def test_what_is_no_number_is_blank_and_said():
    nan = float("nan")
    one = headed(rows=torch.tensor([[nan] * 7, [0.1] * 7]), row_labels=["L0", "L1"])
    one.heads[1, 2] = nan
    for html in (
        one.heads_html(1),
        heatmaps.layers_html(one),
        one.heads_html(0),
        heatmaps.document([one]),
    ):
        reader = Reader(html)
        for cell in reader.painted():
            assert "nan" not in (cell["style"] + cell["data-tip"] + cell["aria-label"]).casefold()
            if "not a number" in cell["data-tip"]:
                assert cell["style"] == "--a:0.000" and "none" in cell["class"].split()
    assert "NaN" not in export.to_json([one]) and "nan" not in export.to_svg([one]).casefold()
    assert (
        Reader(replace(headed(), heads=torch.zeros(2, 3, 7)).heads_html()).all("p", "xp-sub")[1][
            "text"
        ]
        == "Every number is zero here."
    )


@pytest.mark.parametrize("signed", [False, True])
def test_a_token_map_is_a_grid_with_its_numbers(signed):
    matrix = torch.tensor(
        [[0.5, 0.25, 0.0], [0.1, 0.2, float("nan")], [-1.0 if signed else 1.0, 0.0, 0.5]]
    )
    reader = Reader(maps.token_map(["a", "<b>", "c"], matrix, title="<i>"))
    reader.check_harmless()
    cells = reader.painted("td")
    assert [cell["data-tip"].split("  ")[0] for cell in cells[:3]] == ["a ← a", "a ← <b>", "a ← c"]
    assert [float(cell["style"][4:]) for cell in cells] == pytest.approx(
        [0.5, 0.25, 0, 0.1, 0.2, 0, 1, 0, 0.5]
    )
    assert ("neg" in cells[6]["class"].split()) == signed and cells[5]["data-tip"].endswith(
        "not a number"
    )
    assert sum(cell["tabindex"] == "0" for cell in cells) == 1


def test_a_token_map_of_another_shape_or_of_too_much_is_refused():
    with pytest.raises(ex.Refusal, match=r"\(2, 2\)"):
        maps.token_map(["a", "b"], torch.zeros(3, 3))
    with pytest.raises(ex.Refusal, match="at most 64"):
        maps.token_map(["a"] * 65, torch.zeros(65, 65))
    assert "Every number is zero here." in maps.token_map(["a"], torch.zeros(1, 1))


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
    assert any(f"at {at_most + 1} words it would be unreadable" in text for text in refused.texts)


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


# ----------------------------------------------------------------------------- styles and documents


def test_styles_know_every_palette_in_light_and_dark():
    for css in (card.stylesheet(), card.stylesheet("system")):
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
        assert host in card.stylesheet()
    assert "prefers-color-scheme:dark" in card.stylesheet("system").replace(" ", "")
    assert "url(" not in card.stylesheet() and "@import" not in card.stylesheet()


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
    reader.check_harmless()
    assert reader.all("dt")[0]["text"] == "Formula"
    assert {"Sign", "What it cannot show", "Cost", "Paper"} <= {
        element["text"] for element in reader.all("dt")
    }
    assert all(element["text"] for element in reader.all("dd"))
    assert reader.all("a")[0]["href"] == method.url
    assert "open" in reader.all("details")[0]
    assert "open" not in Reader(method_cards.method_cards_html([method])).all("details")[0]
    assert reader.all("span", "xp-badge")[0]["text"] == ("signed" if method.signed else "unsigned")


# -------------------------------------------------------------------------------------------- files


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
        sign = "neg" if "minus" in title else "pos" if "plus" in title else "mag"
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
    laid = text_figure.text_figure(heats)
    words, rows, cell = len(laid.tokens), len(laid.rows), 2 * text_figure.CELL
    squares = [
        element
        for element in ElementTree.fromstring(export.to_svg(heats)).iter(
            "{http://www.w3.org/2000/svg}rect"
        )
        if element.get("stroke")
    ]
    found = [
        (x, y)
        for y in range(image.height)
        for x in range(image.width)
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
    for square, (row, column) in zip(
        squares, [(row, column) for row in range(rows) for column in range(words)]
    ):
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
        monkeypatch.setattr(
            ImageFont,
            "truetype",
            lambda font, *given, **how: read(
                "nowhere.ttf" if font == "DejaVuSans.ttf" else font, *given, **how
            ),
        )
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
    assert "how much, not which way" in svg
    assert text_files.COLOURS["pos"] not in svg and text_files.COLOURS["neg"] not in svg


@pytest.mark.parametrize("name", ["map.pdf", "map", "map.txt", ".json"])
def test_an_unknown_suffix_is_refused(name, tmp_path):
    with pytest.raises(ex.Refusal, match=r"\.html, \.svg, \.png, \.csv, \.json") as refused:
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


def test_a_picture_brings_the_rules_for_what_is_in_it_and_no_others(reader):
    alone, pair = (
        ex.explain(reader, "good movie", "gradient").html(),
        ex.explain(reader, ("good movie", "bad film"), "gradient").html(),
    )
    rules = lambda html: html.split("</style>")[0]
    assert (
        ".xp-half" in rules(pair) and ".xp-half" not in rules(alone) and ".xp-prose" in rules(alone)
    )
    assert len(rules(alone)) < 0.8 * len(card.stylesheet()) and rules(alone).count("{") == rules(
        alone
    ).count("}")


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

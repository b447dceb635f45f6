"""Pairs, answers, heads and maps of tokens as HTML and as files."""

import csv
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from drawn_words import SIGNED, UNSIGNED, Reader, each_hostile, heat, layered, pair

import explainers as ex
from explainers.render import export, heatmaps, maps, tokens
from explainers.render.look import Look

# ------------------------------------------------------------------ pairs, answers, what comes next


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


def headed(**fields) -> ex.Heatmap:
    heads = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return replace(pair(), heads=heads, scores=heads.sum((0, 1)), **fields)


# ----------------------------------------------------------------------------------- heads and maps


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

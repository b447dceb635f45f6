"""Token scores: what merging, leaving out and shares do to the numbers, by value."""

from dataclasses import replace

import pytest
import torch

from explainers import Heatmap, Refusal
from explainers.token_scores import TokenScores, pick, tokens_by_word, word_span


def scores(values=(0.4, 1.0, -0.25, 0.5, -0.3), **fields) -> TokenScores:
    """[CLS] un ##believably dull [SEP], with special tokens of both signs."""
    count = len(values)
    given = {
        "labels": ["[CLS]", "un", "##believably", "dull", "[SEP]"],
        "special_tokens": torch.tensor([True, False, False, False, True]),
        "text": "unbelievably dull",
        "spans": [None, (0, 2), (2, 12), (12, 17), None],
        "words": [None, 0, 0, 1, None],
        "rows": torch.arange(2.0 * count).view(2, count),
        "row_labels": ["L0", "L1"],
        "heads": torch.ones(2, 3, count),
        "totals": {"Sum": torch.arange(1.0 * count)},
    } | fields
    return TokenScores(
        torch.tensor(values), method="m", title="M", target="t", score=0.0, signed=True, **given
    )


def test_the_share_of_special_tokens_adds_up_sizes_whatever_their_signs():
    assert scores().special_share == pytest.approx((0.4 + 0.3) / 2.45)
    assert scores((0.0,) * 5).special_share == 0
    assert scores().without_specials().special_share == 0


def test_merging_adds_up_the_scores_of_a_word_everywhere():
    merged = scores().merged()
    assert merged.labels == ["[CLS]", "unbelievably", "dull", "[SEP]"]
    assert merged.spans == [None, (0, 12), (13, 17), None], "without the space before a word"
    assert merged.words == [None, 0, 1, None]
    assert merged.special_tokens.tolist() == [True, False, False, True]
    torch.testing.assert_close(merged.scores, torch.tensor([0.4, 0.75, 0.5, -0.3]))
    assert merged.layer_scores.tolist() == [[0, 3, 3, 4], [5, 13, 8, 9]]
    assert merged.head_scores[1, 2].tolist() == [1, 2, 1, 1]
    assert merged.totals["Sum"].tolist() == [0, 3, 3, 4]
    assert len(merged) == 4 and merged.merged().labels == merged.labels


def test_without_words_there_is_nothing_to_merge():
    bare = scores(words=None)
    assert bare.merged() is bare


def test_leaving_out_special_tokens_keeps_the_rest():
    bare = scores(segments=[None, 0, 0, 1, None], halves=("a", "b")).without_specials()
    assert bare.labels == ["un", "##believably", "dull"] and bare.segments == [0, 0, 1]
    assert bare.spans == [(0, 2), (2, 12), (12, 17)] and bare.words == [0, 0, 1]
    torch.testing.assert_close(bare.scores, torch.tensor([1.0, -0.25, 0.5]))
    assert bare.layer_scores.tolist() == [[1, 2, 3], [6, 7, 8]]
    assert bare.heads.shape == (2, 3, 3) and bare.totals["Sum"].tolist() == [1, 2, 3]


def test_one_layer_is_a_map_of_its_own():
    assert scores().layer(-1).scores.tolist() == [5, 6, 7, 8, 9]
    assert scores().layer(1).title == "M, L1" and scores().layer(1).rows is None
    for index in (2, -3):
        with pytest.raises(Refusal, match=r"rows 0 to 1"):
            scores().layer(index)
    with pytest.raises(Refusal, match="no map by layer"):
        scores(rows=None).layer(0)


def test_parts_that_are_not_there_are_refused_by_name():
    with pytest.raises(Refusal, match=r"only pictures have patches"):
        _ = scores().patches
    with pytest.raises(Refusal, match="no map by head"):
        _ = scores(heads=None).head_scores


def test_patches_are_the_last_tokens_row_by_row():
    one = scores((9.0, 1.0, 2.0, 3.0, 4.0), grid=(2, 2), text=None)
    assert one.patches.tolist() == [[1, 2], [3, 4]]
    assert one.on_grid(one.layer_scores).shape == (2, 2, 2)


def test_a_special_token_belongs_to_the_text_before_it():
    one = scores(segments=[None, 0, None, 1, None], halves=("first", "second"))
    assert [one.half(i) for i in range(5)] == [0, 0, 0, 1, 1]
    assert [one.starts_half(i) for i in range(5)] == [True, False, False, True, False]
    assert one.table()["part"].tolist() == ["first"] * 3 + ["second"] * 2


def test_what_is_marked_are_the_tokens_that_overlap_it():
    one = scores(marked=(11, 13))
    assert [one.is_marked(i) for i in range(5)] == [False, False, True, True, False]
    assert one.marked_text == "y "


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.5, "plus 0.5, plus"),
        (-0.25, "minus 0.25, minus"),
        (0.0, "0"),
        (float("nan"), "not a number"),
    ],
)
def test_a_score_in_words(score, words):
    assert scores().in_words(score) == words


def test_a_heatmap_stays_a_heatmap():
    given = {name: getattr(scores(), name) for name in TokenScores.__dataclass_fields__}
    heat = Heatmap(**given)
    assert type(heat.merged().without_specials().layer(0)) is Heatmap
    assert repr(heat) == "Heatmap(M, explaining t, 5 tokens)"
    assert repr(scores()) == "TokenScores(M, explaining t, 5 tokens)"


def test_old_names_are_the_same_numbers():
    one = scores()
    assert one.special is one.special_tokens and one.layers is one.rows
    assert scores(rows=None).layers is None
    assert len(one) == 5


def test_what_is_not_given_is_empty_and_is_nobodys():
    """The defaults of every field; a default that two maps shared would be one list."""
    given = {"method": "m", "title": "M", "target": "t", "score": 1.5, "signed": True}
    tokens = {"labels": ["a"], "special_tokens": torch.tensor([False])}
    bare, other = (TokenScores(torch.ones(1), **given, **tokens) for _ in range(2))
    assert (bare.unit, bare.poles, bare.pending, bare.cost) == ("score", ("minus", "plus"), "", "")
    assert (bare.model, bare.revision, bare.halves) == ("", "", ())
    for name in ("rows", "heads", "text", "spans", "words", "segments", "marked", "grid"):
        assert getattr(bare, name) is None, name
    assert bare.picture is None and bare.seen is None and bare.pixels is None
    for name in ("row_labels", "totals", "options", "facts", "notes"):
        assert not getattr(bare, name) and getattr(bare, name) is not getattr(other, name), name


def test_the_fields_of_a_map_are_those_and_two_maps_of_equal_numbers_are_two():
    shown = repr(TokenScores.__dataclass_fields__["picture"].repr)
    assert shown == repr(TokenScores.__dataclass_fields__["seen"].repr) == "False"
    assert scores() != scores() and len({scores(), scores()}) == 2
    with pytest.raises(AttributeError):
        scores().score = 1.0


def test_special_tokens_may_hold_all_or_none_of_a_tiny_sum():
    assert scores((0.5, 0.0, 0.0, 0.0, 0.0)).special_share == 1
    assert scores((0.0, -0.5, 0.0, 0.0, 0.0)).special_share == 0
    assert scores((0.25, 0.25, 0.0, 0.0, 0.0)).special_share == 0.5


def test_merging_needs_words_and_text_and_spans():
    for missing in ("words", "text", "spans"):
        bare = scores(**{missing: None})
        assert bare.merged() is bare, missing
    assert scores(segments=None).merged().segments is None
    pair = scores(segments=[None, 0, 0, 1, None], halves=("a", "b")).merged()
    assert pair.segments == [None, 0, 1, None] and pair.halves == ("a", "b")


def test_parts_that_are_missing_stay_missing_where_tokens_are_left_out():
    bare = scores(rows=None, heads=None, totals={}).without_specials()
    assert bare.rows is None and bare.heads is None and bare.totals == {}
    nothing = scores(spans=None, words=None, segments=None).without_specials()
    assert nothing.spans is None and nothing.words is None and nothing.segments is None
    assert nothing.special_tokens.tolist() == [False, False, False]


def test_one_layer_leaves_the_maps_of_the_others_behind():
    one = scores().layer(0)
    assert one.title == "M, L0" and one.scores.tolist() == [0, 1, 2, 3, 4]
    assert one.rows is None and one.heads is None
    assert one.row_labels == [] and one.totals == {}
    assert scores().layer(-2).scores.tolist() == [0, 1, 2, 3, 4]


def test_a_token_without_characters_is_called_by_its_label():
    one = scores()
    assert [one.span(i) for i in range(5)] == [None, (0, 2), (2, 12), (12, 17), None]
    found = [one.characters(i) for i in range(5)]
    assert found == ["[CLS]", "un", "believably", " dull", "[SEP]"]
    assert scores(spans=None).span(1) is None
    assert scores(spans=None).characters(2) == "##believably"
    assert scores(text=None).characters(2) == "##believably"


def test_nothing_is_marked_without_a_text_or_a_mark():
    assert scores().marked_text == "" == scores(marked=(0, 2), text=None).marked_text
    assert not any(scores().is_marked(i) for i in range(5))
    touching = scores(marked=(2, 12))
    assert [touching.is_marked(i) for i in range(5)] == [False, False, True, False, False]


def test_the_tokens_of_one_text_of_a_pair_and_of_no_pair():
    one = scores(segments=[None, 0, None, 1, None], halves=("first", "second"))
    assert one.tokens_of_half(0) == [0, 1, 2] and one.tokens_of_half(1) == [3, 4]
    alone = scores()
    assert alone.tokens_of_half(0) == alone.tokens_of_half(1) == [0, 1, 2, 3, 4]
    assert alone.half(4) == 0 and not any(alone.starts_half(i) for i in range(5))


def test_a_score_of_a_method_without_signs_has_no_pole():
    one = replace(scores(), signed=False)
    assert one.in_words(0.5) == "0.5" and one.in_words(-1234.5) == "−1230"
    assert scores(poles=("away", "towards")).in_words(1.23456) == "plus 1.23, towards"
    assert scores().in_words(float("inf")) == "not a number"


def test_the_table_has_a_row_a_token_and_a_column_a_layer():
    table = scores().table()
    assert list(table.columns) == ["token", "score", "special", "L0", "L1"]
    assert table["token"].tolist() == scores().labels
    assert table["score"].tolist() == pytest.approx([0.4, 1.0, -0.25, 0.5, -0.3])
    assert table["special"].tolist() == [True, False, False, False, True]
    assert table["L1"].tolist() == [5, 6, 7, 8, 9]
    assert list(scores(rows=None).table().columns) == ["token", "score", "special"]


def test_words_are_grouped_by_their_number_and_special_tokens_stand_alone():
    assert tokens_by_word([None, 0, 1, 0, None, None]) == [[0], [1, 3], [2], [4], [5]]
    assert tokens_by_word([]) == []
    assert word_span("a bcd e", [(4, 5), (1, 3), None]) == (2, 5)
    assert word_span("a bcd e", [None, (1, 3)]) is None
    assert pick(None, [0]) is None and pick("abc", [2, 0]) == ["c", "a"]

"""Token scores: what merging, leaving out and shares do to the numbers, by value."""

import pytest
import torch

from explainers import Heatmap, Refusal
from explainers.token_scores import TokenScores


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
        with pytest.raises(Refusal, match="rows 0 to 1"):
            scores().layer(index)
    with pytest.raises(Refusal, match="no map by layer"):
        scores(rows=None).layer(0)


def test_parts_that_are_not_there_are_refused_by_name():
    with pytest.raises(Refusal, match="only pictures have patches"):
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

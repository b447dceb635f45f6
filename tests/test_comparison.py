"""Maps of one input beside each other: what is drawn, and how the columns of a table are called."""

from dataclasses import replace

import pytest
import torch

from explainers import Heatmap
from explainers.heatmap import Comparison


def heat(method: str = "attcat", **changes) -> Heatmap:
    """[CLS] un ##kind words, with three layers of two heads."""
    given = {
        "labels": ["[CLS]", "un", "##kind", "words"],
        "special_tokens": torch.tensor([True, False, False, False]),
        "text": "unkind words",
        "spans": [None, (0, 2), (2, 6), (7, 12)],
        "words": [None, 0, 0, 1],
        "rows": torch.arange(12.0).view(3, 4),
        "row_labels": ["L1", "L2", "L3"],
        "heads": torch.ones(3, 2, 4),
    } | changes
    return Heatmap(
        torch.tensor([0.5, 1.0, -0.25, 0.75]),
        method=method,
        title=method.upper(),
        target=given.pop("target", "POSITIVE"),
        score=1.0,
        signed=True,
        **given,
    )


def test_layers_are_drawn_unless_they_are_not_wanted():
    one = heat()
    assert "L2" in one.html() and "L2" not in one.html(layers=False)
    assert one.html() == one.html(layers=True) == one._repr_html_()
    assert one.heads_html() == one.heads_html(layer=-1) == one.heads_html(2) != one.heads_html(1)


def test_a_comparison_draws_all_maps_and_names_those_that_are_missing():
    both = Comparison([heat(), heat("rollout")], {"IG": "it needs embeddings"})
    html = both.html()
    assert html == both._repr_html_()
    assert "ATTCAT" in html and "ROLLOUT" in html and "it needs embeddings" in html
    assert html.index("ATTCAT") < html.index("ROLLOUT") < html.index("it needs embeddings")
    assert "L2" not in html and "L2" in both.html(layers="all")
    alone = Comparison([heat()])
    assert "L2" in alone.html() and "L2" not in alone.html(layers=False)
    assert Comparison().left_out == {} and list(Comparison()) == []


def test_what_a_comparison_does_it_does_to_every_map():
    both = Comparison([heat(), heat("rollout")], {"IG": "no"})
    merged, bare = both.merged(), both.without_specials()
    for changed in (merged, bare):
        assert type(changed) is Comparison and changed.left_out == {"IG": "no"}
    assert [one.labels for one in merged] == [["[CLS]", "unkind", "words"]] * 2
    assert [one.labels for one in bare] == [["un", "##kind", "words"]] * 2


def test_a_method_that_stands_once_is_a_column_by_its_key():
    table = Comparison([heat(), heat("rollout")]).table()
    assert list(table.columns) == ["token", "attcat", "rollout"]
    assert table["token"].tolist() == ["[CLS]", "un", "##kind", "words"]
    assert list(Comparison([heat()]).table().columns) == ["token", "attcat"]
    assert table["rollout"].tolist() == [0.5, 1.0, -0.25, 0.75]


def test_a_method_that_stands_twice_is_a_column_by_its_target_and_its_options():
    first = heat()
    second = replace(first, target="NEGATIVE", options={"fill": "pad", "levels": 5})
    table = Comparison([first, second]).table()
    assert list(table.columns) == [
        "token",
        "attcat: POSITIVE",
        "attcat: NEGATIVE: fill=pad, levels=5",
    ]


@pytest.mark.parametrize("ending", ["csv", "html", "json"])
def test_one_map_and_several_are_saved_by_the_ending_of_the_path(ending, tmp_path):
    one, both = tmp_path / f"one.{ending}", tmp_path / f"both.{ending}"
    heat().save(one)
    Comparison([heat(), heat("rollout")]).save(both)
    assert "attcat" in one.read_text(encoding="utf-8").lower()
    assert "rollout" not in one.read_text(encoding="utf-8").lower()
    assert "rollout" in both.read_text(encoding="utf-8").lower()

"""The table of a run and the sentences around it, by value."""

import math

import pandas as pd
import pytest
from small_files import written

from explainers.evaluation import Example
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import (
    Plan,
    report,
    shards,
    tables,
)

NAN = math.nan


# ------------------------------------------------------------------------------------------ report


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.12345, 0.1, 0.2), "0.123 (0.100 to 0.200)"),
        ((-9.9996, NAN, NAN), "-10.000"),
        ((10.0, 9.0, 11.0), "10.0 (9.0 to 11.0)"),
        ((-12.34, -13, -12), "-12.3 (-13.0 to -12.0)"),
        ((NAN, NAN, NAN), "–"),
        ((math.inf, 1, 2), "–"),
    ],
)
def test_a_cell_has_as_many_digits_as_can_be_read(numbers, text):
    row = {("aopc", edge): value for edge, value in zip(("mean", "low", "high"), numbers)}
    assert report.cell(row, "aopc") == text


def table_of(**columns) -> pd.DataFrame:
    """Means of methods a and b, without intervals: column=(mean of a, mean of b, n)."""
    rows = {}
    for place, method in enumerate("ab"):
        rows[method] = {}
        for name, numbers in columns.items():
            edges = {"mean": numbers[place], "low": NAN, "high": NAN, "n": numbers[2]}
            rows[method] |= {(name, edge): value for edge, value in edges.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def test_six_columns_stand_beside_each_other_and_seven_below():
    names = [f"m{k}" for k in range(7)]
    table = table_of(**{name: (1.0, 2.0, 3) for name in names})
    shown = [report.Shown(name, name, f"{name} ↑") for name in names]
    assert report.lines_of(table, shown[:6])[:3] == [
        "| method | " + " | ".join(f"m{k} ↑" for k in range(6)) + " |",
        "|---|---|---|---|---|---|---|",
        "| `a` | " + " | ".join(["1.000"] * 6) + " |",
    ]
    turned = report.lines_of(table, shown)
    assert turned[:3] == ["| metric | `a` | `b` |", "|---|---|---|", "| m0 ↑ | 1.000 | 2.000 |"]
    assert len(turned) == 9


def test_titles_have_options_only_where_two_columns_have_one_metric():
    table = table_of(**{"aopc:levels=2": (1, 2, 3), "aopc": (1, 2, 3), "infidelity": (1, 2, 3)})
    both = report.shown_columns(table, ["aopc:levels=2", "aopc", "infidelity"])
    assert [one.title for one in both] == ["aopc:levels=2 ↑", "aopc ↑", "infidelity ↓"]
    assert [one.title for one in report.shown_columns(table, ["aopc:levels=2"])] == ["aopc ↑"]
    assert [one.column for one in both] == ["aopc:levels=2", "aopc", "infidelity"]


def test_the_report_says_what_it_is_of():
    data = Dataset("d", [Example("x", None, str(k)) for k in range(3)])
    none = pd.DataFrame([], columns=tables.LEFT_OUT)
    table = table_of(aopc=(1.0, 2.0, 3))
    for target, words in ((None, "the predicted class"), ("label", "the gold class"), ("A", "A")):
        plan = Plan("m", ("a", "b"), ("aopc",), target, seed=4)
        paragraphs = report.markdown(table, none, data, plan, "").split("\n\n")
        assert paragraphs[0] == f"d, 3 examples; model m; explained: {words}; seed 4."
        assert len(paragraphs) == 3
    assert paragraphs[1].splitlines()[2:] == ["| `a` | 1.000 |", "| `b` | 2.000 |"]
    assert paragraphs[2] == (
        "Means over the examples, with 95% bootstrap intervals. "
        "↑ higher is better, ↓ lower. Measured: `aopc`.\n"
    )
    noted = report.markdown(table, none, data, plan, "A note.").split("\n\n")
    assert noted[1] == "A note." and len(noted) == 4


def test_how_many_examples_there_were():
    left_out = pd.DataFrame(
        [["1", None, None, "no"], ["1", None, None, "no"], ["2", "gae", None, "no"]],
        columns=tables.LEFT_OUT,
    )
    data = Dataset("d", [Example("x")] * 5, [{"id": "1", "reason": "no"}])
    assert report.count_examples(data, left_out) == 4
    assert report.count_examples(data, left_out[2:]) == 6


def test_a_metric_of_some_examples_says_of_how_many():
    table = table_of(whole=(1, 2, 9), some=(1, 2, 4), none=(NAN, NAN, 0))
    table.loc["b", ("some", "n")] = 6
    shown = [report.Shown(name, name, name) for name in ("whole", "some", "none")]
    names = ["whole", "some", "none"]
    assert report.where_defined(table, shown, names, 9) == [
        "`some` is defined for 4 to 6 of 9 examples."
    ]
    table.loc["b", ("some", "n")] = 4
    assert report.where_defined(table, shown, ["some"], 1200) == [
        "`some` is defined for 4 of 1,200 examples."
    ]
    assert report.where_defined(table, shown, ["some"], 4) == []


def test_what_was_left_out_is_counted_by_its_kind():
    rows = [
        ["1", None, None, "1 is odd."],
        ["2", None, None, "2 is odd."],
        ["3", "gae", None, "no map"],
        ["4", "gae", "aopc", "no number"],
        ["5", "gae", "aopc", "no number"],
        ["6", "gae", "aopc", "no number"],
    ]
    left_out = pd.DataFrame(rows, columns=tables.LEFT_OUT)
    assert report.grouped_reasons(left_out) == {"no number": 3, "it is odd.": 2, "no map": 1}
    assert report.said_of(left_out) == (
        "Left out: 2 examples and 1 single map and 3 single numbers "
        "(3: no number; 2: it is odd; 1: no map); each is in left_out.csv."
    )
    assert report.said_of(left_out[2:3]) == (
        "Left out: 1 single map (1: no map); each is in left_out.csv."
    )
    assert list(report.grouped_reasons(left_out[:1])) == ["1 is odd."]


@pytest.mark.parametrize(("count", "end"), [(5, "1: r4)"), (6, "1: r4; 1 other reasons)")])
def test_five_reasons_are_named(count, end):
    rows = [["x", None, None, f"r{k}"] for k in range(count)]
    said = report.said_of(pd.DataFrame(rows, columns=tables.LEFT_OUT))
    assert end in said


@pytest.mark.parametrize(
    ("reason", "id", "general"),
    [
        ("a/b.png is odd", "a/b.png", "it is odd"),
        ("b.png is odd", "a/b.png", "it is odd"),
        ("12 is odd, 123 is not", "12", "it is odd, 123 is not"),
        ("xb.png is odd", "b.png", "xb.png is odd"),
        ("is odd", "", "is odd"),
    ],
)
def test_a_reason_is_general_without_the_name_of_the_example(reason, id, general):
    assert report.without_name(reason, id) == general


# ------------------------------------------------------------------------------------------ tables


def test_the_rows_of_all_shards_stand_together(tmp_path):
    made = []
    for k, row in enumerate(({"id": "a", "checkpoint": "w", "x": 1}, {"id": "b", "reason": "no"})):
        made.append(shards.Shard(k, [], written(tmp_path / f"{k}.parquet", [row])))
    rows = tables.rows_of(made)
    assert list(rows) == ["id", "x", "reason", "method", "metric"] and rows["id"].tolist() == [
        "a",
        "b",
    ]
    assert rows.index.tolist() == [0, 1]
    data = Dataset("d", [], [{"id": "c", "reason": "empty"}])
    found = tables.all_left_out(data, rows[1:])
    assert list(found) == tables.LEFT_OUT
    assert found["id"].tolist() == ["c", "b"] and found["reason"].tolist() == ["empty", "no"]


def test_the_own_column_of_a_metric_in_parts_is_left_out():
    records = pd.DataFrame([[1, 2, 3]], columns=["aopc", "masking", "masking.aopc"])
    found = tables.without_names_of_parts(records, ["aopc", "masking"])
    assert list(found) == ["aopc", "masking.aopc"]


def test_texts_in_a_csv_are_quoted(tmp_path):
    frame = pd.DataFrame({"a": ["x,y"], "b": [1]}, index=["i"])
    tables.write_csv(frame, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == '"","a","b"\n"i","x,y",1\n'
    tables.write_csv(frame, tmp_path / "a.csv", index=False)
    assert (tmp_path / "a.csv").read_text() == '"a","b"\n"x,y",1\n'

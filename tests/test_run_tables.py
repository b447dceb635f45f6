"""Tables of a run: what is left out is counted and named, what is not defined says so."""

import math
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from running import PLAN, texts

import explainers as ex
from explainers.evaluation import Example
from explainers.evaluation.data import Dataset, read
from explainers.evaluation.localisation import COUNTS, average_precision
from explainers.evaluation.runs import Plan, evaluate, means, report, tables


def test_the_bar_moves_more_often_for_pictures(tmp_path):
    for name, inputs, shards in (("pictures", tmp_path / "a.png", 3), ("texts", "a film", 1)):
        evaluate(
            Dataset(name, [Example(inputs, None, str(k)) for k in range(30)]),
            PLAN,
            tmp_path / name,
            work=numbered,
            quiet=True,
        )
        assert len(list((tmp_path / name).glob("shards/*.parquet"))) == shards


def numbered(examples) -> list[dict]:
    """Work without a model: aopc is the id if below 90, comprehensiveness is never defined."""
    return [
        {
            "id": one.id,
            "method": "attcat",
            "target": "POSITIVE",
            "comprehensiveness": math.nan,
            "aopc": float(one.id) if int(one.id) < 90 else math.nan,
        }
        for one in examples
    ]


def test_a_table_says_what_is_not_defined(tmp_path):
    data = Dataset(
        "numbers", [Example("a film", None, str(k % 95)) for k in range(100)]
    )  # five ids are there twice
    result = evaluate(data, PLAN, tmp_path, work=numbered, quiet=True)
    assert (
        result.markdown.startswith("numbers, 100 examples;")
        and "`aopc` is defined for 95 of 100 examples." in result.markdown
    )
    assert (
        "| comprehensiveness ↑ |" in result.markdown
        and "| – |" in result.markdown
        and "`comprehensiveness` is defined" not in result.markdown
    )
    alone = evaluate(
        Dataset("one", data.examples[5:6]), PLAN, tmp_path / "one", work=numbered, quiet=True
    )
    assert "| 5.000 | – |" in alone.markdown and math.isnan(
        alone.table.loc["attcat", ("aopc", "low")]
    )


def test_intervals_of_many_examples_are_made_in_parts():
    values = np.random.default_rng(0).random(5000)
    first = means.interval(values, 0)
    tracemalloc.start()
    assert means.interval(values, 0) == first != means.interval(values, 1)
    assert tracemalloc.get_traced_memory()[1] < 1e7, "5000 examples resampled 2000 times are 80 MB"
    tracemalloc.stop()


def test_metrics_and_parts_that_cannot_be_measured(tmp_path):
    """Of some examples or of none: the others are kept, and who lacks what is written down."""
    half = Dataset(
        "half",
        [
            replace(one, label=one.label if k % 2 else None)
            for k, one in enumerate(texts(4).examples)
        ],
    )
    plan = Plan("sentiment", ("attcat",), ("aopc", "masking", "precision_at_k"), baselines=False)
    result = evaluate(half, plan, tmp_path, shard=1, quiet=True)
    assert list(result.records) == [
        "id",
        "method",
        "target",
        "aopc",
        "precision_at_k",
        "masking.aopc",
        "masking.accuracy",
    ]
    assert list(result.table.xs("n", axis=1, level=1).loc["attcat"]) == [4, 2, 2, 0]
    assert (
        "`masking` is defined for 2 of 4 examples." in result.markdown
        and "Left out: 6 single numbers (4: Precision@K needs" in result.markdown
    )
    written = pd.read_csv(tmp_path / "left_out.csv", dtype=str)
    assert list(written) == ["id", "method", "metric", "reason"] and sorted(
        written[written["metric"] == "masking"]["id"]
    ) == ["0", "2"]


def test_pixels_that_are_pooled_are_those_of_defined_pictures():
    columns = [f"segmentation.{part}" for part in ("pixel_accuracy", *COUNTS)]
    frame = pd.DataFrame(
        [["gae", *[4.0] * 7], ["gae", *[math.nan] * 7], ["centre", *[math.nan] * 7]],
        columns=["method", *columns],
    )
    table = means.summary(frame, ["segmentation"], 0)
    assert list(table[("segmentation.pooled_miou", "mean")].fillna(-1)) == [1, -1] and list(
        table[("segmentation.pooled_miou", "n")]
    ) == [1, 0]


@pytest.mark.parametrize("missing", ["pyarrow", "sklearn.metrics", "captum.metrics", "ray"])
def test_a_package_that_is_not_there_is_named(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    metric = {"captum.metrics": "infidelity"}.get(missing, "aopc")
    package = missing.split(".")[0]
    sentence = rf"needs the package {package}\. Install it with pip install 'explainers\["
    with pytest.raises(ex.Refusal, match=sentence):
        if missing == "sklearn.metrics":
            average_precision(np.eye(2), np.eye(2, dtype=bool))
        evaluate(
            texts(2),
            Plan("sentiment", ("attcat",), (metric,)),
            tmp_path,
            engine="ray" if missing == "ray" else "local",
            quiet=True,
        )


def test_a_table_with_many_columns_is_turned(tmp_path):
    result = evaluate(
        texts(2),
        Plan("sentiment", ("attcat", "gae"), ("positive_perturbation",), "label"),
        tmp_path,
        quiet=True,
    )
    lines = result.markdown.splitlines()
    assert "| metric | `attcat` | `gae` | `random` |" in lines
    area = next(line for line in lines if line.startswith("| positive_perturbation.area"))
    assert area.split(" | ")[1].startswith(
        f"{result.table.loc['attcat', ('positive_perturbation.area', 'mean')]:.1f}"
    )


def test_what_is_left_out_is_counted_and_named(tmp_path):
    for k in range(3):
        Image.fromarray(np.full((64, 64, 3), 60 * k, np.uint8)).save(tmp_path / f"{k}.png")
    half = (tmp_path / "0.png").read_bytes()[:60]
    (tmp_path / "broken.png").write_bytes(half)
    result = evaluate(
        read(tmp_path), Plan("vit", ("gae",), ("deletion",)), tmp_path / "out", quiet=True
    )
    assert result.records["id"].nunique() == 3 and list(result.left_out["id"]) == ["broken.png"]
    assert (
        "Left out: 1 example (1: broken.png" in result.markdown and "centre" in result.table.index
    )
    for k in range(6):
        (tmp_path / f"broken{k}.png").write_bytes(half)
    result = evaluate(
        read(tmp_path), Plan("vit", ("gae",), ("deletion",)), tmp_path / "again", quiet=True
    )
    assert (
        len(result.left_out) == 7
        and "Left out: 7 examples (7: it is damaged or cannot be opened (" in result.markdown
    )
    assert sorted(pd.read_csv(tmp_path / "again/left_out.csv")["id"]) == [
        "broken.png",
        *(f"broken{k}.png" for k in range(6)),
    ]
    odd = [{"id": f"t{k}", "reason": f"it is odd in {k} ways"} for k in range(9)]
    assert "; 5 other reasons); each is in left_out.csv." in report.markdown(
        result.table,
        pd.DataFrame([*result.left_out.to_dict("records"), *odd], columns=tables.LEFT_OUT),
        Dataset("d", [], odd),
        Plan("vit", ("gae",), ("deletion",)),
        "",
    )


def test_when_nothing_can_be_measured_the_usual_reason_is_named(tmp_path):
    odd = Dataset(
        "odd",
        [Example("", None, "a"), *(Example("a film", "delightful", f"b{k}") for k in range(3))],
        [{"id": "c", "reason": "its text is empty"}],
    )
    with pytest.raises(
        ex.Refusal, match="Nothing could be measured: There is no class 'delightful'"
    ):
        evaluate(odd, Plan("sentiment", ("attcat",), ("aopc",), "label"), tmp_path, quiet=True)
    assert len(pd.read_csv(tmp_path / "left_out.csv")) == 5
    with pytest.raises(ex.Refusal, match="There is no example in none"):
        evaluate(Dataset("none", []), PLAN, tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (Plan("sentiment", (), ("aopc",)), "at least one method"),
        (Plan("sentiment", ("attcat",), ()), "at least one metric"),
        (Plan("sentiment", ("atcat",), ("aopc",)), "attcat"),
        (Plan("sentiment", ("attcat",), ("aopk",)), "aopc"),
        (Plan("sentiment", ("attcat",), ("aopc:fil=pad",)), "fill"),
        (Plan("sentiment", ("attcat",), ("segmentation",)), "metric for pictures"),
        (Plan("sentiment", ("attcat",), ("aopc",), "label"), "POSITIVE"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(tmp_path, plan, says):
    data = Dataset("odd", [Example("a fine film", "delightful", "0")])
    with pytest.raises(ex.Refusal) as refused:
        evaluate(data, plan, tmp_path, quiet=True)
    assert says in str(refused.value)

"""Every CSV file that is written, read by pandas and by Python: no row is lost and no value
changed, comments left out or skipped.
"""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from asking import question, write_file
from PIL import Image

import explainers as ex
from explainers.cli import main
from explainers.evaluation import Example, evaluate
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import Plan
from explainers.render.export import table_csv, token_columns

TEXT = 'An unbelievably #dull, so-called "thriller"\n# with unwatchable actors; null, NA and nan.'
KEPT = {"keep_default_na": False}


@pytest.fixture(autouse=True)
def _cpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def ways_to_read(text: str) -> list[pd.DataFrame]:
    """The table below the line of comment, by whoever may read it."""
    below = text.split("\n", 1)[1]
    header, *rows = csv.reader(io.StringIO(below))
    by_hand = pd.read_csv(
        io.StringIO(pd.DataFrame(rows, columns=header).to_csv(index=False)), **KEPT
    )
    return [
        pd.read_csv(io.StringIO(text), comment="#", **KEPT),
        pd.read_csv(io.StringIO(text), skiprows=1, **KEPT),
        by_hand,
    ]


def check(heats: list[ex.Heatmap], text: str):
    names, places = token_columns(heats[0])
    for read in ways_to_read(text):
        assert len(read) == len(heats[0])
        wanted = [list(map(str, place)) for place in places]
        assert read[names].astype(str).values.tolist() == wanted
        for heat in heats:
            assert read[heat.method].tolist() == pytest.approx(
                heat.scores.tolist(), rel=1e-6, abs=1e-9
            )
            for k, name in enumerate(heat.row_labels):
                assert read[f"{heat.method} {name}"].tolist() == pytest.approx(
                    heat.rows[k].tolist(), rel=1e-6, abs=1e-9
                )


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("sentiment", TEXT),
        ("inference", (TEXT, "##ing # #")),
        ("question-answering", ("Who # sleeps?", TEXT)),
    ],
)
def test_maps_of_texts(model, given):
    heats = ex.compare(ex.load(model, device="cpu"), given, ["attcat", "raw_attention"])
    assert sum(label.startswith("#") for label in heats[0].labels) >= 3
    check(list(heats), table_csv(heats))


def test_a_name_of_several_lines_is_one_line_of_comment(sentiment):
    from dataclasses import replace

    heat = replace(ex.explain(sentiment, TEXT), target="a\r\nb\rc\x85d", rows=None, row_labels=[])
    check([heat], table_csv([heat]))


def test_maps_of_pictures():
    heats = ex.compare(
        ex.load("vit", device="cpu"),
        Image.linear_gradient("L").convert("RGB"),
        ["attcat", "raw_attention"],
    )
    check(list(heats), table_csv(heats))


def test_what_each_token_gave_each_token(sentiment, tmp_path):
    path = tmp_path / "maps.csv"
    assert (
        main(["explain", "--text", "unbelievably #dull", "--method", "norm", "--maps", str(path)])
        == 0
    )
    labels = ex.explain(sentiment, "unbelievably #dull").labels
    for read in (pd.read_csv(path, comment="#"), pd.read_csv(path)):
        assert (
            read["key_token"].tolist() == labels * (len(read) // len(labels))
            and len(read) % len(labels) ** 2 == 0
        )
        assert read["query_token"].tolist()[:: len(labels)] == labels * (
            len(read) // len(labels) ** 2
        )


def test_tables_of_an_evaluation(tmp_path, sentiment):
    examples = [
        Example(f"a # dull film {k}", k % 2, f'#{k} "so", it' if k else "#") for k in range(3)
    ]
    odd = [{"id": "#9", "method": "", "metric": "", "reason": "there # is nothing, in it"}]
    plan = Plan("sentiment", ("attcat",), ("aopc", "precision_at_k"), baselines=False)
    evaluate(Dataset("texts", examples, odd), plan, tmp_path, quiet=True)
    left, table = tmp_path / "left_out.csv", tmp_path / "table.csv"
    plain, commented = (
        pd.read_csv(left, dtype=str, **KEPT),
        pd.read_csv(left, comment="#", dtype=str, **KEPT),
    )
    pd.testing.assert_frame_equal(plain, commented)
    assert (
        plain["id"].tolist() == ["#9", *(example.id for example in examples)]
        and plain["reason"][0] == odd[0]["reason"]
    )
    pd.testing.assert_frame_equal(
        pd.read_csv(table, header=[0, 1], index_col=0),
        pd.read_csv(table, header=[0, 1], index_col=0, comment="#"),
    )


def test_the_files_of_the_page():
    methods = ["attcat", "raw_attention"]
    file = write_file(question(text=TEXT), ".csv", methods)["file"]["value"]
    heats = ex.compare(ex.load("sentiment"), TEXT, methods)
    check(list(heats), Path(file).read_bytes().decode())

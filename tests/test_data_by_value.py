"""What the readers of data make of small files, by value: examples, ids, labels, refusals."""

import gzip
import json
import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from small_files import reading_of

import explainers as ex
from explainers.evaluation import Example
from explainers.evaluation.data import (
    Columns,
    Dataset,
    read,
    read_archive,
    read_eraser,
    read_folder,
    read_from_hub,
    read_squad,
    read_table,
)
from explainers.evaluation.data.dataset import content
from explainers.evaluation.data.frames import frame_of, has_more_fields, usual_column
from explainers.evaluation.data.hub import is_on_hub
from explainers.evaluation.data.labels import label_of, polarity, stars
from explainers.evaluation.data.readers import (
    READERS,
    Request,
    nothing_in,
    parse_errors_as_refusals,
)
from explainers.evaluation.data.tables import dataset_of
from explainers.inputs import Encoded

# ------------------------------------------------------------------------------------------ labels


@pytest.mark.parametrize(
    ("value", "found"),
    [(5, 5), ("5", 5), (5.0, 5), (" 3 ", 3), ("4.00", 4), ("4.", 4), ("0", 0)]
    + [(value, None) for value in ("4.5", "12", "five", "-1", "", None)],
)
def test_stars_are_a_single_digit(value, found):
    assert stars(value) == found


@pytest.mark.parametrize(
    ("value", "fewest", "found"),
    [
        (1, 1, "NEGATIVE"),
        (2, 1, "NEGATIVE"),
        (4, 1, "POSITIVE"),
        (5, 1, "POSITIVE"),
        (0, 0, "NEGATIVE"),
        (1, 0, "NEGATIVE"),
        (3, 0, "POSITIVE"),
        (4, 0, "POSITIVE"),
    ],
)
def test_the_polarity_of_stars(value, fewest, found):
    assert polarity(value, fewest) == label_of(value, "polarity", fewest) == found


@pytest.mark.parametrize(
    ("value", "fewest", "said"),
    [
        (3, 1, "^three stars are neither negative nor positive$"),
        (2, 0, "^three stars"),
        (0, 1, r"^the rule polarity reads stars \(1 to 5\), and its label is '0'$"),
        (6, 1, "1 to 5"),
        (5, 0, "0 to 4"),
        ("x" * 50, 1, f"is '{'x' * 40}'$"),
    ],
)
def test_stars_without_a_polarity(value, fewest, said):
    with pytest.raises(ex.Refusal, match=said):
        polarity(value, fewest)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None),
        ("", None),
        (1.0, 1),
        (1.5, "1.5"),
        (2, 2),
        ("2", "2"),
        (0, 0),
        ("good", "good"),
    ],
)
def test_labels_as_they_are(value, found):
    label = label_of(value, "as is", 1)
    assert label == found and type(label) is type(found)


# ----------------------------------------------------------------------------------------- samples


def test_a_sample_is_of_that_many_examples_in_their_order():
    data = Dataset("d", [Example(str(k), None, str(k)) for k in range(9)], classes=("a",))
    assert data.sample(None) is data and data.sample(9) is data and data.sample(10) is data
    for limit, seed in ((1, 0), (4, 0), (8, 3)):
        kept = [int(one.id) for one in data.sample(limit, seed).examples]
        assert kept == sorted(random.Random(seed).sample(range(9), limit))
    assert data.sample(4).examples == data.sample(4, 0).examples
    assert data.sample(4).classes == ("a",)
    for limit in (0, -1):
        with pytest.raises(ex.Refusal, match=f"got a limit of {limit}"):
            data.sample(limit)
    assert (data.left_out, Dataset("e", []).classes) == ([], ())


def test_the_content_of_each_kind_of_value(tmp_path):
    file = tmp_path / "one.txt"
    file.write_bytes(b"12345")
    assert list(content(file)) == [type(file).__name__.encode(), b"one.txt", b"5"]
    assert list(content(tmp_path / "gone"))[1:] == [b"gone", b"None"]
    assert list(content(b"ab")) == [b"bytes", b"ab"]
    assert list(content({"b": 1, "a": "x"})) == [b"dict", b"a", b"str", b"'x'", b"b", b"int", b"1"]
    assert list(content((1, None))) == [b"tuple", b"int", b"1", b"NoneType", b"None"]
    numbers = np.array([[1, 2]], np.uint8)
    assert list(content(numbers)) == [b"ndarray", b"uint8 (1, 2)", b"\x01\x02"]
    assert list(content(torch.from_numpy(numbers)))[1:] == [b"uint8 (1, 2)", b"\x01\x02"]
    coded = Encoded({"ids": torch.tensor([7])}, ["a"], torch.tensor([False]))
    assert list(content(coded))[1:4] == [b"dict", b"ids", b"Tensor"]
    fingerprint = Dataset("d", [Example("a", 1, "x")]).fingerprint
    assert len(fingerprint) == 16 and int(fingerprint, 16) >= 0


def test_a_fingerprint_is_the_same_in_every_version():
    """Else a run of an older version could not go on."""
    assert Dataset("d", [Example("a film", 1, "x", {"k": (0, 2)})]).fingerprint == (
        "6ad2edc6014643f4"
    )


# ------------------------------------------------------------------------------------------ tables


def test_rows_have_their_ids_or_their_numbers(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('id,text,label\nx,one,1\n,two,0\nz,"three, four",\n')
    assert reading_of(path) == [
        ("one", "1", "x", {}),
        ("two", "0", "1", {}),
        ("three, four", None, "z", {}),
    ]


def test_rows_that_are_no_examples_are_named_with_their_reason():
    frame = pd.DataFrame(
        {"text": ["a", " ", None, "b", "c"], "pair": ["x", "y", "z", None, ""], "stars": "12345"}
    )
    frame["stars"] = list("12345")
    found = dataset_of("t", frame, Columns(rule="polarity"))
    assert [(one.inputs, one.label, one.id) for one in found.examples] == [
        (("a", "x"), "NEGATIVE", "0"),
        (("c", ""), "POSITIVE", "4"),
    ]
    assert found.left_out == [
        {"id": "1", "reason": "its text is empty"},
        {"id": "2", "reason": "its text is empty"},
        {"id": "3", "reason": "its second text is missing"},
    ]


def test_a_table_with_a_zero_counts_stars_from_zero():
    for values, found in (("0134", "NNPP"), ("1245", "NNPP"), ("01", "NN")):
        frame = pd.DataFrame({"text": list(values), "label": list(values)})
        data = dataset_of("t", frame, Columns(rule="polarity"))
        assert "".join(one.label[0] for one in data.examples) == found
    frame = pd.DataFrame({"text": list("01"), "label": list("01")})
    assert [one.label for one in dataset_of("t", frame, Columns()).examples] == ["0", "1"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(text="body"), "t has no column 'body' for the text; it has words, label."),
        (
            Columns(),
            "None of the columns of t has a usual name for the text; they are words, label.",
        ),
        (Columns(text="words", pair="two"), "t has no column 'two' for the pair; it has words,"),
        (Columns(text="words", label="x"), "t has no column 'x' for the label; it has words,"),
    ],
)
def test_columns_that_are_not_there(columns, said):
    with pytest.raises(ex.Refusal, match=f"^{said}"):
        dataset_of("t", pd.DataFrame({"words": ["a"], "label": [1]}), columns)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_lines_of_json(name, tmp_path):
    lines = '{"text": "one", "label": 1}\n\n{"text": "two", "label": null}\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(lines.encode()) if name.endswith("gz") else lines.encode())
    assert reading_of(path) == [("one", 1, "0", {}), ("two", None, "1", {})]


def test_json_is_a_list_of_rows_or_rows_by_name(tmp_path):
    rows = [{"text": "one", "id": "a"}, {"text": "two", "id": "b"}]
    path = tmp_path / "rows.json"
    for written in (rows, {"x": rows[0], "y": rows[1]}):
        path.write_text(json.dumps(written))
        assert reading_of(path) == [("one", None, "a", {}), ("two", None, "b", {})]


def test_a_line_of_too_many_fields_is_left_out_and_one_of_too_few_is_not(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\none,1,more\ntwo\nthree,0,\n")
    found = read(path)
    assert [(one.inputs, one.label) for one in found.examples] == [("two", None), ("three", "0")]
    assert [one["id"] for one in found.left_out] == ["0"]
    assert "more fields than there are columns" in found.left_out[0]["reason"]


def test_frames_of_csv_and_tsv(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text('\ufeffa\tb\n"x\t1\n', encoding="utf-8")
    assert frame_of(path, "tsv").to_dict("records") == [{"a": '"x', "b": "1"}]
    named = frame_of(path, "tsv", ("p", "q")).to_dict("records")
    assert named == [{"p": "a", "q": "b"}, {"p": '"x', "q": "1"}]
    path.write_text("a" * 200_000 + ",1\n")
    assert frame_of(path, "csv", ("t", "n"))["t"].str.len().tolist() == [200_000]
    path.write_text('a,b\nx,"y" z\n')
    with pytest.raises(ex.Refusal, match=r"rows.tsv could not be read as csv: .* in line 2"):
        frame_of(path, "csv")
    path.write_text("")
    with pytest.raises(ex.Refusal, match=r"it has no line of names"):
        frame_of(path, "csv")
    beyond = "(more fields than columns)"
    assert has_more_fields({beyond: ["x"]}) and not has_more_fields({beyond: [""]})
    assert not has_more_fields({beyond: None}) and not has_more_fields({})
    assert usual_column(pd.DataFrame({"b": [], "a": []}), ("x", "a", "b")) == "a"
    assert usual_column(pd.DataFrame({"b": []}), ("x",)) == ""


# ----------------------------------------------------------------------------------------- requests


def test_what_a_request_is_of(tmp_path):
    for name, ending in (("a.csv", ".csv"), ("a.csv.gz", ".csv"), ("a", "")):
        (tmp_path / name).write_text("x")
        assert Request(str(tmp_path / name)).ending == ending
    assert Request(str(tmp_path / "gone.csv")).ending == "" == Request(str(tmp_path)).ending
    assert Request("x").answerable
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ex.Refusal, match=r"^a.json could not be read: "):
        _ = Request(str(tmp_path / "a.json")).json


@pytest.mark.parametrize(
    ("source", "could_be"),
    [
        ("imdb", True),
        ("owner/name", True),
        ("owner/name/config:test", True),
        ("a/b/c/d", False),
        ("data.csv", False),
        ("a b", False),
    ],
)
def test_names_that_the_hub_could_have(source, could_be, tmp_path):
    assert is_on_hub(Request(source)) is could_be
    assert not is_on_hub(Request(str(tmp_path)))


def test_a_name_of_the_hub_is_cut_into_its_parts(monkeypatch):
    asked = []

    def load_dataset(name, configuration, split):
        asked.append((name, configuration, split))
        return SimpleNamespace(to_pandas=lambda: pd.DataFrame({"text": ["a"], "label": [1]}))

    found = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setattr("explainers.evaluation.data.hub.import_module", lambda name: found)
    for source in ("imdb", "o/n:train", "o/n/c", "o/n/c:dev"):
        assert [(one.inputs, one.label) for one in read(source).examples] == [("a", 1)]
    assert asked == [
        ("imdb", None, "test"),
        ("o/n", None, "train"),
        ("o/n", "c", "test"),
        ("o/n", "c", "dev"),
    ]


def test_refusals_of_what_has_nothing_to_read(tmp_path):
    assert nothing_in(Dataset("d", []), "d.csv") == "There is no example in d.csv."
    left_out = [{"id": "1", "reason": "it is empty"}, {"id": "2", "reason": "other"}]
    assert nothing_in(Dataset("d", [], left_out), "d.csv") == (
        "There is no example in d.csv: 2 were left out, the first because it is empty"
    )
    (tmp_path / "none.csv").write_text("")
    with pytest.raises(ex.Refusal, match=r"^none.csv is empty.$"):
        read(tmp_path / "none.csv")
    (tmp_path / "x.doc").write_text("x")
    said = r"^A dataset is a folder, or a file that ends in .*\.csv, .* or \.\w+; got x.doc.$"
    with pytest.raises(ex.Refusal, match=said):
        read(tmp_path / "x.doc")
    with pytest.raises(ex.Refusal, match=r"^There is no file or folder .*gone.csv"):
        read(tmp_path / "gone.csv")
    with pytest.raises(ex.Refusal, match=r"rule for labels"):
        read(tmp_path, Columns(rule="polar"))


def test_errors_of_parsers_become_sentences():
    for error, reason in ((KeyError("id"), "it lacks 'id'"), (TypeError("odd"), "odd")):
        with pytest.raises(ex.Refusal) as said, parse_errors_as_refusals("lists", "x.json"):
            raise error
        assert str(said.value) == f"x.json does not have the format of lists ({reason})."


def test_a_reader_stays_a_function_that_can_be_called(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text\none\n")
    asked = Request(str(path))
    assert [one.inputs for one in read_table(asked).examples] == ["one"]
    assert [one.read for one in READERS if one.accepts(asked)] == [read_table]
    for function in (read_archive, read_eraser, read_folder, read_from_hub, read_squad):
        assert callable(function)

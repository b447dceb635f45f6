"""evaluation/data/: files become examples, and what cannot is named with its reason."""

import gzip
import json
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import explainers as ex
from explainers.evaluation.data import Columns, read

ROWS = [("a fine film", "1"), ("a dull film", "0"), ("neither", "1")]


@pytest.fixture
def put(tmp_path):
    def put(name: str, content: str | bytes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def rows(dataset) -> list[tuple]:
    return [(one.inputs, one.label) for one in dataset.examples]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS)),
        ("a.tsv", "sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS)),
        (
            "a.jsonl",
            "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS),
        ),
        (
            "a.jsonl.gz",
            gzip.compress(
                "".join(
                    json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS
                ).encode(),
                mtime=0,
            ),
        ),
        (
            "a.json",
            json.dumps(
                {str(k): {"ori": text, "label": label} for k, (text, label) in enumerate(ROWS)}
            ),
        ),
        ("b.json", json.dumps([{"text": text, "label": label} for text, label in ROWS])),
    ],
    ids=str,
)
def test_tables(put, name, content):
    found = read(put(name, content))
    assert (
        rows(found) == ROWS
        and [one.id for one in found.examples] == ["0", "1", "2"]
        and not found.left_out
    )


def test_parquet(tmp_path):
    import pandas as pd

    pd.DataFrame(ROWS, columns=["text", "label"]).to_parquet(tmp_path / "a.parquet")
    assert rows(read(tmp_path / "a.parquet")) == ROWS


def test_columns_that_are_named_and_tables_without_names(put):
    path = put("a.csv", "what,second,why\nx,y,2\n")
    assert rows(read(path, Columns("what", "second", "why"))) == [(("x", "y"), "2")]
    bare = put("b.tsv", 'a "fine" film\t1\nNA\t0\n')
    assert rows(read(bare, Columns(names=("text", "label")))) == [
        ('a "fine" film', "1"),
        ("NA", "0"),
    ], "quotes and NA are texts"


def test_stars_become_a_polarity(put):
    for lowest in (0, 1):
        path = put("a.csv", "text,stars\n" + "".join(f"t{k},{k + lowest}\n" for k in range(5)))
        found = read(path, Columns(rule="polarity"))
        assert [one.label for one in found.examples] == [
            "NEGATIVE",
            "NEGATIVE",
            "POSITIVE",
            "POSITIVE",
        ]
        assert found.left_out == [
            {"id": "2", "reason": "three stars are neither negative nor positive"}
        ]


def test_the_scale_of_stars_is_not_that_of_the_sample(put):
    few = read(
        put(
            "a.jsonl",
            '{"text": "good", "stars": 4.0}\n{"text": "better", "stars": 5}\n{"text": '
            '"bad", "stars": 2}\n',
        ),
        Columns(rule="polarity"),
    )
    assert [one.label for one in few.examples] == [
        "POSITIVE",
        "POSITIVE",
        "NEGATIVE",
    ] and not few.left_out
    ten = read(put("b.csv", "text,stars\na,5.0\nb,9\n"), Columns(rule="polarity"))
    assert [one.label for one in ten.examples] == [
        "POSITIVE"
    ] and "reads stars (1 to 5), and its label is '9'" in ten.left_out[0]["reason"]


def test_a_text_with_a_comma_is_not_cut_in_two(put):
    mixed = read(
        put(
            "a.csv",
            'text,label\nfirst half, second half,1\na, b, c, d\n"this, whole",1\nno comma,0,\n',
        )
    )
    assert rows(mixed) == [("this, whole", "1"), ("no comma", "0")] and [
        one["id"] for one in mixed.left_out
    ] == ["0", "1"]
    assert "more fields than there are columns" in mixed.left_out[0]["reason"]
    for names in (
        ("text", "label"),
        ("text",),
    ):  # fewer than the file has: what is under which name is not to be guessed
        with pytest.raises(
            ex.Refusal, match="1 were left out, the first because its line has more fields"
        ):
            read(put("b.csv", "7,a good film,POSITIVE\n"), Columns(names=names))
    put("pictures/labels.csv", "file,label\nx.png,tench, Tinca tinca\n")
    with pytest.raises(ex.Refusal, match=r"labels\.csv has lines with more fields than columns"):
        read(put("pictures/x.png", "x").parent)
    put("pictures/labels.csv", "")
    with pytest.raises(
        ex.Refusal, match=r"^labels\.csv could not be read as csv: it has no line of names\.$"
    ):
        read(put("pictures/x.png", "x").parent)


def test_what_is_null_is_absent(put):
    given = [
        {"text": None, "label": 1},
        {"text": "a film", "label": None},
        {"text": "a dull film", "label": 0},
        {"label": 0},
    ]
    for name, content in (
        ("a.jsonl", "\n".join(map(json.dumps, given))),
        ("a.json", json.dumps(given)),
    ):
        found = read(put(name, content))
        assert rows(found) == [("a film", None), ("a dull film", 0)], (
            "one label that is null does not make 0.0 of the others"
        )
        assert [(one["id"], one["reason"]) for one in found.left_out] == [
            ("0", "its text is empty"),
            ("3", "its text is empty"),
        ]
    short = read(put("b.csv", "id,text,pair,label\n,a,b,\n8,a\n"))
    assert [(one.inputs, one.label, one.id) for one in short.examples] == [(("a", "b"), None, "0")]
    assert short.left_out == [{"id": "8", "reason": "its second text is missing"}]


def test_questions_and_rationales(put, tmp_path):
    question = {"id": "q", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 3}]}
    nobody = {"id": "n", "question": "Where?", "answers": []}
    path = put(
        "s.json",
        json.dumps(
            {"data": [{"paragraphs": [{"context": "As Ann did.", "qas": [question, nobody]}]}]}
        ),
    )
    found = read(path)
    assert (
        rows(found) == [(("Who?", "As Ann did."), None)]
        and found.examples[0].data == {"answer": (3, 6)}
        and found.left_out[0]["id"] == "n"
    )
    put("movies/docs/one.txt", "a very  dull\nfilm")
    put(
        "movies/test.jsonl",
        json.dumps(
            {
                "annotation_id": "one.txt",
                "classification": "NEG",
                "evidences": [[{"start_token": 1, "end_token": 3}]],
            }
        ),
    )
    (one,) = read(tmp_path / "movies").examples
    assert one.label == "NEGATIVE" and one.inputs[slice(*one.data["rationale"][0])] == "very  dull"


def test_rationales_that_are_not_whole(put, tmp_path):
    put("movies/docs/one.txt", "a dull film")
    with pytest.raises(
        ex.Refusal, match=r"movies has texts in docs/ as ERASER's folders have, but no test\.jsonl"
    ):
        read(tmp_path / "movies")
    line = {"annotation_id": "one.txt", "classification": "NEG", "evidences": []}
    put(
        "movies/test.jsonl",
        json.dumps(line) + "\n" + json.dumps(line | {"annotation_id": "two.txt"}),
    )
    found = read(tmp_path / "movies")
    assert len(found.examples) == 1 and found.left_out == [
        {"id": "two.txt", "reason": "its text is not in docs/"}
    ]
    for broken in (
        {"annotation_id": "one.txt"},
        line | {"evidences": [[{"start_token": 9, "end_token": 12}]]},
        line | {"classification": "?"},
        [1],
    ):
        put("movies/test.jsonl", json.dumps(broken))
        with pytest.raises(
            ex.Refusal, match=r"test\.jsonl does not have the format of ERASER's reviews"
        ):
            read(tmp_path / "movies")


def test_folders_and_archives_of_pictures(tmp_path):
    picture = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
    for place in ("images/a.jpg", "images/b.jpg", "masks/a.png"):
        (tmp_path / "seg" / place).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "seg" / place)
    a, b = read(tmp_path / "seg").examples
    assert a.data["mask"] == tmp_path / "seg/masks/a.png" and b.data == {} and a.label is None
    (tmp_path / "seg/labels.tsv").write_text("file\tlabel_index\na.jpg\t3\n")
    assert [one.label for one in read(tmp_path / "seg").examples] == ["3", None]
    (tmp_path / "classed/cat").mkdir(parents=True)
    picture.save(tmp_path / "classed/cat/x.png")
    assert read(tmp_path / "classed").examples[0].label == "cat"
    with zipfile.ZipFile(tmp_path / "val.zip", "w") as file:
        file.write(tmp_path / "classed/cat/x.png", "val/n01/x.png")
    assert read(tmp_path / "val.zip").examples[0].label == "n01"
    (tmp_path / "classes.tsv").write_text("label\twnid\tname\n0\tn01\tcat, house cat\n")
    named = read(tmp_path / "val.zip")
    assert named.examples[0].label == 0 and named.classes == ("cat",)


def test_a_picture_that_cannot_be_unpacked_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "val.zip", "w") as file:
        file.writestr("n01/a.png", "one picture"), file.writestr("n01/b.png", "another one")
    (tmp_path / "val.zip").write_bytes(
        (tmp_path / "val.zip").read_bytes().replace(b"another one", b"another 0ne")
    )
    found = read(tmp_path / "val.zip")
    assert (
        [one.id for one in found.examples] == ["n01/a.png"]
        and found.left_out[0]["id"] == "n01/b.png"
        and "Bad CRC" in found.left_out[0]["reason"]
    )


def test_a_folder_is_the_same_from_wherever_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "set/a.png")
    whole = read(tmp_path / "set")
    for here, named in ((tmp_path, "set"), (tmp_path / "set", ".")):
        monkeypatch.chdir(here)
        assert (
            (read(named).fingerprint, read(named).name)
            == (whole.fingerprint, whole.name)
            == (whole.fingerprint, "set")
        )
    (tmp_path / "set/a.png").rename(tmp_path / "set/b.png")
    assert read(tmp_path / "set").fingerprint != whole.fingerprint


def test_texts_in_folders(put, tmp_path):
    put("t/POSITIVE/1.txt", "a fine film"), put("t/NEGATIVE/1.txt", "a dull film")
    assert rows(read(tmp_path / "t")) == [("a dull film", "NEGATIVE"), ("a fine film", "POSITIVE")]


@pytest.mark.parametrize(
    ("name", "content", "columns", "says"),
    [
        ("a.csv", "", Columns(), "a.csv is empty"),
        ("a.csv", "text,label\n", Columns(), "no example in"),
        (
            "a.csv",
            "words,label\nx,1\n",
            Columns(),
            "has a usual name for the text; they are words, label",
        ),
        (
            "a.csv",
            "text,label\nx,1\n",
            Columns(label="gold"),
            "no column 'gold' for the label; it has text, label",
        ),
        (
            "a.csv",
            "text,label\n  ,1\n",
            Columns(),
            "1 were left out, the first because its text is empty",
        ),
        (
            "a.csv",
            "text,label\nx,good\n",
            Columns(rule="polarity"),
            "reads stars (1 to 5), and its label is 'good'",
        ),
        ("a.json", "{", Columns(), "could not be read"),
        ("a.parquet", "no", Columns(), "could not be read as parquet"),
        (
            "a.csv",
            'text,label\n"a,1\n',
            Columns(),
            "could not be read as csv: unexpected end of data in line 2.",
        ),
        (
            "a.csv.gz",
            gzip.compress(b"text" * 99, mtime=0)[:-9],
            Columns(),
            "could not be read as csv",
        ),
        ("a.csv", "\n\n", Columns(), "could not be read as csv: it has no line of names."),
        ("a.zip", "no", Columns(), "a.zip could not be read as zip: File is not a zip file."),
        (
            "a.json",
            '{"data": [{"foo": 1}]}',
            Columns(),
            "a.json does not have the format of SQuAD's questions (it lacks 'paragraphs').",
        ),
        ("a.json", '{"data": 1}', Columns(), "does not have the format of SQuAD's questions"),
        ("a.docx", "x", Columns(), "ends in .csv"),
        ("a.csv", "text\nx\n", Columns(rule="stars"), "rule for labels"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_a_sentence(put, name, content, columns, says):
    with pytest.raises(ex.Refusal) as refused:
        read(put(name, content), columns)
    assert says in str(refused.value)


@pytest.mark.parametrize("place", ["nowhere/data.csv", "no/such dataset!"])
def test_nowhere_is_a_sentence(place):
    with pytest.raises(ex.Refusal, match="There is no file or folder"):
        read(place)


def test_a_sample_is_drawn_with_its_seed(put):
    found = read(put("a.csv", "text\n" + "".join(f"t{k}\n" for k in range(50))))
    ids = lambda dataset: [one.id for one in dataset.examples]
    assert ids(found.sample(10, 1)) == ids(found.sample(10, 1)) != ids(found.sample(10, 2))
    assert (
        ids(found.sample(10, 1)) == sorted(ids(found.sample(10, 1)), key=int)
        and found.sample(99) is found
    )
    for limit in (0, -1):
        with pytest.raises(ex.Refusal, match=f"at least one example; got a limit of {limit}"):
            found.sample(limit)
    assert found.sample(10, 1).fingerprint != found.sample(10, 2).fingerprint


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("imdb", ("imdb", None, "test")),
        ("nyu-mll/glue/sst2:validation", ("nyu-mll/glue", "sst2", "validation")),
        ("stanfordnlp/sst2:validation", ("stanfordnlp/sst2", None, "validation")),
    ],
)
def test_a_dataset_of_the_hub_is_asked_for_by_name_configuration_and_split(
    name, asked, monkeypatch
):
    """The Hub itself is not asked."""
    import pandas as pd

    calls = []

    class Held:
        def to_pandas(self):
            return pd.DataFrame({"sentence": ["a fine film", "dull"], "label": [1, 0]})

    def load_dataset(owner, configuration, split):
        calls.append((owner, configuration, split))
        return Held()

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    found = read(name)
    assert calls == [asked] and [(one.inputs, one.label) for one in found.examples] == [
        ("a fine film", 1),
        ("dull", 0),
    ]

"""Folders, archives, ERASER and SQuAD: what is read of small ones, by value."""

import json
import zipfile

import pytest
from PIL import Image
from small_files import reading_of

import explainers as ex
from explainers.evaluation.data import read
from explainers.evaluation.data.archives import read_classes
from explainers.evaluation.data.eraser import rationale_of
from explainers.evaluation.data.folders import labels_in_tables
from explainers.evaluation.data.squad import first_answer

# ----------------------------------------------------------------------------------------- folders


def test_labels_of_pictures_are_from_a_table_or_else_their_folders(tmp_path):
    for place in ("cat/one.png", "dog/two.JPG", "three.png", "images/four.png", "masks/four.png"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(path, "png")
    found = {one[2]: (one[1], one[3]) for one in reading_of(tmp_path)}
    mask = {"mask": tmp_path / "masks/four.png"}
    assert found == {
        "cat/one.png": ("cat", {}),
        "dog/two.JPG": ("dog", {}),
        "three.png": (None, {}),
        "images/four.png": (None, mask),
    }
    (tmp_path / "labels.csv").write_text("file,label\ndog/two.JPG,wolf\nthree.png,\none.png,lion\n")
    (tmp_path / "notes.tsv").write_text("file\tremark\nthree.png\tblurred\n")
    found = {one[2]: one[1] for one in reading_of(tmp_path)}
    assert found["dog/two.JPG"] == "wolf" and found["three.png"] is None
    assert found["cat/one.png"] == "lion"
    (tmp_path / "labels.csv").write_text("file,label\na,b,c\n")
    with pytest.raises(ex.Refusal, match=r"^labels.csv has lines with more fields than columns"):
        labels_in_tables([tmp_path / "labels.csv"])
    assert labels_in_tables([tmp_path / "three.png"]) == {}


def test_texts_in_folders_have_the_names_of_their_folders(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good/a.txt").write_bytes(b"fine \xff")
    (tmp_path / "b.txt").write_text("alone")
    (tmp_path / "readme.md").write_text("no example")
    assert reading_of(tmp_path) == [
        ("alone", None, "b.txt", {}),
        ("fine \ufffd", "good", "good/a.txt", {}),
    ]


# ---------------------------------------------------------------------------------------- archives


def test_pictures_of_an_archive_have_numbers_and_names_of_classes(tmp_path):
    with zipfile.ZipFile(tmp_path / "val.zip", "w") as archive:
        for name in ("n02/b.jpg", "n01/a.PNG", "n09/c.png", "n01/list.txt"):
            archive.writestr(name, name.encode())
    (tmp_path / "classes.tsv").write_text("label\twnid\tname\n1\tn02\tdog, hound\n0\tn01\tcat\n")
    found = read(tmp_path / "val.zip")
    assert [(one.inputs, one.label, one.id) for one in found.examples] == [
        (b"n01/a.PNG", 0, "n01/a.PNG"),
        (b"n02/b.jpg", 1, "n02/b.jpg"),
        (b"n09/c.png", "n09", "n09/c.png"),
    ]
    assert found.classes == ("cat", "dog") and found.left_out == []
    assert read_classes(tmp_path / "none.tsv") == []
    (tmp_path / "classes.tsv").write_text("label\tname\n1\tdog\n")
    with pytest.raises(ex.Refusal, match=r"^classes.tsv does not .* of classes .* lacks 'wnid'"):
        read(tmp_path / "val.zip")
    (tmp_path / "classes.tsv").unlink()
    (tmp_path / "bad.zip").write_text("no archive")
    with pytest.raises(ex.Refusal, match=r"^bad.zip could not be read as zip"):
        read(tmp_path / "bad.zip")


# -------------------------------------------------------------------------------- ERASER and SQuAD


def test_rationales_count_words_between_spaces():
    text = "a fine  film, really"
    groups = [[{"start_token": 1, "end_token": 3}], [{"start_token": 0, "end_token": 1}]]
    assert rationale_of({"evidences": groups}, text) == [(2, 13), (0, 1)]
    past = [[{"start_token": 3, "end_token": 99}]]
    assert rationale_of({"evidences": past}, text) == [(14, 20)]


def test_reviews_of_eraser_by_value(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/one").write_text("so so dull")
    marked = [[{"start_token": 2, "end_token": 3}]]
    lines = []
    for id in ("one", "two"):
        review = {"annotation_id": id, "classification": "NEG", "evidences": marked}
        lines.append(json.dumps(review))
    (tmp_path / "test.jsonl").write_text("\n".join(lines))
    found = read(tmp_path)
    assert [(one.inputs, one.label, one.id, one.data) for one in found.examples] == [
        ("so so dull", "NEGATIVE", "one", {"rationale": [(6, 10)]})
    ]
    assert found.left_out == [{"id": "two", "reason": "its text is not in docs/"}]
    (tmp_path / "test.jsonl").unlink()
    with pytest.raises(ex.Refusal, match=r"but no test.jsonl beside it"):
        read(tmp_path)


def test_questions_of_squad_by_value(tmp_path):
    questions = [
        {"id": "q1", "question": "who?", "answers": [{"answer_start": 3, "text": "Ann"}] * 2},
        {"id": "q2", "question": "when?", "answers": []},
    ]
    squad = {"data": [{"paragraphs": [{"context": "is Ann", "qas": questions}]}]}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad))
    first = (("who?", "is Ann"), None, "q1", {"answer": (3, 6)})
    assert reading_of(path) == [first]
    assert read(path).left_out == [{"id": "q2", "reason": "it has no answer in its context"}]
    assert reading_of(path, answerable=False) == [first, (("when?", "is Ann"), None, "q2", {})]
    assert first_answer(questions[1]) is None

"""Pairs, questions, heads and pictures on the command line."""

import json
import re

import pytest
from command_line import ROOT, TEXT, as_typed, typed
from PIL import Image

import explainers as ex
from explainers.render import export
from explainers.render.characters import number
from explainers.render.tokens import view

pytestmark = pytest.mark.usefixtures("on_cpu")

QUESTION = (
    "When was the Tower Bridge opened?",
    "Tower Bridge was designed by Horace Jones. It was opened in 1894.",
)


@pytest.fixture(scope="module")
def finder() -> ex.Model:
    return ex.load("question-answering", device="cpu")


# ------------------------------------------------------------- pairs, questions, next tokens, heads


def test_a_pair_is_printed_half_by_half(run):
    out = run(
        "explain", "--model", "inference", "--text", "A man sleeps.", "--pair", "Nobody is asleep."
    )
    assert (
        out.index("-- first text --")
        < out.index("  man ")
        < out.index("-- second text --")
        < out.index("  Nobody ")
    )


@pytest.mark.parametrize(
    "target", [None, "start", "no answer", "Horace Jones", "1894 - Horace Jones"]
)
def test_a_question_and_its_context(run, finder, target):
    arguments = [
        "explain",
        "--question",
        QUESTION[0],
        "--context",
        QUESTION[1],
        *(["--target", target] if target else []),
    ]
    record = json.loads(run(*arguments, "--json"))
    one = ex.explain(finder, QUESTION, target=target)
    assert record == json.loads(export.to_json([one]))
    assert record["halves"] == ["question", "context"] and set(record["segments"]) == {0, 1, None}
    assert record["explained_span"] == (None if one.marked is None else list(one.marked))
    out = run(*arguments)
    assert (
        f"question-answering says {ex.predict(finder, QUESTION).best}" in out
        and "-- context --" in out
    )
    assert ("(< what is explained" in out) == (one.marked is not None)


def test_the_context_may_come_from_a_pipe(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", typed(QUESTION[1]))
    assert json.loads(run("explain", "--question", QUESTION[0], "--context", "-", "--json"))[
        "text"
    ] == "\n".join(QUESTION)


def numbers_in(texts: list[str]) -> list[float]:
    return [float(text.replace("−", "-")) for text in texts]


def test_heads_are_printed_and_written(run, sentiment, tmp_path):
    out = run("explain", "--text", TEXT, "--heads", "2", "--html", str(tmp_path / "map.html"))
    lines = [line.split() for line in out.splitlines() if re.match(r"  [> ] L\d", line)]
    sums = view(ex.explain(sentiment, TEXT)).heads.abs().sum(-1)
    assert [line.index(">") if ">" in line else None for line in lines] == [
        None,
        None,
        0,
        None,
        None,
        None,
    ]
    for line, row in zip(lines, sums.tolist(), strict=True):
        assert numbers_in(line[-len(row) :]) == pytest.approx(row, rel=6e-3)
    within = view(ex.explain(sentiment, TEXT))
    table = [
        line.split()
        for line in out.split("layer 2, each head over the words\n")[1].splitlines()[
            : len(within.labels)
        ]
    ]
    for line, label, column in zip(table, within.labels, within.heads[2].mT.tolist(), strict=True):
        assert line[0] == label and numbers_in(line[1:]) == pytest.approx(column, rel=6e-3)
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "Layer 2, head by head over the words" in page and "layer by layer" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give --text, --image"),
        (["--question", "a"], "needs its --context"),
        (["--context", "a"], "needs its --question"),
        (["--text", "a", "--question", "b", "--context", "c"], "not both"),
        (["--text", "-", "--pair", "-"], "Only one"),
        (["--question", "a", "--context", "b c", "--target", "d"], "not in the context"),
        (["--question", "a", "--context", " "], "context is empty"),
        (["--question", "", "--context", "a"], "question is empty"),
        (
            ["--question", "a", "--context", "b", "--model", "sentiment"],
            "sentiment reads texts: give --text, or --text and --pair. For --question and "
            "--context",
        ),
        (["--model", "question-answering", "--text", "a"], "give --question and --context"),
        (["--text", "dull", "--heads", "9"], "layers 0 to 5"),
        (["--text", "dull", "--heads", "0", "--method", "rollout"], "no map by head"),
    ],
    ids=as_typed,
)
def test_half_a_question_is_refused(refused, arguments, says):
    assert says in refused("explain", *arguments)


CAT = str(ROOT / "assets/examples/cat.jpg")

MATCHED = ["--image", CAT, "--text", "a photo of a cat", "--text", "a photo of a dog"]


# ----------------------------------------------------------------------------------------- pictures


def test_a_picture_is_printed_as_a_grid_and_its_strongest_patches(run, vit, tmp_path):
    out = run(
        "explain",
        "--model",
        "vit",
        "--image",
        CAT,
        "--method",
        "attcat",
        "--method",
        "gae",
        "--png",
        str(tmp_path / "map.png"),
    )
    assert f"vit says {ex.predict(vit, CAT)}" in out and (
        tmp_path / "map.png"
    ).read_bytes().startswith(b"\x89PNG")
    for key, part in zip(("attcat", "gae"), out.split("explaining")[1:]):
        heat = ex.explain(vit, CAT, key)
        grid, scale = heat.patches, heat.patches.abs().max()
        rows = re.findall(r"^  +\d+  ((?:[ +−][·░▒▓█]){8})$", part, re.MULTILINE)
        assert len(rows) == 8
        for row, scores in zip(rows, grid.tolist()):
            for sign, shade, score in zip(row[::2], row[1::2], scores):
                assert "·░▒▓█".index(shade) == round(4 * abs(score) / float(scale))
                if shade == "·" or not heat.signed:
                    assert sign == " "
                else:
                    assert sign == ("−" if score < 0 else "+")
        named = re.findall(r"row +(\d), column +(\d) +(\S+)  [█░]+$", part, re.MULTILINE)
        strongest = grid.flatten().abs().argsort(descending=True)[:5].tolist()
        assert named == [
            (str(i // 8 + 1), str(i % 8 + 1), number(float(grid.flatten()[i]), heat.signed))
            for i in strongest
        ]


def test_a_picture_and_texts_from_either_side(run, matcher):
    record = json.loads(run("explain", *MATCHED, "--target", "a photo of a dog", "--json"))
    assert record == json.loads(
        export.to_json([ex.explain(matcher, (CAT, MATCHED[3::2]), target="a photo of a dog")])
    )
    assert f"image-text says {ex.predict(matcher, (CAT, MATCHED[3::2]))}" in run(
        "explain", *MATCHED
    )
    words = json.loads(run("explain", *MATCHED[:4], "--side", "text", "--json"))
    assert (
        words["text"] == "a photo of a cat"
        and words["target"] == "the picture"
        and "grid" not in words
    )
    assert "over the words" in run("explain", *MATCHED[:4], "--side", "text", "--heads", "-1")
    assert "over the patches" in run("explain", "--image", CAT, "--heads", "0")


def test_imagine_writes_a_picture_and_says_how_its_score_rose(run, vit, tmp_path):
    how = ["--steps", "8", "--seed", "3", "--tv", "0.2", "--l2", "0.001", "--jitter", "1"]
    out = run("imagine", "--class", "teapot", *how, "--png", str(tmp_path / "teapot.png"))
    made = ex.imagine(vit, "teapot", steps=8, seed=3, tv=0.2, l2=0.001, jitter=1)
    assert f"vit, teapot: score {made.scores[0]:.3f} to {made.scores[-1]:.3f} in 8 steps" in out
    assert re.search("^[▁▂▃▄▅▆▇█]{9}$", out, re.MULTILINE)
    with Image.open(tmp_path / "teapot.png") as image:
        assert image.tobytes() == made.image.tobytes()
    assert "unit 3 of layer 1" in run(
        "imagine", "--unit", "1", "3", "--steps", "2", "--png", str(tmp_path / "unit.png")
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "--image", "no/such.jpg"], "no file"),
        (["explain", "--image", __file__], "not a picture"),
        (["explain", "--image", CAT, "--model", "sentiment"], "reads texts"),
        (["explain", "--text", "a", "--model", "vit"], "give --image"),
        (["explain", "--text", "a", "--model", "image-text"], "give --image and --text"),
        (
            ["explain", *MATCHED, "--model", "vit"],
            "sees pictures: give --image. For --image and --text",
        ),
        (["explain", "--image", CAT, "--pair", "a"], "without --pair"),
        (["explain", "--image", CAT, "--side", "text"], "give --image and --text"),
        (["explain", *MATCHED, "--side", "text"], "one text at a time"),
        (["explain", "--text", "a", "--text", "b"], "Several --text"),
        (["explain", "--image", CAT, "--method", "decompx"], "not defined for pictures"),
        (["explain", "--image", CAT, "--target", "teapt"], "did you mean 'teapot'"),
        (["imagine", "--class", "teapt", "--png", "x.png"], "did you mean 'teapot'"),
        (["imagine", "--png", "x.png"], "which class or unit"),
        (["imagine", "--class", "teapot", "--png", "no/such/x.png"], "no such folder"),
        (["imagine", "--class", "teapot", "--seed", "9" * 30, "--png", "x.png"], "whole numbers"),
        (["imagine", "--class", "teapot", "--unit", "1", "2", "--png", "x.png"], "not both"),
        (["imagine", "--unit", "1", "--png", "x.png"], "A unit is"),
        (["imagine", "--class", "teapot", "--steps", "0", "--png", "x.png"], "at least one step"),
        (
            ["imagine", "--class", "teapot", "--steps", "1", "--png", "no/such/x.png"],
            "could not be written",
        ),
    ],
    ids=as_typed,
)
def test_pictures_that_cannot_be(refused, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(*arguments)
    assert not list(tmp_path.iterdir())

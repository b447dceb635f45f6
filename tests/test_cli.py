"""`python -m explainers`: the same numbers as the library, and plain sentences for whatever cannot
be done.
"""

import argparse
import csv
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

import explainers as ex
from explainers import cli
from explainers.cli import main
from explainers.render import export
from explainers.render.characters import number
from explainers.render.tokens import view

ROOT = Path(__file__).parents[1]
TEXT = "An unbelievably dull film, but the actors were good."


@pytest.fixture(autouse=True)
def _cpu(monkeypatch):
    """The command line takes a GPU where there is one; numbers are compared with those of
    `sentiment`, on the CPU.
    """
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def run(capsys):
    """Run a command; what it said, after checking that it went well and complained of nothing."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        said = capsys.readouterr()
        assert not said.err or said.err.endswith("backward passes).\n"), (
            "nothing but what slow methods cost"
        )
        return said.out

    return run


@pytest.fixture
def refused(capsys):
    """Run a command that must be refused; the sentence it gave."""

    def refused(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        assert said.err.splitlines()[-1].startswith("explainers: ")
        sentence = said.err.splitlines()[-1].removeprefix("explainers: ")
        assert sentence and "\n" not in sentence and len(sentence) < 500
        return sentence

    return refused


def typed(text: str) -> io.TextIOWrapper:
    """A standard input with `text` in it."""
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")


def shell(*arguments: str, **more) -> subprocess.CompletedProcess:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""} | more.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "explainers", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=120,
        **more,
    )


# ------------------------------------------------------------------------------------------ explain


def test_explain_prints_a_word_a_line_with_sign_and_number(run, sentiment):
    out = run("explain", "--text", TEXT)
    one = ex.explain(sentiment, TEXT)
    said = ex.predict(sentiment, TEXT)
    seen = view(one)
    assert f"sentiment says {said.best} {said.values[0]:.1%}" in out
    assert (
        f"AttCAT, explaining {one.target} (logit {one.score:.3f}); + towards {one.target}, "
        f"− away from {one.target}" in out
    )
    lines = [line.split() for line in out.splitlines() if line.startswith("  ") and "(" not in line]
    assert [line[0] for line in lines] == seen.labels
    assert [line[1] for line in lines] == [number(score) for score in seen.scores.tolist()]
    for line, score in zip(lines, seen.scores.tolist()):
        assert len(line) == 2 or set(line[2]) == {"█" if score > 0 else "░"}
    longest = max(range(len(seen)), key=lambda i: abs(float(seen.scores[i])))
    assert len(lines[longest][2]) == 20
    assert f"{100 * one.special_share:.0f} % of all |score| lies on special tokens" in out


def test_sub_words_and_specials_can_be_seen(run, sentiment):
    out = run("explain", "--text", TEXT, "--tokens", "--method", "raw_attention")
    one = ex.explain(sentiment, TEXT, "raw_attention")
    assert [
        line.split()[0] for line in out.splitlines() if line.startswith("  ") and "(" not in line
    ] == one.labels
    assert "unsigned: how much, not which way" in out


def test_several_methods_one_after_another(run):
    out = run("explain", "--text", TEXT, "--method", "attcat", "--method", "gae")
    assert out.index("AttCAT, explaining") < out.index("GAE (generic attention), explaining")


def test_json_is_the_library_s_numbers(run, sentiment):
    assert json.loads(run("explain", "--text", TEXT, "--json")) == json.loads(
        export.to_json([ex.explain(sentiment, TEXT)])
    )
    several = json.loads(
        run("explain", "--text", TEXT, "--json", "--method", "attcat", "--method", "gae")
    )
    assert several == json.loads(export.to_json(ex.compare(sentiment, TEXT, ["attcat", "gae"])))


@pytest.mark.parametrize(
    "target", ["0", "1", "NEGATIVE", "positive", "NEGATIVE - POSITIVE", "POSITIVE − NEGATIVE"]
)
def test_targets(run, sentiment, target):
    record = json.loads(run("explain", "--text", TEXT, "--json", "--target", target))
    one = ex.explain(sentiment, TEXT, target=int(target) if target.isdigit() else target)
    assert record == json.loads(export.to_json([one]))
    if target == "0":
        assert record["target"] == sentiment.labels[0]


def test_a_slow_method_says_its_cost_before_it_starts(capsys):
    assert (
        main(
            [
                "explain",
                "--text",
                "a dull film",
                "--method",
                "occlusion",
                "--method",
                "attcat",
                "--method",
                "integrated_gradients",
            ]
        )
        == 0
    )
    said = capsys.readouterr().err
    assert (
        said == "Occlusion (leave one out) takes 3F; Integrated gradients takes 50F 50B (F "
        "forward, B backward passes).\n"
    )
    assert (
        main(["explain", "--text", "a dull film", "--method", "attcat"]) == 0
        and not capsys.readouterr().err
    )


def test_all_methods_and_those_that_have_no_map(run):
    said = run(
        "explain", "--question", "Who sleeps?", "--context", "A man sleeps.", "--method", "all"
    )
    assert said.count("explaining") >= 20 and "(sum of 2 logits " in said
    reasons = said.partition("Methods without a map here:")[2]
    left_out = ex.compare(ex.load("question-answering"), ("Who sleeps?", "A man sleeps.")).left_out
    assert left_out and all(f"{title}: {reason}" in reasons for title, reason in left_out.items())


@pytest.mark.parametrize(
    ("target", "unit"), [("NEGATIVE", "logit"), ("NEGATIVE - POSITIVE", "difference")]
)
def test_the_score_is_called_what_it_is(run, target, unit):
    assert f"({unit} " in run("explain", "--text", "a dull film", "--target", target)


def test_maps_token_by_token_and_the_search_space_of_optimus(run, refused, sentiment, tmp_path):
    import pandas as pd

    path = tmp_path / "maps.csv"
    run(
        "explain",
        "--text",
        "a dull film",
        "--method",
        "globenc",
        "--option",
        "variant=N",
        "--maps",
        str(path),
    )
    found, wanted = (
        pd.read_csv(path),
        ex.METHODS["globenc"].maps(sentiment.trace("a dull film"), variant="N"),
    )
    assert len(found) == wanted.numel() and list(found["key_token"][:3]) == ["[CLS]", "a", "dull"]
    assert found["value"].to_numpy() == pytest.approx(wanted.flatten().tolist(), rel=1e-4)
    assert "no token-by-token maps" in refused(
        "explain", "--text", "a dull film", "--maps", str(path)
    )
    said = run("explain", "--text", "a dull film", "--method", "optimus", "--readings")
    scores = [
        float(line.split()[-1]) for line in said.partition("416 readings, RFT:\n")[2].splitlines()
    ]
    assert len(scores) == 416 and scores == sorted(scores, reverse=True)
    assert "416 readings, the best" in run(
        "explain", "--text", "a dull film", "--method", "optimus", "--readings", str(path)
    )
    written = pd.read_csv(path)
    assert list(written.columns) == ["layer", "head", "row", "rft"] and written[
        "rft"
    ].to_numpy() == pytest.approx(scores, rel=1e-3)
    assert "those of optimus" in refused("explain", "--text", "a dull film", "--readings")


def test_options_reach_the_method(run, sentiment):
    record = json.loads(
        run(
            "explain",
            "--text",
            TEXT,
            "--json",
            "--method",
            "integrated_gradients",
            "--option",
            "steps=5",
            "--option",
            "baseline=mask",
        )
    )
    assert record["options"] == {"steps": 5, "baseline": "mask"}
    assert (
        record["scores"]
        == ex.explain(
            sentiment, TEXT, "integrated_gradients", steps=5, baseline="mask"
        ).scores.tolist()
    )
    assert json.loads(run("explain", "--text", TEXT, "--json", "--option", "mask_specials=true"))[
        "options"
    ] == {"mask_specials": True}


def test_standard_input_and_other_models(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", typed(TEXT))
    assert json.loads(run("explain", "--text", "-", "--json"))["text"] == TEXT
    pair = json.loads(
        run(
            "explain",
            "--model",
            "paraphrase",
            "--text",
            "A dull film.",
            "--pair",
            "A boring movie.",
            "--json",
        )
    )
    assert pair["model"] == "paraphrase" and pair["text"] == "A dull film.\nA boring movie."


def test_files(run, sentiment, tmp_path):
    out = run(
        "explain",
        "--text",
        TEXT,
        "--html",
        str(tmp_path / "map.html"),
        "--save",
        str(tmp_path / "map.csv"),
    )
    assert [line for line in out.splitlines() if line.startswith("written: ")] == [
        f"written: {tmp_path / 'map.html'}",
        f"written: {tmp_path / 'map.csv'}",
    ]
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert (
        page.startswith("<!doctype html>") and "unbelievably" in page and "layer by layer" in page
    )
    rows = list(
        csv.reader(
            io.StringIO((tmp_path / "map.csv").read_text(encoding="utf-8").split("\n", 1)[1])
        )
    )
    assert [row[0] for row in rows[1:]] == ex.explain(sentiment, TEXT).labels
    for suffix, start in ((".svg", "<svg "), (".json", "{")):
        run("explain", "--text", TEXT, "--save", str(tmp_path / f"map{suffix}"))
        assert (tmp_path / f"map{suffix}").read_text(encoding="utf-8").startswith(start)


# ------------------------------------------------------------- pairs, questions, next tokens, heads

QUESTION = (
    "When was the Tower Bridge opened?",
    "Tower Bridge was designed by Horace Jones. It was opened in 1894.",
)


@pytest.fixture(scope="module")
def finder() -> ex.Model:
    return ex.load("question-answering", device="cpu")


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
        assert [float(value) for value in line[-len(row) :]] == pytest.approx(row, rel=6e-3)
    within = view(ex.explain(sentiment, TEXT))
    table = [
        line.split()
        for line in out.split("layer 2, each head over the words\n")[1].splitlines()[
            : len(within.labels)
        ]
    ]
    for line, label, column in zip(table, within.labels, within.heads[2].mT.tolist(), strict=True):
        assert line[0] == label and [float(value) for value in line[1:]] == pytest.approx(
            column, rel=6e-3
        )
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
        (["--text", "dull", "--heads", "0", "--method", "rollout"], "no picture of single heads"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_half_a_question_is_refused(refused, arguments, says):
    assert says in refused("explain", *arguments)


# ----------------------------------------------------------------------------------------- pictures

CAT = str(ROOT / "assets/examples/cat.jpg")
MATCHED = ["--image", CAT, "--text", "a photo of a cat", "--text", "a photo of a dog"]


@pytest.fixture(scope="module")
def vit() -> ex.Model:
    return ex.load("vit", device="cpu")


@pytest.fixture(scope="module")
def matcher() -> ex.Model:
    return ex.load("image-text", device="cpu")


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
                assert sign == (
                    " " if shade == "·" or not heat.signed else "−" if score < 0 else "+"
                )
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
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_pictures_that_cannot_be(refused, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(*arguments)
    assert not list(tmp_path.iterdir())


# ----------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "atcat"], "did you mean 'attcat'"),
        (["--method", "attcat", "--method", "nothing like it"], "no method"),
        (["--model", "sentimnt/x/y"], "no folder"),
        (["--model", "./nowhere"], "no folder"),
        (["--model", " "], "Hub id"),
        (["--target", "NEGATVE"], "did you mean 'NEGATIVE'"),
        (["--target", "7"], "classes 0 to 1"),
        (["--target", "-1"], "-1"),
        (["--target", "NEGATIVE - NEGATIVE"], "always zero"),
        (["--target", "NEGATIVE - NEUTRAL"], "no class"),
        (["--option", "stepz=5", "--method", "integrated_gradients"], "did you mean 'steps'"),
        (["--option", "steps=many", "--method", "integrated_gradients"], "a whole number"),
        (["--option", "steps=0", "--method", "integrated_gradients"], "steps is at least 1; got 0"),
        (["--option", "steps", "--method", "integrated_gradients"], "name=value"),
        (["--option", "steps=5"], "option of attcat"),
        (
            ["--option", "steps=5", "--method", "integrated_gradients", "--method", "attcat"],
            "one method",
        ),
        (["--option", "states=sideways"], "input, output, norm"),
        (["--text", ""], "empty"),
        (["--text", " \n\t\u200b"], "empty"),
        (["--save", "map.pdf"], ".html, .svg, .png, .csv, .json"),
        (["--html", "no/such/folder/map.html"], "could not be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusals_are_one_plain_sentence(refused, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(
        "explain", *([] if "--text" in arguments else ["--text", "a dull film"]), *arguments
    )
    assert not list(tmp_path.iterdir())


def test_an_unknown_hub_model_is_refused_at_once(refused, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "no-such-owner/no-such-model" in refused(
        "explain", "--text", "a dull film", "--model", "no-such-owner/no-such-model"
    )


def test_an_empty_standard_input_is_refused(refused, monkeypatch):
    monkeypatch.setattr("sys.stdin", typed("\n"))
    assert "empty" in refused("explain", "--text", "-")


@pytest.mark.parametrize(
    "arguments", [[], ["exlpain"], ["explain", "--text"], ["methods", "--nonsense"]], ids=" ".join
)
def test_wrong_commands_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m explainers" in capsys.readouterr().err


NAMES = [command.__name__.rpartition(".")[2] for command in cli.COMMANDS]


def test_without_a_command_all_commands_are_named(capsys):
    with pytest.raises(SystemExit):
        main([])
    said = capsys.readouterr().err
    assert all(f"\n    {name} " in said for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_begins_with_whole_sentences(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    about = " ".join(capsys.readouterr().out.split("\n\n")[1].split())
    assert about[0].isupper() and about.endswith(".")
    assert not re.search(r"[a-z] An? ", about)  # a sentence that ran into the next one


@pytest.mark.parametrize("command", cli.COMMANDS, ids=NAMES)
def test_every_argument_of_a_command_is_explained(command):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    for action in parser._actions:
        assert action.help and not action.help.startswith("(default"), action.dest


# ----------------------------------------------------------------------------------------- evaluate


def test_a_protocol_takes_the_model_that_it_is_for(capsys, tmp_path):
    question = {
        "id": "q",
        "question": "Who sleeps?",
        "answers": [{"text": "a man", "answer_start": 10}],
    }
    (tmp_path / "squad.json").write_text(
        json.dumps(
            {"data": [{"paragraphs": [{"context": "Somewhere a man sleeps.", "qas": [question]}]}]}
        )
    )
    given = ["evaluate", "--data", str(tmp_path / "squad.json"), "--methods", "raw_attention"]
    for asked in (["--protocol", "attcat-squad"], ["--metrics", "precision_at_k"]):
        assert main([*given, *asked, "--out", str(tmp_path / asked[1])]) == 0
        assert "model question-answering;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--protocol", "attcat-table1"], "pairs.tsv has pairs of texts"),
        (
            ["--methods", "attcat", "--metrics", "aopc"],
            "of the bundled ones inference or paraphrase",
        ),
        (["--protocol", "attcat-table1", "--target", "label"], "attcat-table1 explains label"),
        (
            ["--protocol", "chefer-perturbation", "--target", "predicted"],
            "explains the predicted class",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_evaluated(refused, tmp_path, arguments, says):
    (tmp_path / "pairs.tsv").write_text(
        "text_a\ttext_b\tlabel\nA man sleeps.\tA man is awake.\tcontradiction\n"
    )
    assert says in refused(
        "evaluate",
        "--data",
        str(tmp_path / "pairs.tsv"),
        "--out",
        str(tmp_path / "out"),
        *arguments,
    )
    assert not (tmp_path / "out").exists()


def test_reading_the_hub_needs_no_more_than_the_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert "datasets" in {Requirement(one).name for one in extras["evaluation"]}


# ------------------------------------------------------------------------------------------ methods


def test_the_list_has_every_method(run):
    lines = run("methods").splitlines()
    assert [line.split()[0] for line in lines] == list(ex.METHODS)
    for line, method in zip(lines, ex.METHODS.values()):
        assert method.title in line and (" unsigned " in line) == (not method.signed)
    titles = {line.index(f"  {one.title}  (") for line, one in zip(lines, ex.METHODS.values())}
    assert len(titles) == 1  # one below the other


@pytest.mark.parametrize("key", ex.METHODS)
def test_a_card_says_what_a_person_must_know(run, key):
    method = ex.METHODS[key]
    out = run("methods", key)
    card = method.card
    for part in (
        method.title,
        card.idea,
        f"Formula: {card.formula}",
        f"Sign: {card.sign}",
        f"Limits: {card.limits}",
        method.url,
    ):
        assert part in out
    lines = out.splitlines()
    for option in method.options.values():
        (line,) = [line for line in lines if line.startswith(f"- {option.name}")]
        assert option.default is None or f"default: {option.default}".lower() in line.lower()
        assert all(str(choice) in line for choice in option.choices)


def test_an_unknown_card_is_refused(refused):
    assert "did you mean 'attcat'" in refused("methods", "attcta")


def test_markdown_is_a_table(run):
    lines = run("methods", "--markdown").splitlines()
    assert len(lines) == 2 + len(ex.METHODS)
    assert {line.count(" | ") for line in lines if not line.startswith("|-")} == {
        lines[0].count(" | ")
    }
    assert [re.search(r"`(\w+)`", line).group(1) for line in lines[2:]] == list(ex.METHODS)


# -------------------------------------------------------------------------------- as a real process


@pytest.mark.slow
def test_as_a_process(tmp_path):
    text = "Überall gut, 映画 😀"
    done = shell(
        "explain",
        "--text",
        "-",
        "--save",
        str(tmp_path / "map.json"),
        input=text.encode(),
        env={"PYTHONUTF8": "1"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Überall" in done.stdout.decode()
    assert json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))["text"] == text
    done = shell("explain", "--text", "x", "--method", "nothing")
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"explainers: ") and done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_a_terminal_of_few_letters_gets_question_marks_not_an_error():
    done = shell(
        "explain", "--text", "dull", "--method", "raw_attention", env={"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()[-300:]
    assert b"dull" in done.stdout


@pytest.mark.slow
def test_help_loads_no_network():
    code = "import sys; from explainers.cli import main; main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "explain" in done.stdout and "methods" in done.stdout


# --------------------------------------------------------------------------------------------- page


def test_the_page_is_served_where_it_is_asked_to_be(run, monkeypatch):
    program = pytest.importorskip("explainers.page.program")
    served = []
    monkeypatch.setattr(program, "launch", lambda **settings: served.append(settings))
    assert run("page", "--port", "7999") == "The page was stopped.\n"
    assert served == [{"server_name": None, "server_port": 7999}]


def test_without_gradio_the_page_says_what_to_install(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'explainers[app]'" in refused("page")


# ------------------------------------------------------------------------------------ on a terminal


def test_a_terminal_gets_colours_and_a_pipe_the_same_words(sentiment):
    from rich.console import Console

    from explainers.render.terminal import heatmap_text

    text = heatmap_text(ex.explain(sentiment, TEXT))
    printed = []
    for how in ({"force_terminal": True, "color_system": "256"}, {"force_terminal": False}):
        file = io.StringIO()
        Console(file=file, **how).print(text, soft_wrap=True)
        printed.append(file.getvalue())
    colours = re.compile(r"\x1b\[[\d;]*m")
    assert colours.search(printed[0]) and not colours.search(printed[1])
    assert colours.sub("", printed[0]) == printed[1]


def test_wide_letters_and_emoji_stay_in_their_columns():
    from rich.cells import cell_len

    from explainers.render.terminal import padded

    names = padded(["映画", "👍", "a", "longer than twenty-four characters"])
    assert {cell_len(name) for name in names} == {24}

"""`python -m explainers explain`: the same numbers as the library."""

import csv
import io
import json

import pytest
from command_line import TEXT, typed

import explainers as ex
from explainers.cli import main
from explainers.render import export
from explainers.render.characters import number
from explainers.render.tokens import view

pytestmark = pytest.mark.usefixtures("on_cpu")


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
    assert said.splitlines() == [
        "Occlusion (leave one out) takes 3F",
        "Integrated gradients takes 50F 50B",
        "(F forward, B backward passes).",
    ]
    assert main(["explain", "--text", "a dull film", "--method", "all"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 80
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

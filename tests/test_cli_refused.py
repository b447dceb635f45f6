"""Plain sentences of the command line for whatever cannot be done; and the evaluation."""

import tomllib

import pytest
from command_line import ROOT, as_typed, typed
from packaging.requirements import Requirement

from explainers.cli import main

pytestmark = pytest.mark.usefixtures("on_cpu")

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
        (
            ["--option", "steps=0", "--method", "integrated_gradients"],
            "steps must be at least 1; got 0",
        ),
        (["--option", "steps", "--method", "integrated_gradients"], "name=value"),
        (["--option", "steps=5"], "option of attcat"),
        (
            ["--option", "steps=5", "--method", "integrated_gradients", "--method", "attcat"],
            "one method",
        ),
        (["--option", "states=sideways"], "input, output, norm"),
        (["--text", ""], "empty"),
        (["--text", " \n\t\u200b"], "empty"),
        (["--save", "map.pdf"], ".html, .svg, .png, .csv or .json; got .pdf"),
        (["--html", "no/such/folder/map.html"], "could not be written"),
    ],
    ids=as_typed,
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


# ----------------------------------------------------------------------------------------- evaluate


def test_a_protocol_takes_the_model_that_it_is_for(capsys, tmp_path, data):
    given = ["evaluate", "--data", str(data["squad"]), "--methods", "raw_attention"]
    for asked in (["--protocol", "attcat-squad"], ["--metrics", "precision_at_k"]):
        assert main([*given, *asked, "--out", str(tmp_path / asked[1])]) == 0
        assert "model question-answering;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--protocol", "attcat-table1"], "pairs.tsv has pairs of texts"),
        (
            ["--methods", "attcat", "--metrics", "aopc"],
            "for example inference or paraphrase",
        ),
        (["--protocol", "attcat-table1", "--target", "label"], "attcat-table1 explains label"),
        (
            ["--protocol", "chefer-perturbation", "--target", "predicted"],
            "explains the predicted class",
        ),
    ],
    ids=as_typed,
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


def test_evaluate_names_only_what_lacks(refused):
    data, out = "--data (a file, a folder or a name on the Hub)", "--out (a folder for the results)"
    assert refused("evaluate", "--data", "texts.tsv").strip().endswith(f"Give {out}.")
    assert refused("evaluate", "--out", "here").strip().endswith(f"Give {data}.")
    assert refused("evaluate").strip().endswith(f"Give {data} and {out}.")


def test_reading_the_hub_needs_no_more_than_the_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert "datasets" in {Requirement(one).name for one in extras["evaluation"]}

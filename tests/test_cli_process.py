"""The command line as a process and on a terminal; lists of methods; the page."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from command_line import ROOT, TEXT

import explainers as ex

pytestmark = pytest.mark.usefixtures("on_cpu")


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

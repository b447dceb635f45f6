"""Commands as tests give them: what was said, or the sentence of the refusal."""

import io
from pathlib import Path

import pytest

from explainers.cli import main

ROOT = Path(__file__).parents[1]

TEXT = "An unbelievably dull film, but the actors were good."


@pytest.fixture
def on_cpu(monkeypatch):
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


def as_typed(value) -> str:
    """The name of a test by the command that it gives; of what else it is given, none."""
    return " ".join(map(str, value)) if isinstance(value, list) else ""

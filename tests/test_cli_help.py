"""The help of the command line: whole sentences, and a word on every argument."""

import argparse
import re

import pytest

from explainers import cli

NAMES = [command.__name__.rpartition(".")[2] for command in cli.COMMANDS]


def test_without_a_command_all_commands_are_named(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    said = capsys.readouterr().err
    for name in NAMES:
        assert f"\n    {name} " in said


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_begins_with_whole_sentences(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
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

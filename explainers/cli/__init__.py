"""The command line: one file for each command.

python -m explainers explain --model sentiment --method attcat --text "..."
python -m explainers explain --model vit --method gae --image FILE --png FILE
python -m explainers imagine --model vit --class teapot --png FILE
python -m explainers evaluate --data FILE --methods attcat --metrics aopc --out DIR
python -m explainers methods [KEY]
python -m explainers metrics [KEY]
python -m explainers page

A command is a module with three parts: a docstring, which is its help; `add_arguments(parser)`;
and `run(args)`, which returns what is printed: plain text, or text with colours for a terminal.
To add a command, write such a module and list it in `COMMANDS`.
"""

import argparse
import io
import os
import sys

from rich.console import Console
from rich.text import Text

from ..errors import Refusal
from . import evaluate, explain, imagine, methods, metrics, page

#: The commands, in the order of the help.
COMMANDS = (explain, imagine, evaluate, methods, metrics, page)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 2 for a refusal, 130 if it was interrupted."""
    parser = command_parser()
    args = parser.parse_args(arguments)
    if "run" not in args:
        parser.print_help(sys.stderr)
        parser.exit(2)
    replace_unknown_characters()
    try:
        show(args.run(args))
    except Refusal as refusal:
        print(f"explainers: {refusal}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("explainers: stopped.", file=sys.stderr)
        return 130
    return 0


def command_parser() -> argparse.ArgumentParser:
    """The parser of all commands. `args.run` is the chosen command's function."""
    parser = argparse.ArgumentParser(
        prog="python -m explainers",
        description="Which tokens or patches moved this model's score, and which way?",
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        summary, _, more = (command.__doc__ or "").strip().partition("\n\n")
        description = f"{summary[:1].upper()}{summary[1:]}. {more}".strip()
        one = commands.add_parser(name, help=summary, description=description)
        one.set_defaults(run=command.run)
        command.add_arguments(one)
    return parser


def replace_unknown_characters() -> None:
    """Replace what a pipe or a terminal cannot decode or encode, instead of raising an error."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def show(result: str | Text) -> None:
    """Print a command's result; colours only where the output is a terminal."""
    if isinstance(result, str):
        print(result)
    else:
        Console(file=sys.stdout).print(result, soft_wrap=True)

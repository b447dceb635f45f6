"""make the picture that maximises a class, or one unit"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ..errors import Refusal
from ..inputs.kinds import PICTURE, PICTURE_AND_TEXTS
from ..maximisation import Settings, imagine
from ..models.bundled import bundled_for
from ..render.characters import visible
from ..render.terminal import curve_line
from .given import load_quietly


def add_arguments(parser: ArgumentParser) -> None:
    usual = Settings()
    parser.add_argument(
        "--model",
        help=f"a bundled name, a folder or a Hub id (default: {bundled_for(PICTURE)}; "
        f"{bundled_for(PICTURE_AND_TEXTS)} with --text)",
    )
    parser.add_argument("--revision", help="commit or branch of a Hub model")
    parser.add_argument(
        "--class",
        dest="target",
        metavar="CLASS",
        help="label or index, or 'A - B'; of a model that matches pictures with texts, one of "
        "--text",
    )
    parser.add_argument(
        "--unit",
        type=int,
        nargs="+",
        metavar="N",
        help="instead of a class, a unit of a feed-forward layer: its layer, its index, and a "
        "token (without one: the mean over the patches)",
    )
    parser.add_argument(
        "--text", action="append", default=[], help="a text to match; may be repeated"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=usual.steps,
        help="how many steps of gradient ascent (default: %(default)s)",
    )
    parser.add_argument(
        "--tv",
        type=float,
        default=usual.tv,
        metavar="WEIGHT",
        help="weight of the total variation: more is smoother (default: %(default)s)",
    )
    parser.add_argument(
        "--l2",
        type=float,
        default=usual.l2,
        metavar="WEIGHT",
        help="weight of the squared length: more is greyer (default: %(default)s)",
    )
    parser.add_argument(
        "--jitter",
        type=int,
        default=usual.jitter,
        metavar="PIXELS",
        help="largest random shift before each step (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=usual.seed, help="of the start and the shifts (default: 0)"
    )
    parser.add_argument("--png", metavar="FILE", required=True, help="the file to write")


def run(args: Namespace) -> str:
    if not Path(args.png).absolute().parent.is_dir():
        raise Refusal(f"{args.png} could not be written: there is no such folder.")
    usual = bundled_for(PICTURE_AND_TEXTS if args.text else PICTURE)
    model = load_quietly(args.model or usual, args.revision)
    error = Console(stderr=True)
    with Progress(console=error, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("steps", total=args.steps)
        made = imagine(
            model,
            args.target,
            unit=args.unit,
            texts=args.text,
            steps=args.steps,
            tv=args.tv,
            l2=args.l2,
            jitter=args.jitter,
            seed=args.seed,
            progress=lambda done, steps, image: progress.update(task, completed=done),
        )
    made.save(args.png)
    first, last = made.scores[0], made.scores[-1]
    return (
        f"{made.model}, {visible(made.target)}: "
        f"score {first:.3f} to {last:.3f} in {args.steps} steps\n"
        f"{curve_line(made.scores)}\n"
        f"written: {args.png}"
    )

"""Make the planted models: small, and trained on inputs whose causes are known.

    python training/planted.py train    --out assets/models/planted     # all four; some minutes
    python training/planted.py evaluate                                 # the model card's numbers

planted-and     smoke is an alarm, but only together with heat; fire is never used
planted-not     good is praise, unless "not" stands before it; wonderful is never used
planted-corner  the colour of a mark in a corner is the class; the large shape is never used
planted-object  the shape of the red object is the class; the blue one is never used

Inputs are drawn from a seed, and the rule that gives their class also says which of their words or
patches are causes. Half of the inputs are damaged as metrics damage them: any share of their words
or patches is taken out, and the class is that of what is left. So a text or a picture from which a
metric takes parts out is like those of the training. Each input is shown together with a twin
that has another distractor, and a second loss makes the two equal. `evaluate` proves on fresh
inputs, by intervention, that the causes are used and the distractors are not.

`train` writes a folder for each model: config.json, model.safetensors (fp16), and held-out inputs
with their truth in planted.jsonl (and planted.png, for pictures).
"""

import argparse
import sys
from pathlib import Path

from of_planted.proof import evaluate
from of_planted.steps import train
from of_planted.tasks import TASKS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for run in (train, evaluate):
        command = commands.add_parser(run.__name__, help=(run.__doc__ or "").split("\n")[0])
        command.set_defaults(run=run)
    commands.choices["train"].add_argument("--out", type=Path, required=True)
    commands.choices["train"].add_argument(
        "--name", choices=TASKS, help="only this model (default: all)"
    )
    commands.choices["train"].add_argument(
        "--steps", type=int, help="fewer steps, to try it (default: the recipe's)"
    )
    commands.choices["evaluate"].add_argument(
        "--inputs", type=int, default=2000, help="of each model (default: %(default)s)"
    )
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

"""Fine-tune the bundled text model: one MiniLM encoder with four heads.

The tasks: sentiment, paraphrase, inference, question answering.

    train="python training/text.py train --encoder MINILM_DIR --data DATA_DIR --work RUN_DIR"
    export="python training/text.py export --encoder MINILM_DIR --work RUN_DIR"
    $train                              stage 1
    $train --stage 2; $train --stage 3
    $export --stages 2 3 --out runs/three
    $train --stage 4 --start runs/three
    $export --stages 4 --also runs/three --out runs/four
    $train --stage 5 --start runs/four
    $export --stages 5 --also runs/three --share 0.8 --out assets/models/text
    python training/text.py caution  --data DATA_DIR --margin 2.5 --out assets/models/text
    python training/text.py evaluate --data DATA_DIR

Stage 1 is the longest and trains all tasks. Stages 2 and 3 continue from its weights, on the tasks
that are still weak: pairs, then sentences, with R-Drop (the outputs under two dropout masks must
agree; Liang et al. 2021, eq. 4) and a higher weight for questions without an answer. Stage 4 is for
questions, on which the model had overfitted: each pass sees another augmentation of a context
(`augmented`), and QNLI's sentences stand among similar ones. Stage 5 is a short one at a lower
learning rate, on unchanged contexts too.

Each stage writes a checkpoint in RUN_DIR every few hundred steps and goes on from it when started
again. The whole schedule (which example in which batch at which step) is drawn from the seed before
the first step, so a resumed run takes the same steps as an uninterrupted one. `export` writes the
mean of the named stages' weights: the encoder once, in fp16, and one small folder a task. A stage
can start from such a folder. `evaluate` loads what was exported as a user would (`explainers.load`)
and prints the numbers of the model card.

DATA_DIR holds

    sst2/{train_67k,train_sentences,dev,test_labelled}.tsv
    imdb/{train,test_2000}.jsonl.gz
    pairs/{QQP,MNLI,SNLI,QNLI}_{train,dev}.tsv
    squad/articles_0_13.json        in the layout of SQuAD v2
"""

import argparse
import sys
from pathlib import Path

from of_texts.accuracy import evaluate
from of_texts.files import caution, export
from of_texts.stages import STAGES
from of_texts.steps import train

#: The commands, and the folders that each needs.
COMMANDS = (
    (train, ("encoder", "data", "work")),
    (export, ("encoder", "work", "out")),
    (caution, ("data", "out")),
    (evaluate, ("data",)),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for run, needs in COMMANDS:
        command = commands.add_parser(run.__name__, help=(run.__doc__ or "").split("\n")[0])
        command.set_defaults(run=run)
        for need in needs:
            command.add_argument(f"--{need}", type=Path, required=True)
    commands.choices["train"].add_argument("--stage", type=int, choices=STAGES, default=1)
    commands.choices["train"].add_argument(
        "--start", type=Path, help="an exported model to start from, instead of the stage before"
    )
    commands.choices["export"].add_argument(
        "--stages", type=int, choices=STAGES, nargs="+", required=True, help="their mean is written"
    )
    commands.choices["export"].add_argument("--also", type=Path, help="an exported model to mix in")
    commands.choices["export"].add_argument(
        "--share", type=float, default=0.5, help="its share of the mixture (default: %(default)s)"
    )
    commands.choices["caution"].add_argument(
        "--margin", type=float, required=True, help="what is added to either [CLS] logit"
    )
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

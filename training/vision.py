"""Train the bundled models of pictures.

They are a small ViT, distilled from a larger one, and projections that match it with the text
encoder.

    python training/vision.py train    --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR
    python training/vision.py export   --data DATA_DIR --work RUN_DIR --out assets/models/vision
    python training/vision.py pair     --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR \\
                                       --out assets/models/dual
    python training/vision.py evaluate --teacher DEIT_DIR --data DATA_DIR

`train` trains a ViT (6 layers of 192, 64 px in patches of 8) on the labels, the teacher's
probabilities and, token by token, the teacher's last hidden states: 64 patches a picture carry much
more information than one label. The teacher runs on a few random crops of each picture, once for
each crop. Its outputs are kept in RUN_DIR and used in many epochs, mirrored or not. In the first
epochs only some of the patches are shown (patch dropout). This is faster and reduces overfitting.
The last stages show nearly whole pictures, as in use, on which the teacher is more accurate too,
and their learning rate decays once more. A checkpoint is written after every epoch; a run that is
started again goes on from it. `export` writes the running mean of the weights in fp16.

`pair` freezes both encoders and trains poolers, projections and a temperature on top (Zhai et al.
2022, "locked-image tuning", here with both sides locked). The texts are prompts about the teacher's
1,000 classes, by any of their names. The softmax over the texts is trained to equal the teacher's
class probabilities.

DATA_DIR is tinyimagenet50: {train_part1,train_part2,val}.zip of 64 px pictures, classes.tsv (label,
wnid, name). DEIT_DIR is a ViT classifier for ImageNet-1k in Hugging Face layout, with wnids.json,
its classes in order, and synset_words.txt, their names.
"""

import argparse
import sys
from pathlib import Path

from of_pictures.accuracy import evaluate
from of_pictures.distillation import export, train
from of_pictures.matching import pair

#: The commands, and the folders that each needs.
COMMANDS = (
    (train, ("teacher", "data", "work")),
    (export, ("data", "work", "out")),
    (pair, ("teacher", "data", "work", "out")),
    (evaluate, ("teacher", "data")),
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
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

"""Runs of the evaluation for tests: a few texts, a plan, and accidents on the way."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from explainers.evaluation import Example
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import Plan, Work

ROOT = Path(__file__).parent.parent

WORDS = (
    "a fine film",
    "dull and long",
    "the acting is good but the plot is not",
    "i laughed",
    "never again",
    "what a waste of two hours and a good cast",
)

PLAN = Plan("sentiment", ("attcat", "raw_attention"), ("aopc", "comprehensiveness"))


def texts(n: int) -> Dataset:
    return Dataset(
        "texts",
        [
            Example(f"{WORDS[k % len(WORDS)]} {'indeed ' * (k % 5)}", k % 2, str(k))
            for k in range(n)
        ],
    )


def same(first, second) -> None:
    pd.testing.assert_frame_equal(first.records, second.records, rtol=1e-5, atol=1e-6)


class Trouble(Work):
    """The work, with an accident at its second shard unless it has happened already."""

    def __init__(self, plan: Plan, mark: Path, accident):
        super().__init__(plan)
        self.mark, self.accident = mark, accident

    def __getstate__(self) -> dict:
        return vars(self) | {"model": None} if "model" in vars(self) else vars(self)

    def __call__(self, examples):
        if self.mark.exists() and not self.mark.read_text():
            self.mark.write_text("happened")
            self.accident()
        elif not self.mark.exists():
            self.mark.write_text("")
        return super().__call__(examples)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    """A few examples of each kind of data."""
    root = tmp_path_factory.mktemp("data")
    (root / "texts.tsv").write_text(
        "text\tlabel\n"
        + "".join(
            f"{text} and nothing else to say here\t{k % 2}\n" for k, text in enumerate(WORDS[:3])
        )
    )
    question = {
        "id": "q",
        "question": "Who sleeps?",
        "answers": [{"text": "a man", "answer_start": 10}],
    }
    (root / "squad.json").write_text(
        json.dumps(
            {"data": [{"paragraphs": [{"context": "Somewhere a man sleeps.", "qas": [question]}]}]}
        )
    )
    (root / "movies/docs").mkdir(parents=True)
    (root / "movies/docs/one.txt").write_text("a dull film , not worth an evening")
    (root / "movies/test.jsonl").write_text(
        json.dumps(
            {
                "annotation_id": "one.txt",
                "classification": "NEG",
                "evidences": [[{"start_token": 1, "end_token": 3}]],
            }
        )
    )
    rng = np.random.default_rng(0)
    (root / "pictures/images").mkdir(parents=True), (root / "pictures/masks").mkdir()
    for k in range(2):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(
            root / f"pictures/images/{k}.png"
        )
        Image.fromarray(np.pad(np.full((32, 32), 255, np.uint8), 16)).save(
            root / f"pictures/masks/{k}.png"
        )
    (root / "pictures/labels.tsv").write_text("file\tlabel\n0.png\tgoldfish\n1.png\tteapot\n")
    with zipfile.ZipFile(root / "val.zip", "w") as file:
        (
            file.write(root / "pictures/images/0.png", "val/n1/0.png"),
            file.write(root / "pictures/images/1.png", "val/n2/1.png"),
        )
    (root / "classes.tsv").write_text("label\twnid\tname\n0\tn1\tgoldfish\n1\tn2\tteapot\n")
    return {
        "texts": root / "texts.tsv",
        "squad": root / "squad.json",
        "movies": root / "movies",
        "pictures": root / "pictures",
        "zip": root / "val.zip",
    }

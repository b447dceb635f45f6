"""What each stage is trained on, and with which rates and losses."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .rows import Example, imdb, pairs, qnli, qnli_paragraphs, squad, sst2


@dataclass(frozen=True)
class Part:
    """Rows of one task: how many passes over them, and their longest window in tokens."""

    rows: list[Example]
    passes: int
    longest: int


@dataclass(frozen=True)
class Stage:
    """One run over a schedule.

    parts        from DATA_DIR to the rows
    rate         the learning rate of the encoder
    head_rate    the learning rate of the heads
    r_drop       the tasks whose batches are seen under two dropout masks (R-Drop)
    null_weight  the weight of questions that the text does not answer
    null_margin  what is subtracted from both [CLS] logits in the loss, so that the model learns
                 higher ones and answers "no answer" more often
    """

    parts: Callable[[Path], list[Part]]
    rate: float
    head_rate: float
    r_drop: tuple[str, ...] = ()
    null_weight: float = 1.0
    null_margin: float = 0.0
    seed: int = 20


def first_stage(data: Path) -> list[Part]:
    """All tasks."""
    return [
        Part(sst2(data / "sst2/train_67k.tsv"), passes=2, longest=64),
        Part(sst2(data / "sst2/train_sentences.tsv"), passes=2, longest=64),
        Part(imdb(data / "imdb/train.jsonl.gz"), passes=1, longest=160),
        Part(pairs(data / "pairs/QQP_train.tsv", "paraphrase"), passes=4, longest=96),
        Part(pairs(data / "pairs/MNLI_train.tsv", "inference"), passes=5, longest=112),
        Part(pairs(data / "pairs/SNLI_train.tsv", "inference"), passes=3, longest=64),
        Part(squad(data / "squad/articles_0_13.json", held_out=False), passes=4, longest=256),
        Part(qnli(data / "pairs/QNLI_train.tsv"), passes=2, longest=112),
    ]


def second_stage(data: Path) -> list[Part]:
    """What is weak after the first stage: pairs, and questions without an answer."""
    return [
        Part(sst2(data / "sst2/train_sentences.tsv"), passes=3, longest=64),
        Part(imdb(data / "imdb/train.jsonl.gz")[::10], passes=1, longest=160),
        Part(pairs(data / "pairs/QQP_train.tsv", "paraphrase"), passes=1, longest=96),
        Part(pairs(data / "pairs/MNLI_train.tsv", "inference"), passes=3, longest=112),
        Part(pairs(data / "pairs/SNLI_train.tsv", "inference"), passes=1, longest=64),
        Part(squad(data / "squad/articles_0_13.json", held_out=False), passes=3, longest=256),
    ]


def third_stage(data: Path) -> list[Part]:
    """Sentences."""
    return [
        Part(sst2(data / "sst2/train_67k.tsv")[::3], passes=1, longest=64),
        Part(sst2(data / "sst2/train_sentences.tsv"), passes=2, longest=64),
        Part(pairs(data / "pairs/MNLI_train.tsv", "inference")[::2], passes=1, longest=112),
        Part(squad(data / "squad/articles_0_13.json", held_out=False), passes=1, longest=256),
    ]


def fourth_stage(data: Path) -> list[Part]:
    """Questions, on contexts that are never seen twice alike."""
    questions = data / "squad/articles_0_13.json"
    return [
        Part(sst2(data / "sst2/train_67k.tsv")[::6], passes=1, longest=64),
        Part(sst2(data / "sst2/train_sentences.tsv"), passes=1, longest=64),
        Part(pairs(data / "pairs/QQP_train.tsv", "paraphrase"), passes=1, longest=96),
        Part(pairs(data / "pairs/MNLI_train.tsv", "inference"), passes=1, longest=112),
        Part(squad(questions, held_out=False, augment=True), passes=9, longest=256),
        Part(qnli_paragraphs(data / "pairs/QNLI_train.tsv"), passes=2, longest=192),
    ]


def fifth_stage(data: Path) -> list[Part]:
    """Questions, on augmented and on unchanged contexts."""
    questions = data / "squad/articles_0_13.json"
    return [
        Part(sst2(data / "sst2/train_sentences.tsv"), passes=1, longest=64),
        Part(pairs(data / "pairs/MNLI_train.tsv", "inference")[::2], passes=1, longest=112),
        Part(squad(questions, held_out=False, augment=True), passes=1, longest=256),
        Part(squad(questions, held_out=False), passes=1, longest=256),
    ]


STAGES = {
    1: Stage(first_stage, rate=6e-5, head_rate=5e-4),
    2: Stage(
        second_stage,
        rate=5e-5,
        head_rate=2e-4,
        r_drop=("inference", "paraphrase"),
        null_weight=2.5,
        seed=21,
    ),
    3: Stage(
        third_stage,
        rate=3e-5,
        head_rate=1e-4,
        r_drop=("inference", "sentiment"),
        null_weight=2.5,
        seed=22,
    ),
    4: Stage(
        fourth_stage,
        rate=6e-5,
        head_rate=2e-4,
        r_drop=("inference", "sentiment"),
        null_weight=3.0,
        seed=23,
    ),
    5: Stage(
        fifth_stage,
        rate=3e-5,
        head_rate=2e-4,
        r_drop=("sentiment",),
        null_weight=2.5,
        null_margin=1.75,
        seed=24,
    ),
}

"""Read the examples of the four tasks from DATA_DIR."""

import csv
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

#: The classes of each task; None for question answering.
LABELS = {
    "sentiment": ["NEGATIVE", "POSITIVE"],
    "paraphrase": ["different", "paraphrase"],
    "inference": ["entailment", "neutral", "contradiction"],
    "question-answering": None,
}

#: The questions on these articles are never trained on.
HELD_OUT_ARTICLES = {"Imperialism", "Warsaw"}

Characters = tuple[int, int]


@dataclass(frozen=True)
class Example:
    """One row of one task: its texts and the target of the head.

    label      the class; not used for question answering
    spans      the answers, as characters of the context; () if the context does not answer
    somewhere  the characters of the sentence that holds the answer, if only that is known
    article    the title of the article that the context is from
    augment    whether the context is changed at random in each pass
    """

    task: str
    texts: tuple[str, ...]
    label: int = 0
    spans: tuple[Characters, ...] | None = None
    somewhere: Characters | None = None
    article: str = ""
    augment: bool = False


def sst2(path: Path) -> list[Example]:
    """Sentences of SST-2, from lines of a text and 0 or 1."""
    header = 0 if path.stem == "train_67k" else None
    rows = pd.read_csv(
        path, sep="\t", header=header, names=["text", "label"], quoting=csv.QUOTE_NONE
    )
    examples = []
    for text, label in zip(rows.text, rows.label):
        examples.append(Example("sentiment", (text.strip(),), label))
    return examples


def imdb(path: Path) -> list[Example]:
    """Reviews of IMDB, one JSON object a line."""
    rows = pd.read_json(path, lines=True)
    examples = []
    for text, label in zip(rows.text, rows.label):
        examples.append(Example("sentiment", (text.replace("<br />", " "),), label))
    return examples


def pairs(path: Path, task: str) -> list[Example]:
    """Pairs of texts for "paraphrase" (0 or 1) or "inference" (the name of the class)."""
    rows = pd.read_csv(path, sep="\t").dropna()
    examples = []
    for first, second, label in zip(rows.text_a, rows.text_b, rows.label):
        if task == "inference":
            label = LABELS[task].index(label)
        examples.append(Example(task, (first, second), int(label)))
    return examples


def qnli(path: Path) -> list[Example]:
    """Questions and sentences of QNLI.

    "entailment" means that the answer is somewhere in the sentence. Otherwise it is not there.
    """
    rows = pd.read_csv(path, sep="\t").dropna()
    examples = []
    for question, sentence, label in zip(rows.text_a, rows.text_b, rows.label):
        somewhere = (0, len(sentence)) if label == "entailment" else None
        examples.append(
            Example("question-answering", (question, sentence), spans=(), somewhere=somewhere)
        )
    return examples


def qnli_paragraphs(path: Path, others: int = 3) -> list[Example]:
    """QNLI with each sentence among the `others` most similar ones.

    So one sentence of a paragraph may hold the answer. Similarity is the cosine of TF-IDF
    vectors.
    """
    rows = qnli(path)
    sentences = [row.texts[1] for row in rows]
    vectors = TfidfVectorizer(stop_words="english").fit_transform(sentences)
    search = NearestNeighbors(n_neighbors=3 * others, metric="cosine").fit(vectors)
    neighbours = search.kneighbors(vectors, return_distance=False)
    rng = random.Random(0)
    paragraphs = []
    for row, near in zip(rows, neighbours):
        texts = dict.fromkeys(sentences[i] for i in near)  # each once, in order
        texts.pop(row.texts[1], None)
        paragraphs.append(among(row, list(texts)[:others], rng))
    return paragraphs


def among(row: Example, texts: list[str], rng: random.Random) -> Example:
    """The same question with its sentence at a random place among `texts`."""
    question, sentence = row.texts
    place = rng.randint(0, len(texts))
    before = "".join(f"{text} " for text in texts[:place])
    context = before + " ".join([sentence, *texts[place:]])
    somewhere = (len(before), len(before) + len(sentence)) if row.somewhere else None
    return replace(row, texts=(question, context), somewhere=somewhere)


def squad(path: Path, held_out: bool, augment: bool = False) -> list[Example]:
    """Questions of SQuAD v2: those on the articles held out, or all others."""
    examples = []
    for article in json.loads(path.read_text())["data"]:
        if (article["title"] in HELD_OUT_ARTICLES) != held_out:
            continue
        for paragraph in article["paragraphs"]:
            for row in paragraph["qas"]:
                example = Example(
                    "question-answering",
                    (row["question"], paragraph["context"]),
                    spans=spans_of(row["answers"]),
                    article=article["title"],
                    augment=augment,
                )
                examples.append(example)
    return examples


def spans_of(answers: list[dict]) -> tuple[Characters, ...]:
    """Where the reference answers stand in the context, each place once, in order."""
    spans = set()
    for answer in answers:
        start = answer["answer_start"]
        spans.add((start, start + len(answer["text"])))
    return tuple(sorted(spans))

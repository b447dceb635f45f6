"""Measure the accuracy of the bundled text model, on rows that were held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .files import buckets, columns
from .rows import HELD_OUT_ARTICLES, Characters, Example, imdb, pairs, squad, sst2

LONGEST_SPAN = 30  # tokens of an answer
LONGEST_TEXT = 512  # tokens of an input


@torch.no_grad()
def evaluate(args) -> None:
    """Measure the accuracy on held-out rows.

    An answer is right if both of its ends are exact; any of the reference answers counts.
    """
    import explainers  # here, so that training needs nothing of the package

    data = args.data
    tests = {
        "SST-2 dev": sst2(data / "sst2/dev.tsv"),
        "SST-2 test": sst2(data / "sst2/test_labelled.tsv"),
        "IMDB test": imdb(data / "imdb/test_2000.jsonl.gz"),
        "QQP dev": pairs(data / "pairs/QQP_dev.tsv", "paraphrase"),
        "MNLI matched dev": pairs(data / "pairs/MNLI_dev.tsv", "inference"),
        "SNLI dev": pairs(data / "pairs/SNLI_dev.tsv", "inference"),
        "SQuAD v2 held-out articles": squad(data / "squad/articles_0_13.json", held_out=True),
    }
    print("| rows | n | accuracy |\n|---|---|---|")
    for name, examples in tests.items():
        task = examples[0].task
        model = explainers.load(task, device="cpu")
        if task == "question-answering":
            report_answers(name, model, examples)
        else:
            report(name, hits(model, examples))


def report(name: str, right: list[bool]) -> None:
    """Print a row of the table."""
    print(f"| {name} | {len(right)} | {100 * sum(right) / len(right):.1f} % |", flush=True)


def hits(model, examples: list[Example]) -> list[bool]:
    """Whether the predicted class is right, for each example."""
    found = []
    for batch in buckets(examples):
        coded = model.tokenizer(
            *columns(batch),
            padding=True,
            max_length=LONGEST_TEXT,
            truncation="longest_first",
            return_tensors="pt",
        )
        predicted = model.net(**coded).logits.argmax(-1).tolist()
        for label, example in zip(predicted, batch):
            found.append(label == example.label)
    return found


# --------------------------------------------------------------------------- question answering


@dataclass(frozen=True)
class Reply:
    """What the model answers to one question; None stands for "not in this text".

    plain   the answer where start and end are chosen independently, and [CLS] means "no answer"
    span    the best span of the text
    margin  the logits of [CLS] minus those of that span
    """

    example: Example
    plain: Characters | None
    span: Characters
    margin: float

    def above(self, margin: float) -> Characters | None:
        """The answer, if a larger margin than this stands for "no answer"."""
        return None if self.margin > margin else self.span

    def right(self, answer: Characters | None) -> bool:
        """Whether an answer is one of the references; None is right if there is no reference."""
        if self.example.spans:
            return answer in self.example.spans
        return answer is None


def report_answers(name: str, model, examples: list[Example]) -> None:
    """Print two rows: the answers as they are, and with a threshold for "not in this text".

    The threshold of an article is the best one of the other articles.
    """
    replies: list[Reply] = []
    for batch in buckets(examples):
        replies += read_answers(model, batch)
    report(name, [reply.right(reply.plain) for reply in replies])
    margins = {article: best_threshold(replies, without=article) for article in HELD_OUT_ARTICLES}
    right = []
    for reply in replies:
        right.append(reply.right(reply.above(margins[reply.example.article])))
    report(f"{name}, with a threshold", right)


def read_answers(model, examples: list[Example]) -> Iterator[Reply]:
    """The replies to a batch of questions."""
    batch = model.tokenizer(
        *columns(examples),
        padding=True,
        max_length=LONGEST_TEXT,
        truncation="only_second",
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = batch.pop("offset_mapping")
    outputs = model.net(**batch)
    for i, example in enumerate(examples):
        is_outside = torch.tensor([text != 1 for text in batch.sequence_ids(i)])
        logits = torch.stack([outputs.start_logits[i], outputs.end_logits[i]])
        yield reply_of(example, logits, is_outside, offsets[i])


def reply_of(example: Example, logits: Tensor, is_outside: Tensor, offsets: Tensor) -> Reply:
    """The reply to one question.

    logits: [end token]. is_outside: [token], True outside the context. offsets: [token 2], first
    character and last + 1.
    """
    nothing = logits[:, 0]
    start, end = logits.masked_fill(is_outside, -1e4)
    sums = start[:, None] + end
    is_span = torch.ones_like(sums).triu().tril(LONGEST_SPAN).bool()
    sums = sums.masked_fill(~is_span, -1e5)
    first, last = divmod(int(sums.argmax()), len(end))

    def characters(first: int, last: int) -> Characters:
        return int(offsets[first, 0]), int(offsets[last, 1])

    plain = None
    if nothing[0] <= start.max() and nothing[1] <= end.max():
        plain = characters(int(start.argmax()), int(end.argmax()))
    margin = float(nothing[0] + nothing[1] - sums.max())
    return Reply(example, plain, span=characters(first, last), margin=margin)


def best_threshold(replies: list[Reply], without: str) -> float:
    """The threshold on the margin with the most right answers, on every article but one."""
    others = [reply for reply in replies if reply.example.article != without]

    def count_right(margin: float) -> int:
        return sum(reply.right(reply.above(margin)) for reply in others)

    return max((reply.margin for reply in others), key=count_right)

"""From examples to windows of tokens, and from windows to batches."""

import itertools
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import BatchEncoding

from .rows import Characters, Example
from .stages import Stage

BATCH_TOKENS = 2048  # of a batch, with padding
STEP_LENGTHS = 16  # lengths are padded to a multiple of it: many shapes need more memory

ANSWER_LEFT_OUT = 0.12  # of the questions
UNCHANGED = 0.3  # of the contexts
MASKED = 0.1  # of the tokens, in half of the contexts

#: Where a sentence ends and another one begins.
END_OF_SENTENCE = re.compile(r"[.!?][\"”’)]*\s+(?=[A-Z\"“(])")

Tokens = tuple[int, int]


@dataclass(slots=True)
class Window:
    """The tokens of one row and the target of the head.

    segments  0 for tokens of the first text, 1 for those of the second
    label     the class, where there are classes
    start     the first token of the answer; 0, which is [CLS], if the window has no answer
    end       the last token of the answer; else 0, too
    anywhere  first and last token of the sentence that holds the answer, if only that is known
    """

    ids: list[int]
    segments: list[int]
    label: int = 0
    start: int = 0
    end: int = 0
    anywhere: Tokens | None = None


def encode(tokenizer, example: Example, longest: int, rng: random.Random) -> Window:
    """One window of at most `longest` tokens of an example."""
    if example.task == "sentiment":
        return encode_review(tokenizer, example, longest, rng)
    if example.task == "question-answering":
        return encode_question(tokenizer, example, longest, rng)
    coded = tokenizer(*example.texts, truncation="longest_first", max_length=longest)
    return Window(coded["input_ids"], coded["token_type_ids"], label=example.label)


def encode_review(tokenizer, example: Example, longest: int, rng: random.Random) -> Window:
    """A whole text, or a random window of a long one. Half of those windows are the ending."""
    ids = tokenizer(example.texts[0], add_special_tokens=False)["input_ids"]
    room = longest - 2
    if len(ids) > room:
        room = rng.randint(longest // 3, room)
    start = int(max(0, len(ids) - room) * rng.choice([0, 1, 1, rng.random()]))
    ids = [tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id]
    return Window(ids, [0] * len(ids), label=example.label)


def encode_question(tokenizer, example: Example, longest: int, rng: random.Random) -> Window:
    """A question with a window of its context that holds one of the answers, if there is one."""
    if example.augment:
        example = augmented(example, rng)
    windows = tokenizer(
        *example.texts,
        truncation="only_second",
        max_length=longest,
        stride=longest // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    count = len(windows["input_ids"])
    span = rng.choice(example.spans) if example.spans else None
    found = []
    for number in range(count):
        where = locate(windows, number, span)
        if where:
            found.append((number, where))
    start = end = 0
    if found:
        number, (start, end) = rng.choice(found)
    else:
        number = rng.randrange(count)
    ids = windows["input_ids"][number]
    if example.augment:
        outside = [i for i, text in enumerate(windows.sequence_ids(number)) if text != 1]
        ids = masked(tokenizer, ids, {*range(start, end + 1), *outside}, rng)
    return Window(
        ids,
        windows["token_type_ids"][number],
        start=start,
        end=end,
        anywhere=locate(windows, number, example.somewhere, whole=False),
    )


def masked(tokenizer, ids: list[int], kept: set[int], rng: random.Random) -> list[int]:
    """The tokens with some of them masked, in half of the windows; those at `kept` stay."""
    rate = rng.choice([0, MASKED])
    found = []
    for place, token in enumerate(ids):
        if place not in kept and rng.random() < rate:
            token = tokenizer.mask_token_id
        found.append(token)
    return found


def locate(
    windows: BatchEncoding, number: int, span: Characters | None, whole: bool = True
) -> Tokens | None:
    """The first and the last token of a span in a window; None if it is not there.

    whole: whether all of the span must be in the window.
    """
    if span is None:
        return None
    begin, stop = span
    offsets = windows["offset_mapping"][number]
    inside = []
    for place, text in enumerate(windows.sequence_ids(number)):
        if text == 1 and offsets[place][0] < stop and offsets[place][1] > begin:
            inside.append(place)
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    if whole and (offsets[first][0] > begin or offsets[last][1] < stop):
        return None
    return first, last


# --------------------------------------------------------------------------- data augmentation


def augmented(example: Example, rng: random.Random) -> Example:
    """The question with a changed context.

    Sentences are left out or put in another order. In some cases the sentence of the answer is left
    out; then the text does not answer the question.
    """
    question, context = example.texts
    sentences = sentences_of(context)
    span = rng.choice(example.spans) if example.spans else None
    holding = set()
    if span:
        for i, (begin, stop) in enumerate(sentences):
            if begin < span[1] and stop > span[0]:
                holding.add(i)
    if len(holding) == 1 and len(sentences) > 1 and rng.random() < ANSWER_LEFT_OUT:
        others = [context[slice(*one)] for i, one in enumerate(sentences) if i not in holding]
        text = " ".join(other.strip() for other in others)
        return replace(example, texts=(question, text), spans=())
    if rng.random() < UNCHANGED or len(holding) > 1:
        return example
    text, spans = "", ()
    for i in new_order(len(sentences), holding, rng):
        begin, stop = sentences[i]
        if span and i in holding:
            moved = len(text) - begin
            spans = ((span[0] + moved, span[1] + moved),)
        text += context[begin:stop].rstrip() + " "
    return replace(example, texts=(question, text.rstrip()), spans=spans)


def sentences_of(text: str) -> list[Characters]:
    """Where each sentence begins and ends, with the spaces after it."""
    ends = [match.end() for match in END_OF_SENTENCE.finditer(text)]
    return list(itertools.pairwise([0, *ends, len(text)]))


def new_order(count: int, kept: set[int], rng: random.Random) -> list[int]:
    """Which of `count` sentences stay, in which order. Those in `kept` stay."""
    share = rng.uniform(0, 0.6)  # of the other sentences, left out
    order = [i for i in range(count) if i in kept or rng.random() >= share] or [0]
    if rng.random() < 0.5:
        rng.shuffle(order)
    return order


# ------------------------------------------------------------------------------------- batches


def schedule(stage: Stage, data: Path, tokenizer) -> list[tuple[str, list[Window]]]:
    """Every batch of a stage in order, with its task.

    A batch holds one task and similar lengths. All is drawn from the stage's seed.
    """
    rng = random.Random(stage.seed)
    batches = []
    for part in stage.parts(data):
        for _ in range(part.passes):
            windows = [encode(tokenizer, row, part.longest, rng) for row in part.rows]
            rng.shuffle(windows)
            windows.sort(key=lambda window: padded(len(window.ids)))
            while windows:
                count = max(1, BATCH_TOKENS // padded(len(windows[-1].ids)))
                batches.append((part.rows[0].task, windows[-count:]))
                del windows[-count:]
    rng.shuffle(batches)
    return batches


def padded(length: int) -> int:
    """The next multiple of `STEP_LENGTHS`."""
    return -(-length // STEP_LENGTHS) * STEP_LENGTHS


def tensors(windows: list[Window]) -> dict[str, Tensor]:
    """The inputs of the encoder for a batch of windows, [window token] each."""
    width = padded(max(len(window.ids) for window in windows))
    shape = (len(windows), width)
    names = ("input_ids", "token_type_ids", "attention_mask")
    batch = {name: torch.zeros(shape, dtype=torch.long) for name in names}
    for i, window in enumerate(windows):
        length = len(window.ids)
        batch["input_ids"][i, :length] = torch.tensor(window.ids)
        batch["token_type_ids"][i, :length] = torch.tensor(window.segments)
        batch["attention_mask"][i, :length] = 1
    return batch

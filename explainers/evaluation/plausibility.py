"""Plausibility: a map, compared with the answers and rationales that people marked.

A plausible map can be unfaithful: the marks are about the text, not about the model.
"""

import math
import re
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Num
from torch import Tensor

from ..heatmap import Heatmap
from ..options import AT_LEAST_ONE
from ..ties import ranked
from .case import Case
from .registry import Parts, metric

RATIONALE_SIZES = range(5, 81, 5)  # words

#: (first, last+1 character) of a text.
Characters = tuple[int, int]


def hits_in_top(scores: Num[Tensor, " token"], first: int, last: int, k: int) -> int:
    """How many of the tokens first to last are among the k highest, of equal ones the first."""
    top = ranked(scores)[:k]
    return int(((top >= first) & (top <= last)).sum())


@metric(
    "Precision@K",
    better="higher",
    paper="qiang2022",
    modalities=("text",),
    needs=("answer",),
    unit="tokens, share",
    limits={"k": AT_LEAST_ONE},
    parts=Parts(better={"perfect": ""}),
)
def precision_at_k(
    case: Case,
    heat: Heatmap,
    k: int = 20,
    ends: Literal["together", "absolute"] = "together",
) -> dict[str, float]:
    """How many tokens of the gold answer are among the k highest tokens of the whole input.

    The question and special tokens are ranked too. "hits" is the number of tokens, as in the
    authors' tables; "precision" is hits / k; "perfect" is the length of the answer, the most that
    can be hit. NaN where the model does not read the whole answer.

    Options:
    - k (default: 20): the number of tokens in the top.
    - ends (default: together): together ranks the map as it is; absolute ranks
      |map of the start| + |map of the end|, as the authors do for SQuAD 2.
    """
    tokens = case.coded.tokens_at(tuple(case.data["answer"]))
    if tokens is None:
        return dict.fromkeys(("hits", "precision", "perfect"), math.nan)
    first, last = tokens
    scores = heat.scores
    if ends == "absolute":
        start = case.heat(heat.method, target="start", **heat.options)
        end = case.heat(heat.method, target="end", **heat.options)
        scores = start.scores.abs() + end.scores.abs()
    hits = hits_in_top(scores, first, last, k)
    return {"hits": float(hits), "precision": hits / k, "perfect": float(last - first + 1)}


@metric(
    "Token F1 with human rationales",
    better="higher",
    paper="deyoung2020, chefer2021cvpr",
    modalities=("text",),
    needs=("rationale",),
    unit="F1",
)
def token_f1(
    case: Case,
    heat: Heatmap,
    words: Literal["max", "sum"] = "max",
    gold: Literal["whole", "read"] = "whole",
) -> dict[str, float]:
    """F1 of the k highest words with the words that people marked, for k = 5, 10, ..., 80.

    The parts "5" to "80" are the F1 for each k. Words are separated by spaces, as in ERASER's
    texts. The mean over documents is ERASER's instance-wise macro F1. NaN where no word is marked.

    Options:
    - words (default: max): a word's score: max is the highest score of its tokens, as in Chefer
      et al.; sum is their sum.
    - gold (default: whole): whole counts also marked words that the model does not read, which
      limits the recall, as in the authors' code; read counts only those that it reads.
    """
    text = (case.coded.text or "") + case.coded.unread
    places = [match.span() for match in re.finditer(r"\S+", text)]
    scores = word_scores(case, heat, places, words)
    is_read = (scores > -torch.inf).tolist()
    marked = marked_words(places, case.data["rationale"])
    if gold == "read":
        marked = {word for word in marked if is_read[word]}
    order = ranked(scores).tolist()
    found = {}
    for k in RATIONALE_SIZES:
        top = [word for word in order[:k] if is_read[word]]
        found[str(k)] = f1(top, marked)
    return found


def f1(found: Sequence[int], marked: set[int]) -> float:
    """The harmonic mean of precision and recall; NaN where nothing is marked."""
    if not marked:
        return math.nan
    return 2 * len(marked.intersection(found)) / (len(found) + len(marked))


def marked_words(places: Sequence[Characters], rationale: Sequence[Characters]) -> set[int]:
    """The numbers of the words at `places` that lie in a marked span, at least in part."""
    marked = set()
    for word, (first, last) in enumerate(places):
        for start, end in rationale:
            if first < end and last > start:
                marked.add(word)
    return marked


def word_scores(case: Case, heat: Heatmap, places: Sequence[Characters], how: str) -> Tensor:
    """[word] the highest score, or the sum, of its tokens; −∞ for words that are not read."""
    scores = torch.full((len(places),), -torch.inf, dtype=heat.scores.dtype)
    word = 0
    for span, score in zip(case.coded.spans or (), heat.scores.tolist()):
        if span is None:
            continue
        while word < len(places) - 1 and places[word][1] <= span[0]:
            word += 1
        before = float(scores[word])
        if before == -torch.inf:
            scores[word] = score
        elif how == "max":
            scores[word] = max(before, score)
        else:
            scores[word] = before + score
    return scores

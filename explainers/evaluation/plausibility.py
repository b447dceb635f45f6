"""Does a map point at what a person would point at? Answers and rationales. A plausible map need not be a faithful one."""

import re
from typing import Literal

import torch
from torch import Tensor

from ..heatmap import Heatmap
from ..options import AT_LEAST_ONE
from ..targets import tokens_at
from ..ties import ranked
from .case import Case
from .metric import metric

RATIONALE_SIZES = range(5, 81, 5)  # words


def hits_in_top(scores: Tensor, first: int, last: int, k: int) -> int:
    """How many of the tokens first to last are among the k highest of all, of equal ones the first."""
    top = ranked(scores)[:k]
    return int(((top >= first) & (top <= last)).sum())


@metric(
    "Precision@K",
    better="higher",
    reference="Qiang et al. 2022",
    modality=("text",),
    needs=("answer",),
    unit="tokens, share",
    limits={"k": AT_LEAST_ONE},
    parts=lambda: {"perfect": ""},
)
def precision_at_k(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    k: int = 20,
    ends: Literal["together", "absolute"] = "together",
) -> dict[str, float]:
    """How many tokens of the gold answer are among the k highest of all tokens (question and specials too).

    "hits" counts them, as the authors' tables do; "precision" is hits / k; "perfect", the answer's length, is the most that can be hit.
    NaN where the model does not read the whole answer.

    ends: together ranks the map as it is; absolute adds up |the map of the start| and |that of the end|, as the authors do for SQuAD 2.
    """
    tokens = tokens_at(tuple(case.data["answer"]), case.coded)
    if tokens is None:
        return dict.fromkeys(("hits", "precision", "perfect"), float("nan"))
    scores = heat.scores
    if ends == "absolute":
        scores = sum(
            case.heat(heat.method, target=end, **heat.options).scores.abs()
            for end in ("start", "end")
        )
    hits = hits_in_top(scores, *tokens, k)
    return {"hits": float(hits), "precision": hits / k, "perfect": float(tokens[1] - tokens[0] + 1)}


@metric(
    "Token F1 with human rationales",
    better="higher",
    reference="DeYoung et al. 2020 (ERASER); Chefer et al. 2021 (CVPR)",
    modality=("text",),
    needs=("rationale",),
    unit="F1",
)
def token_f1(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    words: Literal["max", "sum"] = "max",
    gold: Literal["whole", "read"] = "whole",
) -> dict[str, float]:
    """F1 of the top 5, 10, ... 80 words with the words that people marked, for each of these numbers.

    Words are what spaces separate, as ERASER's texts have them. The mean over documents is the instance-wise macro F1 of ERASER.

    words: a word's score is the highest of its tokens (max, as Chefer et al.) or their sum. gold: whole counts marked words that the model
    did not read too, which caps the recall (as the authors); read leaves them out. NaN where no word is marked.
    """
    text = case.coded.text + case.coded.unread
    places = [match.span() for match in re.finditer(r"\S+", text)]
    marked = {
        i
        for i, (first, last) in enumerate(places)
        if any(first < end and last > start for start, end in case.data["rationale"])
    }
    scores = word_scores(case, heat, places, words)
    if gold == "read":
        marked = {i for i in marked if scores[i] > -torch.inf}
    order = ranked(scores).tolist()
    found = {}
    for k in RATIONALE_SIZES:
        top = [i for i in order[:k] if scores[i] > -torch.inf]
        found[str(k)] = (
            2 * len(marked.intersection(top)) / (len(top) + len(marked)) if marked else float("nan")
        )
    return found


def word_scores(case: Case, heat: Heatmap, places: list[tuple[int, int]], how: str) -> Tensor:
    """[word] from the tokens that lie in it; minus infinity for words of which the model reads nothing."""
    scores = torch.full((len(places),), -torch.inf, dtype=heat.scores.dtype)
    word = 0
    for span, score in zip(case.coded.spans, heat.scores.tolist()):
        if span is None:
            continue
        while word < len(places) - 1 and places[word][1] <= span[0]:
            word += 1
        before = float(scores[word])
        scores[word] = (
            score
            if before == -torch.inf
            else max(before, score)
            if how == "max"
            else before + score
        )
    return scores

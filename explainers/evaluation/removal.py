"""What the model says without the words, or patches, that a map puts first: one question, as a person asks it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..ties import levels, place_of_largest, ranked
from .case import Case
from .perturbation import Query, answers, way


@dataclass(frozen=True, eq=False)
class Removal:
    """An input without some of its words or patches.

    keep           [token] bool, what stayed
    target         what is explained; before, after: its probability with and without them
    says           what the model says then, where it chooses among classes: (label, probability), or None
    tied           whether something that stayed has the same score as something that was taken
    """

    keep: Tensor
    target: str
    before: float
    after: float
    says: tuple[str, float] | None
    tied: bool = False


def without_top(case: Case, heat: Heatmap, count: int = 1, fill: str | None = None) -> Removal:
    """Take out the `count` words or patches of the largest scores, and ask again. A word's score is the sum of its tokens'.

    fill: what stands in their place, as in `aopc`; for a text [PAD] unless said otherwise. One word or patch always stays. Raises `Refusal`
    where no probability is explained, and of an input that is one word. Of equal ones the first are taken.
    """
    if count < 1:
        raise Refusal(f"At least one word or patch must be taken out; got {count}.")
    taken, tied = top(case, heat, count)
    keep = ~torch.isin(units(case), taken)
    said = answers(case.model, [case], [Query(keep, way(case, fill, text="pad"))])[0]
    best = place_of_largest(said)
    return Removal(
        keep,
        case.trace.target.name,
        float(case.probabilities[case.explained]),
        float(said[case.explained]),
        (case.model.classes(case.coded)[best], float(said[best])) if case.by_class else None,
        tied,
    )


def units(case: Case) -> Tensor:
    """[token] the number of the word or patch that a token is of, -1 for [CLS] and its like."""
    words = case.coded.words or range(len(case.coded.labels))
    return torch.tensor(
        [
            -1 if word is None or special_tokens else word
            for word, special_tokens in zip(words, case.coded.special_tokens.tolist())
        ]
    )


def top(case: Case, heat: Heatmap, count: int) -> tuple[Tensor, bool]:
    """The `count` words or patches of the largest scores, and whether one that stays equals one of them.

    Equal ones are taken from first to last. One always stays, since nothing can be said of nothing.
    """
    of = units(case)
    there = of[of >= 0].unique()
    if len(there) < 2:
        raise Refusal(
            f"Nothing was taken out, since nothing would be left: the input is one {'word' if heat.grid is None else 'patch'}."
        )
    sums = torch.stack([heat.scores[of == one].sum() for one in there])
    count, order, level = min(count, len(there) - 1), ranked(sums), levels(sums)
    return there[order[:count]], bool(level[order[count - 1]] == level[order[count]])

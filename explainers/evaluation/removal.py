"""The model's answer without the words or patches with the largest scores of a map."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..modalities import MODALITIES, modality_of
from ..ties import levels, place_of_largest, ranked
from .case import Case
from .perturbation import Query, answers, fill_mode


@dataclass(frozen=True, eq=False)
class Removal:
    """An input without some of its words or patches.

    keep    [token] bool, what is left
    target  what is explained; before, after: its probability with and without the removed parts
    says    (label, probability) of the most probable class after that; None where no class is
            explained
    tied    whether a part that is left has the same score as one that was removed
    """

    keep: Bool[Tensor, " token"]
    target: str
    before: float
    after: float
    says: tuple[str, float] | None
    tied: bool = False


def without_top(case: Case, heat: Heatmap, count: int = 1, fill: str | None = None) -> Removal:
    """Remove the `count` words or patches with the largest scores, and ask the model again.

    A word's score is the sum of its tokens' scores. Of equal words the first are removed. One word
    or patch is always left.

    fill  what replaces a removed part, as in `aopc`; [PAD] in texts by default

    Raises `Refusal` where no probability is explained, for an input of one word, and for a count
    below 1.
    """
    if count < 1:
        raise Refusal(f"At least one word or patch must be removed; got {count}.")
    removed, tied = top(case, heat, count)
    keep = ~torch.isin(part_numbers(case), removed)
    query = Query(keep, fill_mode(case, fill, text="pad"))
    (probabilities,) = answers(case.model, [case], [query])
    says = None
    if case.by_class:
        best = place_of_largest(probabilities)
        says = (case.model.classes(case.coded)[best], float(probabilities[best]))
    return Removal(
        keep=keep,
        target=case.target.name,
        before=float(case.probabilities[case.explained]),
        after=float(probabilities[case.explained]),
        says=says,
        tied=tied,
    )


def part_numbers(case: Case) -> Int[Tensor, " token"]:
    """The number of the word or patch that each token belongs to; −1 for special tokens."""
    numbers = []
    words = case.coded.words or range(len(case.coded.labels))
    for word, is_special in zip(words, case.coded.special_tokens.tolist()):
        numbers.append(-1 if word is None or is_special else word)
    return torch.tensor(numbers)


def top(case: Case, heat: Heatmap, count: int) -> tuple[Int[Tensor, " part"], bool]:
    """The `count` words or patches with the largest scores, and whether a next one is equal.

    Equal ones go from first to last. One is always left over.
    """
    part_of = part_numbers(case)
    present = part_of[part_of >= 0].unique()
    if len(present) < 2:
        kind = MODALITIES[modality_of(heat.grid)].part
        raise Refusal(
            f"Nothing can be removed: the input is a single {kind}, and at least one must stay."
        )
    sums = torch.stack([heat.scores[part_of == part].sum() for part in present])
    count = min(count, len(present) - 1)
    order = ranked(sums)
    level = levels(sums)
    tied = bool(level[order[count - 1]] == level[order[count]])
    return present[order[:count]], tied

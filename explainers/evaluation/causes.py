"""Does a map mark what is known to decide? Inputs whose causes were planted."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .. import ties
from ..heatmap import Heatmap
from ..options import AT_LEAST_ONE
from .case import Case
from .localisation import inside, seen_mask, whole_size
from .registry import Parts, metric

#: The place of a part of an input: (first, last+1 character) of a text, or
#: (left, top, right, bottom) in pixels of a picture.
Place = Sequence[int]


@metric(
    "Planted causes",
    better="higher",
    paper="bastings2022",
    needs=("causes",),
    unit="share",
    limits={"k": AT_LEAST_ONE},
    parts=Parts(better={"distractor": "lower"}),
)
def planted(case: Case, heat: Heatmap, k: int | None = None) -> dict[str, float]:
    """How many of the k tokens with the largest |score| are causes, where the causes are known.

    Words or patches count as tokens here, special tokens do not. The parts:
    - "precision": the share of the k tokens that belong to a cause, as in Bastings et al.; of
      equally large scores the first count, and a constant map has no largest and finds none.
    - "sign": the share of the causes whose score, the sum over their tokens, has the sign of the
      cause. The signs are those of the gold class; of two classes the other one has them turned
      round. A sum that equals 0 (see `ties`) has no sign. NaN for a method without a sign, and
      where another class of several, or no class, is explained.
    - "distractor": the share of all |score| that is on words or patches that look important and
      are never used. NaN where the input has none, and for a map of zeros.
    All are NaN where the input has no cause that the model reads. Sign and distractor are not in
    the paper.

    Options:
    - k (default: the number of tokens of the causes): how many tokens are counted.
    """
    words = case.words
    causes, signs = [], []
    for place, sign in case.data["causes"]:
        tokens = tokens_at(case, place) & words
        if tokens.any():  # else the model does not read it
            causes.append(tokens)
            signs.append(sign)
    if not causes:
        return dict.fromkeys(("precision", "sign", "distractor"), math.nan)
    distractors = [tokens_at(case, place) & words for place in case.data.get("distractors", ())]
    size = heat.scores.abs()
    return {
        "precision": precision(size[words], any_of(causes, words)[words], k),
        "sign": sign_agreement(case, heat, causes, signs),
        "distractor": share_on(size[words], any_of(distractors, words)[words]),
    }


def tokens_at(case: Case, place: Place) -> Bool[Tensor, " token"]:
    """The tokens of a place: those with a character in it, or patches of which half is in it."""
    found = torch.zeros(len(case.coded.labels), dtype=torch.bool)
    if case.coded.grid is None:
        first, last = place
        for token, span in enumerate(case.coded.spans or ()):
            found[token] = span is not None and span[0] < last and span[1] > first
        return found
    mask = torch.from_numpy(seen_mask(case, inside([place], whole_size(case))))
    covered = F.adaptive_avg_pool2d(mask[None].double(), case.grid)[0]
    found[-covered.numel() :] = covered.flatten() >= 0.5
    return found


def any_of(parts: Sequence[Tensor], like: Tensor) -> Bool[Tensor, " token"]:
    """The tokens that are in any of the parts."""
    found = torch.zeros_like(like)
    for part in parts:
        found |= part
    return found


def precision(
    size: Float[Tensor, " token"], is_cause: Bool[Tensor, " token"], k: int | None
) -> float:
    """The share of the k largest that are causes."""
    if ties.constant(size):
        return 0.0
    top = ties.ranked(size)[: k or int(is_cause.sum())]
    return float(is_cause[top].double().mean())


def sign_agreement(
    case: Case, heat: Heatmap, causes: Sequence[Bool[Tensor, " token"]], signs: Sequence[int]
) -> float:
    """The share of the causes whose score has the sign of the cause."""
    turned = sign_of_class(case)
    if not heat.signed or turned == 0:
        return math.nan
    sums = torch.stack([heat.scores[tokens].sum() for tokens in causes])
    agreeing = sums * torch.tensor(signs).to(sums) * turned
    right = ties.above(torch.cat([agreeing, heat.scores]), 0.0)[: len(causes)]
    return float(right.double().mean())


def sign_of_class(case: Case) -> int:
    """1 where the gold class is explained, −1 where the other one of two is, 0 elsewhere."""
    if case.label is None or not case.by_class:
        return 0
    if case.explained == case.label:
        return 1
    return -1 if len(case.logits) == 2 else 0


def share_on(size: Float[Tensor, " token"], chosen: Bool[Tensor, " token"]) -> float:
    """The share of a sum that is on some tokens; NaN without such a token, and for zeros."""
    total = float(size.sum())
    if not chosen.any() or total == 0:
        return math.nan
    return float(size[chosen].sum()) / total

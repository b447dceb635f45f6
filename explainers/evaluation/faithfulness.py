"""Does the model change its mind when what a map calls important is taken out? Probabilities under deletion, blanks and insertion."""

from typing import Literal

import numpy as np
import torch
from scipy.integrate import trapezoid
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..ties import ranked
from .case import Case
from .metric import metric
from .perturbation import Query, leaving, order, removing, way

Fill = Literal["delete", "pad", "mask", "unk", "mean", "black", "white", "blur"]
Of = Literal["explained", "label", "predicted"]
Reproduced = Literal["paper", "attcat", "attcat-pairs"]
Averaged = Literal["mean", "paper", "alti"]

SHORTEST = 10  # tokens: AttCAT's notebooks leave shorter texts out
ATTCAT_LEVELS = 10  # and take ten shares from 0 to 100 %, the first of which takes nothing
#: Methods in whose maps AttCAT's notebooks set [CLS] to zero before they rank; they have no code
#: for CAT, Grads and AttGrads.
ATTCAT_ZEROES = ("raw_attention", "rollout", "partial_lrp", "transatt", "attn_gradcam")
BINS = (0.01, 0.05, 0.10, 0.20, 0.50)
MOST_ALTI = 30  # tokens taken out at most, by ALTI's code


def column(case: Case, of: str) -> int:
    """The column of the answers that is watched: of the class that is explained, that is right, or that is predicted."""
    return {
        "explained": lambda: case.explained,
        "predicted": lambda: case.predicted,
        "label": lambda: case.gold,
    }[of]()


def watched(case: Case, answers: list[Tensor], of: str) -> tuple[float, np.ndarray]:
    """The probability of that class before, and after each change [query]."""
    at = column(case, of)
    return float(case.probabilities[at]), np.array([float(row[at]) for row in answers])


def counts(n: int, levels: int) -> list[int]:
    """How many of n are 1, 2, ... of `levels` equal shares of them, rounded."""
    if levels < 1:
        raise Refusal(f"There is at least one level or step; got {levels}.")
    return [round(n * level / levels) for level in range(1, levels + 1)]


# ------------------------------------------------------------------------------------------------------ AOPC, log-odds


def top_removed(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    reproduce: Reproduced = "paper",
    text: str = "delete",
) -> list[Query]:
    how = way(case, fill, text)
    if reproduce == "paper":
        places = order(case, heat)
        return removing(case, places, counts(len(places), levels), how, attend=attend)
    n = len(heat)
    if n < SHORTEST:
        return []
    shares = np.round(np.linspace(0, 1, ATTCAT_LEVELS) * n).astype(int)[1:]
    return removing(
        case,
        attcat_order(case, heat, specials=reproduce == "attcat-pairs"),
        shares,
        how,
        attend=attend,
    )


def attcat_scores(case: Case, heat: Heatmap) -> Tensor:
    """The scores [token] that AttCAT's notebooks rank: in the maps of `ATTCAT_ZEROES` [CLS] has zero.

    None of these maps is negative, so [CLS] comes last, or first of those with zero, and the
    notebooks' loop never reaches the last rank. With its own score, which is large, [CLS] would
    come first, and a word would never be taken. A text that does not begin with a special token
    keeps all its scores.
    """
    if heat.method not in ATTCAT_ZEROES or case.words[0]:
        return heat.scores
    return heat.scores.index_fill(0, torch.tensor([0]), 0)


def attcat_order(case: Case, heat: Heatmap, specials: bool) -> Tensor:
    """Tokens as AttCAT's notebooks take them: their loop never reaches the last rank.

    specials: whether [CLS] and its like can be taken; their check for them fails for pairs.
    """
    places = ranked(attcat_scores(case, heat))[:-1]
    return places if specials else places[case.words[places]]


@metric(
    "AOPC",
    better="higher",
    reference="Qiang et al. 2022; Samek et al. 2017",
    unit="probability",
    asks=top_removed,
)
def aopc(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    of: Of = "explained",
    reproduce: Reproduced = "paper",
) -> float:
    """How much probability the class loses, on average, while the most important tokens or patches are taken out.

    mean over the levels k of p(x) − p(x without the k top-ranked), k = 10 %, 20 %, ... 100 % of the words (specials stay); at 0 % nothing
    is lost, and that level is not counted. Tokens of equal scores are taken from first to last.

    fill: delete (of texts, unless said otherwise), pad, mask, unk; mean (of pictures, unless said otherwise), black, white, blur. levels:
    how many equal steps. attend: whether blanks can be attended to. of: the class watched. reproduce: attcat is the authors' code, |p − p_k|
    at nine shares (11 % to 100 %) of all tokens, specials counted and never taken, the
    lowest-ranked token always left, texts of fewer than 10 tokens NaN. In the maps of raw
    attention, rollout, Partial LRP, TransAtt and Attention Grad-CAM [CLS] has zero there, so that
    it is the token that is left and not a word. attcat-pairs is their code for QQP and MNLI, where
    [CLS] and [SEP] can be taken.
    """
    if not answers:
        return float("nan")
    before, after = watched(case, answers, of)
    lost = before - after
    return float((lost if reproduce == "paper" else np.abs(lost)).mean())


def top_blanked(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    reproduce: Reproduced = "paper",
) -> list[Query]:
    return top_removed(case, heat, fill, levels, attend, reproduce, text="pad")


@metric(
    "Log-odds",
    better="lower",
    reference="Qiang et al. 2022; Shrikumar et al. 2017",
    unit="nats",
    asks=top_blanked,
)
def logodds(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    of: Of = "explained",
    reproduce: Reproduced = "paper",
) -> float:
    """The same on a logarithmic scale: mean over the levels of ln(p(x without the k top-ranked) / p(x)).

    fill: pad (of texts, unless said otherwise; blanks are attended to, as in the authors' code); the rest as in `aopc`. A probability of
    zero counts as the smallest number above it.
    """
    if not answers:
        return float("nan")
    before, after = watched(case, answers, of)
    return mean_log_ratio(before, after)


def mean_log_ratio(before: float, after: np.ndarray) -> float:
    least = np.finfo(np.float32).tiny
    return float(np.log(np.maximum(after, least) / max(before, least)).mean())


# ----------------------------------------------------------------------------- comprehensiveness and sufficiency (ERASER)


def rationale_sizes(n: int, reproduce: str) -> list[int]:
    sizes = [int(np.ceil(share * n)) for share in BINS]
    return (
        [min(size, MOST_ALTI) for size in sizes]
        if reproduce == "alti"
        else [0, *sizes]
        if reproduce == "paper"
        else sizes
    )


def rationale_removed(
    case: Case, heat: Heatmap, fill: Fill | None = None, reproduce: Averaged = "mean"
) -> list[Query]:
    places = order(case, heat)
    return removing(case, places, rationale_sizes(len(places), reproduce), way(case, fill))


def rationale_left(
    case: Case, heat: Heatmap, fill: Fill | None = None, reproduce: Averaged = "mean"
) -> list[Query]:
    places = order(case, heat)
    return leaving(case, places, rationale_sizes(len(places), reproduce), way(case, fill))


@metric(
    "Comprehensiveness",
    better="higher",
    reference="DeYoung et al. 2020 (ERASER)",
    unit="probability",
    asks=rationale_removed,
)
def comprehensiveness(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    of: Of = "explained",
    reproduce: Averaged = "mean",
) -> float:
    """How much probability the class loses without the rationale: mean of p(x) − p(x without the top 1, 5, 10, 20 and 50 %), rounded up.

    reproduce: mean is over the five bins, as in ERASER's own code; paper is its equation, 1/(|B| + 1) times a sum that begins with an empty
    rationale (k = 0), so six terms, the first of which is 0; alti as the authors of ALTI compute it, the loss never falling from bin to bin,
    at most 30 tokens taken, the sum divided by six.
    """
    before, after = watched(case, answers, of)
    lost = before - after
    return float(
        np.maximum.accumulate(lost).sum() / (len(BINS) + 1) if reproduce == "alti" else lost.mean()
    )


@metric(
    "Sufficiency",
    better="lower",
    reference="DeYoung et al. 2020 (ERASER)",
    unit="probability",
    asks=rationale_left,
)
def sufficiency(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    of: Of = "explained",
    reproduce: Averaged = "mean",
) -> float:
    """How much probability the class loses when nothing but the rationale is left; bins and options as in `comprehensiveness`.

    With paper the first term is what is lost with every word taken out; with alti the loss never rises from bin to bin.
    """
    before, after = watched(case, answers, of)
    lost = before - after
    return float(
        np.minimum.accumulate(lost).sum() / (len(BINS) + 1) if reproduce == "alti" else lost.mean()
    )


# ------------------------------------------------------------------------------------------- deletion and insertion curves

By = Literal["patch", "pixel"]


def steps_of(case: Case, places: Tensor, by: str, steps: int | None) -> list[int]:
    """How many are taken at each point of a curve, from none to all: by default one token or patch more each time, or a row of pixels."""
    n = len(places)
    steps = (
        steps
        if steps is not None
        else (case.coded.tensors["pixel_values"].shape[-2] if by == "pixel" else n)
    )
    return [0, *counts(n, steps)]


def deleted(
    case: Case, heat: Heatmap, fill: Fill | None = None, by: By = "patch", steps: int | None = None
) -> list[Query]:
    places = order(case, heat, by)
    return removing(case, places, steps_of(case, places, by, steps), way(case, fill), by)


def inserted(
    case: Case, heat: Heatmap, fill: Fill | None = None, by: By = "patch", steps: int | None = None
) -> list[Query]:
    places = order(case, heat, by)
    return leaving(
        case, places, steps_of(case, places, by, steps), way(case, fill, image="blur"), by
    )


def area(values: np.ndarray) -> float:
    """Under a curve whose points are evenly spread over 0 to 1, by trapezoids: (sum − first/2 − last/2) / (points − 1)."""
    return float(trapezoid(values, dx=1 / (len(values) - 1)))


@metric(
    "Deletion AUC",
    better="lower",
    reference="Petsiuk et al. 2018 (RISE), as ViT-CX uses it",
    unit="probability",
    asks=deleted,
)
def deletion(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    by: By = "patch",
    steps: int | None = None,
    of: Of = "explained",
) -> float:
    """Area under the class's probability while the most important parts are taken out, from none to all: 0 is as fast as can be.

    fill: as in `aopc` (RISE's zeros after normalisation are mean). by: of pictures patch, or pixel of the enlarged map. steps: by default one
    token or patch at a time, or as many pixels as there are in a row (RISE).
    """
    return area(watched(case, answers, of)[1])


@metric(
    "Insertion AUC",
    better="higher",
    reference="Petsiuk et al. 2018 (RISE), as ViT-CX uses it",
    unit="probability",
    asks=inserted,
)
def insertion(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    by: By = "patch",
    steps: int | None = None,
    of: Of = "explained",
) -> float:
    """Area under the class's probability while the most important parts are put into an empty input, from none to all: 1 is as fast as can be.

    fill: of a picture what there is before, blur unless said otherwise; the rest as in `deletion`.
    """
    return area(watched(case, answers, of)[1])

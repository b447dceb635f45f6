"""Faithfulness: the class probability while parts are removed or added in the order of a map."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import trapezoid
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..ties import ranked
from .case import Case
from .perturbation import Fill, Places, Query, Removable, fill_mode, leaving, order, removing
from .registry import Asking, metric

WatchedClass = Literal["explained", "label", "predicted"]
Reproduced = Literal["paper", "attcat", "attcat-pairs"]
Averaged = Literal["mean", "paper", "alti"]

SHORTEST = 10  # tokens: AttCAT's notebooks leave shorter texts out
ATTCAT_LEVELS = 10  # shares from 0 to 100 % in AttCAT's notebooks; the first removes nothing
#: Methods in whose maps AttCAT's notebooks set [CLS] to zero before they rank; they have no code
#: for CAT, Grads and AttGrads.
ATTCAT_ZEROES = ("raw_attention", "rollout", "partial_lrp", "transatt", "attn_gradcam")
BINS = (0.01, 0.05, 0.10, 0.20, 0.50)  # shares of the words in ERASER's rationales
MOST_ALTI = 30  # tokens removed at most by ALTI's code


def watched(
    case: Case, answers: Sequence[Tensor], of: WatchedClass
) -> tuple[float, Float[np.ndarray, " query"]]:
    """The probability of one class: before the changes, and in each of the answers [query].

    of  which class: the explained one, the gold one, or the predicted one
    """
    if of == "label":
        column = case.gold
    elif of == "predicted":
        column = case.predicted
    else:
        column = case.explained
    after = np.array([float(probabilities[column]) for probabilities in answers])
    return float(case.probabilities[column]), after


def equal_shares(n: int, levels: int) -> list[int]:
    """How many of n are 1, 2, ..., all of `levels` equal shares, rounded."""
    if levels < 1:
        raise Refusal(f"Give at least one level or step; got {levels}.")
    return [round(n * level / levels) for level in range(1, levels + 1)]


# ------------------------------------------------------------------------------ AOPC, log-odds


@metric(
    "AOPC",
    better="higher",
    paper="qiang2022, samek2017",
    unit="probability",
)
def aopc(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    of: WatchedClass = "explained",
    reproduce: Reproduced = "paper",
) -> Asking[float]:
    """Mean drop of the class probability while the most important words or patches are removed.

    Formula: the mean over k of p(x) − p(x without the k top-ranked), where k is 10 %, 20 %, ...,
    100 % of the words or patches. 0 % is not counted. Special tokens stay. Of equal scores the
    first is removed first.

    Options:
    - fill (default: delete for texts, mean for pictures): what replaces a removed part: delete
      (nothing), pad, mask or unk in texts; mean (grey), black, white or blur in pictures.
    - levels (default: 10): the number of equal steps.
    - attend (default: true): whether replaced tokens can be attended to.
    - of (default: explained): the class whose probability it is: explained, label or predicted.
    - reproduce (default: paper): attcat is the authors' code, see below; attcat-pairs is their
      code for QQP and MNLI, where [CLS] and [SEP] can be removed too.

    The authors' code computes |p − p_k| at nine shares, 11 % to 100 % of all tokens. Special
    tokens are counted but not removed, and the lowest-ranked token always stays. In the maps of
    raw attention, rollout, Partial LRP, TransAtt and Attention Grad-CAM [CLS] has zero, so that
    it is the token that stays, and not a word. NaN for texts of fewer than 10 tokens.
    """
    queries = top_removed(case, heat, fill_mode(case, fill), levels, attend, reproduce)
    if not queries:
        return float("nan")
    answers = yield queries
    before, after = watched(case, answers, of)
    drops = before - after
    if reproduce != "paper":
        drops = np.abs(drops)
    return float(drops.mean())


@metric(
    "Log-odds",
    better="lower",
    paper="qiang2022, shrikumar2017",
    unit="nats",
)
def logodds(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    levels: int = 10,
    attend: bool = True,
    of: WatchedClass = "explained",
    reproduce: Reproduced = "paper",
) -> Asking[float]:
    """Mean log-ratio of the class probability while the most important parts are removed.

    Formula: the mean over k of ln(p(x without the k top-ranked) / p(x)), with k as in `aopc`. A
    probability of zero counts as the smallest positive number of float32.

    Options:
    - fill (default: pad for texts, mean for pictures): as in `aopc`. Padding can be attended to,
      as in the authors' code.
    - levels (default: 10), attend (default: true), of (default: explained), reproduce (default:
      paper): as in `aopc`.
    """
    mode = fill_mode(case, fill, text="pad")
    queries = top_removed(case, heat, mode, levels, attend, reproduce)
    if not queries:
        return float("nan")
    answers = yield queries
    before, after = watched(case, answers, of)
    return mean_log_ratio(before, after)


def top_removed(
    case: Case, heat: Heatmap, fill: str, levels: int, attend: bool, reproduce: str
) -> list[Query]:
    """The inputs of AOPC and log-odds; none for a text that AttCAT's notebooks leave out."""
    if reproduce == "paper":
        places = order(case, heat)
        counts = equal_shares(len(places), levels)
        return removing(case, places, counts, fill, attend=attend)
    tokens = len(heat)
    if tokens < SHORTEST:
        return []
    shares = np.linspace(0, 1, ATTCAT_LEVELS)[1:]
    counts = np.round(shares * tokens).astype(int).tolist()
    places = attcat_order(case, heat, specials=reproduce == "attcat-pairs")
    return removing(case, places, counts, fill, attend=attend)


def attcat_scores(case: Case, heat: Heatmap) -> Float[Tensor, " token"]:
    """The scores [token] that AttCAT's notebooks rank: in the maps of `ATTCAT_ZEROES` [CLS] is 0.

    [CLS] is set to zero, so it is ranked last and is the token that is never removed: these maps
    have no negative scores, and the notebooks' loop never reaches the last rank. If other tokens
    have a score of zero too, [CLS] is ranked first among them. With its own large score it would
    be ranked first of all, and the token that is never removed would be a word. A text that does
    not begin with a special token keeps all its scores.
    """
    if heat.method not in ATTCAT_ZEROES or case.words[0]:
        return heat.scores
    return heat.scores.index_fill(0, torch.tensor([0]), 0)


def attcat_order(case: Case, heat: Heatmap, specials: bool) -> Places:
    """Tokens in the order of AttCAT's notebooks, whose loop never reaches the last rank.

    specials  whether special tokens can be removed; the notebooks' check fails for pairs
    """
    places = ranked(attcat_scores(case, heat))[:-1]
    return places if specials else places[case.words[places]]


def mean_log_ratio(before: float, after: np.ndarray) -> float:
    """The mean of ln(after / before)."""
    least = np.finfo(np.float32).tiny
    return float(np.log(np.maximum(after, least) / max(before, least)).mean())


# ------------------------------------------------- comprehensiveness and sufficiency (ERASER)


@metric(
    "Comprehensiveness",
    better="higher",
    paper="deyoung2020",
    unit="probability",
)
def comprehensiveness(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    of: WatchedClass = "explained",
    reproduce: Averaged = "mean",
) -> Asking[float]:
    """Mean drop of the class probability without the rationale, the top-ranked words or patches.

    Formula: the mean over the rationales of p(x) − p(x without the rationale), where a rationale
    is the top 1, 5, 10, 20 or 50 % of the words, rounded up.

    Options:
    - fill (default: delete for texts, mean for pictures): as in `aopc`.
    - of (default: explained): the class whose probability it is: explained, label or predicted.
    - reproduce (default: mean): mean averages the five rationales, as ERASER's own code does;
      paper is ERASER's equation, 1/(|B| + 1) times a sum that begins with the empty rationale, so
      the first of its six terms is 0; alti is the code of ALTI's authors: the drop never decreases
      from one rationale to the next, at most 30 tokens are removed, and the sum is divided by six.
    """
    places = order(case, heat)
    sizes = rationale_sizes(len(places), reproduce)
    queries = removing(case, places, sizes, fill_mode(case, fill))
    answers = yield queries
    before, after = watched(case, answers, of)
    drops = before - after
    if reproduce == "alti":
        return alti_mean(np.maximum.accumulate(drops))
    return float(drops.mean())


@metric(
    "Sufficiency",
    better="lower",
    paper="deyoung2020",
    unit="probability",
)
def sufficiency(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    of: WatchedClass = "explained",
    reproduce: Averaged = "mean",
) -> Asking[float]:
    """Mean drop of the class probability when only the rationale is left.

    Formula: the mean over the rationales of p(x) − p(rationale), with the rationales of
    `comprehensiveness`.

    Options:
    - fill (default: delete for texts, mean for pictures): as in `aopc`.
    - of (default: explained): the class whose probability it is: explained, label or predicted.
    - reproduce (default: mean): as in `comprehensiveness`; with paper the first term is the drop
      without any word, with alti the drop never increases from one rationale to the next.
    """
    places = order(case, heat)
    sizes = rationale_sizes(len(places), reproduce)
    queries = leaving(case, places, sizes, fill_mode(case, fill))
    answers = yield queries
    before, after = watched(case, answers, of)
    drops = before - after
    if reproduce == "alti":
        return alti_mean(np.minimum.accumulate(drops))
    return float(drops.mean())


def rationale_sizes(n: int, reproduce: str) -> list[int]:
    """How many of n words or patches each rationale has."""
    sizes = [int(np.ceil(share * n)) for share in BINS]
    if reproduce == "paper":
        return [0, *sizes]
    if reproduce == "alti":
        return [min(size, MOST_ALTI) for size in sizes]
    return sizes


def alti_mean(drops: np.ndarray) -> float:
    """The sum of five drops divided by six, as in ALTI's code."""
    return float(drops.sum() / (len(BINS) + 1))


# ------------------------------------------------------------- deletion and insertion curves


@metric(
    "Deletion AUC",
    better="lower",
    paper="petsiuk2018, xie2023",
    unit="probability",
)
def deletion(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: Removable = "patch",
    steps: int | None = None,
    of: WatchedClass = "explained",
) -> Asking[float]:
    """Area under the class probability while the most important parts are removed.

    The curve begins with the whole input and ends with nothing left; the smallest area is 0. It is
    RISE's metric, as ViT-CX uses it.

    Options:
    - fill (default: delete for texts, mean for pictures): as in `aopc`. RISE's zeros after
      normalisation are mean.
    - by (default: patch): what is removed from a picture: patch, or pixel, of the enlarged map.
    - steps (default: one token or patch at a time; as many pixels as a row has, as in RISE): the
      number of equal steps.
    - of (default: explained): the class whose probability it is: explained, label or predicted.
    """
    places = order(case, heat, by)
    points = curve_points(case, places, by, steps)
    queries = removing(case, places, points, fill_mode(case, fill), by)
    answers = yield queries
    _, probabilities = watched(case, answers, of)
    return area(probabilities)


@metric(
    "Insertion AUC",
    better="higher",
    paper="petsiuk2018, xie2023",
    unit="probability",
)
def insertion(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: Removable = "patch",
    steps: int | None = None,
    of: WatchedClass = "explained",
) -> Asking[float]:
    """Area under the class probability while the most important parts are added to an empty input.

    The largest area is 1.

    Options:
    - fill (default: delete for texts, blur for pictures): what stands in place of parts that are
      not added yet; as in `aopc`.
    - by (default: patch), steps, of (default: explained): as in `deletion`.
    """
    places = order(case, heat, by)
    points = curve_points(case, places, by, steps)
    queries = leaving(case, places, points, fill_mode(case, fill, image="blur"), by)
    answers = yield queries
    _, probabilities = watched(case, answers, of)
    return area(probabilities)


def curve_points(case: Case, places: Places, by: str, steps: int | None) -> list[int]:
    """How many parts are removed or added at each point of a curve, from none to all.

    By default there is one token or patch more at each point, or a row of pixels.
    """
    if steps is None and by == "pixel":
        steps = case.coded.tensors["pixel_values"].shape[-2]
    elif steps is None:
        steps = len(places)
    return [0, *equal_shares(len(places), steps)]


def area(values: Sequence[float] | np.ndarray) -> float:
    """The area under a curve of evenly spaced points over 0 to 1, by trapezoids.

    Formula: (sum − first/2 − last/2) / (points − 1).
    """
    return float(trapezoid(values, dx=1 / (len(values) - 1)))

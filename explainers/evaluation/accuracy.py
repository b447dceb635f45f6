"""The model's accuracy while parts of its input are removed in the order of a map.

These metrics give 0 or 1 for each example and share; their means over a dataset are the papers'
accuracies.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.integrate import trapezoid
from torch import Tensor

from ..heatmap import Heatmap
from ..ties import place_of_largest
from .case import Case
from .faithfulness import WatchedClass, watched
from .perturbation import Fill, Places, Query, Removable, fill_mode, leaving, order, removing
from .registry import Asking, Parts, metric

TENTHS = range(1, 10)  # of the input, removed by Chefer et al.; their code rounds pixels down
KEPT = (20, 40)  # per cent, of DecompX's rationales

Area = Literal["chefer", "ti", "whole"]
First = Literal["most", "least"]


def hits(case: Case, answers: Sequence[Tensor]) -> Float[np.ndarray, " query"]:
    """[query] 1 where the gold class is the most probable; of equal ones the first counts."""
    return np.array([float(place_of_largest(row) == case.gold) for row in answers])


# ----------------------------------------------------------------- perturbation (Chefer et al.)


@metric(
    "Positive perturbation",
    better="lower",
    paper="chefer2021cvpr",
    needs=("label",),
    unit="% of accuracy",
)
def positive_perturbation(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: Removable | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> Asking[dict[str, float]]:
    """Accuracy while the most important tenths are removed, and the area under it.

    The parts "0" to "90" are the accuracy, 0 or 1, at each share in per cent; "area" is the area
    under them in per cent. The area is linear, so the mean of the records' areas is the area
    under the mean accuracy, which is what papers print.

    Options:
    - fill (default: mask for texts, black for pictures): what replaces a removed part: black
      (before normalisation), mean, white or blur in pictures; mask, pad, unk or delete in texts.
    - by (default: pixel for pictures, token for texts): what is removed: token of a text; pixel of
      a picture, of the map enlarged bilinearly, or patch.
    - area (default: chefer): chefer is by trapezoids from 0 to 90 %; ti, the code of Beyond
      Intuition, adds an accuracy of 0 at 100 %; whole, their code for CLIP (whose fill is mean),
      measures the accuracy at 100 % too.
    - attend (default: true): whether replaced tokens of a text can be attended to.
    """
    queries = tenths_removed(case, heat, fill, by, area, attend, first="most")
    answers = yield queries
    return accuracy_curve(case, answers, area)


@metric(
    "Negative perturbation",
    better="higher",
    paper="chefer2021cvpr",
    needs=("label",),
    unit="% of accuracy",
)
def negative_perturbation(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: Removable | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> Asking[dict[str, float]]:
    """Accuracy while the least important tenths are removed, and the area under it.

    Options:
    - fill, by, area, attend: as in `positive_perturbation`, with the same defaults.
    """
    queries = tenths_removed(case, heat, fill, by, area, attend, first="least")
    answers = yield queries
    return accuracy_curve(case, answers, area)


def tenths_removed(
    case: Case,
    heat: Heatmap,
    fill: Fill | None,
    by: Removable | None,
    area: Area,
    attend: bool,
    first: First,
) -> list[Query]:
    """The input without 10, 20, ... % of its parts, the most or the least important first."""
    mode = fill_mode(case, fill, text="mask", image="black")
    if by is None:
        by = "pixel" if heat.grid else "token"
    places = ordered(case, heat, first, by)
    steps = [*TENTHS, 10] if area == "whole" else TENTHS
    counts = [len(places) * step // 10 for step in steps]
    return removing(case, places, counts, mode, by, attend)


def ordered(case: Case, heat: Heatmap, first: First, by: Removable = "patch") -> Places:
    """Places in the order of a map: the most important first, or the least important."""
    places = order(case, heat, by)
    return places.flip(0) if first == "least" else places


def accuracy_curve(case: Case, answers: list[Tensor], area: Area) -> dict[str, float]:
    """The accuracy at 0, 10, ... %, and the area under it in per cent."""
    curve = hits(case, [case.classes, *answers])
    found = {str(10 * step): float(hit) for step, hit in enumerate(curve)}
    if area == "ti":
        curve = np.append(curve, 0.0)
    return found | {"area": 100 * float(trapezoid(curve, dx=0.1))}


# ------------------------------------------------------------------------------------ DecompX


def direction_by_order(first: First = "most", **_) -> dict[str, str]:
    """Which way the parts of `masking` are better."""
    if first == "most":
        return {"aopc": "higher", "accuracy": "lower"}
    return {"aopc": "lower", "accuracy": "higher"}


@metric(
    "AOPC and accuracy under masking",
    better="",
    paper="modarressi2023",
    needs=("label",),
    unit="probability, share",
    parts=Parts(better=direction_by_order),
)
def masking(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    first: First = "most",
    of: WatchedClass = "explained",
) -> Asking[dict[str, float]]:
    """Probability drop and accuracy, averaged over 0, 10, ... 90 % of the words replaced.

    "aopc" is the mean drop of the class probability, "accuracy" the mean accuracy. Counts of
    words are rounded down.

    Options:
    - fill (default: mask for texts, mean for pictures): as in `aopc`.
    - first (default: most): the order: with most, a high aopc and a low accuracy are good; with
      least, the reverse.
    - of (default: explained): the class whose probability it is: explained, label or predicted.
    """
    places = ordered(case, heat, first)
    counts = [len(places) * step // 10 for step in range(10)]
    answers = yield removing(case, places, counts, fill_mode(case, fill, text="mask"))
    before, after = watched(case, answers, of)
    return {"aopc": float((before - after).mean()), "accuracy": float(hits(case, answers).mean())}


@metric(
    "Accuracy on the rationale",
    better="higher",
    paper="modarressi2023",
    needs=("label",),
    unit="share",
)
def rationale_accuracy(
    case: Case, heat: Heatmap, fill: Fill | None = None
) -> Asking[dict[str, float]]:
    """Accuracy when only the most important 20 or 40 % of the words are left.

    The parts "20" and "40" are 0 or 1. It is DecompX's prediction performance.

    Options:
    - fill (default: mask for texts, mean for pictures): as in `aopc`.
    """
    places = order(case, heat)
    counts = [max(1, len(places) * share // 100) for share in KEPT]
    answers = yield leaving(case, places, counts, fill_mode(case, fill, text="mask"))
    return {str(share): float(hit) for share, hit in zip(KEPT, hits(case, answers))}

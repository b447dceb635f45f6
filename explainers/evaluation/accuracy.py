"""Is the model still right while parts of its input go? 0 or 1 for each example and share; means over a dataset are the papers' accuracies."""

from typing import Literal

import numpy as np
from scipy.integrate import trapezoid
from torch import Tensor

from ..heatmap import Heatmap
from ..ties import place_of_largest
from .case import Case
from .faithfulness import Fill, Of, watched
from .metric import metric
from .perturbation import Query, leaving, order, removing, way

TENTHS = range(1, 10)  # of the input, taken out by Chefer et al.; their code rounds pixels down
KEPT = (20, 40)  # per cent, of DecompX's rationales

Area = Literal["chefer", "ti", "whole"]
By = Literal["patch", "pixel"]


def hits(case: Case, answers: list[Tensor]) -> np.ndarray:
    """[query] 1 where the model's answer is the gold class; of equally probable ones it is the first."""
    return np.array([float(place_of_largest(row) == case.gold) for row in answers])


def tenths(
    case: Case,
    heat: Heatmap,
    fill: str | None,
    by: str | None,
    area: str,
    attend: bool,
    least_first: bool,
) -> list[Query]:
    how, by = way(case, fill, text="mask", image="black"), by or ("pixel" if heat.grid else "patch")
    places = order(case, heat, by)
    if least_first:
        places = places.flip(0)
    steps = [*TENTHS, 10] if area == "whole" else TENTHS
    return removing(case, places, [len(places) * step // 10 for step in steps], how, by, attend)


def top_tenths(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: By | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> list[Query]:
    return tenths(case, heat, fill, by, area, attend, least_first=False)


def last_tenths(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    by: By | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> list[Query]:
    return tenths(case, heat, fill, by, area, attend, least_first=True)


def accuracy_curve(case: Case, answers: list[Tensor], area: str) -> dict[str, float]:
    curve = hits(case, [case.classes, *answers])
    closed = np.append(curve, 0.0) if area == "ti" else curve
    return {str(10 * step): float(hit) for step, hit in enumerate(curve)} | {
        "area": 100 * float(trapezoid(closed, dx=0.1))
    }


@metric(
    "Positive perturbation",
    better="lower",
    reference="Chefer et al. 2021 (CVPR)",
    needs=("label",),
    unit="% of accuracy",
    asks=top_tenths,
)
def positive_perturbation(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    by: By | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> dict[str, float]:
    """Accuracy while the most important tenths go: 0 or 1 at each share ("0" to "90" per cent), and the area under these.

    The area is linear, so the mean of the records' areas is the area under the mean accuracy, which is what papers print.

    fill: black before normalisation (of pictures, unless said otherwise), mean, white, blur; mask (of texts), pad, unk, delete. by: pixel (of
    pictures, unless said otherwise; of the map enlarged bilinearly), patch. area: chefer is by trapezoids from 0 to 90 %; ti, the code of
    Beyond Intuition, adds an accuracy of 0 at 100 %; whole, their code for CLIP (whose fill is mean), measures that one too. attend: whether
    blanks of a text can be attended to.
    """
    return accuracy_curve(case, answers, area)


@metric(
    "Negative perturbation",
    better="higher",
    reference="Chefer et al. 2021 (CVPR)",
    needs=("label",),
    unit="% of accuracy",
    asks=last_tenths,
)
def negative_perturbation(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    by: By | None = None,
    area: Area = "chefer",
    attend: bool = True,
) -> dict[str, float]:
    """Accuracy while the least important tenths go; the rest as in `positive_perturbation`."""
    return accuracy_curve(case, answers, area)


First = Literal["most", "least"]


def masked_shares(
    case: Case, heat: Heatmap, fill: Fill | None = None, first: First = "most"
) -> list[Query]:
    places = order(case, heat)
    if first == "least":
        places = places.flip(0)
    return removing(
        case, places, [len(places) * step // 10 for step in range(10)], way(case, fill, text="mask")
    )


def best_masked(first: First = "most") -> dict[str, str]:
    return (
        {"aopc": "higher", "accuracy": "lower"}
        if first == "most"
        else {"aopc": "lower", "accuracy": "higher"}
    )


@metric(
    "AOPC and accuracy under masking",
    better="",
    reference="Modarressi et al. 2023 (DecompX)",
    needs=("label",),
    unit="probability, share",
    asks=masked_shares,
    parts=best_masked,
)
def masking(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    first: First = "most",
    of: Of = "explained",
) -> dict[str, float]:
    """ "aopc", the probability lost, and "accuracy", both averaged over 0, 10, ... 90 % of the words blanked, rounded down.

    first: with most (the most important are blanked first) a high aopc and a low accuracy are good; with least the reverse. fill: mask (of
    texts, unless said otherwise), mean (of pictures). of: the class whose probability is watched.
    """
    before, after = watched(case, answers, of)
    return {"aopc": float((before - after).mean()), "accuracy": float(hits(case, answers).mean())}


def rationales(case: Case, heat: Heatmap, fill: Fill | None = None) -> list[Query]:
    places = order(case, heat)
    return leaving(
        case,
        places,
        [max(1, len(places) * share // 100) for share in KEPT],
        way(case, fill, text="mask"),
    )


@metric(
    "Accuracy on the rationale",
    better="higher",
    reference="Modarressi et al. 2023 (DecompX)",
    needs=("label",),
    unit="share",
    asks=rationales,
)
def rationale_accuracy(
    case: Case, heat: Heatmap, answers: list[Tensor], fill: Fill | None = None
) -> dict[str, float]:
    """Is the model right when all but the top "20" or "40" per cent of the words is blanked? 0 or 1; DecompX's prediction performance."""
    return {str(share): float(hit) for share, hit in zip(KEPT, hits(case, answers))}

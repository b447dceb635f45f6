"""Rank correlation between the maps of two classes, and of a map with gradient × input."""

from typing import Literal

from jaxtyping import Num
from scipy.stats import kendalltau, spearmanr
from torch import Tensor

from ..heatmap import Heatmap
from ..methods import METHODS
from ..ties import levels, ranked
from .case import Case
from .faithfulness import attcat_scores
from .registry import metric

Coefficient = Literal["spearman", "kendall"]


def rank_correlation(
    first: Num[Tensor, " token"], second: Num[Tensor, " token"], kind: Coefficient = "spearman"
) -> float:
    """Spearman's ρ or Kendall's τ-b of two maps [token], from -1 to 1.

    Scores that are equal within rounding (`ties.levels`) share a rank. SciPy gives NaN where a map
    is constant. Here the value is 1 if both maps are constant, and 0 if only one of them is, so
    that constant maps lower a mean and are not left out of it. NaN for fewer than two tokens.
    """
    if len(first) < 2:
        return float("nan")
    one, other = levels(first), levels(second)  # 0 for the largest, in both
    constant = [not one.any(), not other.any()]
    if any(constant):
        return float(all(constant))
    statistic = {"spearman": spearmanr, "kendall": kendalltau}[kind]
    return float(statistic(one.numpy(), other.numpy()).statistic)


def compared(case: Case, scores: Tensor, specials: bool) -> Tensor:
    """The scores [token] that are compared, with or without those of special tokens."""
    return scores if specials else scores[case.words]


def knows_no_classes(heat: Heatmap) -> bool:
    """Whether a map is the same for every class, since its method does not use the class."""
    return heat.method in METHODS and not METHODS[heat.method].class_specific


@metric("Kendall's τ between classes", better="lower", paper="qiang2022")
def kendall(
    case: Case,
    heat: Heatmap,
    form: Literal["ranks", "permutation"] = "ranks",
    specials: bool = True,
) -> float:
    """Kendall's τ between the maps of the explained class and of another class.

    Values near or below 0 mean that the map depends on the class. The other class is the one
    before the explained class (of the first, the second). A method whose map is the same for
    every class has 1.

    Options:
    - form (default: ranks): ranks is Kendall's τ-b of the scores; permutation, the authors' code,
      correlates the two lists of token positions in falling order, which is less informative;
      [CLS] is set to zero in the same maps as in `aopc` with reproduce=attcat.
    - specials (default: true): whether special tokens are ranked too, as in the authors' code.
    """
    if len(case.classes) < 2:
        return float("nan")
    if knows_no_classes(heat):
        return 1.0
    other_class = case.explained - 1 if case.explained else 1
    other = case.heat(heat.method, target=other_class, **heat.options)
    if form == "permutation":
        first = ranked(compared(case, attcat_scores(case, heat), specials))
        second = ranked(compared(case, attcat_scores(case, other), specials))
    else:
        first = compared(case, heat.scores, specials)
        second = compared(case, other.scores, specials)
    return rank_correlation(first, second, "kendall")


@metric("Spearman with gradient × input", better="higher", paper="modarressi2022")
def spearman(case: Case, heat: Heatmap, specials: bool = True) -> float:
    """Rank correlation of a map with gradient × input.

    Formula: Spearman's ρ with ‖∂y/∂h_0 ⊙ h_0‖₂ of each token, where h_0 enters the first block.
    It is GlobEnc's measure; there y is the score of the gold class (explain "label"). It measures
    whether two maps agree, not whether either of them is right.

    Options:
    - specials (default: true): whether special tokens are ranked too.
    """
    entering = case.trace.hidden[0]
    saliency = (entering * case.trace.grad.hidden[0]).norm(dim=-1).cpu()
    return rank_correlation(
        compared(case, heat.scores, specials), compared(case, saliency, specials)
    )

"""Do two maps rank alike? Between classes, where they should not, and with the slopes of the score."""

from typing import Literal

from scipy.stats import kendalltau, spearmanr
from torch import Tensor

from ..heatmap import Heatmap
from ..methods import METHODS
from ..ties import levels, ranked
from .case import Case
from .faithfulness import attcat_scores
from .metric import metric

Kind = Literal["spearman", "kendall"]


def rank_correlation(first: Tensor, second: Tensor, kind: Kind = "spearman") -> float:
    """Spearman's ρ or Kendall's τ-b of two maps [token], -1 to 1.

    Scores that are equal within rounding (`ties.levels`) share a rank. A map that is the same everywhere
    ranks nothing, and SciPy says NaN of it. Here two such maps agree (1), and one of them says nothing about
    another that does rank (0), so that a dead method counts against its average and does not vanish from it.
    NaN for fewer than two tokens.
    """
    if len(first) < 2:
        return float("nan")
    groups = [levels(scores) for scores in (first, second)]  # both count from the largest
    flat = [not group.any() for group in groups]
    if any(flat):
        return float(all(flat))
    statistic = {"spearman": spearmanr, "kendall": kendalltau}[kind]
    return float(statistic(*(group.numpy() for group in groups)).statistic)


def seen(case: Case, scores: Tensor, specials: bool) -> Tensor:
    """The scores [token] that are compared, with or without those of [CLS] and its like."""
    return scores if specials else scores[case.words]


def other_class(explained: int) -> int:
    """The class beside the explained one: the other of two, else the one before it, and of the first the second."""
    return explained - 1 if explained else 1


@metric("Kendall's τ between classes", better="lower", reference="Qiang et al. 2022")
def kendall(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    form: Literal["ranks", "permutation"] = "ranks",
    specials: bool = True,
) -> float:
    """How alike the method ranks tokens for the explained class and for another one; a map that is specific to its class is near 0 or below.

    The other class is the one before the explained one (of the first, the second). A method that knows no classes has 1.

    form: ranks is Kendall's τ-b of the scores; permutation, the authors' code, correlates the two
    lists of token positions in falling order, a number that says less, with [CLS] at zero in the
    same maps as in `aopc` with reproduce=attcat. specials: whether [CLS] and its like are ranked
    too, as the authors do.
    """
    if len(case.classes) < 2:
        return float("nan")
    if heat.method in METHODS and not METHODS[heat.method].class_specific:
        return 1.0
    other = case.heat(heat.method, target=other_class(case.explained), **heat.options)
    if form == "permutation":
        first, second = (
            ranked(seen(case, attcat_scores(case, one), specials)) for one in (heat, other)
        )
    else:
        first, second = (seen(case, one.scores, specials) for one in (heat, other))
    return rank_correlation(first, second, "kendall")


@metric(
    "Spearman with gradient × input", better="higher", reference="Modarressi et al. 2022 (GlobEnc)"
)
def spearman(case: Case, heat: Heatmap, answers: list[Tensor], specials: bool = True) -> float:
    """Rank correlation with the saliency ‖∂y/∂h_0 ⊙ h_0‖₂ of each token, h_0 what enters the first block.

    GlobEnc's measure, of the gold class (explain "label"), with [CLS] and [SEP] unless specials is false. It asks whether a map agrees with
    another map, not whether either is true.
    """
    saliency = (case.trace.hidden[0] * case.trace.grad.hidden[0]).norm(dim=-1).cpu()
    return rank_correlation(seen(case, heat.scores, specials), seen(case, saliency, specials))

"""Can a map be believed? Metrics of faithfulness, plausibility and localisation, agreement between methods, and sanity checks."""
# isort: skip_file

from .baselines import BASELINES
from .case import Case, Example, case_of
from .curves import Curves, curves
from .faithfulness import aopc, comprehensiveness, deletion, insertion, logodds, sufficiency
from .measure import measure
from .metric import METRICS, Metric, find_metric
from .perturbation import Query, answers

__all__ = [
    "BASELINES", "METRICS", "Case", "Curves", "Example", "Metric", "Query", "answers", "aopc", "case_of", "comprehensiveness", "curves", "deletion",
    "find_metric", "insertion", "logodds", "measure", "sufficiency",
]

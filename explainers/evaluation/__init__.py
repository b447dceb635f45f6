"""Evaluation of heatmaps: metrics, agreement between methods, and sanity checks.

from explainers import evaluation as ev
example = ev.Example("not a bad film", label="POSITIVE", id="1")
ev.measure(model, [example], ["attcat", "gae"], ["aopc", "logodds", "kendall"])

A metric is a row of `METRICS`; the line of its import is its place in every menu.
"""
# isort: skip_file

from .baselines import BASELINES
from .case import Case, Example, case_of
from .notation import named
from .perturbation import Query, answers
from .registry import METRICS, Metric, find_metric
from .faithfulness import aopc, logodds, comprehensiveness, sufficiency, deletion, insertion
from .accuracy import positive_perturbation, negative_perturbation, masking, rationale_accuracy
from .robustness import infidelity, sensitivity
from .correlation import kendall, rank_correlation, spearman
from .plausibility import precision_at_k, token_f1
from .localisation import pointing_game, segmentation
from .causes import planted
from .sanity import Stage, cascade, class_sensitivity, completeness
from .agreements import Agreement, agreement, mean_agreement
from .probability_curves import Curves, curves
from .removal import Removal, without_top
from .measuring import measure
from .data import Columns, Dataset, read
from .runs import Plan, Result, evaluate
from .protocols import PROTOCOLS, Protocol, find_protocol

__all__ = [
    "BASELINES",
    "METRICS",
    "PROTOCOLS",
    "Agreement",
    "Case",
    "Columns",
    "Curves",
    "Dataset",
    "Example",
    "Metric",
    "Plan",
    "Protocol",
    "Query",
    "Removal",
    "Result",
    "Stage",
    "agreement",
    "answers",
    "aopc",
    "cascade",
    "case_of",
    "class_sensitivity",
    "completeness",
    "comprehensiveness",
    "curves",
    "deletion",
    "evaluate",
    "find_metric",
    "find_protocol",
    "infidelity",
    "insertion",
    "kendall",
    "logodds",
    "masking",
    "mean_agreement",
    "measure",
    "named",
    "negative_perturbation",
    "planted",
    "pointing_game",
    "positive_perturbation",
    "precision_at_k",
    "rank_correlation",
    "rationale_accuracy",
    "read",
    "segmentation",
    "sensitivity",
    "spearman",
    "sufficiency",
    "token_f1",
    "without_top",
]

"""Relevance, decomposition and perturbation methods against their authors' own code.

The numbers are in goldens/decomposition.json: see goldens/README.md.
"""

from itertools import product

import pytest
import torch
from decomposed import (
    READINGS,
    RECORDS,
    faithfulness,
    named,
    ranks,
    rows_of,
    traced,
    truthfulness,
    wanted,
)
from scipy.stats import spearmanr
from tiny import close

from explainers.methods import METHODS, mixing_ratios, readings
from explainers.methods.optimus import drops
from explainers.methods.relevance import relevance_of

USUAL = (1e-6, 1e-4)  # float64, float32


def measured(record: dict, dtype: torch.dtype) -> torch.Tensor:
    trace = traced(record["model"], record["class"] or 0, dtype, record.get("input") == "padded")
    if record["method"] == "mixing_ratios":
        return mixing_ratios(trace, **record["options"])
    method, options, part = METHODS[record["method"]], record["options"], record.get("part")
    if part == "readings":
        return torch.tensor([one.faithfulness for one in readings(trace, **options)])
    if part == "relevance of attention":
        return relevance_of(trace, **options).attention
    if part == "spearman":
        scores = method(trace, **options)
        saliency = [
            (trace.hidden[0] * traced("bert", c, dtype).grad.hidden[0]).norm(dim=-1)
            for c in range(3)
        ]
        return torch.tensor([spearmanr(scores, one).statistic for one in saliency])
    scores = getattr(method, part)(trace, **options) if part else method(trace, **options)
    if record.get("tokens") == "words":
        return scores[~trace.special_tokens]
    scores = scores[1:] if record.get("tokens") == "not the first" else scores
    return scores / scores.max() if record.get("view") == "divided by its largest" else scores


EACH = [
    (record, dtype)
    for record, dtype in product(RECORDS, (torch.float64, torch.float32))
    if record.get("precision", str(dtype)) in str(dtype)
]


@pytest.mark.parametrize(
    "record, dtype",
    EACH,
    ids=[f"{named(record)}-{str(dtype).removeprefix('torch.')}" for record, dtype in EACH],
)
def test_numbers_are_the_authors_own(record, dtype):
    close(
        measured(record, dtype),
        wanted(record, dtype),
        record.get("tolerance", USUAL)[dtype == torch.float32],
    )


@pytest.mark.parametrize("record", READINGS, ids=named)
def test_most_readings_are_compared_with_the_authors_numbers_in_float32_too(record):
    """All of the map before the softmax. Where words are too close, their formula is at hand."""
    told = faithfulness(RECORDS.index(record), torch.float32)[1]
    assert sum(told) >= {"A": 0.95, "A*": 1}[record["options"]["matrix"]] * len(told)
    trace = traced(record["model"], record["class"], torch.float64)
    lost = drops(trace, record["options"].get("activation", "softmax"))[~trace.special_tokens]
    rows = rows_of(trace, record["options"]["matrix"])
    close([truthfulness(row, lost, ranks(row, 0)) for row in rows], record["scores"], USUAL[0])


def test_every_method_of_these_families_has_numbers_of_its_authors():
    families = {"Relevance propagation", "Decomposition"}
    wanted = {key for key, method in METHODS.items() if method.family in families} | {
        "attention_flow",
        "attattr",
        "beyond_intuition",
        "optimus",
    }
    assert wanted <= {record["method"] for record in RECORDS}

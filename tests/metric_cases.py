"""Records of authors of metrics, and small questions whose metrics can be computed by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import GOLDENS, example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.faithfulness import ATTCAT_ZEROES

RECORDS = json.loads((GOLDENS / "evaluation.json").read_text())


def named(records: list[dict]):
    return pytest.mark.parametrize(
        "record", records, ids=[f"{one['name']}-{one.get('class', '')}" for one in records]
    )


def golden_case(model: str, target) -> ev.Case:
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not
    say so.
    """
    coded = tiny(model).encode(example(model))
    if not coded.grid:
        special_tokens = torch.zeros(len(coded.labels), dtype=torch.bool)
        special_tokens[0] = special_tokens[-1] = True
        coded = replace(coded, special_tokens=special_tokens)
    return ev.case_of(tiny(model), ev.Example(coded), target)


def golden_heat(case: ev.Case, record: dict, target=None) -> ex.Heatmap:
    heat = case.heat(record["method"], target=target, **record["options"])
    by_the_metric = (
        record["method"] in ATTCAT_ZEROES and record["how"]
    )  # what `reproduce` does itself
    if "first" in record and not by_the_metric:  # the authors set the readout token's own score
        heat = replace(
            heat,
            scores=torch.cat(
                [torch.tensor([float(record["first"])]).to(heat.scores), heat.scores[1:]]
            ),
        )
    return heat


def number_of(case: ev.Case, heat: ex.Heatmap, key: str, answers: list, **options):
    """What a metric makes of these answers, whatever it asked."""
    measurement = ev.METRICS[key].start(case, heat, **options)
    measurement.answer(answers)
    return measurement.number


TEXTS = [
    "the movie was not good",
    "a boring film but some of the actors were really good",
    "it is unbelievable",
    "the film was not bad",
]


def measured(key: str, case: ev.Case, heat: ex.Heatmap, **options):
    return ev.METRICS[key].measure(case, heat, **options)


def heat_of(scores, like: ex.Heatmap | None = None, name: str = "given") -> ex.Heatmap:
    scores = torch.as_tensor(scores, dtype=torch.float64)
    if like is not None:
        return replace(like, scores=scores, method=name)
    labels = [str(i) for i in range(len(scores))]
    return ex.Heatmap(
        scores, labels, name, name, "a class", 1.0, True, torch.zeros(len(scores), dtype=torch.bool)
    )


def square(rows: slice, columns: slice, size: int = 32) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask

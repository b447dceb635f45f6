"""Metrics of faithfulness on models that can be computed by hand, and the laws that they keep."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from metric_cases import TEXTS, golden_case, number_of

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.faithfulness import mean_log_ratio
from explainers.evaluation.perturbation import order

# ----------------------------------------------------------------------- computed by hand, and laws


def test_aopc_and_log_odds_by_hand():
    """Four words, two levels: the top two and all four are taken."""
    case = golden_case("bert", 0)
    said = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64)
    case = replace(case, cache={}, trace=replace(case.trace, logits=said.log()))
    rows = [torch.tensor([0.4, 0.3, 0.3]), torch.tensor([0.2, 0.4, 0.4])]
    heat = case.heat("attcat")
    found = partial(number_of, case, heat)
    assert found("aopc", rows) == pytest.approx((0.4 + 0.6) / 2)
    assert found("aopc", rows, of="predicted") == pytest.approx((0.4 + 0.6) / 2)
    assert found("logodds", rows) == pytest.approx((math.log(0.5) + math.log(0.25)) / 2)
    curve = [torch.tensor([p]) for p in (1.0, 0.5, 0.0)]
    assert found("deletion", curve) == pytest.approx(0.5)
    bins = [torch.tensor([p]) for p in (0.8, 0.7, 0.9, 0.4, 0.3)]
    assert found("comprehensiveness", bins) == pytest.approx((0 + 0.1 - 0.1 + 0.4 + 0.5) / 5)
    alti = found("comprehensiveness", bins, reproduce="alti")
    assert alti == pytest.approx((0 + 0.1 + 0.1 + 0.4 + 0.5) / 6)
    alti = found("sufficiency", bins, reproduce="alti")
    assert alti == pytest.approx((0 + 0 - 0.1 - 0.1 - 0.1) / 6)


class Words:
    """A model whose answer can be computed by hand: the logit of POSITIVE is the sum of the words'
    weights, of NEGATIVE its negative.
    """

    def __init__(self, tokenizer):
        self.table = torch.zeros(200, dtype=torch.float64)
        for word, weight in {
            "good": 3.0,
            "really": 1.0,
            "like": 2.0,
            "bad": -3.0,
            "boring": -2.0,
        }.items():
            self.table[tokenizer.convert_tokens_to_ids(word)] = weight

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        logit = self.table[ids].sum(-1)
        return torch.stack([-logit, torch.zeros_like(logit), logit], -1)


@pytest.fixture
def additive(reader, monkeypatch) -> ex.Model:
    """The tiny reader's answers replaced, after the pass, by those of a sum over words: the
    oracle's map is known.
    """
    words, given = Words(reader.tokenizer), ex.Model.answer

    def answer(self, inputs, attended=None, **tape):
        said = given(self, inputs, attended, **tape)
        return type(said)(said.outputs, words(inputs["input_ids"]) + 0 * said.class_logits)

    monkeypatch.setattr(ex.Model, "answer", answer)
    return reader


def oracle(case: ev.Case) -> ex.Heatmap:
    """What each word adds to the logit of the explained class."""
    scores = Words(case.model.tokenizer).table[case.coded.tensors["input_ids"][0]] * (
        1 if case.explained == 2 else -1
    )
    return replace(case.heat("random"), scores=scores, method="oracle")


def test_numbers_that_can_be_computed_by_hand(additive):
    """Words of weight 3, 0, 1, -2: after deleting two of four the logit is -2."""
    case = ev.case_of(additive, "good movie really boring", "POSITIVE")
    chance = lambda logit: math.exp(logit) / (math.exp(logit) + 1 + math.exp(-logit))
    assert float(case.probabilities[2]) == pytest.approx(chance(2))
    heat, p = oracle(case), [chance(2), chance(-1), chance(-2), chance(-2), chance(0)]
    assert ev.METRICS["aopc"].measure(case, heat, levels=4) == pytest.approx(
        sum(p[0] - one for one in p[1:]) / 4
    )
    assert ev.METRICS["logodds"].measure(case, heat, levels=2, fill="delete") == pytest.approx(
        sum(math.log(p[k] / p[0]) for k in (2, 4)) / 2
    )
    assert ev.METRICS["deletion"].measure(case, heat) == pytest.approx(
        (p[0] / 2 + p[1] + p[2] + p[3] + p[4] / 2) / 4
    )
    put_in = [chance(0), chance(3), chance(4), chance(4), chance(2)]
    assert ev.METRICS["insertion"].measure(case, heat) == pytest.approx(
        (put_in[0] / 2 + sum(put_in[1:4]) + put_in[4] / 2) / 4
    )
    assert ev.METRICS["sufficiency"].measure(case, heat) == pytest.approx(
        sum(p[0] - chance(logit) for logit in (3, 3, 3, 3, 4)) / 5
    )
    assert ev.METRICS["comprehensiveness"].measure(case, heat) == pytest.approx(
        (4 * (p[0] - p[1]) + p[0] - p[2]) / 5
    )
    case = replace(case, label=2, cache={})
    assert ev.METRICS["masking"].measure(case, heat) == pytest.approx(
        {"aopc": sum(p[0] - p[k] for k in (0, 0, 0, 1, 1, 2, 2, 2, 3, 3)) / 10, "accuracy": 3 / 10}
    )
    assert ev.METRICS["rationale_accuracy"].measure(case, heat) == {"20": 1.0, "40": 1.0}
    curve = ev.METRICS["positive_perturbation"].measure(case, heat)
    for by in ("token", "patch"):  # of a text they are the same
        assert ev.METRICS["positive_perturbation"].measure(case, heat, by=by) == curve
    assert [curve[str(share)] for share in range(0, 100, 10)] == [
        1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ] and curve["area"] == pytest.approx(25)


def test_an_oracle_beats_random_orders_and_these_are_at_chance(additive):
    """The oracle's order is the best there is and its reverse the worst; among random orders each
    word comes first equally often.
    """
    case = ev.case_of(
        additive, "the movie was really good but the film was boring and bad", "POSITIVE"
    )
    best = oracle(case)
    worst = replace(best, scores=-best.scores)
    drawn = [case.heat("random", draw=draw) for draw in range(30)]
    for name, sign in (
        ("aopc", 1),
        ("comprehensiveness", 1),
        ("insertion", 1),
        ("logodds", -1),
        ("sufficiency", -1),
        ("deletion", -1),
    ):
        metric = ev.METRICS[name]
        scores = [sign * metric.measure(case, heat) for heat in drawn]
        assert sign * metric.measure(case, best) >= max(scores) and sign * metric.measure(
            case, worst
        ) <= min(scores), name
        assert metric.better == ("higher" if sign == 1 else "lower")
    assert len({tuple(order(case, heat).tolist()) for heat in drawn}) == 30
    places = order(case, best).tolist()
    first = torch.tensor(
        [float(order(case, case.heat("random", draw=draw))[0] == places[0]) for draw in range(600)]
    ).mean()
    assert first == pytest.approx(1 / len(places), abs=4 * (1 / len(places) / 600) ** 0.5)


MAP_METRICS = [
    "aopc",
    "logodds",
    "comprehensiveness",
    "sufficiency",
    "deletion:steps=4",
    "insertion:steps=4",
    "positive_perturbation",
    "negative_perturbation",
    "masking",
    "rationale_accuracy",
    "spearman",
]


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_metrics_do_not_depend_on_the_scale_of_the_scores(name):
    pytest.importorskip("captum")
    case = replace(golden_case(name, 1), label=0)
    heat = case.heat("attcat")
    larger = replace(heat, scores=heat.scores * 1000)
    for spec in [*MAP_METRICS, "infidelity:samples=4"]:
        key, options = (
            spec.partition(":")[0],
            dict([spec.partition(":")[2].split("=")]) if ":" in spec else {},
        )
        numbers = [ev.METRICS[key].measure(case, one, **options) for one in (heat, larger)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-6), spec


def test_erasers_equation_counts_an_empty_rationale(additive):
    """Its code averages over the five bins; its equation divides by one more, whose rationale is
    empty.
    """
    case = ev.case_of(additive, "good movie really boring", "POSITIVE")
    heat, both = oracle(case), ("comprehensiveness", "sufficiency")
    lost = float(case.probabilities[2]) - 1 / 3  # without any word the three classes are alike
    for key, first in zip(both, (0, lost)):
        mean, paper = (
            ev.METRICS[key].measure(case, heat, reproduce=how) for how in ("mean", "paper")
        )
        assert (
            paper == pytest.approx((first + 5 * mean) / 6)
            and ev.METRICS[key].measure(case, heat) == mean
        )


def test_a_probability_of_zero_counts_as_the_smallest_of_float32():
    least = float(np.finfo(np.float32).tiny)
    assert mean_log_ratio(0.5, np.array([0.0])) == pytest.approx(math.log(least / 0.5))
    assert mean_log_ratio(0.0, np.array([0.5])) == pytest.approx(math.log(0.5 / least))


def test_a_random_order_is_another_one_for_another_target(reader):
    case = ev.case_of(reader, TEXTS[1])
    first, second = (case.heat("random", target=target).scores for target in (0, 1))
    assert not torch.equal(first, second)
    again = ev.case_of(reader, TEXTS[1]).heat("random", target=1).scores
    assert torch.equal(second, again)

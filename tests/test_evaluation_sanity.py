"""Sanity checks: weights made random, other classes, sums; and captum's two metrics against their
definitions.
"""

import math
from dataclasses import replace

import pytest
import torch
from metric_cases import TEXTS, heat_of, measured
from tiny import example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.sanity import stages

METHODS = ["attcat", "rollout", "gradient", "lrp"]


def weights_of(model: ex.Model) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.net.named_parameters()}


@pytest.mark.parametrize(
    "name",
    [
        "bert",
        "gpt2-classifier",
        "vit",
        "albert",
        "vision-text-dual-encoder.vision",
        "vision-text-dual-encoder.text",
    ],
)
def test_a_cascade_changes_a_copy_from_the_head_down_and_never_the_model(name):
    model = tiny(name)
    before = weights_of(model)
    case = ev.case_of(model, ev.Example(example(name)), 0)
    found = list(ev.cascade(case, ["attcat", "gradient"]))
    assert [stage.name for stage in found] == [
        "head",
        *(f"block {i}" for i in reversed(range(len(model.blocks)))),
        "embeddings",
    ]
    after = weights_of(model)
    assert all(torch.equal(after[key], weight) for key, weight in before.items())
    assert torch.equal(case.heat("attcat").scores, replace(case, cache={}).heat("attcat").scores)
    for stage in found:
        assert all(-1 <= rho <= 1 for rho in stage.correlation.values())
    assert not torch.allclose(found[-1].heats["attcat"].scores, case.heat("attcat").scores)


@pytest.mark.parametrize("name", ["bert", "vit", "albert", "clip.vision", "clip.text"])
def test_stages_hold_every_weight_of_the_explained_side_once(name):
    model = tiny(name)
    held = []
    for _, weights in stages(model):
        held += map(id, weights)
    assert len(held) == len(set(held)) and {
        id(weight) for weight in model.tower.parameters()
    } <= set(held)
    if model.is_dual_encoder:
        other = model.side("text" if model.anatomy.modality == "image" else "vision")
        assert not {id(weight) for weight in other.tower.parameters()} & set(held)


def test_a_map_of_attention_does_not_feel_the_head_and_one_of_slopes_does(reader):
    case = ev.case_of(reader, TEXTS[1])
    head = next(ev.cascade(case, METHODS))
    assert head.correlation["rollout"] == pytest.approx(1)
    assert head.correlation["attcat"] < 0.999 and head.correlation["lrp"] < 0.999


def test_a_cascade_is_the_same_for_the_same_seed(reader):
    case = ev.case_of(reader, TEXTS[1])
    first, second, other = (
        list(ev.cascade(case, ["attcat"], seed=seed))[-1].correlation["attcat"]
        for seed in (0, 0, 1)
    )
    assert first == second != other
    with pytest.raises(ex.Refusal, match="did you mean 'attcat'"):
        next(ev.cascade(case, ["atcat"]))


def test_class_sensitivity_is_against_the_next_probable_class(reader):
    case = ev.case_of(reader, TEXTS[1])
    second = case.probabilities.argsort(descending=True)[1]
    one, two = case.heat("attcat"), case.heat("attcat", target=int(second))
    kept = case.words
    assert measured("class_sensitivity", case, one) == pytest.approx(
        ev.rank_correlation(one.scores[kept], two.scores[kept])
    )


def test_completeness_is_kept_by_those_who_promise_it(reader):
    case = ev.case_of(reader, TEXTS[1])
    gap = lambda name: measured("completeness", case, case.heat(name))
    assert gap("decompx")["of_score"] == pytest.approx(0, abs=1e-6)
    assert gap("integrated_gradients:steps=200")["of_change"] == pytest.approx(0, abs=1e-2)
    assert gap("lrp")["of_one"] == pytest.approx(0, abs=1e-6) and gap("rollout")[
        "of_one"
    ] == pytest.approx(0, abs=1e-6)
    assert gap("attcat")["sum"] == pytest.approx(float(case.heat("attcat").scores.sum()))


# ------------------------------------------------------------------------------------------- captum


def test_infidelity_is_zero_for_a_map_that_says_what_is_lost(reader, monkeypatch):
    """Of a score that is a sum over tokens: its terms, up to a factor; and not of their reverse."""
    pytest.importorskip("captum")
    case = ev.case_of(reader, TEXTS[1])
    terms = torch.arange(1.0, len(case.coded.labels) + 1, dtype=torch.float64).sin()
    mask = 4

    def rescored(self, inputs, target=None):
        return (terms * (inputs["input_ids"] != mask)).sum(-1)

    monkeypatch.setattr(type(case.trace), "rescore", rescored)
    heat = heat_of(terms, case.heat("random"))
    assert measured("infidelity", case, heat) == pytest.approx(0, abs=1e-12)
    assert measured("infidelity", case, heat_of(terms * 7, heat)) == pytest.approx(0, abs=1e-12)
    assert measured("infidelity", case, heat_of(terms.flip(0), heat)) > 0.01
    with pytest.raises(ex.Refusal, match="mask, pad or unk"):
        measured("infidelity", case, heat, fill="delete")


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_sensitivity_grows_with_the_radius_and_is_zero_at_none(name):
    pytest.importorskip("captum")
    case = ev.case_of(tiny(name), ev.Example(example(name)), 1)
    heat = case.heat("attcat")
    still, little, more = (
        measured("sensitivity", case, heat, radius=radius, samples=3)
        for radius in (0.0, 0.001, 0.1)
    )
    assert still == pytest.approx(0, abs=1e-9) and 0 < little < more
    assert measured("sensitivity", case, heat, radius=0.001, samples=3) == little
    assert math.isnan(measured("sensitivity", case, case.heat("random")))


def test_sensitivity_of_texts_is_for_methods_that_take_embeddings(reader):
    pytest.importorskip("captum")
    case = ev.case_of(reader, TEXTS[1])
    found = {
        name: measured("sensitivity", case, case.heat(name), samples=2)
        for name in ("gae", "lrp", "attnlrp", "decompx", "occlusion")
    }
    assert {name for name, number in found.items() if math.isnan(number)} == {"occlusion"}

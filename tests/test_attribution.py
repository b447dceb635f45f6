"""What a method returns: parts by name, computed when they are first read."""

import pytest
import torch
from tiny import defined, example, tiny

import explainers as ex
from explainers.methods import METHODS, Attribution, Output
from explainers.methods._shared import once_per_trace
from explainers.methods.attribution import PARTS

SCORES = torch.tensor([1.0, 2.0])


@pytest.mark.parametrize("name", ["bert", "vit"])
@pytest.mark.parametrize("key", METHODS)
def test_a_method_has_the_parts_that_it_says_it_has(key, name):
    if not defined(METHODS[key], name):
        return
    trace = tiny(name).trace(example(name), 0)
    options = {"steps": 2} if "steps" in METHODS[key].options else {}
    found = METHODS[key].run(trace, **options)
    assert isinstance(found, Attribution) and found.parts == set(METHODS[key].parts)


def test_a_part_that_is_a_function_runs_once_and_when_it_is_read():
    calls = []

    def layers() -> torch.Tensor:
        calls.append(torch.is_grad_enabled())
        return SCORES[None]

    found = Attribution(SCORES, layers=layers)
    assert found.parts == {"layers"} and not calls
    assert torch.equal(found.layers, SCORES[None]) and found.layers is found.layers
    assert calls == [False], "it runs without gradients"


def test_scores_can_be_a_function_too():
    def never() -> torch.Tensor:
        raise AssertionError("the scores were not asked for")

    assert torch.equal(Attribution(never, layers=SCORES[None]).layers, SCORES[None])
    assert torch.equal(Attribution(lambda: SCORES).scores, SCORES)


def test_what_is_not_given_is_empty():
    found = Attribution(SCORES)
    for part in PARTS:
        assert not getattr(found, part)
    assert found.parts == set() and found.facts == {} and found.rows == []


def test_rows_are_called_by_their_layers_unless_they_have_names():
    layers = torch.stack([SCORES, SCORES])
    assert Attribution(SCORES, layers=layers).rows == ["L0", "L1"]
    assert Attribution(SCORES, layers=layers, rows=["a", "b"]).rows == ["a", "b"]


def test_a_part_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="parts are out of layers, heads"):
        Output(signed=True, class_specific=True, parts=("rows",))


def test_a_function_runs_once_for_a_trace_and_the_same_options():
    runs = []

    @once_per_trace
    def doubled(trace, factor: int) -> torch.Tensor:
        runs.append(factor)
        return factor * trace.score

    first, other = (tiny("bert").trace(example("bert"), target) for target in (0, 1))
    for trace in (first, other):
        for factor in (2, 3, 2):
            assert doubled(trace, factor=factor) == factor * trace.score
    assert runs == [2, 3, 2, 3]


def test_a_function_runs_once_however_its_options_are_given():
    runs = []

    @once_per_trace
    def doubled(trace, factor: int = 2) -> torch.Tensor:
        runs.append(factor)
        return factor * trace.score

    trace = tiny("bert").trace(example("bert"), 0)
    assert doubled(trace) is doubled(trace, 2) is doubled(trace, factor=2) and runs == [2]


def test_a_method_called_on_a_trace_gives_the_scores_of_its_attribution():
    trace = tiny("bert").trace(example("bert"), 0)
    found = ex.METHODS["attcat"].run(trace, aggregate="rollout")
    assert torch.equal(ex.METHODS["attcat"](trace, aggregate="rollout"), found.scores)
    assert torch.equal(found.scores, found.totals["Rollout"])

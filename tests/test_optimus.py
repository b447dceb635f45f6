"""Optimus: the search over ways to read attention, and which of them wins."""

import pytest
import torch
from decomposed import READINGS, named, traced, wanted, with_unknown
from tiny import example

import explainers as ex
from explainers.methods import METHODS, best_reading, mean_readings, readings
from explainers.methods.optimus import drops, weights

each_precision = pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32], ids=["float64", "float32"]
)


@each_precision
@pytest.mark.parametrize("record", READINGS, ids=named)
def test_the_winner_is_as_faithful_as_the_authors_best(record, dtype):
    """It is the same reading, and no other here ties with it."""
    trace, numbers = traced("bert", record["class"], dtype), wanted(record, dtype)
    _, facts = METHODS["optimus"].measure(trace, **record["options"])
    best = readings(trace, **record["options"])[numbers.index(max(numbers))]
    assert facts == pytest.approx({f"RFT of {best.name}": max(numbers)}, rel=1e-4)


@pytest.mark.parametrize("name", ["gpt2"])
def test_nothing_is_read_where_a_causal_model_may_not_look(name):
    trace = with_unknown(name, torch.float64).trace(example(name), 0)
    future = torch.ones(12, 12).triu(1).bool()
    assert not weights(trace, "A*")[..., future].any() and weights(trace, "A*")[..., ~future].all()


def test_the_whole_search_space_is_reported():
    trace = traced("bert", 0, torch.float64)
    names = [one.name for one in readings(trace)]
    assert len(names) == len(set(names)) == (4 + 2) * (3 + 1) * 4 and names[0] == "Mean/Mean/From"
    assert len(readings(trace, "A*")) == (4 + 1) * (3 + 1) * 4
    scores, facts = METHODS["optimus"].measure(trace)
    best = max(readings(trace), key=lambda one: one.faithfulness)
    assert torch.equal(scores, best.scores) and facts == {f"RFT of {best.name}": best.faithfulness}


def test_the_sigmoid_of_a_difference_is_each_logit_s_own():
    trace = traced("bert", (0, 1), torch.float64)
    lost, each = (
        drops(trace, "sigmoid"),
        [drops(traced("bert", c, torch.float64), "sigmoid") for c in (0, 1)],
    )
    assert torch.allclose(lost, each[0] - each[1], atol=1e-12) and lost.any()


def test_attention_grad_cam_is_the_mean_of_its_heads():
    trace = traced("bert", 0, torch.float64)
    heads = METHODS["attn_gradcam"].heads(trace)
    assert heads.shape[:2] == (4, 3) and torch.allclose(
        heads[-1].mean(0).clamp(min=0), METHODS["attn_gradcam"](trace)
    )


def test_a_reading_can_be_chosen_for_a_whole_dataset():
    traces = [traced("bert", c, torch.float64) for c in range(2)]
    name = best_reading(traces)
    mean = {one.name: 0.0 for one in readings(traces[0])}
    for trace in traces:
        for one in readings(trace):
            mean[one.name] += one.faithfulness
    assert mean[name] == max(mean.values())
    means = mean_readings(traces)
    assert means == pytest.approx({one: total / 2 for one, total in mean.items()}) and list(
        means.values()
    ) == sorted(means.values(), reverse=True)
    chosen = next(one for one in readings(traces[0]) if one.name == name)
    assert torch.equal(METHODS["optimus"](traces[0], choice=name.lower()), chosen.scores)
    with pytest.raises(ex.Refusal, match="layer/head/row"):
        METHODS["optimus"](traces[0], choice="9/9/From")
    with pytest.raises(ex.Refusal, match="at least one trace"):
        best_reading([])


def test_of_all_classes_together_every_reading_is_as_faithful_and_the_first_is_chosen():
    """What one class loses the others win, so that each reading's numbers add up to zero."""
    traces = [traced("bert", c, torch.float64) for c in range(3)]
    means = mean_readings(traces)
    assert max(map(abs, means.values())) < 1e-12
    assert list(means) == [one.name for one in readings(traces[0])]
    assert best_reading(traces) == "Mean/Mean/From"

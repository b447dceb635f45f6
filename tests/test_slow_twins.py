"""Methods against slow twins: the same formula, written a second time for one entry at a time."""

import pytest
import slow_twins
import torch
from scoring import traced
from tiny import TINY, close

from explainers.methods import METHODS


def blank_of(name: str) -> int:
    return TINY[name].padding


@pytest.mark.parametrize("name", ["bert", "distilbert", "gpt2"])
def test_gradient_and_input_x_gradient_equal_their_slow_twins(name):
    trace = traced(name)
    close(METHODS["gradient"](trace), slow_twins.gradient(trace), 1e-12)
    close(METHODS["gradient"](trace, order=1), slow_twins.gradient(trace, order=1), 1e-12)
    close(METHODS["input_x_gradient"](trace), slow_twins.input_x_gradient(trace), 1e-12)


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2"])
def test_integrated_gradients_equal_their_slow_twin(name):
    """Thirteen steps: two batches, one of them not full."""
    trace = traced(name)
    close(
        METHODS["integrated_gradients"](trace, steps=13),
        slow_twins.integrated_gradients(trace, 13, blank_of(name)),
        1e-9,
    )


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_smoothgrad_equals_its_slow_twin(name):
    trace = traced(name)
    options = {"samples": 12, "sigma": 0.2, "seed": 5}
    close(METHODS["smoothgrad"](trace, **options), slow_twins.smoothgrad(trace, **options), 1e-9)


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2"])
@pytest.mark.parametrize("window", [1, 3, 50])
def test_occlusion_equals_its_slow_twin(name, window):
    trace = traced(name)
    close(
        METHODS["occlusion"](trace, fill="pad", window=window),
        slow_twins.occlusion(trace, blank_of(name), window),
        1e-9,
    )


@pytest.mark.parametrize("name", ["bert", "distilbert", "gpt2", "vit"])
def test_attcat_and_its_rollout_equal_their_slow_twins(name):
    trace = traced(name)
    close(METHODS["attcat"].layers(trace), slow_twins.attcat_layers(trace), 1e-10)
    close(METHODS["attcat"](trace, aggregate="rollout"), slow_twins.attcat_rollout(trace), 1e-10)


@pytest.mark.parametrize("name", ["bert", "gpt2", "vit"])
def test_rollout_equals_its_slow_twin(name):
    close(METHODS["rollout"](traced(name)), slow_twins.rollout(traced(name)), 1e-10)


@pytest.mark.parametrize(
    "endpoint, points", [("start", [0.0, 0.25, 0.5, 0.75]), ("end", [0.25, 0.5, 0.75, 1.0])]
)
def test_attattr_walks_the_points_of_the_code_or_of_the_paper(endpoint, points):
    """Which are different paths: the slope at no attention at all counts in one of them only."""
    trace, attattr = traced("bert"), METHODS["attattr"]
    close(attattr(trace, steps=4, endpoint=endpoint), slow_twins.attattr(trace, points), 1e-9)
    assert not torch.allclose(
        attattr(trace, steps=4, endpoint="start"),
        attattr(trace, steps=4, endpoint="end"),
        rtol=1e-3,
    )


def test_smoothgrad_without_noise_is_the_gradient_and_its_seed_counts():
    trace, smooth = traced("bert"), METHODS["smoothgrad"]
    torch.testing.assert_close(
        smooth(trace, samples=2, sigma=0), METHODS["input_x_gradient"](trace)
    )
    assert torch.equal(smooth(trace, samples=3, seed=1), smooth(trace, samples=3, seed=1))
    assert not torch.allclose(smooth(trace, samples=3, seed=1), smooth(trace, samples=3, seed=2))

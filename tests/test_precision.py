"""What is shown does not hang on the precision that a model was loaded in.

Every method is held to float64 on trained weights.
"""

import copy
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny import POST_NORM, example, fresh

import explainers as ex
from explainers import lrp
from explainers.methods import METHODS

EXAMPLES = Path(__file__).parent.parent / "assets/examples"
INPUTS = {
    "sentiment": ["I hated every minute of it.", "The plot never slows down."],
    "vit": [EXAMPLES / "cat.jpg"],
    "image-text": [(EXAMPLES / "cat.jpg", ["a photo of a cat", "a rocket"])],
}
HALVES = [torch.bfloat16, torch.float16]


def test_two_sides_that_cancel_get_nothing():
    """1 and −1 make nothing in the first channel: its relevance goes to no one, and does not drown
    the rest.
    """
    sides = (
        torch.tensor([[1.0, 2.0]], requires_grad=True),
        torch.tensor([[-1.0, 1.0]], requires_grad=True),
    )
    with lrp.ChainRules(lrp.ORIGINAL):
        y = sides[0] * 1 + sides[1] * 1
    got = torch.autograd.grad(y, sides, torch.ones(1, 2))
    torch.testing.assert_close(got[0], torch.tensor([[0.0, 2 / 3]]))
    torch.testing.assert_close(got[1], torch.tensor([[0.0, 1 / 3]]))


@pytest.mark.parametrize("little", [0.0, 1e-8, 1e-5])
def test_what_little_a_linear_layer_adds_is_shared_out_exactly(little):
    """Of a thousand terms below zero and two of `little` above: nothing, or half to either of the
    two.
    """
    x, weight = torch.ones(1, 1000), -torch.ones(3, 1000)
    weight[:, 7], weight[:, 8] = little, little
    leaf = x.requires_grad_()
    with lrp.ChainRules(lrp.OURS):
        y = F.linear(leaf * 1, weight)
    (got,) = torch.autograd.grad(y, leaf, torch.tensor([[1.0, 2.0, 3.0]]))
    wanted = torch.zeros(1, 1000)
    wanted[0, 7:9] = 6 * little / (2 * little + 1e-9)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-7)


@cache
def loaded(name: str, dtype: torch.dtype) -> ex.Model:
    model = ex.load(name, device="cpu")
    return model if dtype == torch.float32 else in_precision(model, dtype)


def in_precision(model: ex.Model, dtype: torch.dtype) -> ex.Model:
    return ex.load(
        copy.deepcopy(model.net).to(dtype),
        tokenizer=model.tokenizer,
        processor=model.processor,
        device="cpu",
    )


@cache
def pair(name: str, number: int, dtype: torch.dtype):
    """One input traced in `dtype` and, with the same weights and the same target, in float64."""
    model = loaded(name, dtype)
    exact = in_precision(model, torch.float64)
    seen = given_in(loaded(name, torch.float32).encode(INPUTS[name][number]), dtype)
    wanted = exact.trace(given_in(seen, torch.float64))
    return model.trace(seen, wanted.target.index), wanted


def given_in(seen, dtype: torch.dtype):
    """The same input in another precision."""
    tensors = {}
    for key, value in seen.tensors.items():
        tensors[key] = value.to(dtype) if value.is_floating_point() else value
    return replace(seen, tensors=tensors)


def off(method, trace, wanted) -> float:
    """How far the map is off the one in float64, as a share of the largest number."""
    exact = method(wanted)
    return float((method(trace).double() - exact).abs().max() / exact.abs().max())


def asked(name: str) -> list[str]:
    """The methods that are defined for a bundled model."""
    kind = "text" if name == "sentiment" else "image"
    keys = [key for key, method in METHODS.items() if kind in method.tasks]
    return keys if kind == "text" else [key for key in keys if key not in POST_NORM]


CASES = []
for model, inputs in INPUTS.items():
    CASES += product([model], range(len(inputs)), asked(model))


@pytest.mark.rotates
@pytest.mark.parametrize("name, number, key", CASES)
def test_every_method_in_float32_is_what_it_is_in_float64(name, number, key):
    """To 1e-4 of the largest number; on these inputs ALTI is furthest off, by 1e-5."""
    assert off(METHODS[key], *pair(name, number, torch.float32)) <= 1e-4


@pytest.mark.parametrize("rules", ["ours", "original"])
@pytest.mark.parametrize("key", ["lrp", "partial_lrp"])
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])
def test_relevance_in_half_precision_is_that_of_the_same_weights_in_float64(
    name, key, rules, dtype
):
    trace, exact = pair(name, 0, dtype)
    got, wanted = METHODS[key](trace, rules=rules), METHODS[key](exact, rules=rules)
    assert got.dtype == torch.float32
    assert (got - wanted).abs().max() <= 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("variant", ["attn", "cp"])
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])
def test_attnlrp_in_half_precision_is_that_of_the_same_weights_in_float64(name, variant, dtype):
    trace, exact = pair(name, 0, dtype)
    got, wanted = (
        METHODS["attnlrp"](trace, variant=variant),
        METHODS["attnlrp"](exact, variant=variant),
    )
    assert (got - wanted).abs().max() <= 1e-3 * wanted.abs().max()


def test_a_map_in_half_precision_says_so():
    model, text = loaded("sentiment", torch.bfloat16), INPUTS["sentiment"][0]
    notes = {
        key: " ".join(ex.explain(model, text, key).notes)
        for key in ("attcat", "rollout", "transatt", "lrp", "partial_lrp", "attnlrp")
    }
    assert {key for key, note in notes.items() if "bfloat16" in note} == {
        "attcat",
        "rollout",
        "transatt",
    }
    assert not ex.explain(loaded("sentiment", torch.float32), text, "attcat").notes


def test_numbers_that_are_not_finite_are_refused_with_the_precision_as_the_reason():
    model = fresh("bert", torch.float16)
    with torch.no_grad():
        model.net.bert.encoder.layer[0].output.dense.weight.mul_(1e5)  # float16 ends at 65,504
    with pytest.raises(ex.Refusal, match=r"float16.*float32"):
        ex.explain(model, example("bert"), "attcat", 0)


@pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])
def test_a_picture_in_half_precision_can_be_shown(dtype):
    """From tensors, so that the picture itself is made of them; by layers, so that every part is
    written.
    """
    model = loaded("vit", dtype)
    pixels = model.encode(INPUTS["vit"][0]).tensors["pixel_values"]
    heat = ex.explain(model, {"pixel_values": pixels}, "attcat", 0)
    assert heat.scores.dtype == heat.layers.dtype == torch.float32
    assert heat.html()

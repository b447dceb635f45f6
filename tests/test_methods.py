"""Every method on every architecture: the laws that all of them keep."""

from itertools import product

import pytest
import torch
from scoring import DEFINED, QUICK, each_method, everywhere, home, scored, traced
from tiny import (
    ARCHITECTURES,
    DUAL,
    IMAGE,
    OF_CLASSES,
    ONE_MATCH,
    POST_NORM,
    PRE_NORM,
    RELEVANCE,
    TINY,
    close,
    example,
    fresh,
    tiny,
    varied,
)

import explainers as ex
from explainers.methods import METHODS
from explainers.scores import Logit


@everywhere
def test_a_method_gives_one_finite_number_a_token(key, name):
    scores = scored(key, name)
    assert scores.shape == traced(name).attended.shape and scores.dtype == torch.float64
    assert torch.isfinite(scores).all() and not scores.requires_grad


@everywhere
def test_a_method_does_not_say_zero_for_every_class(key, name):
    """A map of zeros alone would pass every other law.

    Where there is one match only, other inputs stand for other classes.
    """
    others = (
        METHODS[key](tiny(name).trace(varied(name, seed), 0), **QUICK.get(key, {}))
        for seed in range(3)
        if name in DUAL
    )
    assert any(
        scored(key, name, target).any() for target in range(min(TINY[name].classes, 3))
    ) or any(scores.any() for scores in others)


@everywhere
def test_a_method_gives_the_same_numbers_again(key, name):
    again = METHODS[key](tiny(name).trace(example(name), 0), **QUICK.get(key, {}))
    torch.testing.assert_close(scored(key, name), again, rtol=1e-10, atol=1e-13)


def parts_of(trace: ex.Trace) -> list[torch.Tensor]:
    """What was recorded, and its slopes."""
    parts = []
    for one in (trace, trace.grad):
        parts += [one.attention, one.value, one.hidden, one.normed]
    return parts


@everywhere
def test_a_method_changes_neither_the_trace_nor_the_model(key, name):
    model = fresh(name)
    trace = model.trace(example(name), 0)
    before = {what: tensor.clone() for what, tensor in model.net.state_dict().items()}
    kept = [part.clone() for part in parts_of(trace)]
    METHODS[key](trace, **QUICK.get(key, {}))
    assert all(torch.equal(tensor, before[what]) for what, tensor in model.net.state_dict().items())
    assert (
        all(parameter.grad is None for parameter in model.net.parameters())
        and not model.net.training
    )
    assert all(map(torch.equal, kept, parts_of(trace)))


@everywhere
def test_an_unsigned_map_has_no_negative_number(key, name):
    if not METHODS[key].signed:
        assert (scored(key, name) >= 0).all()


@pytest.mark.parametrize(
    "key", [key for key, method in METHODS.items() if method.signed and key != "optimus"]
)  # its A* alone can say minus
def test_a_signed_map_has_both_signs_somewhere(key):
    scores = torch.cat([scored(key, home(key), target) for target in range(3)])
    assert (scores < 0).any() and (scores > 0).any()


@pytest.mark.parametrize(
    "key, name",
    [(key, name) for key, name in DEFINED if TINY[name].classes > 1],
    ids=[f"{key}-{name}" for key, name in DEFINED if TINY[name].classes > 1],
)
def test_another_class_gives_another_map_just_where_the_method_says_so(key, name):
    maps = [scored(key, name, target) for target in range(3)]
    differ = any(not torch.allclose(maps[0], one, rtol=1e-9, atol=1e-15) for one in maps[1:])
    assert differ == METHODS[key].class_specific


NOT_LINEAR = ("gae", "transatt", "partial_lrp", "lrp", "attattr", "optimus", "decompx", "vit_cx")


@pytest.mark.parametrize(
    "key",
    [key for key, method in METHODS.items() if method.class_specific and key not in NOT_LINEAR],
)
def test_a_class_specific_map_grows_with_the_score(key):
    """Twice the score, twice the map: what is explained is the number, in its own unit.

    Not so where layers are multiplied, one unit of relevance is handed out, or a probability or a
    class itself is explained.
    """
    name = home(key)
    double = tiny(name).trace(example(name), Doubled(1, "twice"))
    torch.testing.assert_close(
        METHODS[key](double, **QUICK.get(key, {})), 2 * scored(key, name, 1), rtol=1e-8, atol=1e-12
    )


class Doubled(Logit):
    """Twice the logit of a class."""

    def __call__(self, answer):
        return 2 * super().__call__(answer)


@everywhere
def test_the_declared_invariant_holds(key, name):
    trace, scores, method = traced(name), scored(key, name), METHODS[key]
    match method.invariant:
        case "":
            pass
        case "sums to one":
            torch.testing.assert_close(scores.sum(), torch.ones_like(scores.sum()))
        case "layers average to the map":
            layers = method.layers(trace, **QUICK.get(key, {}))
            torch.testing.assert_close(layers.mean(0), scores)
        case "layers sum to the map":
            layers = method.layers(trace, **QUICK.get(key, {}))
            torch.testing.assert_close(layers.sum(0), scores)
        case "relevance is conserved":
            sums = method.layers(trace).sum(1)
            ones = torch.ones(len(trace.hidden)).to(scores)
            torch.testing.assert_close(sums, ones, rtol=0, atol=1e-6)
        case "adds up to the logit":
            torch.testing.assert_close(scores.sum(), trace.score)
        case "completeness":
            complete(trace, scores, name)
        case unknown:
            pytest.fail(f"no test of the law {unknown!r}")


def complete(trace, scores, name) -> None:
    """The shares add up to the score gained over the blank text, and the reported gap is what is
    missing.
    """
    blank = trace.rescore(
        trace.fill(~trace.special_tokens[None], "mean" if name in IMAGE else "pad")
    )[0]
    _, facts = METHODS["integrated_gradients"].measure(trace, **QUICK["integrated_gradients"])
    gap = float(scores.sum() - (trace.score - blank))
    assert facts["completeness gap"] == pytest.approx(gap, abs=1e-9)
    _, facts = METHODS["integrated_gradients"].measure(trace, steps=150)
    assert abs(facts["completeness gap"]) < 1e-3 * max(1, abs(float(trace.score - blank)))


def test_every_invariant_of_the_menu_is_tested_somewhere():
    assert {method.invariant for method in METHODS.values()} == {
        "",
        "sums to one",
        "layers sum to the map",
        "layers average to the map",
        "completeness",
        "relevance is conserved",
        "adds up to the logit",
    }


@pytest.mark.parametrize(
    "key", [key for key, method in METHODS.items() if "image" not in method.tasks]
)
def test_what_is_not_defined_for_pictures_is_refused_there(key):
    with pytest.raises(ex.Refusal, match=r"not defined for pictures: .+"):
        ex.explain(tiny("vit"), example("vit"), key, 0)


@pytest.mark.parametrize(
    "key, name", [(key, name) for key, name in DEFINED if name in ("bert", "gpt2")]
)
def test_an_input_of_one_token_is_explained(key, name):
    scores = METHODS[key](tiny(name).trace({"input_ids": [[7]]}, 0), **QUICK.get(key, {}))
    assert scores.shape == (1,) and torch.isfinite(scores).all()


@pytest.mark.parametrize("key", ["occlusion", "integrated_gradients"])
def test_an_input_of_specials_alone_has_nothing_to_blank(key):
    model = tiny("roberta")
    trace = model.trace({"input_ids": [[0, 2]]}, 0)
    assert trace.special_tokens.all() and not METHODS[key](trace, **QUICK.get(key, {})).any()


@pytest.mark.parametrize(
    "key, name",
    [
        (key, name)
        for key, name in product(POST_NORM, ARCHITECTURES)
        if name in PRE_NORM and (name not in IMAGE or "image" in METHODS[key].tasks)
    ],
)
def test_what_follows_vectors_through_later_norms_is_refused_where_they_come_first(key, name):
    with pytest.raises(ex.Refusal, match="post-LN"):
        METHODS[key](traced(name))


@pytest.mark.parametrize(
    "key, name, said",
    [
        *(
            (key, name, "no other to compare it with")
            for key, name in product(OF_CLASSES, ONE_MATCH)
            if ("image" if name in IMAGE else "text") in METHODS[key].tasks
        ),
        *((key, "siglip.vision", "no relevance rule") for key in RELEVANCE),
        (
            "decompx",
            "vision-text-dual-encoder.text",
            "classifier does not consist of linear layers",
        ),
    ],
)
def test_what_one_match_or_one_more_attention_does_not_allow_is_refused(key, name, said):
    with pytest.raises(ex.Refusal, match=said):
        METHODS[key](traced(name))


@each_method
def test_a_method_works_in_float32(key):
    name = home(key)
    scores = METHODS[key](
        tiny(name, torch.float32).trace(example(name, torch.float32), 1), **QUICK.get(key, {})
    )
    assert scores.dtype == torch.float32
    close(scores, scored(key, name, 1), 2e-3)

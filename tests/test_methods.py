"""Every method on every architecture: the laws that all of them keep, the options, the cards, and
slow twins.
"""

import inspect
import math
from dataclasses import replace
from functools import cache
from html import escape

import pytest
import slow_twins
import torch
from tiny import (
    ARCHITECTURES,
    DUAL,
    IMAGE,
    OF_CLASSES,
    ONE_MATCH,
    ONE_OF_A_KIND,
    POST_NORM,
    PRE_NORM,
    RELEVANCE,
    TINY,
    close,
    defined,
    example,
    fresh,
    tiny,
    varied,
)

import explainers as ex
from explainers.methods import METHODS, Card
from explainers.models import BLANKS
from explainers.options import Option
from explainers.scores import Logit

QUICK = {
    "integrated_gradients": {"steps": 24},
    "smoothgrad": {"samples": 4},
    "attattr": {"steps": 3},
    "beyond_intuition": {"steps": 3},
}
SPECIALS = {
    "bert": [0, 11],
    "roberta": [0, 11],
    "distilbert": [0, 11],
}  # of the fixed input; bare ids do not say

DEFINED = [
    (key, name)
    for key, method in METHODS.items()
    for name in ARCHITECTURES
    if defined(method, name)
]

everywhere = pytest.mark.parametrize(
    "key, name", DEFINED, ids=[f"{key}-{name}" for key, name in DEFINED]
)
each_method = pytest.mark.parametrize("key", METHODS)
TEXTUAL = [key for key, method in METHODS.items() if "text" in method.tasks]
each_of_text = pytest.mark.parametrize("key", TEXTUAL)


def home(key: str) -> str:
    """The tiny model that a method is tried on: BERT, or ViT where it is for pictures alone."""
    return "bert" if key in TEXTUAL else "vit"


@cache
def traced(name: str, target=0) -> ex.Trace:
    return tiny(name).trace(example(name), target)


@cache
def scored(key: str, name: str, target=0) -> torch.Tensor:
    return METHODS[key](traced(name, target), **QUICK.get(key, {}))


# --------------------------------------------------------------------------------------------- laws


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


@everywhere
def test_a_method_changes_neither_the_trace_nor_the_model(key, name):
    model = fresh(name)
    trace = model.trace(example(name), 0)
    before = {what: tensor.clone() for what, tensor in model.net.state_dict().items()}
    kept = [
        part.clone()
        for one in (trace, trace.grad)
        for part in (one.attention, one.value, one.hidden, one.normed)
    ]
    METHODS[key](trace, **QUICK.get(key, {}))
    assert all(torch.equal(tensor, before[what]) for what, tensor in model.net.state_dict().items())
    assert (
        all(parameter.grad is None for parameter in model.net.parameters())
        and not model.net.training
    )
    left = [
        part
        for one in (trace, trace.grad)
        for part in (one.attention, one.value, one.hidden, one.normed)
    ]
    assert all(map(torch.equal, kept, left))


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
    laws = {
        "": lambda: None,
        "sums to one": lambda: torch.testing.assert_close(
            scores.sum(), torch.ones_like(scores.sum())
        ),
        "layers average to the map": lambda: torch.testing.assert_close(
            method.layers(trace, **QUICK.get(key, {})).mean(0), scores
        ),
        "layers sum to the map": lambda: torch.testing.assert_close(
            method.layers(trace, **QUICK.get(key, {})).sum(0), scores
        ),
        "relevance is conserved": lambda: torch.testing.assert_close(
            method.layers(trace).sum(1), torch.ones(len(trace.hidden)).to(scores), rtol=0, atol=1e-6
        ),
        "adds up to the logit": lambda: torch.testing.assert_close(scores.sum(), trace.score),
        "completeness": lambda: complete(trace, scores, name),
    }
    laws[method.invariant]()


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


@each_method
def test_a_card_says_why_a_method_is_for_one_kind_only(key):
    from explainers.render.method_cards import card_html

    method = METHODS[key]
    assert bool(method.only) == (len(method.tasks) == 1) and (
        not method.only or escape(method.only) in card_html(method)
    )


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
        for key in POST_NORM
        for name in ARCHITECTURES
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
            (key, name, "nothing to weigh it against")
            for key in OF_CLASSES
            for name in ONE_MATCH
            if ("image" if name in IMAGE else "text") in METHODS[key].tasks
        ),
        *((key, "siglip.vision", "no relevance rule") for key in RELEVANCE),
        ("decompx", "vision-text-dual-encoder.text", "head is not one of linear layers"),
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


# -------------------------------------------------------------------------------- layers and totals


@pytest.mark.parametrize(
    "key, name",
    [
        (key, name)
        for key, name in DEFINED
        if "layers" in METHODS[key].parts and name in ("bert", "vit", "gpt2")
    ],
)
def test_the_per_layer_picture_has_a_row_a_layer_and_leads_to_the_map(key, name):
    trace, method, options = traced(name), METHODS[key], QUICK.get(key, {})
    rows = method.layers(trace, **options)
    more = {"lrp": 1, "optimus": 2}.get(
        key, 0
    )  # the embeddings; the layers' mean and their product
    assert rows.shape == (4 + more, len(trace.attended)) and torch.isfinite(rows).all()
    wanted = method(trace, **options)
    if key == "optimus":
        assert any(row.equal(wanted) for row in rows)
    else:
        headline = {
            "layers sum to the map": rows.sum(0),
            "layers average to the map": rows.mean(0),
        }.get(method.invariant, rows[0 if key == "lrp" else -1])
        torch.testing.assert_close(headline, wanted)
    for total in method.totals(trace).values():
        assert total.shape == trace.attended.shape


@pytest.mark.parametrize(
    "key", [key for key, method in METHODS.items() if "layers" not in method.parts]
)
def test_a_method_without_layers_says_who_has_them(key):
    having = ", ".join(key for key, method in METHODS.items() if "layers" in method.parts)
    kind = "bert" if "text" in METHODS[key].tasks else "vit"
    with pytest.raises(ex.Refusal, match=rf"no map by layer\. These have: {having}\."):
        METHODS[key].layers(traced(kind))
    assert METHODS[key].totals(traced(kind)) == {}


def test_a_method_without_totals_is_not_run_for_them():
    assert METHODS["alti"].totals(traced("vit")) == {}, "ALTI itself refuses this network"


def test_rows_are_named_by_the_layers_they_come_from():
    for key in ("rollout", "gae"):
        assert ex.explain(tiny("bert"), example("bert"), key, 0, start=2).row_labels == ["L2", "L3"]
        assert ex.explain(tiny("bert"), example("bert"), key, 0, start=-1).row_labels == ["L3"]
        assert ex.explain(tiny("bert"), example("bert"), key, 0).row_labels == [
            "L0",
            "L1",
            "L2",
            "L3",
        ]


def test_totals_are_the_ways_to_make_one_map_and_follow_the_options():
    trace = traced("bert")
    for options in ({}, {"states": "output"}, {"states": "norm"}):
        totals = METHODS["attcat"].totals(trace, **options)
        assert list(totals) == ["Sum", "Rollout"]
        torch.testing.assert_close(totals["Sum"], METHODS["attcat"](trace, **options))
        torch.testing.assert_close(
            totals["Rollout"], METHODS["attcat"](trace, aggregate="rollout", **options)
        )


def test_carrying_evidence_back_keeps_its_sum():
    trace = traced("bert")
    torch.testing.assert_close(
        METHODS["attcat"](trace, aggregate="rollout").sum(), METHODS["attcat"](trace).sum()
    )


# --------------------------------------------------------------------------------------- slow twins


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


# ------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    "key, options, said",
    [
        ("attcat", {"stats": "input"}, "did you mean 'states'"),
        ("attcat", {"states": "inputs"}, "did you mean 'input'"),
        ("attcat", {"aggregate": "mean"}, "sum, rollout, product"),
        ("attcat", {"mask_specials": "maybe"}, "true or false"),
        ("attcat", {"mask_specials": 1}, "true or false"),
        ("attn_gradcam", {"layer": 1}, "has no options; got 'layer'"),
        ("raw_attention", {"layer": 4}, "no layer 4: this model has layers 0 to 3"),
        ("raw_attention", {"layer": -5}, "no layer -5"),
        ("raw_attention", {"head": 3}, "no head 3: this model has heads 0 to 2"),
        ("raw_attention", {"layer": "last"}, "takes a whole number"),
        ("raw_attention", {"layer": 1.5}, "takes a whole number"),
        ("raw_attention", {"layer": None}, "takes a whole number"),
        ("raw_attention", {"layer": [1]}, "takes a whole number"),
        ("integrated_gradients", {"steps": 10**12}, "at most 1,000"),
        ("smoothgrad", {"seed": 2**40}, "at most"),
        ("rollout", {"heads": "median"}, "mean, min, max"),
        ("rollout", {"start": 9}, "no layer 9"),
        ("rollout", {"discard": "most"}, "takes a number"),
        ("gae", {"start": -9}, "no layer -9"),
        ("grads", {"layer": 40}, "no layer 40"),
        ("attgrads", {"side": "keys"}, "did you mean 'key'"),
        ("gradient", {"order": 0}, "order is at least 1; got 0"),
        ("integrated_gradients", {"steps": 0}, "steps is at least 1; got 0"),
        ("integrated_gradients", {"baseline": "zero"}, "pad, mask, unk"),
        ("smoothgrad", {"samples": 0}, "samples is at least 1; got 0"),
        ("smoothgrad", {"sigma": -1}, "sigma is finite and at least 0; got -1"),
        ("occlusion", {"window": 0}, "window is at least 1; got 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_words(key, options, said):
    with pytest.raises(ex.Refusal) as refusal:
        METHODS[key](traced("bert"), **options)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "key, options",
    [
        ("rollout", {"discard": -0.5}),
        ("rollout", {"discard": 1.5}),
        ("rollout", {"discard": float("nan")}),
        ("smoothgrad", {"sigma": float("inf")}),
        ("smoothgrad", {"sigma": float("nan")}),
        ("raw_attention", {"layer": float("inf")}),
    ],
)
def test_a_number_outside_its_range_is_refused_in_words(key, options):
    with pytest.raises(ex.Refusal):
        ex.explain(tiny("bert"), example("bert"), key, 0, **options)


@pytest.mark.parametrize(
    ("key", "name", "wrong"),
    [
        ("rollout", "discard", [-0.5, 1, math.nan]),
        ("attattr", "steps", [0, -3]),
        ("beyond_intuition", "steps", [0]),
        ("integrated_gradients", "steps", [0, -3]),
        ("gradient", "order", [0]),
        ("smoothgrad", "samples", [0]),
        ("smoothgrad", "sigma", [-1, math.inf, math.nan]),
        ("attnlrp", "gamma", [-1, math.inf, math.nan]),
        ("occlusion", "window", [0, -1]),
        ("vit_cx", "threshold", [0, 2.5, math.nan]),
        ("vit_cx", "sigma", [-1, math.nan]),
    ],
)
def test_a_number_that_no_input_allows_is_refused_before_anything_runs(key, name, wrong):
    """So a page can say it under the field, and a run on a dataset before its first example."""
    for value in wrong:
        with pytest.raises(ex.Refusal, match=f"The option {name} is .*; got {value}"):
            METHODS[key].read({name: value})


@pytest.mark.parametrize(
    "key, typed, meant",
    [
        ("raw_attention", {"layer": "2", "head": "1"}, {"layer": 2, "head": 1}),
        ("raw_attention", {"head": None}, {}),
        ("rollout", {"residual": "False", "discard": "0.5"}, {"residual": False, "discard": 0.5}),
        ("attcat", {"mask_specials": "true"}, {"mask_specials": True}),
        ("gradient", {"order": 1.0}, {"order": 1}),
    ],
)
def test_options_may_be_typed_as_words(key, typed, meant):
    assert torch.equal(METHODS[key](traced("bert"), **typed), METHODS[key](traced("bert"), **meant))


@each_method
def test_every_choice_of_every_option_works(key):
    method, trace = METHODS[key], traced(home(key))
    if "by" in method.options:  # words of a text, which tensors alone do not tell
        words = [
            None if special_tokens else i // 2
            for i, special_tokens in enumerate(trace.special_tokens.tolist())
        ]
        trace = replace(trace, words=words)
    for option in method.options.values():
        if option.kind is str and not option.choices:
            continue  # a name, such as that of one of Optimus' readings
        blanks = set(option.choices or ()) & set(BLANKS["text"])
        values = (
            BLANKS["text"]
            if blanks
            else option.choices
            or {bool: (True, False), int: (1, 2), float: (0.25, 0.5)}[option.kind]
        )
        for value in values:
            few = {name: few for name, few in QUICK.get(key, {}).items() if name != option.name}
            assert torch.isfinite(method(trace, **{option.name: value}, **few)).all(), (
                option.name,
                value,
            )


@each_method
def test_given_defaults_change_nothing(key):
    method = METHODS[key]
    defaults = {name: option.default for name, option in method.options.items()} | QUICK.get(
        key, {}
    )
    assert torch.equal(method(traced(home(key)), **defaults), scored(key, home(key)))


def test_options_are_read_off_the_signature():
    assert METHODS["rollout"].options["heads"] == Option(
        "heads", "mean", ("mean", "min", "max"), str
    )
    assert METHODS["attcat"].options["states"] == Option(
        "states", None, ("input", "output", "norm"), str
    )
    assert METHODS["raw_attention"].options["head"] == Option("head", None, (), int)
    assert METHODS["attn_gradcam"].options == {}


def test_states_follow_the_architecture_by_default():
    for name, states in (("bert", "input"), ("gpt2", "norm"), ("vit", "norm")):
        for key in ("cat", "attcat"):
            assert torch.equal(
                METHODS[key](traced(name)), METHODS[key](traced(name), states=states)
            )


def test_hidden_specials_get_nothing():
    trace = tiny("roberta").trace({"input_ids": [[0, 20, 30, 40, 2]]}, 1)
    assert trace.special_tokens.tolist() == [True, False, False, False, True]
    scores = METHODS["attcat"](trace, mask_specials=True)
    assert not scores[trace.special_tokens].any() and scores[~trace.special_tokens].all()
    said = METHODS["attcat"].measure(trace, mask_specials=True)[1]
    assert (
        list(said.values())
        == [
            pytest.approx(
                float(
                    trace.again(
                        inputs=tiny("roberta").hide(trace.run.inputs, trace.special_tokens)
                    ).score
                )
            )
        ]
        != [trace.score]
    )


# -------------------------------------------------------------------------------------------- cards


def test_the_methods_are_on_the_menu_in_their_order():
    assert (
        list(METHODS)
        == [
            "raw_attention",
            "rollout",
            "attention_flow",
            "grads",
            "attgrads",
            "attn_gradcam",
            "gae",
            "beyond_intuition",
            "attattr",
            "cat",
            "attcat",
            "gradient",
            "input_x_gradient",
            "integrated_gradients",
            "smoothgrad",
            "partial_lrp",
            "transatt",
            "lrp",
            "attnlrp",
            "norm",
            "globenc",
            "alti",
            "value_zeroing",
            "decompx",
            "grad_cam",
            "legrad",
            "vit_cx",
            "occlusion",
            "optimus",
        ]
        == [one.key for one in METHODS.values()]
    )


@each_method
def test_a_card_says_what_it_is_its_formula_sign_and_limits(key):
    card = METHODS[key].card
    assert isinstance(card, Card)
    for part in (card.idea, card.formula, card.sign, card.limits):
        assert len(part) > 20 and "\n" not in part
    assert "=" in card.formula or "←" in card.formula
    assert ("plus" in card.sign.lower()) == METHODS[key].signed
    assert card.idea.endswith(".") and card.limits.endswith(".")


@each_method
def test_a_card_names_every_option_and_no_other(key):
    lines = METHODS[key].card.options.splitlines()
    for line, (name, option) in zip(lines, METHODS[key].options.items(), strict=True):
        default = "" if option.default is None else f" ({str(option.default).casefold()})"
        assert line.casefold().startswith(f"{name}{default}: ".casefold())


@each_method
def test_a_method_says_where_it_comes_from_and_what_it_costs(key):
    method = METHODS[key]
    assert method.paper[-4:].isdigit() or "(" in method.paper
    assert method.url.startswith("https://") and method.title and method.family
    assert method.single_pass == (method.passes in ("1F", "1F 1B"))
    assert method.tasks and set(method.tasks) <= {"text", "image"}


@each_of_text
def test_declared_passes_are_the_passes_it_makes(key):
    """Counted on the model, for a text of 12 words in the default options."""
    model = fresh("bert")
    trace = model.trace(example("bert"), 0)
    rows = []
    model.blocks[0].register_forward_hook(lambda block, args, output: rows.append(output.shape[0]))
    METHODS[key](trace)
    words = int((~trace.special_tokens).sum())
    declared = METHODS[key].passes.split("F")[0]
    wanted = (
        {"1": 0, "2": 1, "n": words}.get(declared)
        if declared in ("1", "2", "n")
        else int(declared.removeprefix("L·")) * (4 if "L" in declared else 1)
    )
    extra = 1 if key in ("integrated_gradients", "optimus") else 0  # the blank text, the whole text
    assert sum(rows) == wanted + extra


def test_methods_that_share_a_trace_are_said_to():
    assert [key for key, method in METHODS.items() if not method.single_pass] == [
        "attention_flow",
        "beyond_intuition",
        "attattr",
        "integrated_gradients",
        "smoothgrad",
        "partial_lrp",
        "transatt",
        "lrp",
        "attnlrp",
        "value_zeroing",
        "decompx",
        "legrad",
        "vit_cx",
        "occlusion",
        "optimus",
    ]
    assert not METHODS["attcat"].is_single_pass({"mask_specials": True})


def test_two_methods_cannot_have_one_name():
    from explainers.methods import Cost, Output, method

    def another(trace):
        """Another."""

    before = dict(METHODS)
    with pytest.raises(ValueError, match="two methods are called attcat"):
        method(
            "attcat",
            "A",
            family="F",
            paper=("P 2020", "https://example.org"),
            output=Output(signed=False, class_specific=False),
            cost=Cost("1F"),
        )(another)
    assert before == METHODS


def test_a_misspelt_method_gets_the_nearest_one_and_the_menu():
    with pytest.raises(ex.Refusal) as refusal:
        ex.explain(tiny("bert"), example("bert"), "atcat")
    assert "did you mean 'attcat'?" in str(refusal.value) and all(
        key in str(refusal.value) for key in METHODS
    )


# ----------------------------------------------------------------------------------------- heatmaps


@everywhere
def test_a_heatmap_carries_what_a_view_must_know(key, name):
    model, options = tiny(name), QUICK.get(key, {})
    heat = ex.explain(model, example(name), key, 0, **options)
    method = METHODS[key]
    assert (
        torch.equal(heat.scores, scored(key, name))
        and heat.method == key
        and heat.title == method.title
    )
    assert heat.signed == method.signed and heat.score == float(traced(name).score)
    assert len(heat.labels) == len(heat) == len(heat.special_tokens) == len(heat.scores)
    assert (
        heat.options == options
        and heat.target == traced(name).target.name
        and heat.poles == traced(name).target.poles
    )
    assert (heat.layers is not None) == ("layers" in method.parts)
    if heat.layers is not None:
        assert heat.layers.shape == (len(heat.row_labels), len(heat))
    assert (
        (heat.grid == (4, 4) and heat.patches.shape == (4, 4) and heat.picture.size == (32, 32))
        if name in IMAGE
        else heat.grid is None
    )
    assert (heat.pixels is not None) == (name in IMAGE and "pixels" in method.parts)
    assert heat.pixels is None or (heat.pixels.shape == (32, 32) and heat.pixels.isfinite().all())
    assert "n" not in heat.cost and 0 <= heat.special_share <= 1
    assert len(heat.table()) == len(heat)


def test_the_signed_option_makes_the_heatmap_signed():
    heat = ex.explain(tiny("bert"), example("bert"), "attgrads", 0, signed=True)
    assert heat.signed and (heat.scores < 0).any()
    assert not ex.explain(tiny("bert"), example("bert"), "attgrads", 0).signed


def test_a_signed_option_typed_as_a_word_is_read_too():
    assert ex.explain(tiny("bert"), example("bert"), "attgrads", 0, signed="false").signed is False


def test_a_map_of_zeros_says_so():
    heat = ex.explain(tiny("bert"), example("bert"), "attn_gradcam", 0)
    assert not heat.scores.any() and heat.notes == [
        "Attention Grad-CAM is zero for every token here."
    ]
    assert heat.special_share == 0


@pytest.mark.parametrize("closed", [slice(0, 1), slice(None)], ids=["one head", "every head"])
@each_of_text
def test_a_head_that_may_look_nowhere_gives_no_number_that_is_none(reader, key, closed):
    """All its keys masked, its attention is nothing: a method says so by zeros or in words, never
    by NaN.
    """
    coded = reader.encode("good movie")

    def shut(attention):
        attention = attention.clone()
        attention[:, closed] = 0
        return attention

    trace = reader.trace(coded, "POSITIVE").again(attention=shut)
    heat = ex.explain_trace(reader, coded, trace, key, **QUICK.get(key, {}))
    assert torch.isfinite(heat.scores).all() and (
        heat.rows is None or torch.isfinite(heat.rows).all()
    )
    assert "NaN" not in heat.html() and (
        heat.scores.any() or f"{heat.title} is zero for every token here." in heat.notes
    )


def test_a_comparison_has_every_method_on_one_trace(reader):
    compared = ex.compare(reader, "really good movie", target="POSITIVE")
    assert [heat.method for heat in compared] == TEXTUAL
    assert {heat.score for heat in compared} == {compared[0].score} and {
        heat.target for heat in compared
    } == {"POSITIVE"}
    for heat in compared:
        assert heat.labels == ["[CLS]", "really", "good", "movie", "[SEP]"]
    assert list(compared.table().columns) == ["token", *TEXTUAL]


def test_a_stream_yields_before_the_slow_methods_run(reader):
    first = next(ex.stream(reader, "good movie", ["raw_attention", "integrated_gradients"]))
    assert first.method == "raw_attention"


@pytest.mark.parametrize(
    "methods, said",
    [([], "at least one method"), (["raw_attention", "nothing"], "no method 'nothing'")],
)
def test_a_comparison_is_refused_before_the_model_runs(methods, said):
    with pytest.raises(ex.Refusal, match=said):
        ex.compare(tiny("bert"), None, methods)


def test_numbers_that_are_not_finite_are_refused():
    model = fresh("bert")
    with torch.no_grad():
        model.net.bert.embeddings.word_embeddings.weight[71] = float("nan")
    with pytest.raises(ex.Refusal, match="not finite"):
        ex.explain(model, example("bert"), "attcat", 0)


def test_a_heatmap_can_be_looked_at_in_parts(reader):
    heat = ex.explain(reader, "unbelievable movie", "attcat", "POSITIVE")
    merged, bare, layer = heat.merged(), heat.without_specials(), heat.layer(1)
    assert merged.labels == ["[CLS]", "unbelievable", "movie", "[SEP]"] and len(heat) > 4
    torch.testing.assert_close(
        merged.scores[1], heat.scores[[i for i, word in enumerate(heat.words) if word == 0]].sum()
    )
    assert (
        len(bare) == len(heat) - 2
        and not bare.special_tokens.any()
        and bare.special_share == 0 < heat.special_share
    )
    assert (
        torch.equal(layer.scores, heat.rows[1])
        and layer.rows is None
        and layer.title == "AttCAT, L1"
    )
    torch.testing.assert_close(merged.rows.sum(0), merged.scores)
    with pytest.raises(ex.Refusal, match="no map by layer"):
        ex.explain(reader, "good", "gradient").layer(0)


def test_scores_are_said_in_words():
    heat = ex.explain(tiny("bert"), example("bert"), "attcat", 0)
    assert (
        heat.in_words(-0.7204) == "minus 0.72, away from LABEL_0"
        and heat.in_words(1.5) == "plus 1.5, towards LABEL_0"
    )
    assert (
        heat.in_words(0.0) == "0"
        and ex.explain(tiny("bert"), example("bert"), "gradient", 0).in_words(0.5) == "0.5"
    )


def test_signatures_are_options_only():
    """A method's first parameter is the trace and every other has a default."""
    for one in METHODS.values():
        first, *others = inspect.signature(one.compute).parameters.values()
        assert first.name == "trace" and all(
            other.default is not inspect.Parameter.empty for other in others
        )


@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_traces_of_many_give_the_maps_of_the_single_ones(name):
    inputs, model = [varied(name, seed, 8) for seed in range(3)], tiny(name)
    for trace, one in zip(
        model.trace_many(inputs, [min(target, TINY[name].classes - 1) for target in range(3)]),
        inputs,
    ):
        alone = model.trace(one, trace.target)
        for key, method in METHODS.items():
            if defined(method, name):
                maps = [method(which, **QUICK.get(key, {})) for which in (trace, alone)]
                torch.testing.assert_close(
                    *maps, rtol=1e-9, atol=1e-12, msg=lambda said, key=key: f"{key}: {said}"
                )


@pytest.mark.parametrize(
    "key, name",
    [(key, name) for key, name in DEFINED if name in ONE_OF_A_KIND],
    ids=[f"{key}-{name}" for key, name in DEFINED if name in ONE_OF_A_KIND],
)
def test_pictures_by_layer_by_head_by_token_and_by_pixel_have_their_shapes(key, name):
    trace, method, options = traced(name), METHODS[key], QUICK.get(key, {})
    n = len(trace.attended)
    rows = (
        1 if key == "gae" and name in DUAL else {"lrp": 5, "optimus": 6}.get(key, 4)
    )  # of a dual encoder the last layer alone
    shapes = {"layers": (rows, n), "heads": (4, 3, n), "maps": (4, n, n), "pixels": (32, 32)}
    for part, shape in shapes.items():
        if part in method.parts and (part != "pixels" or name in IMAGE):
            got = getattr(method, part)(trace, **options)
            assert got.shape == shape and torch.isfinite(got).all(), part


@pytest.mark.parametrize(
    "key, name",
    [(key, name) for key, name in DEFINED if name in ("vit", "beit", "siglip.vision")],
    ids=[f"{key}-{name}" for key, name in DEFINED if name in ("vit", "beit", "siglip.vision")],
)
def test_a_picture_that_is_neither_square_nor_filled_by_its_patches_is_explained(key, name):
    """5 x 3 patches, positions between the learned ones, and a row of pixels that belongs to no
    patch.
    """
    pixels = torch.randn(
        1, 3, 41, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    trace, method, options = (
        tiny(name).trace(example(name) | {"pixel_values": pixels}, 0),
        METHODS[key],
        QUICK.get(key, {}),
    )
    scores = method(trace, **options)
    assert (
        trace.grid == (5, 3)
        and scores.shape == trace.attended.shape == (len(traced(name).attended) - 1,)
        and torch.isfinite(scores).all()
    )
    if "pixels" in method.parts:
        by_pixel = method.pixels(trace, **options)
        assert by_pixel.shape == (41, 24) and torch.isfinite(by_pixel).all()

"""Options of methods: read off the signature, refused in words where they make no sense."""

import math
from dataclasses import replace

import pytest
import torch
from scoring import QUICK, each_method, home, scored, traced
from tiny import example, tiny

import explainers as ex
from explainers.methods import METHODS
from explainers.models import BLANKS
from explainers.options import Option


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
        ("gradient", {"order": 0}, "order must be at least 1; got 0"),
        ("integrated_gradients", {"steps": 0}, "steps must be at least 1; got 0"),
        ("integrated_gradients", {"baseline": "zero"}, "pad, mask, unk"),
        ("smoothgrad", {"samples": 0}, "samples must be at least 1; got 0"),
        ("smoothgrad", {"sigma": -1}, "sigma must be finite and at least 0; got -1"),
        ("occlusion", {"window": 0}, "window must be at least 1; got 0"),
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
        with pytest.raises(ex.Refusal, match=f"The option {name} must be .*; got {value}"):
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

"""The menu of methods and their cards: what each says of itself."""

from html import escape

import pytest
from scoring import each_method, each_of_text
from tiny import example, fresh, tiny

import explainers as ex
from explainers.methods import METHODS, Card


@each_method
def test_a_card_says_why_a_method_is_for_one_kind_only(key):
    from explainers.render.method_cards import card_html

    method = METHODS[key]
    assert bool(method.only) == (len(method.tasks) == 1) and (
        not method.only or escape(method.only) in card_html(method)
    )


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
    wanted = {"1": 0, "2": 1, "n": words}.get(declared)
    if wanted is None:
        layers = 4 if declared.startswith("L·") else 1
        wanted = int(declared.removeprefix("L·")) * layers
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

"""Which class a person may ask to have explained, and what is said when it is not there."""

import pytest
import torch
from tiny import example, tiny, varied
from transformers import BertConfig, BertForSequenceClassification

import explainers as ex
from explainers.methods import METHODS
from explainers.scores import Custom, Difference, Logit, Span
from explainers.tasks.reading import ClassReader

LABELS = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}


def small_bert(labels: int, **settings) -> ex.Model:
    """A BERT of this many classes, with random weights that are the same every time."""
    torch.manual_seed(labels)
    config = BertConfig(
        vocab_size=200,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=24,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=0.4,
        **settings,
    )
    return ex.load(BertForSequenceClassification(config), device="cpu", dtype=torch.float64)


# -------------------------------------------------------------------------------- names and numbers


@pytest.mark.parametrize(
    "asked, index", [(0, 0), (2, 2), ("0", 0), ("NEGATIVE", 0), ("negative", 0), ("Positive", 2)]
)
def test_a_class_is_a_label_in_any_case_or_an_index(asked, index):
    assert ClassReader(LABELS).read(asked) == Logit(index, LABELS[index])


def test_a_class_of_several_names_has_each_and_two_of_one_name_are_told_apart():
    model = small_bert(4, id2label={0: "lynx, catamount", 1: "crane", 2: "crane", 3: "dog"})
    assert model.labels == {0: "lynx, catamount", 1: "crane (1)", 2: "crane (2)", 3: "dog"}
    assert [
        ClassReader(model.labels).read(asked).index
        for asked in ("Lynx", "catamount", "crane (2)", 2)
    ] == [0, 0, 2, 2]
    with pytest.raises(ex.Refusal, match="did you mean 'crane"):
        ClassReader(model.labels).read("crane")


def test_class_zero_is_explained_when_asked_for_not_the_predicted_one(trace):
    predicted = tiny("bert").trace(example("bert"))
    assert trace.target.index == 0 and predicted.target.index == 2
    assert trace.score == trace.logits[0] and predicted.score == predicted.logits.max()


def test_labels_that_differ_in_case_only_are_told_apart():
    labels = {0: "it", 1: "IT"}
    assert ClassReader(labels).read("IT").index == 1 and ClassReader(labels).read("it").index == 0


def test_a_label_that_is_a_number_wins_over_the_index():
    assert ClassReader({0: "1", 1: "2"}).read("1").index == 0


@pytest.mark.parametrize("asked", [-1, 3, 999, "3"])
def test_a_class_that_is_not_there_is_refused_with_the_range(asked):
    with pytest.raises(ex.Refusal, match="classes 0 to 2"):
        ClassReader(LABELS).read(asked)


@pytest.mark.parametrize("asked", [True, False, 1.5, [1], {"a": 1}, (True, False), b"NEGATIVE"])
def test_what_is_no_target_is_refused(asked):
    with pytest.raises(ex.Refusal, match="label"):
        ClassReader(LABELS).read(asked)


@pytest.mark.parametrize(
    "asked, meant", [("POSTIVE", "POSITIVE"), ("negativ", "NEGATIVE"), ("neutrl", "NEUTRAL")]
)
def test_a_misspelt_label_gets_the_nearest_one_and_the_menu(asked, meant):
    with pytest.raises(ex.Refusal) as refusal:
        ClassReader(LABELS).read(asked)
    assert f"did you mean {meant!r}?" in str(refusal.value)
    assert all(label in str(refusal.value) for label in LABELS.values())


def test_a_long_menu_and_a_long_question_are_cut():
    with pytest.raises(ex.Refusal) as refusal:
        ClassReader({i: f"class number {i}" for i in range(1000)}).read("x" * 10_000)
    assert "970 more" in str(refusal.value) and len(str(refusal.value)) < 1000


@pytest.mark.parametrize("asked", ["", " ", "<script>alert(1)</script>"])
def test_strange_strings_are_refused_not_explained(asked):
    with pytest.raises(ex.Refusal):
        ClassReader(LABELS).read(asked)


# -------------------------------------------------------------------------------------- differences


@pytest.mark.parametrize(
    "asked",
    [
        (2, 0),
        ["POSITIVE", "negative"],
        "POSITIVE - NEGATIVE",
        "positive − negative",
        (2, "NEGATIVE"),
    ],
)
def test_a_pair_is_a_difference(asked):
    target = ClassReader(LABELS).read(asked)
    assert (target.first.index, target.second.index) == (2, 0)
    assert target.name == "POSITIVE − NEGATIVE" and target.poles == (
        "towards NEGATIVE",
        "towards POSITIVE",
    )


def test_labels_may_hold_hyphens_and_minus_signs():
    labels = {0: "sci-fi", 1: "non - fiction", 2: "a - b - c"}
    assert ClassReader(labels).read("non - fiction") == Logit(1, "non - fiction")
    assert ClassReader(labels).read("sci-fi") == Logit(0, "sci-fi")
    assert ClassReader(labels).read(("sci-fi", "non - fiction")).name == "sci-fi − non - fiction"


@pytest.mark.parametrize("asked", [(1, 1), "NEUTRAL - neutral", (0, "NEGATIVE")])
def test_a_class_minus_itself_is_refused(asked):
    with pytest.raises(ex.Refusal, match="always zero"):
        ClassReader(LABELS).read(asked)


def test_a_difference_scores_the_difference_of_the_logits(trace):
    difference = tiny("bert").trace(example("bert"), (2, 0))
    assert difference.score == trace.logits[2] - trace.logits[0]


def test_signed_first_order_scores_of_a_difference_are_the_difference_of_the_scores(trace):
    second = tiny("bert").trace(example("bert"), 2)
    difference = tiny("bert").trace(example("bert"), (2, 0))
    for key in ("grads", "cat", "attcat", "input_x_gradient"):
        torch.testing.assert_close(
            METHODS[key](difference),
            METHODS[key](second) - METHODS[key](trace),
            rtol=1e-9,
            atol=1e-12,
        )


# ---------------------------------------------------------------------------------------- functions


def test_a_function_of_the_outputs_is_a_target():
    trace = tiny("bert").trace(example("bert"), lambda outputs: outputs.logits.softmax(-1)[:, 1])
    torch.testing.assert_close(trace.score, trace.logits.softmax(-1)[1])
    assert isinstance(trace.target, Custom) and trace.target.name == "custom score"
    assert torch.isfinite(METHODS["attcat"](trace)).all()


def test_a_custom_target_can_have_a_name():
    target = Custom(lambda outputs: outputs.logits.sum(-1), "sum of the logits", ("less", "more"))
    trace = tiny("bert").trace(example("bert"), target)
    assert trace.target.name == "sum of the logits" and trace.target.poles == ("less", "more")
    torch.testing.assert_close(trace.score, trace.logits.sum())


@pytest.mark.parametrize(
    "function",
    [lambda outputs: outputs.logits, lambda outputs: outputs.logits.sum(), lambda outputs: 1.0],
)
def test_a_function_that_gives_no_score_an_example_is_refused(function):
    with pytest.raises(ex.Refusal, match="one score per example"):
        tiny("bert").trace(example("bert"), function)


def test_a_score_that_does_not_depend_on_the_input_has_zero_slopes_or_is_refused():
    """The model's own weights are frozen in the bundled models, so nothing would be there to
    differentiate.
    """
    try:
        trace = tiny("bert").trace(
            example("bert"), lambda outputs: torch.zeros(len(outputs.logits), dtype=torch.float64)
        )
    except ex.Refusal:
        return
    assert not trace.grad.hidden.any()


# ------------------------------------------------------------------------------ the predicted class


@pytest.mark.parametrize("asked", [None, "predicted"])
def test_the_predicted_class_is_the_default(asked):
    trace = tiny("bert").trace(example("bert"), asked)
    assert trace.target == Logit(2, "LABEL_2") and int(trace.logits.argmax()) == 2


def test_the_predicted_class_stays_when_the_input_changes():
    trace = tiny("gpt2").trace(example("gpt2"))
    others = [varied("gpt2", seed, 12) for seed in range(4)]
    changed = trace.again_many(
        inputs={"input_ids": torch.cat([one["input_ids"] for one in others])}
    )
    assert all(int(one.logits.argmax()) != trace.target.index for one in changed), (
        "else this would prove nothing"
    )
    assert all(
        one.target == trace.target and one.score == one.logits[trace.target.index]
        for one in changed
    )
    torch.testing.assert_close(
        trace.rescore({"input_ids": others[0]["input_ids"]})[0], changed[0].score
    )


def test_each_of_many_inputs_has_its_own_predicted_class():
    traces = tiny("gpt2").trace_many([varied("gpt2", seed) for seed in range(4)])
    assert [one.target.index for one in traces] == [int(one.logits.argmax()) for one in traces]
    assert len({one.target.index for one in traces}) > 1


# ---------------------------------------------------------------------------- models of other sizes


def test_a_regression_model_has_one_class_and_its_value_is_explained():
    model = small_bert(1)
    trace = model.trace(varied("bert", 0))
    assert trace.target.index == 0 and trace.score == trace.logits[0]
    prediction = ex.predict(model, varied("bert", 0))
    assert prediction.kind == "value" and prediction.values == [float(trace.score)]
    with pytest.raises(ex.Refusal):
        model.trace(varied("bert", 0), 1)


def test_a_thousand_labels_are_explained_and_named():
    model = small_bert(1000)
    trace = model.trace(varied("bert", 0), 999)
    assert trace.target.name == "LABEL_999" and trace.score == trace.logits[999]
    assert len(ex.predict(model, varied("bert", 0)).labels) == 1000
    assert (
        model.trace(varied("bert", 0), "label_998 - label_0").target.name == "LABEL_998 − LABEL_0"
    )


def test_any_labels_name_the_classes():
    names = ["", "a, b", "<b>", "ünïcode 🎬", "x" * 300]
    model = small_bert(5, id2label=dict(enumerate(names)))
    for index, name in enumerate(names):
        if name:
            assert model.trace(varied("bert", 0), name).target == Logit(index, name)


def test_labels_each_by_itself_are_read_as_such():
    model = small_bert(3, problem_type="multi_label_classification")
    prediction, trace = ex.predict(model, varied("bert", 0)), model.trace(varied("bert", 0), 1)
    assert prediction.kind == "probability of each label by itself"
    assert prediction.values[prediction.labels.index("LABEL_1")] == pytest.approx(
        float(trace.score.sigmoid())
    )
    assert float(trace.again(target=trace.target.as_probability()).score) == pytest.approx(
        float(trace.score.sigmoid())
    )


def test_a_match_of_its_own_has_a_probability_of_its_own():
    model = tiny("siglip.vision")
    trace = model.trace(example("siglip.vision"))
    assert float(trace.again(target=trace.target.as_probability()).score) == pytest.approx(
        float(trace.score.sigmoid())
    )


def test_the_next_token_of_a_language_model_is_a_class():
    trace = tiny("gpt2").trace(example("gpt2"))
    assert trace.logits.shape == (200,) and trace.target.index == int(trace.logits.argmax())
    assert tiny("gpt2").trace(example("gpt2"), 7).score == trace.logits[7]


def test_a_logit_that_the_model_does_not_have_says_what_to_do():
    with pytest.raises(ex.Refusal, match=r"function of (the|its) outputs"):
        tiny("bert-qa-2label").trace(example("bert"), Logit(0, "a class"))
    with pytest.raises(ex.Refusal, match=r"function of (the|its) outputs"):
        tiny("bert").trace(example("bert"), Span(((3, 0, 1.0),), "a place"))


# --------------------------------------------------------------------- what methods ask of a target


def test_columns_say_which_logits_a_score_is_made_of():
    first, second = Logit(2, "b"), Logit(0, "a")
    assert first.columns(5) == [(5, 2, 1.0)]
    assert Difference(first, second).columns(5) == [(5, 2, 1.0), (5, 0, -1.0)]
    answer, none = Span(((3, 0, 1.0), (4, 1, 1.0)), "x"), Span(((0, 0, 1.0), (0, 1, 1.0)), "none")
    assert Difference(answer, none).columns(9) == [
        (3, 0, 1.0),
        (4, 1, 1.0),
        (0, 0, -1.0),
        (0, 1, -1.0),
    ]
    for target in (Custom(lambda outputs: outputs), first.as_probability()):
        with pytest.raises(ex.Refusal, match="not a sum of logits"):
            target.columns(0)


@pytest.mark.parametrize("asked", [1, (2, 0), None])
def test_a_probability_is_the_softmax_of_the_class(trace, asked):
    one = tiny("bert").trace(example("bert"), asked)
    likely = tiny("bert").trace(example("bert"), one.target.as_probability())
    shares = trace.logits.softmax(-1)
    wanted = {1: shares[1], (2, 0): shares[2] - shares[0], None: shares[2]}
    torch.testing.assert_close(likely.score, wanted[asked])
    assert (
        likely.target.name == f"probability of {one.target.name}"
        and likely.target.poles == one.target.poles
    )
    assert likely.target.as_probability() is likely.target
    again = one.again(target=likely.target)
    torch.testing.assert_close(again.score, likely.score)
    torch.testing.assert_close(
        one.rescore(varied("bert", 1, 12), likely.target)[0],
        one.again(inputs=varied("bert", 1, 12), target=likely.target).score,
    )


def test_what_has_no_probability_is_refused():
    with pytest.raises(ex.Refusal, match="no probability"):
        Custom(lambda outputs: outputs.logits[:, 0]).as_probability()
    model = small_bert(1)
    with pytest.raises(ex.Refusal, match="no probability"):
        model.trace(varied("bert", 0), Logit(0, "value").as_probability())

"""Scores as numbers: logits, spans, differences, probabilities, and the targets that choose."""

import pytest
import torch

import explainers as ex
from explainers.outputs import Answer
from explainers.scores import (
    Custom,
    DeferredTarget,
    Difference,
    Logit,
    PredictedClass,
    Probability,
    Score,
    Span,
    difference,
    first_of,
    label_of,
    tie,
)

LOGITS = torch.tensor([[0.0, 2.0, -1.0], [3.0, 1.0, 1.0]])
CLASSES = Answer(None, LOGITS)
BY_TOKEN = torch.arange(16.0).view(2, 4, 2) / 4
TOKENS = Answer(None, None, BY_TOKEN)
SPAN = Span(((1, 0, 1.0), (2, 1, 1.0)), "“a b”", (1, 2))


def test_a_logit_is_a_column_of_the_answer():
    one = Logit(1, "B")
    assert one(CLASSES).tolist() == [2.0, 1.0] and one.columns(7) == [(7, 1, 1.0)]
    assert one.parts() == [(one, 1.0)] and one.resolve(CLASSES, 0) is one
    assert one.probability(CLASSES).tolist() == pytest.approx(LOGITS.softmax(-1)[:, 1].tolist())
    assert (one.unit, one.span, one.measured, one.local, one.equals) == (
        "logit",
        None,
        False,
        True,
        (),
    )
    share = torch.tensor([0.5, 0.5])
    assert one.readout(share) is share
    assert Logit(1, "B", ("x",)) == one != Logit(0, "B")
    with pytest.raises(AttributeError):
        one.index = 2


def test_a_span_is_a_sum_at_its_places():
    assert SPAN(TOKENS).tolist() == [float(BY_TOKEN[k, 1, 0] + BY_TOKEN[k, 2, 1]) for k in (0, 1)]
    weighted = Span(((1, 0, 2.0), (3, 1, -1.0)), "w")
    assert weighted(TOKENS).tolist() == [
        float(2 * BY_TOKEN[k, 1, 0] - BY_TOKEN[k, 3, 1]) for k in (0, 1)
    ]
    assert weighted.readout(torch.zeros(4)).tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3])
    assert [(part.terms, weight) for part, weight in weighted.parts()] == [
        (((1, 0, 1.0),), 2.0),
        (((3, 1, 1.0),), -1.0),
    ]
    assert weighted.columns(0) == [(1, 0, 2.0), (3, 1, -1.0)]
    assert (SPAN.unit, weighted.parts()[0][0].unit) == ("sum of 2 logits", "logit")
    assert SPAN.poles == ("away from “a b”", "towards “a b”") and SPAN.among == "tokens"
    assert Span(SPAN.terms, SPAN.name, SPAN.span, equals=("x",)) == SPAN
    with pytest.raises(AttributeError):
        SPAN.name = "other"


def test_the_probability_of_a_span_is_the_mean_of_its_terms():
    over_tokens = BY_TOKEN.softmax(1)
    wanted = (over_tokens[:, 1, 0] + over_tokens[:, 2, 1]) / 2
    assert SPAN.probability(TOKENS).tolist() == pytest.approx(wanted.tolist())
    label = Span(((1, 0, 1.0),), "LABEL at a", (1, 1), among="labels")
    wanted = BY_TOKEN.softmax(2)[:, 1, 0]
    assert label.probability(TOKENS).tolist() == pytest.approx(wanted.tolist())


def test_a_difference_is_the_first_minus_the_second():
    both = Difference(Logit(1, "B"), Logit(2, "C"))
    assert both(CLASSES).tolist() == [3.0, 0.0] and both.name == "B − C"
    shares = LOGITS.softmax(-1)
    wanted = (shares[:, 1] - shares[:, 2]).tolist()
    assert both.probability(CLASSES).tolist() == pytest.approx(wanted)
    assert both.as_probability()(CLASSES).tolist() == pytest.approx(wanted)
    assert both.columns(3) == [(3, 1, 1.0), (3, 2, -1.0)]
    assert both.parts() == [(Logit(1, "B"), 1.0), (Logit(2, "C"), -1.0)]
    assert both.poles == ("towards C", "towards B") and both.span is None
    assert both.readout(torch.tensor([0.25, 0.75])).tolist() == [0.25, 0.75]
    nested = Difference(both, Logit(0, "A"))
    assert [weight for _, weight in nested.parts()] == [1.0, -1.0, -1.0]
    other = Difference(Logit(0, "A"), both)
    assert [weight for _, weight in other.parts()] == [1.0, -1.0, 1.0]
    assert other.columns(0) == [(0, 0, 1.0), (0, 1, -1.0), (0, 2, 1.0)]


def test_what_a_difference_takes_from_its_sides():
    logit, custom = Logit(0, "A"), Custom(torch.sum)
    for first, second, measured in (
        (logit, custom, True),
        (custom, logit, True),
        (logit, SPAN, False),
    ):
        assert Difference(first, second).measured is measured
    far = Probability(SPAN)
    for first, second, local in ((far, logit, False), (logit, far, False), (logit, SPAN, True)):
        assert Difference(first, second).local is local
    tied, plain = Logit(0, "A", ("B",)), Logit(1, "B")
    assert Difference(tied, plain).tie == tied.tie == tie("A", ["B"])
    assert Difference(plain, tied).tie == tied.tie and Difference(plain, logit).tie == ""
    assert Difference(tied, Logit(2, "C", ("D",))).tie == f"{tied.tie} {tie('C', ['D'])}"


def test_a_difference_of_a_thing_and_itself_is_refused():
    assert difference(Logit(0, "A"), Logit(1, "B")) == Difference(Logit(0, "A"), Logit(1, "B"))
    said = "^The difference of 'A' and itself is always zero: choose two that differ.$"
    with pytest.raises(ex.Refusal, match=said):
        difference(Logit(0, "A"), Logit(0, "A"))
    predicted = PredictedClass({})
    with pytest.raises(ex.Refusal, match=r"^The difference of 'a target' and itself"):
        difference(predicted, predicted)


def test_a_probability_is_named_by_what_it_is_of():
    one = Logit(1, "B", ("C",)).as_probability()
    assert type(one) is Probability and one.as_probability() is one
    assert (one.name, one.unit, one.poles) == ("probability of B", "probability", one.of.poles)
    assert one(CLASSES).tolist() == pytest.approx(LOGITS.softmax(-1)[:, 1].tolist())
    assert one.tie == tie("B", ["C"]) and one.span is None and Probability(SPAN).span == (1, 2)
    assert not one.measured and Probability(Custom(torch.sum)).measured and not one.local
    chosen = Probability(PredictedClass({1: "B"})).resolve(CLASSES, 0)
    assert chosen == Probability(Logit(1, "B"))
    assert Probability(SPAN).readout(torch.zeros(4)).tolist() == [0, 0.5, 0.5, 0]
    with pytest.raises(ex.Refusal, match=r"^The probability of B is not a sum of logits"):
        one.columns(0)


def test_a_function_of_the_outputs_gives_one_score_an_example():
    answer = Answer({"x": torch.ones(2, 3)}, None)
    one = Custom(lambda outputs: outputs["x"].sum(1))
    assert one(answer).tolist() == [3.0, 3.0] and one.measured and one.local
    assert (one.name, one.unit) == ("custom score", "score")
    assert one.poles == ("lowers the score", "raises the score")
    for function, got in (
        (lambda outputs: outputs["x"], r"\(2, 3\)"),
        (lambda outputs: outputs["x"].sum(), r"\(\)"),
        (lambda outputs: 3.0, "float"),
    ):
        with pytest.raises(ex.Refusal, match=rf"shape \(examples,\); this one gave {got}.$"):
            Custom(function)(answer)
    for refused in (one.as_probability, lambda: one.probability(answer)):
        with pytest.raises(ex.Refusal, match=r"^The custom score has no probability"):
            refused()


def test_the_predicted_class_is_chosen_for_each_example():
    one = PredictedClass({0: "A", 1: "B"})
    assert one(CLASSES).tolist() == [2.0, 3.0]
    assert one.resolve(CLASSES, 0) == Logit(1, "B") and one.resolve(CLASSES, 1) == Logit(0, "A")
    equal = Answer(None, torch.tensor([[2.0, 0.0, 2.0]]))
    assert one.resolve(equal, 0).equals == ("2",) and one.resolve(equal, 0).name == "A"
    assert label_of(0, {0: "A"}) == "A" and label_of(1, {0: "A"}) == "1"
    assert first_of([Logit(0, "A"), Logit(1, "B"), Logit(2, "C")]).equals == ("B", "C")


def test_a_target_that_is_chosen_is_scored_example_by_example():
    class Largest(DeferredTarget):
        def resolve(self, answer, example):
            return Span(((int(answer.by_token[example, :, 0].argmax()), 0, 1.0),), "largest")

    logits = torch.tensor([[[1.0], [5.0]], [[4.0], [2.0]]])
    assert Largest()(Answer(None, None, logits)).tolist() == [5.0, 4.0]


def test_a_score_that_says_nothing_else_is_one_logit_of_its_own():
    class Plain(Score):
        name = "plain"

    one = Plain()
    assert one.at_same_place(SPAN, CLASSES, 0) == (one, SPAN)
    assert (one.unit, one.span, one.equals, one.measured, one.local, one.tie) == (
        "logit",
        None,
        (),
        False,
        True,
        "",
    )
    assert one.parts() == [(one, 1.0)] and one.resolve(CLASSES, 0) is one
    assert one.as_probability() == Probability(one)
    with pytest.raises(NotImplementedError):
        one(CLASSES)
    with pytest.raises(ex.Refusal, match=r"^The plain is not a sum of logits"):
        one.columns(0)
    with pytest.raises(ex.Refusal, match=r"^The plain has no probability"):
        one.probability(CLASSES)


@pytest.mark.parametrize(
    ("best", "equals", "said"),
    [
        ("a", ["b"], "gives “b” the same score as “a”, which is taken because it comes first."),
        ("“a”", ["a"], "gives another “a” the same score as “a”,"),
        ("a", list("bcdef"), "gives “b”, “c”, “d”, “e” and 1 more the same score"),
        ("a", ["b"] * 1500, "and 1,496 more the same score"),
    ],
)
def test_a_tie_in_words(best, equals, said):
    assert tie(best, equals).startswith("A tie: the model ") and said in tie(best, equals)


def test_the_poles_of_a_token_with_its_space():
    assert Logit(0, "a ").poles == ("away from “a ”", "towards “a ”")
    assert Logit(0, "a b").poles == ("away from a b", "towards a b")

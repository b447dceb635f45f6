"""The answer to a question: found, chosen, refused and explained."""

import math
from itertools import product

import pytest
import torch
from asked import ASKED

import explainers as ex
from explainers.methods import METHODS
from explainers.outputs import Answer
from explainers.tasks.answers import AnswerTarget


def ends(model, inputs) -> torch.Tensor:
    return model.answer(model.encode(inputs).tensors).token_logits[0].detach()


def test_the_best_answer_lies_in_the_context_and_ends_after_it_starts(finder):
    logits, coded = ends(finder, ASKED), finder.encode(ASKED)
    context = [i for i, half in enumerate(coded.segments) if half == 1]
    ways = [(i, j) for i, j in product(context, context) if i <= j]
    best = max((float(logits[i, 0] + logits[j, 1]), i, j) for i, j in ways)
    trace = finder.trace(ASKED, "best span")
    assert trace.target.terms == ((best[1], 0, 1.0), (best[2], 1, 1.0)) and float(
        trace.score
    ) == pytest.approx(best[0])
    assert trace.target.span == best[1:] and trace.read_at == sorted({*best[1:]})
    assert trace.target.name == f"“{coded.text[coded.spans[best[1]][0] : coded.spans[best[2]][1]]}”"


def test_an_answer_is_not_longer_than_thirty_tokens():
    logits = torch.zeros(60, 2)
    logits[2, 0] = logits[50, 1] = 10
    logits[20, 1] = 1
    ends = AnswerTarget(
        (False, *[True] * 59), lambda first, last: f"{first} to {last}", may_be_none=False
    )
    assert ends.resolve(Answer(None, None, logits[None]), 0).span == (2, 20)


@pytest.mark.parametrize("lift, name", [(50.0, "no answer in this text"), (-50.0, "“")])
def test_no_answer_wins_by_the_logits_of_the_first_token(finder, lift, name):
    coded = finder.encode(ASKED)
    logits = ends(finder, ASKED)[None].clone()
    logits[0, 0] += lift
    target = finder.task.target(finder, coded, None).resolve(Answer(None, None, logits), 0)
    assert target.name.startswith(name) and (target.span is None) == (lift > 0)
    best = finder.task.target(finder, coded, "best span").resolve(Answer(None, None, logits), 0)
    assert best.name.startswith("“"), "the best span can be asked for all the same"
    none = finder.task.target(finder, coded, "no answer").resolve(Answer(None, None, logits), 0)
    assert (
        none.terms == ((0, 0, 1.0), (0, 1, 1.0))
        and none.readout(torch.eye(12)[9]).tolist() == [1.0] + [0.0] * 11
    )


@pytest.mark.parametrize("asked", ["actors were", "ACTORS WERE", "“actors were”", (4, 15), (5, 13)])
def test_an_answer_is_chosen_by_its_words_or_its_characters(finder, asked):
    trace = finder.trace(ASKED, asked)
    words = [
        finder.encode(ASKED).labels[i]
        for i in range(trace.target.span[0], trace.target.span[1] + 1)
    ]
    assert words == ["actors", "were"] and trace.target.name == "“actors were”"
    logits = ends(finder, ASKED)
    assert float(trace.score) == pytest.approx(
        float(logits[trace.target.span[0], 0] + logits[trace.target.span[1], 1])
    )


def test_of_an_answer_that_stands_there_twice_the_likelier_is_explained(finder):
    inputs = ("was it good?", "good and good and good")
    coded, logits = finder.encode(inputs), ends(finder, inputs)
    places = [
        i for i, label in enumerate(coded.labels) if label == "good" and coded.segments[i] == 1
    ]
    assert (
        finder.trace(inputs, "good").target.span[0]
        == max(places, key=lambda i: float(logits[i].sum()))
        and len(places) == 3
    )


@pytest.mark.parametrize(
    "asked, says",
    [
        ("film", "not in the context"),
        ((40, 60), "45 characters"),
        ((3, 3), "characters 3 to 3"),
        ((-4, 2), "no token"),
        ("", "explained by answer"),
        (3, "explained by answer"),
        (("good", "good"), "choose two"),
        ("answer - nonsense", "not in the context"),
        ("good - film", "not in the context"),
    ],
)
def test_an_answer_that_is_not_there_is_refused_in_words(finder, asked, says):
    with pytest.raises(ex.Refusal, match=says) as refused:
        finder.trace(ASKED, asked)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_an_answer_behind_the_model_s_window_is_refused_with_the_reason(finder):
    inputs = ("was it good?", "the movie was bad " * 30 + "but the actors were good")
    assert finder.encode(inputs).lost[0] == 0 < finder.encode(inputs).lost[1]
    for asked in ("actors", (540, 548)):
        with pytest.raises(ex.Refusal, match="end before"):
            finder.trace(inputs, asked)
    assert finder.trace(inputs, "movie").target.name == "“movie”"


def test_a_question_and_its_context_belong_together(finder):
    for given, says in (
        (ASKED[0], "give both"),
        ((ASKED[0], " "), "context is empty"),
        (("", ASKED[1]), "question is empty"),
        (("good " * 80, "bad"), "question alone"),
    ):
        with pytest.raises(ex.Refusal, match=says):
            finder.trace(given)


def test_the_answer_stays_where_it_is_when_the_input_changes(finder):
    trace = finder.trace(ASKED, "best span")
    where = torch.zeros(3, len(trace.attended), dtype=torch.bool)
    where[0, 1] = where[1, 9] = where[2, trace.read_at] = True
    changed = trace.again_many(inputs=trace.fill(where, "mask"))
    assert all(one.target == trace.target and one.read_at == trace.read_at for one in changed)
    torch.testing.assert_close(
        trace.rescore(trace.fill(where, "mask")), torch.stack([one.score for one in changed])
    )


def test_each_of_many_questions_has_its_own_answer(finder):
    several = [
        ASKED,
        ("was the film bad?", "the movie was boring but the actors were good"),
        ("was the film good?", "the actors were bad but the movie was good"),
    ]
    alone = [finder.trace(one, "best span") for one in several]
    together = finder.trace_many(several, ["best span"] * 3)
    assert [one.target for one in together] == [one.target for one in alone]
    torch.testing.assert_close(
        torch.stack([one.score for one in together]), torch.stack([one.score for one in alone])
    )


def test_the_difference_of_two_answers_and_of_an_answer_and_none(finder):
    logits = ends(finder, ASKED)
    good, boring = (finder.trace(ASKED, word) for word in ("good", "boring"))
    difference = finder.trace(ASKED, "good - boring")
    torch.testing.assert_close(difference.score, good.score - boring.score)
    assert difference.target.poles == ("towards “boring”", "towards “good”") and torch.equal(
        difference.readout, (good.readout + boring.readout) / 2
    )
    margin = finder.trace(ASKED, "best span - no answer")
    torch.testing.assert_close(
        margin.score, finder.trace(ASKED, "best span").score - logits[0].sum()
    )
    torch.testing.assert_close(
        METHODS["attcat"](difference),
        METHODS["attcat"](good) - METHODS["attcat"](boring),
        rtol=1e-9,
        atol=1e-12,
    )


def test_the_probability_of_an_answer_is_its_ends_halved(finder):
    shares = ends(finder, ASKED).softmax(0)
    trace = finder.trace(ASKED, "actors were")
    first, last = trace.target.span
    torch.testing.assert_close(
        trace.again(target=trace.target.as_probability()).score,
        (shares[first, 0] + shares[last, 1]) / 2,
    )


def test_a_prediction_names_answers_and_no_answer(finder):
    said = ex.predict(finder, ASKED)
    assert (
        said.kind == "probability"
        and "no answer in this text" in said.labels
        and len(said.labels) == 5
    )
    assert said.values == sorted(said.values, reverse=True) and sum(said.values) <= 1 + 1e-9
    assert all(label == "no answer in this text" or label in ASKED[1] for label in said.labels)
    logits = ends(finder, ASKED)
    margin = float(finder.trace(ASKED, "best span").score - logits[0].sum())
    best = next(
        value for label, value in zip(said.labels, said.values) if label != "no answer in this text"
    )
    none = said.values[said.labels.index("no answer in this text")]
    assert math.log(best / none) == pytest.approx(margin)

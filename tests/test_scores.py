"""What scores are as mathematics, and how what a person writes is cut into names."""

import pytest
import torch

from explainers.outputs import Answer
from explainers.scores import Custom, Difference, Logit, PredictedClass, Span, tie
from explainers.tasks.answers import possible_answers, span_scores
from explainers.tasks.reading import occurrences, sides_of


def test_an_answer_is_up_to_thirty_tokens_of_the_context():
    logits = torch.arange(80.0).view(40, 2)
    context = [False, *[True] * 39]
    scores = span_scores(logits, context)
    assert scores.isinf()[0].all() and scores.isinf()[:, 0].all() and scores.isinf()[5, 4]
    assert scores[3, 3] == logits[3, 0] + logits[3, 1]
    assert scores[3, 32] == logits[3, 0] + logits[32, 1] and scores[3, 33].isinf()
    spans, found = possible_answers(logits, context)
    assert spans[:2] == [(1, 1), (1, 2)] and found[1] == scores[1, 2]


def test_what_is_cut_at_a_minus_is_tried_with_and_without_space():
    assert list(sides_of("a - b")) == [["a", "b"], ["a", "b"]]
    assert list(sides_of(" a  −  b ")) == [[" a ", " b "], ["a", "b"]]
    assert list(sides_of("a - b - c")) == [] == list(sides_of("a-b")) == list(sides_of(3))


def test_words_are_found_as_written_or_else_in_any_case():
    assert occurrences("Ann", "Ann, ann, ANN") == [(0, 3)]
    assert occurrences("ann", "Ann and ANN") == [(0, 3), (8, 11)]
    assert occurrences("a.n", "ann") == []


def test_a_sentence_about_a_tie_lists_four_names():
    assert tie("a", []) == ""
    long = tie("a", ["b", "c", "d", "e", "f", "g"])
    assert "gives “b”, “c”, “d”, “e” and 2 more the same score as “a”, which" in long
    assert "more" not in tie("a", ["b", "c", "d", "e"])


def test_scores_say_what_they_are():
    logit, span = Logit(1, " Paris"), Span(((2, 0, 1.0), (5, 1, 1.0)), "“in Paris”", (2, 5))
    assert logit.poles == ("away from “ Paris”", "towards “ Paris”")
    assert Logit(0, "good").poles == ("away from good", "towards good")
    assert span.unit == "sum of 2 logits" and span.parts()[0][0].unit == "logit"
    both = Difference(span, Span(((3, 0, 1.0),), "start"))
    assert both.unit == "difference" and both.span == (2, 5) and both.name == "“in Paris” − start"
    assert both.poles == ("towards start", "towards “in Paris”")
    assert both.columns(0) == [(2, 0, 1.0), (5, 1, 1.0), (3, 0, -1.0)]
    weights = both.readout(torch.zeros(6))
    assert weights.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 0, 1 / 3])
    assert both.local and not both.measured and not both.as_probability().local
    assert Difference(Custom(torch.sum), logit).measured


def test_the_predicted_class_without_a_name_is_its_number():
    answer = Answer(None, torch.tensor([[0.0, 2.0, 2.0]]))
    found = PredictedClass({0: "a", 1: "b"}).resolve(answer, 0)
    assert (found.index, found.name, found.equals) == (1, "b", ("2",))
    assert PredictedClass({})(answer).tolist() == [2.0]

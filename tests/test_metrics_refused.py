"""What cannot be measured is refused in a sentence, and does not take the rest along."""

import math

import pytest
from metric_cases import TEXTS

import explainers as ex
from explainers import evaluation as ev


@pytest.mark.parametrize(
    "methods, metrics, target, said",
    [
        (["atcat"], ["aopc"], None, "did you mean 'attcat'"),
        (["attcat"], ["aopcs"], None, "did you mean 'aopc'"),
        (["attcat:state=input"], ["aopc"], None, "did you mean 'states'"),
        (["attcat"], ["aopc:filling=pad"], None, "option of aopc"),
        (["attcat"], ["aopc:fill=black"], None, "delete, mask, pad, unk"),
        (["attcat"], ["aopc:levels"], None, "name:option=value"),
        (["attcat"], ["aopc:levels=0"], None, "at least one"),
        (["attcat"], ["token_f1"], None, "needs the rationale"),
        (["attcat"], ["masking"], None, "needs the label"),
        (["attcat"], ["segmentation"], None, "for pictures"),
        (["attcat"], ["aopc"], "label", "has no label"),
        (["attcat"], ["aopc:of=label"], None, "against the gold class"),
        (["attcat"], ["aopc:fill=delete"], ("POSITIVE", "NEGATIVE"), "would move the positions"),
        (["attcat"], ["kendall"], ("POSITIVE", "NEGATIVE"), "needs a class as target"),
        (["centre"], ["aopc"], None, "for pictures"),
        (["random:drawn=1"], ["aopc"], None, "did you mean 'draw'"),
        (["random:draw=first"], ["aopc"], None, "takes a whole number"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(reader, methods, metrics, target, said):
    with pytest.raises(ex.Refusal, match=said):
        ev.measure(reader, TEXTS[0], methods, metrics, target)


@pytest.mark.parametrize(
    "metric, target", [("masking", None), ("aopc:of=label", None), ("aopc", "label")]
)
def test_an_unknown_label_is_refused_with_the_menu(reader, metric, target):
    with pytest.raises(ex.Refusal, match="POSITIVE"):
        ev.measure(reader, ev.Example(TEXTS[0], label="POSITVE"), ["attcat"], [metric], target)


def test_an_unknown_label_that_nothing_asks_for_is_none(reader):
    known, unknown = (
        ev.measure(reader, ev.Example(TEXTS[0], label=label), ["attcat"], ["aopc", "deletion"])
        for label in ("POSITIVE", "POSITVE")
    )
    assert known == unknown


def test_a_metric_that_cannot_be_measured_does_not_take_the_others_along(reader):
    refused, chosen = [], ["aopc", "masking", "aopc:of=label", "token_f1"]
    examples = [ev.Example(TEXTS[0], "POSITIVE", "a"), ev.Example(TEXTS[1], None, "b")]
    first, second = ev.measure(
        reader, examples, ["attcat"], chosen, refused=refused, baselines=False
    )
    assert (
        [(one["id"], one["method"], one["metric"]) for one in refused]
        == [
            ("a", "attcat", "token_f1"),
            *(("b", "attcat", name) for name in ("masking", "token_f1", "aopc:of=label")),
        ]
        and "needs the rationale" in refused[0]["reason"]
        and "has no label" in refused[3]["reason"]
    )
    assert first.keys() == {
        "id",
        "method",
        "target",
        "aopc",
        "masking.aopc",
        "masking.accuracy",
        "aopc:of=label",
        "token_f1",
    }
    assert (
        math.isnan(second["masking"])
        and math.isnan(second["aopc:of=label"])
        and math.isnan(first["token_f1"])
    )
    assert (
        second["aopc"]
        == ev.measure(reader, examples[1], ["attcat"], ["aopc"], baselines=False)[0]["aopc"]
    )


def test_what_is_refused_is_collected_and_the_rest_goes_on(reader):
    refused = []
    examples = [
        ev.Example(TEXTS[0], id="a"),
        ev.Example("", id="empty"),
        ev.Example(TEXTS[1], label="?", id="label"),
        ev.Example(TEXTS[2], id="b"),
    ]
    found = ev.measure(reader, examples, ["attcat"], ["aopc"], refused=refused, baselines=False)
    assert [one["id"] for one in found] == ["a", "label", "b"]
    assert [one["id"] for one in refused] == ["empty"] and all(
        one["reason"].endswith((".", ")")) for one in refused
    )
    found = ev.measure(
        reader, examples[0], ["attcat", "grad_cam"], ["aopc"], refused=refused, baselines=False
    )
    assert [one["method"] for one in found] == ["attcat"] and refused[-1]["method"] == "grad_cam"


def test_answers_of_a_question_are_measured_by_blanks():
    case = ev.case_of(
        ex.load("question-answering", device="cpu"),
        ("Who wrote it?", "Mary Shelley wrote it in 1818."),
    )
    heat = case.heat("occlusion")
    assert (
        case.probabilities.shape == (1,)
        and ev.METRICS["aopc"].measure(case, heat, fill="mask") > 0.1
    )
    with pytest.raises(ex.Refusal, match="use pad, mask or unk"):
        ev.METRICS["aopc"].measure(case, heat)


@pytest.mark.parametrize(
    "metric, says",
    [
        ("deletion:by=pixel", "no pixels; use by=token"),
        ("insertion:by=pixel", "no pixels; use by=token"),
        ("positive_perturbation:by=pixel", "no pixels; use by=token"),
        ("precision_at_k:k=0", "The option k must be at least 1; got 0."),
        ("sensitivity:samples=0", "The option samples must be at least 1; got 0."),
        ("sensitivity:radius=nan", "The option radius must be finite and at least 0; got nan."),
        ("infidelity:samples=0", "The option samples must be at least 1; got 0."),
        ("infidelity:share=2", "The option share must be above 0 and at most 1; got 2."),
    ],
)
def test_options_out_of_range_are_refused_in_a_sentence(reader, metric, says):
    with pytest.raises(ex.Refusal, match=says):
        ev.measure(reader, ev.Example(TEXTS[0], label=0), ["attcat"], [metric])

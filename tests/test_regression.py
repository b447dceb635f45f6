"""A regression's outputs are values, one or several: shown raw, and refused where a probability is
needed."""

import pytest
import torch
from tokenizers_of import reading, word_pieces
from transformers import BertConfig, BertForSequenceClassification

import explainers as ex
from explainers import evaluation
from explainers.cli import main
from explainers.evaluation import METRICS, Example, case_of
from explainers.methods import METHODS
from explainers.numerals import with_minus
from explainers.render import prediction

TEXT = "the film was not bad"
NAMES = {0: "valence", 1: "arousal", 2: "dominance"}


def regression(outputs: int = 3, **settings) -> ex.Model:
    names = {"id2label": {i: NAMES[i] for i in range(outputs)}}
    tokenizer = word_pieces("the", "film", "was", "not", "bad")
    return reading(
        tokenizer,
        BertForSequenceClassification,
        BertConfig,
        initializer_range=0.5,
        **names | settings,
    )


@pytest.fixture(scope="module")
def model() -> ex.Model:
    return regression(problem_type="regression")


def raw(model: ex.Model) -> torch.Tensor:
    with torch.no_grad():
        return model.net(**model.encode(TEXT).tensors).logits[0]


def test_values_are_said_as_they_are(model):
    said, values = ex.predict(model, TEXT), raw(model)
    assert said.kind == "value" and "%" not in str(said)
    order = values.argsort(descending=True).tolist()
    assert said.labels == [NAMES[i] for i in order] and said.values == pytest.approx(
        values[order].tolist()
    )


@pytest.mark.parametrize(
    "settings", [{"problem_type": "regression"}, {}], ids=["by its config", "by its width"]
)
def test_one_output_is_a_value_too(settings):
    model = regression(1, **settings)
    said = ex.predict(model, TEXT)
    assert said.kind == "value" and said.values == pytest.approx(raw(model).tolist())
    with pytest.raises(ex.Refusal, match="no probability"):
        ex.explain(model, TEXT, "attattr")


def test_a_value_is_explained_and_called_so(model):
    heat = ex.explain(model, TEXT, "attcat", "arousal")
    assert heat.score == pytest.approx(float(raw(model)[1])) and heat.unit == "value"
    assert ex.explain(model, TEXT, "attcat", "arousal - valence").unit == "difference"
    assert ex.explain(model, TEXT, "attattr", "arousal", probability=False).scores.any(), (
        "slopes of the value itself"
    )


@pytest.mark.parametrize("target", [None, "arousal", "arousal - valence"])
@pytest.mark.parametrize(
    "key, options", [("attattr", {}), ("optimus", {}), ("optimus", {"activation": "sigmoid"})]
)
def test_methods_that_explain_a_probability_refuse(model, key, options, target):
    with pytest.raises(ex.Refusal, match="no probability"):
        ex.explain(model, TEXT, key, target, **options)


def test_a_comparison_leaves_out_those_methods_only(model):
    compared = ex.compare(model, TEXT)
    of_texts = [METHODS[key].title for key in METHODS if "text" in METHODS[key].tasks]
    assert set(compared.left_out) & set(of_texts) == {
        METHODS["attattr"].title,
        METHODS["optimus"].title,
    }
    assert all(heat.scores.isfinite().all() for heat in compared)


def test_what_needs_a_probability_or_a_gold_class_is_not_measured(model):
    """Correlations of two maps need neither; curves, accuracies and losses of probability do."""
    refused: list[dict] = []
    asked = ["aopc", "logodds", "positive_perturbation", "masking", "deletion", "insertion"]
    assert set(asked) <= set(METRICS)
    evaluation.measure(
        model, [Example(TEXT, label=1)], ["attcat"], asked, refused=refused, baselines=False
    )
    assert refused and all("values, not classes" in one["reason"] for one in refused)
    with pytest.raises(ex.Refusal, match="values, not classes"):
        evaluation.measure(model, [TEXT], ["attcat"], ["aopc"])
    with pytest.raises(ex.Refusal, match="so there is no gold class"):
        evaluation.measure(model, [Example(TEXT, label=1)], ["attcat"], ["aopc"], target="label")


def test_words_cannot_be_taken_out_to_see_a_probability(model):
    case = case_of(model, TEXT)
    with pytest.raises(ex.Refusal, match="values, not classes"):
        evaluation.without_top(case, case.heat("attcat"))


def test_the_page_shows_every_value(model):
    said = ex.predict(model, TEXT)
    shown = prediction.prediction_html(said.labels, said.values, said.kind)
    assert "%" not in shown and all(
        with_minus(f"{label}: {value:.3f}") in shown
        for label, value in zip(said.labels, said.values)
    )


def test_the_command_line_says_values(model, tmp_path, capsys):
    model.net.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert main(["explain", "--model", str(tmp_path), "--text", TEXT, "--target", "valence"]) == 0
    said = capsys.readouterr().out
    first = said.splitlines()[0]
    assert (
        all(
            with_minus(f"{NAMES[i]} {value:.3f}") in first
            for i, value in enumerate(raw(model).tolist())
        )
        and "%" not in first
    )
    assert "explaining valence (value " in said


def test_classes_and_labels_by_themselves_keep_their_probabilities():
    for settings, kind in (
        ({}, "probability"),
        ({"problem_type": "single_label_classification"}, "probability"),
        ({"problem_type": "multi_label_classification"}, "probability of each label by itself"),
    ):
        assert ex.predict(regression(**settings), TEXT).kind == kind

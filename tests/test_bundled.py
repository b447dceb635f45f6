"""The bundled models: there, offline, and right about plain sentences."""

import pytest
import torch
from tiny import close

import explainers as ex
from explainers.methods import METHODS

POSITIVE = ["This movie was wonderful.", "A brilliant, touching film!", "I loved every minute of it."]
NEGATIVE = ["This movie was terrible.", "A dull, lifeless film!", "I hated every minute of it."]


@pytest.fixture(scope="module", params=ex.BUNDLED)
def bundled(request) -> ex.Model:
    return ex.load(request.param, device="cpu")


def test_a_bundled_model_says_which_it_is(bundled):
    assert bundled.name in ex.BUNDLED and bundled.revision == "bundled" and bundled.tokenizer is not None
    assert all(tensor.isfinite().all() for tensor in bundled.net.state_dict().values())
    assert not any(parameter.requires_grad for parameter in bundled.net.parameters())


@pytest.mark.parametrize("texts, label", [(POSITIVE, "POSITIVE"), (NEGATIVE, "NEGATIVE")])
def test_plain_opinions_are_read_right(sentiment, texts, label):
    assert [ex.predict(sentiment, text).best for text in texts] == [label] * len(texts)


def test_attcat_puts_the_opinion_first(sentiment):
    for text, word in (("This movie was wonderful.", "wonderful"), ("This movie was terrible.", "terrible")):
        heat = ex.explain(sentiment, text).merged().without_specials()
        assert heat.labels[int(heat.scores.argmax())] == word


@pytest.mark.parametrize("key", METHODS)
def test_every_method_explains_a_sentence(sentiment, key):
    heat = ex.explain(sentiment, "I really didn't like this movie.", key, "NEGATIVE")
    assert heat.scores.isfinite().all() and heat.scores.any() and "didn't" in heat.merged().labels


def test_the_lead_example_of_the_documentation_runs(sentiment):
    heat = ex.explain(sentiment, "really didn't like this movie", method="attcat", target="NEGATIVE")
    assert heat.target == "NEGATIVE" and heat.signed and heat.layers.shape == (len(heat.row_labels), len(heat))
    assert "<" in heat._repr_html_()


def test_leaving_words_out_agrees_with_the_model_itself(sentiment):
    """Occlusion of one token is the difference of two predictions that anyone can make."""
    heat = ex.explain(sentiment, "a good film", "occlusion", "POSITIVE")
    coded = sentiment.encode("a good film")
    ids = coded.tensors["input_ids"].clone()
    ids[0, 2] = sentiment.tokenizer.mask_token_id
    with torch.no_grad():
        whole, without = (sentiment.net(**coded.tensors | {"input_ids": one}).logits[0] for one in (coded.tensors["input_ids"], ids))
    index = next(i for i, name in sentiment.labels.items() if name == "POSITIVE")
    close(heat.scores[2], (whole - without)[index], 1e-3)


def test_integrated_gradients_close_their_gap(sentiment):
    heat = ex.explain(sentiment, "a good film", "integrated_gradients")
    assert abs(heat.facts["completeness gap"]) < 0.05 * abs(float(heat.scores.sum())) + 0.05


def test_a_pair_is_explained_over_both_texts():
    model = ex.load("inference", device="cpu")
    heat = ex.explain(model, ("A man is playing a guitar.", "Nobody is making music."))
    assert {0, 1} == {heat.text[:span[0]].count("\n") for span in heat.spans if span}


def test_the_tasks_share_one_encoder_in_memory():
    one, other = (ex.load(name, device="cpu") for name in ("sentiment", "paraphrase"))
    weight = lambda model: model.blocks[0].attention.self.query.weight
    assert weight(one).data_ptr() == weight(other).data_ptr()


@pytest.mark.parametrize("name, given, said", [
    ("inference", "A man sleeps.", "trained on pairs of texts; here it was given one text"),
    ("sentiment", ("A fine film.", "A bad one."), "trained on single texts; here it was given a pair"),
])
def test_what_a_bundled_model_was_not_trained_on_is_said(name, given, said):
    assert said in " ".join(ex.explain(ex.load(name, device="cpu"), given).notes)


@pytest.mark.parametrize("name, given", [("inference", ("A man sleeps.", "Nobody is awake.")), ("sentiment", "A fine film.")])
def test_what_it_was_trained_on_needs_no_remark(name, given):
    assert not ex.explain(ex.load(name, device="cpu"), given).notes

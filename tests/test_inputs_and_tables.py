"""Ids, segments and positions that a model has no row for are refused in a sentence, whichever way
they come in."""

import pytest
import torch
from tiny import example, tiny
from tokenizers_of import reading, word_pieces
from transformers import BertConfig, BertForSequenceClassification

import explainers as ex

PIECES = ("the", "film", "was", "good", "bad")


def classifier(**settings) -> ex.Model:
    """Its tokenizer numbers the halves of a pair, as BERT's does."""
    tokenizer = word_pieces(*PIECES)
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return reading(tokenizer, BertForSequenceClassification, BertConfig, **settings)


def both_ways(model: ex.Model, *given: str):
    """A text, or a pair of texts, and the tensors that its tokenizer makes of it."""
    yield given if len(given) > 1 else given[0]
    yield dict(model.tokenizer(*given, return_tensors="pt"))


def refusals(model: ex.Model, *given: str) -> list[str]:
    said = []
    for one in both_ways(model, *given):
        for ask in (ex.explain, ex.predict):
            with pytest.raises(ex.Refusal) as refused:
                ask(model, one)
            said.append(str(refused.value))
    return said


def test_words_that_only_the_tokenizer_was_given():
    model = classifier()
    model.tokenizer.add_tokens(["zorpish"])
    assert all(
        "ids go from 0 to 9" in said and "'zorpish'" in said
        for said in refusals(model, "the zorpish film")
    )
    model.net.resize_token_embeddings(len(model.tokenizer))
    assert "zorpish" in ex.explain(model, "the zorpish film").labels, (
        "what the sentence advises works"
    )


def test_a_tokenizer_of_another_model():
    assert all(
        "belongs to another model" in said
        for said in refusals(classifier(vocab_size=7), "the bad film")
    )


def test_a_pair_for_a_model_of_one_segment():
    model = classifier(type_vocab_size=1)
    assert all(
        "1 segment" in said and "single text" in said
        for said in refusals(model, "the film", "was good")
    )
    assert ex.explain(model, "the film").scores.any()


def test_positions_past_the_table():
    model = classifier(max_position_embeddings=8)
    inputs = dict(model.tokenizer("the film", return_tensors="pt"))
    assert ex.explain(model, inputs | {"position_ids": torch.tensor([[7, 1, 2, 3]])}).scores.any()
    with pytest.raises(ex.Refusal, match="8 positions, numbered from 0; got number 8"):
        ex.explain(model, inputs | {"position_ids": torch.tensor([[0, 1, 2, 8]])})
    with pytest.raises(ex.Refusal, match="reads at most 8 tokens"):
        ex.explain(
            model, dict(model.tokenizer("the film was good bad bad bad", return_tensors="pt"))
        )
    assert ex.explain(model, "the film was good bad bad bad").notes == [
        "The model reads 8 tokens; 1 more were left out."
    ]


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"input_ids": torch.ones(1, 4)}, "input_ids of shape"),
        ({"attention_mask": torch.ones(1, 3)}, "attention_mask has 3 tokens"),
        ({"token_type_ids": torch.zeros(1, 5).long()}, "token_type_ids has 5 tokens"),
        ({"token_type_ids": torch.full((1, 4), 2)}, "2 segments"),
        ({"token_type_ids": torch.full((1, 4), -1)}, "2 segments"),
    ],
)
def test_tensors_that_do_not_fit_together(changed, says):
    model = classifier()
    with pytest.raises(ex.Refusal, match=says):
        ex.explain(model, dict(model.tokenizer("the film", return_tensors="pt")) | changed)


def test_the_other_side_of_a_dual_encoder_is_looked_at_too():
    """Of a picture's map the texts are only looked up, and could lie outside of their table
    unseen."""
    inputs = example("clip.vision")
    for ids in (inputs["input_ids"] + 200, inputs["input_ids"][0]):
        with pytest.raises(ex.Refusal, match="ids"):
            tiny("clip.vision").trace(inputs | {"input_ids": ids})


IDS = torch.tensor([[1, 5, 6]])


@pytest.mark.parametrize(
    "given, said",
    [
        ({"input_ids": torch.tensor([[True, False]])}, "whole numbers"),
        ({"input_ids": IDS, "token_type_ids": torch.zeros(1, 3)}, "token_type_ids must be whole"),
        ({"input_ids": IDS, "position_ids": torch.zeros(1, 3)}, "position_ids must be whole"),
        (
            {"input_ids": IDS, "attention_mask": torch.ones(3)},
            r"attention_mask must have shape .*\(3,\)",
        ),
        (
            {"input_ids": IDS, "attention_mask": torch.ones(1, 1, 3, 3)},
            "attention_mask must have shape",
        ),
    ],
)
def test_tensors_of_another_shape_or_kind_are_refused_in_a_sentence(given, said):
    with pytest.raises(ex.Refusal, match=said):
        ex.explain(tiny("bert"), given)


def test_pixels_of_another_number_of_channels_are_refused_in_a_sentence():
    with pytest.raises(ex.Refusal, match="reads pictures of 3 channels; these pixel_values have 1"):
        ex.explain(tiny("vit"), {"pixel_values": torch.zeros(1, 1, 32, 32)})

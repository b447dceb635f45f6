"""Whatever cannot be an input is refused in one sentence."""

import pytest
import torch
from tiny import example as tiny_input
from tiny import tiny
from typed_texts import EMPTY

import explainers as ex
from explainers.inputs import encode


@pytest.mark.parametrize("text", EMPTY, ids=ascii)
def test_text_without_anything_to_see_is_refused(model, text):
    with pytest.raises(ex.Refusal, match="The text is empty: type something to explain"):
        encode(model, text)


@pytest.mark.parametrize(
    "pair, which", [(("", "good"), "first"), (("good", " "), "second"), (("", ""), "first")]
)
def test_an_empty_half_of_a_pair_is_refused_by_its_place(reader, pair, which):
    with pytest.raises(ex.Refusal, match=f"The {which} text is empty"):
        encode(reader, pair)


@pytest.mark.parametrize(
    "given_", [None, 3, 1.5, b"bytes", ["one"], ("a", "b", "c"), ("a", 3), [None, None]], ids=str
)
def test_what_is_no_input_is_refused_with_what_would_do(reader, given_):
    with pytest.raises(ex.Refusal, match="Give a text, a pair of texts, or a dict of tensors"):
        encode(reader, given_)


def test_text_for_a_model_without_a_tokenizer_is_refused_with_the_way_out():
    with pytest.raises(ex.Refusal, match="without a tokenizer"):
        encode(tiny("bert"), "good movie")


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"attention_mask": torch.ones(1, 3)},
        {"input_ids": torch.ones(3).long()},
        {"input_ids": torch.ones(1, 0).long()},
        {"input_ids": torch.ones(0, 3).long()},
    ],
    ids=str,
)
def test_tensors_without_ids_of_one_row_are_refused(tensors):
    with pytest.raises(ex.Refusal, match="input_ids of shape"):
        encode(tiny("bert"), tensors)


def test_tensors_with_several_rows_are_refused():
    """A trace is one example; several would share one set of labels."""
    with pytest.raises(ex.Refusal):
        tiny("bert").trace({"input_ids": tiny_input("bert")["input_ids"].expand(2, -1)}, 0)


@pytest.mark.parametrize(
    "tensors",
    [{"input_ids": [[5, 500, 6]]}, {"input_ids": [[5, -1, 6]]}, {"input_ids": [[5] * 65]}],
    ids=["unknown id", "negative id", "too long"],
)
def test_ids_that_the_model_does_not_have_are_refused_in_words(tensors):
    with pytest.raises(ex.Refusal):
        tiny("bert").trace(tensors, 0)


def test_a_picture_model_without_pixels_is_refused():
    with pytest.raises(ex.Refusal):
        tiny("vit").trace({"input_ids": torch.ones(1, 3).long()}, 0)


def test_a_list_of_texts_under_one_name_is_refused_by_its_name(reader):
    for given in ({"text": ["a", "b"]}, {"question": "a", "context": ("b", "c")}):
        with pytest.raises(
            ex.Refusal, match=r"One input is explained at a time, and (text|context)"
        ):
            encode(reader, given)


def test_a_mask_that_leaves_no_token_is_refused():
    inputs = tiny_input("bert")
    empty = inputs | {"attention_mask": torch.zeros_like(inputs["input_ids"])}
    with pytest.raises(ex.Refusal, match="no token is attended"):
        ex.explain(tiny("bert"), empty, "attcat", 0)


def test_a_tensor_that_is_no_input_is_refused_with_those_that_are():
    for name in ("foo", "pixel_values"):
        with pytest.raises(ex.Refusal, match=f"This model has no input {name}; it has input_ids, "):
            encode(tiny("bert"), tiny_input("bert") | {name: torch.ones(1, 3)})
    with pytest.raises(ex.Refusal, match=r"no input foo; it has .*pixel_values"):
        encode(tiny("vit"), tiny_input("vit") | {"foo": torch.ones(1, 3)})

"""One input as a network takes it: its notes, its context, and which tokens some characters are."""

import pytest
import torch

from explainers.inputs import Encoded
from explainers.inputs.encoding import named_texts
from explainers.inputs.tensors import as_tensors, outside_of

QUESTION, CONTEXT = "who?", "mary or ann"


def pair(**changes) -> Encoded:
    """[CLS] who ? [SEP] mary or ann [SEP], of which "ann" starts at character 13."""
    places = {
        "labels": ["[CLS]", "who", "?", "[SEP]", "mary", "or", "ann", "[SEP]"],
        "spans": [None, (0, 3), (3, 4), None, (5, 9), (10, 12), (13, 16), None],
        "text": f"{QUESTION}\n{CONTEXT}",
        "starts": (0, 5),
        "halves": ("question", "context"),
    }
    special = torch.tensor([span is None for span in places["spans"]])
    return Encoded(**{"tensors": {}, "special_tokens": special} | places | changes)


@pytest.mark.parametrize(
    "characters, tokens",
    [
        ((0, 4), (4, 4)),
        ((0, 5), (4, 4)),  # the space is no token's
        ((0, 6), (4, 5)),
        ((3, 4), (4, 4)),  # the last letter of "mary"
        ((4, 5), None),  # a space alone
        ((5, 11), (5, 6)),
        ((8, 11), (6, 6)),
        ((8, 12), None),  # one character more than there are
        ((4, 4), None),
        ((6, 2), None),
        ((-1, 4), None),
    ],
)
def test_the_tokens_of_characters_of_the_context(characters, tokens):
    assert pair().tokens_at(characters) == tokens


def test_the_characters_of_a_single_text_are_its_own():
    one = pair(starts=(0,), halves=())
    assert one.context_start == 0 and one.tokens_at((0, 3)) == (1, 1)
    assert pair(starts=(), text=None, spans=None).tokens_at((0, 3)) is None


def test_the_context_is_whole_and_without_the_question():
    assert pair().context == CONTEXT
    assert pair(unread=" and eve").context == f"{CONTEXT} and eve"
    assert pair(text=None, starts=()).context == ""


def test_notes_say_what_is_not_read():
    assert pair().notes == [] and pair(remarks=("odd",)).notes == ["odd"]
    assert pair(left_out=1200, lost=(0, 1200), remarks=("odd",)).notes == [
        "The model reads 8 tokens; 1,200 more were left out: 1,200 of the context.",
        "odd",
    ]
    assert pair(left_out=3, lost=(1, 2)).notes == [
        "The model reads 8 tokens; 3 more were left out: 1 of the question and 2 of the context."
    ]
    assert pair(left_out=3, lost=(3,), halves=()).notes == [
        "The model reads 8 tokens; 3 more were left out."
    ]


def test_texts_have_the_names_that_pipelines_give_them():
    assert named_texts({"text": "one", "text_pair": None}) == "one"
    assert named_texts({"text_pair": "two", "text": "one"}) == ("one", "two")
    assert named_texts({"context": "c", "question": "q"}) == ("q", "c")


def test_a_flat_list_is_one_example_and_a_flat_tensor_is_not():
    made = as_tensors({"ids": [1, 2], "mask": torch.ones(2), "none": None, "length": [2]})
    assert made["ids"].shape == (1, 2) and made["mask"].shape == (2,)
    assert set(made) == {"ids", "mask"}
    assert outside_of(torch.tensor([[-1, 0, 3, 4]]), 4) == [-1, 4]

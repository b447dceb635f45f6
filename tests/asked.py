"""Traces of a small classifier, and of a model that finds answers."""

import pytest
from tiny import example, tiny

import explainers as ex


@pytest.fixture(scope="module")
def trace():
    return tiny("bert").trace(example("bert"), 0)


ASKED = ("was the film good?", "the actors were good but the movie was boring")


@pytest.fixture(scope="module")
def finder(word_tokenizer) -> ex.Model:
    """The tiny question-answering BERT with words to read."""
    return ex.load(tiny("bert-qa-2label").net, tokenizer=word_tokenizer, device="cpu")

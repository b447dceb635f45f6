"""An answer lies in the context, however the question and its context were given."""

import pytest
import torch
from tokenizers_of import byte_level, reading, word_pieces
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    ModernBertConfig,
    ModernBertForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
)

import explainers as ex
from explainers.outputs import Answer

GIVEN = ("who wrote it", "mary wrote it in may")


def roberta() -> ex.Model:
    """Two separators between the halves, and no segments."""
    from tokenizers import processors

    tokenizer = byte_level(*GIVEN)
    tokenizer.backend_tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    return reading(tokenizer, RobertaForQuestionAnswering, RobertaConfig, initializer_range=0.6)


def modernbert() -> ex.Model:
    return reading(
        byte_level(*GIVEN), ModernBertForQuestionAnswering, ModernBertConfig, initializer_range=0.6
    )


def bert() -> ex.Model:
    return reading(
        word_pieces("who", "wrote", "it", "mary", "in", "may"),
        BertForQuestionAnswering,
        BertConfig,
        initializer_range=0.6,
    )


@pytest.fixture(params=[roberta, modernbert, bert])
def model(request) -> ex.Model:
    return request.param()


def tensors(model: ex.Model, *given: str) -> dict:
    return dict(model.tokenizer(*given, return_tensors="pt"))


@pytest.mark.parametrize("lifted", [1, 2, 5, 8])
def test_an_answer_never_lies_in_the_question(model, lifted):
    """Even where the logits of a token in the question, or of a separator, are the largest."""
    by_text, by_tensors = model.encode(GIVEN), model.encode(tensors(model, *GIVEN))
    assert by_tensors.segments == by_text.segments and by_tensors.halves == ("question", "context")
    logits = torch.zeros(1, len(by_text.labels), 2)
    logits[:, min(lifted, len(by_text.labels) - 1)] = 9.0
    for asked in (None, "answer", "best span", "start", "end"):
        spans = [
            model.task.target(model, coded, asked).resolve(Answer(None, None, logits), 0).span
            for coded in (by_text, by_tensors)
        ]
        assert spans[0] == spans[1] and (
            spans[0] is None or by_text.segments[spans[0][0]] == by_text.segments[spans[0][1]] == 1
        )


def test_texts_and_their_tensors_are_explained_alike(model):
    by_text, by_tensors = (
        model.trace(given, "best span") for given in (GIVEN, tensors(model, *GIVEN))
    )
    assert by_tensors.target.terms == by_text.target.terms
    assert ex.predict(model, tensors(model, *GIVEN)).values == ex.predict(model, GIVEN).values


def test_padding_is_no_separator(model):
    padded = dict(model.tokenizer(*GIVEN, return_tensors="pt", padding="max_length", max_length=30))
    assert model.encode(padded).segments[:12] == [*model.encode(GIVEN).segments, *[None] * 12][:12]


@pytest.mark.parametrize("given", [("who wrote it",), ("who</s>wrote it", "mary wrote it")])
def test_tensors_that_do_not_say_where_the_context_begins_are_refused(model, given):
    inputs = tensors(model, *given)
    for ask in (None, "best span", "start"):
        with pytest.raises(ex.Refusal, match="where the question ends"):
            model.trace(inputs, ask)
    with pytest.raises(ex.Refusal, match="where the question ends"):
        ex.predict(model, inputs)
    assert model.trace(inputs, "no answer").target.name == "no answer in this text", (
        "which lies nowhere"
    )


def test_segments_say_more_than_separators():
    model = bert()
    inputs = tensors(model, "who</s>wrote it", "mary wrote it")
    kinds = torch.zeros_like(inputs["input_ids"])
    kinds[0, -4:] = 1
    assert model.encode(inputs | {"token_type_ids": kinds}).segments == [
        None,
        0,
        None,
        0,
        0,
        None,
        1,
        1,
        1,
        None,
    ]


def test_an_answer_is_looked_for_as_it_is_written_first():
    """Upper and lower case can be two words: "us" and "US"."""
    model = modernbert()
    given = ("who wrote it", "may wrote it in May may")
    assert model.trace(given, "May").target.name == "“May”" and model.trace(
        given, "MAY"
    ).target.name in ("“may”", "“May”")
    coded = model.encode(given)
    start = model.trace(given, "May").target.span[0]
    assert coded.spans[start][0] == coded.starts[1] + given[1].index("May")

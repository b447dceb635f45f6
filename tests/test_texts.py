"""Whatever a person types comes back token by token, cut where the model ends."""

import contextlib
import time

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiny import tiny
from typed_texts import EMPTY

import explainers as ex
from explainers.inputs import encode

AWKWARD = [
    "really didn't like this movie",
    "l’homme n'est pas là",
    "unbelievable",
    "good 👍🏽 movie 👨‍👩‍👧‍👦 🇩🇪",
    "🎬",
    "السينما رائعة",
    "שלום עולם",
    "good فيلم bad 電影 boring кино",
    "電影很好看",
    "ไม่ชอบหนังเรื่องนี้",
    "e\u0301le\u0300ve café naïve",
    "\ud800 lone \udfff surrogates",
    "zero\u200bwidth\u200djoiners",
    "null\x00byte and \x1b[31mescape",
    "\u202eright to left override\u202c",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "<s> </s> <mask>",
    "<script>alert('x')</script> & <b>bold</b>",
    "a" * 300,
    "....!!!???",
    "'''",
    "’’",
    "a'b'c'd",
    "'quoted' words'",
    "tabs\tand\nnew\r\nlines",
    "ﬁne ligatures Ǆ ß İ",
    "１２３ ｆｕｌｌ ｗｉｄｔｈ",
    "don't can't won't",
    "x\u2028y\u2029z",
    "😀😃😄",
]


def check(coded, model) -> None:
    tokens = coded.tensors["input_ids"].shape[1]
    assert coded.tensors["input_ids"].shape[0] == 1
    assert (
        len(coded.labels)
        == len(coded.spans)
        == len(coded.words)
        == len(coded.special_tokens)
        == tokens
    )
    assert model.max_tokens is None or tokens <= model.max_tokens
    assert not coded.special_tokens.all() and coded.left_out >= 0
    assert all(isinstance(label, str) for label in coded.labels)
    for span, word, special_tokens in zip(coded.spans, coded.words, coded.special_tokens.tolist()):
        assert (span is None) == (word is None) == special_tokens
        if span:
            assert 0 <= span[0] <= span[1] <= len(coded.text)
    numbers = [word for word in coded.words if word is not None]
    assert sorted(set(numbers)) == list(range(len(set(numbers)))), (
        "words are numbered from 0 without gaps"
    )
    coded.text.encode()  # no lone surrogate is left


# ----------------------------------------------------------------------------- labels, spans, words


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_any_text_comes_back_token_by_token(model, text):
    check(encode(model, text), model)


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_any_text_is_explained_with_finite_numbers(model, text):
    heat = ex.explain(model, text, method="attcat", target=0)
    assert torch.isfinite(heat.scores).all() and len(heat) == len(heat.scores) == len(heat.labels)
    torch.testing.assert_close(heat.merged().scores.sum(), heat.scores.sum())


def test_spans_are_the_place_of_each_token_in_the_text(reader):
    text = "Really didn't like this unbelievable movie!"
    coded = encode(reader, text)
    assert coded.labels[0] == "[CLS]" and coded.labels[-1] == "[SEP]"
    for label, span in zip(coded.labels[1:-1], coded.spans[1:-1]):
        assert text[slice(*span)].lower() == label.removeprefix("##")


def test_spans_of_a_pair_are_places_in_both_texts_joined(reader):
    coded = encode(reader, ("good movie", "bad film"))
    assert coded.text == "good movie\nbad film"
    assert [coded.text[slice(*span)] for span in coded.spans if span] == [
        "good",
        "movie",
        "bad",
        "film",
    ]
    assert coded.special_tokens.tolist() == [True, False, False, True, False, False, True]
    assert coded.tensors["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    assert len(set(coded.words) - {None}) == 4


def test_pieces_of_a_word_and_words_with_an_apostrophe_are_one_word(reader):
    text = "unbelievable didn't l’homme good-bad 'good' movies'"
    coded = encode(reader, text)
    words = {}
    for span, number in zip(coded.spans, coded.words):
        if span:
            first, last = words.get(number, (len(text), 0))
            words[number] = (min(first, span[0]), max(last, span[1]))
    assert [text[slice(*span)] for span in words.values()] == [
        "unbelievable",
        "didn't",
        "l’homme",
        "good",
        "-",
        "bad",
        "'",
        "good",
        "'",
        "movies",
        "'",
    ]


def test_the_same_word_twice_is_two_words(reader):
    assert encode(reader, "good good don't don't").words[1:3] == [0, 1]
    assert len(set(encode(reader, "good good don't don't").words) - {None}) == 4


def test_a_special_token_that_was_typed_is_read_as_what_the_model_reads(reader):
    """ "[MASK]" in the text is one token with a place in the text; the [CLS] and [SEP] around it
    have none.
    """
    coded = encode(reader, "good [MASK] movie")
    assert coded.labels == ["[CLS]", "good", "[MASK]", "movie", "[SEP]"]
    assert (
        coded.spans[0] is None
        and coded.spans[-1] is None
        and coded.text[slice(*coded.spans[1])] == "good"
    )


def test_a_lone_surrogate_becomes_a_visible_mark(reader):
    coded = encode(reader, "good \ud83d movie")
    assert "\ud83d" not in coded.text and len(coded.text) == len("good ? movie")


anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)

pieces = st.lists(st.sampled_from([*AWKWARD, *EMPTY, "'", " ", "good", "##ing"]), max_size=4).map(
    "".join
)

many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@many
@given(anything | pieces)
@example("'\u200b'")
@example("\ud800")
def test_every_text_is_refused_or_encoded(model, text):
    try:
        coded = encode(model, text)
    except ex.Refusal as refusal:
        assert len(str(refusal)) < 200
        return
    check(coded, model)
    scores = torch.arange(1.0, len(coded.labels) + 1, dtype=torch.float64)
    heat = ex.Heatmap(
        scores=scores,
        labels=coded.labels,
        method="m",
        title="M",
        target="t",
        score=0.0,
        signed=True,
        special_tokens=coded.special_tokens,
        text=coded.text,
        spans=coded.spans,
        words=coded.words,
        rows=torch.stack([scores, -scores]),
        totals={"Sum": 2 * scores},
    )
    merged = heat.merged()
    torch.testing.assert_close(merged.scores.sum(), scores.sum())
    torch.testing.assert_close(merged.rows.sum(1), heat.rows.sum(1))
    torch.testing.assert_close(merged.totals["Sum"].sum(), 2 * scores.sum())
    torch.testing.assert_close(
        merged.scores[merged.special_tokens].sum(), scores[coded.special_tokens].sum()
    )
    assert (
        len(merged.labels)
        == len(merged.scores)
        == len(merged.spans)
        == len(merged.words)
        == len(merged.special_tokens)
        <= len(heat)
    )
    assert len(set(merged.words) - {None}) == sum(word is not None for word in merged.words)


@many
@given(anything | pieces, anything | pieces)
def test_every_pair_is_refused_or_encoded(model, first, second):
    try:
        coded = encode(model, (first, second))
    except ex.Refusal:
        return
    check(coded, model)
    join = coded.text.encode("utf-8", "replace").decode().index("\n", len(first))
    assert all(span is None or span[1] <= join or span[0] > join for span in coded.spans), (
        "no token lies in both texts"
    )


# ------------------------------------------------------------------------------------------- length


def test_text_past_the_limit_is_cut_and_counted(reader):
    coded = encode(reader, "good " * 100)
    assert reader.max_tokens == 64 and len(coded.labels) == 64
    assert coded.left_out == 102 - 64 and coded.labels[-1] == "[SEP]"
    heat = ex.explain(reader, "good " * 100, method="raw_attention")
    assert heat.notes == ["The model reads 64 tokens; 38 more were left out."]


def test_text_of_just_the_limit_is_whole(reader):
    coded = encode(reader, "good " * 62)
    assert len(coded.labels) == 64 and coded.left_out == 0


def test_a_pair_past_the_limit_keeps_both_halves(reader):
    coded = encode(reader, ("good " * 100, "bad movie"))
    assert len(coded.labels) == 64 and coded.left_out == 105 - 64
    assert [coded.text[slice(*span)] for span in coded.spans if span][-2:] == ["bad", "movie"]


def test_a_megabyte_of_text_is_cut_within_seconds(model):
    text = "the movie was not good " * 45_000
    assert len(text) > 1_000_000
    started = time.process_time()
    coded = encode(model, text)
    assert time.process_time() - started < 20
    assert len(coded.labels) == model.max_tokens and coded.left_out > 200_000
    check(coded, model)


def test_a_megabyte_without_a_space_is_cut_within_seconds(model):
    """Looking for apostrophes must not start over at every letter.

    First a part of it, where failing takes seconds, not hours.
    """
    for letters, seconds in ((10_000, 1), (1_000_000, 20)):
        started = time.process_time()
        with contextlib.suppress(ex.Refusal):
            check(encode(model, "x" * letters), model)
        assert time.process_time() - started < seconds


def test_the_limit_is_what_the_positions_and_the_tokenizer_allow(reader, byte_reader):
    assert byte_reader.max_tokens == 96  # 98 positions, of which RoBERTa never uses two
    assert (
        tiny("roberta").max_tokens == 62
        and tiny("gpt2").max_tokens == 64
        and tiny("vit").max_tokens is None
    )

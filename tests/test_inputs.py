"""Whatever a person types is either refused in one sentence or comes back token by token, in its
place.
"""

import contextlib
import time

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiny import example as tiny_input
from tiny import fresh, tiny

import explainers as ex
from explainers.inputs import encode, from_text

EMPTY = [
    "",
    " ",
    "\n\t \r\n",
    "\u200b",
    "\u200b\u200d\ufeff",
    "\x00",
    "\x00\x01\x1f\x7f",
    "\u00ad",
    "\u202e\u202c",
    "\u2060",
]

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


@pytest.fixture(params=["reader", "byte_reader"])
def model(request) -> ex.Model:
    """A WordPiece that lowers and strips accents, and a byte-level BPE in which a character can be
    several tokens.
    """
    return request.getfixturevalue(request.param)


# ----------------------------------------------------------------------------------------- refusals


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


# ----------------------------------------------------------------------------- labels, spans, words


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


# ------------------------------------------------------------------------------------------ tensors


def test_ready_tensors_are_labelled_by_the_tokenizer_or_by_number(reader):
    ids = encode(reader, "good movie").tensors["input_ids"]
    coded = encode(reader, {"input_ids": ids})
    assert coded.labels == [
        "[CLS]",
        "good",
        "movie",
        "[SEP]",
    ] and coded.special_tokens.tolist() == [
        True,
        False,
        False,
        True,
    ]
    assert encode(tiny("bert"), {"input_ids": ids}).labels == [str(i) for i in ids[0].tolist()]
    assert coded.text is None and coded.spans is None


def test_lists_will_do_for_tensors():
    model = tiny("bert")
    wanted = model.trace(tiny_input("bert"), 0)
    assert torch.equal(
        model.trace({"input_ids": tiny_input("bert")["input_ids"].tolist()}, 0).score, wanted.score
    )


def test_a_text_and_its_tensors_are_the_same_input(reader):
    by_text = reader.trace("good movie", 0)
    by_tensors = reader.trace(encode(reader, "good movie").tensors, 0)
    assert torch.equal(by_text.score, by_tensors.score) and torch.equal(
        by_text.special_tokens, by_tensors.special_tokens
    )


def test_patches_are_numbered_behind_the_class_token():
    coded = encode(tiny("vit"), tiny_input("vit"))
    assert coded.labels == ["[CLS]", *(f"row {1 + i // 4}, column {1 + i % 4}" for i in range(16))]
    assert (
        coded.special_tokens.tolist() == [True] + [False] * 16
        and coded.grid == (4, 4)
        and coded.picture.size == (32, 32)
    )


def test_an_encoded_input_is_taken_as_it_is(reader):
    coded = encode(reader, "good movie")
    assert reader.encode(coded) is coded


def test_what_a_tokenizer_returns_will_do(reader, word_tokenizer):
    assert torch.equal(
        reader.trace(word_tokenizer("good movie", return_tensors="pt"), 0).score,
        reader.trace("good movie", 0).score,
    )


# --------------------------------------------------------------------------------- halves of a pair


def test_every_token_knows_its_half(reader):
    coded = encode(reader, ("good movie", "bad"))
    assert coded.segments == [None, 0, 0, None, 1, None] and coded.halves == (
        "first text",
        "second text",
    )
    assert [coded.text[start:] for start in coded.starts] == ["good movie\nbad", "bad"]
    swapped = encode(reader, ("bad", "good movie"))
    assert swapped.segments == [None, 0, None, 1, 1, None] and swapped.labels == [
        "[CLS]",
        "bad",
        "[SEP]",
        "good",
        "movie",
        "[SEP]",
    ]
    assert (
        encode(reader, "good movie").segments is None and encode(reader, "good movie").halves == ()
    )


def test_a_cut_pair_says_which_half_lost_what(reader):
    both = encode(reader, ("good " * 50, "bad " * 40))
    assert sum(both.lost) == both.left_out == 93 - 64 and min(both.lost) > 0, (
        "the longest first: here both in the end"
    )
    assert (
        f"{both.lost[0]} of the first text and {both.lost[1]} of the second text" in both.notes[0]
    )
    one = encode(reader, ("good " * 100, "bad movie"))
    assert one.lost == (41, 0) and one.notes == [
        "The model reads 64 tokens; 41 more were left out: 41 of the first text."
    ]
    assert encode(reader, "good").notes == []


def test_halves_survive_words_and_the_table(reader):
    heat = ex.explain(reader, ("unbelievable movie", "bad film"))
    merged = heat.merged()
    assert merged.segments == [None, 0, 0, None, 1, 1, None] and [
        merged.half(i) for i in range(7)
    ] == [0, 0, 0, 0, 1, 1, 1]
    assert heat.without_specials().segments == [0] * (len(heat) - 5) + [1, 1]
    assert list(heat.without_specials().table()["part"])[-3:] == [
        "first text",
        "second text",
        "second text",
    ]
    assert (
        merged.heads.shape == (*heat.heads.shape[:2], 7)
        and heat.without_specials().heads.shape[-1] == len(heat) - 3
    )
    torch.testing.assert_close(merged.heads.sum(-1), heat.heads.sum(-1))


def test_siglips_text_is_padded_to_its_window_and_the_padding_is_seen(word_tokenizer):
    """As in its training: its score is read from the last token, padding for most texts."""
    model = ex.load(fresh("siglip.text").net, tokenizer=word_tokenizer, tower="text", device="cpu")
    coded = from_text(model, ("a good movie",))
    assert "attention_mask" not in coded.tensors and coded.tensors["input_ids"].shape == (1, 64)
    assert (
        coded.labels[:6] == ["[CLS]", "a", "good", "movie", "[SEP]", "[PAD]"]
        and coded.special_tokens.sum() == 61
    )
    assert not coded.left_out and from_text(model, ("good " * 100,)).left_out == 38

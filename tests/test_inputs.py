"""Ready tensors and pairs of texts as inputs: their labels, and which half a token is of."""

import torch
from tiny import example as tiny_input
from tiny import fresh, tiny

import explainers as ex
from explainers.inputs import encode, from_text

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

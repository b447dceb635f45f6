"""Leave one out by whole words: all pieces of a word are blanked together, and the sum over them is
what the score loses."""

from itertools import pairwise

import pytest
import torch
from tiny import example, tiny
from tokenizers_of import byte_level, reading

import explainers as ex
from explainers.cli import main
from explainers.methods import METHODS

TEXT = "really didn't like this unbelievable movie"


def lost_without(
    model: ex.Model, text: str, target, words: set[int], blank: str = "[MASK]"
) -> float:
    """How much the score falls when these words are blanked, by the plain network."""
    coded = model.encode(text)
    changed = dict(coded.tensors)
    gone = torch.tensor([[word in words for word in coded.words]])
    changed["input_ids"] = changed["input_ids"].masked_fill(
        gone, model.tokenizer.convert_tokens_to_ids(blank)
    )
    with torch.no_grad():
        return float(
            model.net(**coded.tensors).logits[0, target] - model.net(**changed).logits[0, target]
        )


@pytest.mark.parametrize("fill, blank", [("mask", "[MASK]"), ("pad", "[PAD]"), ("unk", "[UNK]")])
def test_a_word_s_sum_is_what_the_score_loses_without_the_whole_word(reader, fill, blank):
    heat = ex.explain(reader, TEXT, "occlusion", 2, by="word", fill=fill)
    merged = heat.merged().without_specials()
    assert (
        merged.labels == ["really", "didn't", "like", "this", "unbelievable", "movie"]
        and len(heat) > len(merged) + 2
    )
    for word, score in enumerate(merged.scores.tolist()):
        assert score == pytest.approx(lost_without(reader, TEXT, 2, {word}, blank))
    pieces = torch.tensor([word == 1 for word in heat.words])
    assert pieces.sum() > 2 and len(heat.scores[pieces].unique()) == 1, (
        "its pieces have equal parts"
    )
    assert not heat.scores[heat.special_tokens].any()


def test_by_token_stays_what_it_was_and_another_number(reader):
    plain, by_token, by_word = (
        ex.explain(reader, TEXT, "occlusion", 2, **options)
        for options in ({}, {"by": "token"}, {"by": "word"})
    )
    assert torch.equal(plain.scores, by_token.scores)
    whole, parts = by_word.merged(), plain.merged()
    alone = [i for i, word in enumerate(parts.words) if plain.words.count(word) == 1]
    torch.testing.assert_close(whole.scores[alone], parts.scores[alone])
    assert abs(float(whole.scores[2] - parts.scores[2])) > 1e-3, (
        "didn't, whose pieces together are not their sum"
    )


def test_a_window_holds_neighbouring_words(reader):
    heat = ex.explain(reader, TEXT, "occlusion", 2, by="word", window=2).merged().without_specials()
    pairs = [lost_without(reader, TEXT, 2, {word, word + 1}) for word in range(5)]
    wanted = [pairs[0], *((first + second) / 2 for first, second in pairwise(pairs)), pairs[-1]]
    torch.testing.assert_close(heat.scores, torch.tensor(wanted, dtype=torch.float64))
    everything = (
        ex.explain(reader, TEXT, "occlusion", 2, by="word", window=99).merged().without_specials()
    )
    torch.testing.assert_close(
        everything.scores,
        torch.full((6,), lost_without(reader, TEXT, 2, set(range(6))), dtype=torch.float64),
    )


def test_bytes_of_a_character_go_together():
    model = reading(byte_level("the film"))
    heat = ex.explain(model, "电影 film", "occlusion", 1, by="word").merged().without_specials()
    assert heat.labels == ["电", "影", "film"]
    for word, score in enumerate(heat.scores.tolist()):
        assert score == pytest.approx(lost_without(model, "电影 film", 1, {word}, "<mask>"))


def test_many_traced_together_keep_their_words(reader):
    texts = ["unbelievable movie", "not good", "bad bad"]
    for text, trace in zip(texts, reader.trace_many(texts, [2, 2, 2])):
        assert trace.words == reader.encode(text).words and trace.again().words == trace.words
        torch.testing.assert_close(
            METHODS["occlusion"](trace, by="word"),
            ex.explain(reader, text, "occlusion", 2, by="word").scores,
        )


def test_a_picture_and_tensors_have_no_words():
    with pytest.raises(ex.Refusal, match="A picture has no words"):
        METHODS["occlusion"](tiny("vit").trace(example("vit"), 0), by="word")
    with pytest.raises(ex.Refusal, match="give the text itself"):
        METHODS["occlusion"](tiny("bert").trace(example("bert"), 0), by="word")
    with pytest.raises(ex.Refusal, match="choice of by"):
        METHODS["occlusion"](tiny("bert").trace(example("bert"), 0), by="sentence")


def test_didn_t_as_a_word_is_the_negation(sentiment):
    """By pieces a negation seems to matter little, since what is left of it still says no."""
    text = "really didn't like this movie"
    pieces, word = (
        ex.explain(sentiment, text, "occlusion", "NEGATIVE", by=by).merged()
        for by in ("token", "word")
    )
    place = word.labels.index("didn't")
    assert (
        round(float(pieces.scores[place]), 2) == 0.47
        and round(float(word.scores[place]), 2) == 4.11
    )
    assert word.cost == "up to 7F" and pieces.cost == "7F"


def test_by_word_on_the_command_line(capsys):
    assert (
        main(
            [
                "explain",
                "--text",
                "really didn't like this movie",
                "--method",
                "occlusion",
                "--target",
                "NEGATIVE",
                "--option",
                "by=word",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "didn't" in said and "4.11" in said

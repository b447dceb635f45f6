"""Words are cut at spaces and punctuation, whatever a tokenizer cuts; scripts without spaces by
characters with their marks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers_of import byte_level, gemma_like, llama_2_like, reading, unigram, word_pieces

import explainers as ex
from explainers.evaluation import case_of
from explainers.evaluation.removal import part_numbers as removable
from explainers.words import by_bytes, inside_word, segments, words_of

FILM = "the film wasn't bad, l'homme"
WORDS = ["the", "film", "wasn't", "bad", ",", "l'homme"]


def seen(model: ex.Model, given) -> list[str]:
    """The words that are shown, and that an evaluation takes out."""
    heat = ex.explain(model, given, "raw_attention")
    merged = heat.merged()
    torch.testing.assert_close(merged.scores.sum(), heat.scores.sum())
    numbers = removable(case_of(model, given))
    assert len(numbers[numbers >= 0].unique()) == len(merged.without_specials())
    return merged.without_specials().labels


def cut(text: str) -> list[str]:
    """The segments of a text alone."""
    numbers, found = segments(text), {}
    for character, number in zip(text, numbers):
        if number is not None:
            found[number] = found.get(number, "") + character
    return list(found.values())


MAKERS = {
    "gemma": lambda: gemma_like(
        "the", "▁film", "▁was", "n", "'", "t", "▁b", "ad", ",", "▁l", "h", "omme"
    ),
    "llama 2": lambda: llama_2_like(*"thefilmwasnbd',o"),
    "unigram": lambda: unigram(
        "▁the", "▁film", "▁was", "n", "'", "t", "▁b", "ad", ",", "l", "h", "omme"
    ),
    "byte-level": lambda: byte_level(FILM, "the bad film"),
    "word pieces": lambda: word_pieces(
        "the", "film", "was", "##n", "wasn", "'", "t", "ba", "##d", ",", "l", "ho", "##mme"
    ),
}


@pytest.mark.parametrize("made", MAKERS)
def test_every_kind_of_tokenizer_has_the_same_words(made):
    """Gemma's and Llama 2's cut nothing before the pieces: their own words are the whole text."""
    assert seen(reading(MAKERS[made]()), FILM) == WORDS


def test_halves_of_a_pair_have_words_of_their_own():
    assert seen(reading(MAKERS["gemma"]()), ("the film", "film was")) == [
        "the",
        "film",
        "film",
        "was",
    ]


SPACELESS = {
    "Chinese": ("这部电影真的很糟糕", list("这部电影真的很糟糕")),
    "Chinese with digits and marks": ("2024年，很好！", ["2024", "年", "，", "很", "好", "！"]),
    "Japanese": ("この映画は面白くなかった", list("この映画は面白くなかった")),
    "Japanese, voicing marks apart": ("か\u3099くせい", ["か\u3099", "く", "せ", "い"]),
    "Thai": ("ไม่ชอบหนัง", ["ไ", "ม่", "ช", "อ", "บ", "ห", "นั", "ง"]),
    "Thai am": ("น้ำ", ["น้ำ"]),
    "Khmer, a letter below": ("ស្តាប់", ["ស្តា", "ប់"]),
}


def test_a_token_of_several_characters_is_one():
    model = reading(gemma_like("电影", "这部", "真", "的"))
    assert seen(model, "这部电影真的糟") == ["这部", "电影", "真", "的", "糟"]


WITH_SPACES = {
    "Korean": ("영화가 정말 좋았다", ["영화가", "정말", "좋았다"]),
    "Arabic with vowels": ("كَانَ الفيلم، رائعًا", ["كَانَ", "الفيلم", "،", "رائعًا"]),
    "Hebrew": ("הסרט היה טוב", ["הסרט", "היה", "טוב"]),
    "Hindi": ("फ़िल्म अच्छी नहीं थी।", ["फ़िल्म", "अच्छी", "नहीं", "थी", "।"]),
    "Persian, joined without a space": ("می‌خواهم بروم", ["می‌خواهم", "بروم"]),
    "accents apart": ("cafe\u0301 nai\u0308ve", ["cafe\u0301", "nai\u0308ve"]),
    "apostrophes": (
        "didn't l’homme 'good' movies'",
        ["didn't", "l’homme", "'", "good", "'", "movies", "'"],
    ),
    "marks alone": (
        "good-bad snake_case 3.14 (yes)",
        ["good", "-", "bad", "snake", "_", "case", "3", ".", "14", "(", "yes", ")"],
    ),
    "pictures": ("good👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 ❤️", ["good", "👍🏽", "👨‍👩‍👧", "🇩🇪", "🇫🇷", "❤️"]),
    "soft hyphen": ("un\u00adlikely", ["un\u00adlikely"]),
}


SCRIPTS = SPACELESS | WITH_SPACES


@pytest.mark.parametrize("name", SCRIPTS)
def test_words_and_characters_with_their_marks_are_cut(name):
    text, wanted = SCRIPTS[name]
    assert cut(text) == wanted


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("made", ["byte-level", "gemma", "llama 2"])
def test_words_and_characters_are_the_same_out_of_bytes(made, name):
    text, wanted = SCRIPTS[name]
    assert seen(reading(MAKERS[made]()), text) == wanted


def test_a_token_over_a_border_joins_what_it_holds():
    """Pieces of a superword tokenizer go over spaces and punctuation."""
    model = reading(byte_level("of the film. of the film.", cut=False))
    coded = model.encode("of the film. good")
    borders = [coded.text[slice(*span)] for span in coded.spans if span]
    assert any(" " in piece for piece in borders), "else this would prove nothing"
    joined = seen(model, "of the film. good")
    assert " ".join(joined).replace(" ", "") == "ofthefilm.good" and joined[-1] == "good"
    for piece in borders:
        assert any(piece in word for word in joined)


def test_tokens_are_joined_over_their_borders_by_hand():
    spans = [None, (0, 2), (2, 7), (7, 10), (10, 11), (12, 13), None]
    assert words_of("one two, ab c", spans) == [None, 0, 0, 1, 1, 2, None]
    assert words_of("a,b", [(0, 1), (1, 2), (2, 3)]) == [0, 1, 2] and words_of(
        "a,b", [(0, 2), (2, 3)]
    ) == [0, 1]


def test_tokens_of_space_alone():
    """A lone ▁ opens its word; other space is between words, once however many tokens it has;
    nothing is what is there."""
    assert words_of("a b", [(0, 1), (1, 2), (2, 3)]) == [0, 1, 1]
    assert words_of("a b", [(0, 1), (2, 2), (2, 3)]) == [0, 1, 1]
    assert words_of("a  \n b", [(0, 1), (1, 3), (3, 4), (5, 6)]) == [0, 1, 1, 2]
    assert words_of("a \n", [(0, 1), (1, 2), (2, 3)]) == [0, 1, 1]
    assert words_of(" a", [(0, 1), (0, 2)]) == [0, 1] and words_of("\n", [(0, 1)]) == [0]


def test_bytes_of_a_run_that_was_given_whole_have_their_characters():
    assert by_bytes("aé电b", [None, (0, 1), *[(1, 3)] * 5, (3, 4)]) == [
        None,
        (0, 1),
        (1, 2),
        (1, 2),
        (2, 3),
        (2, 3),
        (2, 3),
        (3, 4),
    ]
    assert by_bytes("aé电b", [(0, 4), (1, 3), (1, 3)]) == [(0, 4), (1, 3), (1, 3)], (
        "not as many tokens as bytes"
    )


def test_the_start_of_a_word_and_its_inside():
    assert [inside_word("didn't Ashville", place) for place in (0, 1, 4, 5, 7, 10)] == [
        False,
        True,
        False,
        False,
        False,
        True,
    ]
    assert not inside_word("电影", 1) and inside_word("éa", 1)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_every_character_that_is_no_space_is_in_one_unit(text):
    numbers = segments(text)
    assert len(numbers) == len(text)
    there = [number for number in numbers if number is not None]
    assert there == sorted(there) and set(there) == set(range(len(set(there))))
    assert all(
        number is None
        for character, number in zip(text, numbers)
        if character in " \n\t\u3000\u200b"
    )

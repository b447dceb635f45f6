"""Hebrew and Arabic: columns follow the text, and a number keeps its sign on its left."""

import torch
from drawn_words import SIGNED, Reader, heat

from explainers.render import characters, tokens, trials
from explainers.render.heatmaps import heatmaps_html
from explainers.render.maps import token_map

HEBREW, ARABIC = "זה סרט גרוע מאוד", "هذا الفيلم رائع جدا"


def of_words(text: str, **more):
    """A map of a text with a score for each word."""
    words = text.split()
    numbers = torch.linspace(-0.5, 0.7, len(words)).tolist()
    return heat([0.0, *numbers, 0.0], labels=words, **more)


def tables(html: str) -> list[dict]:
    return Reader(html).all("table", "xp-map")


def test_columns_begin_at_the_side_where_the_text_begins():
    for text in (HEBREW, ARABIC):
        (table,) = tables(heatmaps_html([of_words(text), of_words(text)]))
        assert table["dir"] == "rtl"
    (table,) = tables(heatmaps_html([of_words("a bad film"), of_words("a bad film")]))
    assert "dir" not in table


def test_names_of_methods_are_read_from_the_left():
    reader = Reader(heatmaps_html([of_words(HEBREW), of_words(HEBREW)]))
    heads = [one for one in reader.all("th") if "tbody" in one["parents"] and "xp-map" in one]
    assert all(one["dir"] == "ltr" for one in heads)


def test_a_word_does_not_move_the_sign_of_the_number_behind_it():
    assert characters.isolated("גרוע") == "\u2068גרוע\u2069" and characters.isolated("bad") == "bad"
    (_, cell, *_) = Reader(tokens.running_text(of_words(HEBREW))).all("span", "xp-t")
    assert cell["data-tip"] == "\u2068זה\u2069  −0.5" and cell["aria-label"].startswith("זה: minus")
    long = heatmaps_html([of_words(" ".join([HEBREW] * 20))] * 2)
    assert "strongest: \u2068מאוד\u2069 +0.7, " in long
    assert 'data-tip="\u2068זה\u2069 ← \u2068סרט\u2069  ' in token_map(["זה", "סרט"], torch.eye(2))


def test_a_text_without_a_word_is_read_from_its_own_side():
    (text,) = Reader(trials.struck_text(SIGNED, [0])).all("p", "xp-prose")
    assert text["dir"] == "auto"

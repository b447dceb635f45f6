"""Functions of the page: kinds of input, models that bring one, and what was answered before."""

from dataclasses import replace
from html import unescape

import pytest
from asking import answers, choose_model, complaint, question, state
from visiting import SENTENCE

import explainers as ex
from explainers.page import asking, choosing, loading
from explainers.page.examples import EXAMPLES
from explainers.page.kinds import KINDS, TABS
from explainers.page.pieces import NO_REFUSALS


@pytest.mark.parametrize(
    ("kind", "text", "pair", "model"),
    [
        ("Pair", "A man sleeps.", "Nobody sleeps.", "inference"),
        ("Question", "Who sleeps?", "A man sleeps, and a woman reads.", "question-answering"),
    ],
)
def test_pairs_and_questions(kind, text, pair, model):
    asked = question(kind, text, pair=pair, model=model)
    last = answers(asked)[-1]
    compared = last["compared"]["value"]
    assert not complaint(last) and compared.count('class="xp-half-name"') >= 2
    one = KINDS[kind]
    assert one.text_label.casefold() in compared and one.pair_label.casefold() in compared
    (empty,) = answers(replace(asked, pair=""))
    assert "is empty" in complaint(empty)
    heads = answers(asked, part="Heads", layer=1)[0]["panel"]["value"]
    assert "Layer 1, head by head over the words" in heads
    assert "no picture" not in heads


def test_an_answer_can_be_chosen_by_its_words():
    given = question("Question", "Who sleeps?", pair="A man sleeps, and a woman reads.")
    one = answers(replace(given, target="a woman"))[-1]["compared"]["value"]
    assert "towards “a woman”" in unescape(one)
    two = answers(replace(given, target="A man", versus="a woman"))[-1]["compared"]["value"]
    assert "towards “A man”" in unescape(two)
    assert "not in the context" in complaint(answers(replace(given, target="a dog"))[-1])


def test_the_kind_follows_the_model_and_the_model_the_kind():
    mixed = EXAMPLES["Sentence"]["mixed review"]["text"]
    changes = choosing.choose_kind("Question", mixed, "sentiment")
    assert changes["kind"]["value"] == "Question"
    assert changes["model"]["value"] == "question-answering"
    assert changes["pair"]["visible"] and changes["pair"]["value"]
    assert changes["text"]["value"] != mixed
    changes = choosing.choose_kind("Pair", "typed by hand", "sentiment")
    assert "value" not in changes["text"], "what was typed stays"
    assert "value" not in changes["pair"] and changes["model"]["value"] == "inference"
    changes = choose_model("paraphrase", text=mixed, target="POSITIVE")
    assert changes["kind"]["value"] == "Pair" and changes["model"]["value"] == "paraphrase"
    assert changes["target"]["value"] == "predicted"
    assert "paraphrase" in changes["target"]["choices"]
    assert choose_model("paraphrase", "Pair", "a")["kind"]["value"] == "Pair"
    changes = choose_model("sentiment", "Sentence", mixed, "NEGATIVE", "POSITIVE", 2)
    kept = [changes[name]["value"] for name in ("model", "target", "versus", "layer")]
    assert kept == ["sentiment", "NEGATIVE", "POSITIVE", 2], "the same model changes nothing"
    assert loading.kinds_of("sentiment") == ["Sentence"]
    assert loading.kinds_of("inference") == loading.kinds_of("paraphrase") == ["Pair"]


def test_a_language_model_brings_its_own_kind(monkeypatch):
    from tiny import tiny
    from transformers import GPT2Tokenizer

    tokenizer = GPT2Tokenizer(
        vocab={letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyzĠ")}
        | {"<|endoftext|>": 199},
        merges=[],
    )
    writer = ex.load(tiny("gpt2").net, tokenizer=tokenizer, device="cpu")
    load = ex.load
    monkeypatch.setattr(
        ex, "load", lambda name, **how: writer if name == "some/writer" else load(name, **how)
    )
    loading.model_of.cache_clear()
    changes = choose_model("some/writer")
    assert changes["kind"]["value"] == "Next token"
    assert "Next token" in changes["kind"]["choices"]
    assert not changes["pair"]["visible"] and "token" in changes["target"]["info"]
    asked = question("Next token", "so it goes", model="some/writer", target="a")
    compared = answers(asked, ["attcat"], layer=0)[0]["compared"]["value"]
    assert 'class="xp-pending"' in compared and "towards" in compared
    loading.model_of.cache_clear()


def test_what_was_answered_is_not_answered_again_and_what_was_refused_is():
    """Menus say that they were used when the keyboard passes through them."""
    turn = asking.Turn()
    two = state(SENTENCE, ("attcat", "gae"))
    assert len(list(asking.ask(turn, two))) == 2
    assert list(asking.ask(turn, two)) == [NO_REFUSALS]
    assert len(list(asking.ask(turn, state(SENTENCE, ("gae",))))) == 1
    for _ in range(2):
        refused = next(asking.ask(turn, state(question(text=""), ("gae",))))
        assert "is empty" in complaint(refused)
    first, second = asking.ask(turn, two), asking.ask(turn, two)
    next(first)
    assert list(second) == [NO_REFUSALS]
    assert len(list(first)) == 1, "one that is being answered goes on"
    older = asking.ask(turn, state(SENTENCE, ("attcat", "rollout")))
    newer = asking.ask(turn, two)
    next(older), next(newer)
    assert list(older) == [{}]


def show_layers(asked, layers_of: str, part: str = "Layers", layer: int = 0) -> dict:
    look = {"merge": True, "specials": False, "palette": "orange-blue", "options": "{}"}
    shown = {"layers_of": layers_of, "part": part, "layer": layer}
    return asking.show_layers(TABS["Text"], asked=asked, **look, **shown)


def test_layers_follow_what_was_explained():
    asked = question("Question", "Who sleeps?", pair="A man sleeps.")
    changes = show_layers(asked, "rollout")
    assert "Attention rollout, layer by layer" in changes["panel"]["value"]
    assert not changes["layer"]["visible"] and changes["layers_of"]["value"] == "rollout"
    changes = show_layers(asked, "rollout", "Heads", 99)
    assert changes["layers_of"]["value"] == "attcat" and changes["layer"]["visible"]
    assert "Layer 5, head by head" in changes["panel"]["value"]
    assert not complaint(show_layers(None, "attcat"))

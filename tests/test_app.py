"""The page: its functions by themselves, then app.py in a real browser, where each test checks what
a person would see.
"""

import json
import re
import time
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from asking import answers, complaint, question, state, values_of, write_file
from browser import CONTRAST, CUT, LAYERS, LUMINANCE, ROOT, SHOWN, STRONGEST, missing, until

import explainers as ex
from explainers.page import answers as page_answers
from explainers.page import asking, choosing, loading
from explainers.page.examples import EXAMPLES, fields_of, first_example
from explainers.page.links import LONGEST_TEXT
from explainers.page.options import DEFAULT, read_options, with_option
from explainers.page.pieces import NO_REFUSALS, refusal_box
from explainers.page.state import KINDS, TABS, given_by, in_order
from explainers.render import tokens
from explainers.render.characters import visible
from explainers.render.colours import PALETTES

TEXT = "The plot is dull, but the acting is unbelievably good."
# methods of one pass, in the page's order: signed, unsigned, unsigned
QUICK = "attcat,raw_attention,gae"
HOSTILE = "<script>alert(1)</script> good <img src=x onerror=alert(2)>"
SENTENCE = question(text=TEXT)


# ---------------------------------------------------------------------------------------- functions


def test_every_method_is_on_the_menu_of_its_tabs():
    for tab in TABS.values():
        offered = {method.key for method in tab.methods}
        modality = "text" if tab.name == "Text" else "image"
        assert offered == {key for key, one in ex.METHODS.items() if modality in one.tasks}
        assert set(tab.first) <= offered and len(tab.first) <= 7
        for part in ("Layers", "Heads"):
            shown = {method.key for method in tab.with_part(part)}
            having = {key for key in offered if part.lower() in ex.METHODS[key].parts}
            assert shown == having
        for method in tab.methods:
            assert ("·" in asking.menu_title(method)) != method.single_pass


def test_signed_methods_come_first_and_attcat_on_top():
    keys = ["raw_attention", "rollout", "occlusion", "cat", "attcat"]
    assert in_order(keys) == ["attcat", "occlusion", "cat", "raw_attention", "rollout"]


def test_one_method_after_another():
    steps = answers(SENTENCE, ("attcat", "gae", "raw_attention"))
    counts = [(1, 1), (1, 0), (0, 0)]
    for step, (computing, waiting) in zip(steps, counts, strict=True):
        compared = step["compared"]["value"]
        assert compared.count("computing …") == computing
        assert compared.count("waiting …") == waiting
        assert compared.count("<style") == 0, "the page has the styles already"
        assert not complaint(step)
    assert "layer by layer" in steps[0]["panel"]["value"]
    assert steps[-1]["asked"]["value"] == SENTENCE
    assert steps[-1]["shown"]["value"] == SENTENCE.fingerprint


def test_a_method_of_many_passes_says_what_it_costs_before_it_starts():
    steps = answers(SENTENCE, ("integrated_gradients", "smoothgrad"))
    first, second, last = [step["compared"]["value"] for step in steps]
    waits = r"(computing|waiting) …"
    assert "Integrated gradients · 50F 50B" in first and "SmoothGrad · 20F 20B" in first
    assert re.findall(waits, first) == ["computing", "waiting"]
    assert "Integrated gradients · 50F 50B" not in second
    assert re.findall(waits, second) == ["computing"]
    assert not re.findall(waits, last)


def test_a_long_text_is_refused_by_the_methods_that_would_hang_the_page():
    """In words, with what they would need, and before anything of theirs is computed; the others
    explain it.
    """
    methods = ("attcat", "attention_flow", "attattr", "value_zeroing", "optimus")
    *_, last = answers(question(text="a dull film " * 134), methods)
    said = unescape(last["compared"]["value"])
    for title, most, needs in (
        ("Value Zeroing", 384, "every layer 404 times over"),
        ("Optimus", 384, "404 whole forward passes"),
        ("Attention flow", 256, "404 maximum flows"),
        ("AttAttr", 256, "a whole forward and backward pass for every step in every layer"),
    ):
        sentence = (
            f"{title} takes at most {most} tokens and this input has 404: it would need {needs}"
        )
        assert sentence in said
    assert "strongest:" in said


def test_what_a_person_typed_is_escaped():
    for asked in (
        question(text=HOSTILE),
        question("Pair", HOSTILE, pair=HOSTILE, model="inference"),
    ):
        answer = answers(asked)[-1]
        for name in ("said", "compared", "panel"):
            shown = str(answer.get(name))
            assert "<script" not in shown and "<img" not in shown


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \u200b\n"}, "empty"),
        ({"methods": ()}, "at least one method"),
        ({"model": "./nowhere"}, ""),
        ({"model": "a b c"}, ""),
        ({"model": ""}, ""),
        ({"target": "NEUTRAL"}, "NEUTRAL"),
        ({"target": "NEGATIVE", "versus": "NEGATIVE"}, "always zero"),
    ],
    ids=str,
)
def test_refusals_are_one_sentence_and_keep_what_was_shown(given, says):
    methods = given.pop("methods", ("attcat", "raw_attention"))
    (step,) = answers(replace(SENTENCE, **given), methods)
    sentence = complaint(step)
    assert sentence and says in sentence and "Traceback" not in sentence and "Error" not in sentence
    assert sum('"xp ' in str(part) for part in step.values()) == 0


def test_fields_that_gradio_leaves_empty_are_refused_in_a_sentence():
    for name in ("text", "model"):
        values = values_of(state(SENTENCE)) | {name: None}
        (step,) = asking.explain(asking.Turn(), **values)
        assert complaint(step)


def test_a_refusal_escapes_what_it_quotes():
    changes = answers(replace(SENTENCE, model=HOSTILE))[0]
    shown = changes["model_refusal"]["value"]
    assert "<script" not in shown and "<img" not in shown
    assert "&lt;script&gt;" in refusal_box("<script>")["value"]


def test_an_accident_is_a_plain_sentence_and_is_logged(monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(page_answers, "heats_of", broken)
    sentence = complaint(answers(SENTENCE)[-1])
    assert sentence and "secret" not in sentence
    assert "the secret inside" in caplog.text


def test_visitors_get_no_look_at_the_disk():
    """A folder of the server, with a model in it or not, is not loaded and not told apart from one
    that is not there.
    """
    folders = (
        ROOT / "tests/goldens/models/bert",
        ROOT / "tests",
        "/no/such/folder",
        "tests/goldens",
    )
    said = set()
    for folder in folders:
        refused = complaint(answers(replace(SENTENCE, model=str(folder)))[-1])
        said.add(refused.replace(str(folder), ""))
    assert len(said) == 1 and said != {""}


def test_the_api_gives_the_record(sentiment):
    api = pytest.importorskip("explainers.page.api")
    record = api.explain_api(TEXT, "sentiment", "cat", "NEGATIVE")
    one = ex.explain(sentiment, TEXT, "cat", "NEGATIVE")
    assert record["tokens"] == one.labels and record["target"] == "NEGATIVE"
    assert record["scores"] == pytest.approx(one.scores.tolist(), rel=1e-4, abs=1e-6)
    with pytest.raises(Exception, match="did you mean &#x27;attcat&#x27;"):
        api.explain_api(TEXT, method="atcat")


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".csv", ".json"])
def test_files(suffix):
    changes = write_file(SENTENCE, suffix, link="http://x/?text=y")
    written = Path(changes["file"]["value"]).read_bytes()
    if suffix == ".png":
        assert written.startswith(b"\x89PNG")
    elif suffix != ".csv":
        assert b"unbelievably" in written
    assert complaint(write_file(SENTENCE, suffix, methods=()))
    assert "first" in complaint(write_file(None, suffix))


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, several in EXAMPLES.items() for name in several]
)
def test_examples_can_be_explained(kind, name):
    example, one = EXAMPLES[kind][name], KINDS[kind]
    assert len(EXAMPLES[kind]) >= 3
    assert bool(example.get("picture")) == one.has_picture
    assert bool(example.get("text")) == bool(one.text_label)
    assert bool(example.get("pair")) == bool(one.pair_label)
    assert sum(map(len, example.values())) <= LONGEST_TEXT
    if kind != "Next token":  # its model is not bundled
        model = loading.model_of(example.get("model", one.model))
        given = given_by(question(kind, **fields_of(example)))
        heat = ex.explain(model, given, "raw_attention")
        assert heat.grid or len(tokens.view(heat)) <= tokens.COLUMNS


def test_a_method_that_refuses_does_not_stop_the_others(monkeypatch):
    explained = ex.explain_trace

    def some(model, coded, trace, key, **options):
        if key == "gae":
            raise ex.Refusal("GAE is not <b>for</b> this.")
        return explained(model, coded, trace, key, **options)

    monkeypatch.setattr(ex, "explain_trace", some)
    asked = question(text="A sentence asked only here.")
    last = answers(asked, ("attcat", "gae", "raw_attention"))[-1]
    compared = last["compared"]["value"]
    assert not complaint(last) and "GAE is not &lt;b&gt;for&lt;/b&gt; this." in compared
    assert compared.count('class="xp-name"') == 2
    alone = answers(question(text="Another sentence asked only here."), ("gae",))[-1]
    assert "GAE is not" in alone["compared"]["value"] and not complaint(alone)


def test_two_visitors_do_not_take_each_other_s_traces(sentiment, monkeypatch):
    """Each question is traced once, also where two are answered by turns."""
    traced, trace = [], ex.Model.trace

    def counted(model, coded, *rest, **options):
        traced.append(coded.text)
        return trace(model, coded, *rest, **options)

    monkeypatch.setattr(ex.Model, "trace", counted)
    methods = ("attcat", "cat", "gae", "raw_attention")
    texts = ["A text of the first visitor.", "A text of the second visitor."]
    running = [asking.answer(state(question(text=text), methods)) for text in texts]
    steps = list(zip(*running, strict=True))
    assert len(steps) == len(methods) and traced == texts


def test_options_are_kept_said_and_refused(sentiment):
    options = with_option("{}", "rollout", "start", 2)
    options = with_option(options, "attcat", "states", "output")
    assert read_options(options) == {"rollout": {"start": 2}, "attcat": {"states": "output"}}
    last = answers(SENTENCE, ("attcat", "rollout"), options=options)[-1]["compared"]["value"]
    heat = ex.explain(sentiment, TEXT, "rollout", start=2)
    assert "Attention rollout: start 2" in last and "AttCAT: states output" in last
    assert heat.in_words(float(heat.merged().scores[3])) in unescape(last)
    kept = with_option(options, "rollout", "start", 0)
    assert kept == '{"attcat": {"states": "output"}}', "a default is not kept"
    assert with_option(kept, "attcat", "states", DEFAULT) == "{}"
    refused = answers(SENTENCE, ("grads",), options='{"grads": {"layer": 99}}')[-1]
    assert "There is no layer 99" in refused["compared"]["value"]
    for odd in (
        "",
        "[]",
        "{",
        '{"rollout": 3}',
        '{"no": {"start": 1}}',
        '{"rollout": {"no": 1}}',
        '{"rollout": {"start": "x"}}',
        "null",
    ):
        assert read_options(odd) == {}, odd


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


def choose_model(
    model: str, kind="Sentence", text="", target="predicted", versus="nothing", layer=5
) -> dict:
    return choosing.choose_model(model, kind, text, target, versus, layer)


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


# ---------------------------------------------------------------------------------- asking the page

browser_test = pytest.mark.browser


def heats(model, text, methods=QUICK, target=None) -> list:
    return [tokens.view(one) for one in ex.compare(model, text, methods.split(","), target)]


def words_of(heat) -> list[str]:
    return [visible(label) for label in heat.labels]


def settled(page, words: list[str] | None = None, target: str = "") -> dict:
    """Wait until every method is there, for these words and this legend; what is shown then."""
    until(
        page,
        """([words, target]) => {
      const root = document.querySelector('#text-compared');
      if (!root) return false;
      const seen = [...root.querySelectorAll('.xp > .xp-prose [data-i]')]
          .map(cell => cell.textContent);
      return seen.length && !root.innerText.includes('computing …')
          && (!words || JSON.stringify(words) === JSON.stringify(seen))
        && root.querySelector('.xp-legend').innerText.includes(target);
    }""",
        [words, target],
    )
    page.wait_for_timeout(150)  # a frame for the script that adds tab stops
    return page.evaluate(SHOWN)


def strips(page, count: int):
    """Wait until a long text is explained by `count` methods."""
    until(
        page,
        """count => document.querySelectorAll('#text-compared .xp-strip').length === count
      && !document.querySelector('#text-compared').innerText.includes('computing …')""",
        count,
    )


def explain(page, text: str):
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Explain", exact=True).click()


def choose(page, menu: str, option: str):
    page.get_by_role("combobox", name=menu, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    until(page, "() => !document.querySelector('[role=option]')")


def tab(page, name: str):
    page.get_by_role("tab", name=name, exact=True).click()
    until(
        page,
        "name => document.querySelector('#text-views "
        "[role=tab][aria-selected=true]').textContent.trim() === name",
        name,
    )


def refusal(page, says: str = "") -> object:
    found = page.locator(".refusal:visible")
    found.wait_for()
    until(
        page,
        """says => [...document.querySelectorAll('.refusal')].some(
      one => one.checkVisibility() && one.innerText.includes(says))""",
        says,
    )
    assert found.count() == 1
    return found


def value(tip: str) -> float:
    return float(tip.rpartition("  ")[2].replace("−", "-"))


def check_numbers(tips: list[str], scores):
    assert [value(tip) for tip in tips] == pytest.approx(scores.tolist(), rel=6e-3, abs=1e-5)


def check_rows(shown: dict, expected: list):
    """Every row stands over the same words in order, with the library's numbers and signs."""
    words = words_of(expected[0])
    assert [cell["text"] for cell in shown["words"]] == words
    assert shown["columns"][-len(words) :] == words
    assert [row["name"] for row in shown["rows"]] == [heat.title for heat in expected]
    check_numbers([cell["tip"] for cell in shown["words"]], expected[0].scores)
    for row, heat in zip(shown["rows"], expected):
        assert [cell["i"] for cell in row["cells"]] == list(range(len(words)))
        assert [cell["tip"].rpartition("  ")[0] for cell in row["cells"]] == [
            word[:40] for word in words
        ]
        check_numbers([cell["tip"] for cell in row["cells"]], heat.scores)
        for cell in row["cells"]:
            kinds, score = cell["kind"].split(), value(cell["tip"])
            assert ("pos" in kinds, "neg" in kinds) == (
                heat.signed and score > 0,
                heat.signed and score < 0,
            )


# ----------------------------------------------------------------------------------------- the page


@browser_test
def test_the_first_example_is_explained_without_a_click(visit, sentiment, pictures):
    page = visit()
    shown = settled(page)
    text = EXAMPLES["Sentence"]["mixed review"]["text"]
    assert page.get_by_label("Text", exact=True).input_value() == text
    keys = [
        next(key for key, method in ex.METHODS.items() if method.title == row["name"])
        for row in shown["rows"]
    ]
    assert set(keys) == set(TABS["Text"].first) and keys[0] == "attcat"
    check_rows(shown, heats(sentiment, text, ",".join(keys)))
    best = ex.predict(sentiment, text)
    assert shown["said"].startswith(f"{best.best} {best.values[0]:.1%}")
    assert shown["prose"] == text
    assert page.title().startswith("Explainers")
    page.screenshot(path=pictures / "compare_light.png", full_page=True)


@browser_test
def test_a_typed_sentence_is_explained_with_the_library_s_numbers(visit, sentiment):
    page = visit(methods=QUICK)
    settled(page)
    explain(page, TEXT)
    expected = heats(sentiment, TEXT)
    check_rows(settled(page, words_of(expected[0])), expected)
    again = "Not good. Not bad either?"
    page.get_by_label("Text", exact=True).fill(again)
    page.get_by_label("Text", exact=True).press("Shift+Enter")  # as the button
    expected = heats(sentiment, again)
    check_rows(settled(page, words_of(expected[0])), expected)


@browser_test
def test_an_example_is_one_click(visit, sentiment):
    page = visit(methods=QUICK)
    settled(page)
    page.get_by_role("button", name="negation", exact=True).click()
    expected = heats(sentiment, EXAMPLES["Sentence"]["negation"]["text"])
    check_rows(settled(page, words_of(expected[0])), expected)
    assert (
        page.get_by_label("Text", exact=True).input_value()
        == EXAMPLES["Sentence"]["negation"]["text"]
    )


@browser_test
def test_rows_appear_one_by_one(visit):
    page = visit(methods="attcat")
    settled(page)
    for name in ("Integrated gradients", "SmoothGrad"):
        page.get_by_role("checkbox", name=name, exact=False).check()
    until(page, "() => document.querySelectorAll('#text-compared tbody tr .xp-name').length === 3")
    settled(page)
    page.evaluate("""() => {
      window.steps = [];
      new MutationObserver(() => {
        const rows = [...document.querySelectorAll('#text-compared table.xp-map tbody tr')];
        const step = rows.map(row => row.innerText.includes('ing …'));
        const isNew = JSON.stringify(step) !== JSON.stringify(window.steps.at(-1));
        if (step.length && isNew) window.steps.push(step);
      }).observe(document.querySelector('#text-compared'), {childList: true, subtree: true});
    }""")
    text = "A film nobody has explained before."
    explain(page, text)
    until(page, "() => window.steps.length > 1 && window.steps.at(-1).every(waits => !waits)")
    steps = page.evaluate("window.steps")
    assert [False, True, True] in steps, (
        "the first row was not shown while the others were computed"
    )
    assert [sum(step) for step in steps] == sorted((sum(step) for step in steps), reverse=True)
    assert len(settled(page)["rows"]) == 3


@browser_test
def test_hovering_a_word_shows_its_number_and_marks_it_in_every_row(visit):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    hot = "() => [...document.querySelectorAll('#text-compared .hot')].map(cell => cell.dataset.i)"
    for target in (
        page.locator("#text-compared tbody tr").nth(1).locator("td").nth(3),
        page.locator("#text-compared .xp-prose [data-i]").nth(3),
    ):
        target.hover()
        assert page.evaluate(hot) == ["3"] * 4  # the text and three rows
        tip = target.get_attribute("data-tip")
        assert target.evaluate("cell => getComputedStyle(cell, '::after').content") == json.dumps(
            tip, ensure_ascii=False
        )
        page.mouse.move(2, 2)
        assert page.evaluate(hot) == []
        assert target.evaluate("cell => getComputedStyle(cell, '::after').content") in (
            "none",
            "normal",
        )


@browser_test
def test_arrow_keys_walk_through_words_and_rows(visit):
    page = visit(methods=QUICK, text=TEXT)
    shown = settled(page)
    where = """() => {
      const cell = document.activeElement;
      const row = cell.closest('tr');
      return [row ? [...row.parentElement.children].indexOf(row) : -1, +cell.dataset.i,
              getComputedStyle(cell, '::after').content,
              document.querySelectorAll('#text-compared .hot').length];
    }"""
    page.locator("#text-compared tbody td").first.focus()
    last = len(shown["words"]) - 1
    for key, row, i in (
        ("ArrowRight", 0, 1),
        ("ArrowRight", 0, 2),
        ("ArrowDown", 1, 2),
        ("ArrowDown", 2, 2),
        ("ArrowDown", 2, 2),
        ("ArrowUp", 1, 2),
        ("ArrowLeft", 1, 1),
        ("End", 1, last),
        ("ArrowRight", 1, last),
        ("Home", 1, 0),
        ("ArrowLeft", 1, 0),
    ):
        page.keyboard.press(key)
        tip = json.dumps(shown["rows"][row]["cells"][i]["tip"], ensure_ascii=False)
        assert page.evaluate(where) == [row, i, tip, 4], key
    page.locator("#text-compared .xp-prose [data-i]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(where)[:2] == [-1, 1]
    assert page.locator("#text-compared [data-i][tabindex='0']").count() == 2, (
        "one tab stop in the text and one in the table"
    )


@browser_test
def test_a_method_s_name_paints_the_text_with_its_row(visit):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    for k, name in ((2, "GAE (generic attention)"), (0, "AttCAT"), (1, "Raw attention")):
        page.get_by_role("button", name=name, exact=True).click()
        shown = page.evaluate(SHOWN)
        row = shown["rows"][k]
        assert row["name"] == name and [one["lead"] for one in shown["rows"]] == [
            i == k for i in range(3)
        ]
        paint = {"pos", "neg", "mag", "strong"}
        for word, cell in zip(shown["words"], row["cells"], strict=True):
            assert (word["tip"], word["share"], word["label"]) == (
                cell["tip"],
                cell["share"],
                cell["label"],
            )
            assert paint & set(word["kind"].split()) == paint & set(cell["kind"].split())
        assert shown["legend"].startswith(name)


@browser_test
def test_another_class_and_a_difference_of_classes(visit, sentiment, pictures):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    for name in sentiment.labels.values():
        choose(page, "Explain", name)
        shown = settled(page, target=f"towards {name}")
        assert f"away from {name}" in shown["legend"]
        check_rows(shown, heats(sentiment, TEXT, target=name))
    negative, positive = (sentiment.labels[i] for i in range(2))
    choose(page, "Explain", negative)
    choose(page, "rather than", positive)
    shown = settled(page, target=f"towards {positive}")
    assert "away from" not in shown["legend"]
    assert re.search(rf"towards {positive}\s*towards {negative}", shown["legend"])
    check_rows(shown, heats(sentiment, TEXT, target=(negative, positive)))
    page.screenshot(path=pictures / "difference_light.png", full_page=True)
    choose(page, "rather than", negative)
    assert "always zero" in refusal(page, "always zero").inner_text()
    choose(page, "rather than", "nothing")
    settled(page, target=f"away from {negative}")
    assert page.locator(".refusal:visible").count() == 0


@browser_test
def test_display_choices_redraw(visit, sentiment):
    page = visit(methods=QUICK, text=TEXT)
    shown = settled(page)
    page.get_by_text("Display", exact=True).click()
    page.get_by_label("Sum sub-words into words", exact=True).uncheck()
    apart = ex.explain(sentiment, TEXT, "attcat").without_specials()
    assert len(apart) > len(shown["words"]), "this text has no word of several pieces"
    until(
        page,
        "n => document.querySelectorAll('#text-compared .xp > .xp-prose [data-i]').length === n",
        len(apart),
    )
    check_numbers([cell["tip"] for cell in settled(page)["words"]], apart.scores)
    page.get_by_label("Show [CLS] and [SEP]", exact=True).check()
    until(
        page,
        "() => document.querySelectorAll('#text-compared .xp > .xp-prose "
        ".xp-special').length === 2",
    )
    assert [cell["text"] for cell in settled(page)["words"]][:: len(apart) + 1] == [
        "[CLS]",
        "[SEP]",
    ]


# --------------------------------------------------------------------------------------- other tabs


@browser_test
def test_options_of_a_method_redraw_it_and_stay_in_the_link(visit, pictures):
    page = visit(text=TEXT, methods="attcat,rollout")
    settled(page)
    page.get_by_role("button", name=re.compile("Options of a method")).click()
    panel = page.locator("#text-options")
    panel.get_by_role("combobox", name=re.compile("Method")).click()
    page.get_by_role("option", name="Attention rollout", exact=True).click()
    start = panel.get_by_role("spinbutton", name="start")
    start.fill("2")
    start.press("Enter")
    until(
        page,
        "() => document.querySelector('#text-compared').innerText.includes('Attention "
        "rollout: start 2')",
    )
    panel.get_by_role("checkbox", name="residual").uncheck()
    until(
        page,
        "() => document.querySelector('#text-compared')?.innerText.includes('residual "
        "False, start 2')",
    )
    until(page, "() => decodeURIComponent(location.search).includes('residual')")
    page.screenshot(path=pictures / "options_light.png", full_page=True)
    fresh = visit(page.url)
    until(
        fresh,
        "() => document.querySelector('#text-compared')?.innerText.includes('residual "
        "False, start 2')",
    )
    fresh.get_by_role("button", name=re.compile("Options of a method")).click()
    assert (
        fresh.locator("#text-options").get_by_role("spinbutton", name="start").input_value() == "2"
    )
    assert not fresh.locator("#text-options").get_by_role("checkbox", name="residual").is_checked()


@browser_test
def test_layers(visit, sentiment, pictures):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    tab(page, "Layers")
    one = tokens.view(ex.explain(sentiment, TEXT, "attcat"))
    until(
        page,
        "title => document.querySelector('#text-panel h3')?.textContent === title",
        "AttCAT, layer by layer",
    )
    seen = page.evaluate(LAYERS)
    assert [row["name"] for row in seen["rows"]] == [*one.row_labels, "Sum", "Rollout"]
    assert one.row_labels == [f"L{i}" for i in range(len(sentiment.blocks))]
    for row, scores in zip(seen["rows"], [*one.rows, *one.totals.values()], strict=True):
        check_numbers(row["tips"], scores)
    assert seen["output"] == "Sum"

    page.locator("#text-panel .xp-range").focus()
    for key, name in (
        ("Home", "L0"),
        ("ArrowRight", "L1"),
        ("End", "Rollout"),
        ("ArrowLeft", "Sum"),
        ("Home", "L0"),
    ):
        page.keyboard.press(key)
        seen = page.evaluate(LAYERS)
        chosen = [row for row in seen["rows"] if row["chosen"]]
        assert [row["name"] for row in chosen] == [name] == [seen["output"]]
        assert seen["reading"] == chosen[0]["tips"]
    page.screenshot(path=pictures / "layers_light.png", full_page=True)

    page.get_by_role("radio", name="Attention rollout", exact=True).check()
    until(
        page,
        "title => document.querySelector('#text-panel h3')?.textContent === title",
        "Attention rollout, layer by layer",
    )
    page.wait_for_timeout(150)
    other = tokens.view(ex.explain(sentiment, TEXT, "rollout"))
    seen = page.evaluate(LAYERS)
    assert [row["name"] for row in seen["rows"]] == [*other.row_labels, *other.totals]
    check_numbers(seen["rows"][-1]["tips"], other.rows[-1])
    assert seen["output"] == seen["rows"][-1]["name"] and "unsigned" in seen["legend"]

    explain(page, "Now it is good.")
    until(
        page,
        """() =>
      [...document.querySelectorAll('#text-panel .xp-reading [data-i]')]
        .map(word => word.textContent).join(' ') === 'Now it is good .'""",
    )


@browser_test
def test_every_method_has_its_card(visit, pictures):
    page = visit(methods=QUICK)
    settled(page)
    tab(page, "Methods")
    cards = page.locator(".xp-card:visible")
    methods = sorted(
        ex.METHODS.values(), key=lambda method: "text" not in method.tasks
    )  # those of other tabs last, with the reason
    assert cards.locator("summary b").all_inner_texts() == [method.title for method in methods]
    for k, method in enumerate(methods):
        if cards.nth(k).get_attribute("open") is None:
            cards.nth(k).locator("summary").click()
        assert (
            method.card.formula in cards.nth(k).inner_text()
            and method.only in cards.nth(k).inner_text()
        )
    page.screenshot(path=pictures / "methods_light.png", full_page=True)


@browser_test
def test_a_link_restores_the_view(visit, sentiment, pictures):
    first, second = sentiment.labels[0], sentiment.labels[1]
    page = visit(methods="attcat")
    settled(page)
    text = "Good & bad, “quoted” +plus #hash 50% 映画 😀?"
    explain(page, text)
    words = words_of(heats(sentiment, text, "attcat")[0])
    settled(page, words)
    page.get_by_role("checkbox", name="CAT", exact=True).check()
    until(page, "() => document.querySelectorAll('#text-compared tbody tr .xp-name').length === 2")
    choose(page, "Explain", first)
    choose(page, "rather than", second)
    expected = settled(page, words, target=f"towards {second}")
    tab(page, "Layers")
    page.get_by_role("radio", name="CAT", exact=True).check()
    until(page, "() => document.querySelector('#text-panel h3')?.textContent.startsWith('CAT,')")
    tab(page, "Share")
    link = page.locator("label:has-text('A link that restores this view') :is(input, textarea)")
    until(
        page,
        "() => location.search.includes('layers=cat') && location.search.includes('view=layers')",
    )
    page.screenshot(path=pictures / "share_light.png", full_page=True)
    assert link.input_value() == page.url

    fresh = visit(link.input_value())
    until(
        fresh,
        "() => document.querySelector('#text-views "
        "[role=tab][aria-selected=true]')?.textContent.trim() === 'Layers'",
    )
    tab(fresh, "Compare")
    shown = settled(fresh, words, target=f"towards {second}")
    for part in ("words", "rows", "legend", "said"):
        assert shown[part] == expected[part]
    assert fresh.get_by_label("Text", exact=True).input_value() == text
    assert fresh.get_by_label("Explain", exact=True).input_value() == first
    assert fresh.get_by_label("rather than", exact=True).input_value() == second
    checked = fresh.get_by_role("checkbox", checked=True).evaluate_all(
        "boxes => boxes.map(box => box.closest('label').innerText.trim())"
    )
    assert {"CAT", "AttCAT"} == set(checked) & {method.title for method in ex.METHODS.values()}
    tab(fresh, "Layers")
    assert fresh.get_by_role("radio", name="CAT", exact=True).is_checked()
    assert fresh.evaluate(LAYERS)["title"] == "CAT, layer by layer"


@browser_test
def test_a_link_of_nonsense_still_opens(visit):
    nonsense = {
        "model": "no-such-owner/no-such-model-<b>",
        "class": "NOPE",
        "versus": "<i>",
        "methods": "zzz,,attcat,vit_cx",
        "layers": "nope",
        "view": "nowhere",
        "text": "",
        "colours": "mud",
        "specials": "x",
        "more": "x" * 500,
    }
    page = visit(**nonsense)
    shown = settled(page)
    assert (
        shown["legend"].startswith("AttCAT") and shown["rows"] == []
    )  # the one method that there is; alone it needs no table
    assert (
        page.get_by_label("Text", exact=True).input_value()
        == EXAMPLES["Sentence"]["mixed review"]["text"]
    )
    assert page.get_by_label("Explain", exact=True).input_value() == "predicted"
    assert "<b>" in refusal(page, "The bundled model is shown instead").inner_text()


@browser_test
def test_a_question_is_explained_and_its_link_restores_it(visit, pictures):
    page = visit(methods=QUICK)
    settled(page)
    page.get_by_role("radio", name="Question", exact=True).check()
    example = first_example("Question")
    finder, given = loading.model_of("question-answering"), (example["text"], example["pair"])
    expected = heats(finder, given)
    shown = settled(page, words_of(expected[0]))
    check_rows(shown, expected)
    assert page.get_by_role("textbox", name="Question", exact=True).input_value() == given[0]
    assert page.get_by_label("Context", exact=True).input_value() == given[1]
    assert shown["said"].startswith(ex.predict(finder, given).best) and shown["columns"][:2] == [
        "question",
        "context",
    ]
    frame = page.locator("#text-compared .xp-prose .xp-marked")
    answer = expected[0].text[slice(*expected[0].marked)]
    assert (
        frame.inner_text() == answer and frame.get_attribute("aria-label") == f"explained: {answer}"
    )
    assert frame.evaluate("one => getComputedStyle(one).boxShadow") != "none"
    page.get_by_label("Context", exact=True).fill(given[1] + " Nobody knows why.")
    page.get_by_role("button", name="Explain", exact=True).click()
    longer = (given[0], given[1] + " Nobody knows why.")
    shown = settled(page, words_of(heats(finder, longer, "attcat")[0]))
    page.screenshot(path=pictures / "question_light.png", full_page=True)
    until(page, "() => location.search.includes('Nobody')")
    fresh = visit(page.url)
    restored = settled(fresh, words_of(heats(finder, longer, "attcat")[0]))
    assert [restored[part] for part in ("words", "rows", "legend", "said")] == [
        shown[part] for part in ("words", "rows", "legend", "said")
    ]
    assert fresh.get_by_role("radio", name="Question", exact=True).is_checked()


@browser_test
def test_heads_are_beside_the_layers_and_follow_what_was_explained(visit, sentiment, pictures):
    page = visit(methods="attcat", text=TEXT)
    settled(page)
    page.get_by_label("Text", exact=True).fill("not sent yet")
    tab(page, "Layers")
    page.get_by_role("radio", name="Heads", exact=True).check()
    until(
        page,
        "() => document.querySelector('#text-panel h3')?.textContent === 'AttCAT, head by head'",
    )
    seen = tokens.view(ex.explain(sentiment, TEXT, "attcat"))
    tips = """which =>
      [...document.querySelectorAll(`#text-panel ${which} td[data-i]`)]
        .map(cell => cell.dataset.tip)"""
    check_numbers(page.evaluate(tips, ".xp-heads"), seen.heads.abs().sum(-1).flatten())
    check_numbers(page.evaluate(tips, ".xp-layers:not(.xp-heads)"), seen.heads[5].flatten())
    page.get_by_role("slider", name=re.compile("Layer")).first.focus()
    page.keyboard.press("ArrowLeft")
    until(
        page,
        "() => document.querySelector('#text-panel "
        ".xp-second')?.textContent.startsWith('Layer 4,')",
    )
    check_numbers(page.evaluate(tips, ".xp-layers:not(.xp-heads)"), seen.heads[4].flatten())
    page.locator("#text-panel .xp-heads td[data-i]").nth(3).hover()
    assert page.evaluate(
        "() => [...document.querySelectorAll('#text-panel .hot')].every(cell => "
        "cell.closest('.xp-heads'))"
    ), "heads are no words"
    page.screenshot(path=pictures / "heads_light.png", full_page=True)
    until(
        page, "() => location.search.includes('part=Heads') && location.search.includes('layer=4')"
    )
    assert "not+sent" not in page.url and "dull" in page.url
    fresh = visit(page.url)
    until(
        fresh,
        "() => document.querySelector('#text-panel "
        ".xp-second')?.textContent.startsWith('Layer 4,')",
    )


@browser_test
def test_what_was_chosen_survives_a_redraw(visit):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    page.get_by_role("button", name="GAE (generic attention)", exact=True).click()
    tab(page, "Layers")
    page.locator("#text-panel .xp-range").focus()
    page.keyboard.press("Home")
    tab(page, "Compare")
    page.get_by_text("Display", exact=True).click()
    choose(page, "Colours", PALETTES["red-blue"])
    until(page, "() => document.querySelector('#text-panel .xp-red-blue')")
    until(
        page,
        "() => document.querySelector('#text-compared .xp-red-blue') && "
        "!document.querySelector('#text-compared').innerText.includes('computing …')",
    )
    until(
        page,
        "() => document.querySelector('#text-compared tr.xp-lead "
        ".xp-name')?.textContent.startsWith('GAE')",
    )
    assert page.evaluate(SHOWN)["legend"].startswith("GAE")
    tab(page, "Layers")
    assert page.evaluate(LAYERS)["output"] == "L0"
    explain(page, "Another text.")
    until(page, "() => document.querySelector('#text-panel output')?.textContent === 'Sum'")


@browser_test
def test_a_link_that_cuts_a_long_text_says_so(visit):
    page = visit(methods="raw_attention", text="fine")
    settled(page)
    explain(page, "good bad " * 300)
    strips_or_text = (
        "() => document.querySelector('#text-compared .xp-meta') && location.search.length > 1500"
    )
    until(page, strips_or_text)
    tab(page, "Share")
    until(page, "() => document.querySelector('.long')?.innerText.includes('only its beginning')")
    tab(page, "Compare")
    explain(page, "good")
    settled(page, ["good"])
    until(page, "() => !document.querySelector('.long')")


@browser_test
def test_a_closed_family_opens_and_its_methods_run(visit, sentiment):
    page = visit(methods="attcat", text="a dull film")
    settled(page)
    assert (
        page.get_by_role("checkbox", name="Norm-based attention", exact=False).count() == 0
        or not page.get_by_role("checkbox", name="Norm-based attention", exact=False).is_visible()
    )
    page.get_by_role("button", name=re.compile("^Decomposition")).click()
    page.get_by_role("checkbox", name="Norm-based attention", exact=False).check()
    until(page, "() => document.querySelectorAll('#text-compared tbody tr .xp-name').length === 2")
    check_rows(settled(page), heats(sentiment, "a dull film", "attcat,norm"))


@browser_test
def test_a_file_can_be_taken_away(visit, sentiment):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    tab(page, "Share")
    page.get_by_role("radio", name=".json", exact=True).check()
    page.get_by_role("button", name="Write the file", exact=True).click()
    ready = page.locator("a[download]:visible")
    ready.first.wait_for()
    with page.expect_download() as download:
        ready.first.click()
    assert download.value.suggested_filename.endswith(".json")
    records = json.loads(download.value.path().read_text(encoding="utf-8"))
    expected = ex.compare(sentiment, TEXT, QUICK.split(","))
    assert [record["method"] for record in records] == [heat.method for heat in expected]
    for record, heat in zip(records, expected):
        assert record["scores"] == pytest.approx(heat.scores.tolist(), rel=1e-4, abs=1e-6)
        assert (record["text"], record["target"], record["tokens"], record["model"]) == (
            TEXT,
            heat.target,
            heat.labels,
            "sentiment",
        )


# ----------------------------------------------------------------------------- whatever people type


@browser_test
@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        '"><svg onload=alert(1)>',
        "هذا الفيلم رائع جدا",
        "I ❤️ this 👩‍👩‍👧 film 🎬",
        "mo\u200bvie \x07 bad",
        "one",
        "a" * 300 + " good",
        "{{7*7}} ${7*7} <b>bold</b> &amp; &lt;",
        "The\nlines\n\nare bad",
    ],
    ids=["script", "svg", "arabic", "emoji", "invisible", "one", "long-word", "template", "lines"],
)
def test_typed_text_stays_text(visit, sentiment, text):
    page = visit(methods="attcat,raw_attention", text="fine")
    settled(page)
    explain(page, text)
    expected = heats(sentiment, text, "attcat,raw_attention")
    check_rows(settled(page, words_of(expected[0])), expected)
    assert page.locator("#text-compared :is(script, img, svg, iframe)").count() == 0
    assert page.locator("#text-panel :is(script, img, svg, iframe)").count() == 0
    direction = page.locator("#text-compared .xp-prose").first.evaluate(
        "prose => getComputedStyle(prose).direction"
    )
    assert direction == ("rtl" if "هذا" in text else "ltr")
    assert page.evaluate(CUT) == []


@browser_test
def test_an_empty_text_is_answered_beside_the_field(visit):
    page = visit(methods=QUICK, text=TEXT)
    before = settled(page)
    explain(page, "   ")
    said = refusal(page, "empty")
    field, sentence = page.get_by_label("Text", exact=True).bounding_box(), said.bounding_box()
    assert 0 <= sentence["y"] - (field["y"] + field["height"]) < 60
    assert field["x"] - 30 <= sentence["x"] <= field["x"] + field["width"]
    assert page.evaluate(SHOWN) == before
    explain(page, "good")
    settled(page, ["good"])
    assert page.locator(".refusal:visible").count() == 0


@browser_test
def test_no_method_is_answered(visit):
    page = visit(methods="attcat", text=TEXT)
    before = settled(page)
    page.get_by_role("checkbox", name="AttCAT", exact=True).uncheck()
    refusal(page, "at least one method")
    assert page.evaluate(SHOWN)["words"] == before["words"]
    page.get_by_role("checkbox", name="Raw attention", exact=True).check()
    until(
        page,
        "() => document.querySelector('#text-compared "
        ".xp-legend').innerText.startsWith('Raw attention')",
    )
    assert page.locator(".refusal:visible").count() == 0


@browser_test
def test_a_very_long_text_becomes_strips_and_says_what_was_left_out(visit, sentiment, pictures):
    text = "good bad " * 2500
    page = visit(methods="attcat,raw_attention", text="fine")
    settled(page)
    explain(page, text)
    strips(page, 2)
    shown = page.evaluate(SHOWN)
    assert shown["strips"] == ["AttCAT", "Raw attention"] and shown["rows"] == []
    left_out = sentiment.encode(text).left_out
    assert left_out > 4000
    assert any(f"{left_out:,} more were left out" in note for note in shown["notes"])
    tab(page, "Layers")
    assert "Explain a shorter text" in page.evaluate(LAYERS)["text"]
    assert page.evaluate(CUT) == []
    page.screenshot(path=pictures / "long_text_light.png")


@browser_test
def test_an_unknown_model_is_answered_beside_its_field_and_the_next_request_works(visit, sentiment):
    page = visit(methods=QUICK, text=TEXT)
    before = settled(page)
    field = page.get_by_label("Model", exact=True)
    field.fill("no-such-owner-xyz/no-such-model-xyz")
    began = time.monotonic()
    field.press("Enter")
    said = refusal(page, "no-such-owner-xyz/no-such-model-xyz")
    assert time.monotonic() - began < 20
    box, sentence = field.bounding_box(), said.bounding_box()
    assert 0 <= sentence["y"] - (box["y"] + box["height"]) < 60
    assert page.evaluate(SHOWN) == before
    page.get_by_role("button", name="Explain", exact=True).click()
    page.wait_for_timeout(500)
    assert refusal(page, "no-such-owner-xyz/no-such-model-xyz").bounding_box()["y"] == sentence["y"]
    field.click()
    page.get_by_role("option", name="sentiment", exact=False).first.click()
    explain(page, "good again")
    check_rows(settled(page, ["good", "again"]), heats(sentiment, "good again"))
    assert page.locator(".refusal:visible").count() == 0


# ------------------------------------------------------------------------ light, dark, narrow, keys


def faint(page, selector: str) -> list[tuple]:
    """Texts that are hard to read there."""
    found = page.evaluate(CONTRAST, selector)
    assert found
    return sorted(
        {
            (round(one["contrast"], 2), one["kind"].replace(" xp-right", ""))
            for one in found
            if one["contrast"] < 4.5
        }
    )


@browser_test
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_read(visit, pictures, dark):
    """At least 4.5 to 1 for every text in a heatmap, in every palette and every tab, on the colours
    as they are composited.
    """
    look = "dark" if dark else "light"
    page = visit(methods=QUICK, text=TEXT, dark=dark)
    settled(page)
    page.get_by_text("Display", exact=True).click()
    page.get_by_label("Show [CLS] and [SEP]", exact=True).check()
    until(page, "() => document.querySelector('#text-compared .xp-special')")
    found = set()
    for name, words in PALETTES.items():
        if name != "orange-blue":
            tab(page, "Compare")
            choose(page, "Colours", words)
        until(page, "name => document.querySelector(`#text-compared .xp-${name}`)", name)
        settled(page)
        painted = [one for one in page.evaluate(CONTRAST, "#text-compared .xp") if one["painted"]]
        assert len(painted) >= 2 * 11 and max(float(one["share"]) for one in painted) == 1
        for where, root in (("Compare", "#text-compared"), ("Layers", "#text-panel")):
            tab(page, where)
            until(page, "one => document.querySelector(one)", f"{root} .xp-{name}")
            found |= {(name, where, *one) for one in faint(page, ".xp")}
            page.screenshot(path=pictures / f"{where.lower()}_{look}_{name}.png", full_page=True)
            page.evaluate(STRONGEST)
            found |= {(name, where, *one) for one in faint(page, root)}
    tab(page, "Methods")
    page.locator(".xp-card:visible summary").last.click()
    assert faint(page, ".xp") == []
    card = page.locator(".xp:visible").first.evaluate(LUMINANCE)
    assert card < 0.05 if dark else card > 0.9
    explain(page, "")
    refusal(page)
    assert faint(page, ".refusal") == []
    assert not found, "\n".join(map(str, sorted(found)))
    page.screenshot(path=pictures / f"methods_{look}.png", full_page=True)


@browser_test
def test_a_saved_page_needs_nothing_and_follows_the_reader_s_system(
    chromium, sentiment, tmp_path, pictures
):
    several = ex.compare(sentiment, TEXT, QUICK.split(","))
    several.save(tmp_path / "map.html")
    for scheme in ("light", "dark"):
        context = chromium.new_context(
            color_scheme=scheme, java_script_enabled=True, viewport={"width": 390, "height": 800}
        )
        page = context.new_page()
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto((tmp_path / "map.html").as_uri())
        assert len(asked) == 1
        assert faint(page, ".xp") == []
        card = page.locator(".xp").first.evaluate(LUMINANCE)
        assert card < 0.05 if scheme == "dark" else card > 0.9
        assert page.evaluate(CUT) == []
        page.screenshot(path=pictures / f"saved_{scheme}.png", full_page=True)
        context.close()


@browser_test
def test_a_phone(visit, pictures):
    page = visit(methods=QUICK, text=TEXT, width=390, height=844)
    settled(page)
    for name in ("Compare", "Layers", "Test", "Methods", "Share"):
        tab(page, name)
        page.wait_for_timeout(100)
        assert page.evaluate(CUT) == [], name
        page.screenshot(path=pictures / f"{name.lower()}_390.png", full_page=True)
    result, menu = (
        page.locator("#text-results").bounding_box(),
        page.locator("#text-menu").bounding_box(),
    )
    assert result["y"] < menu["y"], "the answer comes before the long menus"
    explain(page, "")
    refusal(page)
    tab(page, "Compare")
    explain(page, "b" + "a" * 200 + "d " + "good bad " * 60)
    strips(page, 3)
    assert page.evaluate(CUT) == []


@browser_test
def test_the_keyboard_is_enough(visit):
    page = visit(methods=QUICK, text=TEXT)
    settled(page)
    here = """() => {
      const one = document.activeElement;
      const name = one.getAttribute('aria-label') || one.innerText
          || one.closest('label')?.innerText || '';
      return [one.tagName, name.trim().split('\\n')[0],
              getComputedStyle(one).outlineStyle !== 'none'
                  || getComputedStyle(one).boxShadow !== 'none'];
    }"""
    page.evaluate("document.querySelector('#text-compared table.xp-map').dataset.first = 'yes'")
    reached = []
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(here))
        if reached[-1][:2] == ["SPAN", "GAE (generic attention)"]:
            break
    names, kinds = [name for _, name, _ in reached], [kind for kind, _, _ in reached]
    assert {
        "Explain",
        "Compare",
        "methods side by side",
        "AttCAT",
        "GAE (generic attention)",
        "Raw attention",
    } <= set(names)
    assert (
        kinds.index("TEXTAREA")
        < names.index("Explain")
        < names.index("Compare")
        < names.index("methods side by side")
    )
    assert "TD" in kinds, "the table has a tab stop"
    assert [
        name for kind, name, seen in reached if not seen and kind in ("TD", "SPAN", "BUTTON")
    ] == [], "focus cannot be seen"
    page.keyboard.press("Enter")
    assert [row["lead"] for row in page.evaluate(SHOWN)["rows"]] == [False, False, True]
    page.wait_for_timeout(1000)
    assert (
        page.evaluate("document.querySelector('#text-compared table.xp-map').dataset.first")
        == "yes"
    ), "passing through the menus draws nothing anew"


@browser_test
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, dark):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-core is not installed: pip install axe-playwright-python")
    page = visit(methods=QUICK, text=TEXT, dark=dark)
    settled(page)
    found = {}
    for name in ("Compare", "Layers", "Methods"):
        tab(page, name)
        page.wait_for_timeout(200)
        report = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        found |= {
            (name, one["id"], node["target"][0]): node["html"][:160]
            for one in report
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        }
    assert found == {}


# --------------------------------------------------------------------------------------- the server


@browser_test
def test_one_function_is_public(server, sentiment):
    from gradio_client import Client

    client = Client(server.address, verbose=False)
    try:
        assert list(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == [
            "/explain"
        ]
        record = client.predict(TEXT, "sentiment", "attcat", "", api_name="/explain")
        assert record["scores"] == pytest.approx(
            ex.explain(sentiment, TEXT).scores.tolist(), rel=1e-4, abs=1e-6
        )
    finally:
        client.close()


#: Left edges, and what does not fit, of one tab of the page.
EDGES = """() => {
  const box = selector => document.querySelector(selector).getBoundingClientRect();
  const menus = [...document.querySelectorAll('#text-goal input[role=combobox]')];
  const model = document.querySelector('#text-left input[aria-label=Model]');
  const style = getComputedStyle(model);
  return {
    title: box('#title h1').left - box('#tabs').left,
    answer: box('#text-said .xp').left - box('#text-views').left,
    map: box('#text-compared .xp').left - box('#text-views').left,
    menus: menus.map(menu => menu.getBoundingClientRect().top),
    arrow: model.getBoundingClientRect().right - parseFloat(style.paddingRight)
      - model.parentElement.querySelector('.icon-wrap').getBoundingClientRect().left,
  };
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_what_stands_below_each_other_begins_on_one_line(visit, width):
    page = visit(kind="Question", methods="attcat", width=width)
    page.locator("#text-compared .xp-prose").first.wait_for()
    until(page, "() => document.querySelector('#text-goal').innerText.includes('or any words')")
    edges = page.evaluate(EDGES)
    assert edges["title"] == edges["answer"] == edges["map"] == 0
    first, second = edges["menus"]
    assert abs(first - second) < 1  # however many lines the hints take
    assert edges["arrow"] <= 0  # a long name ends before the arrow

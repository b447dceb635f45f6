"""app.py in a real browser, where each test checks what a person would see: asking and looking."""

import json
import re

import pytest
from browser import SHOWN, until
from visiting import (
    QUICK,
    TEXT,
    browser_test,
    check_numbers,
    check_rows,
    choose,
    explain,
    heats,
    refusal,
    settled,
    words_of,
)

import explainers as ex
from explainers.page.examples import EXAMPLES
from explainers.page.kinds import TABS

pytestmark = pytest.mark.daily

# ----------------------------------------------------------------------------------------- the page


@browser_test
def test_the_first_example_is_explained_without_a_click(visit, sentiment, pictures):
    page = visit()
    shown = settled(page)
    text = EXAMPLES["Sentence"]["mixed review"]["text"]
    assert page.get_by_label("Text", exact=True).input_value() == text
    key_of = {method.title: key for key, method in ex.METHODS.items()}
    keys = [key_of[row["name"]] for row in shown["rows"]]
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

"""app.py in a real browser: links restore what was shown."""

from browser import LAYERS, until
from visiting import (
    QUICK,
    browser_test,
    check_rows,
    choose,
    explain,
    heats,
    settled,
    tab,
    words_of,
)

import explainers as ex
from explainers.page import loading
from explainers.page.examples import EXAMPLES, first_example


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
    refused = page.locator(".refusal:visible")
    assert "<b>" in refused.filter(has_text="The bundled model is shown instead").inner_text()
    assert "NOPE" in refused.filter(has_text="What the model predicts is explained").inner_text()


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

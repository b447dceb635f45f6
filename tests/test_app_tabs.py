"""app.py in a real browser: options, layers, heads, cards and files."""

import json
import re

import pytest
from browser import LAYERS, SHOWN, until
from visiting import (
    QUICK,
    TEXT,
    browser_test,
    check_numbers,
    check_rows,
    choose,
    explain,
    heats,
    settled,
    tab,
)

import explainers as ex
from explainers.render import tokens
from explainers.render.colours import PALETTES


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

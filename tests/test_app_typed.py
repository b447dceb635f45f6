"""app.py in a real browser: whatever people type."""

import time

import pytest
from browser import CUT, LAYERS, SHOWN, until
from visiting import (
    HOSTILE,
    QUICK,
    TEXT,
    browser_test,
    check_rows,
    explain,
    heats,
    refusal,
    settled,
    strips,
    tab,
    words_of,
)


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

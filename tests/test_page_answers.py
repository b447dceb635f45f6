"""What stands on the page is about the question that the page shows: in a browser, and in the
function that sees to it.
"""

import re
import time

import pytest
from asking import question
from browser import until
from visiting import explain, settled

from explainers.page.asking import Turn, while_shown

browser_test = pytest.mark.browser


def open_view(page, name: str, slug: str = "text"):
    page.locator(f"#{slug}-views").get_by_role("tab", name=name, exact=True).click()


def rows_come(page, maps: int):
    """Wait until there is a row for each map, and one for random orders."""
    rows = "document.querySelectorAll('#text-tested .xp-measures tbody tr').length"
    until(page, f"rows => {rows} === rows", maps + 1)


def words_taken_out(visit, *methods: str):
    """The page with a text in its Test view, after the strongest words were taken out."""
    page = visit(text="A dull film.", methods=",".join(methods), view="test")
    rows_come(page, len(methods))
    page.get_by_role("button", name="Remove the words and run the model").click()
    until(page, "() => document.querySelector('#text-removed h3')?.textContent.includes('without')")
    return page


def test_an_answer_that_comes_late_is_not_shown():
    first, second = question(text="first"), question(text="second")
    turn = Turn(asked=first)

    def slow(asked, word):
        yield {"said": {"value": f"{word} 1"}}
        turn.asked = second
        yield {"said": {"value": f"{word} 2"}}
        raise AssertionError("this goes on for nobody")

    def quick(asked):
        return {"said": {"value": asked.text}}

    assert list(while_shown(slow)(turn, first, word="step")) == [{"said": {"value": "step 1"}}, {}]
    assert list(while_shown(quick)(turn, first)) == [{}]
    assert list(while_shown(quick)(turn, second)) == [{"said": {"value": "second"}}]


@browser_test
def test_what_was_found_out_about_a_question_goes_with_it(visit):
    page = words_taken_out(visit, "attcat", "gae")
    page.get_by_role("button", name=re.compile("random-weights")).click()
    until(
        page, "() => document.querySelector('#text-randomised')?.innerText.includes('embeddings')"
    )
    open_view(page, "Share")
    page.get_by_role("button", name="Write the file", exact=True).click()
    page.locator("a[download]:visible").first.wait_for()
    page.get_by_role("button", name="irony", exact=True).click()
    until(page, "() => new URLSearchParams(location.search).get('text')?.startsWith('Oh great')")
    assert (
        page.locator(
            "label:has-text('A link that restores this view') :is(input, textarea)"
        ).input_value()
        == page.url
    )
    assert page.locator("a[download]:visible").count() == 0
    open_view(page, "Test")
    page.locator("#text-removed").wait_for(state="attached")
    assert (
        page.locator("#text-removed").inner_text() + page.locator("#text-randomised").inner_text()
        == ""
    )
    rows_come(page, 2)


@browser_test
def test_words_taken_out_go_when_something_else_is_to_stand_for_them(visit):
    page = words_taken_out(visit, "attcat")
    page.get_by_role("radio", name="[MASK]").check()
    until(page, "() => document.querySelector('#text-removed').innerText === ''")


@browser_test
def test_the_next_question_does_not_wait_for_a_long_method(visit):
    text = "The plot is dull, but the acting is unbelievably good. " * 30
    page = visit(text=text, methods="occlusion")
    progress = page.locator("#text-running")
    progress.get_by_text("passes of the model").wait_for()
    assert progress.locator("progress").count() == 1
    asked = time.monotonic()
    explain(page, "A dull film.")
    page.locator("#text-compared").get_by_text("dull", exact=True).first.wait_for()
    assert time.monotonic() - asked < 20, "the long one takes minutes"
    settled(page, ["A", "dull", "film", "."])
    assert progress.inner_text() == ""


@browser_test
def test_an_imagined_picture_goes_with_its_model(visit):
    page = visit(kind="Picture", picture="cat", methods="raw_attention", view="activation")
    page.get_by_label("number input for Steps").fill("16")
    page.get_by_role("button", name="Imagine", exact=True).click()
    page.locator("#imagined img").wait_for()
    model = page.locator("#image-left").get_by_label("Model", exact=True)
    model.fill("no-such-owner-xyz/no-such-model-xyz")
    model.press("Enter")
    until(page, "() => !document.querySelector('#imagined img')")
    assert "starts as noise" in page.locator("#imagined").inner_text()

"""A refusal stands beside what caused it, and an answer that is no longer asked for looks and says
so.
"""

import pytest
from asking import answers, complaint, question
from browser import until

from explainers.page import choosing
from explainers.page.kinds import TABS
from explainers.page.links import Link

browser_test = pytest.mark.browser
TEXT = "A dull film."


def wait_beside(page, above, said) -> None:
    """Wait until the sentence stands right under this part of the page.

    Both places are read at once: a map above them may come late and push both down.
    """
    until(
        page,
        """([above, said]) => {
            const box = above.getBoundingClientRect(), sentence = said.getBoundingClientRect();
            const gap = sentence.top - box.bottom;
            return 0 <= gap && gap < 60
                && box.left - 30 <= sentence.left && sentence.left <= box.right;
        }""",
        [above.element_handle(), said.element_handle()],
    )


def at_full_strength(page) -> bool:
    return page.locator("#text-compared").evaluate("map => getComputedStyle(map).opacity") == "1"


def said_above(page) -> str:
    return page.locator("#text-results").evaluate(
        "results => getComputedStyle(results, '::before').content"
    )


@browser_test
@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_a_class_that_is_none_is_refused_under_the_menu_and_the_map_steps_back(
    visit, pictures, dark, width
):
    page = visit(text=TEXT, methods="raw_attention", dark=dark, width=width)
    page.locator("#text-compared .xp-prose").wait_for()
    assert at_full_strength(page) and said_above(page) == "none"
    for field in ("Explain", "rather than"):
        page.get_by_label(field, exact=True).fill("BANANA")
        page.get_by_label(field, exact=True).press("Enter")
        said = page.locator(".refusal:visible")
        said.wait_for()
        assert "BANANA" in said.inner_text()
        wait_beside(page, page.locator("#text-goal"), said)
        until(page, "() => getComputedStyle(document.querySelector('#text-compared')).opacity < .6")
        assert "previous question" in said_above(page)
        page.screenshot(
            path=pictures / f"unanswered_{'dark' if dark else 'light'}_{width}.png", full_page=True
        )
        page.get_by_label(field, exact=True).fill("NEGATIVE" if field == "Explain" else "nothing")
        page.get_by_label(field, exact=True).press("Enter")
        said.wait_for(state="detached")
        assert at_full_strength(page) and said_above(page) == "none"


@browser_test
def test_no_method_is_refused_among_the_methods(visit):
    page = visit(text=TEXT, methods="raw_attention")
    page.locator("#text-compared .xp-prose").wait_for()
    page.get_by_role("checkbox", name="Raw attention", exact=True).uncheck()
    page.locator("#text-menu .refusal:visible").wait_for()
    assert page.locator(".refusal:visible").count() == 1


@browser_test
def test_what_cannot_be_tried_is_said_under_its_button(visit):
    page = visit(text=TEXT, methods="occlusion", view="test")
    until(
        page, "() => document.querySelectorAll('#text-tested .xp-measures tbody tr').length === 2"
    )
    button = page.get_by_role("button", name="Run the random-weights check")
    button.click()
    said = page.locator(".refusal:visible")
    said.wait_for()
    assert "methods of one pass" in said.inner_text()
    wait_beside(page, button, said)


@pytest.mark.parametrize(
    ("asked", "methods", "field"),
    [
        (question(), ["attcat"], "text"),
        (question(text=TEXT, target="BANANA"), ["attcat"], "goal"),
        (question(text=TEXT, target="NEGATIVE", versus="NEGATIVE"), ["attcat"], "goal"),
        (question(text=TEXT), [], "methods"),
        (question(text=TEXT, model="vit"), ["attcat"], "model"),
        (question("Question", "Who?", pair="A man.", target="a dog"), ["attcat"], "goal"),
    ],
    ids=str,
)
def test_refusals_know_their_field(asked, methods, field):
    last = answers(asked, methods)[-1]
    assert "data-unanswered" in last[f"{field}_refusal"]["value"] and complaint(last)


def test_an_example_is_refused_in_a_sentence_while_the_model_cannot_be_had():
    changes = choosing.take_example("Sentence", "negation", "no-such-owner-xyz/no-such-model-xyz")
    assert list(changes) == ["model_refusal"] and "no-such-owner-xyz" in complaint(changes)


def test_a_link_to_the_view_of_links_opens_the_maps():
    for name, opened in (("share", "compare"), ("layers", "layers"), ("test", "test")):
        changes = choosing.restore(TABS["Text"], Link.read({"text": TEXT, "view": name}))
        assert changes["views"]["selected"] == opened

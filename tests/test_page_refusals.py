"""A refusal stands beside what caused it, and an answer that is no longer asked for looks and says
so.
"""

import pytest
from browser import until
from test_app import complaint

browser_test = pytest.mark.browser
TEXT = "A dull film."


def beside(above, said) -> bool:
    """Whether the sentence stands right under this part of the page."""
    box, sentence = above.bounding_box(), said.bounding_box()
    return (
        0 <= sentence["y"] - (box["y"] + box["height"]) < 60
        and box["x"] - 30 <= sentence["x"] <= box["x"] + box["width"]
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
        assert "BANANA" in said.inner_text() and beside(page.locator("#text-goal"), said)
        until(page, "() => getComputedStyle(document.querySelector('#text-compared')).opacity < .6")
        assert "the question before" in said_above(page)
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
    button = page.get_by_role("button", name="Make the model's weights random, from the head down")
    button.click()
    said = page.locator(".refusal:visible")
    said.wait_for()
    assert "methods of one pass" in said.inner_text() and beside(button, said)


def test_refusals_know_their_field(app):
    look = ("attcat", "Layers", 5, True, False, "orange-blue", "{}")
    for question, methods, field in (
        (
            ["Sentence", None, "", "", "sentiment", "predicted", "nothing"],
            ["attcat"],
            "text_refusal",
        ),
        (
            ["Sentence", None, TEXT, "", "sentiment", "BANANA", "nothing"],
            ["attcat"],
            "goal_refusal",
        ),
        (
            ["Sentence", None, TEXT, "", "sentiment", "NEGATIVE", "NEGATIVE"],
            ["attcat"],
            "goal_refusal",
        ),
        (["Sentence", None, TEXT, "", "sentiment", "predicted", "nothing"], [], "methods_refusal"),
        (["Sentence", None, TEXT, "", "vit", "predicted", "nothing"], ["attcat"], "model_refusal"),
        (
            ["Question", None, "Who?", "A man.", "question-answering", "a dog", "nothing"],
            ["attcat"],
            "goal_refusal",
        ),
    ):
        last = dict(zip(app.ANSWER, list(app.run(*question, *look, methods))[-1], strict=True))
        assert "data-unanswered" in last[field]["value"] and complaint(last), field


def test_an_example_is_refused_in_a_sentence_while_the_model_cannot_be_had(app):
    told, *rest = app.take_example("Sentence", "negation", "no-such-owner-xyz/no-such-model-xyz")
    assert "no-such-owner-xyz" in complaint([told]) and all(one == app.gr.skip() for one in rest)


def test_a_link_to_the_view_of_links_opens_the_maps(app):
    def view(**asked):
        return next(
            one.selected
            for one in app.restore(app.TABS["Text"], {"text": TEXT, **asked})
            if isinstance(one, app.gr.Tabs)
        )

    assert [view(view=name) for name in ("share", "layers", "test")] == [
        "compare",
        "layers",
        "test",
    ]

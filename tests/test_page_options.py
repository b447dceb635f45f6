"""The page's fields for options, in a browser: what is untouched sends nothing, and what cannot be
is said beside its field.
"""

import json
import time

import pytest
from browser import PATIENCE, until

import explainers as ex

pytestmark = pytest.mark.browser

#: Of each tab: what its address says, and what stands on it when its first map is there.
TABS = {
    "text": ({"text": "not good"}, ".xp-prose"),
    "image": ({"kind": "Picture", "picture": "cat"}, ".xp-tiles"),
}


def opened(visit, slug: str, methods: str = "raw_attention", **query):
    """The page with the options of a method unfolded in one of its tabs; and their panel."""
    asked, map_ = TABS[slug]
    page = visit(**asked, methods=methods, **query)
    page.locator(f"#{slug}-compared {map_}").first.wait_for(state="attached")
    panel = page.locator(f"#{slug}-options")
    panel.get_by_role("button", name="Options of a method").click()
    return page, panel


def choose_method(page, panel, method: ex.Method):
    menu = panel.get_by_role("combobox", name="Method")
    if menu.input_value() != method.title:
        menu.click()
        page.get_by_role("option", name=method.title, exact=True).click()
    until(
        page,
        "hint => document.querySelector('[id$=-options]:has(.hint)') && "
        "document.body.innerText.includes(hint)",
        method.card.options[:60],
    )
    field_of(panel, list(method.options)[-1]).wait_for()
    page.wait_for_timeout(100)


def field_of(panel, name: str):
    return panel.get_by_label(name.replace("_", " "), exact=True)


def shown(field):
    """What stands in a field: a tick, a number, or words."""
    if field.get_attribute("type") == "checkbox":
        return field.is_checked()
    return (
        float(field.input_value() or "nan")
        if field.get_attribute("type") == "number"
        else field.input_value()
    )


def untouched(option):
    """What stands in the field of an option that nobody has set; None, the method's own choice, is
    never a number.
    """
    if option.default is None:
        return "default" if option.choices or option.kind is bool else ""
    return option.default


def kept(page, slug: str) -> dict:
    """The options that the page holds as changed, after the events that were on their way."""
    page.wait_for_timeout(300)
    return json.loads(page.locator(f"#{slug}-changed textarea").input_value())


def keeps(page, slug: str, wanted: dict) -> bool:
    """Whether the page comes to hold these options, however slow the machine is."""
    end = time.monotonic() + PATIENCE
    while kept(page, slug) != wanted:
        if time.monotonic() > end:
            return False
    return True


@pytest.mark.parametrize("slug", TABS)
def test_the_keyboard_passes_every_option_of_every_method_and_changes_none(visit, slug):
    page, panel = opened(visit, slug)
    for method in ex.METHODS.values():
        if slug not in method.tasks or not method.options:
            continue
        choose_method(page, panel, method)
        found = {name: shown(field_of(panel, name)) for name in method.options}
        assert found == {name: untouched(option) for name, option in method.options.items()}, (
            method.key
        )
        panel.get_by_role("combobox", name="Method").focus()
        for _ in range(len(method.options) + 1):
            page.keyboard.press("Tab")
        assert kept(page, slug) == {}, method.key


def test_a_field_holds_what_was_set_of_its_own_method_alone(visit):
    page, panel = opened(visit, "text")
    choose_method(page, panel, ex.METHODS["smoothgrad"])
    field_of(panel, "sigma").fill("0.3")
    field_of(panel, "sigma").press("Enter")
    choose_method(page, panel, ex.METHODS["raw_attention"])
    assert (
        shown(field_of(panel, "head")) == ""
        and field_of(panel, "head").get_attribute("placeholder") == "default"
    )
    field_of(panel, "head").fill("0")
    field_of(panel, "head").press("Enter")
    until(page, "() => document.querySelector('#text-compared').innerText.includes('head 0')")
    choose_method(page, panel, ex.METHODS["smoothgrad"])
    assert shown(field_of(panel, "sigma")) == 0.3 and shown(field_of(panel, "samples")) == 20
    choose_method(page, panel, ex.METHODS["raw_attention"])
    assert shown(field_of(panel, "head")) == "0"
    assert keeps(page, "text", {"raw_attention": {"head": 0}, "smoothgrad": {"sigma": 0.3}})
    field_of(panel, "head").fill("")
    field_of(panel, "head").press("Tab")
    until(page, "() => !document.querySelector('#text-compared').innerText.includes('head 0')")
    assert keeps(page, "text", {"smoothgrad": {"sigma": 0.3}})


@pytest.mark.parametrize("head", [3, 999999999])
def test_a_link_with_options_opens_its_own_question_and_methods(visit, head):
    options = json.dumps({"raw_attention": {"head": head}})
    page = visit(text="not good", methods="attcat,raw_attention", options=options)
    said = "no head 999999999" if head > 11 else f"Raw attention: head {head}"
    asked = """said => ["not good", said].every(
        one => document.querySelector("#text-compared")?.innerText.includes(one))"""
    until(page, asked, said)
    page.wait_for_timeout(1000)  # an older answer would come after it
    assert page.locator("#text-compared .xp-prose").inner_text().strip() == "not good"
    maps = page.locator("#text-compared tbody tr:has([data-i]) .xp-name")
    assert maps.count() == (1 if head > 11 else 2)


def test_a_reading_of_optimus_can_be_typed(visit):
    page, panel = opened(visit, "text", "optimus")
    choose_method(page, panel, ex.METHODS["optimus"])
    field_of(panel, "choice").fill("3/Mean/From")
    field_of(panel, "choice").press("Enter")
    assert keeps(page, "text", {"optimus": {"choice": "3/Mean/From"}})


@pytest.mark.parametrize(
    ("method", "name", "typed", "says"),
    [
        ("smoothgrad", "samples", "999999999", "at most 1,000"),
        ("smoothgrad", "samples", "2.5", "a whole number"),
        ("raw_attention", "head", "two", "a whole number"),
        ("integrated_gradients", "steps", "0", "at least 1"),
        ("occlusion", "window", "0", "at least 1"),
    ],
)
def test_a_number_that_an_option_does_not_take_is_refused_under_its_field(
    visit, server, method, name, typed, says
):
    page, panel = opened(visit, "text")
    choose_method(page, panel, ex.METHODS[method])
    field = field_of(panel, name)
    field.fill(typed)
    field.press("Enter")
    said = panel.locator(".refusal")
    said.wait_for()
    assert says in said.inner_text() and typed in said.inner_text().replace(",", "")
    box, sentence = field.bounding_box(), said.bounding_box()
    assert 0 <= sentence["y"] - (box["y"] + box["height"]) < 60
    assert kept(page, "text") == {} and page.locator(".toast-body").count() == 0
    assert "Traceback" not in server.said()
    field.fill("2")
    field.press("Enter")
    said.wait_for(state="detached")
    assert keeps(page, "text", {method: {name: 2}})


def test_a_unit_is_imagined_at_no_token_unless_one_is_named(visit, server):
    page, _ = opened(visit, "image", view="activation")
    page.get_by_role("radio", name="a unit", exact=True).check()
    unit, token = (
        page.get_by_label("Feed-forward unit"),
        page.get_by_label("Token (empty: all patches)"),
    )
    token.wait_for()
    assert token.input_value() == ""
    unit.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.get_by_label("number input for Steps").fill("16")
    page.get_by_role("button", name="Imagine", exact=True).click()
    page.locator("#imagined img").wait_for()
    assert (
        page.locator("#imagined h3").inner_text()
        == "A picture that maximises unit 0 of layer 0 in vit"
    )
    token.fill("3")
    unit.fill("-1")
    page.get_by_role("button", name="Imagine", exact=True).click()
    page.locator(".refusal:visible").wait_for()
    assert "There is no feature -1" in page.locator(".refusal:visible").inner_text()
    assert page.locator(".toast-body").count() == 0 and "Traceback" not in server.said()
    unit.fill("2")
    page.get_by_role("button", name="Imagine", exact=True).click()
    until(
        page,
        "() => document.querySelector('#imagined h3').innerText ==="
        " 'A picture that maximises unit 2 of layer 0 at token 3 in vit'",
    )


def test_what_options_do_is_a_list(visit):
    _, panel = opened(visit, "text", methods="attcat")
    items = panel.locator(".hint li")
    items.first.wait_for()
    names = [item.split(" ")[0].rstrip(":") for item in items.all_inner_texts()]
    assert names == list(ex.METHODS["attcat"].options)

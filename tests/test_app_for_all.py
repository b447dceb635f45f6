"""app.py in a real browser: light and dark, narrow, by keys alone, and for screen readers."""

import pytest
from browser import CONTRAST, CUT, LUMINANCE, SHOWN, STRONGEST, hindrances, until
from visiting import QUICK, TEXT, browser_test, choose, explain, refusal, settled, strips, tab

import explainers as ex
from explainers.render.colours import PALETTES


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
    assert page.locator("footer[aria-label]").inner_text().strip() == "Settings"
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
    page = visit(methods=QUICK, text=TEXT, dark=dark)
    settled(page)
    for name in ("Compare", "Layers", "Methods"):
        tab(page, name)
        page.wait_for_timeout(200)
        assert hindrances(page) == {}, name

"""Heatmaps over pictures in a browser: keys, pointing, the slider, and a phone."""

import io
from dataclasses import replace

import pytest
import torch
from browser import FLAGS, ROOT, hindrances, missing
from drawn_patches import SIGNED, heat, layered, photo
from drawn_words import heat as text_heat
from PIL import Image

from explainers.render import cards, characters, heatmaps, overlay
from explainers.render import look as looks
from explainers.render.look import Look

#: Runs the page's script as Gradio does; `redraw` holds what it does after a new value.
SCRIPTED = """code => {
  window.redraw = [];
  const shown = document.querySelector('#text-compared');
  new Function('element', 'watch', code)(shown, (_, f) => redraw.push(f));
}"""


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        try:
            opened_ = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        except sync_api.Error as error:
            missing(f"no browser: {error}")
        yield opened_
        opened_.close()


@pytest.fixture
def show(browser):
    """A page with this HTML; scripted as the app does it where asked."""
    pages = []

    def show(html: str, dark=False, width=1100, scripted=False):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        pages.append(page)
        page.failures = []
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        sheet = cards.stylesheet("system", controls=True)
        styles = f"<style>body{{color-scheme:light dark}}{sheet}</style>"
        page.set_content(
            html
            if html.startswith("<!doctype")
            else "<!doctype html><html "
            f'lang="en"><title>t</title>{styles}<body><main><h1>maps</h1><div '
            f'id="text-compared">{html}</div></main>'
        )
        if scripted:
            page.evaluate(
                SCRIPTED, (ROOT / "explainers/page/assets/heatmap.js").read_text(encoding="utf-8")
            )
        return page

    yield show
    for page in pages:
        assert not page.failures
        page.close()


FOUR = [
    layered(12, 14, 14, picture=photo()),
    layered(12, 14, 14, signed=False, picture=photo()),
    heat(14, 14, title="CAT", method="cat", picture=photo()),
    heat(
        14,
        14,
        title="Gradient",
        method="gradient",
        signed=False,
        picture=photo(),
        pixels=torch.rand(224, 224),
    ),
]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scripted", [False, True], ids=["static", "scripted"])
def test_axe_finds_nothing_serious_in_pictures(show, dark, scripted):
    html = (
        heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False, waiting=["CAT"])
        + heatmaps.layers_html(FOUR[0], slider=True, style=False)
        if scripted
        else heatmaps.document(FOUR)
    )
    page = show(html, dark, scripted=scripted)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert hindrances(page) == {}


@pytest.mark.browser
def test_a_browser_lays_colours_over_a_grey_photo(show):
    white = Image.new("RGB", (300, 300), (255, 40, 40))
    one = heat(3, 3, scores=[0.0, 1.0, -1.0, *[0.0] * 7], picture=white)
    page = show(
        heatmaps.document(
            [one, replace(one, signed=False, scores=one.scores.abs(), title="GAE", method="gae")]
        )
    )
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    boxes = [photo.bounding_box() for photo in page.locator(".xp-photo").all()]

    def at(tile: int, row: int, column: int) -> tuple:
        box = boxes[tile]
        x = round(box["x"] + box["width"] * (column + 0.2) / 3)
        y = round(box["y"] + box["height"] * (row + 0.2) / 3)
        return shot.getpixel((x, y))

    assert at(0, 1, 1) == pytest.approx((255, 40, 40), abs=6), "the picture in its colours"
    grey = at(1, 2, 2)
    assert max(grey) - min(grey) <= 2
    towards, away = overlay.COLOURS["orange-blue"]

    def mixed(colour: tuple) -> tuple:
        return tuple(looks.OPACITY * c + (1 - looks.OPACITY) * g for c, g in zip(colour, grey))

    assert at(1, 0, 0) == pytest.approx(mixed(towards), abs=4) and at(1, 0, 1) == pytest.approx(
        mixed(away), abs=4
    )
    assert at(2, 0, 0) == at(2, 0, 1) == pytest.approx(mixed(overlay.MUCH), abs=4)


@pytest.mark.browser
def test_on_a_phone_nothing_is_cut(show):
    page = show(heatmaps.document(FOUR), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tiles = page.locator(".xp-tile").all()[:2]
    tops = {round(tile.bounding_box()["y"]) for tile in tiles}
    assert len(tops) == 1, "two beside each other"


@pytest.mark.browser
def test_pointing_at_a_patch_tells_it_in_every_map(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    said = page.locator(".xp-readout").all_text_contents()
    page.locator("rect[data-i='17']").first.hover(force=True)
    told = page.locator(".xp-readout").all_text_contents()
    numbers = [
        f"row 2, column 4: {characters.number(float(one.patches[1, 3]), one.signed)}"
        for one in FOUR
    ]
    assert told == [said[0], *numbers]
    assert page.locator(".xp-frame.light").count() == 4
    page.mouse.move(1, 1)
    assert (
        page.locator(".xp-readout").all_text_contents() == said
        and page.locator(".xp-frame").count() == 0
    )


@pytest.mark.browser
def test_arrow_keys_go_in_both_directions(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    assert page.locator("rect[tabindex='0']").count() == 4, "one stop a map"
    focused = lambda: page.evaluate("document.activeElement.dataset.i")
    page.locator("rect[data-i='0']").first.focus()
    for key, at in (
        ("ArrowRight", "1"),
        ("ArrowDown", "15"),
        ("ArrowLeft", "14"),
        ("ArrowLeft", "14"),
        ("ArrowUp", "0"),
        ("ArrowUp", "0"),
        ("End", "195"),
    ):
        page.keyboard.press(key)
        assert focused() == at, key
    assert page.locator("rect[tabindex='0']").count() == 4


@pytest.mark.browser
def test_the_slider_lays_a_layer_over_the_large_picture(show):
    one = FOUR[0]
    page = show(heatmaps.layers_html(one, slider=True, style=False), scripted=True)

    def drawn() -> list:
        return page.evaluate("""() => {
          const squares = [...document.querySelectorAll('.xp-reading rect[data-i]')];
          return squares.map(rect => [
            rect.getAttribute('class'),
            +rect.style.getPropertyValue('--a'),
            rect.querySelector('title').textContent,
          ]);
        }""")

    def check(scores, scale):
        grid = one.on_grid(scores)
        for i, ((kind, share, title), score) in enumerate(zip(drawn(), grid.flatten().tolist())):
            words = one.in_words(float(f"{score:.3g}"))
            assert (kind, title) == (
                "pos" if score > 0 else "neg",
                f"row {i // 14 + 1}, column {i % 14 + 1}: {words}",
            )
            assert share == pytest.approx(abs(score) / scale, abs=0.011)

    check(one.totals["Sum"], float(one.on_grid(one.totals["Sum"]).abs().max()))
    page.locator(".xp-thumb").nth(3).click()
    assert page.locator("output").text_content() == "L3"
    check(one.rows[3], float(one.on_grid(one.rows).abs().max()))
    page.evaluate("redraw.forEach(again => again())")
    page.wait_for_function(
        "() => document.querySelector('output').textContent === 'L3'", polling=20
    )
    assert page.locator(".xp-thumb.xp-chosen b").text_content() == "L3"
    assert page.locator(".xp-reading .xp-signs").get_attribute("d") == page.locator(
        ".xp-thumb"
    ).nth(3).locator(".xp-signs").get_attribute("d")


@pytest.mark.browser
def test_opacity_and_toggles_act_at_once_and_stay(show):
    page = show(heatmaps.heatmaps_html(FOUR, Look(controls=True), style=False), scripted=True)
    seen = lambda selector: [one.is_visible() for one in page.locator(selector).all()]
    opacity = "getComputedStyle(document.querySelector('.xp-cells')).opacity"
    strength = lambda: page.evaluate(opacity)
    assert strength() == "0.85" and not any(seen(".xp-smooth")) and not any(seen(".xp-note"))
    page.locator(".xp-to-opacity").fill("0.3")
    assert strength() == "0.3"
    page.locator(".xp-to-smooth").check()
    assert all(seen(".xp-smooth")) and strength() == "0" and seen(".xp-if-smooth") == [True]
    page.locator(".xp-to-pixels").check()
    assert seen(".xp-pixels") == [True] and seen(".xp-if-pixels") == [True]
    page.evaluate(
        "html => { document.querySelector('#text-compared').innerHTML = html; "
        "redraw.forEach(again => again()); }",
        heatmaps.heatmaps_html(FOUR[:2], Look(controls=True), style=False),
    )
    page.wait_for_function("() => document.querySelector('.xp-to-smooth').checked", polling=20)
    assert page.locator(".xp-to-opacity").input_value() == "0.3" and all(seen(".xp-smooth"))


@pytest.mark.browser
def test_words_and_patches_of_the_same_number_are_not_linked(show):
    page = show(
        heatmaps.heatmaps_html(
            [SIGNED, text_heat([0.1, 0.5, -0.2, 0.3])], Look(controls=True), style=False
        ),
        scripted=True,
    )
    page.locator(".xp-t").first.hover()
    assert page.locator("rect.hot").count() == 0 and page.locator(".xp-frame").count() == 0
    page.locator("rect[data-i='0']").hover(force=True)
    assert page.locator(".xp-t.hot").count() == 0 and page.locator(".xp-frame.light").count() == 1

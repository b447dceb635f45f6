"""The page's tabs for pictures in a real browser: each test checks what a person would see."""

import re

import pytest
from browser import CUT, hindrances, until
from visiting import choose, refusal
from visiting_pictures import TEXTS, explained

import explainers as ex
from explainers.page.examples import EXAMPLE_FOLDER
from explainers.page.kinds import KINDS, TABS, in_order

QUICK = "attcat,raw_attention"

NO_PICTURES = {"renamed.jpg": "not a picture", "cut.jpg": "damaged"}

browser_test = pytest.mark.browser


def view(page, tab: str, name: str):
    page.locator(f"#{tab}-views").get_by_role("tab", name=name, exact=True).click()
    until(
        page,
        "([tab, name]) => document.querySelector(`#${tab}-views "
        "[aria-selected=true]`).textContent.trim() === name",
        [tab, name],
    )


def give(page, file: str, tab: str = "image"):
    """Put a file into the field, in place of what is there."""
    if (
        there := page.locator(f"#{tab}-photo").get_by_role(
            "button", name=re.compile("Clear|Remove")
        )
    ).count():
        there.first.click()
    page.locator(f"#{tab}-photo input[type=file]").set_input_files(file)


PATCHES = """root =>
  [...document.querySelectorAll(`${root} .xp-patches`)].map(map =>
    [...map.querySelectorAll('rect title')].map(title => title.textContent))"""


@browser_test
def test_a_picture_s_maps_are_streamed_and_have_the_library_s_numbers(visit, vit, pictures):
    page = visit(methods=QUICK)
    until(page, "() => document.querySelector('#text-compared .xp-map, #text-compared .xp-prose')")
    page.get_by_role(
        "tab", name="Image", exact=True
    ).click()  # explains its first example by itself
    page.evaluate("""() => {
      window.steps = [];
      new MutationObserver(() => {
        const now = [...document.querySelectorAll('#image-compared .xp-hollow')].length;
        if (now !== window.steps.at(-1)) window.steps.push(now);
      }).observe(document.body, {childList: true, subtree: true});
    }""")
    tab = TABS["Image"]
    explained(page, maps=len(tab.first))
    heats = ex.compare(vit, EXAMPLE_FOLDER / "cat.jpg", in_order(tab.in_menu_order(tab.first)))
    for titles, heat in zip(page.evaluate(PATCHES, "#image-compared"), heats, strict=True):
        assert titles == [
            f"row {i // heat.grid[1] + 1}, column {i % heat.grid[1] + 1}: {heat.in_words(score)}"
            for i, score in enumerate(heat.patches.flatten().tolist())
        ]
    best = ex.predict(vit, EXAMPLE_FOLDER / "cat.jpg")
    said = page.locator("#image-said").inner_text()
    assert said.startswith(f"{best.best} {best.values[0]:.1%}") and all(
        label in said for label in best.labels[:5]
    )
    until(page, "() => location.search.includes('picture=cat')")
    page.screenshot(path=pictures / "image_light.png", full_page=True)
    page.get_by_role("button", name=re.compile("a rocket$")).click()
    until(page, "() => location.search.includes('picture=rocket')")
    explained(page, maps=len(tab.first))
    steps = page.evaluate("window.steps")
    assert any(0 < waiting < len(tab.first) for waiting in steps), (
        "maps were not shown while others were computed"
    )
    said = page.locator("#image-said").inner_text()
    assert said.startswith(ex.predict(vit, EXAMPLE_FOLDER / "rocket.jpg").best)


@browser_test
def test_opacity_toggles_keys_and_hovering(visit):
    page = visit(kind="Picture", picture="coffee", methods="attcat,input_x_gradient")
    explained(page)
    root = page.locator("#image-compared")
    card = root.locator(".xp-pictures")
    shade = "() => getComputedStyle(document.querySelector('#image-compared .xp-cells')).opacity"
    before = (
        page.evaluate(shade),
        card.evaluate("card => getComputedStyle(card).getPropertyValue('--xp-opacity')"),
    )
    root.get_by_label("Opacity").fill("0.2")
    assert (
        card.evaluate("card => getComputedStyle(card).getPropertyValue('--xp-opacity')").strip()
        == "0.2"
        != before[1]
    )
    smooth, pixels = root.get_by_label(re.compile("smooth")), root.get_by_label("pixel by pixel")
    for toggle, layer in ((smooth, ".xp-smooth"), (pixels, ".xp-pixels")):
        drawn = root.locator(f".xp-tile {layer}").last
        assert not drawn.is_visible()
        toggle.check()
        assert drawn.is_visible()
        assert toggle.evaluate("box => getComputedStyle(box).appearance") == "auto", (
            "whether it is ticked can be seen"
        )
        toggle.uncheck()
    assert "adds no information" in root.locator(".xp-slider").inner_text()
    patch = root.locator(".xp-patches").first.locator("rect[data-i]")
    patch.nth(0).focus()
    for key, at in (
        ("ArrowRight", 1),
        ("ArrowDown", 9),
        ("ArrowLeft", 8),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", 63),
    ):
        page.keyboard.press(key)
        assert page.evaluate("() => +document.activeElement.dataset.i") == at, key
    said = root.locator(".xp-tile .xp-readout").all_inner_texts()
    assert all(text.startswith("row 8, column 8: ") for text in said[1:]), (
        "every map says the number of the patch in focus"
    )


@browser_test
def test_layers_of_a_picture(visit, vit):
    page = visit(kind="Picture", picture="cat", methods=QUICK, view="layers")
    until(page, "() => document.querySelectorAll('#image-panel .xp-thumb').length === 8")
    heat = ex.explain(vit, EXAMPLE_FOLDER / "cat.jpg", "attcat")
    assert page.locator("#image-panel .xp-thumb b").all_inner_texts() == [
        *heat.row_labels,
        "Sum",
        "Rollout",
    ]
    output = page.locator("#image-panel output")
    page.locator("#image-panel .xp-range").focus()
    for key, name in (("Home", "L0"), ("ArrowRight", "L1"), ("End", "Rollout")):
        page.keyboard.press(key)
        assert output.inner_text() == name
    page.locator("#image-panel .xp-thumb").nth(3).click()
    titles = [
        title.replace("−", "-") for title in page.evaluate(PATCHES, "#image-panel .xp-reading")[0]
    ]
    scores = [
        float(
            re.sub(
                ".*?: (minus |plus )?",
                lambda found: "-" if found.group(1) == "minus " else "",
                title,
            ).partition(",")[0]
        )
        for title in titles
    ]
    assert output.inner_text() == "L3" and scores == pytest.approx(
        heat.on_grid(heat.rows[3]).flatten().tolist(), rel=1e-2, abs=1e-6
    )
    page.locator("#image-views").get_by_role("radio", name="Heads", exact=True).check()
    until(
        page,
        "() => document.querySelector('#image-panel "
        ".xp-second')?.textContent.includes('over the picture')",
    )
    assert page.evaluate(CUT) == []


def peak(process: int) -> int:
    """The most memory that a process ever had, in MB."""
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) // 1024


@browser_test
def test_uploads(visit, server, vit, files):
    page = visit(kind="Picture", picture="cat", methods="raw_attention")
    explained(page, maps=1)
    said = page.locator("#image-said").inner_text()
    for name in (
        "portrait.jpg",
        "see_through.png",
        "renamed.jpg",
        "cmyk.jpg",
        "sixteen.png",
        "cut.jpg",
        "turned.jpg",
        "moving.gif",
        "dot.png",
    ):
        give(page, files[name])
        if name in NO_PICTURES:
            assert name in refusal(page, NO_PICTURES[name]).inner_text()
            assert page.locator("#image-said").inner_text() == said, "what was shown stays"
            continue
        best = ex.predict(vit, files[name])
        said = f"{best.best} {best.values[0]:.1%}"
        until(
            page, "said => document.querySelector('#image-said').innerText.startsWith(said)", said
        )
        said = page.locator("#image-said").inner_text()
        assert page.locator(".refusal:visible").count() == 0
    before = peak(server.process.pid)
    give(page, files["large.jpg"])
    best = ex.predict(vit, files["large.jpg"])
    until(
        page,
        "said => document.querySelector('#image-said').innerText.startsWith(said)",
        f"{best.best} {best.values[0]:.1%}",
    )
    explained(page, maps=1)
    assert peak(server.process.pid) - before < 200
    until(page, "() => location.search.includes('own=picture')")
    view(page, "image", "Share")
    until(
        page,
        "() => document.querySelector('#image-views .long')?.innerText.includes('does not "
        "carry your picture')",
    )
    assert "view=" not in page.url, "the view that makes links is not the one that a link shows"
    fresh = visit(page.url)
    assert "does not carry the picture" in refusal(fresh, "does not carry").inner_text()
    until(
        fresh,
        "() => document.querySelector('#image-views [aria-selected=true]')?.innerText === "
        "'Compare'",
    )
    give(fresh, files["portrait.jpg"])
    explained(fresh, maps=1)


@browser_test
def test_a_picture_given_while_another_is_explained_is_not_lost(visit, vit, files):
    page = visit(kind="Picture", picture="cat", methods="raw_attention,vit_cx")
    until(page, "() => document.querySelector('#image-said strong')")
    for name in (
        "portrait.jpg",
        "see_through.png",
    ):  # the second one long before the first has its maps
        give(page, files[name])
        page.locator("#image-photo").get_by_role(
            "button", name=re.compile("Clear|Remove")
        ).first.wait_for()
    best = ex.predict(vit, files["see_through.png"])
    until(
        page,
        "said => document.querySelector('#image-said').innerText.startsWith(said)",
        f"{best.best} {best.values[0]:.1%}",
    )
    explained(page)


@browser_test
def test_a_picture_and_texts(visit, matcher, pictures):
    photo = EXAMPLE_FOLDER / "cat.jpg"
    page = visit(kind="Picture and texts", picture="cat", text=TEXTS, methods=QUICK)
    explained(page, "match")
    best = ex.predict(matcher, (photo, TEXTS.splitlines()))
    assert page.locator("#match-said").inner_text().startswith(f"{best.best} {best.values[0]:.1%}")
    assert page.locator("#match-compared .xp-prose").all_inner_texts() == [best.best]
    page.get_by_label("Texts, one a line").fill("a sleeping lion\na photo of a cat")
    page.get_by_role("button", name="Explain", exact=True).click()
    until(page, "() => document.querySelector('#match-said').innerText.includes('sleeping lion')")
    choose(page, "Explain", "a photo of a cat")
    choose(page, "rather than", "a sleeping lion")
    until(page, "() => document.querySelectorAll('#match-compared .xp-prose').length === 2")
    explained(page, "match")
    heat = ex.explain(
        matcher, (photo, ["a sleeping lion", "a photo of a cat"]), "attcat", target=(1, 0)
    )
    assert page.evaluate(PATCHES, "#match-compared")[0][9].endswith(
        heat.in_words(float(heat.patches.flatten()[9]))
    )
    assert page.locator("#match-compared .xp-prose").all_inner_texts() == [
        "a photo of a cat",
        "a sleeping lion",
    ]
    until(page, "() => location.search.includes('versus=a+sleeping+lion')")
    page.screenshot(path=pictures / "match_light.png", full_page=True)
    fresh = visit(page.url)
    explained(fresh, "match")
    assert fresh.locator("#match-compared .xp-prose").all_inner_texts() == [
        "a photo of a cat",
        "a sleeping lion",
    ]


@browser_test
def test_imagining_shows_its_progress_and_a_picture(visit, pictures):
    page = visit(kind="Picture", picture="cat", methods="raw_attention", view="activation")
    explained_first = "() => document.querySelector('#image-said strong')"
    until(page, explained_first)
    choose(page, "Class", "teapot")
    page.get_by_role("button", name="Imagine", exact=True).click()
    until(page, "() => document.querySelector('#imagined').innerText.includes('steps')")
    until(page, "() => document.querySelector('#imagined img')?.naturalWidth === 64")
    assert (
        "teapot" in page.locator("#imagined h3").inner_text()
        and page.locator("#imagined polyline").is_visible()
    )
    page.screenshot(path=pictures / "activation_light.png", full_page=True)


@browser_test
@pytest.mark.parametrize(("tab", "kind"), [("image", "Picture"), ("match", "Picture and texts")])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, tab, kind, dark):
    page = visit(
        kind=kind, picture="cat", text=TEXTS if tab == "match" else "", methods=QUICK, dark=dark
    )
    explained(page, tab)
    for name in TABS[KINDS[kind].tab].views:
        view(page, tab, name.capitalize())
        page.wait_for_timeout(200)
        assert hindrances(page) == {}, name


@browser_test
@pytest.mark.parametrize(("tab", "kind"), [("image", "Picture"), ("match", "Picture and texts")])
def test_a_phone(visit, pictures, tab, kind):
    page = visit(
        kind=kind,
        picture="cat",
        text=TEXTS if tab == "match" else "",
        methods=QUICK,
        width=390,
        height=844,
    )
    explained(page, tab)
    for name in ("Compare", "Layers", "Methods"):
        view(page, tab, name)
        page.wait_for_timeout(200)
        assert page.evaluate(CUT) == [], name
        page.screenshot(path=pictures / f"{tab}_{name.lower()}_390.png", full_page=True)

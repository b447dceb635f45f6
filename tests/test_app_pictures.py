"""The page's tabs for pictures: their functions by themselves, then in a real browser, where each test checks what a person would see."""

import json
import re
from html import unescape

import numpy as np
import pytest
from browser import CUT, missing, until
from PIL import Image
from test_app import choose, complaint, refusal

import explainers as ex

QUICK = "attcat,raw_attention"
TEXTS = "a photo of a cat\na photo of a dog\na photo of a bird"


@pytest.fixture(scope="module")
def vit() -> ex.Model:
    return ex.load("vit", device="cpu")


@pytest.fixture(scope="module")
def matcher() -> ex.Model:
    return ex.load("image-text", device="cpu")


@pytest.fixture(scope="module")
def photo(app) -> str:
    return str(app.PHOTOS / "coffee.jpg")


@pytest.fixture
def ask(app, photo):
    """Run the page's main function as the Explain button does: everything it yields, by name."""

    def ask(
        picture=photo,
        text="",
        kind="Picture",
        target="predicted",
        versus="nothing",
        part="Layers",
        methods=("attcat", "raw_attention"),
    ):
        steps = app.run(
            kind,
            picture,
            text,
            "",
            app.KINDS[kind].model,
            target,
            versus,
            "attcat",
            part,
            1,
            True,
            False,
            "orange-blue",
            "{}",
            list(methods),
        )
        return [dict(zip(app.ANSWER, step, strict=True)) for step in steps]

    return ask


@pytest.fixture(scope="module")
def files(tmp_path_factory, photo) -> dict:
    """Pictures as people have them, and files that are none."""
    folder, coffee = tmp_path_factory.mktemp("files"), Image.open(photo)
    see_through = coffee.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(coffee.size))
    turned = Image.Exif()
    turned[274] = 6
    made = {
        "portrait.jpg": (coffee.resize((200, 400)), {}),
        "landscape.jpg": (coffee.resize((700, 200)), {}),
        "see_through.png": (see_through, {}),
        "grey.png": (coffee.convert("L"), {}),
        "cmyk.jpg": (coffee.convert("CMYK"), {}),
        "turned.jpg": (coffee, {"exif": turned}),
        "sixteen.png": (
            Image.fromarray(np.asarray(coffee.convert("L"), dtype=np.uint16) * 257),
            {},
        ),
        "dot.png": (coffee.crop((9, 9, 10, 10)), {}),
        "moving.gif": (
            coffee,
            {"save_all": True, "append_images": [coffee.rotate(90), coffee.rotate(180)]},
        ),
        "large.jpg": (coffee.resize((4000, 3000)), {"quality": 70}),
    }
    for name, (image, how) in made.items():
        image.save(folder / name, **how)
    (folder / "renamed.jpg").write_text("I am no picture.")
    (folder / "cut.jpg").write_bytes((folder / "landscape.jpg").read_bytes()[:3000])
    return {path.name: str(path) for path in folder.iterdir()}


NO_PICTURES = {"renamed.jpg": "not a picture", "cut.jpg": "damaged"}


# ---------------------------------------------------------------------------------------------------- functions


@pytest.mark.parametrize(
    "name",
    [
        "portrait.jpg",
        "see_through.png",
        "grey.png",
        "cmyk.jpg",
        "turned.jpg",
        "sixteen.png",
        "dot.png",
        "moving.gif",
        "large.jpg",
    ],
)
def test_a_picture_is_explained_as_the_library_does(ask, vit, files, name):
    last = ask(files[name])[-1]
    best = ex.predict(vit, files[name])
    assert not complaint(last) and f"{best.best} {best.values[0]:.1%}" in unescape(last["said"])
    assert last["compared"].count('class="xp-tile"') == 3 and json.loads(last["shown"])["own"]
    assert files[name] not in last["shown"], "the browser need not know where a picture lies"


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"picture": None}, "picture_refusal", "no picture yet"),
        ({"picture": "renamed.jpg"}, "picture_refusal", "not a picture"),
        ({"picture": "cut.jpg"}, "picture_refusal", "damaged"),
        ({"picture": "/no/such.png"}, "picture_refusal", "no longer here"),
        ({"methods": []}, "methods_refusal", "at least one method"),
        ({"target": "coffee"}, "goal_refusal", "no class"),
        ({"kind": "Picture and texts"}, "text_refusal", "no text to match"),
        (
            {"kind": "Picture and texts", "text": "\n".join(map(str, range(60)))},
            "text_refusal",
            "at most 50",
        ),
        (
            {
                "kind": "Picture and texts",
                "text": TEXTS,
                "target": "a photo of a cat",
                "versus": "a photo of a cat",
            },
            "goal_refusal",
            "always zero",
        ),
    ],
    ids=str,
)
def test_a_complaint_stands_beside_the_field_that_caused_it(ask, files, given, field, says):
    given = given | (
        {"picture": files.get(given["picture"], given["picture"])} if "picture" in given else {}
    )
    (step,) = ask(**given)
    assert (
        says in complaint(step)
        and "refusal" in step[field]["value"]
        and "Error" not in complaint(step)
    )


def test_a_picture_with_texts_brings_the_words_of_every_text_in_the_question(ask, matcher, photo):
    one = ask(text=TEXTS, kind="Picture and texts")[-1]
    best = ex.predict(matcher, (photo, TEXTS.splitlines())).best
    assert (
        f"towards {best}" in unescape(one["compared"])
        and one["compared"].count('class="xp-prose') == 1
    )
    begun, *_, two = ask(
        text=TEXTS, kind="Picture and texts", target="a photo of a bird", versus="a photo of a dog"
    )
    assert two["compared"].count('class="xp-prose') == 2 and re.search(
        "towards a photo of a dog.*towards a photo of a bird", unescape(two["compared"])
    )
    for word in ("bird", "dog"):
        heat = ex.explain(matcher.side("text"), (photo, f"a photo of a {word}"), "attcat")
        assert heat.in_words(float(heat.scores[-2])) in unescape(two["compared"])
    assert begun["panel"].count("AttCAT, layer by layer") == 3
    assert "head by head" in ask(text=TEXTS, kind="Picture and texts", part="Heads")[0]["panel"]


def test_texts_that_were_edited_away_are_no_longer_meant(ask):
    last = ask(
        text="a cup\n\n a cup \na pot", kind="Picture and texts", target="a cat", versus="a dog"
    )[-1]
    assert last["target"] == {
        "__type__": "update",
        "choices": ["predicted", "a cup", "a pot"],
        "value": "predicted",
    }
    assert last["versus"]["value"] == "nothing" and last["asked"][-2:] == ["predicted", "nothing"]
    best = ask(text="a cat\na cup", kind="Picture and texts")[-1]["said"]
    best = "a cup" if best.index("a cup") < best.index("a cat") else "a cat"
    last = ask(text="a cat\na cup", kind="Picture and texts", target="a dog", versus=best)[-1]
    assert last["asked"][-2:] == ["predicted", "nothing"] and not complaint(last), (
        "what is left is not explained rather than itself"
    )


def test_a_text_is_no_path_and_a_path_is_no_text(app, photo):
    """Nothing on the disk of the server can be looked at by writing where it is."""
    rest = [
        "predicted",
        "nothing",
        "attcat",
        "Layers",
        1,
        True,
        False,
        "orange-blue",
        "{}",
        ["attcat"],
    ]
    for asked in (
        ["Sentence", None, photo, "", "vit"],
        ["Pair", None, photo, photo, "image-text"],
        ["Picture", photo, "", "", "sentiment"],
    ):
        answers = list(app.run(*asked, *rest))
        assert len(answers) == 1 and "belongs in the tab" in complaint(answers[0])
        panel, *_ = app.show_layers(
            app.TABS["Text"],
            [*asked, *rest[:2]],
            "attcat",
            "Layers",
            0,
            True,
            False,
            "orange-blue",
            "{}",
        )
        assert "belongs in the tab" in complaint([panel])
    assert "takes the kind of input “Question”" in complaint(
        next(app.run("Sentence", None, "a", "", "question-answering", *rest))
    )


def test_a_model_belongs_in_its_tab(app):
    assert [app.kinds_of(name)[0] for name in ("vit", "image-text", "sentiment")] == [
        "Picture",
        "Picture and texts",
        "Sentence",
    ]
    for model, kind, tab in (
        ("vit", "Sentence", "Image"),
        ("sentiment", "Picture", "Text"),
        ("image-text", "Picture", "Image + text"),
    ):
        assert f"belongs in the tab “{tab}”" in complaint(
            app.choose_model(model, kind, "", "predicted", "nothing", 0)
        )
    with pytest.raises(Exception, match="sees pictures"):
        app.explain_api("a text", "vit")


def test_a_link_knows_the_examples_and_says_what_it_lacks(app, photo, files):
    assert app.example_of(photo) == "coffee" and app.example_of(files["grey.png"]) == ""
    tab = app.TABS["Image"]
    ready, wanted, lost, _, kind, picture, *_ = app.restore(
        tab, {"kind": "Picture", "picture": "coffee"}
    )
    assert (ready, wanted, kind["value"], picture["value"]) == (
        True,
        True,
        "Picture",
        photo,
    ) and not complaint([lost])
    for link in (
        {"kind": "Picture", "own": "picture"},
        {"kind": "Picture", "picture": "../../app"},
    ):
        _, wanted, lost, _, _, picture, *_ = app.restore(tab, link)
        assert (
            not wanted
            and picture["value"] is None
            and "does not carry the picture" in complaint([lost])
        )
    assert app.restore(app.TABS["Text"], {"kind": "Picture"})[:2] == [True, False], (
        "another tab is laid out, not explained"
    )
    assert "belongs in the tab" in complaint(
        app.restore(tab, {"kind": "Picture", "model": "sentiment"})
    )


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".csv", ".json"])
def test_files(app, photo, suffix):
    for kind, text in (("Picture", ""), ("Picture and texts", TEXTS)):
        asked = [kind, photo, text, "", app.KINDS[kind].model, "predicted", "nothing"]
        note, file = app.write_file(asked, suffix, "", "{}", ["attcat", "legrad"])
        assert not complaint([note]) and file["value"].endswith(suffix)


def test_imagining(app):
    told = []
    note, html = app.imagine(
        "vit",
        "a class",
        "teapot",
        0,
        0,
        None,
        16,
        0,
        0.1,
        0,
        4,
        lambda done, **_: told.append(done),
    )
    assert not complaint([note]) and "teapot" in html and told[-1] == (16, 16)
    points = re.search('points="([^"]+)"', html).group(1).split()
    assert len(points) == 17 and len({point.split(",")[0] for point in points}) == 17
    assert (
        "unit 3 of layer 1 at token 5"
        in app.imagine("vit", "a unit", "", 1, 3, 5, 16, 0, 0, 0, 0, lambda *_, **__: None)[1]
    )
    assert "There is no feature" in complaint(
        app.imagine("vit", "a unit", "", 1, 10**6, None, 16, 0, 0.1, 0, 4)
    )
    assert "no class" in complaint(
        app.imagine("vit", "a class", "<b>", 0, 0, None, 16, 0, 0.1, 0, 4)
    )


# --------------------------------------------------------------------------------------------------- the page

browser_test = pytest.mark.browser


def explained(page, tab: str = "image", maps: int = 2):
    """Wait until this many maps of the picture are there and nothing more is computed."""
    until(
        page,
        """([tab, maps]) => {
      const root = document.querySelector(`#${tab}-compared`);
      return root?.querySelectorAll('.xp-tile .xp-patches').length === maps && !/(computing|waiting) …/.test(root.innerText);
    }""",
        [tab, maps],
    )
    page.wait_for_timeout(150)  # a frame for the script


def view(page, tab: str, name: str):
    page.locator(f"#{tab}-views").get_by_role("tab", name=name, exact=True).click()
    until(
        page,
        "([tab, name]) => document.querySelector(`#${tab}-views [aria-selected=true]`).textContent.trim() === name",
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


PATCHES = "root => [...document.querySelectorAll(`${root} .xp-patches`)].map(map => [...map.querySelectorAll('rect title')].map(title => title.textContent))"


@browser_test
def test_a_picture_s_maps_are_streamed_and_have_the_library_s_numbers(visit, app, vit, pictures):
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
    tab = app.TABS["Image"]
    explained(page, maps=len(tab.first))
    heats = ex.compare(vit, app.PHOTOS / "cat.jpg", app.in_order(tab.by_family(tab.first)))
    for titles, heat in zip(page.evaluate(PATCHES, "#image-compared"), heats, strict=True):
        assert titles == [
            f"row {i // heat.grid[1] + 1}, column {i % heat.grid[1] + 1}: {heat.in_words(score)}"
            for i, score in enumerate(heat.patches.flatten().tolist())
        ]
    best = ex.predict(vit, app.PHOTOS / "cat.jpg")
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
    assert said.startswith(ex.predict(vit, app.PHOTOS / "rocket.jpg").best)


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
def test_layers_of_a_picture(visit, app, vit):
    page = visit(kind="Picture", picture="cat", methods=QUICK, view="layers")
    until(page, "() => document.querySelectorAll('#image-panel .xp-thumb').length === 8")
    heat = ex.explain(vit, app.PHOTOS / "cat.jpg", "attcat")
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
        "() => document.querySelector('#image-panel .xp-second')?.textContent.includes('over the picture')",
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
        "() => document.querySelector('#image-views .long')?.innerText.includes('does not carry your picture')",
    )
    assert "view=" not in page.url, "the view that makes links is not the one that a link shows"
    fresh = visit(page.url)
    assert "does not carry the picture" in refusal(fresh, "does not carry").inner_text()
    until(
        fresh,
        "() => document.querySelector('#image-views [aria-selected=true]')?.innerText === 'Compare'",
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
def test_a_picture_and_texts(visit, app, matcher, pictures):
    photo = app.PHOTOS / "cat.jpg"
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
def test_axe_finds_nothing_serious(visit, app, tab, kind, dark):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-core is not installed: pip install axe-playwright-python")
    page = visit(
        kind=kind, picture="cat", text=TEXTS if tab == "match" else "", methods=QUICK, dark=dark
    )
    explained(page, tab)
    found = {}
    for name in app.TABS[app.KINDS[kind].tab].views:
        view(page, tab, name)
        page.wait_for_timeout(200)
        report = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        found |= {
            (name, one["id"], node["target"][0]): node["html"][:160]
            for one in report
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        }
    assert found == {}


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

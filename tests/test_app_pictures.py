"""The page's tabs for pictures: their functions by themselves, then in a real browser.

Each browser test checks what a person would see.
"""

import re
from html import unescape

import numpy as np
import pytest
from asking import answers, complaint, question, write_file
from browser import CUT, missing, until
from PIL import Image
from test_app import choose, choose_model, refusal

import explainers as ex
from explainers.page import asking, choosing, imagining, loading
from explainers.page.examples import PHOTOS, name_of_photo
from explainers.page.links import Link
from explainers.page.state import KINDS, TABS, in_order

QUICK = "attcat,raw_attention"
TEXTS = "a photo of a cat\na photo of a dog\na photo of a bird"


@pytest.fixture(scope="module")
def vit() -> ex.Model:
    return ex.load("vit", device="cpu")


@pytest.fixture(scope="module")
def matcher() -> ex.Model:
    return ex.load("image-text", device="cpu")


@pytest.fixture(scope="module")
def photo() -> str:
    return str(PHOTOS / "coffee.jpg")


@pytest.fixture
def ask(photo):
    """Explain as the Explain button does: all steps by name; by default the photo alone."""

    def ask(picture=photo, text="", kind="Picture", methods=("attcat", "raw_attention"), **more):
        targets = {name: more.pop(name) for name in ("target", "versus") if name in more}
        asked = question(kind, text, picture=picture, **targets)
        return answers(asked, methods, **({"layer": 1} | more))

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


# ---------------------------------------------------------------------------------------- functions


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
    assert not complaint(last)
    assert f"{best.best} {best.values[0]:.1%}" in unescape(last["said"]["value"])
    assert last["compared"]["value"].count('class="xp-tile"') == 3
    shown = last["shown"]["value"]
    assert files[name] not in shown, "the browser need not know where a picture lies"


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
    given = {"text": TEXTS, "kind": "Picture and texts"}
    one = ask(**given)[-1]["compared"]["value"]
    best = ex.predict(matcher, (photo, TEXTS.splitlines())).best
    assert f"towards {best}" in unescape(one) and one.count('class="xp-prose') == 1
    begun, *_, last = ask(**given, target="a photo of a bird", versus="a photo of a dog")
    two = unescape(last["compared"]["value"])
    assert two.count('class="xp-prose') == 2
    assert re.search("towards a photo of a dog.*towards a photo of a bird", two)
    for word in ("bird", "dog"):
        heat = ex.explain(matcher.side("text"), (photo, f"a photo of a {word}"), "attcat")
        assert heat.in_words(float(heat.scores[-2])) in two
    assert begun["panel"]["value"].count("<h3>AttCAT, layer by layer<") == 3
    assert "head by head" in ask(**given, part="Heads")[0]["panel"]["value"]


def test_texts_that_were_edited_away_are_no_longer_meant(ask):
    given = {"kind": "Picture and texts"}
    last = ask(text="a cup\n\n a cup \na pot", target="a cat", versus="a dog", **given)[-1]
    assert last["target"] == {"choices": ["predicted", "a cup", "a pot"], "value": "predicted"}
    asked = last["asked"]["value"]
    assert last["versus"]["value"] == "nothing"
    assert (asked.target, asked.versus) == ("predicted", "nothing")
    best = ask(text="a cat\na cup", **given)[-1]["said"]["value"]
    best = "a cup" if best.index("a cup") < best.index("a cat") else "a cat"
    last = ask(text="a cat\na cup", target="a dog", versus=best, **given)[-1]
    asked = last["asked"]["value"]
    assert (asked.target, asked.versus) == ("predicted", "nothing") and not complaint(last), (
        "what is left is not explained rather than itself"
    )


def test_a_text_is_no_path_and_a_path_is_no_text(photo):
    """Nothing on the disk of the server can be looked at by writing where it is."""
    look = {"merge": True, "specials": False, "palette": "orange-blue", "options": "{}"}
    panel = {"layers_of": "attcat", "part": "Layers", "layer": 0}
    for asked in (
        question("Sentence", photo, model="vit"),
        question("Pair", photo, pair=photo, model="image-text"),
        question("Picture", picture=photo, model="sentiment"),
    ):
        (changes,) = answers(asked)
        assert "belongs in the tab" in complaint(changes)
        changes = asking.show_layers(TABS["Text"], asked=asked, **look, **panel)
        assert "belongs in the tab" in complaint(changes)
    (changes,) = answers(question("Sentence", "a", model="question-answering"))
    assert "takes the kind of input “Question”" in complaint(changes)


def test_a_model_belongs_in_its_tab():
    for model, kind in (
        ("vit", "Picture"),
        ("image-text", "Picture and texts"),
        ("sentiment", "Sentence"),
    ):
        assert loading.kinds_of(model)[0] == kind
    for model, kind, tab in (
        ("vit", "Sentence", "Image"),
        ("sentiment", "Picture", "Text"),
        ("image-text", "Picture", "Image + text"),
    ):
        assert f"belongs in the tab “{tab}”" in complaint(choose_model(model, kind))
    api = pytest.importorskip("explainers.page.api")
    with pytest.raises(Exception, match="sees pictures"):
        api.explain_api("a text", "vit")


def test_a_link_knows_the_examples_and_says_what_it_lacks(photo, files):
    assert name_of_photo(photo) == "coffee" and name_of_photo(files["grey.png"]) == ""
    tab = TABS["Image"]
    changes = choosing.restore(tab, {"kind": "Picture", "picture": "coffee"})
    assert changes["ready"]["value"] and changes["wanted"]["value"]
    assert changes["kind"]["value"] == "Picture" and changes["picture"]["value"] == photo
    assert not complaint(changes)
    for link in (
        {"kind": "Picture", "own": "picture"},
        {"kind": "Picture", "picture": "../../app"},
    ):
        changes = choosing.restore(tab, link)
        assert not changes["wanted"]["value"] and changes["picture"]["value"] is None
        assert "does not carry the picture" in complaint(changes)
    changes = choosing.restore(TABS["Text"], {"kind": "Picture"})
    assert changes["ready"]["value"] and not changes["wanted"]["value"], (
        "another tab is laid out, not explained"
    )
    changes = choosing.restore(tab, {"kind": "Picture", "model": "sentiment"})
    assert "belongs in the tab" in complaint(changes)


def test_a_link_of_an_own_picture_says_that_it_is_left_out(files):
    own = Link.of(asking.State(question("Picture", picture=files["grey.png"]), ("attcat",)))
    assert own.query()["own"] == "picture" and "picture" not in own.query()
    assert not [value for value in own.query().values() if files["grey.png"] in value]
    assert "does not carry your picture" in own.notes()[0]


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".csv", ".json"])
def test_files(photo, suffix):
    for kind, text in (("Picture", ""), ("Picture and texts", TEXTS)):
        changes = write_file(question(kind, text, picture=photo), suffix, ["attcat", "legrad"])
        assert not complaint(changes) and changes["file"]["value"].endswith(suffix)


def imagine(progress=lambda *_, **__: None, **wish) -> dict:
    """What the button answers; by default for a class, in sixteen steps."""
    usual = {"goal": "a class", "class_name": "", "unit_layer": 0, "unit": 0, "unit_token": None}
    usual |= {"steps": 16, "seed": 0, "tv": 0.1, "l2": 0, "jitter": 4}
    return imagining.imagine("vit", imagining.Wish(**usual | wish), progress)


def test_imagining():
    told = []
    changes = imagine(lambda done, **_: told.append(done), class_name="teapot")
    html = changes["imagined"]["value"]
    assert not complaint(changes) and "teapot" in html and told[-1] == (16, 16)
    points = re.search('points="([^"]+)"', html).group(1).split()
    assert len(points) == 17 and len({point.split(",")[0] for point in points}) == 17
    unit = {"goal": "a unit", "unit_layer": 1}
    html = imagine(**unit, unit=3, unit_token=5, tv=0, jitter=0)["imagined"]["value"]
    assert "unit 3 of layer 1 at token 5" in html
    assert "There is no feature" in complaint(imagine(**unit, unit=10**6))
    assert "no class" in complaint(imagine(class_name="<b>"))


# ----------------------------------------------------------------------------------------- the page

browser_test = pytest.mark.browser


def explained(page, tab: str = "image", maps: int = 2):
    """Wait until this many maps of the picture are there and nothing more is computed."""
    until(
        page,
        """([tab, maps]) => {
      const root = document.querySelector(`#${tab}-compared`);
      return root?.querySelectorAll('.xp-tile .xp-patches').length === maps
          && !/(computing|waiting) …/.test(root.innerText);
    }""",
        [tab, maps],
    )
    page.wait_for_timeout(150)  # a frame for the script


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
    heats = ex.compare(vit, PHOTOS / "cat.jpg", in_order(tab.in_menu_order(tab.first)))
    for titles, heat in zip(page.evaluate(PATCHES, "#image-compared"), heats, strict=True):
        assert titles == [
            f"row {i // heat.grid[1] + 1}, column {i % heat.grid[1] + 1}: {heat.in_words(score)}"
            for i, score in enumerate(heat.patches.flatten().tolist())
        ]
    best = ex.predict(vit, PHOTOS / "cat.jpg")
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
    assert said.startswith(ex.predict(vit, PHOTOS / "rocket.jpg").best)


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
    heat = ex.explain(vit, PHOTOS / "cat.jpg", "attcat")
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
    photo = PHOTOS / "cat.jpg"
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
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-core is not installed: pip install axe-playwright-python")
    page = visit(
        kind=kind, picture="cat", text=TEXTS if tab == "match" else "", methods=QUICK, dark=dark
    )
    explained(page, tab)
    found = {}
    for name in TABS[KINDS[kind].tab].views:
        view(page, tab, name.capitalize())
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

"""Functions of the page's tabs for pictures, without a browser."""

import re
from html import unescape

import pytest
from asking import answers, choose_model, complaint, question, write_file
from visiting_pictures import TEXTS

import explainers as ex
from explainers.page import asking, choosing, imagining, loading
from explainers.page.examples import name_of_photo
from explainers.page.links import Link
from explainers.page.state import TABS


@pytest.fixture
def ask(photo):
    """Explain as the Explain button does: all steps by name; by default the photo alone."""

    def ask(picture=photo, text="", kind="Picture", methods=("attcat", "raw_attention"), **more):
        targets = {name: more.pop(name) for name in ("target", "versus") if name in more}
        asked = question(kind, text, picture=picture, **targets)
        return answers(asked, methods, **({"layer": 1} | more))

    return ask


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
    for link, reason in (
        ({"own": "picture"}, "does not carry the picture"),
        ({"picture": "../../app"}, "There is no example picture '../../app'"),
        ({"picture": "coffe"}, "did you mean 'coffee'? (astronaut, cat, coffee, rocket) Give a"),
    ):
        changes = choosing.restore(tab, {"kind": "Picture"} | link)
        assert not changes["wanted"]["value"] and changes["picture"]["value"] is None
        assert reason in complaint(changes)
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

"""The link of the page: what is written is read, and what is read was written."""

from html import unescape
from urllib.parse import parse_qsl

import pytest
from asking import complaint, question, state, values_of
from hypothesis import given
from hypothesis import strategies as st

import explainers as ex
from explainers.page import asking, choosing
from explainers.page.examples import EXAMPLES, PHOTOS, fields_of, first_example
from explainers.page.links import LONGEST_NAME, LONGEST_TEXT, Link
from explainers.page.options import with_option
from explainers.page.state import KINDS, TABS, Panel, Question, State
from explainers.render.colours import PALETTES
from explainers.render.look import Look

OPTIONS = ["{}", with_option("{}", "attcat", "states", "output")]
OPTIONS.append(with_option(OPTIONS[1], "rollout", "start", 2))

texts = st.text(min_size=1, max_size=LONGEST_TEXT)
names = st.text(min_size=1, max_size=LONGEST_NAME)


@st.composite
def questions(draw, kind: str) -> Question:
    one = KINDS[kind]
    photos = sorted(str(photo) for photo in PHOTOS.glob("*.jpg"))
    return Question(
        kind=kind,
        picture=draw(st.sampled_from(photos)) if one.has_picture else None,
        text=draw(texts) if one.text_label else "",
        pair=draw(texts) if one.pair_label else "",
        model=draw(names),
        target=draw(names),
        versus=draw(names),
    )


@st.composite
def panels(draw, tab) -> Panel:
    part = draw(st.sampled_from(["Layers", "Heads"]))
    layer = draw(st.integers(0, 999)) if part == "Heads" else None
    method = draw(st.sampled_from(tab.with_part(part)))
    return Panel(method.key, part, layer)


@st.composite
def states(draw) -> State:
    """What a visitor can have chosen, of every kind of input."""
    kind = draw(st.sampled_from(list(KINDS)))
    tab = TABS[KINDS[kind].tab]
    keys = [method.key for method in tab.methods]
    return State(
        question=draw(questions(kind)),
        methods=tab.in_menu_order(draw(st.sets(st.sampled_from(keys), min_size=1))),
        options=draw(st.sampled_from(OPTIONS)),
        look=draw(st.builds(Look, st.sampled_from(list(PALETTES)), st.booleans(), st.booleans())),
        panel=draw(panels(tab)),
        view=draw(st.sampled_from(tab.views[:-1])),
    )


@given(states())
def test_a_link_restores_the_state_that_it_was_written_from(state):
    address = Link.of(state).address()
    query = dict(parse_qsl(address.removeprefix("?"), keep_blank_values=True))
    assert Link.read(query) == Link.of(state)


@given(st.dictionaries(st.sampled_from(list(Link.of(State(question(), ())).values())), st.text()))
def test_a_link_of_nonsense_is_read_as_something_that_can_be_written(query):
    read = Link.read(query)
    assert read.state.methods and read.tab.name in TABS
    assert Link.read(read.query()).query() == read.query()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_at_its_default_is_not_in_a_link(kind):
    query = Link.read({"kind": kind}).query()
    given = {name: value for name, value in query.items() if name != "kind"}
    example = fields_of(first_example(kind))
    photo = EXAMPLES[kind][next(iter(EXAMPLES[kind]))].get("picture", "").removesuffix(".jpg")
    wanted = {"picture": photo, "text": example["text"], "pair": example["pair"]}
    assert given == {name: value for name, value in wanted.items() if value}


@pytest.mark.parametrize("name", ex.BUNDLED)
def test_a_bundled_model_brings_its_kind_of_input(name):
    state = Link.read({"model": name}).state
    assert KINDS[state.question.kind].input == ex.BUNDLED[name].takes
    assert state.question.model == name


def test_a_long_text_is_cut_and_the_link_says_so():
    long = Link.of(State(question(text="a" * (LONGEST_TEXT + 1)), ("attcat",)))
    assert long.query()["text"] == "a" * LONGEST_TEXT
    assert "only its beginning" in long.notes()[0]
    assert Link.of(State(question(text="a" * LONGEST_TEXT), ("attcat",))).notes() == []


#: Links of earlier versions, as people may have kept them, and a part of what they open.
KEPT = [
    (
        "?text=A+dull+film.&class=NEGATIVE&versus=POSITIVE"
        "&methods=cat%2Cattcat&view=layers&layers=cat",
        {"text": "A dull film.", "target": "NEGATIVE", "versus": "POSITIVE"},
    ),
    (
        "?kind=Picture&picture=cat&methods=gae%2Cattcat"
        "&subwords=apart&specials=shown&colours=red-blue",
        {"kind": "Picture", "picture": str(PHOTOS / "cat.jpg"), "model": "vit"},
    ),
    (
        "?kind=Question&text=Who%3F&pair=A+man.&part=Heads&layer=0"
        "&options=%7B%22attcat%22%3A+%7B%22states%22%3A+%22output%22%7D%7D",
        {"kind": "Question", "pair": "A man.", "model": "question-answering"},
    ),
]


@pytest.mark.parametrize(("address", "opens"), KEPT)
def test_links_of_earlier_versions_still_open(address, opens):
    link = Link.read(dict(parse_qsl(address[1:])))
    asked = vars(link.state.question)
    assert {name: asked[name] for name in opens} == opens
    assert dict(parse_qsl(link.address()[1:])) == dict(parse_qsl(address[1:]))


WRONG_TARGETS = [
    ({"class": "NOPE"}, "There is no class 'NOPE'"),
    ({"class": "NEGATIVE", "versus": "POSITIV"}, "did you mean 'POSITIVE'?"),
    ({"class": "7"}, "There is no class 7"),
    (
        {"kind": "Picture and texts", "picture": "cat", "text": "a cat\na dog", "class": "a cow"},
        "There is no text 'a cow'",
    ),
]


@pytest.mark.parametrize(("named", "reason"), WRONG_TARGETS)
def test_a_link_with_a_target_that_there_is_not_says_what_is_explained_instead(named, reason):
    tab = Link.read(named).tab
    changes = choosing.restore(tab, {"text": "a dull film"} | named)
    said = changes["goal_refusal"]["value"]
    assert reason in unescape(said) and "What the model predicts is explained instead." in said
    assert changes["target"]["value"] == "predicted" and changes["versus"]["value"] == "nothing"
    assert changes["wanted"]["value"]


@pytest.mark.parametrize("target", ["NEGATIVE", "1", "NEGATIVE - POSITIVE"])
def test_a_link_keeps_every_target_that_the_model_takes(target):
    changes = choosing.restore(TABS["Text"], {"text": "a dull film", "class": target})
    assert changes["target"]["value"] == target and not complaint(changes)


def test_what_a_link_had_wrong_is_still_said_beside_the_answer():
    values = values_of(state(question(text="a dull film"), ["attcat"]))
    *_, last = asking.explain_link(True, asking.Turn(), **values)
    assert "AttCAT" in last["compared"]["value"] and "goal_refusal" not in last
    empty = values_of(state(question(text=" "), ["attcat"]))
    *_, last = asking.explain_link(True, asking.Turn(), **empty)
    assert "empty" in complaint(last)
    assert list(asking.explain_link(False, asking.Turn(), **values)) == [{}]

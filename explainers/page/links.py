"""The codec between the state of the page and the query of its address.

`Link.query` writes what `Link.read` reads. The browser only copies the query into the address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import explainers as ex

from ..render.colours import PALETTES
from ..render.look import Look
from .examples import fields_of, first_example, name_of_photo, photo_named
from .kinds import FIRST_METHOD, KINDS, TABS, Tab, ticked
from .loading import kinds_of
from .options import known_options
from .state import NOTHING, PREDICTED, LayerPanel, Question, State

LONGEST_TEXT = 2000  # characters of each text that a link carries
LONGEST_NAME = 200  # characters of a model or a target


@dataclass(frozen=True)
class Link:
    """The content of a link: one state of the page.

    has_own_picture  the picture is none of the examples; a link does not carry it
    given            the query that it was read from
    """

    state: State
    has_own_picture: bool = False
    given: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, state: State) -> "Link":
        picture = state.question.picture
        return cls(state, bool(picture and not name_of_photo(picture)))

    @property
    def tab(self) -> Tab:
        return TABS[KINDS[self.state.question.kind].tab]

    # ------------------------------------------------------------------------------------ write

    def query(self) -> dict[str, str]:
        """The names and values of the query; what is at its default is left out."""
        defaults = defaults_of(self.state.question.kind)
        written = {}
        for name, value in self.values().items():
            if value != defaults[name]:
                written[name] = value
        return written

    def address(self) -> str:
        """The same as the end of an address: "?text=...", or "" if all is at its default."""
        query = urlencode(self.query())
        return query and f"?{query}"

    def values(self) -> dict[str, str]:
        """Names and values before those at their defaults are left out."""
        state = self.state
        question, look, panel = state.question, state.look, state.panel
        values = {
            "kind": question.kind,
            "text": question.text[:LONGEST_TEXT],
            "pair": question.pair[:LONGEST_TEXT],
            "model": question.model,
            "class": question.target,
            "versus": question.versus,
            "methods": ",".join(state.methods),
            "view": state.view,
            "layers": panel.layers_of,
            "part": panel.part,
            "colours": look.palette,
            "options": state.options,
        }
        if self.has_own_picture:
            values["own"] = "picture"
        elif question.picture:
            values["picture"] = name_of_photo(question.picture)
        if panel.part == "Heads" and panel.layer is not None:
            values["layer"] = str(panel.layer)
        if not look.merge:
            values["subwords"] = "apart"
        if look.specials:
            values["specials"] = "shown"
        return values

    def notes(self) -> list[str]:
        """What a link of this state does not carry, in sentences."""
        question = self.state.question
        notes = []
        if max(len(question.text), len(question.pair)) > LONGEST_TEXT:
            notes.append(
                f"A link carries {LONGEST_TEXT} characters of a text. This text is longer, so the "
                "link holds only its beginning."
            )
        if self.has_own_picture:
            notes.append(
                "A link does not carry your picture, only the question about it. After opening "
                "the link, give the picture again."
            )
        return notes

    # ------------------------------------------------------------------------------------- read

    def about(self, kind: str, model: str) -> "Link":
        """The same link for another kind of input or another model; itself for its own."""
        question = self.state.question
        if (kind, model) == (question.kind, question.model):
            return self
        return Link.read({**self.given, "kind": kind, "model": model})

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Link":
        """The link with this query. What does not exist is left at its default."""
        kind = kind_in(query)
        tab = TABS[KINDS[kind].tab]
        values = defaults_of(kind)
        for name, value in query.items():
            if name in values and value:
                values[name] = value
        state = State(
            question=read_question(kind, values),
            methods=tab.in_menu_order(values["methods"].split(",")) or tab.in_menu_order(tab.first),
            options=known_options(values["options"][:LONGEST_TEXT]),
            look=Look(
                merge=values["subwords"] != "apart",
                specials=values["specials"] == "shown",
                palette=one_of(values["colours"], PALETTES, "orange-blue"),
            ),
            panel=read_panel(tab, values),
            view=one_of(values["view"], tab.views[:-1], "compare"),
        )
        is_lost = KINDS[kind].has_picture and state.question.picture is None
        return cls(state, has_own_picture=is_lost, given=query)


def kind_in(query: Mapping[str, str]) -> str:
    """The kind of input that a query is about, and with it the tab."""
    kind, model = query.get("kind", ""), query.get("model", "")
    if kind in KINDS:
        return kind
    return kinds_of(model)[0] if model in ex.BUNDLED else "Sentence"


def defaults_of(kind: str) -> dict[str, str]:
    """The values that a link of this kind of input leaves out."""
    tab = TABS[KINDS[kind].tab]
    return {
        "kind": "Sentence",
        "picture": "",
        "own": "",
        "text": "",
        "pair": "",
        "model": KINDS[kind].model,
        "class": PREDICTED,
        "versus": NOTHING,
        "methods": ",".join(tab.in_menu_order(tab.first)),
        "view": "compare",
        "layers": FIRST_METHOD,
        "part": "Layers",
        "layer": "",
        "subwords": "",
        "specials": "",
        "colours": "orange-blue",
        "options": "{}",
    }


def read_question(kind: str, values: Mapping[str, str]) -> Question:
    """The question; without a text and a picture, that of the first example."""
    given: dict[str, str | None] = {
        "picture": photo_named(values["picture"]) if KINDS[kind].has_picture else None,
        "text": values["text"][:LONGEST_TEXT],
        "pair": values["pair"][:LONGEST_TEXT],
    }
    names_picture = KINDS[kind].has_picture and (values["picture"] or values["own"])
    if not (values["text"] or names_picture):
        given = fields_of(first_example(kind))
    return Question(
        kind=kind,
        picture=given["picture"],
        text=given["text"] or "",
        pair=given["pair"] or "",
        model=values["model"][:LONGEST_NAME],
        target=values["class"][:LONGEST_NAME],
        versus=values["versus"][:LONGEST_NAME],
    )


def read_panel(tab: Tab, values: Mapping[str, str]) -> LayerPanel:
    part = one_of(values["part"], ("Layers", "Heads"), "Layers")
    layer = None
    if values["layer"].isdecimal() and len(values["layer"]) < 4:
        layer = int(values["layer"])
    methods = [*ticked(tab.with_part(part), [values["layers"]]), FIRST_METHOD]
    return LayerPanel(layers_of=methods[0], part=part, layer=layer)


def one_of(value: str, choices, otherwise: str) -> str:
    return value if value in choices else otherwise

"""What the page holds, as frozen values: kinds of input, tabs, and what a visitor has chosen.

Nothing here knows Gradio or runs a model.
"""

import hashlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import Refusal
from ..inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, PROMPT, QUESTION, TEXT, InputKind
from ..methods import METHODS, Method
from ..models.bundled import BUNDLED, bundled_for
from ..render.look import Look

#: The first entry of the menu "Explain": the target that the model predicts.
PREDICTED = "predicted"

#: The first entry of the menu "rather than": no second target.
NOTHING = "nothing"

#: The method that is shown first wherever one method is shown.
FIRST_METHOD = "attcat"

MOST_TEXTS = 50  # that one picture is matched with


# -------------------------------------------------------------------------------- kinds of input


@dataclass(frozen=True)
class Kind:
    """A kind of input: its tab and its fields.

    from_hub  the model to begin with if none is bundled
    """

    tab: str
    input: InputKind
    from_hub: str = ""

    @property
    def model(self) -> str:
        """The model to begin with."""
        return self.from_hub or bundled_for(self.input)

    @property
    def has_picture(self) -> bool:
        return self.input.picture

    @property
    def has_lines(self) -> bool:
        """Whether each line of the text field is a text of its own."""
        return self.input.many

    @property
    def text_label(self) -> str:
        """The label of the first text field; "" if there is none."""
        return self.label(0)

    @property
    def pair_label(self) -> str:
        """The label of the second text field; "" if there is none."""
        return self.label(1)

    def label(self, place: int) -> str:
        for name in self.input.texts[place:]:
            return name.capitalize()
        return ""


KINDS = {
    "Sentence": Kind("Text", TEXT),
    "Pair": Kind("Text", PAIR),
    "Question": Kind("Text", QUESTION),
    "Next token": Kind("Text", PROMPT, from_hub="openai-community/gpt2"),
    "Picture": Kind("Image", PICTURE),
    "Picture and texts": Kind("Image + text", PICTURE_AND_TEXTS),
}

#: The kinds that have no button: they appear with a model that takes them.
UNLISTED = {"Next token"}


# ------------------------------------------------------------------------------------------- tabs


@dataclass(frozen=True)
class Tab:
    """A tab of the page, as data. All tabs share one layout and the same handlers.

    slug         begins the HTML ids of its parts
    from_hub     models from the Hub on its menu: (title, id)
    modality     "text" or "image": which methods it offers
    first        the methods that are ticked at first
    about        a sentence about the bundled model
    has_imagine  whether a model can be asked for a picture here
    """

    name: str
    slug: str
    from_hub: tuple[tuple[str, str], ...]
    modality: str
    first: tuple[str, ...]
    about: str = ""
    has_imagine: bool = False

    @property
    def kinds(self) -> list[str]:
        return [name for name, kind in KINDS.items() if kind.tab == self.name]

    @property
    def models(self) -> list[tuple[str, str]]:
        """The menu of models: (label, name)."""
        inputs = {KINDS[kind].input for kind in self.kinds}
        menu = []
        for name, row in BUNDLED.items():
            if row.listed and row.takes in inputs:
                label = ", ".join(filter(None, (f"{row.title}: bundled", row.note)))
                menu.append((label, name))
        for title, name in self.from_hub:
            menu.append((f"{title}: from the Hub", name))
        return menu

    @cached_property
    def methods(self) -> list[Method]:
        """The methods that it offers, in the order of the menu."""
        return [method for method in METHODS.values() if self.modality in method.modalities]

    @cached_property
    def families(self) -> dict[str, list[Method]]:
        """The same methods by family."""
        found: dict[str, list[Method]] = {}
        for method in self.methods:
            found.setdefault(method.family, []).append(method)
        return found

    def with_part(self, part: str) -> list[Method]:
        """The methods that can be looked at by "Layers" or by "Heads"."""
        return [method for method in self.methods if part.lower() in method.parts]

    def in_menu_order(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Those of `keys` that it offers, as the menu shows them."""
        keys = set(keys)
        ordered = []
        for methods in self.families.values():
            ordered += ticked(methods, keys)
        return tuple(ordered)

    @property
    def method_with_options(self) -> str:
        """The method whose options are shown first."""
        for key in self.first:
            if METHODS[key].options:
                return key
        raise LookupError(f"no method of the tab {self.name} has options")

    @property
    def views(self) -> list[str]:
        """The names of its views in links and ids, in order; the last one makes links."""
        if self.has_imagine:
            return ["compare", "layers", "test", "methods", "activation", "share"]
        return ["compare", "layers", "test", "methods", "share"]


FIRST_FOR_TEXTS = (
    "attcat",
    "integrated_gradients",
    "occlusion",
    "gae",
    "rollout",
    "raw_attention",
)
FIRST_FOR_PICTURES = (
    "attcat",
    "input_x_gradient",
    "occlusion",
    "gae",
    "legrad",
    "rollout",
    "raw_attention",
)
SMALL = (
    "The bundled model is small and knows 50 kinds of things. "
    "It is often wrong, and you can explain its mistakes, too."
)

TABS = {
    "Text": Tab(
        "Text",
        slug="text",
        from_hub=(
            ("DistilBERT SST-2", "distilbert/distilbert-base-uncased-finetuned-sst-2-english"),
            ("GPT-2", "openai-community/gpt2"),
        ),
        modality="text",
        first=FIRST_FOR_TEXTS,
    ),
    "Image": Tab(
        "Image",
        slug="image",
        from_hub=(
            ("DeiT-Tiny", "facebook/deit-tiny-patch16-224"),
            ("ViT-B/16", "google/vit-base-patch16-224"),
        ),
        modality="image",
        first=FIRST_FOR_PICTURES,
        about=SMALL,
        has_imagine=True,
    ),
    "Image + text": Tab(
        "Image + text",
        slug="match",
        from_hub=(("CLIP ViT-B/32", "openai/clip-vit-base-patch32"),),
        modality="image",
        first=FIRST_FOR_PICTURES,
        about=SMALL,
    ),
}


# ---------------------------------------------------------------------------- what a visitor chose


@dataclass(frozen=True)
class Question:
    """What a visitor asks: the input, the model, and the target to explain.

    picture  the path of a file on this server, or None
    target   a name from the menu "Explain", or what was typed there
    versus   the same for the menu "rather than"
    """

    kind: str
    picture: str | None
    text: str
    pair: str
    model: str
    target: str = PREDICTED
    versus: str = NOTHING

    @property
    def fingerprint(self) -> str:
        """A hash of this question: a browser can compare it and cannot read it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


#: The fields of a `Look` that a visitor chooses.
LOOK = ("merge", "specials", "palette")


@dataclass(frozen=True)
class Panel:
    """What the view "Layers" shows: one method by "Layers", or by the "Heads" of one layer.

    layer  None stands for the last one
    """

    layers_of: str = FIRST_METHOD
    part: str = "Layers"
    layer: int | None = None


@dataclass(frozen=True)
class State:
    """Everything that a visitor chose in one tab.

    methods  the ticked methods, in the order of the menu
    options  the changed options of all methods, as JSON: {method: {option: value}}
    view     the name of the open view
    """

    question: Question
    methods: tuple[str, ...]
    options: str = "{}"
    look: Look = field(default_factory=Look)
    panel: Panel = field(default_factory=Panel)
    view: str = "compare"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "State":
        """The state that the fields of the page hold.

        values: by the names of `Fields`; the ticked methods are under "methods/<family>".
        """
        methods: list[str] = []
        for name, value in values.items():
            if name.startswith("methods/"):
                methods += value or []
        question = chosen(names_of(Question), values)
        for name in ("kind", "text", "pair", "model"):
            question[name] = question[name] or ""
        for name, empty in (("target", PREDICTED), ("versus", NOTHING)):
            question[name] = question[name] or empty
        return cls(
            question=Question(**question),
            methods=tuple(methods),
            options=values["options"],
            look=Look(**chosen(LOOK, values)),
            panel=Panel(**chosen(names_of(Panel), values)),
        )


def menu_of(methods: Iterable[Method]) -> list[tuple[str, str]]:
    """Methods as a menu of Gradio takes them: (title, key)."""
    return [(method.title, method.key) for method in methods]


def ticked(methods: Iterable[Method], keys: Container[str]) -> list[str]:
    """The keys of those methods that are among `keys`."""
    return [method.key for method in methods if method.key in keys]


def names_of(kind: type) -> tuple[str, ...]:
    """The names of the fields of a dataclass."""
    return tuple(one.name for one in fields(kind))


def chosen(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of these names."""
    return {name: values[name] for name in names}


# ----------------------------------------------------------------------------- reading the fields


def in_order(keys: Iterable[str]) -> list[str]:
    """AttCAT first, then the other signed methods, then the unsigned ones.

    Raises `Refusal` if there is no method.
    """
    keys = list(keys)
    if not keys:
        raise Refusal("Choose at least one method.")
    return sorted(keys, key=lambda key: (key != FIRST_METHOD, not METHODS[key].signed))


def given_by(question: Question):
    """The input of a question, as `explainers.explain` takes it.

    Gives a text, a pair of texts, the path of a picture, or (path, texts). Raises `Refusal` if a
    part is missing.
    """
    kind = KINDS[question.kind]
    if not kind.has_picture:
        if kind.pair_label:
            return question.text, question.pair
        return question.text
    picture = existing(question.picture)
    if not kind.has_lines:
        return picture
    texts = lines_of(question.text)
    if not texts:
        raise Refusal(
            "There is no text to match the picture with. Type at least one text; "
            "each line is a text of its own."
        )
    if len(texts) > MOST_TEXTS:
        raise Refusal(
            f"A picture is matched with at most {MOST_TEXTS} texts here; got {len(texts)}."
        )
    return picture, texts


def existing(picture: str | None) -> str:
    """The path of a picture that is there, or a `Refusal`."""
    if not picture:
        raise Refusal("There is no picture yet. Drop, paste or take one, or click an example.")
    if not Path(picture).exists():
        raise Refusal(
            "This picture is no longer here: the server deletes pictures after an hour. "
            "Give it again."
        )
    return picture


def lines_of(text: str) -> tuple[str, ...]:
    """The texts of a field with one text on each line: no empty ones, and none twice."""
    texts = []
    for line in text.splitlines():
        visible = any(letter.isprintable() and not letter.isspace() for letter in line)
        if visible and line.strip() not in texts:
            texts.append(line.strip())
    return tuple(texts)


def valid_targets(target: str, versus: str, texts: Iterable[str]) -> tuple[str, str]:
    """The two targets among the texts of a picture.

    If the first one was deleted from the texts, both are reset; if only the second one was, it is.
    """
    known = set(texts)
    if target != PREDICTED and target not in known:
        return PREDICTED, NOTHING
    return target, versus if versus in known else NOTHING

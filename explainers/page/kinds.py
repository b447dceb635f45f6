"""The kinds of input and the tabs of the page, as data, and the menus that they offer.

Nothing here knows Gradio or runs a model.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cached_property

from ..errors import Refusal
from ..inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, PROMPT, QUESTION, TEXT, InputKind
from ..methods import METHODS, Method
from ..models.bundled import BUNDLED, bundled_for

#: The method that is shown first wherever one method is shown.
FIRST_METHOD = "attcat"

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


# ------------------------------------------------------------------------------------------ menus


def listed_kinds(tab: Tab, kind: str) -> list[str]:
    """The buttons for the kinds of input, while this kind is chosen."""
    return [other for other in tab.kinds if other == kind or other not in UNLISTED]


def menu_of(methods: Iterable[Method]) -> list[tuple[str, str]]:
    """Methods as a menu of Gradio takes them: (title, key)."""
    return [(method.title, method.key) for method in methods]


def ticked(methods: Iterable[Method], keys: Container[str]) -> list[str]:
    """The keys of those methods that are among `keys`."""
    return [method.key for method in methods if method.key in keys]


def menu_title(method: Method, options: dict | None = None) -> str:
    """A method on the menu; if it takes more than one pass, with its cost."""
    if method.is_single_pass(options or {}):
        return method.title
    return f"{method.title} · {method.cost_of(options or {})}"


def in_order(keys: Iterable[str]) -> list[str]:
    """AttCAT first, then the other signed methods, then the unsigned ones.

    Raises `Refusal` if there is no method.
    """
    keys = list(keys)
    if not keys:
        raise Refusal("Choose at least one method.")
    return sorted(keys, key=lambda key: (key != FIRST_METHOD, not METHODS[key].signed))

"""What a visitor has chosen, as frozen values.

Nothing here knows Gradio or runs a model.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..render.look import Look
from .kinds import FIRST_METHOD, in_order

#: The first entry of the menu "Explain": the target that the model predicts.
PREDICTED = "predicted"

#: The first entry of the menu "rather than": no second target.
NOTHING = "nothing"


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
class LayerPanel:
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
    panel: LayerPanel = field(default_factory=LayerPanel)
    view: str = "compare"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "State":
        """The state that the fields of the page hold.

        values: by the names of `Fields`; the ticked methods are under "methods/<family>".
        """
        question = chosen(field_names(Question), values)
        for name in ("kind", "text", "pair", "model"):
            question[name] = question[name] or ""
        for name, empty in (("target", PREDICTED), ("versus", NOTHING)):
            question[name] = question[name] or empty
        return cls(
            question=Question(**question),
            methods=tuple(ticked_methods(values)),
            options=values["options"],
            look=Look(**chosen(LOOK, values)),
            panel=LayerPanel(**chosen(field_names(LayerPanel), values)),
        )


def ticked_methods(values: Mapping[str, Any]) -> list[str]:
    """The ticked methods of all families, in the order of the menu."""
    methods: list[str] = []
    for name, value in values.items():
        if name.startswith("methods/"):
            methods += value or []
    return methods


def shown_methods(values: Mapping[str, Any]) -> list[str]:
    """The ticked methods in the order in which maps are shown. Raises `Refusal` if none is."""
    return in_order(ticked_methods(values))


def field_names(kind: type) -> tuple[str, ...]:
    """The names of the fields of a dataclass."""
    return tuple(one.name for one in fields(kind))


def chosen(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of these names."""
    return {name: values[name] for name in names}

"""For tests of the page: what a visitor chose, and what the page answers, without a browser."""

import re
from dataclasses import replace
from html import unescape

from explainers.page import choosing, files
from explainers.page.asking import answer
from explainers.page.kinds import KINDS
from explainers.page.state import LOOK, LayerPanel, Question, State
from explainers.render.look import Look


def question(kind: str = "Sentence", text: str = "", **others) -> Question:
    """A question; by default with the model that its kind of input begins with."""
    asked = Question(kind, None, text, "", KINDS[kind].model)
    return replace(asked, **others)


def state(asked: Question, methods=("attcat", "raw_attention"), options="{}", **shown) -> State:
    """What a visitor chose. shown: fields of a `Look` or a `LayerPanel`."""
    look, panel = Look(), LayerPanel(layer=5)
    for name, value in shown.items():
        if hasattr(look, name):
            look = replace(look, **{name: value})
        else:
            panel = replace(panel, **{name: value})
    return State(asked, tuple(methods), options, look, panel)


def values_of(chosen: State) -> dict:
    """The same as the fields of the page hold it, by name."""
    look = {name: getattr(chosen.look, name) for name in LOOK}
    fields = vars(chosen.question) | look | vars(chosen.panel)
    return fields | {"options": chosen.options, "methods/all": list(chosen.methods)}


def choose_model(
    model: str, kind="Sentence", text="", target="predicted", versus="nothing", layer=5
) -> dict:
    """What the menu of models changes on the page."""
    return choosing.choose_model(model, kind, text, target, versus, layer)


def answers(asked: Question, methods=("attcat", "raw_attention"), **chosen) -> list[dict]:
    """All steps of an explanation, as the Explain button shows them."""
    return list(answer(state(asked, methods, **chosen)))


def write_file(asked, suffix: str, methods=("attcat", "raw_attention"), link: str = "") -> dict:
    """What the page answers when a file of these maps is wanted."""
    ticked = {"methods/all": list(methods)}
    return files.write_file(asked=asked, suffix=suffix, link=link, options="{}", **ticked)


def complaint(changes: dict) -> str:
    """The sentence that changes of the page show as a refusal, or ""."""
    shown = []
    for change in changes.values():
        if 'class="refusal"' in str(change.get("value")):
            shown.append(change["value"])
    assert len(shown) <= 1
    return unescape(re.sub("<[^>]+>", "", shown[0])) if shown else ""

"""The components of a tab by name, and handlers that answer with changes by name."""

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gradio as gr
from gradio import component_meta

from .kinds import Tab
from .pieces import Changes
from .state import LOOK, LayerPanel, Question, field_names

PROGRESS = gr.Progress()  # Gradio looks for one among the defaults of a handler
ASSETS = Path(__file__).parent / "assets"


class Fields:
    """The components of one tab by name.

    A component whose name is that of a field of `Question`, `Look`, `LayerPanel` or `Wish` holds
    its value; "methods/<family>" holds the ticked methods of a family, and "examples/<kind>" is
    the row of examples of a kind of input.
    """

    def __init__(self, tab: Tab, **shared: Any):
        self.tab = tab
        self.parts: dict[str, Any] = dict(shared)

    def __getitem__(self, name: str) -> Any:
        """A component. Gradio makes its events at run time, so no type checker knows them."""
        return self.parts[name]

    def __setitem__(self, name: str, component: Any) -> None:
        if name in self.parts:
            raise KeyError(f"two components are called {name}")
        self.parts[name] = component

    def pick(self, *names: str) -> dict[str, Any]:
        """Components by name, as `inputs_kwargs` takes them."""
        return {name: self.parts[name] for name in names}

    def starting(self, prefix: str) -> list[str]:
        """The names that begin so."""
        return [name for name in self.parts if name.startswith(prefix)]

    def input_events(self, names: Iterable[str]) -> list[Callable]:
        """The events of a visitor changing one of these."""
        return [self.parts[name].input for name in names]

    @property
    def ticks(self) -> list[str]:
        """The names of the lists of methods."""
        return self.starting("methods/")

    @property
    def state(self) -> list[str]:
        """The names of all that `State.read` takes."""
        chosen = (*field_names(Question), *LOOK, *field_names(LayerPanel))
        return [*chosen, "options", *self.ticks]

    def handler(self, function: Callable, progress: bool = False) -> Callable:
        """`function`, as Gradio calls it: changes by name become updates by component.

        progress: whether it also takes `progress`, a `gradio.Progress`
        """
        if progress:
            return with_progress(function, self.parts)
        return by_component(function, self.parts)


def by_component(function: Callable, parts: Mapping[str, Any]) -> Callable:
    """`function(**values) -> Changes`, or a generator of them, as a handler of Gradio."""
    if inspect.isgeneratorfunction(function):

        def handle_steps(**values) -> Iterator[dict]:
            for changes in function(**values):
                yield updates(changes, parts)

        return handle_steps

    def handle(**values) -> dict:
        return updates(function(**values), parts)

    return handle


def with_progress(function: Callable, parts: Mapping[str, Any]) -> Callable:
    """`function(progress, **values) -> Changes` as a handler of Gradio."""

    def handle(progress=PROGRESS, **values) -> dict:
        return updates(function(progress=progress, **values), parts)

    return handle


def updates(changes: Changes, parts: Mapping[str, Any]) -> dict:
    """Changes by name as Gradio takes them; what is not named stays as it is."""
    if not changes:
        return gr.skip()
    return {parts[name]: gr.update(**change) for name, change in changes.items()}


def in_browser(changes: Changes) -> str:
    """A script that makes these changes at once, without asking the server."""
    values = []
    for change in changes.values():
        values.append(change | {"__type__": "update"})
    return f"() => {json.dumps(values)}"


# ------------------------------------------------------------------------------ components of ours


def heatmap_html(**settings: Any) -> gr.HTML:
    """Heatmaps, with linked hovering, arrow keys and sliders on top of their static HTML."""
    return gr.HTML(
        js_on_load=(ASSETS / "heatmap.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        padding=False,
        **settings,
    )


def plain_html(html: str = "", **settings: Any) -> gr.HTML:
    """A piece of HTML without Gradio's styles and margins."""
    return gr.HTML(html, apply_default_css=False, padding=False, **settings)


def refusal_html() -> gr.HTML:
    """The place of a refusal, below its field."""
    return gr.HTML(visible=False)


# For each new component Gradio would write a stub beside this file, which may be read-only.
with patch.object(component_meta, "create_or_modify_pyi"):

    class Photo(gr.Image):
        """A picture as the file that was given.

        `explainers.open_picture` opens it, with sentences for what it cannot open.
        """

        is_template = True  # drawn by the browser's part of gr.Image

        def preprocess(self, payload):
            return payload.path if payload else None

"""What happens when a visitor uses a tab: which handler runs, what it reads, what it changes.

Handlers read values by name and answer with changes by name, see `Fields`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from . import asking, checks, choosing, files, imagining
from .examples import EXAMPLES
from .fields import Fields, in_browser
from .imagining import NOTHING_IMAGINED, Wish
from .links import Link
from .pieces import NOTHING_TESTED, Changes
from .state import Question, State, Tab, chosen, names_of

#: What an explanation changes.
ANSWER = (
    "picture_refusal",
    "text_refusal",
    "model_refusal",
    "goal_refusal",
    "methods_refusal",
    "target",
    "versus",
    "said",
    "running",
    "compared",
    "panel",
    "asked",
    "shown",
)

#: What depends on the kind of input and on the model, besides the rows of examples.
CHOICE = (
    "model_refusal",
    "kind",
    "picture",
    "text",
    "pair",
    "model",
    "target",
    "versus",
    "layer",
)

#: What a link fills in, besides the rows of examples and the ticked methods.
RESTORED = (
    *CHOICE,
    "picture_refusal",
    "goal_refusal",
    "ready",
    "wanted",
    "layers_of",
    "part",
    "merge",
    "specials",
    "palette",
    "options",
    "method_with_options",
    "views",
)

LOOK_OF_LAYERS = ("options", "layers_of", "part", "layer", "merge", "specials", "palette")

PRIVATE = {"api_visibility": "private"}
SILENT = {"show_progress": "hidden", **PRIVATE}
NEWEST = {"trigger_mode": "always_last"}
PROGRESS = gr.Progress()  # Gradio looks for one among the defaults of a handler
HIDDEN_FILE = {"value": None, "visible": False}


def connect(ui: Fields, opened: Callable, loaded: Callable) -> None:
    """All events of a tab.

    opened: the event that the tab is opened. loaded: the event that the page is loaded and its
    address is in "query".
    """
    connect_questions(ui)
    connect_choices(ui)
    connect_link(ui, loaded)
    explaining(ui, opened, asking.explain_first, "ready", "asked")
    connect_layers(ui)
    connect_tests(ui)
    connect_files(ui)
    if ui.tab.has_imagine:
        connect_imagining(ui)


def on(
    ui: Fields,
    trigger: Callable,
    handler: Callable,
    reads: Sequence[str],
    changes: Sequence[str],
    **settings: Any,
) -> Any:
    """Run `handler(**values)` after an event. reads, changes: names of components."""
    return trigger(
        ui.handler(handler),
        inputs_kwargs=ui.pick(*reads),
        outputs=list(ui.pick(*changes).values()),
        **PRIVATE | settings,
    )


def any_of(*triggers: Callable) -> Callable:
    """One event for several."""
    return partial(gr.on, list(triggers))


def at_once(ui: Fields, trigger: Callable, changes: Changes, **settings: Any) -> None:
    """Make these changes in the browser, before the server answers."""
    outputs = list(ui.pick(*changes).values())
    trigger(None, None, outputs, js=in_browser(changes), **PRIVATE | settings)


# ------------------------------------------------------------------------------------ questions


def explaining(ui: Fields, trigger: Callable, handler: Callable, *more: str) -> None:
    """Explain after an event, then write the link. more: what the handler reads besides."""
    done = on(
        ui,
        trigger,
        handler,
        [*more, "turn", *ui.state],
        ANSWER,
        show_progress="minimal",
        show_progress_on=[ui["go"]],
        trigger_mode="multiple",  # a newer question does not wait: it ends the older one
    )
    write_link_after(ui, done.then)


def connect_questions(ui: Fields) -> None:
    menus = ("target", "versus", "merge", "specials", "palette", *ui.ticks)
    asked = any_of(
        ui["go"].click,
        ui["text"].submit,
        ui["pair"].submit,
        *ui.inputs_of(menus),
    )
    explaining(ui, asked, asking.explain)
    explaining(ui, ui["options"].change, asking.explain_with_options)
    explaining(ui, ui["picture"].input, asking.explain_picture)


def connect_choices(ui: Fields) -> None:
    """Another example, kind of input or model is filled in, then explained."""
    changes = [*CHOICE, *ui.starting("examples/")]
    for kind in ui.tab.kinds:
        for name in EXAMPLES[kind]:
            take = partial(choosing.take_example, kind, name)
            click = ui[f"example/{kind}/{name}"].click
            taken = on(ui, click, take, ["model"], changes, **SILENT)
            explaining(ui, taken.then, asking.explain)
    chosen = on(
        ui, ui["kind"].input, choosing.choose_kind, ["kind", "text", "model"], changes, **SILENT
    )
    explaining(ui, chosen.success, asking.explain)
    reads = ["model", "kind", "text", "target", "versus", "layer"]
    chosen = on(
        ui,
        ui["model"].input,
        choosing.choose_model,
        reads,
        changes,
        show_progress_on=[ui["model"]],
    )
    explaining(ui, chosen.success, asking.explain)


# ---------------------------------------------------------------------------------------- links


def connect_link(ui: Fields, loaded: Callable) -> None:
    """Fill in the fields from a link, explain, and keep the address up to date."""
    changes = [*RESTORED, *ui.starting("examples/"), *ui.ticks]
    restored = on(ui, loaded, partial(choosing.restore, ui.tab), ["query"], changes, **SILENT)
    explaining(ui, restored.then, asking.explain_link, "wanted")
    write_link_after(ui, any_of(ui["views"].select, ui["shown"].change))


def write_link_after(ui: Fields, trigger: Callable) -> None:
    """Write the query of the state on the server, and copy it into the address in the browser."""
    slug = ui.tab.slug
    written = on(
        ui,
        trigger,
        partial(write_link, ui.tab),
        ["view", "asked", *ui.state],
        ["address", "link_notes"],
        js=f"async (view, ...rest) => [await explainersPage.viewOfLink('{slug}'), ...rest]",
        **SILENT,
    )
    written.then(
        None,
        ui["address"],
        ui["link"],
        js=f"address => explainersPage.copyLink('{slug}', address)",
        **PRIVATE,
    )


def write_link(tab: Tab, *, view: str, asked: Question | None, **values) -> Changes:
    """The link of the shown question with the choices around it, and what it does not carry."""
    if asked is None:
        return {}
    state = State.read(values)
    methods = tab.in_menu_order(state.methods)
    link = Link.of(replace(state, question=asked, methods=methods, view=view or "compare"))
    notes = ""
    for note in link.notes():
        notes += f'<p class="long">{escape(note)}</p>'
    return {"address": {"value": link.address()}, "link_notes": {"value": notes}}


# ---------------------------------------------------------------------------------------- views


def connect_layers(ui: Fields) -> None:
    shown = on(
        ui,
        any_of(ui["layers_of"].input, ui["part"].input, ui["layer"].input),
        asking.while_shown(partial(asking.show_layers, ui.tab)),
        ["turn", "asked", *LOOK_OF_LAYERS],
        ["panel", "layers_of", "layer"],
        show_progress="minimal",
        show_progress_on=[ui["go"]],
        **NEWEST,
    )
    write_link_after(ui, shown.then)


def connect_tests(ui: Fields) -> None:
    tab = ui.tab
    ticked = ui.inputs_of(ui.ticks)
    another_question: Changes = {"tested": {"value": NOTHING_TESTED}, "file": HIDDEN_FILE}
    for name in ("test_refusal", "file_refusal", "removed", "randomised"):
        another_question[name] = {"value": ""}
    at_once(ui, ui["shown"].change, another_question)
    at_once(
        ui,
        any_of(ui["fill"].input, ui["options"].change, *ticked),
        {"removed": {"value": ""}, "file": HIDDEN_FILE},
    )
    question = ["turn", "asked", "options", *ui.ticks]
    on(
        ui,
        any_of(
            ui["view/test"].select,
            ui["shown"].change,
            ui["fill"].input,
            ui["options"].change,
            *ticked,
        ),
        asking.while_shown(partial(checks.check_maps, tab)),
        ["view", "fill", *question],
        ["test_refusal", "tested", "removed_of"],
        js=f"(view, ...rest) => [explainersPage.openView('{tab.slug}'), ...rest]",
        **SILENT | NEWEST,
    )
    on(
        ui,
        ui["randomise"].click,
        asking.while_shown(checks.randomise_weights),
        question,
        ["randomised"],
        show_progress_on=[ui["randomise"]],
    )
    on(
        ui,
        ui["remove"].click,
        asking.while_shown(partial(checks.remove_top, tab)),
        [*question, "fill", "removed_of", "count"],
        ["removed"],
        show_progress_on=[ui["remove"]],
    )


def connect_files(ui: Fields) -> None:
    on(
        ui,
        ui["write"].click,
        asking.while_shown(files.write_file),
        ["turn", "asked", "suffix", "link", "options", *ui.ticks],
        ["file_refusal", "file"],
        show_progress_on=[ui["write"]],
    )


def connect_imagining(ui: Fields) -> None:
    menus_of = ("class_name", "unit_layer", "unit", "unit_token")
    changed = any_of(ui["page"].load, ui["model"].change, ui["goal"].input)
    on(ui, changed, imagining.unit_menus, ["model", "goal"], menus_of, **SILENT)

    def imagine(progress=PROGRESS, **values) -> dict:
        wish = Wish(**chosen(names_of(Wish), values))
        return ui.update(imagining.imagine(values["model"], wish, progress))

    running = ui["imagine"].click(
        imagine,
        inputs_kwargs=ui.pick("model", *names_of(Wish)),
        outputs=list(ui.pick("imagine_refusal", "imagined").values()),
        show_progress_on=[ui["imagined"]],
        **PRIVATE,
    )
    at_once(
        ui,
        ui["model"].change,
        {"imagine_refusal": {"value": ""}, "imagined": {"value": NOTHING_IMAGINED}},
        cancels=[running],
    )

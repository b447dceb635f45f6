"""Answering a question: the maps of one method after another, and never an old answer last."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import explainers as ex

from ..render.heatmaps import heads_html, heatmaps_html, layers_html
from ..render.look import Look
from ..render.prediction import prediction_html
from .answers import (
    Asked,
    check_target,
    encode,
    maps_of,
    parse_question,
    prediction_of,
    traces_of,
)
from .loading import model_of
from .options import Changed, read_options
from .pieces import NO_REFUSALS, Changes, message_for, refusal_at_field, refusal_box, refused_at
from .running import NOT_RUNNING, Running, progress_html, while_wanted
from .state import (
    FIRST_METHOD,
    KINDS,
    LOOK,
    NOTHING,
    PREDICTED,
    Panel,
    Question,
    State,
    Tab,
    chosen,
    in_order,
    menu_of,
    ticked,
    valid_targets,
)


@dataclass
class Turn:
    """Which question a visitor's tab is at.

    number  how many questions there were
    state   the last one with all choices, unless it ended in a refusal
    asked   the question that the page shows an answer to
    """

    number: int = 0
    state: State | None = None
    asked: Question | None = None


# ------------------------------------------------------------------------------------- handlers


def explain(turn: Turn, **values) -> Iterator[Changes]:
    """Explain what the fields hold."""
    yield from ask(turn, State.read(values))


def explain_picture(turn: Turn, **values) -> Iterator[Changes]:
    """Explain another picture. A picture that was only taken away asks nothing."""
    yield {}
    if values["picture"]:
        yield from explain(turn, **values)


def explain_with_options(turn: Turn, **values) -> Iterator[Changes]:
    """Explain with other options than those of the last question.

    A link that is opened fills the options in before the fields beside them are its own. Then
    nothing was asked yet, or just with these options, and `explain_link` asks.
    """
    yield {}
    are_new = turn.state is None or turn.state.options != values["options"]
    if turn.number and are_new:
        yield from explain(turn, **values)


def explain_link(wanted: bool, turn: Turn, **values) -> Iterator[Changes]:
    """Explain what a link filled in, if the link is about this tab.

    What the link had wrong is still said when the answer comes.
    """
    yield {}
    if not wanted:
        return
    for changes in explain(turn, **values):
        yield changes if is_refused(changes) else without_refusals(changes)


def without_refusals(changes: Changes) -> Changes:
    """Changes that leave the places of refusals as they are."""
    return {name: change for name, change in changes.items() if name not in NO_REFUSALS}


def explain_first(ready: bool, asked: Question | None, turn: Turn, **values) -> Iterator[Changes]:
    """Explain what a tab shows when it is opened, unless it shows an answer already.

    ready: whether the fields are filled in; a link opens its tab before they are.
    """
    yield {}
    if ready and asked is None:
        yield from explain(turn, **values)


def ask(turn: Turn, state: State) -> Iterator[Changes]:
    """`answer`, until something newer is asked: an older answer never replaces a newer one.

    The older one ends even in the middle of a method, see `while_wanted`.

    A question that has been answered, or is being answered, is not answered again: a menu of
    Gradio fires `input` when the focus only passes through it.
    """
    if state == turn.state:
        yield NO_REFUSALS
        return
    turn.number += 1
    turn.state = state
    number = turn.number

    def is_wanted() -> bool:
        return turn.number == number

    for changes in while_wanted(answer(state), is_wanted):
        if "asked" in changes:
            turn.asked = changes["asked"]["value"]
        if is_refused(changes):
            turn.state = None  # to ask again is to try again
        yield changes


def is_refused(changes: Changes) -> bool:
    """Whether changes of the page show a refusal below a field."""
    refusals = [change for name, change in changes.items() if name.endswith("_refusal")]
    return any(change["visible"] for change in refusals)


def while_shown(handler: Callable[..., Changes | Iterator[Changes]]) -> Callable:
    """`handler` of the shown question, until the page shows another one.

    So nothing appears below a question that it does not belong to.
    """

    def handle(turn: Turn, asked: Question | None, **values) -> Iterator[Changes]:
        def is_wanted() -> bool:
            return turn.asked == asked

        yield from while_wanted(steps_of(partial(handler, asked=asked, **values)), is_wanted)

    return handle


def steps_of(handler: Callable[[], Changes | Iterator[Changes]]) -> Iterator[Changes]:
    """The steps of a handler's answer; an answer at once is one step."""
    answer = handler()
    if isinstance(answer, Iterator):
        yield from answer
    else:
        yield answer


def show_layers(tab: Tab, *, asked: Question | None, options: str, **values) -> Changes:
    """Another method, part or layer of the view "Layers", with its menu and slider."""
    look = Look(**chosen(LOOK, values))
    methods = tab.with_part(values["part"])
    method = [*ticked(methods, [values["layers_of"]]), FIRST_METHOD][0]
    changes: Changes = {
        "layers_of": {"choices": menu_of(methods), "value": method},
        "layer": {"visible": values["part"] == "Heads"},
    }
    if asked is None:
        return changes
    panel = Panel(method, values["part"], values["layer"])
    try:
        shown = panel_html(parse_question(asked), panel, look, read_options(options))
        return changes | {"panel": {"value": shown}}
    except Exception as error:
        message = message_for(error, "The layers could not be shown; the reason has been logged.")
        return changes | {"panel": refusal_box(message)}


# -------------------------------------------------------------------------------------- answers


def answer(state: State) -> Iterator[Changes]:
    """Explain, one method after another; an error is shown below the field that caused it."""
    try:
        yield from maps_one_by_one(state)
    except Exception as error:
        yield refusal_at_field(error, state.question) | NOT_RUNNING


def maps_one_by_one(state: State) -> Iterator[Changes]:
    with refused_at("methods"):
        methods = in_order(state.methods)
    asked = parse_question(state.question)
    said = predicted(asked)
    check_target(asked)
    question = with_valid_targets(state.question, asked)
    always = NO_REFUSALS | NOT_RUNNING | target_menus(question, asked)
    always |= {
        "said": {"value": said},
        "asked": {"value": question},
        "shown": {"value": question.fingerprint},
    }
    options = read_options(state.options)
    waiting = [menu_title(ex.METHODS[key], options.get(key)) for key in methods]
    look = replace(state.look, controls=True)
    if not ex.METHODS[methods[0]].is_single_pass(options.get(methods[0], {})):
        # what takes a while says so before it starts
        compared = heatmaps_html([], look, waiting=waiting, style=False)
        yield always | {"compared": {"value": compared}}
    traces = traces_of(asked)  # held until the last map is there
    heats: list[ex.Heatmap] = []
    refused: dict[str, str] = {}
    for number, method in enumerate(methods, 1):
        chosen_options = options.get(method, {})
        running = Running(maps_of, traces.asked, method, chosen_options)
        for done in running.steps():
            yield {"running": {"value": progress_of(asked, method, chosen_options, done)}}
        maps = running.result()
        heats += maps.heats
        refused |= maps.refused
        compared = heatmaps_html(
            heats, look, waiting=waiting[number:], refused=refused, layers=False, style=False
        )
        changes = always | {"compared": {"value": compared}}
        if number == 1:
            panel = panel_html(asked, state.panel, state.look, options)
            changes |= {"panel": {"value": panel}}
        yield changes


def progress_of(asked: Asked, method: str, options: dict, done: int) -> str:
    """How far a method is after `done` passes, as HTML."""
    tokens = int((~encode(asked.model, asked.given).special_tokens).sum())
    layers = len(model_of(asked.model).blocks)
    total = ex.METHODS[method].forward_passes(options, tokens, layers)
    return progress_html(ex.METHODS[method].title, done, total)


def predicted(asked: Asked) -> str:
    """The prediction of the model as HTML."""
    said = prediction_of(asked.model, asked.given)
    return prediction_html(said.labels, said.values, said.kind, said.tie)


def with_valid_targets(question: Question, asked: Asked) -> Question:
    """The question without the targets that are no longer among its texts."""
    if not KINDS[question.kind].has_lines:
        return question
    target, versus = valid_targets(question.target, question.versus, asked.given[1])
    return replace(question, target=target, versus=versus)


def target_menus(question: Question, asked: Asked) -> Changes:
    """The menus of targets where the texts of a picture are the classes; else no changes."""
    if not KINDS[question.kind].has_lines:
        return {}
    texts = asked.given[1]
    return {
        "target": {"choices": [PREDICTED, *texts], "value": question.target},
        "versus": {"choices": [NOTHING, *texts], "value": question.versus},
    }


def panel_html(asked: Asked, panel: Panel, look: Look, options: Changed) -> str:
    """A method layer by layer, or head by head in one layer."""
    maps = maps_of(asked, panel.layers_of, options.get(panel.layers_of))
    pieces = []
    if maps.refused:
        pieces.append(heatmaps_html([], look, refused=maps.refused, style=False))
    for heat in maps.heats:
        if heat.heads is not None and panel.part == "Heads":
            layer = len(heat.heads) - 1
            if panel.layer is not None:
                layer = min(int(panel.layer), layer)
            pieces.append(heads_html(heat, layer, look, style=False))
        else:
            pieces.append(layers_html(heat, look, slider=True, style=False))
    return "".join(pieces)


def menu_title(method: ex.Method, options: dict | None = None) -> str:
    """A method on the menu; if it takes more than one pass, with its cost."""
    if method.is_single_pass(options or {}):
        return method.title
    return f"{method.title} · {method.cost_of(options or {})}"

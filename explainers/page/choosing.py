"""What the fields hold after another kind of input, model, example or link was chosen."""

from collections.abc import Mapping
from dataclasses import replace

from ..errors import nearest
from .answers import check_target, parse_question
from .examples import EXAMPLES, fields_of, first_example, is_example_text, names_of_photos
from .links import Link
from .loading import has_own_classes, kinds_in, kinds_of, model_of
from .options import read_options
from .pieces import Changes, RefusedField, message_for, refusal_box, refused_at
from .state import (
    KINDS,
    NOTHING,
    PREDICTED,
    TABS,
    UNLISTED,
    Question,
    State,
    Tab,
    lines_of,
    menu_of,
    ticked,
)

NOT_LOADED = "This model could not be loaded; the reason has been logged."
PICTURE_NOT_IN_LINK = (
    "A link does not carry the picture. Give it again; everything else is as it was."
)


def choose_kind(kind: str, text: str, model: str) -> Changes:
    """Another kind of input: its fields, a model for it, and its first example.

    A text that the visitor typed stays.
    """
    try:
        name = model_for(kind, model)
        if text and not is_example_text(text):  # the visitor typed it
            return fields_for(kind, name)
        return fields_for(kind, name, fields_of(first_example(kind)))
    except Exception as error:
        return model_refusal(error)


def choose_model(model: str, kind: str, text: str, target: str, versus: str, layer: int) -> Changes:
    """Another model, and a kind of input that it takes; what was chosen stays where it can."""
    try:
        name = (model or "").strip()
        model_of(name)
        kinds = kinds_in(TABS[KINDS[kind].tab], name)
        if kind not in kinds:
            return choose_kind(kinds[0], text, name)
        return fields_for(kind, name, None, target, versus, int(layer))
    except Exception as error:
        return model_refusal(error)


def take_example(kind: str, name: str, model: str) -> Changes:
    """An example in the fields, with its own model if it has one."""
    example = EXAMPLES[kind][name]
    try:
        chosen = example.get("model") or model_for(kind, model)
        return fields_for(kind, chosen, fields_of(example))
    except Exception as error:
        return model_refusal(error)


def model_for(kind: str, model: str) -> str:
    """This model if it takes the kind of input, else the one to begin with."""
    return model if kind in kinds_of(model) else KINDS[kind].model


def model_refusal(error: Exception) -> Changes:
    """Nothing changes, and the sentence below the field of the model says why."""
    return {"model_refusal": refusal_box(message_for(error, NOT_LOADED), unanswered=True)}


def fields_for(
    kind: str,
    name: str,
    given: Mapping[str, str | None] | None = None,
    target: str = PREDICTED,
    versus: str = NOTHING,
    layer: int | None = None,
) -> Changes:
    """Every field that depends on the kind of input and on the model `name`.

    given: new values of picture, text and pair; None keeps what stands in the fields, which may
    be newer than what the caller knows.
    """
    model = model_of(name)
    one = KINDS[kind]
    tab = TABS[one.tab]
    texts = lines_of(given["text"] or "") if given and one.has_lines else ()
    menu = model.task.menu(model, texts)
    hint = model.task.hint
    takes_more = not has_own_classes(model)
    deepest = len(model.blocks) - 1
    changes: Changes = {
        "model_refusal": refusal_box(),
        "kind": {"choices": listed_kinds(tab, kind), "value": kind},
        "text": {"label": one.text_label or "Text"},
        "pair": {"label": one.pair_label or "Second text", "visible": bool(one.pair_label)},
        "model": {"value": name},
        "target": {
            "choices": [PREDICTED, *menu],
            "value": kept_target(target, menu, takes_more, PREDICTED),
            "info": hint,
        },
        "versus": {
            "choices": [NOTHING, *menu],
            "value": kept_target(versus, menu, takes_more, NOTHING),
            "info": hint and "nothing, or another",
        },
        "layer": {"maximum": deepest, "value": deepest},
    }
    if layer is not None:
        changes["layer"]["value"] = min(layer, deepest)
    for field, value in (given or {}).items():
        changes.setdefault(field, {})["value"] = value
    for other in tab.kinds:
        changes[f"examples/{other}"] = {"visible": other == kind}
    return changes


def listed_kinds(tab: Tab, kind: str) -> list[str]:
    """The buttons for the kinds of input, while this kind is chosen."""
    return [other for other in tab.kinds if other == kind or other not in UNLISTED]


def kept_target(target: str, menu: tuple[str, ...], takes_more: bool, otherwise: str) -> str:
    """A target if the model has it, else `otherwise`.

    takes_more: the model takes targets that are on no menu, such as words of a context.
    """
    if target in menu or (takes_more and target):
        return target
    return otherwise


# ---------------------------------------------------------------------------------- opening links


def restore(tab: Tab, query: dict[str, str]) -> Changes:
    """The view that a link names, in its tab; the other tabs show their first example.

    What the link names and what does not exist is left at its default.
    """
    is_here = Link.read(query).tab is tab
    if not is_here:
        query = {"kind": tab.kinds[0]}
    query, refused = with_known_model(tab, query)
    link = Link.read(query)
    state, is_lost = link.state, link.has_own_picture
    question, unknown = with_known_targets(state.question)
    changes = fields_for(
        question.kind,
        question.model,
        {"picture": question.picture, "text": question.text, "pair": question.pair},
        question.target,
        question.versus,
        state.panel.layer,
    )
    changes["target"]["value"] = question.target
    changes["versus"]["value"] = question.versus
    changes["picture_refusal"] = refusal_box(why_lost(query) if is_lost else "")
    changes["model_refusal"] = refusal_box(refused)
    changes["goal_refusal"] = refusal_box(unknown)
    changes["ready"] = {"value": True}
    changes["wanted"] = {"value": is_here and not is_lost}
    return changes | display_of(tab, state)


def with_known_model(tab: Tab, query: dict[str, str]) -> tuple[dict[str, str], str]:
    """The query with a model and a kind of input that go together, and a refusal or ""."""
    question = Link.read(query).state.question
    kind, model, refused = question.kind, question.model, ""
    try:
        if kind not in kinds_of(model):
            kind = kinds_in(tab, model)[0]
    except Exception as error:
        refused = f"{message_for(error, NOT_LOADED)} The bundled model is shown instead."
        kind = tab.kinds[0]
        model = KINDS[kind].model
    return query | {"kind": kind, "model": model}, refused


def with_known_targets(question: Question) -> tuple[Question, str]:
    """The question with targets that there are, and a refusal of the others or ""."""
    if question.target == PREDICTED and question.versus == NOTHING:
        return question, ""
    try:
        asked = parse_question(question)
        if KINDS[question.kind].has_lines:
            check_among(question, asked.given[1])
        check_target(asked)
    except RefusedField as refusal:
        known = replace(question, target=PREDICTED, versus=NOTHING)
        return known, f"{refusal} What the model predicts is explained instead."
    except Exception:
        pass  # it will be said when the question is asked
    return question, ""


def check_among(question: Question, texts: tuple[str, ...]) -> None:
    """Raises `Refusal`, at the field of the target, if a target is none of these texts."""
    with refused_at("goal"):
        for name, nobody in ((question.target, PREDICTED), (question.versus, NOTHING)):
            if name not in (nobody, *texts):
                raise nearest(name, texts, "text")


def why_lost(query: Mapping[str, str]) -> str:
    """Why a link brings no picture."""
    named = query.get("picture")
    if not named:
        return PICTURE_NOT_IN_LINK
    refusal = nearest(named, names_of_photos(), "example picture")
    return f"{refusal} Give a picture, or click an example."


def display_of(tab: Tab, state: State) -> Changes:
    """The choices of a link that do not depend on its model."""
    panel, look = state.panel, state.look
    changed = read_options(state.options)
    with_options = [*ticked(tab.methods, changed), tab.method_with_options]
    changes: Changes = {
        "layers_of": {"choices": menu_of(tab.with_part(panel.part)), "value": panel.layers_of},
        "part": {"value": panel.part},
        "merge": {"value": look.merge},
        "specials": {"value": look.specials},
        "palette": {"value": look.palette},
        "options": {"value": state.options},
        "method_with_options": {"value": with_options[0]},
        "views": {"selected": state.view},
    }
    for family, methods in tab.families.items():
        changes[f"methods/{family}"] = {"value": ticked(methods, state.methods)}
    return changes

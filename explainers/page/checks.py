"""The view "Test": can the maps of a question be believed?"""

from collections.abc import Iterator, Sequence

import explainers as ex

from .. import evaluation
from ..render import cards, trials
from .answers import Asked, maps_of, parse_question, traces_of
from .kinds import Tab
from .options import read_options
from .pieces import NOTHING_TESTED, NOTHING_YET, Changes, message_for, placeholder, refusal_box
from .state import Question, shown_methods

#: What replaces removed parts, by modality: label and the package's name for it, the usual first.
FILLS = {
    "text": {"[PAD]": "pad", "[MASK]": "mask", "nothing (delete them)": "delete"},
    "image": {"grey": "mean", "black": "black", "a blur": "blur"},
}

#: How many random orders the band of a curve is drawn from; few for a long input.
ORDERS, FEW_ORDERS = 8, 4
LONG = 128  # tokens

NOT_TRIED = "This could not be tried; the reason has been logged."


def maps_to_test(
    asked: Asked, methods: Sequence[str], options: str
) -> tuple[evaluation.Case, list[ex.Heatmap]]:
    """The input as metrics take it, and its maps; of a picture with texts, those of the picture."""
    changed = read_options(options)
    heats = []
    for method in methods:
        heats += maps_of(asked, method, changed.get(method)).heats[:1]
    if not heats:
        raise ex.Refusal("None of these methods has a map here, so there is nothing to test.")
    return traces_of(asked).all[0].case(), cards.with_unique_titles(heats)


def check_maps(
    tab: Tab, *, view: str, asked: Question | None, fill: str, options: str, **values
) -> Iterator[Changes]:
    """How far the maps agree; then the model's answers while each map's parts are removed."""
    if view != "test" or asked is None:
        yield {}
        return
    try:
        case, heats = maps_to_test(parse_question(asked), shown_methods(values), options)
        keys = [heat.method for heat in heats]
        agreement = ""
        if len(heats) > 1:
            agreement = evaluation.agreement(heats).html(style=False)
        running = placeholder("Running the model with more and more parts removed …")
        yield {
            "test_refusal": refusal_box(),
            "tested": {"value": agreement + running},
            "removed_of": {
                "choices": list(zip(titles_of(heats), keys)),
                "value": keys[0],
            },
        }
        for curves in curves_of(case, heats, FILLS[tab.modality][fill]):
            yield {"tested": {"value": curves + agreement}}
    except Exception as error:
        message = message_for(error, "The maps could not be tested; the reason has been logged.")
        yield {"test_refusal": refusal_box(message), "tested": {"value": NOTHING_TESTED}}


def titles_of(heats: Sequence[ex.Heatmap]) -> list[str]:
    return [heat.title for heat in heats]


def curves_of(case: evaluation.Case, heats: list[ex.Heatmap], fill: str) -> Iterator[str]:
    """The curves as HTML after each map, so that the first lines are there soon."""
    orders = ORDERS
    if len(case.coded.labels) > LONG:
        orders = FEW_ORDERS
    curves = evaluation.curves(case, [], fill=fill, orders=orders)
    for heat in heats:
        curves = curves.joined(evaluation.curves(case, [heat], fill=fill, orders=0))
        yield curves.html(style=False)


def randomise_weights(*, asked: Question | None, options: str, **values) -> Iterator[Changes]:
    """The correlation of each map with that of a model whose weights are more and more random."""
    try:
        if asked is None:
            raise ex.Refusal(NOTHING_YET)
        case, heats = maps_to_test(parse_question(asked), shown_methods(values), options)
        heats = [heat for heat in heats if ex.METHODS[heat.method].single_pass]
        if not heats:
            raise ex.Refusal("This check runs methods of one pass only. Tick one of them first.")
        for table in tables_of_randomised(case, heats):
            yield {"randomised": {"value": table}}
    except Exception as error:
        yield {"randomised": refusal_box(message_for(error, NOT_TRIED))}


def tables_of_randomised(case: evaluation.Case, heats: list[ex.Heatmap]) -> Iterator[str]:
    """The table as HTML, with one more column after each part of the model."""
    rows: dict[str, list[float]] = {}
    for heat in heats:
        rows[evaluation.named(heat)] = [1.0]
    columns = ["trained"]
    for stage in evaluation.cascade(case, list(rows)):
        columns.append(stage.name)
        for name, row in rows.items():
            row.append(stage.correlation[name])
        yield trials.matrix_html(
            titles_of(heats),
            list(rows.values()),
            "Random-weights check",
            "In a copy of the model, the weights are made random from the head down. Each number "
            "is the rank correlation between the new map and the first one. It should fall "
            "towards 0. If it stays near 1, the map does not depend on what the model learned.",
            columns=columns,
        )


def remove_top(
    tab: Tab,
    *,
    asked: Question | None,
    fill: str,
    options: str,
    removed_of: str | None,
    count: float,
    **values,
) -> Changes:
    """The model's answer without the words or patches that one map ranks highest."""
    try:
        if asked is None:
            raise ex.Refusal(NOTHING_YET)
        case, heats = maps_to_test(parse_question(asked), shown_methods(values), options)
        heat = heats[0]
        for other in heats:
            if other.method == removed_of:
                heat = other
                break
        left = evaluation.without_top(case, heat, int(count), FILLS[tab.modality][fill])
        shown = trials.without_html(heat, left)
        return {"removed": {"value": shown, "visible": True}}
    except Exception as error:
        return {"removed": refusal_box(message_for(error, NOT_TRIED))}

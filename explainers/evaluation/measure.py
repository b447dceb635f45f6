"""Examples, methods and metrics in; one record for each heatmap out."""

import math
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from itertools import chain

from ..errors import Refusal
from ..options import read_options
from ..models import Model
from .case import Case, Example, known, parse, together
from .metric import Metric, find_metric
from .perturbation import answers

#: Metrics by the name under which a record has their number, with their options.
Chosen = dict[str, tuple[Metric, dict]]


def measure(
    model: Model,
    examples,
    methods: Sequence[str],
    metrics: Sequence[str],
    target=None,
    seed: int = 0,
    baselines: bool = True,
    refused: list | None = None,
) -> list[dict]:
    """One record for each example and method: {"id", "method", "target", and a number for each metric}.

    examples    an `Example`, or bare inputs, or a list of these (a pair of texts is a tuple)
    methods     keys of `METHODS` or `BASELINES`, with options where wanted: "attcat:mask_specials=true"
    metrics     keys of `METRICS`, likewise: "aopc:fill=pad:levels=5"; the record has the number under the name as it was written, and
                where a metric gives several, under "name.part"; NaN under the name where it could not be measured
    target      what is explained, as for `explain`, or "label" for each example's gold class
    seed        of the random order, which depends on nothing else but the input and its target
    baselines   add the random order, and of pictures the centre prior, as "random" and "centre"
    refused     a list that gets {"id", "reason"}, of a single map also "method", of a single number "method" and "metric", for what cannot be
                explained or measured; without it the first one raises its `Refusal`

    A label that the model does not know is refused only where something asks for it.

    Records come in the order of the examples, those of one example in the order of the methods. All that the metrics want to ask about the
    examples that fit into memory together is asked together, and equal questions once.
    """
    examples = [
        one if isinstance(one, Example) else Example(one)
        for one in (examples if isinstance(examples, list) else [examples])
    ]
    chosen = choose(metrics)
    own = (
        (("random", "centre") if model.anatomy.modality == "image" else ("random",))
        if baselines
        else ()
    )
    methods = list(dict.fromkeys([*methods, *own]))
    for name in methods:
        known(parse(name)[0])
    labelled = any(
        "label" in one.needs or options.get("of") == "label" for one, options in chosen.values()
    )
    places = {id(example): place for place, example in enumerate(examples)}
    found = [
        (places[id(case.example)], record)
        for cases in together(model, examples, target, seed, refused, labelled)
        for case, record in records(model, cases, methods, chosen, refused)
    ]
    return [record for _, record in sorted(found, key=lambda one: one[0])]


def choose(metrics: Iterable[str]) -> Chosen:
    """The metrics that are named, their options checked before anything is computed."""
    chosen = {}
    for name in metrics:
        key, options = parse(name)
        chosen[name] = (find_metric(key), options)
        read_options(*chosen[name])
    return chosen


def records(
    model: Model, cases: list[Case], methods: Sequence[str], chosen: Chosen, refused: list | None
) -> list[tuple[Case, dict]]:
    """The records of some cases, whose questions are put to the model together."""
    asked = []  # (case, method, {metric's name: its queries}, {metric's name: why it has no number})
    for case in cases:
        for method in methods:
            queries, reasons = {}, {}
            for name, (one, options) in chosen.items():
                with noting(reasons, name, refused):
                    one.check(case)
                    queries[name] = one.ask(case, case.heat(method), **options)
            asked.append((case, method, queries, reasons))
    pairs = [
        (case, query)
        for case, _, queries, _ in asked
        for query in chain.from_iterable(queries.values())
    ]
    said = iter(answers(model, [case for case, _ in pairs], [query for _, query in pairs]))
    made = []
    for case, method, queries, reasons in asked:
        record = {"id": case.id, "method": method, "target": case.trace.target.name}
        for name, some in queries.items():
            one, options = chosen[name]
            heard = [next(said) for _ in some]
            with noting(reasons, name, refused):
                record |= flat(name, one.read(case, case.heat(method), heard, **options))
        if len(reasons) == len(chosen):
            refused.append({"id": case.id, "method": method, "reason": reasons[next(iter(chosen))]})
            continue
        made.append((case, record | dict.fromkeys(reasons, math.nan)))
        for name, reason in reasons.items():
            refused.append({"id": case.id, "method": method, "metric": name, "reason": reason})
    return made


@contextmanager
def noting(reasons: dict[str, str], name: str, refused: list | None):
    """A `Refusal` becomes the reason of that name, if what is refused is collected."""
    try:
        yield
    except Refusal as refusal:
        if refused is None:
            raise
        reasons[name] = str(refusal)


def flat(name: str, number: float | dict[str, float]) -> dict[str, float]:
    return (
        {f"{name}.{part}": value for part, value in number.items()}
        if isinstance(number, dict)
        else {name: number}
    )

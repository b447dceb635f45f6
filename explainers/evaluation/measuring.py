"""Measure many heatmaps together: one record for each example and method."""

import math
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from ..errors import Refusal
from ..models import Model
from ..options import read_options
from .case import Case, as_example, cases_of
from .notation import check_method, parse
from .perturbation import answers
from .registry import Measurement, Metric, Number, find_metric

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
    """Measure heatmaps; one record for each example and method.

    A record is {"id", "method", "target", and a number for each metric}. Records are in the order
    of the examples, those of one example in the order of the methods. The metrics' questions about
    all examples that fit into memory together are asked together, and equal questions once.

    examples   an `Example`, or bare inputs, or a list of these (a pair of texts is a tuple)
    methods    keys of `METHODS` or `BASELINES`, also with options: "attcat:mask_specials=true"
    metrics    keys of `METRICS`, also with options: "aopc:fill=pad:levels=5". The record has the
               number under the name as it was written, several numbers under "name.part", and
               NaN under the name where nothing could be measured
    target     what is explained, as for `explain`, or "label" for each example's gold class
    seed       of the random order, which depends on this, the input and its target only
    baselines  whether to add "random", and "centre" for pictures
    refused    a list that gets {"id", "reason"} of everything that could not be measured; for a
               single map also "method", for a single number "method" and "metric"

    Raises `Refusal` for an unknown method, metric or option; without `refused` also for the first
    example that cannot be explained or measured. A label that the model does not know is refused
    only if something needs the label.
    """
    if not isinstance(examples, list):
        examples = [examples]
    chosen = choose(metrics)
    methods = with_baselines(methods, model) if baselines else list(dict.fromkeys(methods))
    for name in methods:
        check_method(parse(name)[0])
    given = list(map(as_example, examples))
    order = {id(example): place for place, example in enumerate(given)}
    made = []
    parts = cases_of(model, given, target, seed, refused, labelled=needs_labels(chosen))
    for cases in parts:
        made += records(cases, methods, chosen, refused)
    made.sort(key=lambda one: order[id(one[0].example)])
    return [record for _, record in made]


def choose(metrics: Iterable[str]) -> Chosen:
    """Look up metrics by name and check their options, before anything is computed."""
    chosen = {}
    for name in metrics:
        key, options = parse(name)
        metric = find_metric(key)
        read_options(metric, options)
        chosen[name] = (metric, options)
    return chosen


def with_baselines(methods: Sequence[str], model: Model) -> list[str]:
    """The methods, and after them the baselines for what the model reads."""
    baselines = ["random"]
    if model.anatomy.modality == "image":
        baselines.append("centre")
    return list(dict.fromkeys([*methods, *baselines]))


def needs_labels(chosen: Chosen) -> bool:
    """Whether one of the metrics needs the gold class of each example."""
    for metric, options in chosen.values():
        if "label" in metric.needs or options.get("of") == "label":
            return True
    return False


# ---------------------------------------------------------------------------- records


@dataclass
class UnfinishedRecord:
    """The record of one heatmap while its metrics still ask the model.

    measurements  by the metric's name
    reasons       why a metric has no number, by its name
    """

    case: Case
    method: str
    measurements: dict[str, Measurement] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def records(
    cases: Sequence[Case], methods: Sequence[str], chosen: Chosen, refused: list | None
) -> list[tuple[Case, dict]]:
    """The records of some cases of one model, whose questions are asked together."""
    rows = []
    for case in cases:
        for method in methods:
            rows.append(begin(case, method, chosen, refused))
    ask_together(rows, refused)
    made = []
    for row in rows:
        if len(row.reasons) < len(chosen):
            made.append((row.case, record_of(row)))
        if refused is not None:
            refused += refusal_records(row, chosen)
    return made


def begin(case: Case, method: str, chosen: Chosen, refused: list | None) -> UnfinishedRecord:
    """Start all metrics on one heatmap."""
    row = UnfinishedRecord(case, method)
    for name, (metric, options) in chosen.items():
        with collect_refusal(row.reasons, name, refused):
            metric.check(case)
            row.measurements[name] = metric.start(case, case.heat(method), **options)
    return row


def ask_together(rows: Sequence[UnfinishedRecord], refused: list | None) -> None:
    """Answer the questions of all measurements, until none has any left."""
    while waiting := unfinished(rows):
        cases, queries = [], []
        for row, name in waiting:
            asked = row.measurements[name].queries
            cases += [row.case] * len(asked)
            queries += asked
        answered = iter(answers(cases[0].model, cases, queries) if cases else [])
        for row, name in waiting:
            measurement = row.measurements[name]
            with collect_refusal(row.reasons, name, refused):
                measurement.answer(list(islice(answered, len(measurement.queries))))


def unfinished(rows: Sequence[UnfinishedRecord]) -> list[tuple[UnfinishedRecord, str]]:
    """Rows with the name of each metric that waits for answers."""
    waiting = []
    for row in rows:
        for name, measurement in row.measurements.items():
            if not measurement.done:
                waiting.append((row, name))
    return waiting


def record_of(row: UnfinishedRecord) -> dict:
    """{"id", "method", "target", and the numbers}; NaN for a metric that was refused."""
    record = {"id": row.case.id, "method": row.method, "target": row.case.target.name}
    for name, measurement in row.measurements.items():
        if name not in row.reasons:
            record |= columns_of_number(name, measurement.number)
    return record | dict.fromkeys(row.reasons, math.nan)


def columns_of_number(name: str, number: Number) -> dict[str, float]:
    """One column of the metric's name, or one "name.part" for each of several numbers."""
    if not isinstance(number, dict):
        return {name: number}
    return {f"{name}.{part}": value for part, value in number.items()}


def refusal_records(row: UnfinishedRecord, chosen: Chosen) -> list[dict]:
    """What was not measured on a heatmap: the whole map if no metric was, else each metric."""
    where = {"id": row.case.id, "method": row.method}
    if row.reasons and len(row.reasons) == len(chosen):
        return [where | {"reason": row.reasons[next(iter(chosen))]}]
    found = []
    for name, reason in row.reasons.items():
        found.append(where | {"metric": name, "reason": reason})
    return found


@contextmanager
def collect_refusal(reasons: dict[str, str], name: str, refused: list | None):
    """Write a `Refusal` down as the reason of that name, if refusals are collected; else raise."""
    try:
        yield
    except Refusal as refusal:
        if refused is None:
            raise
        reasons[name] = str(refusal)

"""The registry of metrics: one decorator, one dictionary.

A metric is one function. Its keyword parameters are its options, its docstring is its definition.
"""

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from torch import Tensor

from ..bibliography import Citation, cite
from ..errors import Refusal, nearest
from ..heatmap import Heatmap
from ..modalities import MODALITIES
from ..models import Model
from ..options import Limit, Option, options_of, read_options
from .case import Case
from .perturbation import Query, answers

T = TypeVar("T")

#: What a metric gives: a number, or several by name.
Number = float | dict[str, float]

#: A metric that asks the model: it yields its queries, gets one answer [class] for each, and
#: returns its number at the end.
Asking = Generator[list[Query], list[Tensor], T]


class Measurement:
    """The computation of one metric on one heatmap: it waits for answers until it is `done`.

    case     the example whose changed inputs it asks about
    queries  what it asks now; none once it is done
    done     whether it needs no more answers
    number   its result, once it is done
    """

    case: Case
    queries: list[Query]
    done: bool
    number: Number

    def __init__(self, case: Case, started: "Number | Asking[Number]"):
        self.case = case
        self.queries = []
        self.done = True
        if isinstance(started, Generator):
            self.steps = started
            self._go_on(partial(next, started))
        else:
            self.number = started

    def answer(self, found: list[Tensor]) -> None:
        """Go on with the answers [class] to `queries`, one for each."""
        self._go_on(partial(self.steps.send, found))

    def _go_on(self, step: Callable[[], list[Query]]) -> None:
        self.queries = []
        self.done = True  # also if the metric ends with a refusal
        try:
            self.queries = step()
        except StopIteration as end:
            self.number = end.value
        else:
            self.done = False


@dataclass(frozen=True)
class Parts:
    """What tables must know about the parts of a metric that gives several numbers.

    better  {part: "higher", "lower" or ""} of parts that differ from the metric, or a function of
            the metric's options that gives this
    counts  parts that a table adds up over a dataset, since single values have no meaning
    pool    makes {name: number} of the sums of `counts`
    """

    better: Mapping[str, str] | Callable[..., Mapping[str, str]] = field(default_factory=dict)
    counts: tuple[str, ...] = ()
    pool: Callable[[Mapping[str, float]], dict[str, float]] | None = None


@dataclass(frozen=True)
class Metric:
    """A number that says how good one heatmap of one example is: METRICS[key].measure(case, heat).

    key         its name in tables and on the command line; title is its name for people
    better      "higher" or "lower"; "" where neither is good by itself
    citation    the papers that define it
    compute     (case, heat, options...) -> number, or a generator that asks the model first
    modalities  what it is for: "text", "image" or both
    needs       what an example must have: "label", or names in `Example.data`; of "boxes or mask"
                one is enough
    unit        of the number
    options     of the function, by name, with their defaults
    parts       of a metric that gives several numbers
    """

    key: str
    title: str
    better: str
    citation: Citation
    compute: Callable[..., Any] = field(repr=False)
    modalities: tuple[str, ...] = ("text", "image")
    needs: tuple[str, ...] = ()
    unit: str = ""
    options: dict[str, Option] = field(default_factory=dict, repr=False)
    parts: Parts = field(default_factory=Parts, repr=False)

    @property
    def reference(self) -> str:
        """The short names of its papers: "Qiang et al. 2022"."""
        return self.citation.name

    @property
    def modality(self) -> tuple[str, ...]:
        """`modalities`, by its former name."""
        return self.modalities

    @cached_property
    def definition(self) -> str:
        return inspect.getdoc(self.compute) or ""

    def directions(self, **options) -> Mapping[str, str]:
        """{part: better} of the parts that differ from `better`, with these options."""
        better = self.parts.better
        if callable(better):
            return better(**options)
        return better

    def better_of(self, part: str, **options) -> str:
        """`better` of one part of the number, with these options."""
        return self.directions(**options).get(part, self.better)

    def check(self, case: Case) -> None:
        """Raise a `Refusal` if the example lacks something, before anything is computed."""
        self.check_model(case.model)
        given = case.data | {"label": case.label}
        missing = []
        for names in self.needs:
            if all(given.get(name) is None for name in names.split(" or ")):
                missing.append(names)
        if missing:
            raise Refusal(
                f"{self.title} needs the {' and the '.join(missing)} of each example; "
                f"{case.id or 'this one'} has none."
            )

    def check_model(self, model: Model) -> None:
        """Raise a `Refusal` if the metric is not for what the model reads."""
        if model.anatomy.modality not in self.modalities:
            kinds = " and ".join(MODALITIES[modality].inputs for modality in self.modalities)
            raise Refusal(f"{self.title} is a metric for {kinds}.")

    def start(self, case: Case, heat: Heatmap, **options) -> Measurement:
        """Begin to measure one heatmap, so that many can ask the model together.

        The number is NaN where the metric is not defined for this example; means leave it out.
        Raises `Refusal` for an option that does not exist or has no such value.
        """
        return Measurement(case, self.compute(case, heat, **read_options(self, options)))

    def measure(self, case: Case, heat: Heatmap, **options) -> Number:
        """The number of one heatmap, or several by name.

        case, heat  the example, and a heatmap of it
        options     of the metric; `METRICS[key].options` lists them with their defaults

        Raises `Refusal` for an unknown option, and if the example lacks what the metric needs.
        """
        self.check(case)
        measurement = self.start(case, heat, **options)
        while not measurement.done:
            cases = [case] * len(measurement.queries)
            measurement.answer(answers(case.model, cases, measurement.queries))
        return measurement.number


METRICS: dict[str, Metric] = {}


def metric(
    title: str, *, better: str, paper: str, limits: Mapping[str, Limit] | None = None, **more
) -> Callable[[Callable], Metric]:
    """Register a function as a metric under its own name.

    The function is `(case, heat, options...) -> number or {name: number}`. One that asks the model
    is a generator: it yields a list of `Query`, gets the answers, and returns its number.

    paper   its key in `references.bib`; of several papers their keys with commas between them
    limits  which values of a numeric option are allowed, with the rule in words
    more    the other fields of `Metric`, by name
    """

    def register(function: Callable) -> Metric:
        key = function.__name__
        if key in METRICS:
            raise ValueError(f"Two metrics are called {key}.")
        METRICS[key] = Metric(
            key=key,
            title=title,
            better=better,
            citation=cite(paper),
            compute=function,
            options=options_of(function, limits),
            **more,
        )
        return METRICS[key]

    return register


def find_metric(key: str) -> Metric:
    """A metric by its key. Raises `Refusal` with the menu."""
    if key not in METRICS:
        raise nearest(key, METRICS, "metric")
    return METRICS[key]

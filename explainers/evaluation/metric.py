"""The list of metrics: one decorator, one dict. A metric's signature is its options, its docstring is its definition."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from ..errors import Refusal, nearest
from ..heatmap import Heatmap
from ..options import Limit, Option, known_to, options_of, read_options
from ..models import Model
from .case import Case
from .perturbation import Query


@dataclass(frozen=True)
class Metric:
    """A number that says how good one heatmap of one example is: METRICS[key].measure(case, heat).

    It has two halves, so that the passes through the model which many maps want can be made together: `ask` gives the
    changed inputs whose answers it wants, and `read` makes the number of what the model said.

    better      "higher" or "lower"; "" where neither end is good by itself
    modality    "text", "image" or both
    needs       what an example must come with: "label", or names in `Example.data`; of "boxes or mask" one will do
    unit        of the number
    reference   whose definition it is
    parts       where a metric gives several numbers and `better` does not hold for all of them: a function of its options that gives {part: better}
    limits      of options that are numbers: whether one will do, and which ones would, in words
    pools       where tables add counts up over a dataset instead of averaging: makes {name: number} of the sums of `counts`, which are parts of
                the number that mean nothing by themselves
    """

    key: str
    title: str
    better: str
    modality: tuple[str, ...]
    needs: tuple[str, ...]
    unit: str
    reference: str
    reads: Callable = field(repr=False)
    asks: Callable | None = field(default=None, repr=False)
    pools: Callable | None = field(default=None, repr=False)
    counts: tuple[str, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict, repr=False)
    parts: Callable[..., Mapping[str, str]] | None = field(default=None, repr=False)

    @cached_property
    def options(self) -> dict[str, Option]:
        return options_of(self.reads, self.limits)

    @cached_property
    def definition(self) -> str:
        return inspect.getdoc(self.reads) or ""

    def better_of(self, part: str, **options) -> str:
        """`better` of one of several numbers, with these options."""
        return (self.parts(**known_to(self.parts, options)) if self.parts else {}).get(
            part, self.better
        )

    def check(self, case: Case) -> None:
        """A `Refusal` that says what is missing, before anything is computed."""
        self.check_model(case.model)
        given = case.data | {"label": case.label}
        missing = [
            names
            for names in self.needs
            if all(given.get(name) is None for name in names.split(" or "))
        ]
        if missing:
            raise Refusal(
                f"{self.title} needs the {' and the '.join(missing)} of each example; {case.id or 'this one'} came without."
            )

    def check_model(self, model: Model) -> None:
        if model.anatomy.modality not in self.modality:
            raise Refusal(
                f"{self.title} is a metric for {' and '.join({'text': 'texts', 'image': 'pictures'}[one] for one in self.modality)}."
            )

    def ask(self, case: Case, heat: Heatmap, **options) -> list[Query]:
        """The inputs that the model is to be asked about; none for a metric that needs nothing but the map."""
        return (
            self.asks(case, heat, **known_to(self.asks, read_options(self, options)))
            if self.asks
            else []
        )

    def read(
        self, case: Case, heat: Heatmap, answers: list[Tensor], **options
    ) -> float | dict[str, float]:
        """The number, or several by name, from the `answers` [class], one for each query of `ask` with the same options.

        NaN where the metric is not defined for this example; means leave it out.
        """
        return self.reads(case, heat, answers, **read_options(self, options))

    def measure(self, case: Case, heat: Heatmap, **options) -> float | dict[str, float]:
        """Both halves for one heatmap."""
        from .perturbation import answers

        self.check(case)
        queries = self.ask(case, heat, **options)
        return self.read(case, heat, answers(case.model, [case] * len(queries), queries), **options)


METRICS: dict[str, Metric] = {}


def metric(
    title: str,
    *,
    better: str,
    reference: str,
    modality: tuple[str, ...] = ("text", "image"),
    needs: tuple[str, ...] = (),
    unit: str = "",
    asks: Callable | None = None,
    pools: Callable | None = None,
    counts: tuple[str, ...] = (),
    limits: Mapping[str, Limit] | None = None,
    parts: Callable[..., Mapping[str, str]] | None = None,
):
    """Put a function `(case, heat, answers, options...) -> number or {name: number}` on the menu under its own name.

    `asks` is a function `(case, heat, options...) -> list[Query]`; it gets those of the options that it takes.
    """

    def register(reads: Callable) -> Metric:
        key = reads.__name__
        if key in METRICS:
            raise ValueError(f"two metrics are called {key}")
        METRICS[key] = Metric(
            key,
            title,
            better,
            modality,
            needs,
            unit,
            reference,
            reads,
            asks,
            pools,
            counts,
            limits or {},
            parts,
        )
        return METRICS[key]

    return register


def find_metric(key: str) -> Metric:
    if key not in METRICS:
        raise nearest(key, METRICS, "metric")
    return METRICS[key]

"""One example under one model: its trace, its heatmaps and the model's answer, each made once whoever asks."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from .. import targets
from ..errors import Refusal, nearest
from ..explanation import explain_trace
from ..heatmap import Heatmap
from ..inputs import Encoded
from ..methods import METHODS
from ..options import read_options
from ..models import Model
from ..targets import Answer, Logit
from ..ties import place_of_largest
from ..trace import Trace
from .baselines import BASELINES

#: Examples that are traced together: at most so many, with at most so many entries in the attention maps of one head.
MOST_EXAMPLES = 64
MOST_ATTENTION = 2**18


@dataclass(frozen=True, eq=False)
class Example:
    """One row of a dataset.

    inputs  what `model.trace` takes: a text, a pair, (question, context), a picture, (picture, [texts])
    label   the gold class, its index or its name; None where nobody says
    id      its name in the dataset
    data    what some metrics need besides, by name: "rationale" [(first, last+1 character), ...] of the text, "mask" [height width] bool
            of the whole picture, "boxes" [(left, top, right, bottom), ...] in pixels of the whole picture, "answer" (first, last+1
            character) of the context
    """

    inputs: object
    label: int | str | None = None
    id: str = ""
    data: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """An example, what the model made of it, and all that was computed for it so far: heatmaps and traces of other targets are kept.

    trace   explains one target, of which the metrics ask how probable it is
    label   index of the gold class, or None
    seed    of the random baseline
    """

    model: Model
    coded: Encoded
    trace: Trace
    example: Example = Example(None)
    label: int | None = None
    seed: int = 0
    made: dict = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        return self.example.id

    @property
    def data(self) -> dict:
        return self.example.data

    @property
    def words(self) -> Tensor:
        """[token] bool: what can be taken out of the input, its words or patches, not [CLS] and its like."""
        return ~self.coded.special_tokens.cpu()

    @property
    def by_class(self) -> bool:
        """Whether a class is explained; if not (an answer, a difference), there is one number to ask for, and not one a class."""
        return self.model.task == "classes" and isinstance(self.trace.target, Logit)

    @property
    def explained(self) -> int:
        """The column of `probabilities`, and of everything that `answers` gives, which is about the explained target."""
        return self.trace.target.index if self.by_class else 0

    @cached_property
    def probabilities(self) -> Tensor:
        """[class] of the untouched input; [1], the probability of the target, where no class is explained."""
        if self.by_class:
            return self.read(Answer(None, self.trace.logits[None]))[0]
        with torch.no_grad():
            return self.read(self.model.answer(self.coded.tensors, self.trace.attended[None]))[0]

    @property
    def predicted(self) -> int:
        """The class of the highest logit, of equal ones the first: what is explained by default."""
        return place_of_largest(self.logits)

    @property
    def gold(self) -> int:
        """The index of the label, where classes are told apart and the example has one; else a `Refusal`."""
        if self.label is None or not self.by_class:
            raise Refusal(
                f"This is measured against the gold class, and {self.id or 'this example'} came without one."
            )
        return self.label

    @property
    def classes(self) -> Tensor:
        """`probabilities`, if they are of classes; else a `Refusal`."""
        self.check_classes()
        return self.probabilities

    def check_classes(self) -> None:
        """A `Refusal` where what is explained is no class."""
        if not self.by_class:
            raise Refusal(
                f"This is measured of classes, and what is explained here is {self.trace.target.name}."
            )

    @property
    def logits(self) -> Tensor:
        """[class] of the untouched input, where classes are told apart; else a `Refusal`."""
        self.check_classes()
        return self.trace.logits

    @torch.no_grad()
    def read(self, answer: Answer) -> Tensor:
        """[example class] the probabilities in what the model says of changed copies of this input."""
        if not self.by_class:
            return self.trace.target.probability()(answer)[:, None].cpu()
        return self.model.said(None, answer.logits).probabilities.cpu()

    def heat(self, method: str, target=None, **options) -> Heatmap:
        """The heatmap of a method or a baseline (random, centre). method: a key, or one with options, "attcat:mask_specials=true"."""
        key, given = parse(method)
        case, options = self.explaining(target), given | options
        kept = (key, *sorted(options.items()))
        if kept not in case.made:
            case.made[kept] = (
                case.baseline(key, **options)
                if key in BASELINES
                else explain_trace(
                    self.model, self.coded, case.trace, known(key), brief=True, **options
                )
            )
        return case.made[kept]

    def explaining(self, target) -> "Case":
        """The same example with another target explained; None is this one."""
        if target is None or (self.by_class and target == self.explained):
            return self
        others = self.made.setdefault("others", {})
        if target not in others:
            others[target] = replace(self, trace=self.model.trace(self.coded, target), made={})
        return others[target]

    def baseline(self, key: str, **options) -> Heatmap:
        chosen = BASELINES[key]
        options = read_options(chosen, options)
        return Heatmap(
            chosen.run(self, **options),
            self.coded.labels,
            key,
            chosen.title,
            self.trace.target.name,
            float(self.trace.score),
            signed=False,
            special_tokens=self.coded.special_tokens.cpu(),
            poles=self.trace.target.poles,
            text=self.coded.text,
            spans=self.coded.spans,
            words=self.coded.words,
            options=options,
            cost="0F",
            model=self.model.name,
            revision=self.model.revision,
            segments=self.coded.segments,
            halves=self.coded.halves,
            grid=self.coded.grid,
            picture=self.coded.picture,
            seen=self.coded.seen,
        )

    def drawn(self, *of: int) -> torch.Generator:
        """Random numbers that depend on the seed, this input, its target and the numbers `of`, and on nothing else: not on the order of the work."""
        held = next(iter(self.coded.tensors.values())).double().cpu().contiguous()
        start = zlib.crc32(repr((self.seed, self.trace.target.name, *of)).encode())
        return torch.Generator().manual_seed(zlib.crc32(held.numpy().tobytes(), start))


def parse(name: str) -> tuple[str, dict[str, str]]:
    """Key and options of a method or metric written as in a table: "aopc:fill=pad:levels=5" -> ("aopc", {"fill": "pad", "levels": "5"})."""
    key, *parts = str(name).split(":")
    for part in parts:
        if not part.partition("=")[2]:
            raise Refusal(
                f"Options are written as name:option=value; {str(name)[:60]!r} has {part[:40]!r}."
            )
    return key, dict(part.split("=", 1) for part in parts)


def named(heat: Heatmap) -> str:
    """A heatmap's method and options as `parse` reads them."""
    return ":".join(
        [
            heat.method,
            *(
                f"{name}={str(value).lower() if isinstance(value, bool) else value}"
                for name, value in heat.options.items()
            ),
        ]
    )


def known(key: str) -> str:
    """`key` if it is a method or a baseline, else a `Refusal` that lists both."""
    if key not in METHODS and key not in BASELINES:
        raise nearest(key, [*METHODS, *BASELINES], "method")
    return key


def case_of(model: Model, example, target=None, seed: int = 0) -> Case:
    """One `Example`, or bare inputs, under a model. target: as for `explain`, or "label" for the gold class. Raises `Refusal`."""
    return next(together(model, [example], target, seed))[0]


def together(
    model: Model,
    examples: Iterable,
    target=None,
    seed: int = 0,
    refused: list | None = None,
    labelled: bool = True,
) -> Iterator[list[Case]]:
    """A `Case` for each example: those of one shape are traced together, and no more are given at a time than memory holds.

    They come by length, not in order. refused: a list that gets {"id", "reason"} of each example that cannot be explained; without it
    the first one raises its `Refusal`. labelled: refuse an example whose label the model does not know; else it counts as one without a label.
    """
    ready = []
    for example in examples:
        example = example if isinstance(example, Example) else Example(example)
        try:
            ready.append(prepared(model, example, target, labelled))
        except Refusal as refusal:
            if refused is None:
                raise
            refused.append({"id": example.id, "reason": str(refusal)})
    ready.sort(key=lambda one: len(one[1].labels))
    for some in in_parts(ready):
        traces = model.trace_many([coded for _, coded, _, _ in some], [asked for *_, asked in some])
        yield [
            Case(model, coded, trace, example, label, seed)
            for (example, coded, label, _), trace in zip(some, traces)
        ]


def prepared(
    model: Model, example: Example, target, labelled: bool
) -> tuple[Example, Encoded, int | None, object]:
    """Encoded, with the index of its label and its target; a `Refusal` where one of them cannot be had."""
    coded, label = model.encode(example.inputs), None
    if example.label is not None:
        with nullcontext() if labelled or target == "label" else suppress(Refusal):
            label = gold_class(model, coded, example.label)
    if target == "label":
        if label is None:
            raise Refusal(
                f"The gold class is to be explained, and {example.id or 'this example'} came without a label."
            )
        target = label
    return example, coded, label, targets.chosen(model, coded, target)


def gold_class(model: Model, coded: Encoded, label: int | str) -> int:
    if model.is_regression:
        raise Refusal(
            "The outputs of this model are values, not classes, so none of them is the right one."
        )
    return targets.index_of(label, model.classes(coded))


def in_parts(ready: Sequence[tuple]) -> Iterator[list[tuple]]:
    part, filled = [], 0
    for one in ready:
        size = len(one[1].labels) ** 2
        if part and (len(part) == MOST_EXAMPLES or filled + size > MOST_ATTENTION):
            yield part
            part, filled = [], 0
        part.append(one)
        filled += size
    if part:
        yield part

"""One example under one model: its trace, its heatmaps and the answer, each computed once."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import Refusal
from ..explanation import explain_trace, heatmap_of
from ..heatmap import Heatmap
from ..inputs import Encoded
from ..models import Model
from ..options import read_options
from ..outputs import Answer
from ..scores import Logit, Score
from ..tasks.reading import index_of
from ..ties import place_of_largest
from ..trace import Trace
from .baselines import BASELINES
from .notation import check_method, parse

#: Examples that are traced together: at most so many, with at most so many entries in the
#: attention maps of one head.
MOST_EXAMPLES = 64
MOST_ATTENTION = 2**18


@dataclass(frozen=True, eq=False)
class Example:
    """One row of a dataset.

    inputs  what `model.trace` takes: a text, a pair, (question, context), a picture,
            (picture, [texts])
    label   the gold class, its index or its name; None if it is not known
    id      its name in the dataset
    data    what some metrics need besides, by name:
            "rationale"  [(first, last+1 character), ...] of the text
            "answer"     (first, last+1 character) of the context
            "mask"       [height width] bool, of the whole picture
            "boxes"      [(left, top, right, bottom), ...] in pixels of the whole picture
            "causes"     [(place, sign), ...] of the parts that the label follows from. A place is
                         (first, last+1 character) of a text, or a box as above; the sign is 1 if
                         the part speaks for the label, −1 if it speaks against it
            "distractors"  [place, ...] of parts that look important and are never used
    """

    inputs: object
    label: int | str | None = None
    id: str = ""
    data: dict = field(default_factory=dict)


def as_example(given) -> Example:
    """An `Example` as it is; bare inputs as an example without label and data."""
    return given if isinstance(given, Example) else Example(given)


@dataclass(frozen=True, eq=False)
class Case:
    """One example under one model, with everything that was computed for it so far.

    trace  explains one target; metrics ask how probable that target is
    label  index of the gold class, or None
    seed   of the random baseline
    cache  heatmaps by method and options, and cases of the same example with other targets
    """

    model: Model
    coded: Encoded
    trace: Trace
    example: Example = Example(None)
    label: int | None = None
    seed: int = 0
    cache: dict = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        return self.example.id

    @property
    def data(self) -> dict:
        return self.example.data

    @property
    def target(self) -> Score:
        """What is explained."""
        return self.trace.target

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of a picture's patches. Raises `Refusal` for a text."""
        if self.coded.grid is None:
            raise Refusal("This is a text; only pictures have patches.")
        return self.coded.grid

    @property
    def words(self) -> Bool[Tensor, " token"]:
        """[token] bool: words or patches, which can be removed; not special tokens."""
        return ~self.coded.special_tokens.cpu()

    # ------------------------------------------------------------------ the model's answer

    @property
    def explained_class(self) -> int | None:
        """The index of the explained class; None if no class is explained (an answer, a word)."""
        if self.model.task.has_classes and isinstance(self.target, Logit):
            return self.target.index
        return None

    @property
    def by_class(self) -> bool:
        """Whether a class is explained; else there is one probability, that of the target."""
        return self.explained_class is not None

    @property
    def explained(self) -> int:
        """The column of `probabilities`, and of what `answers` gives, for the explained target."""
        return self.explained_class or 0

    @cached_property
    def probabilities(self) -> Float[Tensor, " class"]:
        """[class] for the unchanged input; [1], of the target, where no class is explained."""
        if self.by_class:
            return self.read(Answer(None, self.logits[None]))[0]
        with torch.no_grad():
            return self.read(self.model.answer(self.coded.tensors, self.trace.attended[None]))[0]

    @property
    def predicted(self) -> int:
        """The class of the highest logit, of equal ones the first: the default target."""
        return place_of_largest(self.logits)

    @property
    def gold(self) -> int:
        """The index of the label. Raises `Refusal` without label, or if no class is explained."""
        if self.label is None or not self.by_class:
            raise Refusal(
                f"This is measured against the gold class, and {self.id or 'this example'} "
                "has no label."
            )
        return self.label

    @property
    def classes(self) -> Float[Tensor, " class"]:
        """`probabilities` of classes. Raises `Refusal` where no class is explained."""
        self.check_classes()
        return self.probabilities

    def check_classes(self) -> None:
        """Raise a `Refusal` where no class is explained."""
        if not self.by_class:
            raise Refusal(
                f"This needs a class as target, and the target here is {self.target.name}."
            )

    @property
    def logits(self) -> Float[Tensor, " class"]:
        """[class] for the unchanged input. Raises `Refusal` where no class is explained."""
        self.check_classes()
        assert self.trace.logits is not None  # a model with classes has their logits
        return self.trace.logits

    @torch.no_grad()
    def read(self, answer: Answer) -> Float[Tensor, "example class"]:
        """[example class] the probabilities in the answer to changed copies of the input."""
        if not self.by_class:
            return self.trace.target.as_probability()(answer)[:, None].cpu()
        return self.model.class_answer(None, answer.logits).probabilities.cpu()

    # --------------------------------------------------------------------------- heatmaps

    def heat(self, method: str, target=None, **options) -> Heatmap:
        """The heatmap of a method or a baseline (random, centre); computed once.

        method   a key, also with options: "attcat:mask_specials=true"
        target   explain this instead of the case's target
        options  of the method; they override those in `method`

        Raises `Refusal` for an unknown method, option or target.
        """
        key, given = parse(method)
        options = given | options
        case = self.explaining(target)
        name = (key, *sorted(options.items()))
        if name not in case.cache:
            case.cache[name] = case.compute_heat(key, options)
        return case.cache[name]

    def compute_heat(self, key: str, options: dict) -> Heatmap:
        """The heatmap of a method or a baseline, computed anew."""
        if key in BASELINES:
            return self.baseline(key, **options)
        key = check_method(key)
        return explain_trace(self.model, self.coded, self.trace, key, brief=True, **options)

    def explaining(self, target) -> "Case":
        """The same example with another target explained; itself for None."""
        if target is None or (self.by_class and target == self.explained):
            return self
        others = self.cache.setdefault("others", {})
        if target not in others:
            trace = self.model.trace(self.coded, target)
            others[target] = replace(self, trace=trace, cache={})
        return others[target]

    def baseline(self, key: str, **options) -> Heatmap:
        """The heatmap of a baseline, which does not use the model."""
        chosen = BASELINES[key]
        options = read_options(chosen, options)
        return heatmap_of(
            self.model,
            self.coded,
            self.trace,
            chosen.compute(self, **options),
            method=key,
            title=chosen.title,
            signed=False,
            options=options,
            cost="0F",
        )

    def generator(self, *numbers: int) -> torch.Generator:
        """Random numbers that depend on the seed, the input, its target and `numbers` only.

        So they do not depend on the order of the work.
        """
        inputs = next(iter(self.coded.tensors.values())).double().cpu().contiguous()
        start = zlib.crc32(repr((self.seed, self.target.name, *numbers)).encode())
        return torch.Generator().manual_seed(zlib.crc32(inputs.numpy().tobytes(), start))


# -------------------------------------------------------------------------------- many cases


@dataclass(frozen=True, eq=False)
class Prepared:
    """An example ready to be traced: encoded, its label an index, its target chosen."""

    example: Example
    coded: Encoded
    label: int | None
    target: Score


def case_of(model: Model, example, target=None, seed: int = 0) -> Case:
    """One `Example`, or bare inputs, under a model.

    target  as for `explain`, or "label" for the gold class
    seed    of the random baseline

    Raises `Refusal` if the example cannot be explained.
    """
    return next(cases_of(model, [example], target, seed))[0]


def cases_of(
    model: Model,
    examples: Iterable,
    target=None,
    seed: int = 0,
    refused: list | None = None,
    labelled: bool = True,
) -> Iterator[list[Case]]:
    """The cases of many examples, in batches that fit into memory.

    Examples of one shape are traced together; so cases come by length, not in the given order.

    refused   a list that gets {"id", "reason"} of each example that cannot be explained; without
              it the first one raises its `Refusal`
    labelled  whether a label that the model does not know is refused; else it counts as no label
    """
    ready = []
    for example in map(as_example, examples):
        try:
            ready.append(prepare(model, example, target, labelled))
        except Refusal as refusal:
            if refused is None:
                raise
            refused.append({"id": example.id, "reason": str(refusal)})
    ready.sort(key=lambda one: len(one.coded.labels))
    for batch in batches(ready):
        coded = [one.coded for one in batch]
        traces = model.trace_many(coded, [one.target for one in batch])
        cases = []
        for one, trace in zip(batch, traces, strict=True):
            cases.append(Case(model, one.coded, trace, one.example, one.label, seed))
        yield cases


def prepare(model: Model, example: Example, target, labelled: bool) -> Prepared:
    """Encode an example and choose its target. Raises `Refusal` where that cannot be done."""
    coded = model.encode(example.inputs)
    label = None
    if example.label is not None:
        try:
            label = gold_class(model, coded, example.label)
        except Refusal:
            if labelled or target == "label":
                raise
    if target == "label":
        if label is None:
            raise Refusal(
                f"The target is the gold class, and {example.id or 'this example'} has no label."
            )
        target = label
    return Prepared(example, coded, label, model.task.target(model, coded, target))


def gold_class(model: Model, coded: Encoded, label: int | str) -> int:
    """The index of a label. Raises `Refusal` if the model has no such class."""
    if model.is_regression:
        raise Refusal(
            "The outputs of this model are values, not classes, so there is no gold class."
        )
    return index_of(label, model.classes(coded))


def batches(ready: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Examples in batches that fit into memory."""
    batch, filled = [], 0
    for one in ready:
        size = len(one.coded.labels) ** 2
        if batch and (len(batch) == MOST_EXAMPLES or filled + size > MOST_ATTENTION):
            yield batch
            batch, filled = [], 0
        batch.append(one)
        filled += size
    if batch:
        yield batch

"""What a protocol is: a plan for any model, and a note for the reader of its table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import Refusal, nearest
from ..data import Dataset
from ..runs import Plan
from .published import Table, markdown_of, simplified


@dataclass(frozen=True)
class Protocol:
    """How a paper's table is made.

    key        its name on the command line; title is its name for people
    data       what to give as --data, in words
    methods    as for `measure`, with the options of the authors' own evaluation; a run can have
               others. So it is with metrics
    target     what is explained, as for `measure`
    published  {the authors' dataset: its table}
    source     where these numbers stand; "secondary" if they were not read in the paper itself
    unit       of these numbers, where ours have another
    differs    what the authors did, and what is different here besides the model and the sample
    model      the bundled model that it is for; "" if the data decide
    modality   what the model reads: "text" or "image"
    prompt     of models that match pictures with texts: the text for a class, "{}" is its name
    """

    key: str
    title: str
    data: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    target: str | None
    source: str
    differs: str
    published: Mapping[str, Table] = field(default_factory=dict)
    unit: str = ""
    model: str = ""
    modality: str = "text"
    prompt: str = ""

    def plan(self, model: str, dataset: Dataset, **changes) -> Plan:
        """The run of this protocol with a model.

        changes  fields of `Plan` that shall be other ones: methods, metrics, seed, revision, side

        Raises `Refusal` if the protocol needs names of classes that the data do not have.
        """
        plan = Plan(
            model=model,
            methods=self.methods,
            metrics=self.metrics_for(dataset),
            target=self.target,
            texts=self.texts_for(dataset),
        )
        return replace(plan, **{name: value for name, value in changes.items() if value})

    def metrics_for(self, dataset: Dataset) -> tuple[str, ...]:
        """The metrics for single texts or for pairs, which AttCAT's code measures differently."""
        if not isinstance(dataset.examples[0].inputs, tuple):
            return self.metrics
        for_pairs = ("reproduce=attcat", "reproduce=attcat-pairs")
        return tuple(name.replace(*for_pairs) for name in self.metrics)

    def texts_for(self, dataset: Dataset) -> tuple[str, ...]:
        """The text for each class that pictures are matched with; none without a prompt."""
        if not self.prompt:
            return ()
        if not dataset.classes:
            raise Refusal(
                f"The protocol {self.key} matches pictures with their classes' names, "
                f"and {dataset.name} has no classes.tsv with names."
            )
        return tuple(self.prompt.format(name) for name in dataset.classes)

    def note(self, data: str | Path = "") -> str:
        """What a reader of the table must know: definition, differences, published numbers.

        data  where the examples come from, which chooses among the numbers (`published_for`)
        """
        explained = self.target or "the predicted class"
        said = f"**{self.title}** (`--protocol {self.key}`). Explained: {explained}. {self.differs}"
        if not self.published:
            return f"{said}\n\nNo published table is quoted: {self.source}."
        chosen = self.published_for(data)
        kind = f"Published numbers, {self.unit}," if self.unit else "Published numbers"
        on = next(iter(chosen)) if len(chosen) == 1 else "the authors' data"
        above = f"{kind} of the authors' models on {on} ({self.source}); ours are below:"
        return "\n".join([said, "", above, "", *markdown_of(chosen)])

    def published_for(self, data: str | Path) -> Mapping[str, Table]:
        """The table of the dataset that a file, or the folder it is in, is named after.

        All tables if it is named after none of them, or after several.
        """
        place = Path(data)
        name = simplified(f"{place.parent.name} {place.name}")
        found = {}
        for dataset, table in self.published.items():
            if simplified(dataset) in name:
                found[dataset] = table
        return found if len(found) == 1 else self.published


PROTOCOLS: dict[str, Protocol] = {}


def find_protocol(key: str) -> Protocol:
    """A protocol by its key. Raises `Refusal` with the menu."""
    if key not in PROTOCOLS:
        raise nearest(key, PROTOCOLS, "protocol")
    return PROTOCOLS[key]

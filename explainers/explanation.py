"""The three questions a person asks: what does the model say, what moved it, and do the methods agree?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from .errors import Refusal
from .heatmap import Heatmap
from .inputs import Encoded
from .methods import METHODS, find
from .models import Model
from .trace import Trace


@dataclass(frozen=True)
class Prediction:
    """What a model says of one input: a probability for each label, best first; raw numbers where there are no classes."""

    labels: list[str]
    values: list[float]
    kind: str               # "probability", "probability of each label by itself" or "value"

    @property
    def best(self) -> str:
        return self.labels[0]


def predict(model: Model, inputs) -> Prediction:
    """The model's answer for a text (or whatever `model.trace` takes), without explaining it."""
    coded = model.encode(inputs)
    with torch.no_grad():
        logits = model.answer(coded.tensors).logits
    return read_logits(model, coded, logits[0])


def read_logits(model: Model, coded: Encoded, logits: torch.Tensor) -> Prediction:
    names = model.classes(coded)
    if len(logits) == 1:
        kind, values = "value", logits
    elif getattr(model.net.config, "problem_type", None) == "multi_label_classification":
        kind, values = "probability of each label by itself", logits.sigmoid()
    else:
        kind, values = "probability", logits.softmax(-1)
    order = values.argsort(descending=True).tolist()
    return Prediction([names.get(i, str(i)) for i in order], [float(values[i]) for i in order], kind)


def explain(model: Model, inputs, method: str = "attcat", target=None, **options) -> Heatmap:
    """One method's heatmap of one input.

    inputs: a text, a pair of texts, or tensors. method: a key of `METHODS`. target: None for the predicted class, a label,
    a class index, 'A - B', a pair, or a function of the outputs. options: the method's own. Raises `Refusal`.
    """
    return next(stream(model, inputs, [method], target, **options))


class Comparison(list):
    """Heatmaps of one input and one target; shows itself in a notebook as rows over the same tokens."""

    def html(self, **look) -> str:
        """Static HTML, no script needed. look: merge=True (sub-words into words), specials=False, palette."""
        from .render.tokens import fragment

        return fragment(self, **look)

    def _repr_html_(self) -> str:
        return self.html()

    def merged(self) -> "Comparison":
        """The same with sub-words summed into words."""
        return Comparison(heat.merged() for heat in self)

    def without_specials(self) -> "Comparison":
        """The same without [CLS], [SEP] and their like."""
        return Comparison(heat.without_specials() for heat in self)

    def table(self):
        """A pandas DataFrame: a row a token, a column a method (named with its target where targets differ)."""
        import pandas as pd

        alone = len({heat.method for heat in self}) == len(self)
        names = [heat.method if alone else f"{heat.method}: {heat.target}" for heat in self]
        return pd.DataFrame({"token": self[0].labels} | {name: heat.scores.tolist() for name, heat in zip(names, self)})

    def save(self, path) -> None:
        """Write .html, .svg, .csv or .json, by suffix."""
        from .render.export import save

        save(self, path)


def compare(model: Model, inputs, methods: Iterable[str] | None = None, target=None) -> Comparison:
    """Several methods on one input: the single-pass ones share one trace. Default: every method."""
    return Comparison(stream(model, inputs, methods, target))


def stream(model: Model, inputs, methods: Iterable[str] | None = None, target=None, **options) -> Iterator[Heatmap]:
    """`compare`, one heatmap at a time, as each is ready. options go to every method named.

    Every method means every one that this model and this length allow; a method asked for by name is refused instead.
    """
    keys = None if methods is None else list(methods)
    if keys == []:
        raise Refusal("Choose at least one method.")
    for key in keys or ():
        find(key).read(options)                                # refuse before the model runs
    coded = model.encode(inputs)
    tokens = len(coded.labels)
    if keys is None:
        keys = [key for key, one in METHODS.items() if model.anatomy.sees in one.tasks and tokens <= (one.most_tokens or tokens)]
    for key in keys:
        METHODS[key].check_length(tokens, **options)
    trace = model.trace(coded, target)
    for key in keys:
        yield explain_trace(model, coded, trace, key, **options)


def explain_trace(model: Model, coded: Encoded, trace: Trace, key: str, **options) -> Heatmap:
    """A method's numbers on a trace, with everything a view needs to show them truthfully."""
    chosen = find(key)
    if model.anatomy.sees not in chosen.tasks:
        raise Refusal(f"{chosen.title} is not defined for {model.anatomy.sees} models here.")
    chosen.check_length(len(trace.real), **options)
    scores, facts = chosen.measure(trace, **options)
    rows = chosen.layers(trace, **options) if chosen.run_layers else None
    heads = chosen.heads(trace, **options).detach().cpu() if chosen.run_heads else None
    given = chosen.read(options)
    names = [] if rows is None else (
        chosen.name_rows(trace, **given) if chosen.name_rows else [f"L{i}" for i in range(len(rows))])
    notes = []
    if coded.left_out:
        notes.append(f"The model reads {len(coded.labels)} tokens; {coded.left_out:,} more were left out.")
    if not scores.any():
        notes.append(f"{chosen.title} is zero for every token here.")
    if not torch.isfinite(scores).all():
        raise Refusal(f"{chosen.title} gave numbers that are not finite for this input; try another method.")
    return Heatmap(
        scores=scores.detach().cpu(), labels=coded.labels, method=key, title=chosen.title, target=trace.target.name,
        score=float(trace.score), signed=given.get("signed", chosen.signed), special=coded.special.cpu(),
        poles=trace.target.poles, rows=None if rows is None else rows.detach().cpu(), row_labels=names, heads=heads,
        totals={name: total.detach().cpu() for name, total in chosen.totals(trace, **options).items()}, text=coded.text, spans=coded.spans, words=coded.words,
        options=given, facts=facts, notes=notes, cost=chosen.cost_of(given, int((~coded.special).sum())),
        model=model.name, revision=model.revision,
    )

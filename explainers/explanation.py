"""The three questions a person asks: what does the model say, what moved it, and do the methods agree?"""

from collections.abc import Iterable, Iterator

import torch

from .errors import Refusal
from .heatmap import Comparison, Heatmap
from .inputs import Encoded
from .methods import METHODS, find
from .models import Model
from .models.bundled import pair_note
from .prediction import SHOWN
from .trace import Trace

#: Precisions that are too low for most maps, and what they can do.
HALF = {
    torch.float16: "float16 (about 3 digits, none above 65,504)",
    torch.bfloat16: "bfloat16 (2 to 3 digits)",
}


def explain(model: Model, inputs, method: str = "attcat", target=None, **options) -> Heatmap:
    """One method's heatmap of one input.

    inputs: a text, a pair of texts, (question, context), a dict of these by the names that
    pipelines use, or tensors. method: a key of `METHODS`. target: None for what is predicted; a
    label, a class index, 'A - B', a pair, or a function of the outputs. Of a question: answer,
    start, end, best span, no answer, a part of the context, or its first and last character; of a
    language model: a next token by its text or id; of words one by one: 'LABEL at word'.
    options: the method's own. Raises `Refusal`.
    """
    return next(stream(model, inputs, [method], target, **options))


def compare(model: Model, inputs, methods: Iterable[str] | None = None, target=None) -> Comparison:
    """Several methods on one input: the single-pass ones share one trace. Default: every method that this input allows; `left_out` has the others."""
    left_out: dict[str, str] = {}
    return Comparison(stream(model, inputs, methods, target, left_out=left_out), left_out)


def stream(
    model: Model,
    inputs,
    methods: Iterable[str] | None = None,
    target=None,
    *,
    left_out: dict[str, str] | None = None,
    **options,
) -> Iterator[Heatmap]:
    """`compare`, one heatmap at a time, as each is ready. options go to every method named.

    Every method means every one that this model, target and length allow, and left_out gets {title: reason} of the others; a method asked
    for by name is refused instead.
    """
    keys = None if methods is None else list(methods)
    if keys == []:
        raise Refusal("Choose at least one method.")
    for key in keys or ():
        find(key).read(options)  # refuse before the model runs
    coded = model.encode(inputs)
    for key in keys or ():
        METHODS[key].check_length(len(coded.labels))
    trace = model.trace(coded, target)
    for key in METHODS if keys is None else keys:
        try:
            yield explain_trace(model, coded, trace, key, **options)
        except Refusal as refusal:
            if keys is not None:
                raise
            if left_out is not None:
                left_out[METHODS[key].title] = str(refusal)


def unit_of(model: Model, trace: Trace) -> str:
    """What kind of number the score is: of a dual encoder's logit a scaled cosine, of a
    regression's a value."""
    if trace.target.unit != "logit":
        return trace.target.unit
    return model.task.unit(model)


def read_from(coded: Encoded, trace: Trace) -> str:
    """The note that says from which tokens a score is read."""

    def said(place: int) -> str:
        label = coded.labels[place]
        return f"“{label}”" if coded.labels.count(label) == 1 else f"“{label}” (token {place})"

    places = trace.read_at
    read = " and ".join(map(said, places)) if len(places) <= SHOWN else f"{len(places)} tokens"
    if len(places) == 1:
        return f"This score is read from {read}."
    return (
        f"This score is read from {read}; methods that show what the read token gathered show "
        "the mean of what these did."
    )


def shown(numbers: torch.Tensor) -> torch.Tensor:
    """Numbers as views and files get them: on the CPU, and in a precision that they can be read in."""
    return numbers.detach().cpu().to(torch.promote_types(numbers.dtype, torch.float32))


def explain_trace(
    model: Model, coded: Encoded, trace: Trace, key: str, *, brief: bool = False, **options
) -> Heatmap:
    """A method's numbers on a trace, with everything a view needs to show them truthfully; brief: the map without layers, heads and totals."""
    chosen = find(key)
    chosen.check_kind(trace)
    chosen.check_length(len(trace.attended))
    found = chosen.run(trace, **options)
    scores, facts = found.scores, found.facts
    rows = heads = None
    if not brief and found.layers is not None:
        rows = shown(found.layers)
    if not brief and found.heads is not None:
        heads = shown(found.heads)
    given = chosen.read(options)
    names = [] if rows is None else found.rows
    half = HALF.get(trace.score.dtype)
    if not torch.isfinite(scores).all():
        why = (
            f", since the model runs in {half}; load it in float32"
            if half
            else " for this input; try another method"
        )
        raise Refusal(f"{chosen.title} gave numbers that are not finite{why}.")
    notes = coded.notes
    if half and not chosen.widened:
        notes.append(
            f"The model runs in {half}, and so does {chosen.title}: small scores and the order of scores that are "
            "close are not to be relied on. Loaded in float32, the same weights give exact ones."
        )
    if coded.text and (odd := pair_note(model.name, is_pair=bool(coded.halves))):
        notes.append(odd)
    if chosen.at_readout and (len(trace.read_at) > 1 or trace.target.measured):
        notes.append(read_from(coded, trace))
    if trace.target.tie:
        notes.append(trace.target.tie)
    if not scores.any():
        notes.append(f"{chosen.title} is zero for every token here.")
    if rows is not None and not torch.isfinite(rows).all():
        lost = [name for name, row in zip(names, rows) if not torch.isfinite(row).all()]
        notes.append(f"Some numbers of {', '.join(lost)} are not finite; they are left blank.")
    if heads is not None and not torch.isfinite(heads).all():
        lost = [
            f"head {head} of layer {layer}"
            for layer, head in (~torch.isfinite(heads)).any(-1).nonzero().tolist()
        ]
        notes.append(
            f"Not every number of {', '.join(lost[:6])}{' and others' if len(lost) > 6 else ''} is finite; they are left blank."
        )
    totals = {} if brief else found.totals
    span = trace.target.span and coded.spans and [coded.spans[i] for i in trace.target.span]
    return Heatmap(
        scores=shown(scores),
        labels=coded.labels,
        method=key,
        title=chosen.title,
        target=trace.target.name,
        score=float(trace.score),
        unit=unit_of(model, trace),
        signed=given.get("signed", chosen.signed),
        special_tokens=coded.special_tokens.cpu(),
        poles=trace.target.poles,
        rows=rows,
        row_labels=names,
        heads=heads,
        totals={name: shown(total) for name, total in totals.items()},
        text=coded.text,
        spans=coded.spans,
        words=coded.words,
        options=given,
        facts=facts,
        notes=notes,
        cost=chosen.cost_of(given, int((~coded.special_tokens).sum()), len(trace.layers)),
        model=model.name,
        revision=model.revision,
        segments=coded.segments,
        halves=coded.halves,
        marked=(span[0][0], span[1][1]) if span and all(span) else None,
        grid=coded.grid,
        picture=coded.picture,
        seen=coded.seen,
        pixels=shown(found.pixels) if coded.grid and found.pixels is not None else None,
        pending=model.task.continuation(trace.target),
    )

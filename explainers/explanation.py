"""Explain a prediction: one method's heatmap, several methods side by side, or one at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .errors import Refusal
from .heatmap import Comparison, Heatmap
from .inputs import Encoded
from .methods import METHODS, Method, find
from .methods.attribution import Attribution
from .models import Model
from .models.bundled import pair_note
from .prediction import SHOWN
from .trace import Trace

#: Precisions that are too low for most methods, and the numbers that they can hold.
HALF = {
    torch.float16: "float16 (about 3 digits, none above 65,504)",
    torch.bfloat16: "bfloat16 (2 to 3 digits)",
}

#: How many heads a note names.
LISTED_HEADS = 6


def explain(model: Model, inputs, method: str = "attcat", target=None, **options) -> Heatmap:
    """The heatmap of one method for one input.

    inputs   a text, a pair of texts, (question, context), a picture, (picture, texts), a dict of
             these by the names that pipelines use, or tensors
    method   a key of `METHODS`
    target   what is explained; None is the prediction. A label, a class index, 'A - B', a pair, or
             a function of the outputs. Of a question: answer, start, end, best span, no answer, a
             part of the context, or its first and last character. Of a language model: a next
             token by its text or id. Of words one by one: 'LABEL at word'
    options  of the method

    Raises `Refusal` if the input, the target or an option is not possible here.
    """
    return next(stream(model, inputs, [method], target, **options))


def compare(model: Model, inputs, methods: Iterable[str] | None = None, target=None) -> Comparison:
    """The heatmaps of several methods for one input. Methods of one pass share one trace.

    methods: keys of `METHODS`; by default every method that this input allows, and `left_out` has
    the others. inputs, target: as in `explain`. Raises `Refusal` as `explain`.
    """
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
    """The heatmaps of `compare`, one at a time, each as soon as it is ready.

    methods   keys of `METHODS`; None for every method that this model, target and length allow
    left_out  gets {title: reason} of the methods that they do not allow. A method that is named is
              refused instead
    options   of every method
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


def explain_trace(
    model: Model, coded: Encoded, trace: Trace, key: str, *, brief: bool = False, **options
) -> Heatmap:
    """The heatmap of one method for an input that is traced already.

    brief: the map alone, without layers, heads and totals. options: of the method. Raises
    `Refusal` if the method is not for this input, and for scores that are not finite.
    """
    method = find(key)
    method.check_kind(trace)
    method.check_length(len(trace.attended))
    found = method.run(trace, **options)
    check_finite(found.scores, method, trace)
    given = method.read(options)
    parts = {} if brief else parts_of(found)
    notes = [
        *coded.notes,
        *input_notes(model, coded, trace, method),
        *number_notes(method, found, parts),
    ]
    pixels = found.pixels if coded.grid else None
    words = int((~coded.special_tokens).sum())
    return heatmap_of(
        model,
        coded,
        trace,
        found.scores,
        method=key,
        title=method.title,
        signed=given.get("signed", method.signed),
        options=given,
        facts=found.facts,
        notes=notes,
        cost=method.cost_of(given, words, model.depth),
        pixels=None if pixels is None else readable(pixels),
        **parts,
    )


def heatmap_of(model: Model, coded: Encoded, trace: Trace, scores: Tensor, **more: Any) -> Heatmap:
    """Scores [token] as a heatmap, with what is known of the input, the target and the model.

    more: the other fields of `TokenScores`: method, title, signed, options, ...
    """
    target = trace.target
    return Heatmap(
        scores=readable(scores),
        labels=coded.labels,
        special_tokens=coded.special_tokens.cpu(),
        text=coded.text,
        spans=coded.spans,
        words=coded.words,
        segments=coded.segments,
        halves=coded.halves,
        grid=coded.grid,
        picture=coded.picture,
        seen=coded.seen,
        target=target.name,
        score=float(trace.score),
        unit=model.task.logit_unit(model) if target.unit == "logit" else target.unit,
        poles=target.poles,
        marked=characters_of(coded, target.span),
        pending=model.task.continuation(target),
        model=model.name,
        revision=model.revision,
        **more,
    )


def characters_of(coded: Encoded, tokens: tuple[int, int] | None) -> tuple[int, int] | None:
    """First and last+1 character of the first to the last token; None if one is not in the text."""
    if not tokens or not coded.spans:
        return None
    first, last = coded.spans[tokens[0]], coded.spans[tokens[1]]
    if not first or not last:
        return None
    return first[0], last[1]


def readable(numbers: Tensor) -> Tensor:
    """Numbers for views and files: on the CPU, in float32 or better."""
    return numbers.detach().cpu().to(torch.promote_types(numbers.dtype, torch.float32))


def parts_of(found: Attribution) -> dict[str, Any]:
    """Layers, heads and totals of a method, as fields of `TokenScores`."""
    parts: dict[str, Any] = {}
    if found.layers is not None:
        parts |= {"rows": readable(found.layers), "row_labels": found.rows}
    if found.heads is not None:
        parts["heads"] = readable(found.heads)
    parts["totals"] = {name: readable(total) for name, total in found.totals.items()}
    return parts


def check_finite(scores: Tensor, method: Method, trace: Trace) -> None:
    """Raise a `Refusal` if a score is not finite."""
    if torch.isfinite(scores).all():
        return
    half = HALF.get(trace.score.dtype)
    if half:
        reason = f", since the model runs in {half}; load it in float32"
    else:
        reason = " for this input; try another method"
    raise Refusal(f"{method.title} gave numbers that are not finite{reason}.")


# ------------------------------------------------------------------------------------------- notes


def input_notes(model: Model, coded: Encoded, trace: Trace, method: Method) -> list[str]:
    """Notes about the model's precision, the input, and the target."""
    notes = []
    half = HALF.get(trace.score.dtype)
    if half and not method.widened:
        notes.append(
            f"The model runs in {half}, and so does {method.title}: small scores, and the order of "
            "scores that are close, are not reliable. Load the model in float32 for exact scores."
        )
    if coded.text:
        notes.append(pair_note(model.name, is_pair=bool(coded.halves)))
    if method.at_readout and (len(trace.read_at) > 1 or trace.target.measured):
        notes.append(readout_note(coded, trace))
    notes.append(trace.target.tie)
    return [note for note in notes if note]


def readout_note(coded: Encoded, trace: Trace) -> str:
    """The note that says from which tokens the score is read."""
    places = trace.read_at
    if len(places) > SHOWN:
        names = f"{len(places)} tokens"
    else:
        names = " and ".join(token_name(coded.labels, place) for place in places)
    if len(places) == 1:
        return f"This score is read from {names}."
    return (
        f"This score is read from {names}; methods that explain one readout token show the mean "
        "over these."
    )


def token_name(labels: Sequence[str], place: int) -> str:
    """A token in quotes, with its number if others have the same label."""
    label = labels[place]
    if labels.count(label) == 1:
        return f"“{label}”"
    return f"“{label}” (token {place})"


def number_notes(method: Method, found: Attribution, parts: dict[str, Any]) -> list[str]:
    """Notes about the numbers: that all are zero, or that some are left blank."""
    notes = []
    if not found.scores.any():
        notes.append(f"{method.title} is zero for every token here.")
    rows, heads = parts.get("rows"), parts.get("heads")
    if rows is not None and not torch.isfinite(rows).all():
        names = []
        for name, row in zip(parts["row_labels"], rows):
            if not torch.isfinite(row).all():
                names.append(name)
        notes.append(f"Some numbers of {', '.join(names)} are not finite; they are left blank.")
    if heads is not None and not torch.isfinite(heads).all():
        names = []
        for layer, head in (~torch.isfinite(heads)).any(-1).nonzero().tolist():
            names.append(f"head {head} of layer {layer}")
        others = " and others" if len(names) > LISTED_HEADS else ""
        notes.append(
            f"Not every number of {', '.join(names[:LISTED_HEADS])}{others} is finite; they are "
            "left blank."
        )
    return notes

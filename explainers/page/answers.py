"""What the models answer: predictions, traces and maps of a question, and what is kept of them.

A trace is made when the first method needs it and shared by all methods of one comparison. Maps
and predictions are kept for later; they are small.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import explainers as ex

from .. import evaluation
from ..inputs import Encoded
from ..inputs.kinds import PICTURE_AND_TEXTS
from .kinds import KINDS
from .lent import on_lent_gpu
from .loading import model_of, wrong_kind
from .pieces import refused_at
from .reading import given_by, valid_targets
from .state import NOTHING, PREDICTED, Question


class Asked(NamedTuple):
    """A question as the package takes it.

    given   a text, a pair of texts, the path of a picture, or (path, texts)
    target  as `explainers.explain` takes it; of a picture with texts, their places
    """

    model: str
    given: Any
    target: Any = None


class Traced(NamedTuple):
    """One input with its trace under one model."""

    model: ex.Model
    coded: Encoded
    trace: ex.Trace

    def explain(self, method: str, options: Mapping[str, Any]) -> ex.Heatmap:
        """The map of one method. Raises `Refusal` as `explainers.explain` does."""
        return ex.explain_trace(self.model, self.coded, self.trace, method, **options)

    def case(self) -> evaluation.Case:
        """The same as metrics take it."""
        return evaluation.Case(self.model, self.coded, self.trace)


class Traces:
    """The traces of one question, made when they are first needed.

    Of a picture that is matched with texts: that of the picture, then one of each text that the
    question names.
    """

    def __init__(self, asked: Asked):
        self.asked = asked

    @cached_property
    def all(self) -> list[Traced]:
        asked = self.asked
        model = model_of(asked.model)
        coded = encoded_input(asked.model, asked.given)
        traces = [Traced(model, coded, model.trace(coded, asked.target))]
        if PICTURE_AND_TEXTS in model.task.takes:
            traces += self.of_texts(model)
        return traces

    def of_texts(self, model: ex.Model) -> list[Traced]:
        picture, texts = self.asked.given
        target = self.asked.target
        places = target if isinstance(target, tuple) else (target,)
        text_side = model.side("text")
        traces = []
        for place in places:
            coded = text_side.encode((picture, texts[place]))
            traces.append(Traced(text_side, coded, text_side.trace(coded)))
        return traces


#: The traces that are still in use, and the latest ones. Traces of 512 tokens hold 150 MB, so
#: nothing else is kept; but two visitors who compare at the same time do not lose theirs.
IN_USE: WeakValueDictionary[Asked, Traces] = WeakValueDictionary()
LATEST: deque[Traces] = deque(maxlen=1)


def traces_of(asked: Asked) -> Traces:
    """The traces of a question. They are kept as long as a caller holds them."""
    traces = IN_USE.setdefault(asked, Traces(asked))
    LATEST.append(traces)
    return traces


@lru_cache(maxsize=16)
def encoded_input(model: str, given: Any) -> Encoded:
    """An input as the model takes it; of a picture only what the model sees is kept."""
    return model_of(model).encode(given)


@lru_cache(maxsize=128)
@on_lent_gpu
def prediction_of(model: str, given: Any) -> ex.Prediction:
    return ex.predict(model_of(model), encoded_input(model, given))


@lru_cache(maxsize=128)
@on_lent_gpu
def heats_of(
    asked: Asked, method: str, options: tuple[tuple[str, Any], ...] = ()
) -> list[ex.Heatmap | str]:
    """A method's maps of one question; in place of a map, the sentence why there is none.

    A method that is not for texts gives none of the texts that a picture is matched with.
    """
    heats: list[ex.Heatmap | str] = []
    for place, traced in enumerate(traces_of(asked).all):
        if place > 0 and traced.model.anatomy.modality not in ex.METHODS[method].modalities:
            continue
        try:
            heats.append(traced.explain(method, dict(options)))
        except ex.Refusal as refusal:
            heats.append(str(refusal))
    return heats


class Maps(NamedTuple):
    """What one method gives: its maps, and by title the reasons why there are none."""

    heats: list[ex.Heatmap]
    refused: dict[str, str]


def maps_of(asked: Asked, method: str, options: dict | None = None) -> Maps:
    """The maps of one method. options: its changed options."""
    title = ex.METHODS[method].title
    titles = (title, f"{title}, words", f"{title}, words of the other text")
    maps = Maps([], {})
    for title, heat in zip(titles, heats_of(asked, method, tuple((options or {}).items()))):
        if isinstance(heat, str):
            maps.refused[title] = heat
        else:
            maps.heats.append(heat)
    return maps


def parse_question(question: Question) -> Asked:
    """What the fields of the page mean. Raises `Refusal` if they do not go together."""
    model = model_of(question.model)
    if KINDS[question.kind].input not in model.task.takes:
        # before the input is read: a text must never be taken for the path of a picture
        raise wrong_kind(question.model, question.kind)
    given: Any = given_by(question)
    if KINDS[question.kind].has_lines:
        return Asked(question.model, given, target_among(question, given))
    target = None if question.target == PREDICTED else question.target
    if question.versus == NOTHING:
        return Asked(question.model, given, target)
    if target is None:
        target = best_of(question.model, given)
    return Asked(question.model, given, (target, question.versus))


def target_among(question: Question, given: tuple) -> int | tuple[int, int]:
    """The target among the texts of a picture, by their places: a text may look like “A - B”."""
    texts = given[1]
    target, versus = valid_targets(question.target, question.versus, texts)
    if target == PREDICTED:
        target = prediction_of(question.model, given).best
    if versus == NOTHING:
        return texts.index(target)
    return texts.index(target), texts.index(versus)


def best_of(name: str, given: Any) -> str:
    """The predicted target, by the name that a person would type for it."""
    return model_of(name).task.best(prediction_of(name, given))


def check_target(asked: Asked) -> None:
    """Raises `Refusal`, at the field of the target, if the model has no such target here."""
    with refused_at("goal"):
        coded = encoded_input(asked.model, asked.given)
        model_of(asked.model).target_of(coded, asked.target)

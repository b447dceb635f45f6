"""Optimus: of all ways to read attention, the one that is most faithful on this input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .. import ties
from ..errors import Refusal
from ..numerals import readable
from ..outputs import Answer
from ..scores import Score
from ..trace import Trace
from ._chain import products
from ._shared import once_per_trace
from .attribution import Attribution
from .registry import Cost, Only, Output, method

Matrix = Literal["A", "A*"]
Activation = Literal["softmax", "sigmoid"]
EQUALS = "equally faithful readings, the first is shown:"  # the fact that says how many


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read attention, its scores, and how faithful they are.

    layer  a number, Mean (of all layers) or Multi (their product)
    head   a number, or Mean
    view   From, To, MeanColumns or MaxColumns: see `views`
    """

    layer: str
    head: str
    view: str
    scores: Float[Tensor, " token"]
    faithfulness: float

    @property
    def name(self) -> str:
        return f"{self.layer}/{self.head}/{self.view}"


@method(
    "optimus",
    "Optimus",
    family="Perturbation",
    paper="mylonas2023",
    output=Output(signed=True, class_specific=True, parts=("layers",)),
    cost=Cost("nF", most_tokens=384, too_long="{n} whole forward passes"),
    only=Only("text", "a word is replaced by the token [UNK], and no patch is blank in that way"),
)
def attribute(
    trace: Trace,
    matrix: Matrix = "A",
    choice: str | None = None,
    activation: Activation = "softmax",
) -> Attribution:
    """The attention map, of any layer, head and row, that best predicts what removing words does.

    Formula: score = the row of A (or of A* before the softmax) with the largest RFT = sum over
    words i of sign(score_i) · (p − p without i) / rank_i (Mylonas et al., ranked faithful
    truthfulness). The map by layer has the best row of each layer.

    Sign: plus raises the score of the target, minus lowers it. With A every number is positive;
    only A* can be minus.

    Limits: the map is chosen among hundreds by the same test that then judges it, so it is a best
    case. A word is removed by replacing it by [UNK]. RFT depends on signs and ranks alone, so
    several maps often have the largest one. Then the first is shown and the map says how many
    there are. The order is: of layers the mean, the product, then each; of heads the mean, then
    each; of rows From, To, MeanColumns, MaxColumns. Numbers that differ by rounding alone count
    as equal.

    Options:
    - matrix: A: attention; A*: before the softmax.
    - choice: one map by its name, such as 3/Mean/From, in place of the search. The paper's batch
      mode finds one for a whole dataset.
    - activation: p by softmax or sigmoid. sigmoid is what the authors' code uses except for two
      labels; of a difference, each class has its own.
    """
    found = readings(trace, matrix, activation)
    equals = []
    if choice is None:
        best, *equals = equally_faithful(found)
    else:
        best = reading_called(choice, found)
    facts = {f"RFT of {best.name}": best.faithfulness}
    if equals:
        facts[EQUALS] = float(1 + len(equals))
    by_layer = best_of_layers(found)
    return Attribution(
        best.scores,
        layers=lambda: torch.stack([one.scores for one in by_layer]),
        rows=[f"{one.name}, RFT {readable(one.faithfulness)}" for one in by_layer],
        facts=facts,
    )


def readings(
    trace: Trace, matrix: Matrix = "A", activation: Activation = "softmax"
) -> list[Reading]:
    """Every layer x head x row with its faithfulness for the explained class.

    In the authors' order: by layer (the mean, with A the product, then each from the first), in it
    by head (the mean, then each), in it by row (From, To, MeanColumns, MaxColumns).
    """
    return all_readings(trace, matrix=matrix, activation=activation)


@once_per_trace
def all_readings(trace: Trace, matrix: Matrix, activation: Activation) -> list[Reading]:
    words = (~trace.special_tokens).nonzero().flatten()
    loss = losses(trace, activation)[words]
    found = []
    for layer, head, map_ in attention_maps(trace, matrix):
        for view, scores in views(trace, map_).items():
            faithfulness = ranked_truthfulness(scores[words], loss, matrix)
            found.append(Reading(layer, head, view, scaled(scores, words, matrix), faithfulness))
    return found


def attention_maps(
    trace: Trace, matrix: Matrix
) -> Iterator[tuple[str, str, Float[Tensor, "query key"]]]:
    """(layer, head, map [query key]) for every layer, their mean and product, and every head."""
    attention = weights(trace, matrix)
    heads = {"Mean": attention.mean(1)}
    for head in range(attention.shape[1]):
        heads[str(head)] = attention[:, head]
    for head, maps in heads.items():
        yield "Mean", head, maps.mean(0)
    if matrix == "A":
        for head, maps in heads.items():
            yield "Multi", head, products(maps)[-1]
    for layer in range(len(attention)):
        for head, maps in heads.items():
            yield str(layer), head, maps[layer]


def views(trace: Trace, map_: Float[Tensor, "query key"]) -> dict[str, Float[Tensor, " key"]]:
    """Four ways to read scores [token] off a map [query key].

    From: the row of the readout token; To: its column; MeanColumns, MaxColumns: over all rows.
    """
    rows = map_[trace.attended]
    return {
        "From": trace.read(map_),
        "To": trace.read(map_.mT),
        "MeanColumns": rows.mean(0),
        "MaxColumns": rows.amax(0),
    }


def weights(trace: Trace, matrix: Matrix) -> Float[Tensor, "layer head query key"]:
    """Attention after (A) or before (A*) the softmax [layer head query key].

    0 where a causal model may not attend: before the softmax it has numbers there, too.
    """
    if matrix == "A":
        return trace.attention
    before: list[Tensor] = []

    def keep(scores: Tensor) -> Tensor:
        before.append(scores.detach()[0])
        return scores

    trace.again(scores=keep, record=("attention",))
    return torch.stack(before) * (trace.attention > 0)


def losses(trace: Trace, activation: Activation) -> Float[Tensor, " token"]:
    """The probability that the target loses when a word becomes [UNK] [token]; 0 at specials."""
    if activation == "sigmoid" and trace.is_regression:
        raise Refusal(
            "The outputs of this model are values, not classes, "
            "and the sigmoid of a value is no probability."
        )
    if activation == "softmax":
        target = trace.target.as_probability()
    else:
        target = Sigmoid(trace.target)
    words = (~trace.special_tokens).nonzero().flatten()
    blanked = trace.special_tokens.new_zeros(len(words), len(trace.special_tokens))
    blanked[torch.arange(len(words)), words] = True
    whole = trace.rescore(trace.inputs, target)
    loss = torch.zeros_like(trace.attention[0, 0, 0])
    loss[words] = (whole - trace.rescore(trace.fill(blanked, "unk"), target)).to(loss)
    return loss


class Sigmoid(Score):
    """The sigmoid of a logit; of a difference, that of each logit."""

    def __init__(self, target: Score):
        self.name = f"sigmoid of {target.name}"
        self.poles = target.poles
        self.terms = target.parts()

    def __call__(self, answer: Answer) -> Tensor:
        sigmoids = [weight * part(answer).sigmoid() for part, weight in self.terms]
        return torch.stack(sigmoids).sum(0)


def scaled(
    raw: Float[Tensor, " token"], words: Int[Tensor, " word"], matrix: Matrix
) -> Float[Tensor, " token"]:
    """Scores of words rescaled to 1e-7..1 (A) or −1..1 (A*), as the authors compare them.

    Special tokens get 0. A row whose numbers are all equal (`ties.constant`) has no range to be
    rescaled by: with A its words get 1e-7.
    """
    kept = raw[words]
    if matrix == "A" and ties.constant(kept):
        kept = torch.full_like(kept, 1e-7)
    elif matrix == "A":
        low, high = kept.min(), kept.max()
        kept = 1e-7 + (kept - low) / (high - low) * (1 - 1e-7)
    elif kept.any():
        kept = kept / kept.abs().max()
    return torch.zeros_like(raw).index_put((words,), kept)


def ranked_truthfulness(
    raw: Float[Tensor, " word"], loss: Float[Tensor, " word"], matrix: Matrix
) -> float:
    """The sum over words of ± loss / rank, plus where the score's sign agrees with the loss.

    This is the paper's ranked faithful truthfulness (RFT). raw [word] are the scores before they
    are rescaled, which would enlarge their rounding errors; with A scaled scores are positive and
    in the same order. Equal sizes (`ties.levels`) all have the largest of their ranks. A score
    that equals zero agrees with nothing.
    """
    size = raw if matrix == "A" else raw.abs()
    group = ties.levels(size)
    rank = group.bincount().cumsum(0)[group].to(loss)
    if matrix == "A":
        agreed = loss
    else:
        sign = raw.sign().where(size > ties.tolerance(raw, [0.0]).to(size), 0)
        agreed = torch.where(sign == 0, -loss.abs(), loss * sign)
    return float((agreed / rank).sum())


def most_faithful_first(found: Sequence[Reading]) -> list[Reading]:
    """By falling faithfulness; equal ones stay in their order."""
    order = ties.ranked([one.faithfulness for one in found], ties.PROBABILITY)
    return [found[i] for i in order.tolist()]


def equally_faithful(found: Sequence[Reading]) -> list[Reading]:
    """The most faithful reading and those that equal it, in the order that they are given in."""
    best = ties.tied([one.faithfulness for one in found], ties.PROBABILITY)
    return [found[i] for i in best.nonzero().flatten().tolist()]


def best_of_layers(found: Sequence[Reading]) -> list[Reading]:
    """The most faithful reading of each layer, of their mean and of their product."""
    by_layer: dict[str, list[Reading]] = {}
    for reading in found:
        by_layer.setdefault(reading.layer, []).append(reading)
    return [equally_faithful(some)[0] for some in by_layer.values()]


def reading_called(name: str, found: Sequence[Reading]) -> Reading:
    """The reading of that name, in any case. Raises `Refusal` if there is none."""
    for reading in found:
        if reading.name.casefold() == name.casefold():
            return reading
    raise Refusal(
        f"There is no reading {name[:40]!r}; one is layer/head/row, such as {found[0].name} or "
        f"{found[-1].name}."
    )


def mean_readings(
    traces: Iterable[Trace], matrix: Matrix = "A", activation: Activation = "softmax"
) -> dict[str, float]:
    """The mean faithfulness of every reading over many inputs of one model, the best first.

    {"layer/head/row": mean RFT}; equal ones (`ties.ranked`) are in the order of `readings`.
    Raises `Refusal` if there are no traces.
    """
    totals: dict[str, float] = {}
    count = 0
    for trace in traces:
        count += 1
        for one in readings(trace, matrix, activation):
            totals[one.name] = totals.get(one.name, 0) + one.faithfulness
    if not count:
        raise Refusal("Give at least one trace to choose by.")
    means = [(name, total / count) for name, total in totals.items()]
    order = ties.ranked([mean for _, mean in means], ties.PROBABILITY)
    return dict(means[i] for i in order.tolist())


def best_reading(
    traces: Iterable[Trace], matrix: Matrix = "A", activation: Activation = "softmax"
) -> str:
    """The name of the reading with the best mean faithfulness over many inputs.

    This is the paper's batch mode. Of equal ones it is the first.
    """
    return next(iter(mean_readings(traces, matrix, activation)))

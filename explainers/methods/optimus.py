"""Optimus: of all the ways to read a map off attention, the one that is most faithful for this input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .. import ties
from ..errors import Refusal
from ..trace import Trace
from ._chain import products
from .registry import method

Matrix = Literal["A", "A*"]
Activation = Literal["softmax", "sigmoid"]
VIEWS = {  # of a map [query key]: what the readout token looks at, who looks at it, what all look at
    "From": lambda trace, m: trace.read(m),
    "To": lambda trace, m: trace.read(m.mT),
    "MeanColumns": lambda trace, m: m[trace.attended].mean(0),
    "MaxColumns": lambda trace, m: m[trace.attended].amax(0),
}
EQUALS = "equally faithful readings, the first is shown:"  # the fact that says how many


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to read attention: which layer (or their mean, or product), head (or mean) and row, and how faithful it is."""

    layer: str
    head: str
    view: str
    scores: Tensor
    faithfulness: float

    @property
    def name(self) -> str:
        return f"{self.layer}/{self.head}/{self.view}"


def weights(trace: Trace, matrix: Matrix) -> Tensor:
    """Attention after (A) or before (A*) the softmax [layers head query key]; nothing where the model may not look."""
    if matrix == "A":
        return trace.attention
    found: list[Tensor] = []
    trace.again(
        scores=lambda scores: found.append(scores.detach()[0]) or scores, record=("attention",)
    )
    return torch.stack(found) * (
        trace.attention > 0
    )  # before the softmax, a causal model has numbers for what comes later


def losses(trace: Trace, activation: Activation) -> Tensor:
    """How much probability the target loses when a word becomes [UNK] [token]; 0 at specials."""
    if activation == "sigmoid" and trace.is_regression:
        raise Refusal(
            "The outputs of this model are values, not classes, "
            "and the sigmoid of a value is no probability."
        )
    words = (~trace.special_tokens).nonzero().flatten()
    blanked = torch.zeros(
        len(words), len(trace.special_tokens), dtype=torch.bool, device=words.device
    )
    blanked[torch.arange(len(words)), words] = True
    sigmoids = lambda answer: sum(
        weight * part(answer).sigmoid() for part, weight in trace.target.parts()
    )  # of a difference, each logit's own
    target = trace.target.as_probability() if activation == "softmax" else sigmoids
    whole = trace.rescore(trace.inputs, target)
    lost = torch.zeros_like(trace.attention[0, 0, 0])
    lost[words] = (whole - trace.rescore(trace.fill(blanked, "unk"), target)).to(lost)
    return lost


def scaled(raw: Tensor, words: Tensor, matrix: Matrix) -> Tensor:
    """Words between 1e-7 and 1 (A) or −1 and 1 (A*), as the authors compare them; specials get nothing.

    A row whose numbers are all equal (`ties.constant`) has no range to be stretched over: its words get 1e-7.
    """
    kept = raw[words]
    if matrix == "A":
        low, high = kept.min(), kept.max()
        stretched = (
            torch.full_like(kept, 1e-7)
            if ties.constant(kept)
            else 1e-7 + (kept - low) / (high - low) * (1 - 1e-7)
        )
    else:
        stretched = kept / kept.abs().max() if kept.any() else kept
    return torch.zeros_like(raw).index_put((words,), stretched)


def ranked_truthfulness(raw: Tensor, lost: Tensor, matrix: Matrix) -> float:
    """Sum over words of the loss where the score's sign agrees with it, divided by the word's rank (the paper's ranked faithful
    truthfulness, RFT).

    raw [word]: the row before it is scaled, since scaling would blow up its rounding. With A scaled scores are positive and rise
    with the raw ones. Equal sizes (`ties.levels`) all have the largest of their ranks; a score that equals zero agrees with nothing.
    """
    size = raw if matrix == "A" else raw.abs()
    group = ties.levels(size)
    rank = group.bincount().cumsum(0)[group].to(lost)
    sign = (
        torch.ones_like(raw)
        if matrix == "A"
        else raw.sign().where(size > ties.tolerance(raw, [0.0]).to(size), 0)
    )
    agreed = torch.where(sign == 0, -lost.abs(), lost * sign)
    return float((agreed / rank).sum())


def readings(
    trace: Trace, matrix: Matrix = "A", activation: Activation = "softmax"
) -> list[Choice]:
    """Every layer x head x row with its faithfulness for the explained class, in the authors' order.

    By layer (their mean, with A their product, then each from the first), in it by head (their mean, then each), in it by row:
    From, To, MeanColumns, MaxColumns.
    """
    return trace.cached(
        ("optimus", matrix, activation), lambda: searched(trace, matrix, activation)
    )


def searched(trace: Trace, matrix: Matrix, activation: Activation) -> list[Choice]:
    words, lost = (~trace.special_tokens).nonzero().flatten(), losses(trace, activation)
    attention = weights(trace, matrix)
    heads = {"Mean": attention.mean(1)} | {
        str(h): attention[:, h] for h in range(attention.shape[1])
    }
    choices = []
    layers = ["Mean", *(["Multi"] if matrix == "A" else []), *map(str, range(len(attention)))]
    for layer in layers:
        for head, maps in heads.items():
            map_ = (
                maps.mean(0)
                if layer == "Mean"
                else products(maps)[-1]
                if layer == "Multi"
                else maps[int(layer)]
            )
            for view, read in VIEWS.items():
                raw = read(trace, map_)
                choices.append(
                    Choice(
                        layer,
                        head,
                        view,
                        scaled(raw, words, matrix),
                        ranked_truthfulness(raw[words], lost[words], matrix),
                    )
                )
    return choices


def most_faithful_first(choices: Sequence[Choice]) -> list[Choice]:
    """By falling faithfulness; equal ones in the order in which they are given."""
    return [
        choices[i]
        for i in ties.ranked([one.faithfulness for one in choices], ties.PROBABILITY).tolist()
    ]


def equally_faithful(choices: Sequence[Choice]) -> list[Choice]:
    """The most faithful reading, which is the first, and those that equal it, in the order in which they are given."""
    return [
        choices[i]
        for i in ties.tied([one.faithfulness for one in choices], ties.PROBABILITY)
        .nonzero()
        .flatten()
        .tolist()
    ]


def mean_readings(
    traces: Iterable[Trace], matrix: Matrix = "A", activation: Activation = "softmax"
) -> dict[str, float]:
    """Every reading's mean faithfulness over many inputs of one model, {"layer/head/row": mean RFT}, the best first.

    Equal ones (`ties.ranked`) are in the order of `readings`.
    """
    each = [
        {one.name: one.faithfulness for one in readings(trace, matrix, activation)}
        for trace in traces
    ]
    if not each:
        raise Refusal("Give at least one trace to choose by.")
    means = {name: sum(found[name] for found in each) / len(each) for name in each[0]}
    names = list(means)
    order = ties.ranked(list(means.values()), ties.PROBABILITY).tolist()
    return {names[i]: means[names[i]] for i in order}


def best_reading(
    traces: Iterable[Trace], matrix: Matrix = "A", activation: Activation = "softmax"
) -> str:
    """The paper's batch mode: the name of the reading with the best mean faithfulness over many inputs, of equal ones the first."""
    return next(iter(mean_readings(traces, matrix, activation)))


def best_of_layers(
    trace: Trace, matrix: Matrix = "A", activation: Activation = "softmax"
) -> list[Choice]:
    """The most faithful reading of each layer, of their mean and of their product; of equal ones the first."""
    choices = readings(trace, matrix, activation)
    layers = dict.fromkeys(one.layer for one in choices)
    return [equally_faithful([one for one in choices if one.layer == layer])[0] for layer in layers]


@method(
    "Optimus",
    family="Perturbation",
    paper="Mylonas et al. 2023",
    url="https://arxiv.org/abs/2209.10876",
    signed=True,
    class_specific=True,
    passes="nF",
    tasks=("text",),
    most_tokens=384,
    too_long="{n} whole forward passes",
    only="a word is taken away by the token [UNK], and no patch stands for nothing in that way",
    layers=lambda trace, matrix="A", activation="softmax": torch.stack(
        [one.scores for one in best_of_layers(trace, matrix, activation)]
    ),
    rows=lambda trace, matrix="A", activation="softmax", **_: [
        f"{one.name}, RFT {one.faithfulness:.3g}"
        for one in best_of_layers(trace, matrix, activation)
    ],
)
def optimus(
    trace: Trace,
    matrix: Matrix = "A",
    choice: str | None = None,
    activation: Activation = "softmax",
) -> tuple[Tensor, dict]:
    """The one reading of attention, of all layers, heads and rows, that agrees best with what taking words away does.

    Formula: score = the row of A (or A* before the softmax) with the largest RFT = sum over words i of sign(score_i) · (p − p without i) / rank_i
    (Mylonas et al., ranked faithful truthfulness).

    Sign: plus pushes towards the target, minus away from it; with A every number is positive, so only A* can say minus.

    Limits: the winner is chosen by the very test it is then judged by, among hundreds: it is a best case. A word is
    taken away by making it [UNK]. Rows are often equally faithful, since rank and sign are all that counts of a score: then the
    first is shown, the layers' mean before their product before each layer, the mean of the heads before each head, From before To
    before MeanColumns before MaxColumns, and the map says how many there are. Numbers closer than rounding are equal, in the
    ranks, in the range that a row is stretched over and between readings.

    Options: matrix (A; A*: before the softmax), choice (a reading by name, like 3/Mean/From, instead of the search: the
    paper's batch mode finds one for a whole dataset), activation (p by softmax; sigmoid: as the authors' code where there are
    not two labels; of a difference, each class's own). Its layers are the best reading of each.
    """
    choices = readings(trace, matrix, activation)
    facts = {}
    if choice is None:
        best, *others = equally_faithful(choices)
        facts = {EQUALS: float(1 + len(others))} if others else {}
    else:
        best = next((one for one in choices if one.name.casefold() == choice.casefold()), None)
        if best is None:
            raise Refusal(
                f"There is no reading {choice[:40]!r}; one is layer/head/row, such as {choices[0].name} or {choices[-1].name}."
            )
    return best.scores, {f"RFT of {best.name}": best.faithfulness} | facts

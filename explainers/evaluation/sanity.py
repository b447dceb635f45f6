"""Does a map depend on what it claims to explain? On the weights, on the class, on the score it shares out."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import Refusal
from ..explanation import explain_trace
from ..heatmap import Heatmap
from ..methods import METHODS, find
from ..models import Model
from ..ties import place_of_largest
from .case import Case, parse
from .correlation import Kind, rank_correlation, seen
from .metric import metric

# ------------------------------------------------------------------------------------- cascading weight randomisation


@dataclass(frozen=True, eq=False)
class Stage:
    """The maps of a model whose weights are random from the head down to here.

    name          "head", then "block 5", "block 4", ... "embeddings"
    correlation   by method, with its map of the trained model: a method that explains the model falls towards 0; NaN where it has no map
    heats         by method
    """

    name: str
    correlation: dict[str, float]
    heats: dict[str, Heatmap]


def cascade(
    case: Case,
    methods: Sequence[str],
    seed: int = 0,
    kind: Kind = "spearman",
    specials: bool = False,
) -> Iterator[Stage]:
    """Weights are made random from the head down, and after each stage the maps of the same target are made again (Adebayo et al. 2018).

    A copy of the network is changed, never the model itself. Every weight tensor gets normal numbers of its own mean and standard deviation,
    so that the network stays in its range but knows nothing. One `Stage` at a time, since each costs the methods' passes. kind, specials:
    what is compared and how, of constant maps as `rank_correlation` says. Raises `Refusal` for a method that does not exist.
    """
    for name in methods:
        find(parse(name)[0])
    trained = {name: case.heat(name) for name in methods}
    model = replace(case.model, net=deepcopy(case.model.net))
    drawn = torch.Generator().manual_seed(seed)
    for stage, weights in stages(model):
        randomise(weights, drawn)
        trace = model.trace(case.coded, case.trace.target)
        heats = {}
        for name in methods:
            key, options = parse(name)
            try:
                heats[name] = explain_trace(model, case.coded, trace, key, brief=True, **options)
            except Refusal:  # its numbers are not finite with these weights
                continue
        alike = dict.fromkeys(methods, float("nan"))
        for name, heat in heats.items():
            scores = (seen(case, one.scores, specials) for one in (trained[name], heat))
            alike[name] = rank_correlation(*scores, kind)
        yield Stage(stage, alike, heats)


def stages(model: Model) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """The weights of the explained side from the head down: what follows the blocks, each block from the last, what comes before them."""
    others = (
        model.side("text" if model.anatomy.modality == "image" else "vision")
        if model.is_dual_encoder
        else None
    )
    foreign = {id(weight) for weight in others.tower.parameters()} if others else set()
    of_block = {
        id(weight): number
        for number, block in enumerate(model.blocks)
        for weight in block.parameters()
    }
    before, after, inside = [], [], [[] for _ in model.blocks]
    reached = False
    for _, weight in model.net.named_parameters():
        if id(weight) in of_block:
            inside[of_block[id(weight)]].append(weight)
            reached = True
        elif id(weight) not in foreign:
            (after if reached else before).append(weight)
    yield "head", after
    yield from ((f"block {number}", inside[number]) for number in reversed(range(len(inside))))
    yield "embeddings", before


@torch.no_grad()
def randomise(weights: Sequence[nn.Parameter], drawn: torch.Generator) -> None:
    for weight in weights:
        spread = float(weight.double().std()) if weight.numel() > 1 else 0.0
        weight.data = (
            torch.randn(weight.shape, generator=drawn, dtype=torch.float64) * spread
            + float(weight.double().mean())
        ).to(weight)


# ------------------------------------------------------------------------------------------------- the class, the score


@metric(
    "Class sensitivity",
    better="lower",
    reference="Adebayo et al. 2018, of classes instead of weights",
)
def class_sensitivity(case: Case, heat: Heatmap, answers: list, specials: bool = False) -> float:
    """Rank correlation of the explained class's map with that of the most probable other class.

    1 is a map that knows no classes. Of equally probable others the first is taken.
    """
    others = case.logits.clone()
    if len(others) < 2:
        return float("nan")
    if heat.method in METHODS and not METHODS[heat.method].class_specific:
        return 1.0
    others[case.explained] = -torch.inf
    other = case.heat(heat.method, target=place_of_largest(others), **heat.options)
    return rank_correlation(seen(case, heat.scores, specials), seen(case, other.scores, specials))


@metric(
    "Completeness gap",
    better="",
    reference="Sundararajan et al. 2017; Bach et al. 2015",
    unit="score",
)
def completeness(case: Case, heat: Heatmap, answers: list) -> dict[str, float]:
    """What the scores add up to ("sum") beside what they could: "of_score" is sum − y, 0 where a score is shared out whole (DecompX);
    "of_change" is sum − (y − y(blank)), 0 where the way from a blank input is (integrated gradients); "of_one" is sum − 1, 0 where
    a unit of relevance is conserved (LRP) or attention is. The blank is a text of [PAD], or a grey picture; near 0 is good only where the
    method promises it.
    """
    total, score = float(heat.scores.double().sum()), float(case.trace.score)
    blank = case.trace.rescore(
        case.trace.fill(~case.trace.special_tokens[None], "mean" if case.coded.grid else "pad")
    )
    return {
        "sum": total,
        "of_score": total - score,
        "of_change": total - (score - float(blank)),
        "of_one": total - 1,
    }

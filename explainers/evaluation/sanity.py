"""Sanity checks: does a map depend on the weights, the class and the score that it explains?"""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import Refusal
from ..explanation import explain_trace
from ..heatmap import Heatmap
from ..methods import find
from ..models import Model
from ..ties import place_of_largest
from .case import Case
from .correlation import Coefficient, compared, knows_no_classes, rank_correlation
from .notation import parse
from .registry import metric

# --------------------------------------------------------------- cascading weight randomisation


@dataclass(frozen=True, eq=False)
class Stage:
    """The maps of a model whose weights are random from the head down to one layer.

    name         "head", then "block 5", "block 4", ..., "embeddings"
    correlation  by method, with its map of the trained model: near 0 is good. NaN where there is
                 no map
    heats        by method
    """

    name: str
    correlation: dict[str, float]
    heats: dict[str, Heatmap]


def cascade(
    case: Case,
    methods: Sequence[str],
    seed: int = 0,
    kind: Coefficient = "spearman",
    specials: bool = False,
) -> Iterator[Stage]:
    """Randomise the weights from the head down, and compare the maps after each stage.

    This is the cascading randomisation of Adebayo et al. 2018. It changes a copy of the network,
    never the model itself. Each weight tensor gets normal numbers with its own mean and standard
    deviation. One `Stage` is given at a time, since each costs the methods' passes.

    methods   keys, also with options: "attcat:mask_specials=true"
    seed      of the random weights
    kind      of correlation: spearman or kendall; constant maps as in `rank_correlation`
    specials  whether special tokens are compared too

    Raises `Refusal` for a method that does not exist.
    """
    for name in methods:
        find(parse(name)[0])
    trained = {name: case.heat(name) for name in methods}
    model = replace(case.model, net=deepcopy(case.model.net))
    generator = torch.Generator().manual_seed(seed)
    for stage, weights in stages(model):
        randomise(weights, generator)
        heats = heats_of(model, case, methods)
        correlation = dict.fromkeys(methods, math.nan)
        for name, heat in heats.items():
            first = compared(case, trained[name].scores, specials)
            second = compared(case, heat.scores, specials)
            correlation[name] = rank_correlation(first, second, kind)
        yield Stage(stage, correlation, heats)


def heats_of(model: Model, case: Case, methods: Sequence[str]) -> dict[str, Heatmap]:
    """The maps of a changed model; without those whose numbers are not finite."""
    trace = model.trace(case.coded, case.target)
    heats = {}
    for name in methods:
        key, options = parse(name)
        try:
            heats[name] = explain_trace(model, case.coded, trace, key, brief=True, **options)
        except Refusal:
            continue
    return heats


def stages(model: Model) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """The weights of the explained side, from the head down.

    First what follows the blocks, then each block from the last, then what comes before them.
    """
    foreign = weights_of_other_side(model)
    block_of = {}
    for number, block in enumerate(model.blocks):
        for weight in block.parameters():
            block_of[id(weight)] = number
    embeddings, head = [], []
    in_blocks = [[] for _ in model.blocks]
    reached = False
    for weight in model.net.parameters():
        if id(weight) in block_of:
            in_blocks[block_of[id(weight)]].append(weight)
            reached = True
        elif id(weight) in foreign:
            continue
        elif reached:
            head.append(weight)
        else:
            embeddings.append(weight)
    yield "head", head
    for number in reversed(range(len(in_blocks))):
        yield f"block {number}", in_blocks[number]
    yield "embeddings", embeddings


def weights_of_other_side(model: Model) -> set[int]:
    """The ids of the weights of a dual encoder's other side, which is not explained."""
    if not model.is_dual_encoder:
        return set()
    other = "text" if model.anatomy.modality == "image" else "vision"
    return set(map(id, model.side(other).tower.parameters()))


@torch.no_grad()
def randomise(weights: Sequence[nn.Parameter], generator: torch.Generator) -> None:
    """Replace each weight tensor by normal numbers with its mean and standard deviation."""
    for weight in weights:
        numbers = weight.double()
        spread = float(numbers.std()) if weight.numel() > 1 else 0.0
        normal = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        weight.data = (normal * spread + float(numbers.mean())).to(weight)


# ------------------------------------------------------------------------- the class, the score


@metric(
    "Class sensitivity",
    better="lower",
    paper="adebayo2018",
)
def class_sensitivity(case: Case, heat: Heatmap, specials: bool = False) -> float:
    """Rank correlation between the maps of the explained class and of the most probable other one.

    A sanity check as those of Adebayo et al., with the class in place of the weights: 1 means that
    the map does not depend on the class. Of equally probable other classes the first is taken. NaN
    where there is no other class.

    Options:
    - specials (default: false): whether special tokens are compared too.
    """
    others = case.logits.clone()
    if len(others) < 2:
        return math.nan
    if knows_no_classes(heat):
        return 1.0
    others[case.explained] = -torch.inf
    other = case.heat(heat.method, target=place_of_largest(others), **heat.options)
    return rank_correlation(
        compared(case, heat.scores, specials), compared(case, other.scores, specials)
    )


@metric(
    "Completeness gap",
    better="",
    paper="sundararajan2017, bach2015",
    unit="score",
)
def completeness(case: Case, heat: Heatmap) -> dict[str, float]:
    """The sum of the scores, and its distance from what it should be by three definitions.

    - "sum": the sum of all scores, special tokens included.
    - "of_score": sum − y, 0 where the score y is distributed completely (DecompX).
    - "of_change": sum − (y − y(blank)), 0 for a path from a blank input (integrated gradients).
    - "of_one": sum − 1, 0 where a relevance or an attention of 1 is conserved.
    The blank input is a text of [PAD], or a grey picture. A gap near 0 is good only for a
    method that is defined to have it.
    """
    total = float(heat.scores.double().sum())
    score = float(case.trace.score)
    fill = "mean" if heat.grid else "pad"
    blank = case.trace.fill(~case.trace.special_tokens[None], fill)
    of_blank = float(case.trace.rescore(blank))
    return {
        "sum": total,
        "of_score": total - score,
        "of_change": total - (score - of_blank),
        "of_one": total - 1,
    }

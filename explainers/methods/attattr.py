"""Attention attribution: integrated gradients along attention, from none at all to what it is."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from ._path import rows
from .registry import AT_LEAST_ONE, method

Start = Literal["zero", "position"]
Endpoint = Literal["start", "end"]


def attattr_all(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Tensor:
    """(A − A') ⊙ mean over the path of ∂p/∂A, one layer at a time [layers head query key] (Hao et al.)."""
    return trace.cached(
        ("attattr", steps, baseline, probability, endpoint),
        lambda: walked(trace, steps, baseline, probability, endpoint),
    )


def walked(
    trace: Trace, steps: int, baseline: Start, probability: bool, endpoint: Endpoint
) -> Tensor:
    target = trace.target.as_probability() if probability else trace.target
    full, start = trace.attention, torch.zeros_like(trace.attention)
    if baseline == "position":
        nothing = trace.embed()
        start = trace.again(
            inputs=nothing | {"inputs_embeds": torch.zeros_like(nothing["inputs_embeds"])},
            record=("attention",),
        ).attention
    alphas = (torch.arange(steps).to(full) + (endpoint == "end")) / steps
    found = []
    for l in range(len(full)):
        slope = torch.zeros_like(full[l])
        for some in alphas.split(rows(trace)):
            way = start[l] + some[:, None, None, None] * (full[l] - start[l])
            path = trace.again_many(
                target=target,
                record=("attention",),
                entry=lambda x, way=way: x.expand(len(way), -1, -1),
                attention={l: lambda _, way=way: way},
            )
            slope += sum(step.grad.attention[l] for step in path)
        found.append((full[l] - start[l]) * slope / steps)
    return torch.stack(found)


def attattr_layers(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Tensor:
    """What was attributed to attention paid to each token, by layer [layers token]."""
    return attattr_all(trace, steps, baseline, probability, endpoint)[:, :, trace.attended].sum(
        (1, 2)
    )


def attattr_maps(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Tensor:
    return attattr_all(trace, steps, baseline, probability, endpoint).sum(1)


def attattr_heads(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Tensor:
    return attattr_all(trace, steps, baseline, probability, endpoint)[:, :, trace.attended].sum(2)


def attattr_totals(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> dict[str, Tensor]:
    return {"Sum": attattr_layers(trace, steps, baseline, probability, endpoint).sum(0)}


@method(
    "AttAttr",
    family="Attention gradients",
    paper="Hao et al. 2021",
    url="https://arxiv.org/abs/2004.11207",
    signed=True,
    class_specific=True,
    passes="L·{steps}F L·{steps}B",
    invariant="layers sum to the map",
    layers=attattr_layers,
    most_tokens=256,
    maps=attattr_maps,
    limits={"steps": AT_LEAST_ONE},
    heads=attattr_heads,
    totals=attattr_totals,
    too_long="a whole forward and backward pass for every step in every layer, with {n} × {n} weights a head",
)
def attattr(
    trace: Trace,
    steps: int = 20,
    baseline: Start = "zero",
    probability: bool = True,
    endpoint: Endpoint = "start",
) -> Tensor:
    """Which attention the class was built on: slopes collected while each layer's attention grows from nothing to what it is.

    Formula: Attr_l = (A_l − A'_l) ⊙ 1/m · sum over k < m of ∂p(A' + k/m (A − A'))/∂A_l (Hao et al., as their code sums it);
    score_i = sum over layers, heads and queries of what was paid to token i.

    Sign: plus is attention that raised the probability of the target, minus attention that lowered it.

    Limits: one layer is walked at a time while the others stay, so layers do not add up to the probability. The paper
    draws trees of attention; the score of a token is this page's sum.

    Options: steps (the paper's 20; the authors' code 64), baseline (zero; position: the attention that positions alone
    would pay), probability (no: explain the logit instead), endpoint (start: k = 0 … m − 1, the authors' code; end:
    k = 1 … m, the paper).
    """
    return attattr_layers(trace, steps, baseline, probability, endpoint).sum(0)

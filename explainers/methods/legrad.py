"""LeGrad: what more attention would do for the class, asked of every layer as if it were the last."""

from typing import Literal

import torch
from torch import Tensor

from ..trace import Trace
from .registry import method, within

Pool = Literal["mean", "readout"]


def legrad_layers(trace: Trace, start: int = 0, pool: Pool = "mean") -> Tensor:
    """E_l,i = mean over heads and queries of relu(∂s_l/∂A_l[:, :, i]) [layers token]."""
    return torch.stack(
        [
            slope_of(trace, l, pool).clamp(min=0).mean((0, 1))
            for l in range(
                within(start, len(trace.layers), "layer") % len(trace.layers), len(trace.layers)
            )
        ]
    )


def slope_of(trace: Trace, l: int, pool: Pool) -> Tensor:
    """∂s_l/∂A_l [head query key], where s_l is the score if the head read what leaves block l."""
    with torch.enable_grad():
        attention = trace.attention[l].clone().requires_grad_()
        leaving = trace.layers[l].run(trace.hidden[l][None], attention=lambda _: attention[None])[0]
        pooled = leaving.mean(0) if pool == "mean" else trace.readout.to(leaving) @ leaving
        (slope,) = torch.autograd.grad(trace.score_of(pooled[None])[0], attention)
    return slope


@method(
    "LeGrad",
    family="Attention gradients",
    paper="Bousselham et al. 2024",
    url="https://arxiv.org/abs/2404.03214",
    signed=False,
    class_specific=True,
    passes="2F 1B",
    tasks=("image",),
    only="its authors define it on patches; for words AttGrads and GAE take slopes along attention, of the score itself",
    layers=legrad_layers,
    invariant="layers sum to the map",
    rows=lambda trace, start=0, **_: [
        f"L{i}" for i in range(start % len(trace.layers), len(trace.layers))
    ],
    totals=lambda trace, start=0, pool="mean": {"Sum": legrad_layers(trace, start, pool).sum(0)},
)
def legrad(trace: Trace, start: int = 0, pool: Pool = "mean") -> Tensor:
    """Where more attention would help the class, added up over layers that are each read as if they were the last.

    Formula: score_i = sum over layers of mean over heads and queries of relu(∂s_l/∂A_l[:, :, i]), s_l the score that the model's
    own head gives to the mean of all tokens behind block l (Bousselham et al., section 3; the sum is their code's, the paper's
    mean differs by a factor).

    Sign: none, since the relu keeps only what speaks for the class.

    Limits: it is a slope: how much attention there is does not enter. The head never saw the vectors of early layers in training,
    and of a model that reads [CLS] it never saw the mean of all tokens.

    Options: start (first layer used; their package's default is the last two, −2), pool (mean; readout: what this model reads,
    [CLS] of most). Its per-layer picture is each layer's share.
    """
    return legrad_layers(trace, start, pool).sum(0)

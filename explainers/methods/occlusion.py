"""What happens to the score when a word is not there."""

from typing import Literal

import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace
from .registry import method


def windows(trace: Trace, size: int) -> Tensor:
    """[window token] bool: every run of `size` neighbouring words, or square of `size` × `size` patches; all of them where there are fewer."""
    places = (~trace.special).nonzero().flatten()
    if trace.grid:
        places = places.view(trace.grid)
        tall, wide = (min(size, side) for side in trace.grid)
        held = [places[row:row + tall, column:column + wide].flatten()
                for row in range(trace.grid[0] - tall + 1) for column in range(trace.grid[1] - wide + 1)]
    else:
        held = [places[first:first + size] for first in range(max(1, len(places) - size + 1))]
    where = torch.zeros(len(held), len(trace.special), dtype=torch.bool, device=trace.special.device)
    for row, inside in zip(where, held):
        row[inside] = True
    return where


@method("Occlusion (leave one out)", family="Perturbation", paper="Zeiler & Fergus 2014; Li et al. 2016", url="https://arxiv.org/abs/1612.08220",
        signed=True, class_specific=True, passes="nF")
def occlusion(trace: Trace, fill: Literal["mask", "pad", "unk", "mean", "black", "white", "blur"] | None = None, window: int = 1) -> Tensor:
    """The score lost when a token or a patch is blanked: no gradient, no formula of the model, only a second run.

    Formula: score_i = y(x) − y(x with token i blanked) (Li et al., as a difference of logits); with a window,
    the mean over the windows that hold token i.

    Sign: plus means that the score falls without the token, so it pushed towards the target; minus the reverse.

    Limits: of two words that say the same neither is missed, and of a large object no single patch. A blank is not an absence, and
    texts or pictures with holes are not what the model was trained on. The sum over a word's sub-words is not what blanking the
    whole word gives.

    Options: fill (what stands for nothing: in a text mask, the default, pad or unk; in a picture mean, a grey and the default, black,
    white or blur), window (neighbouring tokens blanked together; in a picture a square of so many patches a side).
    """
    if window < 1:
        raise Refusal("An occlusion window holds one token or more.")
    if trace.special.all():
        return torch.zeros_like(trace.hidden[0, :, 0])
    where = windows(trace, window)
    lost = trace.score - blanked_scores(trace, where, fill or ("mean" if trace.grid else "mask"))        # [window]
    held = where.to(lost)
    return (lost @ held) / held.sum(0).clamp(min=1)


def blanked_scores(trace: Trace, where: Tensor, fill: str, at_once: int = 64) -> Tensor:
    """[window] the score without the tokens `where` [window token]; so many copies at once, since a picture's are large."""
    return torch.cat([trace.rescore(trace.fill(some, fill)) for some in where.split(at_once)])

"""What happens to the score when a word is not there."""

from typing import Literal

import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace
from .registry import method


@method("Occlusion (leave one out)", family="Perturbation", paper="Zeiler & Fergus 2014; Li et al. 2016", url="https://arxiv.org/abs/1612.08220",
        signed=True, class_specific=True, passes="nF", tasks=("text",))
def occlusion(trace: Trace, fill: Literal["mask", "pad", "unk"] = "mask", window: int = 1) -> Tensor:
    """The score lost when a token is blanked: no gradient, no formula of the model, only a second run.

    Formula: score_i = y(x) − y(x with token i blanked) (Li et al., as a difference of logits); with a window,
    the mean over the windows that hold token i.

    Sign: plus means that the score falls without the token, so it pushed towards the target; minus the reverse.

    Limits: of two words that say the same neither is missed. A blank is not an absence, and texts with holes are not
    what the model was trained on. The sum over a word's sub-words is not what blanking the whole word gives.

    Options: fill (the token that stands for nothing), window (neighbouring tokens blanked together).
    """
    if window < 1:
        raise Refusal("An occlusion window holds one token or more.")
    words = (~trace.special).nonzero().flatten()
    scores = torch.zeros_like(trace.hidden[0, :, 0])
    if not len(words):
        return scores
    where = torch.zeros(max(1, len(words) - window + 1), len(scores), dtype=torch.bool, device=scores.device)
    for row, first in zip(where, range(len(words))):
        row[words[first:first + window]] = True
    lost = trace.score - trace.rescore(trace.fill(where, fill))                 # [window]
    held = where.to(scores)
    return (lost @ held) / held.sum(0).clamp(min=1)

"""From which tokens a score is read."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import ModelUnavailable, Refusal


def lengths(slope: Tensor) -> Tensor:
    """[example token] of vectors [example token dim], in float32 where half precision would
    overflow."""
    return slope.to(torch.promote_types(slope.dtype, torch.float32)).norm(dim=-1)


def readouts_of(
    model,
    targets: Sequence[Callable],
    default: Tensor,
    slopes: Tensor | None,
    known: Tensor | None,
    reads: bool,
) -> list[Tensor]:
    """[token] of each example: how much of its score is read from each token, adding up to 1.

    The rule of the network's own head where the target is made of its logits; the slopes must be
    zero elsewhere, or the rule is not the network's. A caller's own function is read where its
    slope is not zero, each token weighed by its slope's length; if these are the very tokens that a
    class is read from, with the weights of a class.

    default [example token]: where a class is read, by the architecture; slopes [example token]:
    lengths of the score's slope by the last hidden states, None where the chain rule is another
    one; known [token]: the readout of an ordinary pass over the traced input; reads: whether the
    network has a score of its own, which is read at `default`.
    """
    rows = []
    for i, target in enumerate(targets):
        slope = None if slopes is None else slopes[i]
        if not target.measured:
            rows.append(target.readout(default[i]))
            if target.local and slope is not None and ((slope > 0) & (rows[-1] == 0)).any():
                raise elsewhere(model, slope > 0, rows[-1])
        elif slope is not None and slope.any():
            usual = torch.equal(slope > 0, default[i] > 0)
            rows.append(default[i] if usual else (slope / slope.sum()).to(default))
        elif known is not None:
            rows.append(known)
        elif slope is None:
            raise Refusal(
                "No slope passes through this network, so nothing says from which token the "
                f"{target.name} is read: explain a class."
            )
        elif reads:
            rows.append(default[i])
        else:
            raise Refusal(
                f"The slope of the {target.name} is zero at this input, so nothing says from "
                "which token it is read."
            )
    return rows


def elsewhere(model, at: Tensor, expected: Tensor) -> ModelUnavailable:
    """The refusal of a network whose score is read `at` tokens [token] (bool) that the readout
    `expected` [token] does not name."""
    found, looked = (told(places.nonzero().flatten().tolist()) for places in (at, expected))
    return ModelUnavailable(
        f"The score of {type(model.net).__name__} depends on what leaves the last layer at "
        f"{found}, and its architecture ({model.net.config.model_type}) is known here to read it "
        f"at {looked}: maps would be those of other tokens. "
        f"If you registered this architecture, give its row another readout."
    )


def told(places: list[int]) -> str:
    """token 5; tokens 0, 1; of many the first eight."""
    some = ", ".join(map(str, places[:8]))
    word = "token" if len(places) == 1 else "tokens"
    return f"{word} {some} …" if len(places) > 8 else f"{word} {some}"

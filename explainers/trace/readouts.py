"""From which tokens a score is read: its weights by token."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import ModelUnavailable, Refusal
from ..scores import Score
from .traceable import Traceable

#: How many tokens a refusal lists.
LISTED = 8


def readout_of(
    target: Score,
    default: Float[Tensor, " token"],
    lengths: Float[Tensor, " token"] | None,
    known: Float[Tensor, " token"] | None,
    has_class_logits: bool,
) -> Float[Tensor, " token"]:
    """How much of one example's score is read from each token; the numbers add up to 1.

    A target made of logits is read by the rule of the network's own head. A caller's own function
    is read where its gradient is not zero, and a token counts by the length of its gradient. If
    these are the tokens that a class is read from, the weights are those of a class.

    default           where a class is read, by the architecture
    lengths           of the gradient by the last hidden states; None under other rules, and in a
                      network without gradients
    known             the readout of an ordinary pass over the same input
    has_class_logits  whether the network has a score of its own, which is read at `default`

    Raises `Refusal` if nothing tells where the score is read.
    """
    if not target.measured:
        return target.readout(default)
    if lengths is not None and lengths.any():
        if torch.equal(lengths > 0, default > 0):
            return default
        return (lengths / lengths.sum()).to(default)
    if known is not None:
        return known
    if lengths is None:
        raise Refusal(
            "No gradient passes through this network, so it is not known from which token the "
            f"{target.name} is read: explain a class."
        )
    if has_class_logits:
        return default
    raise Refusal(
        f"The gradient of the {target.name} is zero at this input, so it is not known from which "
        "token it is read."
    )


def check_readout(
    model: Traceable,
    target: Score,
    readout: Float[Tensor, " token"],
    lengths: Float[Tensor, " token"] | None,
) -> None:
    """Refuse a network whose score has a gradient at tokens that the readout does not name."""
    if target.measured or not target.local or lengths is None:
        return
    if ((lengths > 0) & (readout == 0)).any():
        raise elsewhere(model, lengths > 0, readout)


def elsewhere(
    model: Traceable, found: Bool[Tensor, " token"], expected: Float[Tensor, " token"]
) -> ModelUnavailable:
    """The refusal of a network whose score is read at other tokens than its row says.

    found: where the gradient by the last hidden states is not zero. expected: the readout.
    """
    return ModelUnavailable(
        f"The score of {type(model.net).__name__} depends on what leaves the last layer at "
        f"{tokens_at(found)}, and its architecture ({model.net.config.model_type}) is known here "
        f"to read it at {tokens_at(expected)}: maps would be those of other tokens. "
        "If you registered this architecture, give its row another readout."
    )


def tokens_at(places: Tensor) -> str:
    """The tokens that are not zero in `places` [token]: "token 5", "tokens 0, 1"."""
    numbers = places.nonzero().flatten().tolist()
    word = "token" if len(numbers) == 1 else "tokens"
    listed = ", ".join(map(str, numbers[:LISTED]))
    if len(numbers) > LISTED:
        return f"{word} {listed} …"
    return f"{word} {listed}"

"""The backward half of a pass: gradients of the scores by all that was recorded."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..linear import naming_quantised, quantised


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of the sum of all scores, with a batch axis.

    No example's score depends on another's input, so each row is the gradient of its own score.

    last   by what leaves the last block [example token dim]
    parts  by the recorded tensors, by name
    """

    last: Float[Tensor, "example token dim"]
    parts: dict[str, list[Tensor]]

    @property
    def lengths(self) -> Float[Tensor, "example token"]:
        """The length of the gradient by each token's last hidden state.

        In float32 where half precision would overflow.
        """
        dtype = torch.promote_types(self.last.dtype, torch.float32)
        return self.last.to(dtype).norm(dim=-1)


def differentiate(
    net: torch.nn.Module, total: Tensor, last: Tensor, recorded: dict[str, list[Tensor]]
) -> Gradients | None:
    """The gradients of the scalar `total`, or None if a layer of quantised weights has none.

    Raises `Refusal` if `total` depends on nothing that is recorded.
    """
    if not total.requires_grad:
        raise Refusal("This target does not depend on the input, so there is nothing to explain.")
    by = [last]
    for tensors in recorded.values():
        by += tensors
    found = derivatives(net, total, by)
    if found is None:
        return None
    rest = iter(found[1:])
    parts = {name: list(islice(rest, len(tensors))) for name, tensors in recorded.items()}
    return Gradients(found[0], parts)


def derivatives(net: torch.nn.Module, total: Tensor, by: Sequence[Tensor]) -> list[Tensor] | None:
    """The gradient of `total` by each tensor, zeros where it does not depend on one.

    None if a kernel of quantised weights keeps no gradient.
    """
    if not quantised(net):
        return list(torch.autograd.grad(total, by, materialize_grads=True))
    with naming_quantised(net), warnings.catch_warnings():
        # torch warns that a kernel has no gradient, which is said here in another way
        warnings.simplefilter("ignore")
        found = torch.autograd.grad(total, by, allow_unused=True)
    gradients = [gradient for gradient in found if gradient is not None]
    return gradients if len(gradients) == len(found) else None

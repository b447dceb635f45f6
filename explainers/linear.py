"""The linear map x W + b that a module computes, adapters, hooks and packed weights included."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TypeGuard, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2CLS
from transformers.pytorch_utils import Conv1D

from .errors import Refusal, first_line

Network = TypeVar("Network", bound=nn.Module)

#: Random vectors by which a linear map is checked that was found from unit vectors.
CHECKS = 4


def activations() -> tuple[type[nn.Module], ...]:
    """The modules that act on each number alone: of torch, and those that transformers names."""
    found: list[type[nn.Module]] = [
        nn.Tanh,
        nn.ReLU,
        nn.GELU,
        nn.SiLU,
        nn.Sigmoid,
        nn.ELU,
        nn.LeakyReLU,
        nn.Softplus,
        nn.Mish,
    ]
    for entry in ACT2CLS.values():
        kind = entry[0] if isinstance(entry, tuple) else entry  # (class, arguments) or a class
        if isinstance(kind, type):
            found.append(kind)
    return tuple(found)


ACTIVATIONS = activations()


@dataclass(frozen=True, eq=False)
class Affine:
    """The map x -> x W + b, however the architecture stores it.

    weight  [in out]
    bias    [out], or None
    """

    weight: Float[Tensor, "in out"]
    bias: Float[Tensor, " out"] | None

    def __call__(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        if self.bias is None:
            return x @ self.weight
        return x @ self.weight + self.bias


def is_plain(module: nn.Module) -> TypeGuard[nn.Linear | Conv1D]:
    """Whether a module computes x W + b with its own `weight` and `bias` and nothing else.

    It then runs the library's own code, without hooks or packed weights.
    """
    if type(module).forward not in (nn.Linear.forward, Conv1D.forward):
        return False
    if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
        return False
    return not is_packed(module)


def is_packed(module: nn.Module) -> bool:
    """Whether a linear layer keeps its weights quantised.

    They may be whole numbers, in a tensor class of a library, behind a function, or in a module of
    a quantisation library.
    """
    if "quant" in type(module).__module__:
        return True
    weight = getattr(module, "weight", None)
    if not torch.is_tensor(weight):
        return callable(weight)
    return type(weight) not in (Tensor, nn.Parameter) or not weight.is_floating_point()


def quantised(net: nn.Module) -> bool:
    """Whether any linear layer of a network keeps its weights quantised."""
    return any(is_packed(module) for module in net.modules() if hasattr(module, "in_features"))


@contextmanager
def naming_quantised(net: nn.Module) -> Iterator[None]:
    """Raise what kernels of quantised weights raise in a pass as a `Refusal`.

    They raise RuntimeError or its subclass NotImplementedError (bitsandbytes, quanto). Exhausted
    memory has another reason, and any other error is a fault of the code: both pass unchanged.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or not quantised(net):
            raise
        raise Refusal(
            "The weights of this network are quantised, and the quantisation library does not "
            f"support this pass ({first_line(error)}): load the network in bfloat16 or float32."
        ) from error


def input_width(module: nn.Module) -> int:
    """How many numbers a linear map takes, read from itself or the first linear layer inside it."""
    for part in module.modules():
        if isinstance(part, Conv1D):
            return part.nx
        width = getattr(part, "in_features", None)
        if isinstance(width, int):
            return width
    raise not_linear(module)


@torch.no_grad()
def affine(module: nn.Module) -> Affine:
    """The map x W + b that a module computes.

    It is read from a plain layer, and otherwise found by W = module(I) - module(0) and
    b = module(0). Raises `Refusal` if the module then gives something else for random vectors, by
    more than its precision explains.
    """
    if isinstance(module, Conv1D) and is_plain(module):
        return Affine(module.weight, module.bias)
    if is_plain(module):
        return Affine(module.weight.T, module.bias)
    size = input_width(module)
    like = first_float(module)
    random = torch.Generator().manual_seed(0)
    given = torch.randn(CHECKS, size, generator=random).to(like)

    def ask(rows: Tensor) -> Tensor:
        return module(rows[None])[0]

    try:
        bias = ask(torch.zeros_like(given[:1]))[0]
        weight = ask(torch.eye(size).to(given)) - bias
        wanted = ask(given)
        found = given @ weight + bias
    except Refusal:
        raise
    except Exception as error:  # whatever a foreign module raises for vectors that it does not take
        raise not_linear(module) from error
    precision = 16 * torch.finfo(found.dtype).eps * size**0.5
    allowed = min(0.05, precision) * wanted.abs().max()
    if wanted.shape != found.shape or not (wanted - found).abs().max() <= allowed:
        raise not_linear(module)
    return Affine(weight, bias if bias.any() else None)


def first_float(module: nn.Module) -> Tensor:
    """A tensor of the module that has its precision and its device; one of float32 if there is
    none."""
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.is_floating_point():
            return tensor
    return torch.zeros(())


def not_linear(module: nn.Module) -> Refusal:
    """The refusal of a module whose linear map is not known: packed weights, or no linear map."""
    if any(is_packed(part) for part in module.modules()):
        return Refusal(
            f"The weights of this network are quantised ({type(module).__name__}), and this "
            "method reads them: use an attention method or occlusion, or load the network in "
            "bfloat16 or float32."
        )
    return Refusal(
        f"This method is defined for linear maps, and the {type(module).__name__} of this network "
        "is not one: it does not compute x W + b."
    )


# --------------------------------------------------------------------------------- adapted networks


def merged(net: Network) -> Network:
    """A copy of a network with one plain layer for each adapted one, for rules by operation.

    All other weights are shared. A network without adapted layers is returned itself.
    """
    layers: dict[int, object] = {id(module): plain_layer(module) for module in adapted(net)}
    if not layers:
        return net
    shared: dict[int, object] = {}
    for tensor in chain(net.parameters(), net.buffers()):
        shared[id(tensor)] = tensor
    return copy.deepcopy(net, shared | layers)


def adapted(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that compute a linear map without being a plain layer.

    These are adapters around a linear layer, its subclasses, and packed weights.
    """
    if is_linear_layer(module) or is_linear_layer(getattr(module, "base_layer", None)):
        if not is_plain(module):
            yield module
        return
    if is_foreign_map(module):
        yield module
        return
    for child in module.children():
        yield from adapted(child)


def is_linear_layer(module: object) -> bool:
    """Whether a module is a linear layer of torch or transformers, or of a quantisation library."""
    if isinstance(module, nn.Linear | Conv1D):
        return True
    return isinstance(module, nn.Module) and hasattr(module, "in_features") and is_packed(module)


def is_foreign_map(module: nn.Module) -> bool:
    """Whether a module of somebody's own class computes x W + b as a whole, as an adapter does.

    It is tested on random vectors, so that the names of its parts do not matter.
    """
    library = type(module).__module__.partition(".")[0]
    if library in ("torch", "transformers") or isinstance(module, PreTrainedModel):
        return False
    try:
        affine(module)
    except Refusal:
        return False
    return True


def plain_layer(module: nn.Module) -> nn.Linear:
    """The plain linear layer that computes what a module does."""
    found = affine(module)
    size_in, size_out = found.weight.shape
    layer = nn.Linear(size_in, size_out, bias=found.bias is not None, device="meta")
    layer.weight = nn.Parameter(found.weight.T.contiguous(), requires_grad=False)
    if found.bias is not None:
        layer.bias = nn.Parameter(found.bias.clone(), requires_grad=False)
    return layer.eval()


def in_steps(module: nn.Module | Callable) -> list[Affine | Callable]:
    """The linear maps and activations of a head's module, in their order.

    Raises `Refusal` for a part that is neither.
    """
    if isinstance(module, nn.Sequential):
        steps = []
        for child in module:
            steps += in_steps(child)
        return steps
    if isinstance(module, nn.Dropout | nn.Identity):
        return []
    if isinstance(module, ACTIVATIONS) or not isinstance(module, nn.Module):
        return [module]
    return [affine(module)]

"""What a module computes where that is x W + b, asked of the module itself: adapters, hooks and
packed weights included."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2CLS
from transformers.pytorch_utils import Conv1D

from .errors import Refusal, first_line

#: Modules whose every output number depends on the one input number at its place: those of
#: transformers by name, and of torch.
ACTIVATIONS = (
    *(
        kind
        for found in ACT2CLS.values()
        for kind in (found if isinstance(found, tuple) else (found,))
        if isinstance(kind, type)
    ),
    nn.Tanh,
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.ELU,
    nn.LeakyReLU,
    nn.Softplus,
    nn.Mish,
)

ROWS = 4  # random vectors that a map found by unit vectors is checked by


@dataclass(frozen=True, eq=False)
class Affine:
    """x -> x W + b, however the architecture stores it: weight [in out], bias [out] or None."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias


def plain(module: nn.Module) -> bool:
    """Whether `module` is x W + b with its own `weight` and `bias`: what it runs is the library's,
    and nothing hooks into it."""
    runs_its_own = type(module).forward in (
        nn.Linear.forward,
        Conv1D.forward,
    ) and "forward" not in vars(module)
    return runs_its_own and not (
        module._forward_hooks or module._forward_pre_hooks or packed(module)
    )


def packed(module: nn.Module) -> bool:
    """Whether a linear layer keeps its weights quantised: as whole numbers, in a tensor of a kind
    of its own, behind a function, or is of a library made for it."""
    if "quant" in type(module).__module__:
        return True
    weight = getattr(module, "weight", None)
    if not torch.is_tensor(weight):
        return callable(weight)
    return type(weight) not in (Tensor, nn.Parameter) or not weight.is_floating_point()


def quantised(net: nn.Module) -> bool:
    return any(packed(module) for module in net.modules() if hasattr(module, "in_features"))


@contextmanager
def naming_quantised(net: nn.Module):
    """What kernels of quantised weights raise in a pass, as a refusal.

    They raise RuntimeError (NotImplementedError is one): bitsandbytes' and quanto's do. Memory that
    is used up has another reason, and an error of any other kind is a fault of the code.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or not quantised(net):
            raise
        raise Refusal(
            "The weights of this network are quantised, and the library that packed them cannot "
            f"make this pass ({first_line(error)}): load the network in bfloat16 or float32."
        ) from error


def width(module: nn.Module) -> int:
    """How many numbers a linear map takes: its own word for it, or that of the first linear layer
    inside."""
    for one in module.modules():
        if isinstance(one, Conv1D):
            return one.nx
        if hasattr(one, "in_features"):
            return one.in_features
    raise unknown(module)


@torch.no_grad()
def affine(module: nn.Module) -> Affine:
    """The map x W + b that `module` is: W = module(I) − module(0) and b = module(0), unless it says
    so itself.

    Raises `Refusal` if it gives something else for random vectors, within what its precision
    allows.
    """
    if plain(module):
        return Affine(module.weight if isinstance(module, Conv1D) else module.weight.T, module.bias)
    size = width(module)
    like = next(
        (
            tensor
            for tensor in chain(module.parameters(), module.buffers())
            if tensor.is_floating_point()
        ),
        torch.zeros(()),
    )
    given = torch.randn(ROWS, size, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        ask = lambda rows: module(rows[None])[0]
        bias = ask(torch.zeros_like(given[:1]))[0]
        weight = ask(torch.eye(size).to(given)) - bias
        wanted, found = ask(given), given @ weight + bias
    except Refusal:
        raise
    except Exception as error:  # whatever a foreign module raises for vectors that it does not take
        raise unknown(module) from error
    allowed = min(0.05, 16 * torch.finfo(found.dtype).eps * size**0.5) * wanted.abs().max()
    if wanted.shape != found.shape or not (wanted - found).abs().max() <= allowed:
        raise unknown(module)
    return Affine(weight, bias if bias.any() else None)


def unknown(module: nn.Module) -> Refusal:
    if any(packed(one) for one in module.modules()):
        return Refusal(
            f"The weights of this network are quantised ({type(module).__name__}), and this "
            "method reads them: take one of attention, "
            "gradients or blanked words, or load the network in bfloat16 or float32."
        )
    return Refusal(
        f"This method takes a network apart into linear maps, and a {type(module).__name__} of "
        "this one is none: it does not compute x W + b."
    )


def foreign_map(module: nn.Module) -> bool:
    """Whether a class that is neither of torch nor of transformers computes x W + b as a whole: an
    adapter that somebody wrote, whatever its parts are called. It is asked by random vectors."""
    library = type(module).__module__.partition(".")[0]
    if library in ("torch", "transformers") or isinstance(module, PreTrainedModel):
        return False
    try:
        affine(module)
    except Refusal:
        return False
    return True


def adapted(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that stand for one linear layer without being a plain one: adapters
    around one, subclasses, packed weights."""
    inside = (module, getattr(module, "base_layer", None))
    if any(
        isinstance(one, nn.Linear | Conv1D) or (hasattr(one, "in_features") and packed(one))
        for one in inside
    ):
        if not plain(module):
            yield module
        return
    if foreign_map(module):
        yield module
        return
    for child in module.children():
        yield from adapted(child)


def merged(net: nn.Module) -> nn.Module:
    """`net` with one plain layer for each of the `adapted`, for rules that change operations one by
    one; itself if there are none.

    The structure is copied, all other weights are shared.
    """
    twins = {id(module): twin(module) for module in adapted(net)}
    if not twins:
        return net
    shared = {id(tensor): tensor for tensor in chain(net.parameters(), net.buffers())}
    return copy.deepcopy(net, shared | twins)


def twin(module: nn.Module) -> nn.Linear:
    """The plain layer that computes what `module` does."""
    found = affine(module)
    layer = nn.Linear(*found.weight.shape, bias=found.bias is not None, device="meta")
    layer.weight = nn.Parameter(found.weight.T.contiguous(), requires_grad=False)
    if found.bias is not None:
        layer.bias = nn.Parameter(found.bias.clone(), requires_grad=False)
    return layer.eval()


def in_steps(module: nn.Module | Callable) -> list[Affine | Callable]:
    """A head's module as linear maps and activations, in their order. Raises `Refusal` for what is
    neither."""
    if isinstance(module, nn.Sequential):
        return [step for child in module for step in in_steps(child)]
    if isinstance(module, nn.Dropout | nn.Identity):
        return []
    if isinstance(module, ACTIVATIONS) or not isinstance(module, nn.Module):
        return [module]
    return [affine(module)]

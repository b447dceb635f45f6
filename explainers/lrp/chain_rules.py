"""The context manager that swaps derivatives, and what every rule is written with.

A rule is a function `rule(y, *args, **options)`: it gets the value y of the operation and its
arguments, and returns a tensor equal to y with another derivative.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from ..errors import Refusal
from .operations import AS_IT_IS, CASTS, MOVES, NAMED

Rule = Callable[..., Tensor]


class ChainRules(TorchFunctionMode):
    """Swap the derivatives of the operations in `table` while active.

    table     the rule of each operation
    gradient  whether an operation without a rule keeps its own derivative. If not, it must be one
              of MOVES, which only move numbers; another one raises `Refusal`
    dtype     the precision of all activations, from the embeddings on; by default the network's.
              Weights stay in memory as they are
    """

    def __init__(
        self, table: dict[Callable, Rule], gradient: bool = False, dtype: torch.dtype | None = None
    ):
        super().__init__()
        self.table = table
        self.gradient = gradient
        self.dtype = dtype

    def __torch_function__(self, func, _types, args=(), kwargs=None):
        kwargs = kwargs or {}
        has_rule = func in self.table and any(map(carries, args))
        # a rule replaces the derivative, so that the graph of the operation itself is not needed
        keeps_graph = torch.is_grad_enabled() and (self.gradient or not has_rule)
        with torch.set_grad_enabled(keeps_graph):
            y = self.compute(func, args, kwargs)
        if has_rule:
            named = {name: value for name, value in kwargs.items() if name in NAMED}
            return self.table[func](y, *map(self.widened, args), **named)
        if not needs_gradient(y[0] if isinstance(y, tuple) else y):
            return y
        if not any(map(carries, tensors_in([*args, *kwargs.values()]))):
            # made of weights alone, as before the first block or in another tower
            return y.detach() if torch.is_tensor(y) else y
        if func in MOVES or self.gradient:
            return y
        raise Refusal(
            f"There is no relevance rule for {resolve_name(func)}, which this model computes with."
        )

    def compute(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """func(*args, **kwargs) in the precision `dtype`."""
        if self.dtype is None or writes_or_asks(func):
            return func(*args, **kwargs)
        if func is F.embedding:
            return self.wide(func(*args, **kwargs))  # the words of this input, not the whole table
        if func in CASTS:
            return self.cast(func, args, kwargs)
        wide = {name: self.wide(value) for name, value in kwargs.items()}
        return func(*map(self.wide, args), **wide)

    def cast(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A change of device or precision; a step to a lower precision is left out."""
        y = func(*args, **kwargs)
        if torch.is_tensor(y) and y.is_floating_point() and args[0].dtype == self.dtype:
            return args[0].to(y.device)
        return y

    def wide(self, x: Any) -> Any:
        """`x` in the precision `dtype`: a tensor of floats, or a list or tuple of such."""
        if type(x) in (tuple, list):
            return type(x)(map(self.wide, x))
        if torch.is_tensor(x) and x.is_floating_point():
            return x.to(self.dtype)
        return x

    def widened(self, x: Any) -> Any:
        """An argument for a rule: activations in the precision `dtype`, weights as they are.

        A rule keeps its arguments until the backward pass, and copies of weights would fill memory.
        """
        if self.dtype is None or isinstance(x, nn.Parameter):
            return x
        return self.wide(x)


class Back(torch.autograd.Function):
    """Back.apply(y, back, *inputs): `y` with another backward pass.

    back: the relevance of y -> a tuple with the relevance of each of `inputs`.
    """

    @staticmethod
    def forward(ctx, y: Tensor, back: Callable[[Tensor], tuple[Tensor, ...]], *inputs: Tensor):
        ctx.back = back
        return y.clone()

    @staticmethod
    def backward(ctx, relevance: Tensor):
        return None, None, *ctx.back(relevance)


def writes_or_asks(func: Callable) -> bool:
    """Whether an operation writes into a tensor, as add_ does, or reads an attribute of one."""
    name = func.__name__
    return name in AS_IT_IS or name.rstrip("_") + "_" == name


def needs_gradient(x: Any) -> TypeGuard[Tensor]:
    return torch.is_tensor(x) and x.requires_grad


def tensors_in(args: Iterable[Any]) -> list[Tensor]:
    """The tensors among `args`, and in the lists and tuples among them."""
    found = []
    for arg in args:
        for x in arg if isinstance(arg, tuple | list) else (arg,):
            if torch.is_tensor(x):
                found.append(x)
    return found


def carries(x: Any) -> bool:
    """Whether relevance can reach `x`: a tensor that depends on the input, which no weight does."""
    return needs_gradient(x) and not isinstance(x, nn.Parameter)


def share(a: Tensor, b: Tensor) -> Tensor:
    """a / (b + 1e-9), and 0 where b is 0. The authors' stabiliser 1e-9 has no sign either."""
    return a / (b + 1e-9) * b.ne(0)


def at_least_single(x: Tensor) -> torch.dtype:
    """The precision of `x`, or float32 if that is higher."""
    return torch.promote_types(x.dtype, torch.float32)

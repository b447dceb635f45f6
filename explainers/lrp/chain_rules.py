"""The context manager that swaps derivatives, and what every rule is written with."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from ..errors import Refusal
from .operations import AS_IT_IS, CASTS, MOVES, NAMED

Rule = Callable[..., Tensor]


class ChainRules(TorchFunctionMode):
    """Swap the derivatives of the operations in `table` while active.

    An operation that is in neither `table` nor MOVES is refused by name, unless `gradient` says that its own derivative
    is the rule.

    dtype   the precision in which everything is computed, from the embeddings on, whatever the network's
            own is; weights stay as they are in memory. None: the network's own.
    """

    def __init__(
        self, table: dict[Callable, Rule], gradient: bool = False, dtype: torch.dtype | None = None
    ):
        super().__init__()
        self.table, self.gradient, self.dtype = table, gradient, dtype

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        swapped = func in self.table and any(map(carries, args))
        of_use = self.gradient or not swapped  # the graph of the operation itself
        with torch.set_grad_enabled(torch.is_grad_enabled() and of_use):
            y = self.compute(func, args, kwargs)
        if swapped:
            named = {name: value for name, value in kwargs.items() if name in NAMED}
            return self.table[func](y, *map(self.widened, args), **named)
        if not wants(y[0] if isinstance(y, tuple) else y):
            return y
        if not any(map(carries, flat([*args, *kwargs.values()]))):
            return (
                y.detach() if torch.is_tensor(y) else y
            )  # weights alone: what came before the first block, another tower
        if func in MOVES or self.gradient:
            return y
        raise Refusal(
            f"There is no relevance rule for {resolve_name(func)}, which this model computes with."
        )

    def compute(self, func: Callable, args: tuple, kwargs: dict):
        """func(*args, **kwargs) in the precision `dtype`."""
        name = func.__name__
        if (
            not self.dtype or name in AS_IT_IS or name.rstrip("_") + "_" == name
        ):  # "add_" writes as well
            return func(*args, **kwargs)
        if func is F.embedding:
            return self.wide(func(*args, **kwargs))  # the words of this input, not the whole table
        if func in CASTS:  # a network's own step to less is not taken
            y = func(*args, **kwargs)
            down = torch.is_tensor(y) and y.is_floating_point() and args[0].dtype == self.dtype
            return args[0].to(y.device) if down else y
        wide = {name: self.wide(value) for name, value in kwargs.items()}
        return func(*map(self.wide, args), **wide)

    def wide(self, x):
        """`x` in the precision `dtype`, if it is a tensor of numbers or holds such."""
        if type(x) in (tuple, list):
            return type(x)(map(self.wide, x))
        return x.to(self.dtype) if torch.is_tensor(x) and x.is_floating_point() else x

    def widened(self, x):
        """What a rule is given: signals in the precision `dtype`, weights as they are, since a rule keeps
        them until relevance comes."""
        return x if isinstance(x, nn.Parameter) or not self.dtype else self.wide(x)


class Back(torch.autograd.Function):
    """`y`, with the backward pass `back`: relevance of y -> relevance of each of `inputs`."""

    @staticmethod
    def forward(ctx, y, back, *inputs):
        ctx.back = back
        return y.clone()

    @staticmethod
    def backward(ctx, relevance):
        return None, None, *ctx.back(relevance)


def wants(x) -> bool:
    return torch.is_tensor(x) and x.requires_grad


def flat(args) -> list[Tensor]:
    """The tensors among `args` and in its lists."""
    spread = [x for arg in args for x in (arg if isinstance(arg, tuple | list) else (arg,))]
    return [x for x in spread if torch.is_tensor(x)]


def carries(x) -> bool:
    """Whether relevance can reach `x`: a tensor with a history, which no weight has."""
    return wants(x) and not isinstance(x, nn.Parameter)


def share(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0. The authors' stabiliser has no sign: b + 1e-9."""
    return a / (b + 1e-9) * b.ne(0)


def at_least_single(x: Tensor) -> torch.dtype:
    """The precision of `x`, and float32 of what has less."""
    return torch.promote_types(x.dtype, torch.float32)

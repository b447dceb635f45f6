"""Layer-wise relevance propagation as another chain rule.

Inside `with ChainRules(table):` every operation that the table names keeps its value and changes its derivative, so that
`torch.autograd` carries relevance where it would carry gradients: `trace.again(rules=ChainRules(OURS)).grad` has the
shapes of any trace, and its numbers are relevance. Views, indexing and fan-out need no rule: relevance follows the
tensor, and autograd adds up what flows back along several branches.

Three tables. OURS: the rules of Chefer et al. 2021 (CVPR), which conserve relevance at every layer. ORIGINAL: the
older rules that their code keeps for its baselines; they do not conserve. ATTNLRP and CPLRP: Achtibat et al. 2024, as
changed gradients, whose relevance is input x gradient.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from .errors import Refusal

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


# --------------------------------------------------------------------------------- Chefer et al. 2021, CVPR


def identity(y, x, *_, **__):
    """Activations, LayerNorm, softmax: relevance passes unchanged."""
    return Back.apply(y, lambda r: (r,), x)


def signs(x: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """What of `x` is above zero and what is below, in the precision of the weights `like`, at least float32.

    Sums of terms of one sign lose no digits, so a linear layer's shares need no more than its weights have.
    """
    x = x.to(at_least_single(like))
    return x.clamp(min=0), x.clamp(max=0)


def linear(y, x, weight, bias=None):
    """To each input what it added with the sign that wins, the bias ignored (the αβ-rule with α = 1)."""

    def back(r):
        (up, down), (plus, minus) = signs(x, weight), signs(weight, weight)
        s = share(r.to(up), up @ plus.T + down @ minus.T)
        return ((up * (s @ plus) + down * (s @ minus)).to(r),)

    return Back.apply(y, back, x)


def linear_apart(y, x, weight, bias=None):
    """The older rule: positive and negative inputs each get the whole relevance of what they added."""

    def back(r):
        (up, down), (plus, minus) = signs(x, weight), signs(weight, weight)
        of_up = share(r.to(up), up @ plus.T) @ plus
        of_down = share(r.to(up), down @ minus.T) @ minus
        return ((up * of_up + down * of_down).to(r),)

    return Back.apply(y, back, x)


def pool(y, x, dim=None, *_, **__):
    """A sum or mean over tokens [example token dim] is a linear layer with one weight above zero: to each what it added above zero;
    below zero, where none is above.

    Any other sum only normalises (a vector's length), and gets no relevance.
    """
    if x.ndim != 3 or dim not in (1, (1,), [1]):
        return stop(y)
    up = x.clamp(min=0)
    added = up.where(up.any(1, keepdim=True), x)
    return Back.apply(
        y, lambda r: (added * share(r.view(len(x), 1, -1), added.sum(1, keepdim=True)),), x
    )


def addmm(rule: Rule) -> Rule:
    """GPT-2's Conv1D is a linear layer written the other way round."""
    return lambda y, bias, x, weight: rule(y, x, weight.T, bias)


def matmul(y, a, b):
    """Both factors by what they produced, half each; a factor that is no signal leaves the other the whole."""
    part = 2 if carries(a) and carries(b) else 1

    def back(r):
        s = share(r, a @ b)
        return a * (s @ b.mT) / part, b * (a.mT @ s) / part

    return Back.apply(y, back, a, b)


def add(y, a, b):
    """A skip connection, by what either side added, then rescaled so that no relevance is lost."""
    if not (carries(a) and carries(b)):
        return identity(y, a if carries(a) else b)

    def back(r):
        s = share(r, a + b)
        ra, rb, r = a * s, b * s, whole(r)
        both = whole(ra).abs() + whole(rb).abs()
        return tuple(
            part * share(share(whole(part).abs(), both) * r, whole(part)) for part in (ra, rb)
        )

    return Back.apply(y, back, a, b)


def whole(relevance: Tensor) -> Tensor:
    """The relevance of each example: the authors sum over the batch, of which they allow one."""
    return relevance.sum(tuple(range(1, relevance.ndim)), keepdim=True)


def add_plain(y, a, b):
    """The older rule: by what either side added, without rescaling."""
    if not (carries(a) and carries(b)):
        return identity(y, a if carries(a) else b)
    return Back.apply(y, lambda r: (a * share(r, a + b), b * share(r, a + b)), a, b)


def scale(y, a, b):
    """A constant factor, or a gate: all relevance stays with the signal, the first factor that has any."""
    return identity(y, a if carries(a) else b)


def stop(y, *_, **__):
    """What only gates or normalises a signal gets no relevance: the sigmoid in QuickGELU, the length in CLIP's cosine."""
    return y.detach()


# ---------------------------------------------------------------------------------------- Achtibat et al. 2024
#
# The uniform rule gives each of two factors half, where both are signals. `x · sigmoid(x)` is written as
# a product as well and is one activation of one signal. What tells them apart is what they are made of:
# every tensor that is an elementwise function of another knows of which one (`source`), and a product of
# two functions of one source is a function of it, like any activation.


def source(x: Tensor) -> Tensor:
    """The signal of which `x` is known to be an elementwise function, at the least of itself."""
    return getattr(x, "source", x)


def made_of(y: Tensor, x: Tensor) -> Tensor:
    """`y`, known as an elementwise function of what `x` is one of, if it still has its shape."""
    if y.shape == source(x).shape:
        y.source = source(x)
    return y


def ratio(y, x, *_, **__):
    """y as its input times a constant: y = x · (y / x), the ratio held fixed (the identity rule,
    equation 9 of the paper)."""
    held = (y / (x + 1e-10)).detach()
    return Back.apply(y.detach(), lambda g: (g * held,), x)


def activation(y, x, *_, **__):
    """An activation, of one step or of several: the identity rule from the signal that it is made of."""
    return made_of(ratio(y, source(x)), x)


def power(y, x, exponent):
    """A root or a reciprocal normalises; any other power is an activation, or a step of one."""
    return stop(y) if torch.is_tensor(exponent) or exponent < 1 else activation(y, x)


def turn(y, x):
    """-x: the gradient is the rule."""
    return made_of(y, x)


def total(y, a, b, *_, **__):
    """A sum or a difference: the gradient is the rule; a constant's share is given to no one."""
    if carries(a) and carries(b):
        return made_of(y, a) if source(a) is source(b) else y
    return made_of(y, a if carries(a) else b)


def product(y, a, b):
    """Half the gradient for each of two signals (the uniform rule, equation 7 of the paper), so that
    input x gradient counts their product once."""
    if not (carries(a) and carries(b)):
        return made_of(y, a if carries(a) else b)
    return activation(y, a) if source(a) is source(b) else halved(y)


def product_held(y, a, b):
    """CP-LRP: of a product of two signals the activated one only gates, and counts as a constant."""
    gates = [carries(x) and source(x) is not x for x in (a, b)]
    if not (carries(a) and carries(b)) or source(a) is source(b) or gates[0] == gates[1]:
        return product(y, a, b)
    return a.detach() * b if gates[0] else a * b.detach()


def quotient(y, a, b, *_, **__):
    """What a signal is divided by normalises it (a length, a deviation) and counts as a constant."""
    if not carries(b):
        return made_of(y, a)
    return a / b.detach() if carries(a) else stop(y)


def norm_held(y, x, shape, weight=None, bias=None, eps=1e-5, *_):
    """LayerNorm with its standard deviation held fixed."""
    centred = x - x.mean(-1, keepdim=True)
    steady = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt().detach()
    return steady if weight is None else steady * weight + (0 if bias is None else bias)


def halved(y):
    return (y + y.detach()) / 2


def matmul_halved(y, a, b):
    """Each factor of a product gets half the gradient."""
    return halved(y) if carries(a) and carries(b) else y


def linear_gamma(gamma: float, spared: Callable[[], bool]) -> Rule:
    """The gamma rule as a changed gradient: weights that agree with the output's sign are strengthened by 1 + gamma.

    spared() says whether the layer that runs keeps its own gradient.
    """

    def rule(y, x, weight, bias=None):
        if spared():
            return y
        weight = weight.to(x)
        b = torch.zeros(()).to(y) if bias is None else bias
        up, down = x.clamp(min=0), x.clamp(max=0)
        towards, against = (
            weight + gamma * weight.clamp(min=0),
            weight + gamma * weight.clamp(max=0),
        )

        def back(g):
            plus = up @ towards.T + down @ against.T + b + gamma * b.clamp(min=0)
            minus = up @ against.T + down @ towards.T + b + gamma * b.clamp(max=0)
            s, t = (
                (y * g).where(side, 0) / whole.where(side, 1)
                for side, whole in ((y > 0, plus), (y < 0, minus))
            )
            return ((s @ towards + t @ against).where(x > 0, s @ against + t @ towards),)

        return Back.apply(y, back, x)

    return rule


def with_gamma(
    table: dict[Callable, Rule], gamma: float, spared: Callable[[], bool]
) -> dict[Callable, Rule]:
    """`table` with the gamma rule for linear layers, but not for those that run while `spared()`."""
    rule = linear_gamma(gamma, spared)
    return table | {F.linear: rule, torch.addmm: addmm(rule)} if gamma else table


def softmax_held(y, *_, **__):
    """CP-LRP: attention counts as a constant, and all relevance goes through the values."""
    return y.detach()


TENSOR = torch.Tensor
LINEAR = [F.linear]
MATMUL = [torch.matmul, TENSOR.matmul, TENSOR.__matmul__]
ADD = [torch.add, TENSOR.add, TENSOR.__add__, TENSOR.__radd__]
SUBTRACT = [torch.sub, TENSOR.sub, TENSOR.__sub__, TENSOR.__rsub__]
TIMES = [torch.mul, TENSOR.mul, TENSOR.__mul__, TENSOR.__rmul__]
DIVIDE = [torch.div, TENSOR.div, TENSOR.__truediv__]
ACTIVATION = [
    F.gelu,
    torch.tanh,
    TENSOR.tanh,
    F.relu,
    torch.relu,
    TENSOR.relu,
    F.silu,
    F.mish,
    F.relu6,
    F.leaky_relu,
    F.elu,
    F.selu,
    F.hardswish,
]
SOFTMAX = [F.softmax, TENSOR.softmax, torch.softmax]
TURN = [
    torch.neg,
    TENSOR.neg,
    TENSOR.__neg__,
]  # rotary positions: relevance does not change its sign with the signal
POWER = [torch.pow, TENSOR.pow, TENSOR.__pow__]
SIGMOID = [torch.sigmoid, TENSOR.sigmoid, F.sigmoid]
#: Other functions of single numbers that activations are written with.
ELEMENTWISE = [
    torch.erf,
    TENSOR.erf,
    F.softplus,
    torch.square,
    TENSOR.square,
    torch.clamp,
    TENSOR.clamp,
    torch.clip,
    TENSOR.clip,
    F.celu,
    F.hardsigmoid,
    F.hardtanh,
    F.logsigmoid,
    F.softsign,
    F.threshold,
]
LENGTH = [
    TENSOR.norm,
    torch.linalg.vector_norm,
    torch.rsqrt,
    TENSOR.rsqrt,
    torch.sqrt,
    TENSOR.sqrt,
    torch.reciprocal,
    TENSOR.reciprocal,
    TENSOR.__rtruediv__,
]
NORM = [F.layer_norm, F.rms_norm, F.normalize]
POOL = [torch.sum, TENSOR.sum, torch.mean, TENSOR.mean]

#: What moves numbers about and does not compute: relevance follows the tensor.
MOVES = {
    F.dropout,
    torch.split,
    torch.chunk,
    torch.transpose,
    torch.cat,
    torch.stack,
    torch.unbind,
} | {
    getattr(TENSOR, name)
    for name in (
        "__getitem__",
        "chunk",
        "clone",
        "contiguous",
        "detach",
        "expand",
        "flatten",
        "float",
        "masked_fill",
        "permute",
        "requires_grad_",
        "reshape",
        "split",
        "squeeze",
        "t",
        "to",
        "transpose",
        "type_as",
        "unbind",
        "unflatten",
        "unsqueeze",
        "view",
        "view_as",
    )
}

#: What changes the precision of a tensor; what asks a tensor about itself, or writes into it.
CASTS = {getattr(TENSOR, name) for name in ("to", "type", "type_as", "float", "half", "bfloat16")}
#: Keywords of operations that a rule is told.
NAMED = ("weight", "bias", "eps", "dim")
AS_IT_IS = {"__get__", "__set__", "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"}

OURS = (
    dict.fromkeys(LINEAR, linear)
    | {torch.addmm: addmm(linear)}
    | dict.fromkeys(MATMUL, matmul)
    | dict.fromkeys(ADD, add)
    | dict.fromkeys([*TIMES, *DIVIDE], scale)
    | dict.fromkeys([*ACTIVATION, *SOFTMAX, *TURN, *NORM], identity)
    | dict.fromkeys([*POWER, *SIGMOID, *LENGTH], stop)
    | dict.fromkeys(POOL, pool)
)
ORIGINAL = (
    OURS
    | dict.fromkeys(LINEAR, linear_apart)
    | {torch.addmm: addmm(linear_apart)}
    | dict.fromkeys(ADD, add_plain)
)

ATTNLRP = (
    dict.fromkeys([*ACTIVATION, *SIGMOID, *ELEMENTWISE], activation)
    | dict.fromkeys(NORM, ratio)
    | {F.layer_norm: norm_held}
    | dict.fromkeys(MATMUL, matmul_halved)
    | dict.fromkeys(TIMES, product)
    | dict.fromkeys(DIVIDE, quotient)
    | dict.fromkeys([*ADD, *SUBTRACT], total)
    | dict.fromkeys(TURN, turn)
    | dict.fromkeys(POWER, power)
    | dict.fromkeys(LENGTH, stop)
)
CPLRP = (
    {f: rule for f, rule in ATTNLRP.items() if f not in MATMUL}
    | dict.fromkeys(SOFTMAX, softmax_held)
    | dict.fromkeys(TIMES, product_held)
)


def at_least_single(x: Tensor) -> torch.dtype:
    """The precision of `x`, and float32 of what has less."""
    return torch.promote_types(x.dtype, torch.float32)


def relevance(trace, table: dict = OURS):
    """A trace whose `grad` is relevance by the rules of `table`; methods that ask for the same rules share the pass.

    Each logit of the target hands out a unit of its own, in a pass of its own: the rules rescale by the whole relevance, and
    for the difference of two classes that would be nothing.

    The pass runs in float64 whatever the network's precision. The share of each side of a sum or a product
    is divided by what the sides made, which is near zero somewhere in every input: a rounding error of the
    sides in float32, one part in ten million, becomes as large as the largest relevance. Only linear layers
    hand back in the precision of their weights. (Apple's GPUs have no float64: there it runs in float32.)

    It is kept under the rules themselves, not under the table's address, which is free for the next table
    when this one is gone, and which a table that was changed keeps. A key stays alive as long as what is
    kept under it, so no rule is taken for another.
    """

    def propagate():
        dtype = torch.float32 if trace.score.device.type == "mps" else torch.float64
        record, shown = ("attention", "hidden"), at_least_single(trace.score)
        runs = []
        for part, weight in trace.target.parts():
            rules = ChainRules(table, dtype=dtype)
            runs.append((weight, trace.again(target=part, rules=rules, record=record)))
        summed = {}
        for name in record:
            summed[name] = sum(weight * getattr(run.grad, name) for weight, run in runs).to(shown)
        return replace(trace, grad=replace(runs[0][1].grad, **summed))

    return trace.cached(("relevance", frozenset(table.items())), propagate)

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
    """

    def __init__(self, table: dict[Callable, Rule], gradient: bool = False):
        super().__init__()
        self.table, self.gradient = table, gradient

    def __torch_function__(self, func, types, args=(), kwargs=None):
        y = func(*args, **(kwargs or {}))
        if not wants(y[0] if isinstance(y, tuple) else y):
            return y
        if not any(carries(x) for arg in args for x in (arg if isinstance(arg, tuple | list) else (arg,))):
            return y.detach() if torch.is_tensor(y) else y      # weights alone: what came before the first block, another tower
        if func in MOVES:
            return y
        if func in self.table:
            return self.table[func](y, *args, **{name: value for name, value in (kwargs or {}).items() if name in ("weight", "bias", "eps", "dim")})
        if self.gradient:
            return y
        raise Refusal(f"There is no relevance rule for {resolve_name(func)}, which this model computes with.")


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


def linear(y, x, weight, bias=None):
    """To each input what it added with the sign that wins, the bias ignored (the αβ-rule with α = 1)."""
    def back(r):
        up, down = x.clamp(min=0), x.clamp(max=0)
        plus, minus = weight.clamp(min=0), weight.clamp(max=0)
        s = share(r, up @ plus.T + down @ minus.T)
        return (up * (s @ plus) + down * (s @ minus),)
    return Back.apply(y, back, x)


def linear_apart(y, x, weight, bias=None):
    """The older rule: positive and negative inputs each get the whole relevance of what they added."""
    def back(r):
        up, down = x.clamp(min=0), x.clamp(max=0)
        plus, minus = weight.clamp(min=0), weight.clamp(max=0)
        return (up * (share(r, up @ plus.T) @ plus) + down * (share(r, down @ minus.T) @ minus),)
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
    return Back.apply(y, lambda r: (added * share(r.view(len(x), 1, -1), added.sum(1, keepdim=True)),), x)


def addmm(rule: Rule) -> Rule:
    """GPT-2's Conv1D is a linear layer written the other way round."""
    return lambda y, bias, x, weight: rule(y, x, weight.T, bias)


def matmul(y, a, b):
    """Both factors by what they produced, half each; a factor that is no signal leaves the other the whole."""
    part = 2 if wants(a) and wants(b) else 1

    def back(r):
        s = share(r, a @ b)
        return a * (s @ b.mT) / part, b * (a.mT @ s) / part
    return Back.apply(y, back, a, b)


def add(y, a, b):
    """A skip connection, by what either side added, then rescaled so that no relevance is lost."""
    if not (wants(a) and wants(b)):
        return identity(y, a if wants(a) else b)

    def back(r):
        s = share(r, a + b)
        ra, rb, r = a * s, b * s, whole(r)
        both = whole(ra).abs() + whole(rb).abs()
        return tuple(part * share(share(whole(part).abs(), both) * r, whole(part)) for part in (ra, rb))
    return Back.apply(y, back, a, b)


def whole(relevance: Tensor) -> Tensor:
    """The relevance of each example: the authors sum over the batch, of which they allow one."""
    return relevance.sum(tuple(range(1, relevance.ndim)), keepdim=True)


def add_plain(y, a, b):
    """The older rule: by what either side added, without rescaling."""
    if not (wants(a) and wants(b)):
        return identity(y, a if wants(a) else b)
    return Back.apply(y, lambda r: (a * share(r, a + b), b * share(r, a + b)), a, b)


def scale(y, a, b):
    """A constant factor, or a gate: all relevance stays with the signal, the first factor that has any."""
    return identity(y, a if carries(a) else b)


def stop(y, *_, **__):
    """What only gates or normalises a signal gets no relevance: the sigmoid in QuickGELU, the length in CLIP's cosine."""
    return y.detach()


# ---------------------------------------------------------------------------------------- Achtibat et al. 2024

def ratio(y, x, *_, **__):
    """An activation as its input times a constant: y = x · (y / x), the ratio held fixed (the identity rule)."""
    return x * (y / (x + 1e-10)).detach()


def norm_held(y, x, shape, weight=None, bias=None, eps=1e-5, *_):
    """LayerNorm with its standard deviation held fixed."""
    centred = x - x.mean(-1, keepdim=True)
    steady = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt().detach()
    return steady if weight is None else steady * weight + (0 if bias is None else bias)


def matmul_halved(y, a, b):
    """Each factor of a product gets half the gradient, so that input x gradient counts the product once."""
    return (y + y.detach()) / 2 if wants(a) and wants(b) else y


def gate(y, a, b):
    """A product of two signals is its first, gated by the second: x · sigmoid(1.702 x), x · (1 + tanh(...))."""
    return a * b.detach() if wants(a) and wants(b) else y


def linear_gamma(gamma: float, spared: frozenset[int]) -> Rule:
    """The gamma rule as a changed gradient: weights that agree with the output's sign are strengthened by 1 + gamma.

    spared: addresses of weights that keep their own gradient.
    """
    def rule(y, x, weight, bias=None):
        if weight.data_ptr() in spared:
            return y
        b = torch.zeros(()).to(y) if bias is None else bias
        up, down = x.clamp(min=0), x.clamp(max=0)
        towards, against = (weight + gamma * weight.clamp(min=0), weight + gamma * weight.clamp(max=0))

        def back(g):
            plus = up @ towards.T + down @ against.T + b + gamma * b.clamp(min=0)
            minus = up @ against.T + down @ towards.T + b + gamma * b.clamp(max=0)
            s, t = ((y * g).where(side, 0) / whole.where(side, 1) for side, whole in ((y > 0, plus), (y < 0, minus)))
            return ((s @ towards + t @ against).where(x > 0, s @ against + t @ towards),)
        return Back.apply(y, back, x)
    return rule


def with_gamma(table: dict[Callable, Rule], gamma: float, layers: list) -> dict[Callable, Rule]:
    """`table` with the gamma rule for linear layers, but not for attention's values and output: the authors' code does not reach these."""
    if not 0 <= gamma < float("inf"):
        raise Refusal("gamma is a number of 0 or more.")
    attention = [linear for layer in layers for linear in (layer.values, layer.out)]
    spared = frozenset(linear.weight.data_ptr() for linear in attention if linear is not None)
    rule = linear_gamma(gamma, spared)
    return table | {F.linear: rule, torch.addmm: addmm(rule)} if gamma else table


def softmax_held(y, *_, **__):
    """CP-LRP: attention counts as a constant, and all relevance goes through the values."""
    return y.detach()


TENSOR = torch.Tensor
LINEAR = [F.linear]
MATMUL = [torch.matmul, TENSOR.matmul, TENSOR.__matmul__]
ADD = [torch.add, TENSOR.add, TENSOR.__add__, TENSOR.__radd__]
SCALE = [torch.mul, TENSOR.mul, TENSOR.__mul__, TENSOR.__rmul__, torch.div, TENSOR.div, TENSOR.__truediv__]
ACTIVATION = [F.gelu, torch.tanh, TENSOR.tanh, F.relu, torch.relu, TENSOR.relu, F.silu]
SOFTMAX = [F.softmax, TENSOR.softmax, torch.softmax]
TURN = [torch.neg, TENSOR.neg, TENSOR.__neg__]          # rotary positions: relevance does not change its sign with the signal
GATE = [torch.sigmoid, TENSOR.sigmoid, torch.pow, TENSOR.pow, TENSOR.__pow__, TENSOR.norm]
POOL = [torch.sum, TENSOR.sum, torch.mean, TENSOR.mean]

#: What moves numbers about and does not compute: relevance follows the tensor.
MOVES = {F.dropout, torch.split, torch.chunk, torch.transpose, torch.cat, torch.stack, torch.unbind} | {getattr(TENSOR, name) for name in (
    "__getitem__", "chunk", "clone", "contiguous", "detach", "expand", "flatten", "float", "masked_fill", "permute", "requires_grad_", "reshape",
    "split", "squeeze", "t", "to", "transpose", "type_as", "unbind", "unflatten", "unsqueeze", "view", "view_as")}

OURS = (
    dict.fromkeys(LINEAR, linear) | {torch.addmm: addmm(linear)} | dict.fromkeys(MATMUL, matmul) | dict.fromkeys(ADD, add)
    | dict.fromkeys(SCALE, scale) | dict.fromkeys([*ACTIVATION, *SOFTMAX, *TURN, F.layer_norm], identity) | dict.fromkeys(GATE, stop)
    | dict.fromkeys(POOL, pool)
)
ORIGINAL = OURS | dict.fromkeys(LINEAR, linear_apart) | {torch.addmm: addmm(linear_apart)} | dict.fromkeys(ADD, add_plain)

ATTNLRP = (
    dict.fromkeys(ACTIVATION, ratio) | {F.layer_norm: norm_held} | dict.fromkeys(MATMUL, matmul_halved)
    | dict.fromkeys([torch.mul, TENSOR.mul, TENSOR.__mul__, TENSOR.__rmul__], gate)
)
CPLRP = {f: rule for f, rule in ATTNLRP.items() if f not in MATMUL} | dict.fromkeys(SOFTMAX, softmax_held)


def relevance(trace, table: dict = OURS):
    """A trace whose `grad` is relevance by the rules of `table`; methods that ask for the same one share the pass.

    Each logit of the target hands out a unit of its own, in a pass of its own: the rules rescale by the whole relevance, and
    for the difference of two classes that would be nothing.
    """
    def propagate():
        runs = [(weight, trace.again(target=part, rules=ChainRules(table), record=("attention", "hidden"))) for part, weight in trace.target.parts()]
        summed = {name: sum(weight * getattr(run.grad, name) for weight, run in runs) for name in ("attention", "hidden")}
        return replace(runs[0][1], grad=replace(runs[0][1].grad, **summed))

    return trace.once(("relevance", id(table)), propagate)

"""The rules of Achtibat et al. 2024, as changed gradients.

The uniform rule gives each of two factors half, where both are signals. `x · sigmoid(x)` is written as
a product as well and is one activation of one signal. What tells them apart is what they are made of:
every tensor that is an elementwise function of another knows of which one (`source`), and a product of
two functions of one source is a function of it, like any activation.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .chain_rules import Back, Rule, carries
from .chefer import addmm, stop


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

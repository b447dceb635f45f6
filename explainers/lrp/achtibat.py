"""The rules of Achtibat et al. 2024 (AttnLRP), as changed gradients: relevance is input x gradient.

The uniform rule gives each of two factors half, if both are signals. But `x · sigmoid(x)` is also
written as a product, and it is one activation function of one signal. So every tensor that is an
elementwise function of another one knows that one (`source`), and a product of two functions of one
source is a function of it, like any activation.

A rule gets the value of an operation and its arguments (see `chain_rules`); `g` is the gradient by
that value.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .chain_rules import Back, Rule, carries
from .chefer import addmm, signal, stop

# ------------------------------------------------------------------------ elementwise functions


def source(x: Tensor) -> Tensor:
    """The signal that `x` is known to be an elementwise function of, or `x` itself."""
    return getattr(x, "source", x)


def function_of(y: Tensor, x: Tensor) -> Tensor:
    """`y`, marked as an elementwise function of the source of `x` if it has the same shape."""
    if y.shape == source(x).shape:
        # an attribute of our own, which torch does not declare
        y.source = source(x)  # pyright: ignore[reportAttributeAccessIssue]
    return y


def constant_ratio(y, x, *_, **__):
    """The identity rule, equation 9 of the paper: y = x · (y / x) with y / x as a constant."""
    ratio = (y / (x + 1e-10)).detach()
    return Back.apply(y.detach(), lambda g: (g * ratio,), x)


def activation(y, x, *_, **__):
    """An activation function, of one step or of several: the identity rule from its source."""
    return function_of(constant_ratio(y, source(x)), x)


def power(y, x, exponent):
    """A root or a reciprocal normalises; any other power is an activation, or a step of one."""
    if torch.is_tensor(exponent) or exponent < 1:
        return stop(y)
    return activation(y, x)


def negative(y, x):
    """-x: the gradient is the rule."""
    return function_of(y, x)


# ------------------------------------------------------------------------ sums and products


def add_or_subtract(y, a, b, *_, **__):
    """A sum or a difference: the gradient is the rule, and a constant's share goes to nothing."""
    if not (carries(a) and carries(b)):
        return function_of(y, signal(a, b))
    return function_of(y, a) if source(a) is source(b) else y


def product(y, a, b):
    """The uniform rule, equation 7 of the paper: half the gradient to each of two signals.

    So input x gradient counts their product once.
    """
    if not (carries(a) and carries(b)):
        return function_of(y, signal(a, b))
    return activation(y, a) if source(a) is source(b) else halved(y)


def product_with_constant_gate(y, a, b):
    """CP-LRP: if one of two signals went through an activation, it is a gate and a constant."""
    if not (carries(a) and carries(b)) or source(a) is source(b):
        return product(y, a, b)
    a_is_gate, b_is_gate = source(a) is not a, source(b) is not b
    if a_is_gate == b_is_gate:
        return product(y, a, b)
    return a.detach() * b if a_is_gate else a * b.detach()


def quotient(y, a, b, *_, **__):
    """The divisor normalises the signal, like a length or a deviation, and is a constant."""
    if not carries(b):
        return function_of(y, a)
    return a / b.detach() if carries(a) else stop(y)


def halved(y: Tensor) -> Tensor:
    """`y` with half its gradient."""
    return (y + y.detach()) / 2


def matmul(y, a, b):
    """The uniform rule for matrices: half the gradient to each factor, if both are signals."""
    return halved(y) if carries(a) and carries(b) else y


# ------------------------------------------------------------------------ layers


def layer_norm(y, x, shape, weight=None, bias=None, eps=1e-5, *_):
    """LayerNorm with its standard deviation as a constant."""
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    normalised = centred / deviation.detach()
    if weight is None:
        return normalised
    return normalised * weight + (0 if bias is None else bias)


def softmax_constant(y, *_, **__):
    """CP-LRP: attention weights are constants, and all relevance goes through the values."""
    return y.detach()


def linear_gamma(gamma: float, spared: Callable[[], bool]) -> Rule:
    """The gamma rule as a changed gradient: weights that agree with the sign of the output count
    1 + gamma times.

    spared() says whether the layer that runs now keeps its own gradient.
    """

    def rule(y, x, weight, bias=None):
        if spared():
            return y
        weight = weight.to(x)
        bias = torch.zeros(()).to(y) if bias is None else bias
        positive, negative = x.clamp(min=0), x.clamp(max=0)
        # weights that add to the output, with a positive and with a negative input
        towards = weight + gamma * weight.clamp(min=0)
        against = weight + gamma * weight.clamp(max=0)

        def back(g):
            # the outputs above zero and below zero, with the strengthened weights
            above = positive @ towards.T + negative @ against.T + bias + gamma * bias.clamp(min=0)
            below = positive @ against.T + negative @ towards.T + bias + gamma * bias.clamp(max=0)
            s = (y * g).where(y > 0, 0) / above.where(y > 0, 1)
            t = (y * g).where(y < 0, 0) / below.where(y < 0, 1)
            of_positive = s @ towards + t @ against
            of_negative = s @ against + t @ towards
            return (of_positive.where(x > 0, of_negative),)

        return Back.apply(y, back, x)

    return rule


def with_gamma(
    table: dict[Callable, Rule], gamma: float, spared: Callable[[], bool]
) -> dict[Callable, Rule]:
    """`table` with the gamma rule for linear layers, except those that run while `spared()`."""
    if not gamma:
        return table
    rule = linear_gamma(gamma, spared)
    return table | {F.linear: rule, torch.addmm: addmm(rule)}

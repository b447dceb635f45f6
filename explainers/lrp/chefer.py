"""The rules of Chefer et al. 2021 (CVPR), and the older ones that their code keeps for baselines.

A rule gets the value of an operation and its arguments (see `chain_rules`). `r` is the relevance of
that value; what `back` returns is the relevance of the arguments.
"""

from torch import Tensor

from .chain_rules import Back, Rule, at_least_single, carries, share


def identity(y, x, *_, **__):
    """Activations, LayerNorm, softmax: relevance passes unchanged."""
    return Back.apply(y, lambda r: (r,), x)


def by_sign(x: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative part of `x`, each 0 elsewhere.

    In the precision of the weights `like`, at least float32. A linear layer needs no more for its
    shares: sums of terms of one sign lose no digits.
    """
    x = x.to(at_least_single(like))
    return x.clamp(min=0), x.clamp(max=0)


def linear(y, x, weight, bias=None):
    """The αβ-rule with α = 1: to each input in proportion to its positive contributions.

    The bias gets nothing.
    """

    def back(r):
        up, down = by_sign(x, weight)
        plus, minus = by_sign(weight, weight)
        s = share(r.to(up), up @ plus.T + down @ minus.T)
        return ((up * (s @ plus) + down * (s @ minus)).to(r),)

    return Back.apply(y, back, x)


def linear_signs_apart(y, x, weight, bias=None):
    """The older rule: positive and negative inputs each get the whole relevance.

    Both in proportion to their positive contributions.
    """

    def back(r):
        up, down = by_sign(x, weight)
        plus, minus = by_sign(weight, weight)
        of_up = share(r.to(up), up @ plus.T) @ plus
        of_down = share(r.to(up), down @ minus.T) @ minus
        return ((up * of_up + down * of_down).to(r),)

    return Back.apply(y, back, x)


def addmm(rule: Rule) -> Rule:
    """A rule for linear layers as one for GPT-2's Conv1D, which has its arguments the other way."""
    return lambda y, bias, x, weight: rule(y, x, weight.T, bias)


def pool(y, x, dim=None, *_, **__):
    """A sum or mean over tokens [example token dim]: in proportion to positive contributions.

    Or to negative ones if there are no positive. Any other sum only normalises, like the length of
    a vector, and gets no relevance.
    """
    if x.ndim != 3 or dim not in (1, (1,), [1]):
        return stop(y)
    up = x.clamp(min=0)
    added = up.where(up.any(1, keepdim=True), x)

    def back(r):
        return (added * share(r.view(len(x), 1, -1), added.sum(1, keepdim=True)),)

    return Back.apply(y, back, x)


def matmul(y, a, b):
    """Half to each factor, in proportion to contributions.

    If one factor is constant, the other gets everything.
    """
    signals = 2 if carries(a) and carries(b) else 1

    def back(r):
        s = share(r, a @ b)
        return a * (s @ b.mT) / signals, b * (a.mT @ s) / signals

    return Back.apply(y, back, a, b)


def add(y, a, b):
    """A residual connection: in proportion to contributions, then rescaled to conserve relevance.

    The sums of either side's relevance are kept in their proportion by absolute value.
    """
    if not (carries(a) and carries(b)):
        return identity(y, signal(a, b))

    def back(r):
        s = share(r, a + b)
        of_a, of_b = a * s, b * s
        both = sum_of_example(of_a).abs() + sum_of_example(of_b).abs()
        rescaled = []
        for part in (of_a, of_b):
            own = sum_of_example(part)
            wanted = share(own.abs(), both) * sum_of_example(r)
            rescaled.append(part * share(wanted, own))
        return tuple(rescaled)

    return Back.apply(y, back, a, b)


def add_without_rescaling(y, a, b):
    """The older rule of a residual connection: in proportion to contributions."""
    if not (carries(a) and carries(b)):
        return identity(y, signal(a, b))
    return Back.apply(y, lambda r: (a * share(r, a + b), b * share(r, a + b)), a, b)


def sum_of_example(relevance: Tensor) -> Tensor:
    """The sum of the relevance of each example, with the axes of `relevance`.

    The authors sum over the whole batch, which must be one example.
    """
    return relevance.sum(tuple(range(1, relevance.ndim)), keepdim=True)


def scale(y, a, b):
    """A constant factor, or a gate: all relevance goes to the first factor that is a signal."""
    return identity(y, signal(a, b))


def signal(a, b):
    """The first of two arguments that relevance can reach."""
    return a if carries(a) else b


def stop(y, *_, **__):
    """No relevance to what only gates or normalises a signal.

    Such as the sigmoid in QuickGELU and the length in CLIP's cosine.
    """
    return y.detach()

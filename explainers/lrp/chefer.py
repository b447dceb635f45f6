"""The rules of Chefer et al. 2021 (CVPR), and the older ones that their code keeps for its baselines."""

from torch import Tensor

from .chain_rules import Back, Rule, at_least_single, carries, share


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

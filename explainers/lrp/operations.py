"""The operations of `torch` by what they do to a signal."""

import torch
import torch.nn.functional as F

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

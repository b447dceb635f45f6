"""The operations of `torch` by what they do to a signal.

Most have several names: a function of `torch`, a method of a tensor, an operator.
"""

import torch
import torch.nn.functional as F

TENSOR = torch.Tensor
LINEAR = [F.linear]
MATMUL = [torch.matmul, TENSOR.matmul, TENSOR.__matmul__]
ADD = [torch.add, TENSOR.add, TENSOR.__add__, TENSOR.__radd__]
SUBTRACT = [torch.sub, TENSOR.sub, TENSOR.__sub__, TENSOR.__rsub__]
MULTIPLY = [torch.mul, TENSOR.mul, TENSOR.__mul__, TENSOR.__rmul__]
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
#: As in rotary positions: relevance does not change its sign with the signal.
NEGATE = [torch.neg, TENSOR.neg, TENSOR.__neg__]
POWER = [torch.pow, TENSOR.pow, TENSOR.__pow__]
SIGMOID = [torch.sigmoid, TENSOR.sigmoid, F.sigmoid]
#: Other elementwise functions that activations are written with.
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
#: What lengths and deviations are computed with.
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

#: Methods of tensors that move numbers and compute nothing.
MOVING_METHODS = (
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
MOVING_FUNCTIONS = (
    F.dropout,
    torch.split,
    torch.chunk,
    torch.transpose,
    torch.cat,
    torch.stack,
    torch.unbind,
)

#: What moves numbers and computes nothing: relevance follows the tensor.
MOVES = {*MOVING_FUNCTIONS, *(getattr(TENSOR, name) for name in MOVING_METHODS)}

#: What changes the precision of a tensor.
CASTS = {TENSOR.to, TENSOR.type, TENSOR.type_as, TENSOR.float, TENSOR.half, TENSOR.bfloat16}

#: What reads an attribute of a tensor, or writes into it, by name.
AS_IT_IS = {"__get__", "__set__", "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"}

#: The keyword arguments of operations that are passed to a rule.
NAMED = ("weight", "bias", "eps", "dim")

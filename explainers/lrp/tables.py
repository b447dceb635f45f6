"""Tables of rules by operation."""

import torch
import torch.nn.functional as F

from .achtibat import (
    activation,
    matmul_halved,
    norm_held,
    power,
    product,
    product_held,
    quotient,
    ratio,
    softmax_held,
    total,
    turn,
)
from .chefer import (
    add,
    add_plain,
    addmm,
    identity,
    linear,
    linear_apart,
    matmul,
    pool,
    scale,
    stop,
)
from .operations import (
    ACTIVATION,
    ADD,
    DIVIDE,
    ELEMENTWISE,
    LENGTH,
    LINEAR,
    MATMUL,
    NORM,
    POOL,
    POWER,
    SIGMOID,
    SOFTMAX,
    SUBTRACT,
    TIMES,
    TURN,
)

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

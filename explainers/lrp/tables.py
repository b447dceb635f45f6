"""The tables of rules: which rule each operation of `torch` follows."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from . import achtibat, chefer
from . import operations as op
from .chain_rules import Rule

Table = dict[Callable, Rule]

OURS: Table = {
    **dict.fromkeys(op.LINEAR, chefer.linear),
    torch.addmm: chefer.addmm(chefer.linear),
    **dict.fromkeys(op.MATMUL, chefer.matmul),
    **dict.fromkeys(op.ADD, chefer.add),
    **dict.fromkeys(op.MULTIPLY + op.DIVIDE, chefer.scale),
    **dict.fromkeys(op.ACTIVATION + op.SOFTMAX + op.NEGATE + op.NORM, chefer.identity),
    **dict.fromkeys(op.POWER + op.SIGMOID + op.LENGTH, chefer.stop),
    **dict.fromkeys(op.POOL, chefer.pool),
}

ORIGINAL: Table = {
    **OURS,
    **dict.fromkeys(op.LINEAR, chefer.linear_signs_apart),
    torch.addmm: chefer.addmm(chefer.linear_signs_apart),
    **dict.fromkeys(op.ADD, chefer.add_without_rescaling),
}

#: What both variants of AttnLRP share.
SHARED: Table = {
    **dict.fromkeys(op.ACTIVATION + op.SIGMOID + op.ELEMENTWISE, achtibat.activation),
    **dict.fromkeys(op.NORM, achtibat.constant_ratio),
    F.layer_norm: achtibat.layer_norm,
    **dict.fromkeys(op.DIVIDE, achtibat.quotient),
    **dict.fromkeys(op.ADD + op.SUBTRACT, achtibat.add_or_subtract),
    **dict.fromkeys(op.NEGATE, achtibat.negative),
    **dict.fromkeys(op.POWER, achtibat.power),
    **dict.fromkeys(op.LENGTH, chefer.stop),
}

ATTNLRP: Table = {
    **SHARED,
    **dict.fromkeys(op.MATMUL, achtibat.matmul),
    **dict.fromkeys(op.MULTIPLY, achtibat.product),
}

CPLRP: Table = {
    **SHARED,
    **dict.fromkeys(op.SOFTMAX, achtibat.softmax_constant),
    **dict.fromkeys(op.MULTIPLY, achtibat.product_with_constant_gate),
}

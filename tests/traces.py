"""Traces to compare: of padded inputs, of several texts, of every architecture."""

import pytest
import torch
import torch.nn.functional as F
from tiny import ARCHITECTURES, TEXT, TINY

import explainers as ex
from explainers.trace import RECORDED

each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)

each_text = pytest.mark.parametrize("name", TEXT)

tight = dict(rtol=1e-10, atol=1e-12)  # float64, the same sums in another order


def same_traces(one: ex.Trace, other: ex.Trace) -> None:
    torch.testing.assert_close(one.score, other.score, **tight)
    for name in RECORDED:
        torch.testing.assert_close(getattr(one, name), getattr(other, name), **tight)
        torch.testing.assert_close(getattr(one.grad, name), getattr(other.grad, name), **tight)
    torch.testing.assert_close(one.readout, other.readout, **tight)
    assert torch.equal(one.attended, other.attended)


def padded_by(many: int, name: str, inputs: dict) -> dict:
    length = inputs["input_ids"].shape[1]
    mask = (torch.arange(length + many) < length).long()[None]
    return inputs | {
        "input_ids": F.pad(inputs["input_ids"], (0, many), value=TINY[name].padding),
        "attention_mask": mask,
    }

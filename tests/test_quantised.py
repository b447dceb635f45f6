"""Packed weights: explained by what needs neither weights nor slopes, named where they are not."""

import warnings

import pytest
import torch
from tiny import each_method_of, example, fresh, tiny
from torch import nn

import explainers as ex
from explainers.linear import naming_quantised
from explainers.methods import METHODS


def in_whole_numbers():
    """BERT with torch's dynamic int8 layers, in float32."""
    net = fresh("bert", torch.float32).net
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch announces that its quantisation moves to another package
        return torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)


WITHOUT_SLOPES = (
    "raw_attention",
    "rollout",
    "attention_flow",
    "value_zeroing",
    "occlusion",
    "optimus",
)


@each_method_of("bert")
def test_a_quantised_network_is_explained_by_what_needs_neither_weights_nor_slopes(method):
    """Whose kernels keep no slope: zeros must not be taken for one."""
    trace = ex.load(in_whole_numbers(), device="cpu").trace(example("bert"), 0)
    if method.key == "optimus":  # the best of many readings may be another
        assert method(trace).any()
    elif method.key in WITHOUT_SLOPES:
        float32 = method(tiny("bert", torch.float32).trace(example("bert"), 0))
        assert torch.corrcoef(torch.stack([method(trace), float32]))[0, 1] > 0.9
    else:
        with pytest.raises(ex.Refusal, match="weights of this network are quantised"):
            method(trace)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (RuntimeError("no such kernel."), ex.Refusal),
        (NotImplementedError("no backward"), ex.Refusal),
        (torch.OutOfMemoryError("no memory"), torch.OutOfMemoryError),
        (TypeError("a fault of the code"), TypeError),
    ],
)
def test_only_what_kernels_raise_is_blamed_on_quantised_weights(error, wanted):
    with pytest.raises(wanted, match=str(error).rstrip(".")), naming_quantised(in_whole_numbers()):
        raise error
    with pytest.raises(type(error)), naming_quantised(tiny("bert").net):
        raise error


@pytest.mark.parametrize("where", ["encoder", "head"])
def test_a_network_that_is_quantised_in_part_says_so(where):
    net = fresh("bert", torch.float32).net
    packed = in_whole_numbers()
    if where == "encoder":
        net.bert.encoder = packed.bert.encoder
    else:
        net.classifier = packed.classifier
    trace = ex.load(net, device="cpu").trace(example("bert"), 0)
    assert METHODS["rollout"](trace).any()
    with pytest.raises(ex.Refusal, match="quantised, so no gradient"):
        METHODS["attcat"](trace)


def test_quantised_weights_get_no_other_precision_and_stay_where_they_are():
    net = in_whole_numbers()
    net.to = None  # bitsandbytes' networks raise as soon as it is called
    assert ex.load(net, device="cpu").net is net
    with pytest.raises(
        ex.ModelUnavailable, match="cannot be given another precision: leave dtype out"
    ):
        ex.load(in_whole_numbers(), device="cpu", dtype=torch.float64)

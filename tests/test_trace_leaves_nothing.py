"""A trace leaves nothing behind: no tensor, no hook, no changed weight."""

import gc
from dataclasses import fields, replace

import pytest
import torch
from tiny import DUAL, example, fresh, stock, tiny
from traces import each_architecture, same_traces

import explainers as ex


def hooks(net) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in net.modules()
    )


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_a_hundred_traces_leave_no_tensor_and_no_hook():
    model = fresh("bert")
    model.trace(example("bert"), 0).again(entry=lambda hidden: hidden)
    before = hooks(model.net), tensors()
    for _ in range(100):
        model.trace(example("bert"), 0)
    assert (hooks(model.net), tensors()) == before


def test_loading_a_model_twice_wires_it_once():
    model = fresh("bert")
    once = hooks(model.net)
    assert ex.load(model.net, device="cpu").trace(example("bert"), 0).attention.shape == (
        4,
        3,
        12,
        12,
    )
    assert hooks(model.net) == once


@each_architecture
def test_without_a_tape_the_network_is_what_it_was(name):
    inputs = example(name, torch.float32)
    model = tiny(name, torch.float32)
    model.trace(inputs, 0)
    with torch.no_grad():
        wanted, got = stock(name)(**inputs), model.net(**inputs)
    key = "logits_per_image" if name in DUAL else "logits"
    torch.testing.assert_close(got[key], wanted[key], rtol=1e-6, atol=1e-6)


@each_architecture
def test_a_trace_changes_neither_weights_nor_their_gradients_nor_its_input(name):
    model, inputs = fresh(name), example(name)
    weights = {key: tensor.clone() for key, tensor in model.net.state_dict().items()}
    wanting = [parameter.requires_grad for parameter in model.net.parameters()]
    given = {key: tensor.clone() for key, tensor in inputs.items()}
    model.trace(inputs, 0).again()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.net.state_dict().items())
    assert all(parameter.grad is None for parameter in model.net.parameters())
    assert [parameter.requires_grad for parameter in model.net.parameters()] == wanting
    assert all(
        torch.equal(tensor, given[key]) and not tensor.requires_grad
        for key, tensor in inputs.items()
    )


@each_architecture
def test_frozen_weights_and_no_grad_around_the_call_change_nothing(name):
    model = fresh(name)
    free = model.trace(example(name), 0)
    model.net.requires_grad_(False)
    with torch.no_grad():
        same_traces(model.trace(example(name), 0), free)


def test_nothing_in_a_trace_hangs_on_a_graph():
    trace = tiny("bert").trace(example("bert"), 0)
    for field in fields(trace):
        value = getattr(trace, field.name)
        assert not (isinstance(value, torch.Tensor) and value.requires_grad), field.name
    for one in (trace, trace.grad):
        for name, tensor in one.recorded.items():
            assert not tensor.requires_grad, name


def test_a_part_that_was_not_recorded_is_refused_by_name():
    trace = tiny("bert").trace(example("bert"), 0)
    for one in (trace, trace.grad):
        with pytest.raises(ex.Refusal, match="did not record pixels; it recorded attention, value"):
            one.pixels.any()


def test_a_part_that_a_layer_does_not_have_is_refused():
    (values, *_) = tiny("gpt2").trace(example("gpt2"), 0).layers
    with pytest.raises(ex.Refusal, match="no linear map w_v of its own"):
        values.w_v.any()
    (gated, *_) = tiny("modernbert").trace(example("modernbert"), 0).layers
    with pytest.raises(ex.Refusal, match="gated"):
        gated.act(torch.ones(1))


def test_a_trace_says_its_score_and_shapes():
    trace = tiny("bert").trace(example("bert"), 0)
    assert repr(trace).startswith(f"Trace(score {float(trace.score):.4g} of ")
    assert "'attention': (4, 3, 12, 12)" in repr(trace)
    assert repr(trace.grad).startswith("Activations({'attention': (4, 3, 12, 12)")


def test_what_is_cached_is_computed_once_and_not_kept_for_changed_numbers():
    trace, calls = tiny("bert").trace(example("bert"), 0), []

    def mean(trace):
        calls.append(None)
        return trace.attention.mean()

    found = [trace.cached("mean", lambda: mean(trace)) for _ in range(3)]
    assert len(calls) == 1 and found[0] is found[1] is found[2]
    other = replace(trace, recorded=trace.recorded | {"attention": 2 * trace.attention})
    assert float(other.cached("mean", lambda: mean(other))) == pytest.approx(2 * float(found[0]))
    assert torch.equal(other.hidden, trace.hidden)

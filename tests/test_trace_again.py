"""A trace is run again with other numbers, targets, rules and tokens; or one layer of it alone."""

import pytest
import torch
import torch.nn.functional as F
from tiny import IMAGE, PADDED, TINY, example, tiny, varied
from torch.overrides import TorchFunctionMode
from traces import each_architecture, each_text, padded_by, same_traces, tight

import explainers as ex
from explainers.trace import RECORDED

# ------------------------------------------------------------------------------------- again


@each_architecture
def test_again_without_changes_is_the_same(name):
    trace = tiny(name).trace(example(name), 0)
    same_traces(trace.again(), trace)


@each_architecture
def test_a_stack_of_entries_is_run_as_one_by_one(name):
    """A cloud of noise, a path: n examples for the one that was traced.

    Pictures as well as texts.
    """
    trace = tiny(name).trace(example(name), 0)
    noise = (
        torch.randn(
            3,
            *trace.hidden[0].shape,
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
        )
        / 10
    )
    together = trace.again_many(entry=lambda hidden: hidden + noise)
    assert len(together) == 3
    for one, shift in zip(together, noise):
        same_traces(one, trace.again(entry=lambda hidden, shift=shift: hidden + shift))


def test_again_refuses_what_makes_several_examples():
    trace = tiny("bert").trace(example("bert"), 0)
    with pytest.raises(ValueError, match="made 2 examples of one"):
        trace.again(entry=lambda hidden: hidden.expand(2, -1, -1))


def test_a_stack_of_inputs_is_run_as_one_by_one():
    trace = tiny("bert").trace(example("bert"), 1)
    others = [varied("bert", seed, 12) for seed in range(3)]
    together = trace.again_many(
        inputs={"input_ids": torch.cat([one["input_ids"] for one in others])}
    )
    for one, other in zip(together, others):
        same_traces(one, tiny("bert").trace(other, 1))


def test_again_can_ask_for_another_target():
    trace = tiny("bert").trace(example("bert"), 0)
    other = tiny("bert").trace(example("bert"), 2)
    same_traces(trace.again(target=other.target), other)


@each_text
def test_hidden_tokens_are_attended_to_by_nobody_but_still_ask(name):
    trace = tiny(name).trace(example(name), 0)
    hide = torch.zeros_like(trace.attended)
    hide[[2, 5]] = True
    again = trace.again(hide=hide)
    assert not again.attention[..., hide].any()
    torch.testing.assert_close(again.attention.sum(-1), torch.ones_like(again.attention.sum(-1)))
    assert torch.equal(again.attended, trace.attended)
    assert torch.equal(again.readout, trace.readout) and not torch.equal(again.score, trace.score)


def test_tokens_of_a_picture_cannot_be_hidden():
    trace = tiny("vit").trace(example("vit"), 0)
    with pytest.raises(ex.Refusal, match="text models only"):
        trace.again(hide=trace.special_tokens)


class Tripled(torch.autograd.Function):
    @staticmethod
    def forward(context, hidden):
        return hidden.clone()

    @staticmethod
    def backward(context, gradient):
        return 3 * gradient


class SteeperGelu(TorchFunctionMode):
    """A chain rule in which GELU hands back three times what it gets."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        return Tripled.apply(output) if function is F.gelu else output


def test_rules_change_the_gradient_and_only_while_they_hold():
    """Under other rules `grad` is what they propagate; the forward pass is the same."""
    trace = tiny("bert").trace(example("bert"), 0)
    ruled = trace.again(rules=SteeperGelu())
    assert torch.equal(ruled.hidden, trace.hidden) and torch.equal(ruled.score, trace.score)
    torch.testing.assert_close(
        ruled.grad.hidden[-1], trace.grad.hidden[-1], **tight
    )  # no GELU behind the last block
    assert not any(
        torch.allclose(one, other)
        for one, other in zip(ruled.grad.hidden[:-1], trace.grad.hidden[:-1])
    )
    same_traces(trace.again(), trace)


@pytest.mark.parametrize("kept", RECORDED)
def test_only_what_is_asked_for_is_kept(kept):
    trace = tiny("bert").trace(example("bert"), 0)
    again = trace.again(record=(kept,))
    for name in RECORDED:
        if name == kept:
            torch.testing.assert_close(
                getattr(again.grad, name), getattr(trace.grad, name), **tight
            )
        else:
            for one in (again, again.grad):
                with pytest.raises(ex.Refusal, match=f"did not record {name}; it recorded {kept}"):
                    getattr(one, name)


@each_text
def test_scores_of_a_stack_are_the_single_ones(name):
    trace = tiny(name).trace(example(name), 0)
    tokens = len(trace.attended)
    where = torch.eye(tokens, dtype=torch.bool)[1:-1]
    together = trace.rescore(trace.fill(where, "pad"))
    assert together.shape == (tokens - 2,) and not together.requires_grad
    for score, row in zip(together, where):
        torch.testing.assert_close(
            score, trace.again(inputs=trace.fill(row[None], "pad")).score, **tight
        )


def test_many_scores_come_in_parts_of_bounded_size():
    model = tiny("bert")
    trace = model.trace(example("bert"), 0)
    seen = []
    hook = model.net.register_forward_pre_hook(
        lambda net, args, kwargs: seen.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    try:
        scores = trace.rescore({"input_ids": example("bert")["input_ids"].expand(1000, -1)})
    finally:
        hook.remove()
    assert len(scores) == sum(seen) == 1000 and max(seen) * 12 <= 4096
    torch.testing.assert_close(scores, trace.score.expand(1000), **tight)


@each_text
def test_a_blank_replaces_just_the_tokens_it_should(name):
    trace = tiny(name).trace(example(name), 0)
    where = torch.zeros(2, len(trace.attended), dtype=torch.bool)
    where[0, 3] = where[1, 4] = True
    filled = trace.fill(where, "pad")["input_ids"]
    assert torch.equal(filled[~where], example(name)["input_ids"].expand(2, -1)[~where])
    pad = TINY[name].padding if name in PADDED else 1  # SigLIP's: a blank, though it is read
    assert filled[where].tolist() == [pad] * 2


def test_a_picture_has_no_blank_token():
    trace = tiny("vit").trace(example("vit"), 0)
    with pytest.raises(
        ex.Refusal,
        match="A picture is blanked with mean, black, white or blur; got 'mask'",
    ):
        trace.fill(trace.special_tokens[None], "mask")


@pytest.mark.parametrize("name", IMAGE)
@pytest.mark.parametrize("fill", ["mean", "black", "white", "blur"])
def test_a_blank_patch_changes_the_pixels_of_that_patch_alone(name, fill):
    trace = tiny(name).trace(example(name), 0)
    where = torch.zeros(2, len(trace.attended), dtype=torch.bool)
    where[0, -16], where[1, -1] = True, True  # the first patch and the last of 4 x 4
    filled = trace.fill(where, fill)["pixel_values"]
    changed = (filled != trace.pixels).any(1)
    corner = torch.zeros(2, 32, 32, dtype=torch.bool)
    corner[0, :8, :8], corner[1, 24:, 24:] = True, True
    assert torch.equal(changed, corner)
    if fill != "blur":
        assert filled[:, 0][corner].unique().numel() == 1


# ---------------------------------------------------------------------------------- one layer alone


@each_architecture
def test_a_layer_alone_gives_the_next_hidden_state(name):
    trace = tiny(name).trace(example(name), 0)
    for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        together = layer.run(torch.stack([entering, entering.flip(0), entering]))
        torch.testing.assert_close(together[0], leaving, **tight)
        torch.testing.assert_close(together[2], leaving, **tight)
        torch.testing.assert_close(together[1], layer.run(entering.flip(0)[None])[0], **tight)


@pytest.mark.parametrize("name", PADDED)
def test_a_layer_alone_keeps_the_mask_of_its_own_example(name):
    """Traced in one batch with another length behind the padding, each layer still masks what its
    example masks.
    """
    inputs = padded_by(3, name, example(name))
    other = inputs | {"attention_mask": torch.ones_like(inputs["attention_mask"])}
    for one in tiny(name).trace_many([inputs, other], [0, 0]):
        for layer, entering, leaving in zip(one.layers, one.hidden, one.hidden[1:]):
            torch.testing.assert_close(layer.run(entering[None])[0], leaving, **tight)


def test_values_can_be_edited_inside_a_layer():
    """Copy i forgets the value of token i: value zeroing, all tokens in one pass."""
    trace = tiny("bert").trace(example("bert"), 0)
    tokens = len(trace.attended)
    forget = 1 - torch.eye(tokens, dtype=torch.float64)
    for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        together = layer.run(
            entering.expand(tokens, -1, -1), value=lambda value: value * forget[:, None, :, None]
        )
        for i in range(tokens):
            alone = layer.run(
                entering[None], value=lambda value, i=i: value * forget[i][None, None, :, None]
            )
            torch.testing.assert_close(together[i], alone[0], **tight)
        assert not torch.allclose(together[3], leaving)

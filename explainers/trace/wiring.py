"""Hooks on the blocks of a network: they carry the tape to the attention and record on it."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedConfig, PreTrainedModel

from ..errors import ModelUnavailable
from . import attending
from .tape import RUNNING, BlockCall, Tape, running


def wire(
    net: PreTrainedModel, blocks: Sequence[nn.Module], attentions: Sequence[nn.Module]
) -> list[RemovableHandle]:
    """Let `blocks` of `net` and their attention modules record on the tape that a call carries.

    A second time changes nothing. Returns the hooks that are new. Raises `ModelUnavailable` for a
    network that computes attention in its own code.
    """
    attend_by(net, attending.NAME)
    if net.config._attn_implementation != attending.NAME:  # transformers only warns
        raise ModelUnavailable(
            f"{type(net).__name__} computes attention inside its own code, which offers no place "
            "to record it."
        )
    hooks = []
    for block, attention in zip(blocks, attentions):
        hooks += hooked(block, on_entry, on_exit)
        hooks += hooked(attention, on_attention, off_attention)
    return hooks


def is_wired(block: nn.Module) -> bool:
    """Whether `block` has the hooks that record on a tape."""
    return on_entry in block._forward_pre_hooks.values()


def attend_by(net: PreTrainedModel, implementation: str) -> None:
    """Let every attention of `net` be computed by a function of `AttentionInterface`.

    A part with a config of its own, such as a copied encoder, is set too.
    """
    net.set_attn_implementation(implementation)
    if net.config._attn_implementation != implementation:
        return
    for config in configs_of(net):
        if config._attn_implementation != implementation:
            config._attn_implementation = implementation


def configs_of(net: PreTrainedModel) -> list[PreTrainedConfig]:
    """The configs of `net` and of its parts, each once, an outer one before those inside it."""
    configs = [net.config]
    for config in configs:  # the list grows on the way
        for name in config.sub_configs:
            inner = getattr(config, name)
            if inner is not None:
                configs.append(inner)
    for module in net.modules():
        config = getattr(module, "config", None)
        if isinstance(config, PreTrainedConfig):
            configs.append(config)
    return list({id(config): config for config in configs}.values())


def hooked(module: nn.Module, before: Callable, after: Callable) -> list[RemovableHandle]:
    """Put two hooks on `module`, unless it has them; return those that are new."""
    if before in module._forward_pre_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True, always_call=after is off_attention),
    ]


def on_entry(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]):
    """Before a block: record what enters the first one, and pass the tape on to its attention."""
    tape = kwargs.pop("tape", None)
    if tape is None or not is_among(block, tape.blocks):  # the other tower's block
        return args, kwargs
    if not tape.calls:
        entry = entered(tape, args[0])
        args = (entry, *args[1:])
    tape.calls.append(BlockCall(block, args[1:], dict(kwargs)))
    return args, kwargs | {"on_tape": tape}


def is_among(block: nn.Module, blocks: Sequence[nn.Module]) -> bool:
    return any(block is other for other in blocks)


def entered(tape: Tape, hidden: Tensor) -> Tensor:
    """What enters the first block [example token dim], edited and recorded."""
    entry = tape.edit("entry", hidden)
    if entry.ndim != hidden.ndim:
        raise ValueError(
            "an edit of entry gives [example token dim], like what it gets; "
            f"this one gave {tuple(entry.shape)}"
        )
    tape.shape = (entry.shape[0], entry.shape[1])
    return tape.write("hidden", entry)


def on_exit(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor):
    """After a block: record what leaves it."""
    tape = kwargs.get("on_tape")
    if tape is None:
        return None
    tape.last_hidden = tape.write("hidden", output)
    return tape.last_hidden


def on_attention(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]):
    """Before an attention module: record what it reads, and let its function find the tape."""
    tape = kwargs.pop("on_tape", None)
    RUNNING.set((*RUNNING.get(), tape or running()))
    if tape is None:
        return args, kwargs
    if args:
        return (tape.write("normed", args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": tape.write("normed", kwargs["hidden_states"])}


def off_attention(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any):
    """After an attention module, or after its error: what ran before runs again."""
    RUNNING.set(RUNNING.get()[:-1])

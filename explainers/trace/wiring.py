"""Hooks on the blocks of a network: they hand the tape on and write on it."""

from collections.abc import Callable, Sequence

from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedConfig

from ..errors import ModelUnavailable
from . import attending
from .tape import RUNNING, running


def wire(
    net, blocks: Sequence[nn.Module], attentions: Sequence[nn.Module]
) -> list[RemovableHandle]:
    """Teach `blocks` of `net` to write on the tape that a call carries. Wiring twice changes
    nothing. -> the hooks that are new.

    Raises `ModelUnavailable` for a network with attention code of its own.
    """
    attend_by(net, attending.NAME)
    if net.config._attn_implementation != attending.NAME:  # it warns, and goes on with its own
        raise ModelUnavailable(
            f"{type(net).__name__} computes attention inside its own code, which offers no place to record it."
        )
    return [
        hook
        for block, inner in zip(blocks, attentions)
        for hook in (*hooked(block, on_entry, on_exit), *hooked(inner, on_attention, off_attention))
    ]


def attend_by(net, implementation: str) -> None:
    """Let every attention of `net` be computed by a function of `AttentionInterface`, that of parts
    with a copied config too."""
    net.set_attn_implementation(implementation)
    if net.config._attn_implementation == implementation:
        for config in configs_of(net):
            if config._attn_implementation != implementation:
                config._attn_implementation = implementation


def configs_of(net) -> list[PreTrainedConfig]:
    """The configs that `net` and its parts hold, each once, an outer one before those inside it."""
    configs = [net.config]
    for config in configs:
        configs += [
            inner for name in config.sub_configs if (inner := getattr(config, name)) is not None
        ]
    configs += [
        config
        for module in net.modules()
        if isinstance(config := getattr(module, "config", None), PreTrainedConfig)
    ]
    return list({id(config): config for config in configs}.values())


def hooked(module: nn.Module, before: Callable, after: Callable) -> list[RemovableHandle]:
    """The two hooks on `module`, unless it has them."""
    if before in module._forward_pre_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True, always_call=after is off_attention),
    ]


def on_entry(block, args, kwargs):
    tape = kwargs.pop("tape", None)
    if tape is None or not any(
        block is other for other in tape.blocks
    ):  # none, or the other tower's
        return args, kwargs
    if not tape.runs:
        entry = tape.edit("entry", args[0])
        if entry.ndim != args[0].ndim:
            raise ValueError(
                f"an edit of entry gives [example token dim], like what it gets; this one gave {tuple(entry.shape)}"
            )
        tape.shape = tuple(entry.shape[:2])
        args = (tape.write("hidden", entry), *args[1:])
    tape.runs.append((block, args[1:], dict(kwargs)))
    return args, kwargs | {"on_tape": tape}


def on_exit(block, args, kwargs, output):
    tape = kwargs.get("on_tape")
    if tape is not None:
        tape.last = tape.write("hidden", output)
        return tape.last


def on_attention(module, args, kwargs):
    tape = kwargs.pop("on_tape", None)
    RUNNING.set((*RUNNING.get(), tape or running()))
    if tape is None:
        return args, kwargs
    if args:
        return (tape.write("normed", args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": tape.write("normed", kwargs["hidden_states"])}


def off_attention(module, args, kwargs, output):
    RUNNING.set(RUNNING.get()[:-1])

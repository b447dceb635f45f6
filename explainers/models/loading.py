"""`load`: a model that can be traced, from its name, its folder, its Hub id or its network."""

from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..errors import ModelUnavailable, Refusal, first_line
from ..linear import quantised
from ..trace import configs_of, ordinary, wire
from . import probe
from .anatomy import submodule
from .bundled import BUNDLED, PICTURED, bundled, bundled_processor, bundled_tokenizer
from .files import from_files, handed
from .fitting import anatomy_of
from .hub import hub_id, hub_revision
from .model import Model


@ordinary
def load(
    source,
    *,
    tokenizer=None,
    processor=None,
    tower: str | None = None,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Model:
    """A model that can be traced.

    source is the name of a bundled model (see `BUNDLED`), a folder in
    Hugging Face layout, the id of a model on the Hugging Face Hub, or a `transformers` model that
    you loaded. `tokenizer` is one of `transformers`, a processor that holds one, or the folder or
    Hub id of one. Only
    safetensors are read and no code from a repository is run. A GPU is used when there is one, unless `device` says
    otherwise; weights from files become float32, unless `dtype` says otherwise. `tower` chooses the side of a dual encoder that is traced: "vision" (unless said otherwise) or "text"; `Model.side`
    gives the other.

    The address of a model's page on the Hub stands for its id, and for its revision if it has one.
    A pipeline is taken for the model in it, with its tokenizer and image processor. `processor` is
    an image processor, a processor that holds one (then its tokenizer is taken as well, if none is
    given), or the folder or Hub id of one.

    A model that you pass in is put in evaluation mode and gets this package's attention function,
    which computes what "eager" attention does; one that is refused runs as before. What
    torch.compile and peft put around it is taken off: adapters inside its layers are part of what
    is explained. Of quantised weights, methods that need slopes or the weights themselves work
    where these can be had. Raises `ModelUnavailable` with the reason in plain words.
    """
    source, tokenizer, processor = handed(source, tokenizer, processor)
    source = unwrapped(source)
    if isinstance(source, PreTrainedModel):
        net, name, revision = (
            source,
            source.config.name_or_path or type(source).__name__,
            revision or "",
        )
    elif not isinstance(source, str | Path) or not (name := hub_id(str(source).strip())):
        raise no_model(source)
    elif name in BUNDLED:
        net, revision = bundled(name), "bundled"
        tokenizer = tokenizer or (bundled_tokenizer() if name != "vit" else None)
        processor = processor or (bundled_processor() if name in PICTURED else None)
    else:
        net, tokenizer, processor, revision = from_files(
            name, tokenizer, processor, revision or hub_revision(source), dtype or torch.float32
        )
    anatomy = anatomy_of(net, tower)
    move(net, torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")), dtype)
    model = Model(net, anatomy, tokenizer, processor, name, revision)
    wire_and_check(model)
    net.eval()
    return model


def unwrapped(source):
    """The network inside what torch.compile and peft put around it. Raises `ModelUnavailable` for
    adapters that are not inside its layers."""
    source = getattr(source, "_orig_mod", source)
    if isinstance(source, PreTrainedModel) or not (
        isinstance(source, nn.Module) and hasattr(source, "get_base_model")
    ):
        return source
    if getattr(source.active_peft_config, "is_prompt_learning", False):
        raise ModelUnavailable(
            f"{type(source).__name__} puts learned vectors before the text (prompt tuning), which "
            "are no tokens of it and cannot be recorded; "
            "adapters inside the layers, such as LoRA's, can."
        )
    return unwrapped(source.get_base_model())


def move(net: PreTrainedModel, device: torch.device, dtype: torch.dtype | None) -> None:
    """To a device and a precision, where these are not what it has: quantised networks cannot even
    be moved to where they are."""
    weights = [weight for weight in net.parameters() if weight.is_floating_point()]
    elsewhere = any(
        weight.device.type != device.type or device.index not in (None, weight.device.index)
        for weight in weights
    )
    coarse = dtype is not None and any(weight.dtype != dtype for weight in weights)
    changes = ({"device": device} if elsewhere else {}) | ({"dtype": dtype} if coarse else {})
    if not changes:
        return
    if coarse and quantised(net):
        raise ModelUnavailable(
            "The weights of this network are quantised and cannot be given another precision: "
            "leave dtype out."
        )
    try:
        net.to(**changes)
    except ValueError as error:
        raise ModelUnavailable(
            f"{type(net).__name__} cannot be moved to {device}: {first_line(error)}."
        ) from error


def wire_and_check(model: Model) -> None:
    """Wire every side of `model`, and refuse it, as it was before, if it then answers otherwise or
    reads its score elsewhere.

    Asked is a short input of its own kind: see `probe`.
    """
    net = model.net
    sides = [model.side("vision"), model.side("text")] if model.is_dual_encoder else [model]
    before, hooks = [(config, config._attn_implementation) for config in configs_of(net)], []
    try:
        for one in sides:
            hooks += wire(
                net, one.blocks, [submodule(block, one.anatomy.attention) for block in one.blocks]
            )
        for one in sides:
            # without new hooks it was compared before, and other threads may be using it
            probe.check(one, compare=bool(hooks))
    except Exception as error:
        for hook in hooks:
            hook.remove()
        for config, implementation in before:
            config._attn_implementation = implementation
        if isinstance(error, ModelUnavailable):
            raise
        if isinstance(error, Refusal):
            raise ModelUnavailable(str(error)) from error
        raise ModelUnavailable(
            f"{type(net).__name__} cannot be run on a short input made of its own settings "
            f"({first_line(error)}), so what is recorded cannot be checked."
        ) from error


def no_model(given) -> ModelUnavailable:
    """Why what was given is no model, and what would do."""
    wanted = "A model is a bundled name, a folder, a Hub id or a transformers model"
    if isinstance(given, str | Path):
        return ModelUnavailable(f"{wanted}; got nothing.")
    got = "nothing" if given is None else type(given).__name__
    reasons = {
        PreTrainedTokenizerBase: "is a tokenizer: give its model, and it as tokenizer=",
        transformers.PretrainedConfig: "holds settings without weights: give the folder or the Hub "
        "id, or a model made of it",
        nn.Module: "is not a model of transformers; one that wraps such a model often has it "
        "inside, as .model, and that can be given",
        dict: "is no model; weights alone do not say what is computed with them",
    }
    why = next((f", which {why}" for kind, why in reasons.items() if isinstance(given, kind)), "")
    return ModelUnavailable(f"{wanted}; got {got}{why}.")

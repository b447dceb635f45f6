"""`load`: a model that can be traced, from a name, a folder, a Hub id or a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..errors import ModelUnavailable, Refusal, first_line
from ..linear import quantised
from ..trace import configs_of, ordinary, wire
from . import probe
from .anatomy import submodule
from .bundled import BUNDLED, bundled_network, bundled_processor, bundled_tokenizer
from .files import Loaded, as_processor, as_tokenizer, from_files
from .fitting import anatomy_of
from .hub import hub_id, hub_revision
from .model import Model


@ordinary
def load(
    source: Any,
    *,
    tokenizer: Any = None,
    processor: Any = None,
    tower: str | None = None,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Model:
    """Load a model that can be traced.

    Only safetensors are read, and no code from a repository is run. A network that you pass in is
    put in evaluation mode and gets this package's attention function, which computes what "eager"
    attention does; one that is refused runs as before. The wrappers of torch.compile and peft are
    taken off: adapters inside the layers are part of what is explained. Of quantised weights,
    methods that need gradients or the weights themselves work if the weights provide them.

    Parameters
    ----------
    source:
        A bundled model (see `BUNDLED`), a folder in Hugging Face layout, a Hub id, the address of a
        model's page on the Hub, a model of `transformers`, or a pipeline.
    tokenizer:
        A tokenizer of `transformers`, a processor that holds one, or the folder or Hub id of one.
    processor:
        An image processor, a processor that holds one, or the folder or Hub id of one.
    tower:
        The side of a dual encoder that is traced: "vision" (the default) or "text".
    revision:
        A branch, a tag or a commit on the Hub.
    device:
        Where the model runs; a GPU if there is one, unless you say otherwise.
    dtype:
        The precision of the weights; float32 for files, unless you say otherwise.

    Raises
    ------
    ModelUnavailable:
        If there is no such model, or if it cannot be traced, with the reason in one sentence.

    Examples
    --------
        ex.load("sentiment")
        ex.load(BertForSequenceClassification(config), tokenizer=tokenizer, device="cpu")
    """
    given = Given.by(source, tokenizer, processor)
    loaded = loaded_from(given, revision, dtype)
    anatomy = anatomy_of(loaded.net, tower)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    move(loaded.net, torch.device(device or default), dtype)
    model = Model(anatomy=anatomy, **vars(loaded))
    wire_and_check(model)
    model.net.eval()
    return model


@dataclass(frozen=True)
class Given:
    """What a person gives to `load`, taken out of the pipeline or the processor that holds it."""

    source: Any
    tokenizer: PreTrainedTokenizerBase | None
    processor: Any

    @classmethod
    def by(cls, source: Any, tokenizer: Any, processor: Any) -> "Given":
        inside = getattr(source, "model", None)
        if isinstance(inside, nn.Module) and not isinstance(source, nn.Module):  # a pipeline
            tokenizer = tokenizer or getattr(source, "tokenizer", None)
            processor = processor or getattr(source, "image_processor", None)
            source = inside
        if tokenizer is None:
            tokenizer = getattr(processor, "tokenizer", None)
        return cls(source, as_tokenizer(tokenizer), as_processor(processor))


def loaded_from(given: Given, revision: str | None, dtype: torch.dtype | None) -> Loaded:
    """The network and its parts, from what a person gives: a network, or its name."""
    source = without_wrappers(given.source)
    if isinstance(source, PreTrainedModel):
        name = source.config.name_or_path or type(source).__name__
        return Loaded(source, given.tokenizer, given.processor, name, revision or "")
    name = hub_id(str(source).strip()) if isinstance(source, str | Path) else ""
    if not name:
        raise no_model(source)
    if name in BUNDLED:
        return loaded_bundled(name, given)
    return from_files(
        name,
        tokenizer=given.tokenizer,
        processor=given.processor,
        revision=revision or hub_revision(source),
        dtype=dtype or torch.float32,
    )


def loaded_bundled(name: str, given: Given) -> Loaded:
    """A bundled model with the tokenizer and the processor that it needs."""
    row = BUNDLED[name]
    tokenizer, processor = given.tokenizer, given.processor
    if tokenizer is None and row.tokenizer:
        tokenizer = bundled_tokenizer(row.tokenizer)
    if processor is None and row.processor:
        processor = bundled_processor(row.processor)
    return Loaded(bundled_network(name), tokenizer, processor, name, "bundled")


def no_model(given: object) -> ModelUnavailable:
    """The refusal of what is not a model, with the reason where it is a known one."""
    wanted = "A model is a bundled name, a folder, a Hub id or a transformers model"
    if given is None or isinstance(given, str | Path):
        return ModelUnavailable(f"{wanted}; got nothing.")
    reasons = {
        PreTrainedTokenizerBase: "is a tokenizer: give its model, and it as tokenizer=",
        transformers.PretrainedConfig: "holds settings without weights: give the folder or the Hub "
        "id, or a model made of it",
        nn.Module: "is not a model of transformers; one that wraps such a model often has it "
        "inside, as .model, and that can be given",
        dict: "is not a model: weights alone do not say what is computed with them",
    }
    got = type(given).__name__
    for kind, reason in reasons.items():
        if isinstance(given, kind):
            return ModelUnavailable(f"{wanted}; got {got}, which {reason}.")
    return ModelUnavailable(f"{wanted}; got {got}.")


def without_wrappers(source: Any) -> Any:
    """The network inside the wrappers of torch.compile and peft.

    Raises `ModelUnavailable` for adapters that are not inside its layers.
    """
    source = getattr(source, "_orig_mod", source)
    if isinstance(source, PreTrainedModel) or not isinstance(source, nn.Module):
        return source
    if not hasattr(source, "get_base_model"):
        return source
    wrapper: Any = source  # of peft, which is not imported here
    if getattr(wrapper.active_peft_config, "is_prompt_learning", False):
        raise ModelUnavailable(
            f"{type(source).__name__} puts learned vectors before the text (prompt tuning), which "
            "are not tokens of it and cannot be recorded; adapters inside the layers, such as "
            "LoRA's, can."
        )
    return without_wrappers(wrapper.get_base_model())


def move(net: PreTrainedModel, device: torch.device, dtype: torch.dtype | None) -> None:
    """Move a network to a device and a precision, if they are not its own.

    Quantised networks raise an error even if they are moved to where they are.
    """
    weights = [weight for weight in net.parameters() if weight.is_floating_point()]
    moves = any(not is_on(weight, device) for weight in weights)
    converts = dtype is not None and any(weight.dtype != dtype for weight in weights)
    changes: dict[str, Any] = {}
    if moves:
        changes["device"] = device
    if converts:
        changes["dtype"] = dtype
    if not changes:
        return
    if converts and quantised(net):
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


def is_on(weight: torch.Tensor, device: torch.device) -> bool:
    """Whether a weight is on a device; "cuda" without a number is any GPU."""
    same_index = device.index is None or device.index == weight.device.index
    return weight.device.type == device.type and same_index


def wire_and_check(model: Model) -> None:
    """Give every side of `model` this package's attention, and test it on a short input.

    If the logits then differ, or if the score is read elsewhere (see `probe`), the network is left
    as it was, and `ModelUnavailable` is raised.
    """
    net = model.net
    sides = [model]
    if model.is_dual_encoder:
        sides = [model.side("vision"), model.side("text")]
    before = [(config, config._attn_implementation) for config in configs_of(net)]
    hooks = []
    try:
        for side in sides:
            attentions = [submodule(block, side.anatomy.attention) for block in side.blocks]
            hooks += wire(net, side.blocks, attentions)
        for side in sides:
            # without new hooks it was compared before, and other threads may be using it
            probe.check(side, compare=bool(hooks))
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

"""Choose the row of `ANATOMIES` that describes a network, and check that it does."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import nn
from transformers import PreTrainedModel

from ..errors import ModelUnavailable
from .anatomy import (
    ANATOMIES,
    BUILT_IN,
    DUAL,
    Anatomy,
    blocks_of,
    model_types,
    submodule,
    unsupported,
)


@dataclass(frozen=True)
class Side:
    """One tower of a model of type `DUAL`: the path of its encoder and that of its projection."""

    encoder: str
    projection: str
    modality: str


SIDES = {
    "vision": Side("vision_model", "visual_projection", "image"),
    "text": Side("text_model", "text_projection", "text"),
}

#: Types of towers that have a row under another name.
ROW_OF_TOWER = {"clip_vision_model": "clip.vision", "clip_text_model": "clip.text"}

#: Towers without another norm between the last block and the pooler or the projection.
WITHOUT_LAST_NORM = ("bert", "roberta", "distilbert", "electra")


def anatomy_of(net: PreTrainedModel, tower: str | None) -> Anatomy:
    """The checked row of a network.

    tower: the side of a dual encoder, "vision" or "text"; None for vision, and for networks with
    one tower. Raises `ModelUnavailable` if there is no such tower or no row, or if the row does not
    fit.
    """
    model_type = net.config.model_type
    if model_type == DUAL:
        return anatomy_of_side(net, tower or "vision")
    sides = sides_of(model_type)
    if tower is not None and tower not in sides:
        towers = f"the towers {' '.join(sides)}" if sides else "one tower"
        raise ModelUnavailable(f"Models of type {model_type!r} have {towers}; got {tower=}.")
    if sides and not hasattr(net, "logit_scale"):
        return anatomy_of_classifier(net, model_type)
    name = f"{model_type}.{tower or 'vision'}" if sides else model_type
    if name not in ANATOMIES:
        raise unsupported(name)
    anatomy = variant_of(net, ANATOMIES[name])
    check_parts(net, name, anatomy)
    return anatomy


def sides_of(model_type: str) -> list[str]:
    """The towers that have a row: ["vision", "text"] for a dual encoder, [] for others."""
    return [
        name.removeprefix(f"{model_type}.")
        for name in ANATOMIES
        if name.startswith(f"{model_type}.")
    ]


def anatomy_of_classifier(net: PreTrainedModel, model_type: str) -> Anatomy:
    """The row of a dual encoder's vision tower under a classifier of the mean patch.

    The classifier of CLIP reads the patches as they leave the last block. That of SigLIP reads each
    of them after one more norm, so its head is not known. Raises `ModelUnavailable` for a tower
    without a classifier.
    """
    name = f"{model_type}.vision"
    if "ForImageClassification" not in type(net).__name__ or name not in ANATOMIES:
        raise ModelUnavailable(
            f"{type(net).__name__} is one side of a model that matches pictures with texts, and "
            "gives no score by itself; load the whole model, or one with a classifier on top."
        )
    head = ("classifier",) if model_type == "clip" else ()
    anatomy = replace(ANATOMIES[name], readout="mean", head=head)
    check_parts(net, name, anatomy)
    return anatomy


def variant_of(net: PreTrainedModel, anatomy: Anatomy) -> Anatomy:
    """The row of an architecture, changed where a class or a setting of it differs."""
    config = net.config
    if hasattr(net, "distillation_classifier"):  # DeiT with two classifiers
        norm = anatomy.head[0]
        head = (norm, "cls_classifier & distillation_classifier")
        return replace(anatomy, readout="first two", head=head)
    is_classifier = "ForSequenceClassification" in type(net).__name__
    if is_classifier and getattr(config, "classifier_pooling", "cls") == "mean":
        return replace(anatomy, readout="mean")
    if getattr(config, "use_swiglu_ffn", False):  # the largest DINOv2
        return replace(anatomy, ffn=())
    if config.model_type == "beit" and not config.use_mean_pooling:
        return replace(anatomy, readout="first", head=("beit.layernorm", "classifier"))
    return anatomy


def anatomy_of_side(net: PreTrainedModel, tower: str) -> Anatomy:
    """The row of one side of a model that joins any two towers."""
    if tower not in SIDES:
        raise ModelUnavailable(f"A {DUAL} has the towers vision and text; got {tower=}.")
    side = SIDES[tower]
    encoder = submodule(net, side.encoder)
    model_type: str = encoder.config.model_type
    name = ROW_OF_TOWER.get(model_type, model_type)
    if name not in ANATOMIES or ANATOMIES[name].modality != side.modality:
        raise unsupported(name)
    row = ANATOMIES[name]
    head = []
    if row.head and name not in WITHOUT_LAST_NORM:
        norm = row.head[0].rpartition(".")[2]
        head.append(f"{side.encoder}.{norm}")
    readout = row.readout
    if hasattr(encoder, "pooler"):
        head += [f"{side.encoder}.pooler.dense", f"{side.encoder}.pooler.activation"]
        readout = "first"
    head.append(side.projection)
    anatomy = replace(row, tower=side.encoder, head=tuple(head), readout=readout)
    check_parts(net, f"{DUAL}.{tower}", anatomy)
    return anatomy


# ------------------------------------------------------------------------------------------ checks


def check_parts(net: PreTrainedModel, name: str, anatomy: Anatomy) -> None:
    """Raise `ModelUnavailable` for a network that the row `name` does not fit.

    That is one without a part that the row names, one whose modules do not forward keyword
    arguments, one that scores several texts against each other, or one without weights.
    """
    check_kind(net)
    tower = checked_tower(net, name, anatomy)
    blocks = checked_blocks(net, name, tower, anatomy)
    for module in (net, blocks[0]):
        if not forwards_keywords(module):
            raise ModelUnavailable(
                f"{type(module).__name__} does not forward keyword arguments, so nothing inside it "
                "can be recorded."
            )


def check_kind(net: PreTrainedModel) -> None:
    """Raise `ModelUnavailable` for multiple choice, and for weights that are not in memory."""
    kind = type(net).__name__
    if "MultipleChoice" in kind or "DoubleHeads" in kind:
        raise ModelUnavailable(
            f"{kind} chooses among several texts, and one text is explained here; choose a "
            "checkpoint that classifies, answers questions, labels words or says what comes next."
        )
    if any(weight.is_meta for weight in net.parameters()):
        raise ModelUnavailable(
            f"This {kind} has no weights in memory (they are on the device “meta”, or left on the "
            "disk): load it whole, with from_pretrained and without a device map."
        )


def checked_tower(net: PreTrainedModel, name: str, anatomy: Anatomy) -> nn.Module:
    """The tower that the row names, or `ModelUnavailable`."""
    try:
        return submodule(net, anatomy.tower)
    except AttributeError:
        if net.base_model is not net:
            raise missing_part(net, name, "tower", anatomy.tower) from None
        raise ModelUnavailable(
            f"{type(net).__name__} has no head on top of its encoder, so there is no score to "
            "explain; choose a checkpoint made for classification."
        ) from None


def checked_blocks(
    net: PreTrainedModel, name: str, tower: nn.Module, anatomy: Anatomy
) -> list[nn.Module]:
    """The blocks that the row names, each with all parts that it names, or `ModelUnavailable`."""
    try:
        blocks = blocks_of(tower, anatomy)
    except (AttributeError, TypeError):
        blocks = []
    if not blocks:
        raise missing_part(net, name, "blocks", anatomy.blocks)
    for block in blocks:
        for field, path in parts_of_block(anatomy):
            try:
                submodule(block, path)
            except AttributeError:
                raise missing_part(net, name, field, path) from None
    return blocks


def parts_of_block(anatomy: Anatomy) -> Iterator[tuple[str, str]]:
    """The field and the path of each part of a block that a row names."""
    for field in ("attention", "w_o", "norm1", "norm2", "w_v"):
        yield field, getattr(anatomy, field)
    for path in anatomy.ffn:
        yield "ffn", path


def forwards_keywords(module: nn.Module) -> bool:
    """Whether a module takes any keyword argument, which it then passes on."""
    parameters = inspect.signature(module.forward).parameters.values()
    return any(one.kind is one.VAR_KEYWORD for one in parameters)


def missing_part(net: PreTrainedModel, name: str, field: str, path: str) -> ModelUnavailable:
    """The refusal of a network without a part that its row names.

    For a registered row it says which field is wrong. A row of this package cannot be changed by
    the reader, so there it says that this checkpoint is built in another way.
    """
    model_type = name.partition(".")[0]
    if model_type in (DUAL, *model_types(BUILT_IN)):
        return ModelUnavailable(
            f"This {type(net).__name__} is built differently from other models of type "
            f"{net.config.model_type!r}, so it cannot be traced; another checkpoint of the type "
            "may work."
        )
    return ModelUnavailable(
        f"The row {name!r} of ANATOMIES names {path!r} as {field}, and {type(net).__name__} has "
        "nothing there."
    )

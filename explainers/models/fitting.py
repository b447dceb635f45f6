"""The row of `ANATOMIES` that describes a network, and the check that it does."""

import inspect
from dataclasses import replace

from transformers import PreTrainedModel

from ..errors import ModelUnavailable
from .anatomy import ANATOMIES, DUAL, OWN, SIDES, Anatomy, blocks_of, submodule, unsupported


def anatomy_of(net: PreTrainedModel, tower: str | None) -> Anatomy:
    kind = net.config.model_type
    if kind == DUAL:
        return anatomy_of_side(net, tower or "vision")
    sides = [name.partition(".")[2] for name in ANATOMIES if name.startswith(f"{kind}.")]
    if tower is not None and tower not in sides:
        raise ModelUnavailable(
            f"Models of type {kind!r} have {f'the towers {chr(32).join(sides)}' if sides else 'one tower'}; got tower={tower!r}."
        )
    if sides and not hasattr(net, "logit_scale"):
        return anatomy_of_classifier(net, kind)
    kind += f".{tower or 'vision'}" if sides else ""
    if kind not in ANATOMIES:
        raise unsupported(kind)
    anatomy = of_its_class(net, ANATOMIES[kind])
    check(net, kind, anatomy)
    return anatomy


def anatomy_of_classifier(net: PreTrainedModel, kind: str) -> Anatomy:
    """The row of the picture side of a dual encoder under a classifier of the patches' mean.

    CLIP's reads them as they leave the last block, SigLIP's after a norm of each, so that no vector
    is what its head reads. Raises `ModelUnavailable` for a side without a head.
    """
    if "ForImageClassification" not in type(net).__name__ or f"{kind}.vision" not in ANATOMIES:
        raise ModelUnavailable(
            f"{type(net).__name__} is one side of a model that matches pictures with texts, and "
            "gives no score by itself; load the whole model, or one with a classifier on top."
        )
    head = ("classifier",) if kind == "clip" else ()
    anatomy = replace(ANATOMIES[f"{kind}.vision"], readout="mean", head=head)
    check(net, f"{kind}.vision", anatomy)
    return anatomy


def of_its_class(net: PreTrainedModel, anatomy: Anatomy) -> Anatomy:
    """The row of an architecture, where a class or a setting of it reads its score elsewhere."""
    if hasattr(net, "distillation_classifier"):
        return replace(
            anatomy,
            readout="first two",
            head=(anatomy.head[0], "cls_classifier & distillation_classifier"),
        )
    if (
        getattr(net.config, "classifier_pooling", "cls") == "mean"
        and "ForSequenceClassification" in type(net).__name__
    ):
        return replace(anatomy, readout="mean")
    if getattr(net.config, "use_swiglu_ffn", False):  # the largest DINOv2
        return replace(anatomy, ffn=())
    if net.config.model_type == "beit" and not net.config.use_mean_pooling:
        return replace(anatomy, readout="first", head=("beit.layernorm", "classifier"))
    return anatomy


def anatomy_of_side(net: PreTrainedModel, tower: str) -> Anatomy:
    """The row of one side of a model that puts any two towers together."""
    if tower not in SIDES:
        raise ModelUnavailable(f"A {DUAL} has the towers vision and text; got tower={tower!r}.")
    path, projection = SIDES[tower]
    inner = submodule(net, path)
    kind = {"clip_vision_model": "clip.vision", "clip_text_model": "clip.text"}.get(
        inner.config.model_type, inner.config.model_type
    )
    if kind not in ANATOMIES or ANATOMIES[kind].modality != (
        "image" if tower == "vision" else "text"
    ):
        raise unsupported(kind)
    row = ANATOMIES[kind]
    own = (
        []
        if kind in ("bert", "roberta", "distilbert", "electra")
        else [f"{path}.{row.head[0].rpartition('.')[2]}"]
        if row.head
        else []
    )
    pooler = (
        [f"{path}.pooler.dense", f"{path}.pooler.activation"] if hasattr(inner, "pooler") else []
    )
    anatomy = replace(
        row,
        tower=path,
        head=(*own, *pooler, projection),
        readout="first" if pooler else row.readout,
    )
    check(net, f"{DUAL}.{tower}", anatomy)
    return anatomy


def check(net: PreTrainedModel, kind: str, anatomy: Anatomy) -> None:
    """Refuse a network that lacks a part which its row names, whose calls cannot carry the tape, or that scores several texts against each other."""
    if "MultipleChoice" in type(net).__name__ or "DoubleHeads" in type(net).__name__:
        raise ModelUnavailable(
            f"{type(net).__name__} chooses among several texts, and one text is explained here; choose a checkpoint that classifies, "
            "answers questions, labels words or says what comes next."
        )
    if any(weight.is_meta for weight in net.parameters()):
        raise ModelUnavailable(
            f"This {type(net).__name__} has no weights in memory (they are on the device “meta”, "
            "or left on the disk): load it whole, with from_pretrained and without a device map."
        )
    try:
        tower = submodule(net, anatomy.tower)
    except AttributeError:
        if net.base_model is not net:
            raise missing_part(net, kind, "tower", anatomy.tower) from None
        raise ModelUnavailable(
            f"{type(net).__name__} has no head on top of its encoder, so there is no score to explain; "
            "choose a checkpoint made for classification."
        ) from None
    try:
        blocks = blocks_of(tower, anatomy)
    except (AttributeError, TypeError):
        blocks = []
    if not blocks:
        raise missing_part(net, kind, "blocks", anatomy.blocks)
    named = [
        (name, getattr(anatomy, name)) for name in ("attention", "w_o", "norm1", "norm2", "w_v")
    ] + [("ffn", path) for path in anatomy.ffn]
    for block in blocks:
        for name, path in named:
            try:
                submodule(block, path)
            except AttributeError:
                raise missing_part(net, kind, name, path) from None
    for module in (net, blocks[0]):
        if not any(
            one.kind is one.VAR_KEYWORD
            for one in inspect.signature(module.forward).parameters.values()
        ):
            raise ModelUnavailable(
                f"{type(module).__name__} does not hand keyword arguments on, so nothing inside it can be recorded."
            )


def missing_part(net: PreTrainedModel, kind: str, name: str, path: str) -> ModelUnavailable:
    """Why a network does not fit its row: in words of the row for whoever registered it."""
    if kind.partition(".")[0] in (DUAL, *(own.partition(".")[0] for own in OWN)):
        return ModelUnavailable(
            f"This {type(net).__name__} is built otherwise than other models of type "
            f"{net.config.model_type!r}, so it cannot be traced; another checkpoint of the type "
            "may work."
        )
    return ModelUnavailable(
        f"The row {kind!r} of ANATOMIES names {path!r} as {name}, and {type(net).__name__} has nothing there."
    )

"""Where each architecture keeps its parts: `Anatomy`, a row, and `ANATOMIES`, the table of them.

`register` adds a row from outside. Paths of Hugging Face modules inside a tower are in this file
and in `fitting`; the heads of some tasks are read by name elsewhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import reduce, wraps
from typing import Any, TypeVar

from torch import nn

from ..errors import ModelUnavailable, Refusal

RowClass = TypeVar("RowClass", bound=type)


def renamed_fields(**names: str) -> Callable[[RowClass], RowClass]:
    """Let a dataclass take and give fields under older names too: `old="new"`."""

    def decorate(row: RowClass) -> RowClass:
        make: Callable[..., None] = row.__init__

        @wraps(make)
        def init(self, *values, **named) -> None:
            for old, new in names.items():
                if old in named:
                    named[new] = named.pop(old)
            make(self, *values, **named)

        row.__init__ = init
        for old, new in names.items():
            setattr(row, old, property(lambda self, new=new: getattr(self, new)))
        return row

    return decorate


@renamed_fields(sees="modality")
@dataclass(frozen=True)
class Anatomy:
    """The parts of an architecture, named by the paths of their modules.

    tower           from the model: its encoder; "" if that is the model itself
    blocks          from the tower: the list of its blocks; "a.*.b" means the lists b of all parts
                    of the list a, one after the other
    attention       from a block: the attention module, which is called with the keyword arguments
                    that the block gets
    w_o             from a block: the output projection of attention
    norm1           from a block: the LayerNorm of the attention sublayer
    norm2           from a block: the LayerNorm of the feed-forward sublayer
    norm_first      whether a norm comes before its sublayer (pre-LN: x + f(LN x)) or after it
                    (post-LN: LN(x + f(x)))
    ffn             from a block: the first linear map, the activation and the second linear map of
                    the feed-forward sublayer; () if it is gated
    w_v             from a block: the projection of the values; "" if queries, keys and values share
                    one projection
    head            from the model: the steps from the last hidden state of a token to the logits,
                    as paths or as names of `heads.FUNCTIONS`; "a & b" is the mean of two modules
    readout         the tokens that the score is read from: one of `READOUTS`
    prefix          of pictures: names of the tokens before the patches
    modality        "text" or "image"; version 0.2 called it `sees`
    lost_positions  the number of rows of the position table that no token can have
    """

    tower: str
    blocks: str
    attention: str
    w_o: str
    norm1: str
    norm2: str
    norm_first: bool
    ffn: tuple[str, ...] = ()
    w_v: str = ""
    head: tuple[str, ...] = ()
    readout: str = "first"
    prefix: tuple[str, ...] = ()
    modality: str = "text"
    lost_positions: int = 0


#: The tokens that a score can be read from.
READOUTS = (
    "first",  # the first token, often [CLS]
    "last",  # the last token that is not padding
    "very last",  # the last token, padding or not
    "end of text",  # CLIP's end token
    "mean",  # the mean of a text's tokens without padding, or of a picture's patches
    "first and mean",  # [CLS] beside the mean of the patches
    "first two",  # [CLS] and DeiT's distillation token
    "pooling attention",  # all tokens, by the weights of one more attention
)

BERT = Anatomy(
    tower="bert",
    blocks="encoder.layer",
    attention="attention",
    w_v="attention.self.value",
    w_o="attention.output.dense",
    norm1="attention.output.LayerNorm",
    norm2="output.LayerNorm",
    norm_first=False,
    ffn=("intermediate.dense", "intermediate.intermediate_act_fn", "output.dense"),
    head=("bert.pooler.dense", "tanh", "classifier"),
)
ROBERTA = replace(
    BERT,
    tower="roberta",
    head=("classifier.dense", "tanh", "classifier.out_proj"),
    lost_positions=2,
)
DISTILBERT = Anatomy(
    tower="distilbert",
    blocks="transformer.layer",
    attention="attention",
    w_v="attention.v_lin",
    w_o="attention.out_lin",
    norm1="sa_layer_norm",
    norm2="output_layer_norm",
    norm_first=False,
    ffn=("ffn.lin1", "ffn.activation", "ffn.lin2"),
    head=("pre_classifier", "relu", "classifier"),
)
ALBERT = Anatomy(  # few blocks, each of which runs several times
    tower="albert",
    blocks="encoder.albert_layer_groups.*.albert_layers",
    attention="attention",
    w_v="attention.value",
    w_o="attention.dense",
    norm1="attention.LayerNorm",
    norm2="full_layer_layer_norm",
    norm_first=False,
    ffn=("ffn", "activation", "ffn_output"),
    head=("albert.pooler", "tanh", "classifier"),
)
MODERNBERT = Anatomy(  # no norm before the attention of block 0; a last norm before the head
    tower="model",
    blocks="layers",
    attention="attn",
    w_o="attn.Wo",
    norm1="attn_norm",
    norm2="mlp_norm",
    norm_first=True,
)
GPT2 = Anatomy(
    tower="transformer",
    blocks="h",
    attention="attn",
    w_o="attn.c_proj",
    norm1="ln_1",
    norm2="ln_2",
    norm_first=True,
    ffn=("mlp.c_fc", "mlp.act", "mlp.c_proj"),
    readout="last",
)
VIT = Anatomy(
    tower="vit",
    blocks="layers",
    attention="attention",
    w_v="attention.v_proj",
    w_o="attention.o_proj",
    norm1="layernorm_before",
    norm2="layernorm_after",
    norm_first=True,
    ffn=("mlp.fc1", "mlp.activation_fn", "mlp.fc2"),
    head=("vit.layernorm", "classifier"),
    prefix=("[CLS]",),
    modality="image",
)
DEIT = replace(
    VIT,
    tower="deit",
    head=("deit.layernorm", "classifier"),
    prefix=("[CLS]", "[DIST]"),
)
BEIT = replace(
    VIT,
    tower="beit",
    head=("beit.pooler.layernorm", "classifier"),
    readout="mean",
)
DINOV2 = replace(
    VIT,
    tower="dinov2",
    blocks="encoder.layer",
    norm1="norm1",
    norm2="norm2",
    head=("dinov2.layernorm", "twice", "classifier"),
    readout="first and mean",
)
CLIP_TEXT = Anatomy(
    tower="text_model",
    blocks="encoder.layers",
    attention="self_attn",
    w_v="self_attn.v_proj",
    w_o="self_attn.out_proj",
    norm1="layer_norm1",
    norm2="layer_norm2",
    norm_first=True,
    ffn=("mlp.fc1", "mlp.activation_fn", "mlp.fc2"),
    head=("text_model.final_layer_norm", "text_projection"),
    readout="end of text",
)
CLIP_VISION = replace(
    CLIP_TEXT,
    tower="vision_model",
    head=("vision_model.post_layernorm", "visual_projection"),
    readout="first",
    prefix=("[CLS]",),
    modality="image",
)
SIGLIP_TEXT = replace(
    CLIP_TEXT,
    head=("text_model.final_layer_norm", "text_model.head"),
    readout="very last",
)
SIGLIP_VISION = replace(
    CLIP_VISION,
    head=("vision_model.post_layernorm", "alone", "vision_model.head"),
    readout="pooling attention",
    prefix=(),
)

#: The architectures that can be traced, by `config.model_type`; a dual encoder has a row per side.
ANATOMIES: dict[str, Anatomy] = {
    "bert": BERT,
    "roberta": ROBERTA,
    "camembert": ROBERTA,
    "xlm-roberta": ROBERTA,
    "data2vec-text": replace(ROBERTA, tower="data2vec_text"),
    "ernie": replace(BERT, tower="ernie", head=("ernie.pooler.dense", "tanh", "classifier")),
    "distilbert": DISTILBERT,
    "electra": replace(
        BERT, tower="electra", head=("classifier.dense", "gelu", "classifier.out_proj")
    ),
    "albert": ALBERT,
    "modernbert": MODERNBERT,
    "gpt2": GPT2,
    "vit": VIT,
    "deit": DEIT,
    "beit": BEIT,
    "dinov2": DINOV2,
    "dinov2_with_registers": replace(
        DINOV2,
        tower="dinov2_with_registers",
        head=("dinov2_with_registers.layernorm", "twice", "classifier"),
    ),
    "clip.vision": CLIP_VISION,
    "clip.text": CLIP_TEXT,
    "siglip.vision": SIGLIP_VISION,
    "siglip.text": SIGLIP_TEXT,
}

#: The rows that come with this package and are not registered from outside.
BUILT_IN = tuple(ANATOMIES)

#: Why some well-known architectures have no row.
REASONS: dict[str, str] = dict.fromkeys(
    ("deberta", "deberta-v2"),
    "DeBERTa computes attention from relative positions inside its own code, where it cannot be "
    "recorded.",
)

#: The model type of a dual encoder that joins any two towers.
DUAL = "vision-text-dual-encoder"


def register(model_type: str, anatomy: Anatomy) -> None:
    """Add an architecture to `ANATOMIES`, so that `load` can trace its models.

    The architecture can be traced if its attention goes through
    `transformers.AttentionInterface`, and if its blocks take the hidden states as their first
    argument, return nothing else, and pass keyword arguments on to their attention module. Heads
    may share keys and values, and scores may have a soft cap.

    `load` tests each model once on a short input. It refuses the model if its logits differ from
    those of the eager attention of `transformers`, if its score is not read where
    `anatomy.readout` says, or if a path of the row leads nowhere.

    Parameters
    ----------
    model_type:
        The `config.model_type` of the models. "type.vision" and "type.text" are the two sides of a
        dual encoder; `load(..., tower="text")` chooses between them.
    anatomy:
        Where these models keep their parts.

    Raises
    ------
    Refusal:
        If another row has this name, or if a field holds a value that it cannot hold. To register
        the same row twice changes nothing.

    Example
    -------
        ex.register("my-roberta", ex.ANATOMIES["roberta"])
    """
    if not isinstance(model_type, str) or not model_type.strip():
        raise Refusal(
            "An architecture is registered under its config.model_type, a word like 'bert'; "
            f"got {model_type!r}."
        )
    if not isinstance(anatomy, Anatomy):
        raise Refusal(f"An architecture is described by an Anatomy; got {type(anatomy).__name__}.")
    check_fields(anatomy)
    if ANATOMIES.get(model_type, anatomy) != anatomy:
        raise Refusal(
            f"There is an architecture {model_type!r} already; register yours under the "
            "model_type of its own config."
        )
    ANATOMIES[model_type] = anatomy


def check_fields(anatomy: Anatomy) -> None:
    """Raise `Refusal` if a field of a row has a wrong type or an unknown value."""
    for field in fields(Anatomy):
        value = getattr(anatomy, field.name)
        if field.type in (str, bool, int):
            if type(value) is not field.type:
                wanted = f"of type {field.type.__name__}"
                raise Refusal(f"{field.name} of an Anatomy is {wanted}; got {value!r}.")
        elif type(value) is not tuple or not all(isinstance(name, str) for name in value):
            raise Refusal(f"{field.name} of an Anatomy is a tuple of names; got {value!r}.")
    if anatomy.readout not in READOUTS:
        wanted = ", ".join(map(repr, READOUTS))
        raise Refusal(f"The readout of an Anatomy is one of {wanted}; got {anatomy.readout!r}.")
    if anatomy.modality not in ("text", "image"):
        raise Refusal(f"The modality of an Anatomy is 'text' or 'image'; got {anatomy.modality!r}.")
    if len(anatomy.ffn) not in (0, 3):
        raise Refusal(f"The ffn of an Anatomy names three parts or none; got {anatomy.ffn!r}.")


def submodule(module: nn.Module, path: str) -> Any:
    """The part of `module` at a dotted path; the module itself for "".

    The result has the type Any: what a module of the library offers is known to its row alone.
    Raises `AttributeError` where the path leads nowhere.
    """
    if not path:
        return module
    return reduce(getattr, path.split("."), module)


def blocks_of(tower: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    """The blocks of a tower, each module once, in the order of `anatomy.blocks`."""
    outer, _, inner = anatomy.blocks.partition(".*.")
    groups = submodule(tower, outer)
    if not inner:
        return list(groups)
    blocks = []
    for group in groups:
        blocks.extend(submodule(group, inner))
    return blocks


def model_types(names: Iterable[str]) -> list[str]:
    """The model types of rows, each once: "clip" for "clip.vision" and "clip.text"."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def unsupported(model_type: str) -> ModelUnavailable:
    """The refusal of an architecture that has no row, with the menu of those that have one."""
    why = REASONS.get(model_type, f"Models of type {model_type!r} cannot be traced yet.")
    return ModelUnavailable(f"{why} These can: {', '.join(model_types(ANATOMIES))}.")

"""Where each architecture keeps its parts: the table `ANATOMIES`, and `register`, which adds to it."""

from dataclasses import dataclass, fields
from functools import reduce

from torch import nn

from ..errors import ModelUnavailable, Refusal


@dataclass(frozen=True)
class Anatomy:
    """Names of an architecture's parts: paths from the model to its blocks, and from a block to its parts."""

    tower: str  # the encoder, from the model ("" for itself)
    blocks: str  # from the tower: a list of blocks; "a.*.b" for all of the lists b that the parts of a hold
    attention: str  # from a block: the module called with what attention reads and with the tape
    w_o: str  # from a block: attention's output projection
    norm1: str  # from a block: the LayerNorm of the attention sublayer
    norm2: str  # from a block: the LayerNorm of the feed-forward sublayer
    norm_first: bool  # pre-LN (x + f(LN x)) or post-LN (LN(x + f(x)))
    ffn: tuple[
        str, ...
    ] = ()  # from a block: the two linear maps of the feed-forward sublayer and the function between; () if gated
    w_v: str = ""  # from a block: the values' projection; "" if queries, keys and values share one
    head: tuple[
        str, ...
    ] = ()  # from the model: the steps from a token's last hidden state to the logits; tanh, relu and gelu by name
    readout: str = "first"  # what the score is read from: see READOUTS
    prefix: tuple[str, ...] = ()  # of pictures: the tokens before the patches
    modality: str = "text"  # text or image
    lost_positions: int = 0  # rows of the position table that no token can have


#: What a score can be read from: the first token, the last real one, the very last, CLIP's end of text, the mean of a text's real tokens or
#: of a picture's patches, [CLS] beside that mean, the first two tokens ([CLS] and DeiT's distillation token), or what one more attention gathers.
READOUTS = (
    "first",
    "last",
    "very last",
    "end of text",
    "mean",
    "first and mean",
    "first two",
    "pooling attention",
)

BLOCKS_OF_BERT = {
    "blocks": "encoder.layer",
    "attention": "attention",
    "w_v": "attention.self.value",
    "w_o": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "norm2": "output.LayerNorm",
    "norm_first": False,
    "ffn": ("intermediate.dense", "intermediate.intermediate_act_fn", "output.dense"),
}
BLOCKS_OF_VIT = {
    "blocks": "layers",
    "attention": "attention",
    "w_v": "attention.v_proj",
    "w_o": "attention.o_proj",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "norm_first": True,
    "ffn": ("mlp.fc1", "mlp.activation_fn", "mlp.fc2"),
    "modality": "image",
    "prefix": ("[CLS]",),
}
BLOCKS_OF_DINO = BLOCKS_OF_VIT | {
    "blocks": "encoder.layer",
    "norm1": "norm1",
    "norm2": "norm2",
    "readout": "first and mean",
}
BLOCKS_OF_CLIP = {
    "blocks": "encoder.layers",
    "attention": "self_attn",
    "w_v": "self_attn.v_proj",
    "w_o": "self_attn.out_proj",
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "norm_first": True,
    "ffn": ("mlp.fc1", "mlp.activation_fn", "mlp.fc2"),
}

HEAD_OF_ROBERTA = ("classifier.dense", "tanh", "classifier.out_proj")

ANATOMIES = {
    "bert": Anatomy("bert", **BLOCKS_OF_BERT, head=("bert.pooler.dense", "tanh", "classifier")),
    **{
        kind: Anatomy("roberta", **BLOCKS_OF_BERT, head=HEAD_OF_ROBERTA, lost_positions=2)
        for kind in ("roberta", "camembert", "xlm-roberta")
    },
    "data2vec-text": Anatomy(
        "data2vec_text", **BLOCKS_OF_BERT, head=HEAD_OF_ROBERTA, lost_positions=2
    ),
    "ernie": Anatomy("ernie", **BLOCKS_OF_BERT, head=("ernie.pooler.dense", "tanh", "classifier")),
    "distilbert": Anatomy(
        "distilbert",
        "transformer.layer",
        attention="attention",
        w_v="attention.v_lin",
        w_o="attention.out_lin",
        norm1="sa_layer_norm",
        norm2="output_layer_norm",
        norm_first=False,
        ffn=("ffn.lin1", "ffn.activation", "ffn.lin2"),
        head=("pre_classifier", "relu", "classifier"),
    ),
    "electra": Anatomy(
        "electra", **BLOCKS_OF_BERT, head=("classifier.dense", "gelu", "classifier.out_proj")
    ),
    "albert": Anatomy(  # few blocks, run again and again
        "albert",
        "encoder.albert_layer_groups.*.albert_layers",
        attention="attention",
        w_v="attention.value",
        w_o="attention.dense",
        norm1="attention.LayerNorm",
        norm2="full_layer_layer_norm",
        norm_first=False,
        ffn=("ffn", "activation", "ffn_output"),
        head=("albert.pooler", "tanh", "classifier"),
    ),
    "modernbert": Anatomy(  # its first block has no norm before attention; a last norm stands before the head
        "model",
        "layers",
        attention="attn",
        w_o="attn.Wo",
        norm1="attn_norm",
        norm2="mlp_norm",
        norm_first=True,
    ),
    "gpt2": Anatomy(
        "transformer",
        "h",
        attention="attn",
        w_o="attn.c_proj",
        norm1="ln_1",
        norm2="ln_2",
        norm_first=True,
        ffn=("mlp.c_fc", "mlp.act", "mlp.c_proj"),
        readout="last",
    ),
    "vit": Anatomy("vit", **BLOCKS_OF_VIT, head=("vit.layernorm", "classifier")),
    "deit": Anatomy(
        "deit",
        **BLOCKS_OF_VIT | {"prefix": ("[CLS]", "[DIST]")},
        head=("deit.layernorm", "classifier"),
    ),
    "beit": Anatomy(
        "beit", **BLOCKS_OF_VIT, readout="mean", head=("beit.pooler.layernorm", "classifier")
    ),
    "dinov2": Anatomy("dinov2", **BLOCKS_OF_DINO, head=("dinov2.layernorm", "twice", "classifier")),
    "dinov2_with_registers": Anatomy(
        "dinov2_with_registers",
        **BLOCKS_OF_DINO,
        head=("dinov2_with_registers.layernorm", "twice", "classifier"),
    ),
    "clip.vision": Anatomy(
        "vision_model",
        **BLOCKS_OF_CLIP,
        modality="image",
        prefix=("[CLS]",),
        head=("vision_model.post_layernorm", "visual_projection"),
    ),
    "clip.text": Anatomy(
        "text_model",
        **BLOCKS_OF_CLIP,
        readout="end of text",
        head=("text_model.final_layer_norm", "text_projection"),
    ),
    "siglip.vision": Anatomy(
        "vision_model",
        **BLOCKS_OF_CLIP,
        modality="image",
        readout="pooling attention",
        head=("vision_model.post_layernorm", "alone", "vision_model.head"),
    ),
    "siglip.text": Anatomy(
        "text_model",
        **BLOCKS_OF_CLIP,
        readout="very last",
        head=("text_model.final_layer_norm", "text_model.head"),
    ),
}

#: Those that are not registered from outside.
OWN = tuple(ANATOMIES)

#: Why some well-known architectures have no row.
REASONS = dict.fromkeys(
    ("deberta", "deberta-v2"),
    "DeBERTa computes attention from relative positions inside its own code, which offers no place to record it.",
)


#: The towers of a model that puts any two together, and how its own parts continue theirs.
DUAL = "vision-text-dual-encoder"
SIDES = {"vision": ("vision_model", "visual_projection"), "text": ("text_model", "text_projection")}


def submodule(module: nn.Module, path: str) -> nn.Module:
    return reduce(getattr, path.split(".") if path else [], module)


def register(model_type: str, anatomy: Anatomy) -> None:
    """Add an architecture: `anatomy` says where models whose `config.model_type` is `model_type` keep their parts.

    "name.side" is one side of a dual encoder, as `load(..., tower="side")` asks for it. A model of
    that type can then be traced if its attention goes through `transformers.AttentionInterface`,
    and if its blocks take the hidden states as their first argument, give back nothing else and
    hand keyword arguments on. Heads may share keys and values, and scores may have a soft cap.
    `load` asks each model once, by a short input, whether its logits stay those of the eager
    attention of `transformers` and whether its score is read where `readout` says, and refuses it
    otherwise. Registering the same row twice changes nothing. Raises `Refusal` if the name belongs
    to another row or a field holds what it cannot; a path that leads nowhere is refused by `load`,
    which knows the model.

        ex.register("my-roberta", ex.ANATOMIES["roberta"])
    """
    if not isinstance(model_type, str) or not model_type.strip():
        raise Refusal(
            "An architecture is registered under its config.model_type, a word like 'bert'."
        )
    if not isinstance(anatomy, Anatomy):
        raise Refusal(f"An architecture is described by an Anatomy; got {type(anatomy).__name__}.")
    for field in fields(Anatomy):
        value, wanted = (
            getattr(anatomy, field.name),
            dict.fromkeys(("ffn", "head", "prefix"), tuple).get(field.name, field.type),
        )
        if type(value) is not wanted or (
            wanted is tuple and not all(isinstance(name, str) for name in value)
        ):
            raise Refusal(
                f"{field.name} of an Anatomy is {'a tuple of names' if wanted is tuple else f'of type {wanted.__name__}'}; got {value!r}."
            )
    if (
        anatomy.readout not in READOUTS
        or anatomy.modality not in ("text", "image")
        or len(anatomy.ffn) not in (0, 3)
    ):
        raise Refusal(
            f"The readout of an Anatomy is one of {', '.join(map(repr, READOUTS))}, it sees 'text' or 'image', and ffn names three parts or none."
        )
    if ANATOMIES.get(model_type, anatomy) != anatomy:
        raise Refusal(
            f"There is an architecture {model_type!r} already; register yours under the model_type of its own config."
        )
    ANATOMIES[model_type] = anatomy


def blocks_of(tower: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    outer, _, inner = anatomy.blocks.partition(".*.")
    return (
        [block for group in submodule(tower, outer) for block in submodule(group, inner)]
        if inner
        else list(submodule(tower, outer))
    )


def unsupported(kind: str) -> ModelUnavailable:
    types = dict.fromkeys(name.partition(".")[0] for name in ANATOMIES)
    why = REASONS.get(kind, f"Models of type {kind!r} cannot be traced yet.")
    return ModelUnavailable(f"{why} These can: {', '.join(types)}.")

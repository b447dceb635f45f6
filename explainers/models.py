"""Networks that can be traced: where each architecture keeps its parts, and how a model is had.

The only file that knows a Hugging Face module path. An architecture is a row of `ANATOMIES`, to which `register` adds;
a bundled model is a folder of `assets/models`.
"""

import inspect
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache, reduce
from pathlib import Path
from urllib.parse import unquote

import torch
import torch.nn.functional as F
import transformers
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.clip.modeling_clip import CLIPOutput

from . import probe, targets
from .errors import ModelUnavailable, Refusal, first_line
from .inputs import Encoded, encode, from_text
from .linear import Affine, affine, in_steps, merged, naming_quantised, quantised
from .pictures import blurred
from .processors import HALVES, Colours, colours_of
from .trace import Layer, Tape, Trace, configs_of, evaluating, ordinary, trace, wire


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

#: The longest input that is recorded: attention maps of a base-sized model at 8,192 tokens would fill 70 GB.
MOST_TOKENS = 1024

PAIRED = ("paraphrase", "inference")  # of the bundled models, those that compare two texts
PICTURED = ("vit", "image-text")  # and those that see pictures
BUNDLED = ("sentiment", "paraphrase", "inference", "question-answering", *PICTURED)


#: What can stand for nothing, by what a model sees.
BLANKS = {"text": ("mask", "pad", "unk"), "image": ("mean", "black", "white", "blur")}

#: Steps of a head that are functions in the model's code, not modules.
FUNCTIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "twice": lambda pooled: torch.cat(
        [pooled, pooled], -1
    ),  # [CLS] and the mean of the patches, side by side
    "alone": lambda pooled: pooled[:, None],  # a sequence of one token
}

#: The towers of a model that puts any two together, and how its own parts continue theirs.
DUAL = "vision-text-dual-encoder"
SIDES = {"vision": ("vision_model", "visual_projection"), "text": ("text_model", "text_projection")}


def part(module: nn.Module, path: str) -> nn.Module:
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


def both(size) -> tuple[int, int]:
    """(height, width) of a setting that is one number for a square."""
    return (size, size) if isinstance(size, int) else tuple(size)


@dataclass(frozen=True, eq=False)
class Model:
    """A network that can be traced, with what is needed to read and write for it.

    net is an ordinary `transformers` model; tokenizer (or None) turns text into its inputs; processor (or None) turns
    pictures into them. name and revision say which model it is, wherever a result is saved.
    """

    net: PreTrainedModel
    anatomy: Anatomy
    tokenizer: PreTrainedTokenizerBase | None = None
    processor: object | None = None
    name: str = ""
    revision: str = ""

    @property
    def tower(self) -> nn.Module:
        return part(self.net, self.anatomy.tower)

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules that run as layers. One that runs several times (ALBERT) is here once, in `Trace.layers` as often as it ran."""
        return blocks_of(self.tower, self.anatomy)

    @cached_property
    def task(self) -> str:
        """What its logits are about: the "next" token, the ends of an "answer", the labels of single "tokens", or "classes"."""
        name = type(self.net).__name__
        kinds = {
            "CausalLM": "next",
            "LMHead": "next",
            "QuestionAnswering": "answer",
            "TokenClassification": "tokens",
        }
        return next((task for kind, task in kinds.items() if kind in name), "classes")

    @property
    def multi_label(self) -> bool:
        """Whether each class is true or not by itself (several labels at once, SigLIP), so that probabilities do not add up to 1."""
        return getattr(
            self.net.config, "problem_type", None
        ) == "multi_label_classification" or hasattr(self.net, "logit_bias")

    @property
    def is_regression(self) -> bool:
        """Whether its outputs are values and not logits of classes, as a regression's are."""
        problem = getattr(self.net.config, "problem_type", None)
        return self.task == "classes" and problem == "regression"

    def said(self, outputs, table: Tensor) -> targets.Answer:
        """The network's outputs with their logits, or values, [example class], ready to be read."""
        return targets.Answer(
            outputs, table, multi_label=self.multi_label, is_regression=self.is_regression
        )

    @property
    def labels(self) -> dict[int, str]:
        """The classes by index, as many as the head has; of a language model, its vocabulary as
        text, spaces included."""
        if self.task == "next":
            size = self.net.config.vocab_size
            if self.tokenizer is None:
                return {i: str(i) for i in range(size)}
            return vocabulary(self.tokenizer, size, len(self.tokenizer))
        names = {int(index): str(name) for index, name in self.net.config.id2label.items()}
        if self.columns:
            names = {index: names.get(index, f"LABEL_{index}") for index in range(self.columns)}
        count = Counter(names.values())  # ImageNet has two cranes
        return {
            index: name if count[name] == 1 else f"{name} ({index})"
            for index, name in names.items()
        }

    @property
    def columns(self) -> int | None:
        """How many logits the head of a classifier gives, by its last linear layer; None where that
        is not known."""
        for path in (
            (*self.anatomy.head[-1:], "classifier", "score") if not self.is_dual_encoder else ()
        ):
            try:
                head = part(self.net, path.split(" & ")[-1])
            except AttributeError:
                continue
            widths = [
                layer.out_features for layer in head.modules() if hasattr(layer, "out_features")
            ]
            if widths:
                return widths[-1]
        return None

    @property
    def max_tokens(self) -> int | None:
        """The most tokens one input may have, specials included; None when nothing limits it."""
        positions = getattr(self.tower.config, "max_position_embeddings", None)
        limits = [min(MOST_TOKENS, positions - self.anatomy.lost_positions)] if positions else []
        if self.tokenizer is not None and self.tokenizer.model_max_length < 1e6:
            limits.append(self.tokenizer.model_max_length)
        return min(limits, default=None)

    # ------------------------------------------------------------------------------------------------ tracing

    def trace(self, inputs, target=None) -> Trace:
        """One pass forward and one backward over `inputs`: a text, a pair of texts, or tensors with a batch axis of one.

        target: None (the predicted class), a label, a class index, a pair (their difference), or a function of the
        model's outputs. Raises `Refusal` in plain words for what cannot be explained.
        """
        return self.trace_many([inputs], [target])[0]

    @ordinary
    def trace_many(self, inputs: list, targets_: list | None = None, rows: int = 32) -> list[Trace]:
        """`trace` for many: inputs of one shape share a forward and a backward pass, at most `rows` at a time."""
        wanted = [None] * len(inputs) if targets_ is None else list(targets_)
        if len(wanted) != len(inputs):
            raise Refusal(f"{len(inputs)} inputs need as many targets; got {len(wanted)}.")
        coded = [self.encode(one) for one in inputs]
        traces: list[Trace | None] = [None] * len(inputs)
        for places in of_one_shape(coded, rows):
            tensors = {
                name: torch.cat([coded[i].tensors[name] for i in places])
                for name in coded[places[0]].tensors
            }
            special_tokens = torch.stack([coded[i].special_tokens for i in places]).to(
                self.net.device
            )
            asked = [targets.chosen(self, coded[i], wanted[i]) for i in places]
            words = [coded[i].words for i in places]
            for i, one in zip(places, trace(self, tensors, asked, special_tokens, words=words)):
                traces[i] = one
        return traces

    def target_of(self, inputs, target=None) -> targets.Target:
        """What `target`, as for `trace`, means for this input; the network does not run.

        Raises `Refusal` in plain words for what it cannot mean here.
        """
        return targets.chosen(self, self.encode(inputs), target)

    def encode(self, inputs) -> Encoded:
        return inputs if isinstance(inputs, Encoded) else encode(self, inputs)

    def encode_text(self, text: str) -> Encoded:
        """One text alone, as the text side of a dual encoder reads it."""
        return from_text(self, (text,))

    def classes(self, coded: Encoded) -> dict[int, str]:
        """What a target may name: the labels, or what a dual encoder matches the input with."""
        return dict(enumerate(coded.candidates)) if self.is_dual_encoder else self.labels

    # ----------------------------------------------------------------------------------------- pictures and texts

    @property
    def is_dual_encoder(self) -> bool:
        """Whether it scores how well a picture and a text match: one side of a dual encoder is traced, the other only looked up."""
        return hasattr(self.net, "get_image_features") and hasattr(self.net, "logit_scale")

    def side(self, which: str) -> "Model":
        """The same network with its other tower traced: "vision" or "text"."""
        if not self.is_dual_encoder:
            raise Refusal(
                f"{self.name} has one side only; a model that matches pictures with texts has two."
            )
        return (
            self
            if (self.anatomy.modality == "image") == (which == "vision")
            else replace(self, anatomy=anatomy_of(self.net, which))
        )

    def features(self, inputs: dict[str, Tensor], **tape) -> Tensor:
        """What a dual encoder makes of pictures or texts, as unit vectors [example dim]."""
        take = (
            self.net.get_image_features
            if self.anatomy.modality == "image"
            else self.net.get_text_features
        )
        with evaluating(self.net):
            found = take(**inputs, **self.resized(inputs), **tape).pooler_output
        return found / found.norm(dim=-1, keepdim=True)

    def match(self, features: Tensor, matched: Tensor) -> Tensor:
        """[example match] the scaled cosines of unit vectors [example dim] and [1 or example match dim]."""
        cosines = torch.matmul(features[:, None], matched.mT)[:, 0]
        bias = getattr(self.net, "logit_bias", None)
        return cosines * self.net.logit_scale.detach().exp() + (
            0 if bias is None else bias.detach()
        )

    @property
    def prefix(self) -> tuple[str, ...]:
        """Labels of the tokens before a picture's patches."""
        return (
            *self.anatomy.prefix,
            *["[REG]"] * getattr(self.tower.config, "num_register_tokens", 0),
        )

    def grid(self, pixels: Tensor) -> tuple[int, int]:
        """(rows, columns) of the patches of pixel_values [example channel height width]."""
        tall, wide = self.patch
        return pixels.shape[-2] // tall, pixels.shape[-1] // wide

    @property
    def patch(self) -> tuple[int, int]:
        """(height, width) of a patch in pixels."""
        return both(self.tower.config.patch_size)

    def resized(self, inputs: dict[str, Tensor]) -> dict:
        """What a call needs if the picture has not the size of the training: positions between the learned ones."""
        if (
            self.anatomy.modality != "image"
            or "interpolate_pos_encoding" not in inspect.signature(self.tower.forward).parameters
        ):
            return {}
        return (
            {}
            if tuple(inputs["pixel_values"].shape[-2:]) == self.trained_size
            else {"interpolate_pos_encoding": True}
        )

    @property
    def trained_size(self) -> tuple[int, int]:
        """(height, width) of the pictures it was trained on, in pixels."""
        return both(self.tower.config.image_size)

    def normalised(self, rgb: Tensor) -> Tensor:
        """[... 3 height width] of 0 to 1 -> pixel_values; `rgb` is the way back."""
        return self.colours.pixels(rgb)

    def rgb(self, pixels: Tensor) -> Tensor:
        return self.colours.rgb(pixels).clamp(0, 1)

    def grey(self, like: Tensor) -> Tensor:
        """[3 1 1] the pixel_values of a grey that says nothing."""
        return torch.tensor(self.colours.grey).to(like)[:, None, None]

    @property
    def colours(self) -> Colours:
        """What the processor makes of colours, measured; without one, all is from -1 to 1."""
        return HALVES if self.processor is None else colours_of(self.processor)

    def answer(
        self, inputs: dict[str, Tensor], attended: Tensor | None = None, **tape
    ) -> targets.Answer:
        """What the network says, in evaluation mode. real [example token] tells where padding is,
        if not the attention mask."""
        with evaluating(self.net), naming_quantised(self.net):
            return self.answer_as_is(inputs, attended, **tape)

    def answer_as_is(
        self, inputs: dict[str, Tensor], attended: Tensor | None, **tape
    ) -> targets.Answer:
        if self.is_dual_encoder:
            table = self.match(
                self.features(
                    {name: tensor for name, tensor in inputs.items() if name != "matched"}, **tape
                ),
                inputs["matched"],
            )
            outputs = CLIPOutput(
                **{
                    "logits_per_image"
                    if self.anatomy.modality == "image"
                    else "logits_per_text": table
                }
            )
            return self.said(outputs, table)
        without_cache = (
            {"use_cache": False} if hasattr(self.net.config, "use_cache") else {}
        )  # GPT-2 would append to it
        outputs = (self.pooled if self.pools_by_ids else self.net)(
            **inputs, **self.resized(inputs), **without_cache, **tape
        )
        if "start_logits" in outputs:
            ends = torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
            padding = ~(self.attended(inputs, ends.shape[1]) if attended is None else attended)
            return targets.Answer(outputs, None, ends.masked_fill(padding[..., None], -torch.inf))
        table = outputs.logits if "logits" in outputs else None
        if (
            table is not None and table.ndim == 3
        ):  # logits for every token: what comes next is read at the last
            if self.task == "tokens" or self.anatomy.readout != "last":
                return targets.Answer(outputs, None, table if self.task == "tokens" else None)
            at = (
                self.readout(
                    inputs, self.attended(inputs, table.shape[1]) if attended is None else attended
                )
                .argmax(-1)
                .expand(len(table))
            )
            table = table[torch.arange(len(table), device=table.device), at]
            if self.pools_by_ids:
                outputs.logits = table
        elif (
            type(self.net).__name__ == "ElectraForPreTraining"
        ):  # [example token], one logit each: no table of classes
            return targets.Answer(outputs, None)
        return self.said(outputs, table)

    @property
    def pools_by_ids(self) -> bool:
        """Whether the network's own head looks for the last token by the ids of the batch: GPT-2 as a classifier does."""
        return (
            self.anatomy.readout == "last"
            and "ForSequenceClassification" in type(self.net).__name__
            and hasattr(self.net, "score")
        )

    def pooled(self, **inputs) -> SequenceClassifierOutputWithPast:
        """The network up to the logits [example token class], from which `answer` takes the readout's: word embeddings have no ids to
        look at, blanks are no padding, and an edit can make more examples than ids came in."""
        outputs = self.tower(**inputs)
        return SequenceClassifierOutputWithPast(
            logits=self.net.score(outputs.last_hidden_state),
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def attended(self, inputs: dict[str, Tensor], tokens: int) -> Tensor:
        """[example token] bool: False at padding."""
        if self.anatomy.modality == "text" and "attention_mask" in inputs:
            attended = inputs["attention_mask"].bool()
        else:
            attended = torch.ones(1, tokens, dtype=torch.bool, device=self.net.device)
        padding = (
            self.net.config.pad_token_id if self.pools_by_ids and "input_ids" in inputs else None
        )
        if (
            padding is not None
        ):  # its own head skips trailing padding whatever the mask says, and causal attention never sees it
            said = (inputs["input_ids"] != padding).int()
            attended = attended & said.flip(-1).cummax(-1).values.flip(-1).bool()
        return attended

    def readout(
        self, inputs: dict[str, Tensor], attended: Tensor, last: Tensor | None = None
    ) -> Tensor:
        """[example token] how much of a class's score is read from each token, adding up to 1.

        last [example token dim] left the last block; where one more attention pools it, its weights are the answer.
        """
        how, n = self.anatomy.readout, attended.shape[-1]
        if how == "pooling attention":
            pool, states = self.tower.head, self.tower.post_layernorm(last)
            return pool.attention(pool.probe.expand(len(states), -1, -1), states, states)[
                1
            ].detach()[:, 0]
        if how in ("first", "first two", "mean", "first and mean"):
            token = torch.arange(n, device=attended.device)[None]
            places = {
                "first": token == 0,
                "first two": token < 2,
                "mean": attended & (token >= len(self.prefix)),
            }
            parts = [
                places[name].to(self.net.dtype)
                for name in (("first", "mean") if how == "first and mean" else (how,))
            ]
            return sum(part / part.sum(-1, keepdim=True) for part in parts) / len(parts)
        if how == "end of text":
            token = self.end_of_text(inputs["input_ids"])
        elif how == "very last":
            token = torch.tensor([n - 1], device=attended.device)
        else:
            token = (attended * torch.arange(1, n + 1, device=attended.device)).argmax(
                -1
            )  # the last that is real
        return F.one_hot(token, n).to(self.net.dtype)

    def end_of_text(self, ids: Tensor) -> Tensor:
        """[example] the token that CLIP's text tower reads in ids [example token]: the first end
        token, or, where its settings hold the 2 that was saved for one in 2021, the highest id.
        Raises `Refusal` where there is no end token."""
        end = getattr(self.tower, "eos_token_id", self.tower.config.eos_token_id)
        if end == 2:
            return ids.int().argmax(-1)
        found = ids == end
        if not found.any(-1).all():
            raise Refusal(
                f"This text has no end token (id {end}), at which the model would read it: "
                "add one, as the model's tokenizer does."
            )
        return found.int().argmax(-1)

    def hide(self, inputs: dict[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """The inputs with `tokens` [token] (bool) closed to every query."""
        if self.anatomy.modality != "text":
            raise Refusal("Tokens can be hidden from attention in text models only.")
        open_to = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
        return inputs | {"attention_mask": open_to * ~tokens}

    def fill(self, inputs: dict[str, Tensor], where: Tensor, fill: str) -> dict[str, Tensor]:
        """`inputs` [1 token] n times over, the tokens `where` [n token] replaced by the blank that `fill` names."""
        if fill not in BLANKS[self.anatomy.modality]:
            raise Refusal(
                f"What stands for nothing in {'a text' if self.anatomy.modality == 'text' else 'a picture'} is {' or '.join(BLANKS[self.anatomy.modality])}; "
                f"got {fill!r}."
            )
        if self.anatomy.modality == "image":
            return inputs | {
                "pixel_values": self.without_patches(inputs["pixel_values"], where, fill)
            }
        if "input_ids" not in inputs:
            raise Refusal(
                "Tokens can be blanked where they are given as ids, not as word embeddings."
            )
        copies = {
            name: tensor.expand(len(where), -1)
            if tensor.shape == inputs["input_ids"].shape
            else tensor
            for name, tensor in inputs.items()
        }
        copies = self.placed(copies, self.attended(inputs, where.shape[-1]).expand(len(where), -1))
        return copies | {"input_ids": copies["input_ids"].masked_fill(where, self.blank(fill))}

    def without_patches(self, pixels: Tensor, where: Tensor, fill: str) -> Tensor:
        """[n channel height width] the picture `pixels` [1 channel height width] with the patches among the tokens `where` [n token] blanked."""
        (rows, columns), (tall, wide) = self.grid(pixels), self.patch
        mask = (
            where[:, -rows * columns :]
            .unflatten(1, (rows, columns))
            .repeat_interleave(tall, 1)
            .repeat_interleave(wide, 2)
        )
        mask = F.pad(
            mask, (0, pixels.shape[-1] - columns * wide, 0, pixels.shape[-2] - rows * tall)
        )  # pixels of no patch stay
        return self.without_pixels(pixels, mask, fill)

    def without_pixels(self, pixels: Tensor, mask: Tensor, fill: str) -> Tensor:
        """[n channel height width] the picture `pixels` [1 channel height width] with the pixels `mask` [n height width] (bool) blanked."""
        grey = self.grey(pixels)
        if fill == "mean":
            blank = grey.expand_as(pixels)
        elif fill == "blur":
            blank = blurred(pixels - grey) + grey  # its edges fade into grey
        else:
            blank = self.normalised(torch.full_like(pixels, {"black": 0, "white": 1}[fill]))
        return pixels.where(~mask[:, None], blank)

    def placed(self, inputs: dict[str, Tensor], attended: Tensor) -> dict[str, Tensor]:
        """`inputs` with every token's position said. RoBERTa reads positions off the ids: a blank must not move the others."""
        if not self.anatomy.lost_positions or "position_ids" in inputs:
            return inputs
        return inputs | {
            "position_ids": attended.cumsum(-1) * attended + self.anatomy.lost_positions - 1
        }

    def blank(self, fill: str) -> int:
        """The id of the mask, padding or unknown token; a model that lacks the wanted one gets the next it has."""
        order = {
            "mask": ("mask", "unk", "pad", "eos"),
            "pad": ("pad", "unk", "eos"),
            "unk": ("unk", "pad", "eos"),
        }[fill]
        for kind in order:
            for holder in (self.tokenizer, self.tower.config):
                token = getattr(holder, f"{kind}_token_id", None)
                if token is not None and token < self.tower.config.vocab_size:
                    return token
        raise Refusal(
            "This model has no token that stands for nothing (no mask, padding, unknown or end token)."
        )

    def wordless(self, inputs: dict[str, Tensor], entering: Tensor) -> Tensor:
        """What would enter the first block [token dim] without any words: the positions, where embeddings are words plus positions and no
        norm follows (the text sides of CLIP and SigLIP); else nothing."""
        if not (
            self.is_dual_encoder and self.anatomy.modality == "text" and self.anatomy.norm_first
        ):
            return torch.zeros_like(entering)
        return entering - self.tower.get_input_embeddings()(inputs["input_ids"])[0].detach()

    @property
    def embeds(self) -> bool:
        """Whether it takes word embeddings in place of ids."""
        return self.anatomy.modality == "text" and not self.is_dual_encoder

    def embed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """`inputs` with the word embeddings in place of the ids. Positions stay: RoBERTa reads them off the ids."""
        if self.embeds and "inputs_embeds" in inputs:
            return inputs
        if not self.embeds or "input_ids" not in inputs:
            raise Refusal(
                "Word embeddings can be fed to text models only, and not to the text side of a dual encoder."
            )
        with torch.no_grad():
            inputs = self.placed(inputs, self.attended(inputs, inputs["input_ids"].shape[-1]))
            embedded = self.tower.get_input_embeddings()(inputs["input_ids"])
        return {name: tensor for name, tensor in inputs.items() if name != "input_ids"} | {
            "inputs_embeds": embedded
        }

    @property
    def steps(self) -> list[Callable] | None:
        """From what the head reads [n dim] to the logits, or to a dual encoder's features; None where the architecture's are not known."""
        by_token = {"answer": ("qa_outputs",), "tokens": ("classifier",)}.get(self.task)
        try:
            steps = [
                self.step(name)
                for name in (
                    by_token if by_token and not self.anatomy.norm_first else self.anatomy.head
                )
            ]
        except AttributeError:
            return None
        return (
            steps if steps and None not in steps else None
        )  # ALBERT without a pooler has None for one

    def step(self, name: str) -> Callable:
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        parts = [
            part(self.net, one) for one in name.split(" & ")
        ]  # DeiT's two classifiers, whose mean is the answer
        if len(parts) == 1:
            return parts[0]
        return lambda pooled: sum(one(pooled) for one in parts) / len(parts)

    @property
    def head(self) -> list[Affine | Callable] | None:
        """`steps` as linear maps and activations from a token's last hidden state to the logits,
        where they are known, else None.

        In pre-LN models one more norm stands between the last block and the head, and a dual
        encoder takes a cosine. Raises `Refusal` for a head with a part that is neither.
        """
        if self.anatomy.norm_first or self.is_dual_encoder or self.steps is None:
            return None
        with evaluating(self.net):
            return [one for step in self.steps for one in in_steps(step)]

    def answer_to(self, pooled: Tensor, inputs: dict[str, Tensor]) -> targets.Answer:
        """What the network would say if its head read the vectors `pooled` [n dim]."""
        if self.steps is None:
            raise Refusal(
                f"What {type(self.net).__name__} does behind its last block is not known here."
            )
        with evaluating(self.net):
            said = reduce(lambda vectors, step: step(vectors), self.steps, pooled)
        table = (
            self.match(said / said.norm(dim=-1, keepdim=True), inputs["matched"])
            if self.is_dual_encoder
            else said
        )
        return self.said(None, table)

    def layer(
        self,
        block: nn.Module,
        args: tuple,
        kwargs: dict,
        plain: Callable[[], "Model"] | None = None,
    ) -> Layer:
        """A block that ran by its parts, with the other arguments that it ran with. plain: gives
        `self.plain()`, where that is kept."""
        names, number = self.anatomy, next(i for i, one in enumerate(self.blocks) if one is block)
        up, act, down = names.ffn or ("", "", "")
        paths = {"w_v": names.w_v, "w_o": names.w_o, "up": up, "down": down}

        def linear(name: str) -> Affine | None:
            if not paths[name]:
                return None
            model = (plain or self.plain)()
            with evaluating(model.net):
                return affine(part(model.blocks[number], paths[name]))

        def run(hidden: Tensor, **edits) -> Tensor:
            with evaluating(self.net):
                tape = Tape(self.blocks, edits, record=())
                return block(hidden, *args, **kwargs | {"tape": tape})

        return Layer(
            linear,
            self.tower.config.num_attention_heads,
            part(block, names.norm1),
            part(block, names.norm2),
            names.norm_first,
            part(block, act) if act else None,
            run,
        )

    def plain(self) -> "Model":
        """The same model with one plain layer for every adapted or packed one: what methods that
        read weights, or change operations, work on."""
        with evaluating(self.net):
            net = merged(self.net)
        return self if net is self.net else replace(self, net=net)


@lru_cache(maxsize=2)
def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int, known: int) -> dict[int, str]:
    """The first `size` tokens as text, spaces included, by id; `known`, how many the tokenizer has,
    tells when some were added."""
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    texts = [tokenizer.convert_tokens_to_string([name]) if name else "" for name in names]
    whole = lambda text: text and "\ufffd" not in text
    return {
        i: text if whole(text) else name or str(i)
        for i, (name, text) in enumerate(zip(names, texts))
    }


def of_one_shape(coded: list[Encoded], rows: int) -> list[list[int]]:
    """Places in `coded` that can share a batch, at most `rows` together."""
    groups: dict[tuple, list[int]] = {}
    for i, one in enumerate(coded):
        shapes = tuple((name, tensor.shape) for name, tensor in one.tensors.items())
        groups.setdefault(shapes, []).append(i)
    return [places[k : k + rows] for places in groups.values() for k in range(0, len(places), rows)]


# ---------------------------------------------------------------------------------------------------- loading


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
                net, one.blocks, [part(block, one.anatomy.attention) for block in one.blocks]
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
    inner = part(net, path)
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
        tower = part(net, anatomy.tower)
    except AttributeError:
        if net.base_model is not net:
            raise lost(net, kind, "tower", anatomy.tower) from None
        raise ModelUnavailable(
            f"{type(net).__name__} has no head on top of its encoder, so there is no score to explain; "
            "choose a checkpoint made for classification."
        ) from None
    try:
        blocks = blocks_of(tower, anatomy)
    except (AttributeError, TypeError):
        blocks = []
    if not blocks:
        raise lost(net, kind, "blocks", anatomy.blocks)
    named = [
        (name, getattr(anatomy, name)) for name in ("attention", "w_o", "norm1", "norm2", "w_v")
    ] + [("ffn", path) for path in anatomy.ffn]
    for block in blocks:
        for name, path in named:
            try:
                part(block, path)
            except AttributeError:
                raise lost(net, kind, name, path) from None
    for module in (net, blocks[0]):
        if not any(
            one.kind is one.VAR_KEYWORD
            for one in inspect.signature(module.forward).parameters.values()
        ):
            raise ModelUnavailable(
                f"{type(module).__name__} does not hand keyword arguments on, so nothing inside it can be recorded."
            )


def lost(net: PreTrainedModel, kind: str, name: str, path: str) -> ModelUnavailable:
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


def blocks_of(tower: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    outer, _, inner = anatomy.blocks.partition(".*.")
    return (
        [block for group in part(tower, outer) for block in part(group, inner)]
        if inner
        else list(part(tower, outer))
    )


def unsupported(kind: str) -> ModelUnavailable:
    types = dict.fromkeys(name.partition(".")[0] for name in ANATOMIES)
    why = REASONS.get(kind, f"Models of type {kind!r} cannot be traced yet.")
    return ModelUnavailable(f"{why} These can: {', '.join(types)}.")


def bundled_folder(part: str = "text") -> Path:
    """A folder of assets/models: beside the package in a checkout, inside the package when installed."""
    package = Path(__file__).parent
    for folder in (package.parent / "assets/models" / part, package / "assets/models" / part):
        if folder.is_dir():
            return folder
    raise ModelUnavailable(
        "The bundled models are not installed beside this package. Clone the repository, or install it from there with "
        "pip (pip install git+URL); or load a model from a folder or by its Hub id."
    )


@lru_cache(maxsize=2)
def bundled_weights(file: str) -> dict[str, Tensor]:
    """A file of weights in memory once, however many of the models share it: the text encoder, the picture classifier."""
    folder, _, name = file.partition("/")
    return {
        name: tensor.float() for name, tensor in load_file(bundled_folder(folder) / name).items()
    }


@lru_cache(maxsize=1)
def bundled_tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(bundled_folder(), local_files_only=True)


@lru_cache(maxsize=1)
def bundled_processor():
    return processor_of(str(bundled_folder("vision")), {"local_files_only": True})


def bundled(name: str) -> PreTrainedModel:
    """A bundled model as an ordinary `transformers` one. The text tasks share an encoder, to which "image-text" adds the picture classifier's."""
    if name == "vit":
        net, weights = network("vision"), bundled_weights("vision/model.safetensors")
    elif name == "image-text":
        net = network("dual")
        towers = {
            f"text_model.{key}": value
            for key, value in inner(bundled_weights("text/encoder.safetensors"), "bert.").items()
        }
        towers |= {
            f"vision_model.{key}": value
            for key, value in inner(bundled_weights("vision/model.safetensors"), "vit.").items()
        }
        weights = towers | load_file(bundled_folder("dual") / "head.safetensors")
    else:
        net, head = (
            network(f"text/{name}"),
            load_file(bundled_folder("text") / name / "head.safetensors"),
        )
        weights = bundled_weights("text/encoder.safetensors") | head
    net.load_state_dict({key: tensor.float() for key, tensor in weights.items()}, assign=True)
    return net.requires_grad_(False)


def network(folder: str) -> PreTrainedModel:
    """The network that the config.json of a bundled folder describes, its weights still to come."""
    config = AutoConfig.from_pretrained(bundled_folder(folder), local_files_only=True)
    return getattr(transformers, config.architectures[0])(config)


def inner(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights under `prefix`, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def from_files(name: str, tokenizer, processor, revision, dtype):
    """Network, tokenizer, processor and revision from a folder or the Hub: the cache first, then the network once."""
    folder = Path(os.path.expanduser(name))
    if is_folder(folder):
        revision = None
        source, where = str(folder), {"local_files_only": True}
        if not any(folder.glob("*.safetensors")):
            raise ModelUnavailable(
                f"The folder {name} holds no .safetensors file; other formats can run code and are not read."
            )
    else:
        if name.startswith((".", "/", "~", "\\")) or name.count("/") > 1:
            raise no_folder(name)
        here = all(in_cache(name, revision, files) for files in (SETTINGS, WEIGHTS))
        source, where = name, {"revision": revision, "local_files_only": here}
        if not where["local_files_only"]:
            ask_hub(name, revision)
    try:
        kind, architecture = read_config(source, where)
        net, report = architecture.from_pretrained(
            source,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=dtype,
            **where,
        )
        if report["missing_keys"]:
            raise ModelUnavailable(
                f"{name} lacks the weights {', '.join(sorted(report['missing_keys'])[:3])}: its scores would be random."
            )
        modality = (
            {row.modality for row_name, row in ANATOMIES.items() if row_name.split(".")[0] == kind}
            if kind != DUAL
            else {"image", "text"}
        )
        if "ForImageClassification" in type(net).__name__:  # one side of a dual encoder alone
            modality = {"image"}
        if "text" in modality and tokenizer is None:
            tokenizer = tokenizer_of(source, where)
        if "image" in modality and processor is None:
            processor = processor_of(source, where)
    except SafetensorError as error:
        raise ModelUnavailable(
            f"A file of {name} is damaged ({error}); download it again."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(
            f"A settings file of {name} is damaged and cannot be read."
        ) from error
    except Refusal:
        raise
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
    ) as error:
        cause = next((e for e in causes(error) if isinstance(e, SafetensorError)), None)
        if cause:
            raise ModelUnavailable(
                f"A file of {name} is damaged ({cause}); download it again."
            ) from error
        raise ModelUnavailable(f"{name} could not be loaded: {first_line(error)}.") from error
    return (
        net,
        tokenizer,
        processor,
        getattr(net.config, "_commit_hash", None) or revision or "local",
    )


def no_folder(name: str) -> ModelUnavailable:
    """Why what is neither a folder here nor a Hub id cannot be read."""
    if re.match(r"https?://", name, re.IGNORECASE):
        return ModelUnavailable(
            f"{name[:200]} is an address, and not that of a model's page on the Hugging Face Hub "
            "(https://huggingface.co/owner/name): give such a page, a Hub id or a folder."
        )
    return ModelUnavailable(f"There is no folder {name[:200]}.")


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no file system takes
        return False


def read_config(source: str, where: dict) -> tuple[str, type[PreTrainedModel]]:
    """Model type and class, refused before any weight is read when they cannot be traced."""
    config = Path(source) / "config.json"
    if (
        is_folder(Path(source))
        and config.exists()
        and not isinstance(json.loads(config.read_text(encoding="utf-8")), dict)
    ):
        raise ModelUnavailable(f"The config.json of {source} holds no settings.")
    settings, _ = transformers.PretrainedConfig.get_config_dict(source, **where)
    if not settings:
        raise ModelUnavailable(f"{source} has no config.json, so its architecture is not known.")
    kind = settings.get("model_type", "without a model_type")
    if settings.get("auto_map") and kind not in CONFIG_MAPPING:
        raise ModelUnavailable(
            f"{source} needs code from its own repository, which is never run here."
        )
    if kind != DUAL and not any(name.split(".")[0] == kind for name in ANATOMIES):
        raise unsupported(kind)
    named = (settings.get("architectures") or [""])[0]
    architecture = getattr(transformers, named, None)
    if not (isinstance(architecture, type) and issubclass(architecture, PreTrainedModel)):
        raise ModelUnavailable(
            f"{source} names the class {named or '(none)'}, which transformers {transformers.__version__} does not have."
        )
    return kind, architecture


def tokenizer_of(source: str, where: dict) -> PreTrainedTokenizerBase | None:
    """The model's tokenizer; None when its folder has none (tensors can still be traced)."""
    if Path(source).is_dir() and not any((Path(source) / name).exists() for name in TOKENIZER):
        return None
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    if not tokenizer.is_fast:
        raise ModelUnavailable(
            f"{source} has no fast tokenizer, so its tokens cannot be placed in the text."
        )
    return tokenizer


#: Files of which a tokenizer's folder has one at least, and an image processor's the one.
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json")
PROCESSOR = ("preprocessor_config.json",)


def as_tokenizer(given) -> PreTrainedTokenizerBase | None:
    """The tokenizer that a person hands to `load`.

    Itself, out of the processor that holds it, from its folder, or by its Hub id. A slow one is
    taken as it is: it names the tokens of tensors, and texts are refused by `from_text`.
    """
    if isinstance(given, str | Path):
        return by_name(str(given), TOKENIZER, tokenizer_of, "tokenizer")
    inside = given
    if not isinstance(given, PreTrainedTokenizerBase):
        inside = getattr(given, "tokenizer", given)
    if inside is not None and not isinstance(inside, PreTrainedTokenizerBase):
        raise ModelUnavailable(
            "A tokenizer is one of transformers (AutoTokenizer.from_pretrained), a processor that "
            f"holds one, or the folder or Hub id of one; got {type(given).__name__}."
        )
    return inside


def handed(source, tokenizer, processor) -> tuple:
    """What was handed to `load`, out of what holds it: a pipeline all three, a processor two."""
    if not isinstance(source, nn.Module) and isinstance(getattr(source, "model", None), nn.Module):
        tokenizer = tokenizer or getattr(source, "tokenizer", None)
        processor = processor or getattr(source, "image_processor", None)
        source = source.model
    if tokenizer is None and hasattr(processor, "tokenizer"):
        tokenizer = processor.tokenizer
    return source, as_tokenizer(tokenizer), as_processor(processor)


def as_processor(given):
    """The image processor that a person hands to `load`.

    Itself, out of the processor that holds it, from its folder, or by its Hub id.
    """
    if isinstance(given, str | Path):
        return by_name(str(given), PROCESSOR, processor_of, "image processor")
    inside = getattr(given, "image_processor", given)
    if isinstance(inside, PreTrainedTokenizerBase) or not (inside is None or callable(inside)):
        raise ModelUnavailable(
            "An image processor is one of transformers (AutoImageProcessor.from_pretrained), a "
            "processor that holds one, or the folder or Hub id of one; "
            f"got {type(given).__name__}."
        )
    return inside


def by_name(name: str, files: Sequence[str], read: Callable, what: str):
    """A tokenizer or an image processor from a folder or the Hub, as `read` gives it.

    files: those of which it has one; weights are not read. what: what it is called.
    """
    folder = Path(os.path.expanduser(name))
    if name.strip() and is_folder(folder):
        source, where = str(folder), {"local_files_only": True}
    else:
        source, revision = hub_id(name.strip()), hub_revision(name)
        if source.startswith((".", "/", "~", "\\")) or source.count("/") > 1:
            raise no_folder(source)
        where = {"revision": revision, "local_files_only": in_cache(source, revision, files)}
        if not where["local_files_only"]:
            look_at_hub(source, revision)
    try:
        found = read(source, where)
    except Refusal:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelUnavailable(
            f"The {what} {name[:200]} could not be read: {first_line(error)}."
        ) from error
    if found is None:
        raise ModelUnavailable(f"The folder {name[:200]} holds no {' or '.join(files)}.")
    return found


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


#: The page of a model on the Hub, as it is copied from a browser.
PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?!datasets/|spaces/)"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:/(?:tree|blob|resolve|commits?)/(?P<revision>[^/?#]+).*)?"
    r"/?(?:[?#].*)?",
    re.IGNORECASE,
)


def hub_id(given: str) -> str:
    """The id of a model whose page's address was given; anything else as it is."""
    page = PAGE.fullmatch(given)
    return page["name"] if page else given


def hub_revision(given) -> str | None:
    """The revision that the address of a page of the Hub names, if it names one."""
    page = PAGE.fullmatch(str(given).strip())
    return unquote(page["revision"]) if page and page["revision"] else None


def processor_of(source: str, where: dict):
    """The model's image processor, by Pillow everywhere, so that numbers do not depend on what is installed; None when its folder has none."""
    if Path(source).is_dir() and not (Path(source) / PROCESSOR[0]).exists():
        return None
    return AutoImageProcessor.from_pretrained(
        source, backend="pil", trust_remote_code=False, **where
    )


#: Of a model on the Hub: what has to be on this machine for it to be read without asking.
SETTINGS, WEIGHTS = ("config.json",), ("model.safetensors", "model.safetensors.index.json")


def in_cache(name: str, revision: str | None, files: Sequence[str]) -> bool:
    """Whether one of these files of a Hub model is on this machine."""
    try:
        found = [try_to_load_from_cache(name, file, revision=revision) for file in files]
    except HFValidationError:
        return False
    return any(isinstance(path, str) for path in found)


def ask_hub(name: str, revision: str | None) -> None:
    """Make sure that a Hub model can be had, in safetensors; otherwise the reason, in seconds."""
    if not any(file.endswith(".safetensors") for file in look_at_hub(name, revision)):
        raise ModelUnavailable(
            f"{name} has no safetensors file; other formats can run code and are not read."
        )


def look_at_hub(name: str, revision: str | None) -> list[str]:
    """The files of a Hub repository, if it is there and open to this reader; otherwise the reason.

    Without this question `from_pretrained` retries for half a minute when there is no network.
    """
    try:
        info = HfApi().model_info(name, revision=revision, timeout=5)
        if info.gated:
            HfApi().auth_check(name)
    except HFValidationError:
        raise ModelUnavailable(
            f"{name[:100]!r} is neither a bundled model ({', '.join(BUNDLED)}), nor a folder, nor a Hub id like owner/name."
        ) from None
    except GatedRepoError:
        raise ModelUnavailable(
            f"{name} is gated: its owner wants you to accept terms on the Hub first, then log in."
        ) from None
    except RepositoryNotFoundError:
        raise ModelUnavailable(
            f"There is no model {name} on the Hugging Face Hub (or it is private)."
        ) from None
    except RevisionNotFoundError:
        raise ModelUnavailable(f"{name} has no revision {revision}.") from None
    except HfHubHTTPError as error:
        raise ModelUnavailable(
            f"The Hugging Face Hub refused {name}: {first_line(error)}."
        ) from error
    except (OSError, OfflineModeIsEnabled) as error:
        raise offline(name) from error
    except Exception as error:  # the HTTP library's own errors, whichever it is in this release of the Hub's client
        if "httpx" in type(error).__module__ or "requests" in type(error).__module__:
            raise offline(name) from error
        raise
    return [file.rfilename for file in info.siblings or []]


def offline(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{name} is not on this machine and the Hugging Face Hub cannot be reached. Bundled models need no network: {', '.join(BUNDLED)}."
    )


def causes(error: BaseException | None):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

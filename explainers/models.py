"""Networks that can be traced: where each architecture keeps its parts, and how a model is had.

The only file that knows a Hugging Face module path. An architecture is a row of `ANATOMIES`, to which `register` adds;
a bundled model is a folder of `assets/models`.
"""

import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, reduce
from pathlib import Path

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
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.pytorch_utils import Conv1D

from . import targets
from .errors import ModelUnavailable, Refusal
from .inputs import Encoded, encode
from .trace import Affine, Layer, Tape, Trace, trace, wire


@dataclass(frozen=True)
class Anatomy:
    """Names of an architecture's parts: paths from the model to its blocks, and from a block to its parts."""

    tower: str                      # the encoder, from the model ("" for itself)
    blocks: str                     # from the tower: a list of blocks; "a.*.b" for all of the lists b that the parts of a hold
    attention: str                  # from a block: the module called with what attention reads and with the tape
    w_o: str                        # from a block: attention's output projection
    norm1: str                      # from a block: the LayerNorm of the attention sublayer
    norm2: str                      # from a block: the LayerNorm of the feed-forward sublayer
    norm_first: bool                # pre-LN (x + f(LN x)) or post-LN (LN(x + f(x)))
    ffn: tuple[str, ...] = ()       # from a block: the two linear maps of the feed-forward sublayer and the function between; () if gated
    w_v: str = ""                   # from a block: the values' projection; "" if queries, keys and values share one
    head: tuple[str, ...] = ()      # from the model: the steps from a token's last hidden state to the logits; tanh, relu and gelu by name
    readout: str = "first"          # the token the score is read from: first, last (real), or end of text
    sees: str = "text"              # text or image
    lost_positions: int = 0         # rows of the position table that no token can have


BLOCKS_OF_BERT = {
    "blocks": "encoder.layer", "attention": "attention", "w_v": "attention.self.value", "w_o": "attention.output.dense",
    "norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm", "norm_first": False,
    "ffn": ("intermediate.dense", "intermediate.intermediate_act_fn", "output.dense"),
}
BLOCKS_OF_CLIP = {
    "blocks": "encoder.layers", "attention": "self_attn", "w_v": "self_attn.v_proj", "w_o": "self_attn.out_proj", "norm1": "layer_norm1",
    "norm2": "layer_norm2", "norm_first": True, "ffn": ("mlp.fc1", "mlp.activation_fn", "mlp.fc2"),
}

ANATOMIES = {
    "bert": Anatomy("bert", **BLOCKS_OF_BERT, head=("bert.pooler.dense", "tanh", "classifier")),
    "roberta": Anatomy("roberta", **BLOCKS_OF_BERT, head=("classifier.dense", "tanh", "classifier.out_proj"), lost_positions=2),
    "distilbert": Anatomy(
        "distilbert", "transformer.layer", attention="attention", w_v="attention.v_lin", w_o="attention.out_lin", norm1="sa_layer_norm",
        norm2="output_layer_norm", norm_first=False, ffn=("ffn.lin1", "ffn.activation", "ffn.lin2"),
        head=("pre_classifier", "relu", "classifier")),
    "electra": Anatomy("electra", **BLOCKS_OF_BERT, head=("classifier.dense", "gelu", "classifier.out_proj")),
    "albert": Anatomy(              # few blocks, run again and again
        "albert", "encoder.albert_layer_groups.*.albert_layers", attention="attention", w_v="attention.value", w_o="attention.dense",
        norm1="attention.LayerNorm", norm2="full_layer_layer_norm", norm_first=False, ffn=("ffn", "activation", "ffn_output"),
        head=("albert.pooler", "tanh", "classifier")),
    "modernbert": Anatomy(          # its first block has no norm before attention; a last norm stands before the head
        "model", "layers", attention="attn", w_o="attn.Wo", norm1="attn_norm", norm2="mlp_norm", norm_first=True),
    "gpt2": Anatomy(
        "transformer", "h", attention="attn", w_o="attn.c_proj", norm1="ln_1", norm2="ln_2", norm_first=True,
        ffn=("mlp.c_fc", "mlp.act", "mlp.c_proj"), readout="last"),
    "vit": Anatomy(
        "vit", "layers", attention="attention", w_v="attention.v_proj", w_o="attention.o_proj", norm1="layernorm_before", norm2="layernorm_after",
        norm_first=True, ffn=("mlp.fc1", "mlp.activation_fn", "mlp.fc2"), sees="image"),
    "clip.vision": Anatomy("vision_model", **BLOCKS_OF_CLIP, sees="image"),
    "clip.text": Anatomy("text_model", **BLOCKS_OF_CLIP, readout="end of text"),
}

#: Why some well-known architectures have no row.
REASONS = dict.fromkeys(("deberta", "deberta-v2"), "DeBERTa computes attention from relative positions inside its own code, which offers no place to record it.")

#: The longest input that is recorded: attention maps of a base-sized model at 8,192 tokens would fill 70 GB.
MOST_TOKENS = 1024

PAIRED = ("paraphrase", "inference")        # of the bundled models, those that compare two texts
BUNDLED = ("sentiment", "paraphrase", "inference", "question-answering")


#: Steps of a head that are functions in the model's code, not modules.
FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu, "gelu": nn.functional.gelu}


def part(module: nn.Module, path: str) -> nn.Module:
    return reduce(getattr, path.split(".") if path else [], module)


def register(model_type: str, anatomy: Anatomy) -> None:
    """Add an architecture: `anatomy` says where models whose `config.model_type` is `model_type` keep their parts.

    "name.side" is one side of a dual encoder, as `load(..., tower="side")` asks for it. A model of that type can then be
    traced if its attention goes through `transformers.AttentionInterface`, and if its blocks take the hidden states as
    their first argument, give back nothing else and hand keyword arguments on. Registering the same row twice changes
    nothing. Raises `Refusal` if the name belongs to another row or a field holds what it cannot; a path that leads
    nowhere is refused by `load`, which knows the model.

        ex.register("camembert", ex.ANATOMIES["roberta"])
    """
    if not isinstance(model_type, str) or not model_type.strip():
        raise Refusal("An architecture is registered under its config.model_type, a word like 'bert'.")
    if not isinstance(anatomy, Anatomy):
        raise Refusal(f"An architecture is described by an Anatomy; got {type(anatomy).__name__}.")
    for field in fields(Anatomy):
        value, wanted = getattr(anatomy, field.name), {"ffn": tuple, "head": tuple}.get(field.name, field.type)
        if type(value) is not wanted or (wanted is tuple and not all(isinstance(name, str) for name in value)):
            raise Refusal(f"{field.name} of an Anatomy is {'a tuple of names' if wanted is tuple else f'of type {wanted.__name__}'}; got {value!r}.")
    if anatomy.readout not in ("first", "last", "end of text") or anatomy.sees not in ("text", "image") or len(anatomy.ffn) not in (0, 3):
        raise Refusal("The readout of an Anatomy is 'first', 'last' or 'end of text', it sees 'text' or 'image', and ffn names three parts or none.")
    if ANATOMIES.get(model_type, anatomy) != anatomy:
        raise Refusal(f"There is an architecture {model_type!r} already; register yours under the model_type of its own config.")
    ANATOMIES[model_type] = anatomy


def affine(module: nn.Module) -> Affine:
    return Affine(module.weight if isinstance(module, Conv1D) else module.weight.T, module.bias)


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

    @cached_property
    def tower(self) -> nn.Module:
        return part(self.net, self.anatomy.tower)

    @cached_property
    def blocks(self) -> list[nn.Module]:
        """The modules that run as layers. One that runs several times (ALBERT) is here once, in `Trace.layers` as often as it ran."""
        return blocks_of(self.tower, self.anatomy)

    @cached_property
    def task(self) -> str:
        """What its logits are about: the "next" token, the ends of an "answer", the labels of single "tokens", or "classes"."""
        name = type(self.net).__name__
        kinds = {"CausalLM": "next", "LMHead": "next", "QuestionAnswering": "answer", "TokenClassification": "tokens"}
        return next((task for kind, task in kinds.items() if kind in name), "classes")

    @cached_property
    def labels(self) -> dict[int, str]:
        """The classes by index; of a language model, its vocabulary as text, spaces included."""
        if self.task == "next":
            size = self.net.config.vocab_size
            names = self.tokenizer.convert_ids_to_tokens(list(range(size))) if self.tokenizer else list(map(str, range(size)))
            texts = [self.tokenizer.convert_tokens_to_string([name]) if name else "" for name in names] if self.tokenizer else names
            return {i: text if text and "\ufffd" not in text else name or str(i) for i, (name, text) in enumerate(zip(names, texts))}
        return {int(index): str(name) for index, name in self.net.config.id2label.items()}

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

    def trace_many(self, inputs: list, targets_: list | None = None, rows: int = 32) -> list[Trace]:
        """`trace` for many: inputs of one shape share a forward and a backward pass, at most `rows` at a time."""
        wanted = [None] * len(inputs) if targets_ is None else list(targets_)
        if len(wanted) != len(inputs):
            raise Refusal(f"{len(inputs)} inputs need as many targets; got {len(wanted)}.")
        coded = [self.encode(one) for one in inputs]
        traces: list[Trace | None] = [None] * len(inputs)
        for places in of_one_shape(coded, rows):
            tensors = {name: torch.cat([coded[i].tensors[name] for i in places]) for name in coded[places[0]].tensors}
            special = torch.stack([coded[i].special for i in places]).to(self.net.device)
            asked = [targets.chosen(self, coded[i], wanted[i]) for i in places]
            for i, one in zip(places, trace(self, tensors, asked, special)):
                traces[i] = one
        return traces

    def encode(self, inputs) -> Encoded:
        return inputs if isinstance(inputs, Encoded) else encode(self, inputs)

    def classes(self, coded: Encoded) -> dict[int, str]:
        """What a target may name: the labels, or the texts (pictures) that a picture (text) is matched with."""
        if "pixel_values" in coded.tensors and "input_ids" in coded.tensors:
            matched, what = ("input_ids", "text") if self.anatomy.sees == "image" else ("pixel_values", "picture")
            return {i: f"{what} {i}" for i in range(len(coded.tensors[matched]))}
        return self.labels

    def answer(self, inputs: dict[str, Tensor], real: Tensor | None = None, **tape) -> targets.Answer:
        """What the network says. real [example token] tells where padding is, if not the attention mask."""
        without_cache = {"use_cache": False} if hasattr(self.net.config, "use_cache") else {}  # GPT-2 would append to it
        outputs = (self.pooled if self.pools_by_ids else self.net)(**inputs, **without_cache, **tape)
        if "logits_per_image" in outputs:
            return targets.Answer(outputs, outputs.logits_per_image if self.anatomy.sees == "image" else outputs.logits_per_text)
        if "start_logits" in outputs:
            ends = torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
            padding = ~(self.real(inputs, ends.shape[1]) if real is None else real)
            return targets.Answer(outputs, None, ends.masked_fill(padding[..., None], -torch.inf))
        table = outputs.logits if "logits" in outputs else None
        if table is not None and table.ndim == 3:           # logits for every token: what comes next is read at the last
            if self.anatomy.readout != "last":
                return targets.Answer(outputs, None, table if self.task == "tokens" else None)
            at = self.readout(inputs, self.real(inputs, table.shape[1]) if real is None else real).argmax(-1).expand(len(table))
            table = table[torch.arange(len(table), device=table.device), at]
            if self.pools_by_ids:
                outputs.logits = table
        elif type(self.net).__name__ == "ElectraForPreTraining":        # [example token], one logit each: no table of classes
            return targets.Answer(outputs, None)
        return targets.Answer(outputs, table)

    @property
    def pools_by_ids(self) -> bool:
        """Whether the network's own head looks for the last token by the ids of the batch: GPT-2 as a classifier does."""
        return self.anatomy.readout == "last" and "ForSequenceClassification" in type(self.net).__name__ and hasattr(self.net, "score")

    def pooled(self, **inputs) -> SequenceClassifierOutputWithPast:
        """The network up to the logits [example token class], from which `answer` takes the readout's: word embeddings have no ids to
        look at, blanks are no padding, and an edit can make more examples than ids came in."""
        outputs = self.tower(**inputs)
        return SequenceClassifierOutputWithPast(
            logits=self.net.score(outputs.last_hidden_state), hidden_states=outputs.hidden_states, attentions=outputs.attentions)

    def real(self, inputs: dict[str, Tensor], tokens: int) -> Tensor:
        """[example token] bool: False at padding."""
        if self.anatomy.sees == "text" and "attention_mask" in inputs:
            real = inputs["attention_mask"].bool()
        else:
            real = torch.ones(1, tokens, dtype=torch.bool, device=self.net.device)
        padding = self.net.config.pad_token_id if self.pools_by_ids and "input_ids" in inputs else None
        if padding is not None:         # its own head skips trailing padding whatever the mask says, and causal attention never sees it
            said = (inputs["input_ids"] != padding).int()
            real = real & said.flip(-1).cummax(-1).values.flip(-1).bool()
        return real

    def readout(self, inputs: dict[str, Tensor], real: Tensor) -> Tensor:
        """[example token] how much of a class's score is read from each token, adding up to 1."""
        if self.anatomy.readout == "first":
            token = torch.zeros(1, dtype=torch.long, device=real.device)
        elif self.anatomy.readout == "end of text":
            token = (inputs["input_ids"] == self.tower.config.eos_token_id).int().argmax(-1)
        else:
            token = (real * torch.arange(1, real.shape[-1] + 1, device=real.device)).argmax(-1)     # the last that is real
        return F.one_hot(token, real.shape[-1]).to(self.net.dtype)

    def hide(self, inputs: dict[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """The inputs with `tokens` [token] (bool) closed to every query."""
        if self.anatomy.sees != "text":
            raise Refusal("Tokens can be hidden from attention in text models only.")
        open_to = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
        return inputs | {"attention_mask": open_to * ~tokens}

    def fill(self, inputs: dict[str, Tensor], where: Tensor, fill: str) -> dict[str, Tensor]:
        """`inputs` [1 token] n times over, the tokens `where` [n token] replaced by the blank that `fill` names."""
        if self.anatomy.sees != "text":
            raise Refusal("Only tokens of text can be blanked so far.")
        copies = {name: tensor.expand(len(where), -1) if tensor.shape == inputs["input_ids"].shape else tensor
                  for name, tensor in inputs.items()}
        copies = self.placed(copies, self.real(inputs, where.shape[-1]).expand(len(where), -1))
        return copies | {"input_ids": copies["input_ids"].masked_fill(where, self.blank(fill))}

    def placed(self, inputs: dict[str, Tensor], real: Tensor) -> dict[str, Tensor]:
        """`inputs` with every token's position said. RoBERTa reads positions off the ids: a blank must not move the others."""
        if not self.anatomy.lost_positions or "position_ids" in inputs:
            return inputs
        return inputs | {"position_ids": real.cumsum(-1) * real + self.anatomy.lost_positions - 1}

    def blank(self, fill: str) -> int:
        """The id of the mask, padding or unknown token; a model that lacks the wanted one gets the next it has."""
        order = {"mask": ("mask", "unk", "pad", "eos"), "pad": ("pad", "unk", "eos"), "unk": ("unk", "pad", "eos")}[fill]
        for kind in order:
            for holder in (self.tokenizer, self.tower.config):
                token = getattr(holder, f"{kind}_token_id", None)
                if token is not None and token < self.tower.config.vocab_size:
                    return token
        raise Refusal("This model has no token that stands for nothing (no mask, padding, unknown or end token).")

    def embed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """`inputs` with the word embeddings in place of the ids. Positions stay: RoBERTa reads them off the ids."""
        if self.anatomy.sees != "text" or "input_ids" not in inputs or self.anatomy.readout == "end of text":
            raise Refusal("Word embeddings can be fed to text models only.")
        with torch.no_grad():
            inputs = self.placed(inputs, self.real(inputs, inputs["input_ids"].shape[-1]))
            embedded = self.net.get_input_embeddings()(inputs["input_ids"])
        return {name: tensor for name, tensor in inputs.items() if name != "input_ids"} | {"inputs_embeds": embedded}

    @cached_property
    def head(self) -> list[Affine | Callable] | None:
        """The steps from a token's last hidden state to the logits, where the anatomy names them.

        None for pre-LN models: one more norm stands between the last block and the head.
        """
        steps = ("qa_outputs",) if hasattr(self.net, "qa_outputs") and not self.anatomy.norm_first else self.anatomy.head
        try:
            return [FUNCTIONS.get(step) or affine(part(self.net, step)) for step in steps] or None
        except AttributeError:
            return None

    def layer(self, block: nn.Module, args: tuple, kwargs: dict) -> Layer:
        names = self.anatomy
        heads = (self.tower.config.num_attention_heads, -1)
        out, value = affine(part(block, names.w_o)), affine(part(block, names.w_v)) if names.w_v else None
        up, act, down = (part(block, name) for name in names.ffn) if names.ffn else (None, None, None)

        def run(hidden: Tensor, **edits) -> Tensor:
            return block(hidden, *args, **kwargs | {"tape": Tape(self.blocks, edits, record=())})

        shift = value and (torch.zeros_like(value.weight[0]) if value.bias is None else value.bias)
        return Layer(value and value.weight.unflatten(1, heads).transpose(0, 1), value and shift.unflatten(0, heads),
                     out.weight.unflatten(0, heads), out.bias,
                     part(block, names.norm1), part(block, names.norm2), names.norm_first,
                     up and affine(up), act, down and affine(down), run)


def of_one_shape(coded: list[Encoded], rows: int) -> list[list[int]]:
    """Places in `coded` that can share a batch, at most `rows` together.

    A picture with its texts stays alone: in a batch every picture would be matched with every text.
    """
    groups: dict[tuple, list[int]] = {}
    for i, one in enumerate(coded):
        shapes = tuple((name, tensor.shape) for name, tensor in one.tensors.items())
        groups.setdefault((i,) if {"pixel_values", "input_ids"} <= set(one.tensors) else shapes, []).append(i)
    return [places[k:k + rows] for places in groups.values() for k in range(0, len(places), rows)]


# ---------------------------------------------------------------------------------------------------- loading

def load(source, *, tokenizer=None, processor=None, tower: str | None = None, revision: str | None = None,
         device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Model:
    """A model that can be traced.

    source is the name of a bundled model ("sentiment", "paraphrase", "inference", "question-answering"), a folder in
    Hugging Face layout, the id of a model on the Hugging Face Hub, or a `transformers` model that you loaded. Only
    safetensors are read and no code from a repository is run. A GPU is used when there is one, unless `device` says
    otherwise; weights from files become float32, unless `dtype` says otherwise. `tower` ("vision" or "text") chooses the side of a dual encoder.

    A model that you pass in is put in evaluation mode and gets this package's attention function, which computes what
    "eager" attention does. Raises `ModelUnavailable` with the reason in plain words.
    """
    if isinstance(source, PreTrainedModel):
        net, name, revision = source, source.config.name_or_path or type(source).__name__, revision or ""
    elif not isinstance(source, str | Path) or not (name := str(source).strip()):
        raise ModelUnavailable("A model is a bundled name, a folder, a Hub id or a transformers model.")
    elif name in BUNDLED:
        net, tokenizer, revision = bundled(name), tokenizer or bundled_tokenizer(), "bundled"
    else:
        net, tokenizer, processor, revision = from_files(name, tokenizer, processor, revision, dtype or torch.float32)
    anatomy = anatomy_of(net, tower)
    net.to(device=device or ("cuda" if torch.cuda.is_available() else "cpu"), dtype=dtype).eval()
    model = Model(net, anatomy, tokenizer, processor, name, revision)
    wire(net, model.blocks, [part(block, anatomy.attention) for block in model.blocks])
    return model


def anatomy_of(net: PreTrainedModel, tower: str | None) -> Anatomy:
    kind = net.config.model_type + (f".{tower}" if tower else "")
    sides = [name.split(".")[1] for name in ANATOMIES if name.startswith(f"{net.config.model_type}.")]
    if kind not in ANATOMIES and sides:
        raise ModelUnavailable(f"Models of type {net.config.model_type!r} have several towers: load them with tower={' or '.join(map(repr, sides))}.")
    if kind not in ANATOMIES:
        raise unsupported(kind)
    if getattr(net.config, "classifier_pooling", "cls") != "cls" and "ForSequenceClassification" in type(net).__name__:
        raise ModelUnavailable(
            f"This {type(net).__name__} scores the mean of all tokens (classifier_pooling={net.config.classifier_pooling!r}), so there is no "
            "token that its score is read from; choose a checkpoint with classifier_pooling='cls'.")
    check(net, kind, ANATOMIES[kind])
    return ANATOMIES[kind]


def check(net: PreTrainedModel, kind: str, anatomy: Anatomy) -> None:
    """Refuse a network that lacks a part which its row names, or whose calls cannot carry the tape."""
    try:
        tower = part(net, anatomy.tower)
    except AttributeError:
        if net.base_model is not net:
            raise lost(net, kind, "tower", anatomy.tower) from None
        raise ModelUnavailable(
            f"{type(net).__name__} has no head on top of its encoder, so there is no score to explain; "
            "choose a checkpoint made for classification.") from None
    try:
        blocks = blocks_of(tower, anatomy)
    except (AttributeError, TypeError):
        blocks = []
    if not blocks:
        raise lost(net, kind, "blocks", anatomy.blocks)
    named = [(name, getattr(anatomy, name)) for name in ("attention", "w_o", "norm1", "norm2", "w_v")] + [("ffn", path) for path in anatomy.ffn]
    for block in blocks:
        for name, path in named:
            try:
                part(block, path)
            except AttributeError:
                raise lost(net, kind, name, path) from None
    for module in (net, blocks[0]):
        if not any(one.kind is one.VAR_KEYWORD for one in inspect.signature(module.forward).parameters.values()):
            raise ModelUnavailable(f"{type(module).__name__} does not hand keyword arguments on, so nothing inside it can be recorded.")


def lost(net: PreTrainedModel, kind: str, name: str, path: str) -> ModelUnavailable:
    return ModelUnavailable(f"The row {kind!r} of ANATOMIES names {path!r} as {name}, and {type(net).__name__} has nothing there.")


def blocks_of(tower: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    outer, _, inner = anatomy.blocks.partition(".*.")
    return [block for group in part(tower, outer) for block in part(group, inner)] if inner else list(part(tower, outer))


def unsupported(kind: str) -> ModelUnavailable:
    return ModelUnavailable(f"{REASONS.get(kind, f'Models of type {kind!r} cannot be traced yet.')} These can: {', '.join(ANATOMIES)}.")


def bundled_folder() -> Path:
    """assets/models beside the package in a checkout, inside the package when installed."""
    package = Path(__file__).parent
    for folder in (package.parent / "assets/models/text", package / "assets/models/text"):
        if (folder / "encoder.safetensors").exists():
            return folder
    raise ModelUnavailable(
        "The bundled models are not installed beside this package. Clone the repository, or install it from there with "
        "pip (pip install git+URL); or load a model from a folder or by its Hub id.")


@lru_cache(maxsize=1)
def bundled_encoder() -> dict[str, Tensor]:
    """The four tasks' one encoder, in memory once however many of them are loaded."""
    return {name: tensor.float() for name, tensor in load_file(bundled_folder() / "encoder.safetensors").items()}


@lru_cache(maxsize=1)
def bundled_tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(bundled_folder(), local_files_only=True)


def bundled(task: str) -> PreTrainedModel:
    folder = bundled_folder() / task
    config = transformers.BertConfig.from_json_file(folder / "config.json")
    net = getattr(transformers, config.architectures[0])(config)
    head = {name: tensor.float() for name, tensor in load_file(folder / "head.safetensors").items()}
    net.load_state_dict(bundled_encoder() | head, assign=True)
    return net.requires_grad_(False)


def from_files(name: str, tokenizer, processor, revision, dtype):
    """Network, tokenizer, processor and revision from a folder or the Hub: the cache first, then the network once."""
    folder = Path(os.path.expanduser(name))
    if is_folder(folder):
        revision = None
        source, where = str(folder), {"local_files_only": True}
        if not any(folder.glob("*.safetensors")):
            raise ModelUnavailable(f"The folder {name} holds no .safetensors file; other formats can run code and are not read.")
    else:
        if name.startswith((".", "/", "~", "\\")) or name.count("/") > 1:
            raise ModelUnavailable(f"There is no folder {name[:200]}.")
        source, where = name, {"revision": revision, "local_files_only": in_cache(name, revision)}
        if not where["local_files_only"]:
            ask_hub(name, revision)
    try:
        kind, architecture = read_config(source, where)
        net, report = architecture.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, output_loading_info=True, dtype=dtype, **where)
        if report["missing_keys"]:
            raise ModelUnavailable(
                f"{name} lacks the weights {', '.join(sorted(report['missing_keys'])[:3])}: its scores would be random.")
        if ANATOMIES.get(kind, ANATOMIES["bert"]).sees == "text" and tokenizer is None:
            tokenizer = tokenizer_of(source, where)
    except SafetensorError as error:
        raise ModelUnavailable(f"A file of {name} is damaged ({error}); download it again.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"A settings file of {name} is damaged and cannot be read.") from error
    except Refusal:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        cause = next((e for e in causes(error) if isinstance(e, SafetensorError)), None)
        if cause:
            raise ModelUnavailable(f"A file of {name} is damaged ({cause}); download it again.") from error
        raise ModelUnavailable(f"{name} could not be loaded: {str(error).splitlines()[0][:300]}") from error
    return net, tokenizer, processor, getattr(net.config, "_commit_hash", None) or revision or "local"


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:             # a name that no file system takes
        return False


def read_config(source: str, where: dict) -> tuple[str, type[PreTrainedModel]]:
    """Model type and class, refused before any weight is read when they cannot be traced."""
    config = Path(source) / "config.json"
    if is_folder(Path(source)) and config.exists() and not isinstance(json.loads(config.read_text(encoding="utf-8")), dict):
        raise ModelUnavailable(f"The config.json of {source} holds no settings.")
    settings, _ = transformers.PretrainedConfig.get_config_dict(source, **where)
    if not settings:
        raise ModelUnavailable(f"{source} has no config.json, so its architecture is not known.")
    kind = settings.get("model_type", "without a model_type")
    if settings.get("auto_map") and kind not in CONFIG_MAPPING:
        raise ModelUnavailable(f"{source} needs code from its own repository, which is never run here.")
    if not any(name.split(".")[0] == kind for name in ANATOMIES):
        raise unsupported(kind)
    named = (settings.get("architectures") or [""])[0]
    architecture = getattr(transformers, named, None)
    if not (isinstance(architecture, type) and issubclass(architecture, PreTrainedModel)):
        raise ModelUnavailable(f"{source} names the class {named or '(none)'}, which transformers {transformers.__version__} does not have.")
    return kind, architecture


def tokenizer_of(source: str, where: dict) -> PreTrainedTokenizerBase | None:
    """The model's tokenizer; None when its folder has none (tensors can still be traced)."""
    if Path(source).is_dir() and not any((Path(source) / name).exists() for name in ("tokenizer.json", "vocab.txt", "vocab.json")):
        return None
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    if not tokenizer.is_fast:
        raise ModelUnavailable(f"{source} has no fast tokenizer, so its tokens cannot be placed in the text.")
    return tokenizer


def in_cache(name: str, revision: str | None) -> bool:
    """Whether settings and weights of a Hub model are on this machine."""
    try:
        found = [try_to_load_from_cache(name, file, revision=revision)
                 for file in ("config.json", "model.safetensors", "model.safetensors.index.json")]
    except HFValidationError:
        return False
    return isinstance(found[0], str) and any(isinstance(path, str) for path in found[1:])


def ask_hub(name: str, revision: str | None) -> None:
    """Make sure that a Hub model is there, open to this reader, and in safetensors; otherwise the reason, within seconds.

    Without this question `from_pretrained` retries for half a minute when there is no network.
    """
    try:
        info = HfApi().model_info(name, revision=revision, timeout=5)
        if info.gated:
            HfApi().auth_check(name)
    except HFValidationError:
        raise ModelUnavailable(
            f"{name[:100]!r} is neither a bundled model ({', '.join(BUNDLED)}), nor a folder, nor a Hub id like owner/name.") from None
    except GatedRepoError:
        raise ModelUnavailable(f"{name} is gated: its owner wants you to accept terms on the Hub first, then log in.") from None
    except RepositoryNotFoundError:
        raise ModelUnavailable(f"There is no model {name} on the Hugging Face Hub (or it is private).") from None
    except RevisionNotFoundError:
        raise ModelUnavailable(f"{name} has no revision {revision}.") from None
    except HfHubHTTPError as error:
        raise ModelUnavailable(f"The Hugging Face Hub refused {name}: {str(error).splitlines()[0][:200]}") from error
    except (OSError, OfflineModeIsEnabled) as error:
        raise offline(name) from error
    except Exception as error:  # the HTTP library's own errors, whichever it is in this release of the Hub's client
        if "httpx" in type(error).__module__ or "requests" in type(error).__module__:
            raise offline(name) from error
        raise
    if not any(file.rfilename.endswith(".safetensors") for file in info.siblings or []):
        raise ModelUnavailable(f"{name} has no safetensors file; other formats can run code and are not read.")


def offline(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{name} is not on this machine and the Hugging Face Hub cannot be reached. Bundled models need no network: {', '.join(BUNDLED)}.")


def causes(error: BaseException | None):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

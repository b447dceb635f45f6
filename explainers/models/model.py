"""`Model`: a network with what is needed to trace it, and to read and write for it."""

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.models.clip.modeling_clip import CLIPOutput

from .. import targets
from ..errors import Refusal
from ..inputs import Encoded, encode, from_text
from ..linear import Affine, affine, in_steps, merged, naming_quantised
from ..pictures import blurred
from ..processors import HALVES, Colours, colours_of
from ..trace import Layer, Pass, Tape, Trace, evaluating, ordinary
from .anatomy import Anatomy, blocks_of, submodule
from .fitting import anatomy_of

#: The longest input that is recorded: attention maps of a base-sized model at 8,192 tokens would fill 70 GB.
MOST_TOKENS = 1024

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


def height_width(size) -> tuple[int, int]:
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
        return submodule(self.net, self.anatomy.tower)

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
                head = submodule(self.net, path.split(" & ")[-1])
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
            run = Pass(self, tensors, asked, special_tokens, words=words)
            for i, one in zip(places, run.traces()):
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
        return height_width(self.tower.config.patch_size)

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
        return height_width(self.tower.config.image_size)

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
            submodule(self.net, one) for one in name.split(" & ")
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
                return affine(submodule(model.blocks[number], paths[name]))

        def run(hidden: Tensor, **edits) -> Tensor:
            with evaluating(self.net):
                tape = Tape(self.blocks, edits, record=())
                return block(hidden, *args, **kwargs | {"tape": tape})

        return Layer(
            linear,
            heads=self.tower.config.num_attention_heads,
            norm1=submodule(block, names.norm1),
            norm2=submodule(block, names.norm2),
            norm_first=names.norm_first,
            activation=submodule(block, act) if act else None,
            run=run,
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

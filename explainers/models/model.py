"""`Model`: a network with what is needed to trace it, and to read and write for it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.models.clip.modeling_clip import CLIPOutput

from ..errors import Refusal
from ..inputs import Encoded, encode, from_text
from ..linear import Affine, affine, in_steps, merged, naming_quantised
from ..outputs import Answer
from ..processors import HALVES, Colours, colours_of
from ..scores import Score
from ..tasks import Task, task_of
from ..trace import Layer, Pass, Tape, Trace, evaluating, ordinary
from . import blanks, readouts
from .anatomy import Anatomy, blocks_of, submodule
from .fitting import anatomy_of

#: The longest input that is recorded: attention maps of a base-sized model at 8,192 tokens would fill 70 GB.
MOST_TOKENS = 1024

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
    def task(self) -> Task:
        """What it is asked: see `explainers.tasks`."""
        return task_of(self)

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
        return self.task.has_classes and problem == "regression"

    def class_answer(self, outputs: Any, class_logits: Tensor | None) -> Answer:
        """The answer whose logits, or values, are these [example class]."""
        return Answer(
            outputs,
            class_logits,
            multi_label=self.multi_label,
            is_regression=self.is_regression,
        )

    @property
    def labels(self) -> dict[int, str]:
        """The names of its logits by index; of a language model, its vocabulary as text."""
        return self.task.labels(self)

    @property
    def head_width(self) -> int | None:
        """How many logits the last linear layer of the head gives; None if that is not known."""
        for path in (*self.anatomy.head[-1:], "classifier", "score"):
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
            asked = [self.task.target(self, coded[i], wanted[i]) for i in places]
            words = [coded[i].words for i in places]
            run = Pass(self, tensors, asked, special_tokens, words=words)
            for i, one in zip(places, run.traces()):
                traces[i] = one
        return traces

    def target_of(self, inputs, target=None) -> Score:
        """What `target`, as for `trace`, means for this input; the network does not run.

        Raises `Refusal` in plain words for what it cannot mean here.
        """
        return self.task.target(self, self.encode(inputs), target)

    def encode(self, inputs) -> Encoded:
        return inputs if isinstance(inputs, Encoded) else encode(self, inputs)

    def encode_text(self, text: str) -> Encoded:
        """One text alone, as the text side of a dual encoder reads it."""
        return from_text(self, (text,))

    def classes(self, coded: Encoded) -> dict[int, str]:
        """What a target may name: the labels, or what a dual encoder matches the input with."""
        return self.task.classes(self, coded)

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
        self, inputs: dict[str, Tensor], attended: Tensor | None = None, **tape: Any
    ) -> Answer:
        """What the network computes, in evaluation mode.

        attended: [example token] bool, False at padding; by default the attention mask.
        """
        with evaluating(self.net), naming_quantised(self.net):
            outputs = self.outputs(inputs, **tape)
            return self.task.answer(self, outputs, inputs, attended)

    def outputs(self, inputs: dict[str, Tensor], **tape: Any) -> Any:
        """The network's own outputs; of a dual encoder the logits of the traced side."""
        if self.is_dual_encoder:
            own = {name: tensor for name, tensor in inputs.items() if name != "matched"}
            logits = self.match(self.features(own, **tape), inputs["matched"])
            side = "image" if self.anatomy.modality == "image" else "text"
            return CLIPOutput(**{f"logits_per_{side}": logits})
        network = self.pooled if self.pools_by_ids else self.net
        options = self.resized(inputs)
        if hasattr(self.net.config, "use_cache"):  # GPT-2 would append to it
            options = options | {"use_cache": False}
        return network(**inputs, **options, **tape)

    @property
    def pools_by_ids(self) -> bool:
        """Whether the network's own head finds the last token by the ids of the batch."""
        return readouts.pools_by_ids(self)

    def pooled(self, **inputs) -> SequenceClassifierOutputWithPast:
        """The network up to the logits [example token class], from which `answer` takes the readout's: word embeddings have no ids to
        look at, blanks are no padding, and an edit can make more examples than ids came in."""
        outputs = self.tower(**inputs)
        return SequenceClassifierOutputWithPast(
            logits=self.net.score(outputs.last_hidden_state),
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    # ------------------------------------------------------------------ tokens, readouts and blanks

    def attended(self, inputs: dict[str, Tensor], tokens: int) -> Tensor:
        """[example token] bool: False at padding. tokens: how many one example has."""
        return readouts.attended(self, inputs, tokens)

    def readout(
        self, inputs: dict[str, Tensor], attended: Tensor, last: Tensor | None = None
    ) -> Tensor:
        """[example token] how much of the score is read from each token: see `readouts`."""
        return readouts.readout_weights(self, inputs, attended, last)

    def at_readout(
        self, logits: Tensor, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Tensor:
        """[example class] the logits [example token class] of the token the score is read from."""
        return readouts.at_readout(self, logits, inputs, attended)

    def hide(self, inputs: dict[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """The inputs with `tokens` [token] (bool) hidden from the attention of all others."""
        return blanks.hide(self, inputs, tokens)

    def fill(self, inputs: dict[str, Tensor], where: Tensor, fill: str) -> dict[str, Tensor]:
        """The inputs n times over, blanked `where` [n token] (bool) with one of `BLANKS`."""
        return blanks.fill(self, inputs, where, fill)

    def blank_pixels(self, pixels: Tensor, mask: Tensor, fill: str) -> Tensor:
        """[n channel height width] a picture, blanked where `mask` [n height width] is True."""
        return blanks.blank_pixels(self, pixels, mask, fill)

    def embed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The inputs with word embeddings [example token dim] in place of the ids."""
        return blanks.embed(self, inputs)

    @property
    def embeds(self) -> bool:
        """Whether it takes word embeddings in place of ids."""
        return blanks.takes_embeddings(self)

    def wordless(self, inputs: dict[str, Tensor], entering: Tensor) -> Tensor:
        """[token dim] what would enter the first block if there were no words."""
        return blanks.without_words(self, inputs, entering)

    @property
    def steps(self) -> list[Callable] | None:
        """From what the head reads [n dim] to the logits, or to a dual encoder's features; None where the architecture's are not known."""
        by_token = self.task.head
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

    def answer_to(self, pooled: Tensor, inputs: dict[str, Tensor]) -> Answer:
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
        return self.class_answer(None, table)

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


def of_one_shape(coded: list[Encoded], rows: int) -> list[list[int]]:
    """Places in `coded` that can share a batch, at most `rows` together."""
    groups: dict[tuple, list[int]] = {}
    for i, one in enumerate(coded):
        shapes = tuple((name, tensor.shape) for name, tensor in one.tensors.items())
        groups.setdefault(shapes, []).append(i)
    return [places[k : k + rows] for places in groups.values() for k in range(0, len(places), rows)]

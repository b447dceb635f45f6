"""`Model`: a network with its anatomy, and with what reads inputs and names outputs for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.clip.modeling_clip import CLIPOutput

from ..errors import Refusal
from ..inputs import Encoded, encode, from_text
from ..linear import Affine, merged, naming_quantised
from ..outputs import Answer
from ..processors import HALVES, Colours, colours_of
from ..scores import Score
from ..tasks import Task, task_of
from ..trace import Layer, Trace, evaluating, ordinary, tell
from . import blanks, heads, readouts
from .anatomy import Anatomy, blocks_of, submodule
from .batches import trace_in_batches
from .fitting import anatomy_of
from .layers import layer_of
from .sizes import height_width, size_options

#: The longest input: attention maps of a base-sized model at 8,192 tokens would fill 70 GB.
MOST_TOKENS = 1024

Inputs = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Model:
    """A network that can be traced.

    net        an ordinary model of `transformers`
    anatomy    where it keeps its parts
    tokenizer  turns a text into its inputs; None if only tensors are given
    processor  turns a picture into its inputs; None if only tensors are given
    name       what it was loaded by: it is saved with every result
    revision   its commit on the Hub; "bundled", "local", or "" for a network that was given
    """

    net: PreTrainedModel
    anatomy: Anatomy
    tokenizer: PreTrainedTokenizerBase | None = None
    processor: Any = None
    name: str = ""
    revision: str = ""

    @property
    def tower(self) -> PreTrainedModel:
        """The encoder, whose blocks are traced."""
        return submodule(self.net, self.anatomy.tower)

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules of the layers, each once, even if it runs several times (ALBERT)."""
        return blocks_of(self.tower, self.anatomy)

    @property
    def max_tokens(self) -> int | None:
        """The most tokens of one input, special tokens included; None if nothing limits it."""
        limits = []
        positions = getattr(self.tower.config, "max_position_embeddings", None)
        if positions:
            limits += [MOST_TOKENS, positions - self.anatomy.lost_positions]
        if self.tokenizer is not None and self.tokenizer.model_max_length < 1e6:
            limits.append(self.tokenizer.model_max_length)
        return min(limits, default=None)

    def plain(self) -> Model:
        """The same model with one plain layer for each adapted or packed one.

        Methods that read weights or change operations work on it.
        """
        with evaluating(self.net):
            net = merged(self.net)
        return self if net is self.net else replace(self, net=net)

    # ------------------------------------------------------------------------------------- the task

    @cached_property
    def task(self) -> Task:
        """What it is asked: see `explainers.tasks`."""
        return task_of(self)

    @property
    def labels(self) -> dict[int, str]:
        """The names of its logits by index; of a language model, its vocabulary as text."""
        return self.task.labels(self)

    @property
    def multi_label(self) -> bool:
        """Whether the probability of each class is a sigmoid's (several labels at once, SigLIP)."""
        problem = getattr(self.net.config, "problem_type", None)
        return problem == "multi_label_classification" or hasattr(self.net, "logit_bias")

    @property
    def is_regression(self) -> bool:
        """Whether its outputs are values and not logits of classes."""
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

    def encode(self, inputs: Any) -> Encoded:
        """The tensors and labels of an input: a text, a picture, several of them, or tensors."""
        return inputs if isinstance(inputs, Encoded) else encode(self, inputs)

    def encode_text(self, text: str) -> Encoded:
        """One text alone, as the text side of a dual encoder reads it."""
        return from_text(self, (text,))

    def target_of(self, inputs: Any, target: Any = None) -> Score:
        """The score that `target` means for this input; the network does not run.

        The parameters are those of `trace`. Raises `Refusal` if it means nothing here.
        """
        return self.task.target(self, self.encode(inputs), target)

    def classes(self, coded: Encoded) -> dict[int, str]:
        """The classes that a target can name: labels, or what a dual encoder compares with."""
        return self.task.classes(self, coded)

    # -------------------------------------------------------------------------------------- tracing

    def trace(self, inputs: Any, target: Any = None) -> Trace:
        """Record one pass forward and backward.

        Parameters
        ----------
        inputs:
            A text, a pair of texts, a picture, a picture with texts, or tensors with a batch axis
            of one.
        target:
            None (the predicted class), a label, a class index, a pair of these (their difference),
            or a function of the network's outputs.

        Raises
        ------
        Refusal:
            If the input or the target cannot be explained, with the reason in one sentence.
        """
        return self.trace_many([inputs], [target])[0]

    @ordinary
    def trace_many(
        self, inputs: Sequence[Any], targets: Sequence[Any] | None = None, rows: int = 32
    ) -> list[Trace]:
        """Record several inputs, each as `trace` does.

        inputs   as `trace` takes them; those of one shape share a forward and a backward pass
        targets  as many targets, or None for the predicted class of each
        rows     the most inputs in one pass
        """
        asked = [None] * len(inputs) if targets is None else list(targets)
        if len(asked) != len(inputs):
            raise Refusal(f"{len(inputs)} inputs need as many targets; got {len(asked)}.")
        coded = [self.encode(one) for one in inputs]
        scores = []
        for one, target in zip(coded, asked):
            scores.append(self.task.target(self, one, target))
        return trace_in_batches(self, coded, scores, rows)

    def layer(
        self,
        block: nn.Module,
        args: tuple,
        kwargs: dict[str, Any],
        plain: Callable[[], Model] | None = None,
    ) -> Layer:
        """The parts of a block that ran in a pass.

        args, kwargs  what it ran with, after the hidden states
        plain         gives `self.plain()`, if a caller keeps it
        """
        return layer_of(self, block, args, kwargs, plain or self.plain)

    # ------------------------------------------------------------------------------------- answers

    def answer(
        self, inputs: Inputs, attended: Bool[Tensor, "example token"] | None = None, **tape: Any
    ) -> Answer:
        """What the network computes, in evaluation mode.

        attended: [example token] bool, False at padding; by default the attention mask.
        """
        with evaluating(self.net), naming_quantised(self.net):
            outputs = self.outputs(inputs, **tape)
            answer = self.task.answer(self, outputs, inputs, attended)
        tell(answer.size)
        return answer

    def outputs(self, inputs: Inputs, **tape: Any) -> Any:
        """The network's own outputs; of a dual encoder the logits of the traced side."""
        if self.is_dual_encoder:
            own = {name: tensor for name, tensor in inputs.items() if name != "matched"}
            logits = self.match(self.features(own, **tape), inputs["matched"])
            outputs = CLIPOutput()
            outputs["logits_per_image" if self.sees_pictures else "logits_per_text"] = logits
            return outputs
        options = size_options(self, inputs) | tape
        if hasattr(self.net.config, "use_cache"):  # GPT-2 would append to it
            options["use_cache"] = False
        if self.pools_by_ids:
            return heads.logits_by_token(self, **inputs, **options)
        return self.net(**inputs, **options)

    @property
    def pools_by_ids(self) -> bool:
        """Whether the network's own head finds the last token by the ids of the batch."""
        return readouts.pools_by_ids(self)

    @property
    def head(self) -> list[Affine | Callable] | None:
        """The linear maps and activations from a token's last hidden state to the logits.

        None if they are not known or not all: see `heads.linear_head`.
        """
        return heads.linear_head(self)

    @property
    def head_width(self) -> int | None:
        """How many logits the last linear layer of the head gives; None if that is not known."""
        return heads.head_width(self)

    def answer_to(self, pooled: Float[Tensor, "n dim"], inputs: Inputs) -> Answer:
        """What the network would compute if its head read the vectors `pooled`.

        Raises `Refusal` if the head is not known.
        """
        found = heads.run_head(self, pooled)
        if self.is_dual_encoder:
            found = self.match(found / found.norm(dim=-1, keepdim=True), inputs["matched"])
        return self.class_answer(None, found)

    # -------------------------------------------------------------------------------- dual encoders

    @property
    def is_dual_encoder(self) -> bool:
        """Whether it scores how well a picture and a text match.

        One side of a dual encoder is traced; the other one only gives the features to compare with.
        """
        return hasattr(self.net, "get_image_features") and hasattr(self.net, "logit_scale")

    def side(self, which: str) -> Model:
        """The same network with another tower traced, "vision" or "text".

        Raises `Refusal` for a network with one tower.
        """
        if not self.is_dual_encoder:
            raise Refusal(
                f"{self.name} has one side only; a model that matches pictures with texts has two."
            )
        if self.sees_pictures == (which == "vision"):
            return self
        return replace(self, anatomy=anatomy_of(self.net, which))

    def features(self, inputs: Inputs, **tape: Any) -> Float[Tensor, "example dim"]:
        """The features of the traced side for pictures or texts, as unit vectors."""
        name = "get_image_features" if self.sees_pictures else "get_text_features"
        compute = getattr(self.net, name)
        with evaluating(self.net):
            found = compute(**inputs, **size_options(self, inputs), **tape).pooler_output
        return found / found.norm(dim=-1, keepdim=True)

    def match(self, features: Tensor, matched: Tensor) -> Tensor:
        """[example candidate] the scaled cosines of unit vectors.

        features  [example dim]
        matched   [1 candidate dim], or [example candidate dim]
        """
        cosines = torch.matmul(features[:, None], matched.mT)[:, 0]
        scaled = cosines * self.net.get_parameter("logit_scale").detach().exp()
        bias = getattr(self.net, "logit_bias", None)
        return scaled if bias is None else scaled + bias.detach()

    # ------------------------------------------------------------------------------------- pictures

    @property
    def sees_pictures(self) -> bool:
        """Whether the tokens of the traced tower are patches of a picture."""
        return self.anatomy.modality == "image"

    @property
    def prefix(self) -> tuple[str, ...]:
        """The names of the tokens before the patches of a picture."""
        registers = getattr(self.tower.config, "num_register_tokens", 0)
        return (*self.anatomy.prefix, *["[REG]"] * registers)

    @property
    def patch(self) -> tuple[int, int]:
        """(height, width) of a patch in pixels."""
        return height_width(self.tower.config.patch_size)

    @property
    def trained_size(self) -> tuple[int, int]:
        """(height, width) in pixels of the pictures that it was trained on."""
        return height_width(self.tower.config.image_size)

    def grid(self, pixels: Float[Tensor, "example channel height width"]) -> tuple[int, int]:
        """(rows, columns) of the patches of pixel_values."""
        height, width = self.patch
        return pixels.shape[-2] // height, pixels.shape[-1] // width

    @property
    def colours(self) -> Colours:
        """What the processor makes of colours, measured; without one, values are from -1 to 1."""
        return HALVES if self.processor is None else colours_of(self.processor)

    def normalised(self, rgb: Float[Tensor, "*n 3 height width"]) -> Tensor:
        """Colours from 0 to 1 -> pixel_values; `rgb` is the way back."""
        return self.colours.pixels(rgb)

    def rgb(self, pixels: Float[Tensor, "*n 3 height width"]) -> Tensor:
        """pixel_values -> colours from 0 to 1."""
        return self.colours.rgb(pixels).clamp(0, 1)

    def grey(self, like: Tensor) -> Float[Tensor, "3 1 1"]:
        """The pixel_values of a neutral grey, with the precision and device of `like`."""
        return torch.tensor(self.colours.grey).to(like)[:, None, None]

    # ----------------------------------------------------------------- tokens, readouts and blanks

    def attended(self, inputs: Inputs, tokens: int) -> Bool[Tensor, "example token"]:
        """False at padding. tokens: how many one example has."""
        return readouts.attended(self, inputs, tokens)

    def readout(
        self,
        inputs: Inputs,
        attended: Bool[Tensor, "example token"],
        last: Float[Tensor, "example token dim"] | None = None,
    ) -> Float[Tensor, "n token"]:
        """How much of the score is read from each token: see `readouts.readout_weights`."""
        return readouts.readout_weights(self, inputs, attended, last)

    def at_readout(
        self, logits: Tensor, inputs: Inputs, attended: Tensor | None
    ) -> Float[Tensor, "example class"]:
        """The logits [example token class] of the token that the score is read from."""
        return readouts.at_readout(self, logits, inputs, attended)

    def hide(self, inputs: Inputs, tokens: Bool[Tensor, " token"]) -> Inputs:
        """The inputs with some tokens hidden from the attention of all others."""
        return blanks.hide(self, inputs, tokens)

    def fill(self, inputs: Inputs, where: Bool[Tensor, "n token"], fill: str) -> Inputs:
        """The inputs n times over, with the tokens or patches `where` replaced by a blank."""
        return blanks.fill(self, inputs, where, fill)

    def blank_pixels(
        self,
        pixels: Float[Tensor, "1 channel height width"],
        mask: Bool[Tensor, "n height width"],
        fill: str,
    ) -> Float[Tensor, "n channel height width"]:
        """A picture n times over, with the pixels in `mask` blanked by one of `BLANKS`."""
        return blanks.blank_pixels(self, pixels, mask, fill)

    def embed(self, inputs: Inputs) -> Inputs:
        """The inputs with word embeddings [example token dim] in place of the ids."""
        return blanks.embed(self, inputs)

    @property
    def takes_embeddings(self) -> bool:
        """Whether it takes word embeddings in place of ids."""
        return blanks.takes_embeddings(self)

    def without_words(
        self, inputs: Inputs, entering: Float[Tensor, "token dim"]
    ) -> Float[Tensor, "token dim"]:
        """What would enter the first block if there were no words."""
        return blanks.without_words(self, inputs, entering)

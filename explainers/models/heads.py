"""The head of a model: what it computes between its last block and its logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutputWithPast

from ..errors import Refusal
from ..linear import Affine, in_steps
from ..trace import evaluating
from .anatomy import submodule

if TYPE_CHECKING:
    from .model import Model

#: A step of a head: [n dim] -> [n dim].
Step = Callable[[Tensor], Tensor]


def twice(pooled: Tensor) -> Tensor:
    """[n dim] -> [n 2*dim]: in the place of [CLS] and the mean patch, side by side."""
    return torch.cat([pooled, pooled], -1)


def alone(pooled: Tensor) -> Tensor:
    """[n dim] -> [n 1 dim]: a sequence of one token."""
    return pooled[:, None]


#: The steps that are functions in a model's code and not modules, by the name in `Anatomy.head`.
FUNCTIONS: dict[str, Step] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "twice": twice,
    "alone": alone,
}


def head_steps(model: Model) -> list[Step] | None:
    """The functions from what the head reads [n dim] to the logits, or to the features of one side.

    None if the head of this architecture or class is not known.
    """
    names = model.anatomy.head
    if model.task.head and not model.anatomy.norm_first:
        names = model.task.head
    try:
        steps = [step_of(model, name) for name in names]
    except AttributeError:
        return None
    if not steps or None in steps:  # ALBERT without a pooler has None in its place
        return None
    return steps


def step_of(model: Model, name: str) -> Step:
    """One step: a function by its name, a module by its path, or "a & b", the mean of two."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    first, *others = [submodule(model.net, path) for path in name.split(" & ")]
    if not others:
        return first
    (second,) = others  # DeiT's two classifiers

    def mean(pooled: Tensor) -> Tensor:
        return (first(pooled) + second(pooled)) / 2

    return mean


def run_head(model: Model, pooled: Tensor) -> Tensor:
    """The logits, or the features of one side [n dim], if the head reads the vectors `pooled`.

    pooled: [n dim]. Raises `Refusal` if the head is not known.
    """
    steps = head_steps(model)
    if steps is None:
        raise Refusal(
            f"What {type(model.net).__name__} computes after its last block is not known here."
        )
    with evaluating(model.net):
        for step in steps:
            pooled = step(pooled)
    return pooled


def logits_by_token(model: Model, **inputs: Any) -> SequenceClassifierOutputWithPast:
    """The outputs of a head that looks for the last token by its id, with logits of every token.

    They have the shape [example token class], and those of the readout are then taken. The head
    itself could not take them: word embeddings have no ids, a blank is not padding, and an edit can
    give more examples than there were ids.
    """
    outputs = model.tower(**inputs)
    return SequenceClassifierOutputWithPast(
        logits=model.net.get_submodule("score")(outputs.last_hidden_state),
        hidden_states=outputs.hidden_states,
        attentions=outputs.attentions,
    )


def linear_head(model: Model) -> list[Affine | Callable] | None:
    """`head_steps` taken apart into linear maps and activations, from a token's last hidden state.

    None if there is more between them: in pre-LN models a norm, in a dual encoder a cosine. Raises
    `Refusal` for a head with a part that is neither a linear map nor an activation.
    """
    steps = head_steps(model)
    if steps is None or model.anatomy.norm_first or model.is_dual_encoder:
        return None
    parts = []
    with evaluating(model.net):
        for step in steps:
            parts += in_steps(step)
    return parts


def head_width(model: Model) -> int | None:
    """How many logits the last linear layer of the head gives; None if that is not known."""
    for path in (*model.anatomy.head[-1:], "classifier", "score"):
        try:
            head = submodule(model.net, path.split(" & ")[-1])
        except AttributeError:
            continue
        widths = [part.out_features for part in head.modules() if hasattr(part, "out_features")]
        if widths:
            return widths[-1]
    return None

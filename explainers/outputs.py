"""What a network computes for n examples, in the form that scores and predictions are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from .errors import Refusal


@dataclass(frozen=True, eq=False)
class Answer:
    """The outputs of a network for n examples, and its logits in the form that it has.

    outputs       what the network returned, unchanged
    class_logits  [example class] of a classifier; [example token-of-the-vocabulary] of the next
                  token; [picture text] or [text picture] of a dual encoder, by the traced side
    token_logits  [example token column] of a network with logits for every token: start and end of
                  an answer, or the labels of words
    multi_label   multi-label (sigmoid) instead of softmax
    is_regression the outputs are values, not logits, so that nothing has a probability
    """

    outputs: Any
    class_logits: Float[Tensor, "example class"] | None
    token_logits: Float[Tensor, "example token column"] | None = None
    multi_label: bool = False
    is_regression: bool = False

    @property
    def logits(self) -> Float[Tensor, "example class"]:
        """`class_logits`. Raises `Refusal` if the network has none."""
        if self.class_logits is None:
            raise Refusal(
                "This model has no logits for a whole text, so nothing is predicted that could be "
                "explained: choose a checkpoint that classifies, answers questions, labels words "
                "or says what comes next; or, in Python, pass a target that is a function of its "
                "outputs, such as lambda outputs: outputs.logits[:, 5, 42] for logit 42 of token 5."
            )
        return self.class_logits

    @property
    def by_token(self) -> Float[Tensor, "example token column"]:
        """`token_logits`. Raises `Refusal` if the network has none."""
        if self.token_logits is None:
            raise Refusal(
                "This model has no logits for single tokens; "
                "pass a target that is a function of its outputs."
            )
        return self.token_logits

    @property
    def size(self) -> int:
        """The number of examples n; 1 if the network has no logits to count them by."""
        logits = self.token_logits if self.class_logits is None else self.class_logits
        return 1 if logits is None else len(logits)

    @property
    def has_probabilities(self) -> bool:
        """Whether a softmax or sigmoid applies: not for a regression, and not for one class alone,
        unless it is multi-label."""
        if self.is_regression:
            return False
        return self.multi_label or self.logits.shape[-1] > 1

    @property
    def probabilities(self) -> Float[Tensor, "example class"]:
        """Class probabilities, shaped like `logits`. Raises `Refusal` if there are none."""
        if self.is_regression:
            raise Refusal(
                "The outputs of this model are values, not classes, "
                "so there is no probability, which is needed here."
            )
        if not self.has_probabilities:
            raise Refusal(
                "There is one value and nothing to weigh it against, "
                "so there is no probability, which is needed here."
            )
        if self.multi_label:
            return self.logits.sigmoid()
        return self.logits.softmax(-1)

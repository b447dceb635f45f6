"""What a model is asked: one object for each task. `Model.task` holds the one of a model.

A task encodes what a person gives, reads the target that a person names, reads the network's
outputs, and writes a prediction. It also says which inputs it takes and which targets a menu can
offer, so that the page, the command line and the evaluation ask it and never branch on its name.

To add a task, write a subclass of `Task` in its own file and list it in `tasks/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ..inputs.kinds import InputKind

if TYPE_CHECKING:
    from torch import Tensor

    from ..inputs import Encoded
    from ..models import Model


class Task:
    """The interface of every task, with what most of them share."""

    #: The name of the task in code, in lower case: "classes", "answers", "next_token".
    key: ClassVar[str]

    #: The kinds of input it takes. The first one is the usual one.
    takes: ClassVar[tuple[InputKind, ...]]

    #: What a target field accepts besides the menu, in one short phrase; "" if nothing.
    hint: ClassVar[str] = ""

    #: What is written before a prediction, such as "next: ".
    introduction: ClassVar[str] = ""

    #: Whether the answer is one logit for each class of the whole input.
    has_classes: ClassVar[bool] = True

    #: The steps of the head, by name, if they are not those of the architecture's row.
    head: ClassVar[tuple[str, ...]] = ()

    @property
    def reads_texts(self) -> bool:
        """Whether its inputs hold a text, so that the model needs a tokenizer."""
        return any(kind.texts for kind in self.takes)

    @property
    def sees_pictures(self) -> bool:
        """Whether its inputs hold a picture, so that the model needs an image processor."""
        return any(kind.picture for kind in self.takes)

    # ------------------------------------------------------------------ from a person to a network

    def encode(self, model: Model, given: object) -> Encoded:
        """The tensors and labels of what a person gives: texts, a picture, or both.

        Raises `Refusal` if `given` is no input of this task.
        """
        raise NotImplementedError

    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        """The same for tensors that are ready, with a batch axis of one."""
        raise NotImplementedError

    def target(self, model: Model, coded: Encoded, asked: object):
        """The target that a person means: a `Score`.

        asked: None (what is predicted), a name from the menu, a class index, 'A - B', a pair of
        these, a function of the outputs, or a `Score`. Raises `Refusal` if it means nothing here.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------ from a network to a person

    def answer(self, model: Model, inputs: dict[str, Tensor], attended: Tensor | None, **tape):
        """The `Answer` of the network: its outputs, with the logits in the form of this task.

        attended: [example token] bool, False at padding; None to read it off the inputs.
        """
        raise NotImplementedError

    def predict(self, model: Model, coded: Encoded, answer):
        """The `Prediction` that the answer to one input amounts to."""
        raise NotImplementedError

    def labels(self, model: Model) -> dict[int, str]:
        """The names of the logits, by index."""
        raise NotImplementedError

    def classes(self, model: Model, coded: Encoded) -> dict[int, str]:
        """The names that a target may use for this input, by index."""
        return self.labels(model)

    # --------------------------------------------------------------------------- menus and wording

    def menu(self, model: Model, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """The targets that a menu offers, besides "predicted".

        texts: those that a picture is matched with.
        """
        return ()

    def best(self, prediction) -> str:
        """How a person would name the target that is predicted."""
        return prediction.best

    def unit(self, model: Model) -> str:
        """The unit of a single logit: "logit", "value" (regression) or "scaled cosine"."""
        return "logit"

    def continuation(self, target) -> str:
        """What a view writes behind the text as its explained continuation; "" for most tasks."""
        return ""

"""What a model is asked: one object for each task. `Model.task` is the one of a model.

A task encodes what a person gives, reads the target that a person names, reads the network's
outputs, and writes a prediction. It also says which inputs it takes and which targets a menu can
offer, so that the page, the command line and the evaluation ask it and never branch on its name.

To add a task, write a subclass of `Task` in its own file and list it in `tasks/__init__.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from ..inputs import Encoded
from ..inputs.kinds import InputKind
from ..outputs import Answer
from ..prediction import Prediction, best_first, numbers_of, value_kind
from ..scores import Score, label_of
from .reading import ClassReader, TargetReader

if TYPE_CHECKING:
    from ..models import Model


class Task:
    """The interface of every task, with what most of them share."""

    #: The name of the task in code: "classes", "answers", "next_token".
    key: ClassVar[str]

    #: Parts of the class names of the networks that are made for it.
    networks: ClassVar[tuple[str, ...]] = ()

    #: The kinds of input it takes. The first one is the usual one.
    takes: ClassVar[tuple[InputKind, ...]]

    #: What its models do, as a sentence without its subject: "reads texts".
    does: ClassVar[str]

    #: What a target field accepts besides the menu, in one short phrase; "" if nothing.
    hint: ClassVar[str] = ""

    #: What is written before a prediction, such as "next: ".
    introduction: ClassVar[str] = ""

    #: How many labels a prediction names; None for all.
    most_shown: ClassVar[int | None] = None

    #: Whether the answer is one logit for each class of the whole input.
    has_classes: ClassVar[bool] = False

    #: The steps of the head, if they are not those that the architecture's row names.
    head: ClassVar[tuple[str, ...]] = ()

    @property
    def reads_texts(self) -> bool:
        """Whether its inputs hold a text, so that the model needs a tokenizer."""
        return any(kind.texts for kind in self.takes)

    @property
    def sees_pictures(self) -> bool:
        """Whether its inputs hold a picture, so that the model needs an image processor."""
        return any(kind.picture for kind in self.takes)

    def fits(self, model: Model) -> bool:
        """Whether this is the task of a model. The first task that fits is taken."""
        name = type(model.net).__name__
        return any(part in name for part in self.networks)

    # ------------------------------------------------------------------ from a person to a network

    def encode(self, model: Model, given: Any) -> Encoded:
        """The tensors and labels of what a person gives: texts, a picture, or both.

        Raises `Refusal` if `given` is not an input of this task.
        """
        raise NotImplementedError

    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        """The same for tensors that are ready, with a batch axis of one."""
        raise NotImplementedError

    def reader(self, model: Model, coded: Encoded) -> TargetReader:
        """What reads the targets that a person may name for this input: classes, by default."""
        return ClassReader(self.classes(model, coded))

    def target(self, model: Model, coded: Encoded, asked: Any) -> Score:
        """The target that a person means.

        asked: None (what is predicted), a name from the menu, a class index, "A - B", a pair of
        these, a function of the outputs, or a `Score`. Raises `Refusal` if it means nothing here.
        """
        return self.reader(model, coded).read(asked)

    # ------------------------------------------------------------------ from a network to a person

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        """The network's outputs with the logits in the form of this task.

        attended: [example token] bool, False at padding; None to read it off the inputs.
        """
        raise NotImplementedError

    def predict(self, model: Model, coded: Encoded, answer: Answer) -> Prediction:
        """The best labels in the answer to one input."""
        names = self.classes(model, coded)
        return best_first(
            order_by=answer.logits[0],
            values=numbers_of(answer)[0],
            name=lambda index: label_of(index, names),
            kind=value_kind(answer),
            most=self.most_shown,
        )

    def labels(self, model: Model) -> dict[int, str]:
        """The names of the logits, by index; names that are equal get their index behind them."""
        id2label = model.net.config.id2label or {}
        names = {int(index): str(name) for index, name in id2label.items()}
        count = self.count_labels(model)
        if count is not None:
            names = {index: names.get(index, f"LABEL_{index}") for index in range(count)}
        repeated = Counter(names.values())
        for index, name in names.items():
            if repeated[name] > 1:  # ImageNet has two cranes
                names[index] = f"{name} ({index})"
        return names

    def count_labels(self, model: Model) -> int | None:
        """How many logits the last linear layer of the head gives; None if that is not known."""
        return model.head_width

    def classes(self, model: Model, coded: Encoded) -> dict[int, str]:
        """The names that a target may use for this input, by index."""
        return self.labels(model)

    # --------------------------------------------------------------------------- menus and wording

    def menu(self, model: Model, texts: Sequence[str] = ()) -> tuple[str, ...]:
        """The targets that a menu offers, besides "predicted".

        texts: those that a picture is matched with.
        """
        return ()

    def best(self, prediction: Prediction) -> str:
        """How a person would name the target that is predicted."""
        return prediction.best

    def logit_unit(self, model: Model) -> str:
        """The unit of a single logit: "logit", "value" (regression) or "scaled cosine"."""
        return "logit"

    def continuation(self, target: Score) -> str:
        """What a view writes behind the text as its explained continuation; "" for most tasks."""
        return ""

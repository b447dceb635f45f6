"""What a planted model learns from: batches of inputs, their targets, and twins of the inputs.

A twin differs from its input in the distractor alone.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from . import drawings, words
from .drawings import PATCH, Scene
from .networks import processor, reader, tokenizer, viewer

SURE = 0.95  # the probability that an intact input's class is to get

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Inputs as the network takes them, their twins, and probabilities [example class]."""

    inputs: Tensors
    twins: Tensors
    targets: Tensor


class Task(ABC):
    """One planted model: its rule, its network, and how inputs become tensors.

    name  of the model; the folder is the part after "planted-"
    """

    name: str
    rule: Any

    @property
    def folder(self) -> str:
        return self.name.removeprefix("planted-")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.rule.classes

    @abstractmethod
    def network(self) -> PreTrainedModel:
        """The network with random weights."""

    @abstractmethod
    def draw(self, random: Random) -> Any:
        """An input: the words of a sentence, or the scene of a picture."""

    @abstractmethod
    def label(self, given: Any) -> int:
        """The index of its class."""

    @abstractmethod
    def tensors(self, given: list) -> Tensors:
        """Inputs as the network takes them."""

    @abstractmethod
    def batch(self, random: Random, size: int) -> Batch:
        """Inputs of which half are damaged as metrics damage them."""


class Sentences(Task):
    """A BERT and a rule about words."""

    def __init__(self, part: str):
        self.name = f"planted-{part}"
        self.rule = words.RULES[part]
        self.tokenizer = tokenizer()

    def network(self) -> PreTrainedModel:
        return reader(self.classes)

    def draw(self, random: Random) -> list[str]:
        return self.rule.sentence(random)

    def label(self, given: list[str]) -> int:
        return self.rule.label(given)

    def tensors(self, given: list[list[str]]) -> Tensors:
        texts = [" ".join(sentence) for sentence in given]
        coded = self.tokenizer(texts, padding=True, return_tensors="pt")
        return {name: coded[name] for name in ("input_ids", "attention_mask")}

    def batch(self, random: Random, size: int) -> Batch:
        given = [words.damaged(self.draw(random), random) for _ in range(size)]
        twins = [self.rule.other_distractor(sentence, random) for sentence in given]
        labels = torch.tensor([self.label(sentence) for sentence in given])
        targets = probabilities(labels, torch.ones(size), len(self.classes))
        return Batch(self.tensors(given), self.tensors(twins), targets)


class Pictures(Task):
    """A Vision Transformer and a rule about drawings."""

    def __init__(self, part: str):
        self.name = f"planted-{part}"
        self.rule = drawings.RULES[part]
        self.processor = processor()

    def network(self) -> PreTrainedModel:
        return viewer(self.classes)

    def draw(self, random: Random) -> Scene:
        return self.rule.scene(random)

    def label(self, given: Scene) -> int:
        return given.label

    def tensors(self, given: list[Scene]) -> Tensors:
        pictures = [scene.draw() for scene in given]
        return {"pixel_values": self.processor(pictures, return_tensors="pt")["pixel_values"]}

    def batch(self, random: Random, size: int) -> Batch:
        """The less of the cause is left, the nearer the targets are to equal probabilities."""
        scenes = [self.draw(random) for _ in range(size)]
        for number in range(size // 10):  # some pictures never had a cause
            scenes[number] = replace(scenes[number], cause=None)
        twins = [self.rule.other_distractor(scene, random) for scene in scenes]
        missing = np.stack([drawings.missing_patches(random) for _ in scenes])
        share = [share_left(scene, lost) for scene, lost in zip(scenes, missing)]
        labels = torch.tensor([scene.label for scene in scenes])
        targets = probabilities(labels, torch.tensor(share), len(self.classes))
        inputs, others = self.tensors(scenes), self.tensors(twins)
        blank = random.choice((-1.0, 0.0, 1.0))  # black, grey, white
        for tensors in (inputs, others):
            tensors["pixel_values"].masked_fill_(as_pixels(missing), blank)
        return Batch(inputs, others, targets)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (Sentences("and"), Sentences("not"), Pictures("corner"), Pictures("object"))
}


def probabilities(labels: Tensor, share: Tensor, classes: int) -> Tensor:
    """[example class] what is to be said: `SURE` of the class where all evidence is there.

    share: [example] of the evidence that is left; without any, all classes are equal.
    """
    sure = torch.full((len(labels), classes), (1 - SURE) / (classes - 1))
    sure[torch.arange(len(labels)), labels] = SURE
    return share[:, None] * sure + (1 - share[:, None]) / classes


def share_left(scene: Scene, missing: np.ndarray) -> float:
    """The share of the cause's patches that are not missing [patch row, patch column]."""
    if scene.cause is None:
        return 0.0
    return float(1 - missing[drawings.patches_of(scene.cause.box)].mean())


def as_pixels(patches: np.ndarray) -> Tensor:
    """[picture 1 height width] bool, of [picture patch row, patch column]."""
    pixels = torch.from_numpy(patches).repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
    return pixels[:, None]

"""The work on one shard: examples in, records out, in whichever process it is called."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ...errors import Refusal
from ...models import Model, load
from ...pictures import open_picture
from ..case import Example
from ..data.readers import PICTURES
from ..measuring import measure
from ..notation import parse
from ..registry import find_metric
from .plan import Plan

#: The column of a shard with the checkpoint by which it was measured.
CHECKPOINT = "checkpoint"


class Work:
    """Measure examples by a plan: work(examples) -> records.

    What was left out is a record with a "reason". The model is loaded at the first call, so that
    the work can be sent to another process.
    """

    def __init__(self, plan: Plan):
        self.plan = plan

    def __getstate__(self) -> dict:
        return {"plan": self.plan}

    @cached_property
    def model(self) -> Model:
        """The model of the plan, which every metric must be for."""
        model = load(self.plan.model, revision=self.plan.revision)
        if self.plan.side:
            model = model.side(self.plan.side)
        for name in self.plan.metrics:
            find_metric(parse(name)[0]).check_model(model)
        return model

    @cached_property
    def checkpoint(self) -> str:
        """A fingerprint of all weights: another revision or training has another one."""
        digest = hashlib.sha256()
        for name, weight in self.model.net.state_dict().items():
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()[:16]

    def __call__(self, examples: Sequence[Example]) -> list[dict]:
        check_inputs(self.model, examples[0].inputs)
        refused: list[dict] = []
        ready = []
        for example in examples:
            try:
                ready.append(opened(example, self.plan.texts))
            except Refusal as refusal:
                refused.append({"id": example.id, "reason": str(refusal)})
        records = measure(
            self.model,
            ready,
            self.plan.methods,
            self.plan.metrics,
            target=self.plan.target,
            seed=self.plan.seed,
            baselines=self.plan.baselines,
            refused=refused,
        )
        return [record | {CHECKPOINT: self.checkpoint} for record in [*records, *refused]]


def check_inputs(model: Model, inputs) -> None:
    """Raise one `Refusal` for pictures and a model of texts, or the reverse, and not one each."""
    if is_picture(inputs) and not model.task.sees_pictures:
        raise Refusal(f"The data are pictures, and {model.name} is a model of texts.")
    if is_text(inputs) and not model.task.reads_texts:
        raise Refusal(f"The data are texts, and {model.name} is a model of pictures.")


def is_picture(inputs) -> bool:
    """Whether an example is a picture in a file or in an archive."""
    return isinstance(inputs, Path | bytes)


def is_text(inputs) -> bool:
    """Whether an example is a text or a pair, and not the path of a picture."""
    texts = inputs if isinstance(inputs, tuple) else (inputs,)
    for text in texts:
        if not isinstance(text, str) or Path(text).suffix.lower() in PICTURES:
            return False
    return True


def opened(example: Example, texts: Sequence[str]) -> Example:
    """The example with its mask read from the file, and with the texts to match it with."""
    data = example.data
    mask = data.get("mask")
    if isinstance(mask, Path):
        data = data | {"mask": np.asarray(open_picture(mask).convert("L")) > 127}
    inputs = example.inputs
    if texts:
        inputs = (inputs, list(texts))
    return replace(example, data=data, inputs=inputs)

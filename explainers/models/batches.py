"""Trace several inputs: those of one shape share a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..inputs import Encoded
from ..scores import Score
from ..trace import Pass, Trace

if TYPE_CHECKING:
    from .model import Model


def trace_in_batches(
    model: Model, coded: list[Encoded], scores: list[Score], rows: int
) -> list[Trace]:
    """The traces of inputs, each for its score, with at most `rows` inputs in a pass."""
    traces: dict[int, Trace] = {}
    for places in same_shape(coded, rows):
        batch, asked = [], []
        for i in places:
            batch.append(coded[i])
            asked.append(scores[i])
        traces |= zip(places, trace_batch(model, batch, asked))
    return [traces[i] for i in range(len(coded))]


def trace_batch(model: Model, batch: list[Encoded], scores: list[Score]) -> list[Trace]:
    """The traces of inputs of one shape, from one pass."""
    tensors = {}
    for name in batch[0].tensors:
        tensors[name] = torch.cat([one.tensors[name] for one in batch])
    special_tokens = torch.stack([one.special_tokens for one in batch]).to(model.net.device)
    words = [one.words for one in batch]
    return Pass(model, tensors, scores, special_tokens, words=words).traces()


def same_shape(coded: list[Encoded], rows: int) -> list[list[int]]:
    """The places of inputs that can share a pass: of one shape, at most `rows` together."""
    groups: dict[tuple, list[int]] = {}
    for i, one in enumerate(coded):
        shapes = tuple((name, tensor.shape) for name, tensor in one.tensors.items())
        groups.setdefault(shapes, []).append(i)
    batches = []
    for places in groups.values():
        for start in range(0, len(places), rows):
            batches.append(places[start : start + rows])
    return batches

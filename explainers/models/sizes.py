"""Sizes of pictures: pixels, patches, and what a network needs for a picture of another size."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from .model import Model


def height_width(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of a setting, which is one number for a square."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def size_options(model: Model, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """The keyword arguments for a picture of another size than those of the training.

    Positions are then interpolated between the learned ones. {} for texts, and for networks that
    cannot do so.
    """
    option = "interpolate_pos_encoding"
    if not model.sees_pictures:
        return {}
    if tuple(inputs["pixel_values"].shape[-2:]) == model.trained_size:
        return {}
    if option not in inspect.signature(model.tower.forward).parameters:
        return {}
    return {option: True}

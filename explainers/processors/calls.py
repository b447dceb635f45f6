"""Call an image processor, and recognise one that was measured before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..errors import Refusal, first_line


@dataclass(frozen=True)
class ProcessorKey:
    """A processor as a key of a cache; if a setting changes, it is another key."""

    kind: type
    settings: str
    processor: Callable = field(compare=False, repr=False)


def key_of(processor: Any) -> ProcessorKey | None:
    """The key of a processor; None if it cannot write its settings down, and is not cached."""
    try:
        return ProcessorKey(type(processor), processor.to_json_string(), processor)
    except (AttributeError, TypeError, ValueError):
        return None


def pixels_of(processor: Any, picture: Image.Image) -> Float[Tensor, "1 3 height width"]:
    """The pixel_values that a processor makes of a picture.

    Raises `Refusal` with the processor's message if it fails, or if they have another shape.
    """
    name = type(processor).__name__
    try:
        pixels = torch.as_tensor(processor(images=picture, return_tensors="pt")["pixel_values"])
    except Exception as error:  # anybody can write a processor, so it can raise anything
        message = first_line(error)
        raise Refusal(
            f"The image processor {name} does not take this picture: {message}."
        ) from error
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or 0 in pixels.shape:
        raise Refusal(
            f"The image processor {name} gives pixel_values of shape {tuple(pixels.shape)}; "
            "what can be explained has shape (1, 3, height, width)."
        )
    return pixels

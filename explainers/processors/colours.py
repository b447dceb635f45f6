"""What an image processor makes of colours, measured on pictures of a single colour."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..errors import Refusal
from ..ties import place_of_largest
from .calls import ProcessorKey, key_of, pixels_of

FLAT_SIZE = (224, 224)  # width and height of the pictures of one colour
MIXED = (204, 102, 51)  # a colour whose channels differ
TOLERANCE = 0.02  # of full brightness: how far MIXED may be off when it comes back


@dataclass(frozen=True)
class Colours:
    """What a colour becomes: pixel_values = black + matrix · colour, the colour [3] from 0 to 1.

    black   [3] what black becomes
    matrix  [3 3] what full red, green and blue add to it, a column each
    """

    black: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]

    @property
    def grey(self) -> tuple[float, ...]:
        """[3] the pixel_values of a neutral grey.

        After normalisation they are zero, the mean of the training pictures. Without it zero is
        black, or no colour at all, and half of full brightness is taken.
        """
        zero = self.rgb(torch.zeros(3, 1, 1, dtype=torch.float64))
        is_colour = (zero > TOLERANCE) & (zero < 1 - TOLERANCE)
        if is_colour.all():
            return (0.0, 0.0, 0.0)
        return tuple(low + sum(row) / 2 for low, row in zip(self.black, self.matrix))

    def pixels(self, rgb: Float[Tensor, "*n 3 height width"]) -> Tensor:
        """Colours from 0 to 1 -> pixel_values."""
        black = torch.tensor(self.black, dtype=torch.float64).to(rgb)
        matrix = torch.tensor(self.matrix, dtype=torch.float64).to(rgb)
        return torch.einsum("ij,...jhw->...ihw", matrix, rgb) + black[:, None, None]

    def rgb(self, pixels: Float[Tensor, "*n 3 height width"]) -> Tensor:
        """pixel_values -> colours: the inverse of `pixels`."""
        black = torch.tensor(self.black, dtype=torch.float64).to(pixels)
        back = torch.tensor(self.matrix, dtype=torch.float64).inverse().to(pixels)
        return torch.einsum("ij,...jhw->...ihw", back, pixels - black[:, None, None])


#: The colours of pixel_values that came without a processor: from -1 to 1.
HALVES = Colours((-1.0, -1.0, -1.0), ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0)))


def colours_of(processor: Any) -> Colours:
    """What a processor makes of colours, measured on pictures of a single colour.

    Raises `Refusal` for one that changes colours in a way that cannot be undone.
    """
    key = key_of(processor)
    return measured_colours(processor) if key is None else cached_colours(key)


@lru_cache(maxsize=64)
def cached_colours(key: ProcessorKey) -> Colours:
    return measured_colours(key.processor)


def measured_colours(processor: Any) -> Colours:
    black = pixels_of_colour(processor, (0, 0, 0))
    mixed = pixels_of_colour(processor, MIXED)
    full = [
        pixels_of_colour(processor, colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    ]
    added = torch.stack(full) - black  # [colour channel pixel]
    shown = place_of_largest(added.abs().sum((0, 1)))  # a pixel of the photo, not of padding
    matrix = added[..., shown].T
    if torch.linalg.matrix_rank(matrix, rtol=1e-3) == 3:
        back = torch.linalg.solve(matrix, (mixed - black)[:, shown])
        if (back - torch.tensor(MIXED) / 255).abs().max() < TOLERANCE:
            rows = tuple(map(tuple, matrix.tolist()))
            return Colours(tuple(black[:, shown].tolist()), rows)
    raise Refusal(
        f"The image processor {type(processor).__name__} changes colours in a way that cannot be "
        "undone, so that what the model sees cannot be shown; one that only rescales and "
        "normalises each colour would work."
    )


def pixels_of_colour(
    processor: Any, colour: tuple[int, int, int]
) -> Float[Tensor, "channel pixel"]:
    """The pixel_values of a picture of one colour."""
    picture = Image.new("RGB", FLAT_SIZE, colour)
    return pixels_of(processor, picture)[0].double().flatten(1)

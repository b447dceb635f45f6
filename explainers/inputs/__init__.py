"""From what a person gives to what a network takes: tensors, and for each token a label and a place
in the text or picture."""

from .encoded import Encoded
from .encoding import encode
from .pictures import as_picture, from_picture, from_pixel_values, without_ends
from .tensors import check_ids, from_ids
from .texts import Cut, from_text

__all__ = [
    "Cut",
    "Encoded",
    "as_picture",
    "check_ids",
    "encode",
    "from_ids",
    "from_picture",
    "from_pixel_values",
    "from_text",
    "without_ends",
]

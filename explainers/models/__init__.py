"""Networks that can be traced: how they are loaded, and where each architecture keeps its parts."""

from .anatomy import ANATOMIES, READOUTS, Anatomy, register
from .bundled import BUNDLED, PAIRED, bundled_folder
from .loading import load
from .model import BLANKS, MOST_TOKENS, Model

__all__ = [
    "ANATOMIES",
    "BLANKS",
    "BUNDLED",
    "MOST_TOKENS",
    "PAIRED",
    "READOUTS",
    "Anatomy",
    "Model",
    "bundled_folder",
    "load",
    "register",
]

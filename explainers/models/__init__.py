"""Networks that can be traced: how they are loaded, and where each architecture keeps its parts."""

from .anatomy import ANATOMIES, READOUTS, Anatomy, register
from .blanks import BLANKS
from .bundled import BUNDLED, Bundled, bundled_folder, bundled_for
from .loading import load
from .model import MOST_TOKENS, Model

__all__ = [
    "ANATOMIES",
    "BLANKS",
    "BUNDLED",
    "MOST_TOKENS",
    "READOUTS",
    "Anatomy",
    "Bundled",
    "Model",
    "bundled_folder",
    "bundled_for",
    "load",
    "register",
]

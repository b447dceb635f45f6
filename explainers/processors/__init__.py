"""What an image processor does to colours and to the size of a picture, measured on test pictures.

Its settings are not read: processors name them differently and some have none, but all of them take
pictures.
"""

from .calls import pixels_of
from .colours import HALVES, Colours, colours_of
from .lenses import Lens, lens_of

__all__ = ["HALVES", "Colours", "Lens", "colours_of", "lens_of", "pixels_of"]

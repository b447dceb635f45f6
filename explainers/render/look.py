"""How maps are drawn, in one object."""

from __future__ import annotations

from dataclasses import dataclass

SIDE = 448  # pixels of the photo inside HTML, longer side
OPACITY = 0.85  # of the strongest patch


@dataclass(frozen=True)
class Look:
    """How maps are drawn.

    palette   a key of `PALETTES`

    For texts:
    merge     sum sub-words into words
    specials  show [CLS], [SEP] and the like

    For pictures:
    opacity   of the strongest patch, 0 to 1
    smooth    show a smooth enlargement instead of patches
    pixels    show the maps pixel by pixel, of methods that have one
    side      pixels of the photo's longer side
    brief     leave out each patch's number and the table: a sixth of the size
    controls  sliders and toggles, and patches that the keyboard reaches; they need the app's script
    """

    palette: str = "orange-blue"
    merge: bool = True
    specials: bool = False
    opacity: float = OPACITY
    smooth: bool = False
    pixels: bool = False
    side: int = SIDE
    brief: bool = False
    controls: bool = False

"""What activation maximisation gives: a picture, and where it comes from."""

from dataclasses import dataclass, field

from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .errors import Refusal


@dataclass(frozen=True, eq=False)
class Imagined:
    """A picture that was climbed to, and how high.

    image    RGB, as large as the model reads it
    scores   the target's raw score at the start, after each step but the last, and at the end
    target   what was climbed, in words
    options  what it was made with: steps, rate, tv, l2, jitter, seed, start, optimiser, bounded
    """

    image: Image
    scores: list[float]
    target: str
    options: dict
    model: str = ""
    revision: str = ""
    rgb: Tensor | None = field(
        default=None, repr=False
    )  # [3 height width], 0 to 1 if bounded, before it was rounded

    def _repr_png_(self) -> bytes:
        return self.image._repr_png_()

    def save(self, path) -> None:
        """A .png with model, target and options inside, or any other format that Pillow knows. Raises `Refusal` if it cannot be written."""
        origin = {
            "model": self.model,
            "revision": self.revision,
            "target": self.target,
            "score": self.scores[-1],
        } | self.options
        notes = PngInfo()
        for name, value in origin.items():
            notes.add_text(name, str(value))
        try:
            self.image.save(
                path, **{"pnginfo": notes} if str(path).casefold().endswith(".png") else {}
            )
        except (OSError, ValueError) as error:
            raise Refusal(f"{path} could not be written: {error}.") from error

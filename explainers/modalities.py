"""The two modalities, "text" and "image", and the words for their inputs in sentences."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """What a model reads, in words.

    input   one input: "text" or "picture"
    part    what a map shows of it, and what metrics remove: "word" or "patch"
    tokens  what a model reads it as: "tokens" or "patches"
    """

    input: str
    inputs: str
    part: str
    parts: str
    tokens: str


#: By the name that anatomies, methods and metrics have for a modality.
MODALITIES = {
    "text": Modality("text", "texts", "word", "words", "tokens"),
    "image": Modality("picture", "pictures", "patch", "patches", "patches"),
}


def modality_of(grid: tuple[int, int] | None) -> str:
    """The modality of an input by its grid of patches, which a text does not have."""
    return "text" if grid is None else "image"

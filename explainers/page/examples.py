"""The examples of the page, and the bundled photos among them."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from ..pictures import example_folder

#: The folder of the example pictures.
PHOTOS = example_folder()

#: By kind of input and name: {"text", "pair", "picture", "model"}, each only where there is one.
EXAMPLES: dict[str, dict[str, dict[str, str]]] = json.loads(
    (PHOTOS / "examples.json").read_text(encoding="utf-8")
)


def fields_of(example: dict[str, str]) -> dict[str, str | None]:
    """The values of the fields picture, text and pair for an example."""
    photo = example.get("picture")
    return {
        "picture": str(PHOTOS / photo) if photo else None,
        "text": example.get("text", ""),
        "pair": example.get("pair", ""),
    }


def first_example(kind: str) -> dict[str, str]:
    return next(iter(EXAMPLES[kind].values()))


def is_example_text(text: str) -> bool:
    """Whether a text is that of an example, and not typed by the visitor."""
    for examples in EXAMPLES.values():
        for example in examples.values():
            if example.get("text") == text:
                return True
    return False


def names_of_photos() -> list[str]:
    return sorted(photo.stem for photo in PHOTOS.glob("*.jpg"))


def photo_named(name: str) -> str | None:
    """The path of the bundled photo of this name; None if there is no such photo."""
    if name not in names_of_photos():
        return None
    return str(PHOTOS / f"{name}.jpg")


@lru_cache(maxsize=256)
def name_of_photo(picture: str) -> str:
    """The name of the bundled photo with this content; "" for any other picture."""
    wanted = digest(Path(picture))
    for photo in sorted(PHOTOS.glob("*.jpg")):
        if digest(photo) == wanted:
            return photo.stem
    return ""


def digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()

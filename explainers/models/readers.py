"""Read a tokenizer or an image processor from a folder or from the Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoTokenizer, PreTrainedTokenizerBase

from ..errors import ModelUnavailable

#: The files of a tokenizer's folder, of which one is enough, and the file of an image processor.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
PROCESSOR_FILES = ("preprocessor_config.json",)


@dataclass(frozen=True)
class Location:
    """Where files are read from.

    source      a folder, or a Hub id
    revision    of the Hub id: a branch, a tag or a commit; None for the newest
    local_only  whether only files on this machine are read
    """

    source: str
    revision: str | None = None
    local_only: bool = False

    @property
    def is_folder(self) -> bool:
        return is_folder(Path(self.source))

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `from_pretrained`."""
        found: dict[str, Any] = {"local_files_only": self.local_only}
        if self.revision is not None:
            found["revision"] = self.revision
        return found

    def holds(self, files: tuple[str, ...]) -> bool:
        """Whether one of these files is in the folder; True for a Hub id, which is not searched."""
        if not self.is_folder:
            return True
        return any((Path(self.source) / name).exists() for name in files)


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that the file system does not take
        return False


def tokenizer_of(place: Location) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a model; None if its folder has none, so that only tensors can be traced.

    Raises `ModelUnavailable` for a slow tokenizer, which does not say where its tokens stand in the
    text.
    """
    if not place.holds(TOKENIZER_FILES):
        return None
    options = place.options
    tokenizer = AutoTokenizer.from_pretrained(place.source, trust_remote_code=False, **options)
    if not tokenizer.is_fast:
        raise ModelUnavailable(
            f"{place.source} has no fast tokenizer, so its tokens cannot be placed in the text."
        )
    return tokenizer


def processor_of(place: Location) -> Any:
    """The image processor of a model; None if its folder has none.

    It works with Pillow on every machine, so that its numbers do not depend on what is installed.
    """
    if not place.holds(PROCESSOR_FILES):
        return None
    return AutoImageProcessor.from_pretrained(
        place.source, backend="pil", trust_remote_code=False, **place.options
    )

"""A tokenizer or an image processor, read from a folder or by its Hub id."""

from pathlib import Path

from transformers import AutoImageProcessor, AutoTokenizer, PreTrainedTokenizerBase

from ..errors import ModelUnavailable


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no file system takes
        return False


def tokenizer_of(source: str, where: dict) -> PreTrainedTokenizerBase | None:
    """The model's tokenizer; None when its folder has none (tensors can still be traced)."""
    if Path(source).is_dir() and not any((Path(source) / name).exists() for name in TOKENIZER):
        return None
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    if not tokenizer.is_fast:
        raise ModelUnavailable(
            f"{source} has no fast tokenizer, so its tokens cannot be placed in the text."
        )
    return tokenizer


#: Files of which a tokenizer's folder has one at least, and an image processor's the one.
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json")
PROCESSOR = ("preprocessor_config.json",)


def processor_of(source: str, where: dict):
    """The model's image processor, by Pillow everywhere, so that numbers do not depend on what is installed; None when its folder has none."""
    if Path(source).is_dir() and not (Path(source) / PROCESSOR[0]).exists():
        return None
    return AutoImageProcessor.from_pretrained(
        source, backend="pil", trust_remote_code=False, **where
    )

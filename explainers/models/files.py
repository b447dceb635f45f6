"""Load a network, a tokenizer or an image processor from a folder or from the Hub.

What is cached is read without asking the Hub. Only safetensors are read, and no code from a
repository is run.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..errors import ModelUnavailable, Refusal, first_line
from .anatomy import ANATOMIES, DUAL, unsupported
from .hub import check_safetensors, hub_files, hub_id, hub_revision, in_cache
from .readers import (
    PROCESSOR_FILES,
    TOKENIZER_FILES,
    Location,
    is_folder,
    processor_of,
    tokenizer_of,
)

#: The files of a model on the Hub that have to be cached for it to be read without asking.
SETTINGS_FILES = ("config.json",)
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")

#: What libraries raise for files that they cannot read.
READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)


@dataclass(frozen=True)
class Loaded:
    """A network with what reads inputs for it; the fields are those of `Model`."""

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    processor: Any
    name: str
    revision: str


def from_files(
    name: str,
    tokenizer: PreTrainedTokenizerBase | None,
    processor: Any,
    revision: str | None,
    dtype: torch.dtype,
) -> Loaded:
    """Load a network from a folder or by its Hub id, with the tokenizer and processor it needs.

    A tokenizer or a processor that is given is kept. revision: a branch, tag or commit of the Hub
    id. Raises `ModelUnavailable` with the reason.
    """
    place = model_location(name, revision)
    with read_errors_as_refusals(name):
        settings = read_config(place)
        architecture = architecture_of(place, settings)
        net = read_network(place, architecture, dtype)
        modalities = modalities_of(net, settings["model_type"])
        if "text" in modalities and tokenizer is None:
            tokenizer = tokenizer_of(place)
        if "image" in modalities and processor is None:
            processor = processor_of(place)
    commit = getattr(net.config, "_commit_hash", None)
    return Loaded(net, tokenizer, processor, name, commit or place.revision or "local")


# ------------------------------------------------------------------------------------------ places


def model_location(name: str, revision: str | None) -> Location:
    """Where a model is: a folder with safetensors, the cache, or the Hub."""
    folder = Path(os.path.expanduser(name))
    if not is_folder(folder):
        cached = [in_cache(name, revision, files) for files in (SETTINGS_FILES, WEIGHT_FILES)]
        return hub_location(name, revision, cached=all(cached), check=check_safetensors)
    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(
            f"The folder {name} holds no .safetensors file; other formats can run code and are "
            "not read."
        )
    return Location(str(folder), local_only=True)


def part_location(name: str, files: Sequence[str]) -> Location:
    """Where a tokenizer or a processor is, given by a folder, a Hub id or the address of a page.

    files: those of which one has to be cached for the Hub not to be asked.
    """
    folder = Path(os.path.expanduser(name))
    if name.strip() and is_folder(folder):
        return Location(str(folder), local_only=True)
    source, revision = hub_id(name.strip()), hub_revision(name)
    cached = in_cache(source, revision, files)
    return hub_location(source, revision, cached=cached, check=hub_files)


def hub_location(
    name: str, revision: str | None, cached: bool, check: Callable[[str, str | None], object]
) -> Location:
    """A Hub id as a location. `check` asks the Hub about what is not `cached`, and may refuse."""
    if name.startswith((".", "/", "~", "\\")) or name.count("/") > 1:
        raise no_folder(name)
    if not cached:
        check(name, revision)
    return Location(name, revision, local_only=cached)


def no_folder(name: str) -> ModelUnavailable:
    """The refusal of what is neither a folder on this machine nor a Hub id."""
    if re.match(r"https?://", name, re.IGNORECASE):
        return ModelUnavailable(
            f"{name[:200]} is an address, and not that of a model's page on the Hugging Face Hub "
            "(https://huggingface.co/owner/name): give such a page, a Hub id or a folder."
        )
    return ModelUnavailable(f"There is no folder {name[:200]}.")


# ---------------------------------------------------------------------------------------- networks


def read_config(place: Location) -> dict[str, Any]:
    """The settings in a config.json, with a model_type that can be traced.

    Raises `ModelUnavailable` before any weight is read.
    """
    source = place.source
    file = Path(source) / "config.json"
    is_file = place.is_folder and file.exists()
    if is_file and not isinstance(json.loads(file.read_text(encoding="utf-8")), dict):
        raise ModelUnavailable(f"The config.json of {source} holds no settings.")
    settings, _ = transformers.PretrainedConfig.get_config_dict(source, **place.options)
    if not settings:
        raise ModelUnavailable(f"{source} has no config.json, so its architecture is not known.")
    settings.setdefault("model_type", "without a model_type")
    model_type = settings["model_type"]
    if settings.get("auto_map") and model_type not in CONFIG_MAPPING:
        raise ModelUnavailable(
            f"{source} needs code from its own repository, which is never run here."
        )
    if model_type != DUAL and not row_modalities(model_type):
        raise unsupported(model_type)
    return settings


def architecture_of(place: Location, settings: dict[str, Any]) -> type[PreTrainedModel]:
    """The class of `transformers` that the settings name."""
    named = (settings.get("architectures") or [""])[0]
    architecture = getattr(transformers, named, None)
    if isinstance(architecture, type) and issubclass(architecture, PreTrainedModel):
        return architecture
    raise ModelUnavailable(
        f"{place.source} names the class {named or '(none)'}, which transformers "
        f"{transformers.__version__} does not have."
    )


def read_network(
    place: Location, architecture: type[PreTrainedModel], dtype: torch.dtype
) -> PreTrainedModel:
    """The network with all its weights; `ModelUnavailable` if some are missing."""
    options: dict[str, Any] = place.options | {
        "dtype": dtype,
        "output_loading_info": True,
        "trust_remote_code": False,
        "use_safetensors": True,
    }
    loaded: Any = architecture.from_pretrained(place.source, **options)
    net, report = loaded  # a pair, since loading information is asked for
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelUnavailable(
            f"{place.source} lacks the weights {', '.join(missing[:3])}: its scores would be "
            "random."
        )
    return net


def row_modalities(model_type: str) -> set[str]:
    """The modalities of the rows of a model type: two for a dual encoder."""
    return {row.modality for name, row in ANATOMIES.items() if name.partition(".")[0] == model_type}


def modalities_of(net: PreTrainedModel, model_type: str) -> set[str]:
    """What a network takes: "text", "image" or both."""
    if "ForImageClassification" in type(net).__name__:  # maybe one side of a dual encoder alone
        return {"image"}
    if model_type == DUAL:
        return {"image", "text"}
    return row_modalities(model_type)


@contextmanager
def read_errors_as_refusals(name: str) -> Iterator[None]:
    """Raise what libraries say of unreadable files as `ModelUnavailable`, with the reason."""
    try:
        yield
    except Refusal:
        raise
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(
            f"A settings file of {name} is damaged and cannot be read."
        ) from error
    except (SafetensorError, RuntimeError, *READ_ERRORS) as error:
        for cause in causes(error):
            if isinstance(cause, SafetensorError):
                raise ModelUnavailable(
                    f"A file of {name} is damaged ({cause}); download it again."
                ) from error
        raise ModelUnavailable(f"{name} could not be loaded: {first_line(error)}.") from error


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, the one that caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# ------------------------------------------------------------------------ tokenizers and processors


def as_tokenizer(given: object) -> PreTrainedTokenizerBase | None:
    """The tokenizer that a person gives: itself, in a processor, its folder or its Hub id.

    A slow tokenizer is accepted: it names the tokens of tensors, and `from_text` refuses texts.
    """
    if isinstance(given, str | Path):
        return read_part(str(given), TOKENIZER_FILES, tokenizer_of, "tokenizer")
    inside = given
    if not isinstance(given, PreTrainedTokenizerBase):
        inside = getattr(given, "tokenizer", given)
    if inside is not None and not isinstance(inside, PreTrainedTokenizerBase):
        raise ModelUnavailable(
            "A tokenizer is one of transformers (AutoTokenizer.from_pretrained), a processor that "
            f"holds one, or the folder or Hub id of one; got {type(given).__name__}."
        )
    return inside


def as_processor(given: object) -> Any:
    """The image processor that a person gives: itself, in a processor, its folder or its Hub id."""
    if isinstance(given, str | Path):
        return read_part(str(given), PROCESSOR_FILES, processor_of, "image processor")
    inside = getattr(given, "image_processor", given)
    if inside is None:
        return None
    if isinstance(inside, PreTrainedTokenizerBase) or not callable(inside):
        raise ModelUnavailable(
            "An image processor is one of transformers (AutoImageProcessor.from_pretrained), a "
            "processor that holds one, or the folder or Hub id of one; "
            f"got {type(given).__name__}."
        )
    return inside


def read_part(name: str, files: tuple[str, ...], read: Callable[[Location], Any], what: str) -> Any:
    """A tokenizer or an image processor from a folder or the Hub; no weights are read.

    files: those of which it needs one. read: reads it. what: its name in a refusal.
    """
    place = part_location(name, files)
    try:
        found = read(place)
    except Refusal:
        raise
    except READ_ERRORS as error:
        raise ModelUnavailable(
            f"The {what} {name[:200]} could not be read: {first_line(error)}."
        ) from error
    if found is None:
        raise ModelUnavailable(f"The folder {name[:200]} holds no {' or '.join(files)}.")
    return found

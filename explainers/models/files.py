"""Networks, tokenizers and image processors read from a folder or from the Hub."""

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import transformers
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..errors import ModelUnavailable, Refusal, first_line
from .anatomy import ANATOMIES, DUAL, unsupported
from .hub import ask_hub, hub_id, hub_revision, in_cache, look_at_hub
from .readers import PROCESSOR, TOKENIZER, is_folder, processor_of, tokenizer_of

#: Of a model on the Hub: what has to be on this machine for it to be read without asking.
SETTINGS, WEIGHTS = ("config.json",), ("model.safetensors", "model.safetensors.index.json")


def from_files(name: str, tokenizer, processor, revision, dtype):
    """Network, tokenizer, processor and revision from a folder or the Hub: the cache first, then the network once."""
    folder = Path(os.path.expanduser(name))
    if is_folder(folder):
        revision = None
        source, where = str(folder), {"local_files_only": True}
        if not any(folder.glob("*.safetensors")):
            raise ModelUnavailable(
                f"The folder {name} holds no .safetensors file; other formats can run code and are not read."
            )
    else:
        if name.startswith((".", "/", "~", "\\")) or name.count("/") > 1:
            raise no_folder(name)
        here = all(in_cache(name, revision, files) for files in (SETTINGS, WEIGHTS))
        source, where = name, {"revision": revision, "local_files_only": here}
        if not where["local_files_only"]:
            ask_hub(name, revision)
    try:
        kind, architecture = read_config(source, where)
        net, report = architecture.from_pretrained(
            source,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=dtype,
            **where,
        )
        if report["missing_keys"]:
            raise ModelUnavailable(
                f"{name} lacks the weights {', '.join(sorted(report['missing_keys'])[:3])}: its scores would be random."
            )
        modality = (
            {row.modality for row_name, row in ANATOMIES.items() if row_name.split(".")[0] == kind}
            if kind != DUAL
            else {"image", "text"}
        )
        if "ForImageClassification" in type(net).__name__:  # one side of a dual encoder alone
            modality = {"image"}
        if "text" in modality and tokenizer is None:
            tokenizer = tokenizer_of(source, where)
        if "image" in modality and processor is None:
            processor = processor_of(source, where)
    except SafetensorError as error:
        raise ModelUnavailable(
            f"A file of {name} is damaged ({error}); download it again."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(
            f"A settings file of {name} is damaged and cannot be read."
        ) from error
    except Refusal:
        raise
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
    ) as error:
        cause = next((e for e in causes(error) if isinstance(e, SafetensorError)), None)
        if cause:
            raise ModelUnavailable(
                f"A file of {name} is damaged ({cause}); download it again."
            ) from error
        raise ModelUnavailable(f"{name} could not be loaded: {first_line(error)}.") from error
    return (
        net,
        tokenizer,
        processor,
        getattr(net.config, "_commit_hash", None) or revision or "local",
    )


def no_folder(name: str) -> ModelUnavailable:
    """Why what is neither a folder here nor a Hub id cannot be read."""
    if re.match(r"https?://", name, re.IGNORECASE):
        return ModelUnavailable(
            f"{name[:200]} is an address, and not that of a model's page on the Hugging Face Hub "
            "(https://huggingface.co/owner/name): give such a page, a Hub id or a folder."
        )
    return ModelUnavailable(f"There is no folder {name[:200]}.")


def read_config(source: str, where: dict) -> tuple[str, type[PreTrainedModel]]:
    """Model type and class, refused before any weight is read when they cannot be traced."""
    config = Path(source) / "config.json"
    if (
        is_folder(Path(source))
        and config.exists()
        and not isinstance(json.loads(config.read_text(encoding="utf-8")), dict)
    ):
        raise ModelUnavailable(f"The config.json of {source} holds no settings.")
    settings, _ = transformers.PretrainedConfig.get_config_dict(source, **where)
    if not settings:
        raise ModelUnavailable(f"{source} has no config.json, so its architecture is not known.")
    kind = settings.get("model_type", "without a model_type")
    if settings.get("auto_map") and kind not in CONFIG_MAPPING:
        raise ModelUnavailable(
            f"{source} needs code from its own repository, which is never run here."
        )
    if kind != DUAL and not any(name.split(".")[0] == kind for name in ANATOMIES):
        raise unsupported(kind)
    named = (settings.get("architectures") or [""])[0]
    architecture = getattr(transformers, named, None)
    if not (isinstance(architecture, type) and issubclass(architecture, PreTrainedModel)):
        raise ModelUnavailable(
            f"{source} names the class {named or '(none)'}, which transformers {transformers.__version__} does not have."
        )
    return kind, architecture


def as_tokenizer(given) -> PreTrainedTokenizerBase | None:
    """The tokenizer that a person hands to `load`.

    Itself, out of the processor that holds it, from its folder, or by its Hub id. A slow one is
    taken as it is: it names the tokens of tensors, and texts are refused by `from_text`.
    """
    if isinstance(given, str | Path):
        return by_name(str(given), TOKENIZER, tokenizer_of, "tokenizer")
    inside = given
    if not isinstance(given, PreTrainedTokenizerBase):
        inside = getattr(given, "tokenizer", given)
    if inside is not None and not isinstance(inside, PreTrainedTokenizerBase):
        raise ModelUnavailable(
            "A tokenizer is one of transformers (AutoTokenizer.from_pretrained), a processor that "
            f"holds one, or the folder or Hub id of one; got {type(given).__name__}."
        )
    return inside


def handed(source, tokenizer, processor) -> tuple:
    """What was handed to `load`, out of what holds it: a pipeline all three, a processor two."""
    if not isinstance(source, nn.Module) and isinstance(getattr(source, "model", None), nn.Module):
        tokenizer = tokenizer or getattr(source, "tokenizer", None)
        processor = processor or getattr(source, "image_processor", None)
        source = source.model
    if tokenizer is None and hasattr(processor, "tokenizer"):
        tokenizer = processor.tokenizer
    return source, as_tokenizer(tokenizer), as_processor(processor)


def as_processor(given):
    """The image processor that a person hands to `load`.

    Itself, out of the processor that holds it, from its folder, or by its Hub id.
    """
    if isinstance(given, str | Path):
        return by_name(str(given), PROCESSOR, processor_of, "image processor")
    inside = getattr(given, "image_processor", given)
    if isinstance(inside, PreTrainedTokenizerBase) or not (inside is None or callable(inside)):
        raise ModelUnavailable(
            "An image processor is one of transformers (AutoImageProcessor.from_pretrained), a "
            "processor that holds one, or the folder or Hub id of one; "
            f"got {type(given).__name__}."
        )
    return inside


def by_name(name: str, files: Sequence[str], read: Callable, what: str):
    """A tokenizer or an image processor from a folder or the Hub, as `read` gives it.

    files: those of which it has one; weights are not read. what: what it is called.
    """
    folder = Path(os.path.expanduser(name))
    if name.strip() and is_folder(folder):
        source, where = str(folder), {"local_files_only": True}
    else:
        source, revision = hub_id(name.strip()), hub_revision(name)
        if source.startswith((".", "/", "~", "\\")) or source.count("/") > 1:
            raise no_folder(source)
        where = {"revision": revision, "local_files_only": in_cache(source, revision, files)}
        if not where["local_files_only"]:
            look_at_hub(source, revision)
    try:
        found = read(source, where)
    except Refusal:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelUnavailable(
            f"The {what} {name[:200]} could not be read: {first_line(error)}."
        ) from error
    if found is None:
        raise ModelUnavailable(f"The folder {name[:200]} holds no {' or '.join(files)}.")
    return found


def causes(error: BaseException | None):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

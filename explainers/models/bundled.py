"""The models that come with the package."""

from functools import lru_cache
from pathlib import Path

import transformers
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..errors import ModelUnavailable
from .readers import processor_of

PAIRED = ("paraphrase", "inference")  # of the bundled models, those that compare two texts
PICTURED = ("vit", "image-text")  # and those that see pictures
BUNDLED = ("sentiment", "paraphrase", "inference", "question-answering", *PICTURED)


def bundled_folder(part: str = "text") -> Path:
    """A folder of assets/models: beside the package in a checkout, inside the package when installed."""
    package = Path(__file__).parents[1]
    for folder in (package.parent / "assets/models" / part, package / "assets/models" / part):
        if folder.is_dir():
            return folder
    raise ModelUnavailable(
        "The bundled models are not installed beside this package. Clone the repository, or install it from there with "
        "pip (pip install git+URL); or load a model from a folder or by its Hub id."
    )


@lru_cache(maxsize=2)
def bundled_weights(file: str) -> dict[str, Tensor]:
    """A file of weights in memory once, however many of the models share it: the text encoder, the picture classifier."""
    folder, _, name = file.partition("/")
    return {
        name: tensor.float() for name, tensor in load_file(bundled_folder(folder) / name).items()
    }


@lru_cache(maxsize=1)
def bundled_tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(bundled_folder(), local_files_only=True)


@lru_cache(maxsize=1)
def bundled_processor():
    return processor_of(str(bundled_folder("vision")), {"local_files_only": True})


def bundled(name: str) -> PreTrainedModel:
    """A bundled model as an ordinary `transformers` one. The text tasks share an encoder, to which "image-text" adds the picture classifier's."""
    if name == "vit":
        net, weights = network("vision"), bundled_weights("vision/model.safetensors")
    elif name == "image-text":
        net = network("dual")
        towers = {
            f"text_model.{key}": value
            for key, value in strip_prefix(
                bundled_weights("text/encoder.safetensors"), "bert."
            ).items()
        }
        towers |= {
            f"vision_model.{key}": value
            for key, value in strip_prefix(
                bundled_weights("vision/model.safetensors"), "vit."
            ).items()
        }
        weights = towers | load_file(bundled_folder("dual") / "head.safetensors")
    else:
        net, head = (
            network(f"text/{name}"),
            load_file(bundled_folder("text") / name / "head.safetensors"),
        )
        weights = bundled_weights("text/encoder.safetensors") | head
    net.load_state_dict({key: tensor.float() for key, tensor in weights.items()}, assign=True)
    return net.requires_grad_(False)


def network(folder: str) -> PreTrainedModel:
    """The network that the config.json of a bundled folder describes, its weights still to come."""
    config = AutoConfig.from_pretrained(bundled_folder(folder), local_files_only=True)
    return getattr(transformers, config.architectures[0])(config)


def strip_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights under `prefix`, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }

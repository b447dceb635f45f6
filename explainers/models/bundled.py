"""The models that come with the package: `BUNDLED`, a row for each, and how they are loaded.

The code asks for a model by the kind of its input, with `bundled_for`. Names of bundled models are
in this table, in protocols, which fix their model, and in examples of the documentation.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..errors import ModelUnavailable
from ..inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, QUESTION, TEXT, InputKind
from ..shipped import shipped_folder
from .readers import Location, processor_of


@dataclass(frozen=True)
class WeightFile:
    """A file of weights below assets/models, with the prefix of its names changed.

    shared  whether several bundled models use it; it is then in memory only once
    old     a prefix of the names in the file; weights under other names are left out
    new     what replaces the prefix
    """

    path: str
    shared: bool = False
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class Bundled:
    """One model that comes with the package.

    title      its name in a menu
    note       what a menu adds: what it reads or knows; may be ""
    takes      the kind of input that it was trained on
    folder     the folder of its config.json, below assets/models
    weights    the files that its weights are read from
    tokenizer  the folder of its tokenizer; "" if it reads no texts
    processor  the folder of its image processor; "" if it sees no pictures
    listed     whether a menu has it; a model that knows a few dozen words is for tests and lessons
    """

    title: str
    note: str
    takes: InputKind
    folder: str
    weights: tuple[WeightFile, ...]
    tokenizer: str = ""
    processor: str = ""
    listed: bool = True


TEXT_ENCODER = WeightFile("text/encoder.safetensors", shared=True)
VIT_WEIGHTS = WeightFile("vision/model.safetensors", shared=True)


def text_model(title: str, note: str, takes: InputKind, folder: str) -> Bundled:
    """The row of a text model: the encoder that all of them share, and a head of its own."""
    head = WeightFile(f"{folder}/head.safetensors")
    return Bundled(title, note, takes, folder, (TEXT_ENCODER, head), tokenizer="text")


def planted_model(takes: InputKind, part: str) -> Bundled:
    """The row of a model whose causes are known; training/planted.py made it."""
    folder = f"planted/{part}"
    return Bundled(
        title=f"planted {part}",
        note="its causes are known",
        takes=takes,
        folder=folder,
        weights=(WeightFile(f"{folder}/model.safetensors"),),
        tokenizer="planted" if takes.texts else "",
        processor="planted" if takes.picture else "",
        listed=False,
    )


#: The bundled models, by the name that `load` takes. Of two that take the same kind of input, the
#: first one is used unless a person names another.
BUNDLED: dict[str, Bundled] = {
    "sentiment": text_model("sentiment", "", TEXT, "text/sentiment"),
    "inference": text_model("inference", "for two texts", PAIR, "text/inference"),
    "paraphrase": text_model("paraphrase", "for two texts", PAIR, "text/paraphrase"),
    "question-answering": text_model("question answering", "", QUESTION, "text/question-answering"),
    "vit": Bundled("vit", "50 classes", PICTURE, "vision", (VIT_WEIGHTS,), processor="vision"),
    "image-text": Bundled(
        "image-text",
        "",
        PICTURE_AND_TEXTS,
        "dual",
        (
            WeightFile(TEXT_ENCODER.path, shared=True, old="bert.", new="text_model."),
            WeightFile(VIT_WEIGHTS.path, shared=True, old="vit.", new="vision_model."),
            WeightFile("dual/head.safetensors"),
        ),
        tokenizer="text",
        processor="vision",
    ),
    "planted-and": planted_model(TEXT, "and"),
    "planted-not": planted_model(TEXT, "not"),
    "planted-corner": planted_model(PICTURE, "corner"),
    "planted-object": planted_model(PICTURE, "object"),
}


def bundled_for(kind: InputKind) -> str:
    """The name of the bundled model that is used for a kind of input unless another is named."""
    for name, row in BUNDLED.items():
        if row.takes == kind:
            return name
    raise ModelUnavailable(
        f"No bundled model takes this kind of input ({kind.key}): name a model from the Hub or a "
        "folder."
    )


def pair_note(name: str, is_pair: bool) -> str:
    """A warning if a bundled model gets a pair where it was trained on single texts, or one text
    where it was trained on pairs; "" for other models and other inputs."""
    row = BUNDLED.get(name)
    if row is None or row.takes not in (TEXT, PAIR) or is_pair == (row.takes == PAIR):
        return ""
    if is_pair:
        return f"The model {name} was trained on single texts; here it was given a pair."
    return f"The model {name} was trained on pairs of texts; here it was given one text."


# ----------------------------------------------------------------------------------------- loading


def bundled_folder(name: str = "text") -> Path:
    """A folder of assets/models. Raises `ModelUnavailable` if it is not installed."""
    folder = shipped_folder(f"models/{name}")
    if folder is None:
        raise ModelUnavailable(
            "The bundled models are not installed beside this package. Clone the repository, or "
            "install it from there with pip (pip install git+URL); or load a model from a folder "
            "or by its Hub id."
        )
    return folder


def bundled_network(name: str) -> PreTrainedModel:
    """The network of a bundled model, an ordinary one of `transformers`, with frozen weights."""
    row = BUNDLED[name]
    weights: dict[str, Tensor] = {}
    for file in row.weights:
        for key, tensor in read_weights(file).items():
            if key.startswith(file.old):
                weights[file.new + key.removeprefix(file.old)] = tensor
    net = empty_network(row.folder)
    net.load_state_dict(weights, assign=True)
    return net.requires_grad_(False)


def empty_network(folder: str) -> PreTrainedModel:
    """The network that a config.json describes, with its weights still to be loaded."""
    config = AutoConfig.from_pretrained(bundled_folder(folder), local_files_only=True)
    (architecture,) = list(config.architectures or [])
    return getattr(transformers, architecture)(config)


def read_weights(file: WeightFile) -> dict[str, Tensor]:
    """The weights of a file in float32."""
    if file.shared:
        return shared_weights(file.path)
    return float_weights(file.path)


@lru_cache(maxsize=2)
def shared_weights(path: str) -> dict[str, Tensor]:
    """The same, kept in memory once for all models that use it."""
    return float_weights(path)


def float_weights(path: str) -> dict[str, Tensor]:
    folder, _, name = path.rpartition("/")
    weights = load_file(bundled_folder(folder) / name)
    return {key: tensor.float() for key, tensor in weights.items()}


@lru_cache(maxsize=2)
def bundled_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder of assets/models, which several bundled models share."""
    return AutoTokenizer.from_pretrained(bundled_folder(folder), local_files_only=True)


@lru_cache(maxsize=2)
def bundled_processor(folder: str) -> Any:
    """The image processor in a folder of assets/models, which several bundled models share."""
    return processor_of(Location(str(bundled_folder(folder)), local_only=True))

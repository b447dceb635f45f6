"""Tiny models and inputs for them: one row of `TINY` an architecture, or a side of one."""

import json
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

import explainers as ex

GOLDENS = Path(__file__).parent / "goldens"
INPUTS = load_file(GOLDENS / "inputs.safetensors")

SIZE = dict(
    vocab_size=200,
    hidden_size=48,
    num_hidden_layers=4,
    num_attention_heads=3,
    intermediate_size=96,
    max_position_embeddings=64,
    num_labels=3,
)
HALF = SIZE | {"embedding_size": 24}  # word embeddings narrower than the layers
IDS = dict(pad_token_id=0, bos_token_id=1, cls_token_id=1, eos_token_id=2, sep_token_id=2)

SEES = dict(
    hidden_size=48,
    num_hidden_layers=4,
    num_attention_heads=3,
    intermediate_size=96,
    image_size=32,
    patch_size=8,
)  # 4 x 4 patches
PICTURE = SEES | {"num_labels": 3}
READS = {name: value for name, value in SIZE.items() if name != "num_labels"} | {
    "eos_token_id": 199,
    "pad_token_id": 1,
    "bos_token_id": 198,
}

#: Llama's parts, for tests that register it: this package has no row for it.
LLAMA = ex.Anatomy(
    tower="model",
    blocks="layers",
    attention="self_attn",
    w_v="self_attn.v_proj",
    w_o="self_attn.o_proj",
    norm1="input_layernorm",
    norm2="post_attention_layernorm",
    norm_first=True,
    readout="last",
)

ROBERTA = SIZE | {"pad_token_id": 1}
MODERN = SIZE | IDS
SIGLIP = {"text_config": READS | {"projection_size": 48}, "vision_config": SEES}
PAIR = {
    "text_config": SIZE | {"model_type": "bert"},
    "vision_config": SEES | {"model_type": "vit"},
    "projection_dim": 24,
    "seed": 1,
}
RELEVANCE = ("partial_lrp", "transatt", "lrp")


@dataclass(frozen=True)
class Tiny:
    """One architecture that every law is tested on, or one side of a dual encoder.

    modality       what it takes, "text" or "image"
    kind           class of `transformers` that a random model is made of; "" for a fixed one with
                   golden numbers, under `goldens/models`
    settings       of that class's configuration
    row            its row of ANATOMIES, where that is not called as the model is
    tokens         how many tokens the fixed input has
    classes        how many targets the fixed input has; a match of one picture and one text is one
    padding        the id that makes a text longer without meaning anything; None where there is no
                   such id (SigLIP reads its score from the last token, padding or not)
    pre_norm       whether each LayerNorm stands before its sublayer
    one_of_a_kind  whether it stands for a way of reading scores in tests of batches and shapes,
                   where the other models would say the same again
    without        methods that have no map of it, beside those that no model like it has
    """

    modality: str
    kind: str = ""
    settings: dict = field(default_factory=dict)
    row: str = ""
    tokens: int = 12
    classes: int = 3
    padding: int | None = None
    pre_norm: bool = False
    one_of_a_kind: bool = False
    without: tuple[str, ...] = ()


def text(kind: str = "", settings: dict | None = None, **columns) -> Tiny:
    return Tiny("text", kind, settings or {}, **{"padding": 0} | columns)


def image(kind: str = "", settings: dict | None = None, **columns) -> Tiny:
    """A network of pictures: 4 x 4 patches behind one [CLS], LayerNorms first."""
    return Tiny("image", kind, settings or {}, **{"tokens": 17, "pre_norm": True} | columns)


def text_side(kind: str = "", settings: dict | None = None, **columns) -> Tiny:
    given = {"tokens": 8, "classes": 1, "without": ("decompx",)} | columns
    return text(kind, settings, **given)


def image_side(kind: str = "", settings: dict | None = None, **columns) -> Tiny:
    return image(kind, settings, **{"classes": 1} | columns)


#: Every architecture: a new one is tested by all laws as soon as it has its row here.
TINY = {
    "bert": text(one_of_a_kind=True),
    "roberta": text(padding=1),
    "distilbert": text(),
    "gpt2": text(classes=200, padding=199, pre_norm=True, one_of_a_kind=True),
    "electra": text("ElectraForSequenceClassification", HALF),
    "albert": text("AlbertForSequenceClassification", HALF),
    # every token sees two on either side in the second and third layer, all of them in the others
    "modernbert": text(
        "ModernBertForSequenceClassification",
        MODERN | {"local_attention": 4, "global_attn_every_n_layers": 3},
        pre_norm=True,
    ),
    "modernbert-mean": text(
        "ModernBertForSequenceClassification",
        MODERN | {"classifier_pooling": "mean", "global_attn_every_n_layers": 1},
        row="modernbert",
        pre_norm=True,
        one_of_a_kind=True,
    ),
    "gpt2-classifier": text(
        "GPT2ForSequenceClassification",
        SIZE | {"bos_token_id": 199, "eos_token_id": 199, "pad_token_id": 199},
        row="gpt2",
        padding=199,
        pre_norm=True,
    ),
    "camembert": text("CamembertForSequenceClassification", ROBERTA, padding=1),
    "xlm-roberta": text("XLMRobertaForSequenceClassification", ROBERTA, padding=1),
    "data2vec-text": text("Data2VecTextForSequenceClassification", ROBERTA, padding=1),
    "ernie": text("ErnieForSequenceClassification", SIZE | {"use_task_id": True}),
    "clip.text": text_side(padding=1, pre_norm=True, one_of_a_kind=True),
    "siglip.text": text_side(
        "SiglipModel", SIGLIP, padding=None, pre_norm=True, one_of_a_kind=True
    ),
    "vision-text-dual-encoder.text": text_side("VisionTextDualEncoderModel", PAIR, row="bert"),
    "vit": image(classes=5, one_of_a_kind=True),
    "deit": image("DeiTForImageClassification", PICTURE, tokens=18),
    "deit-distilled": image(
        "DeiTForImageClassificationWithTeacher",
        PICTURE,
        row="deit",
        tokens=18,
        one_of_a_kind=True,
    ),
    "beit": image(
        "BeitForImageClassification",
        PICTURE | {"use_relative_position_bias": True, "layer_scale_init_value": 0.5},
        one_of_a_kind=True,
    ),
    "beit-first": image(
        "BeitForImageClassification",
        PICTURE | {"use_mean_pooling": False, "layer_scale_init_value": 0.5},
        row="beit",
    ),
    "dinov2": image("Dinov2ForImageClassification", PICTURE | {"mlp_ratio": 2}),
    "dinov2-gated": image(
        "Dinov2ForImageClassification",
        PICTURE | {"mlp_ratio": 2, "use_swiglu_ffn": True},
        row="dinov2",
    ),
    "dinov2_with_registers": image(
        "Dinov2WithRegistersForImageClassification",
        PICTURE | {"mlp_ratio": 2, "num_register_tokens": 3},
        tokens=20,
        one_of_a_kind=True,
    ),
    "clip-classifier": image(
        "CLIPForImageClassification",
        {"text_config": READS, "vision_config": SEES, "num_labels": 3},
        row="clip.vision",
    ),
    # it runs the attention that pools SigLIP's patches, unread; its norm comes before the mean
    "siglip-classifier": image(
        "SiglipForImageClassification",
        SIGLIP | {"num_labels": 3},
        row="siglip.vision",
        tokens=16,
        without=(*RELEVANCE, "legrad"),
    ),
    "clip.vision": image_side(one_of_a_kind=True),
    "siglip.vision": image_side(
        "SiglipModel", SIGLIP, tokens=16, one_of_a_kind=True, without=RELEVANCE
    ),
    "vision-text-dual-encoder.vision": image_side("VisionTextDualEncoderModel", PAIR, row="vit"),
}

ARCHITECTURES = tuple(TINY)
TEXT = tuple(name for name, row in TINY.items() if row.modality == "text")
IMAGE = tuple(name for name, row in TINY.items() if row.modality == "image")
DUAL = tuple(name for name in ARCHITECTURES if "." in name)  # one side each
PRE_NORM = tuple(name for name, row in TINY.items() if row.pre_norm)
ONE_OF_A_KIND = tuple(name for name, row in TINY.items() if row.one_of_a_kind)
PADDED = tuple(name for name, row in TINY.items() if row.padding is not None)

#: Methods that follow vectors through LayerNorms that come after a sublayer.
POST_NORM = ("globenc", "alti", "decompx")
#: Methods that explain a probability, which a single match has only where it is a sigmoid's.
OF_CLASSES = ("attattr", "optimus", "vit_cx")
ONE_MATCH = tuple(name for name in DUAL if TINY[name].kind != "SiglipModel")


def records() -> list[dict]:
    return json.loads((GOLDENS / "goldens.json").read_text())


def folder(name: str) -> Path:
    """Where the weights are; those of both sides of a dual encoder are in one folder."""
    model = name.split(".")[0]
    if kind_of(model)[0]:
        return Path(saved(model).name)
    return GOLDENS / "models" / model


def kind_of(model: str) -> tuple[str, dict]:
    """Class and settings of a model, given without the name of a side; "" for fixed weights."""
    for name, row in TINY.items():
        if name.split(".")[0] == model:
            return row.kind, row.settings
    return "", {}


@cache
def saved(model: str) -> tempfile.TemporaryDirectory:
    """The folder of a made model, as long as the tests run."""
    kind, settings = kind_of(model)
    place = tempfile.TemporaryDirectory(prefix=f"{model}-")
    random_model(kind, **settings).save_pretrained(place.name)
    return place


def random_model(kind: str, seed: int = 0, **settings) -> transformers.PreTrainedModel:
    """A `transformers` model of the class `kind` whose weights are all drawn from `seed`.

    Biases and norms are drawn too, and all wide enough for attention to choose, so that a forgotten
    one shows.
    """
    net = getattr(transformers, kind)(getattr(transformers, kind).config_class(**settings)).eval()
    made = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            around = 1 if "norm" in name.lower() or "ln_" in name or "lambda" in name else 0
            drawn = torch.randn(weight.shape, generator=made) * (0.2 if weight.ndim > 1 else 0.3)
            weight.copy_(drawn + around if name.endswith("weight") else drawn)
    return net


def fresh(name: str, dtype: torch.dtype = torch.float64) -> ex.Model:
    """A model of its own for a test that changes it."""
    tower = name.partition(".")[2] or None
    return ex.load(folder(name), tower=tower, device="cpu", dtype=dtype)


@cache
def tiny(name: str, dtype: torch.dtype = torch.float64) -> ex.Model:
    """The model of `fresh`, loaded once for all tests: do not change it."""
    return fresh(name, dtype)


def stock(name: str):
    """The same network with the eager attention of `transformers`, untouched by this package."""
    kind = json.loads((folder(name) / "config.json").read_text())["architectures"][0]
    return (
        getattr(transformers, kind)
        .from_pretrained(folder(name), attn_implementation="eager")
        .eval()
    )


def example(name: str, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """The fixed input of an architecture: 12 tokens, 4 x 4 patches, or CLIP's picture and text."""
    pixels, text = (
        {"pixel_values": INPUTS["pixel_values"].to(dtype)},
        {"input_ids": INPUTS["input_ids"]},
    )
    if name in DUAL:
        return pixels | {"input_ids": INPUTS["clip_input_ids"]}
    return pixels if name in IMAGE else text


def varied(name: str, seed: int, tokens: int = 9) -> dict[str, torch.Tensor]:
    """Another input, made from `seed`. Ids keep clear of the padding and the special ones."""
    made = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 195, (1, tokens), generator=made)
    pixels = {"pixel_values": torch.randn(1, 3, 32, 32, generator=made, dtype=torch.float64)}
    if name in DUAL:
        ids[0, 0], ids[0, -1] = 198, 199
        return pixels | {"input_ids": ids}
    return pixels if name in IMAGE else {"input_ids": ids}


def close(got: torch.Tensor, wanted: torch.Tensor, rtol: float) -> None:
    """Equal within `rtol` of the largest wanted number; exactly zero where all of them are."""
    got, wanted = (
        torch.as_tensor(got, dtype=torch.float64),
        torch.as_tensor(wanted, dtype=torch.float64),
    )
    assert got.shape == wanted.shape
    largest = wanted.abs().max()
    if largest == 0:
        assert not got.any(), "the authors' numbers are all zero, these are not"
    else:
        assert (got - wanted).abs().max() <= rtol * largest, (
            f"off by {((got - wanted).abs().max() / largest).item():.1e} of the largest"
        )


def defined(method, name: str) -> bool:
    """Whether a method has a map of the fixed input of an architecture.

    What is not defined is refused, as test_methods.py sees.
    """
    row = TINY[name]
    if row.modality not in method.tasks or method.key in row.without:
        return False
    if method.key in POST_NORM and row.pre_norm:
        return False
    return not (method.key in OF_CLASSES and name in ONE_MATCH)


def methods_of(name: str) -> list[ex.Method]:
    """The methods that are for this architecture, in the order of every menu."""
    return [method for method in ex.METHODS.values() if defined(method, name)]


def each_method_of(name: str):
    """A test for each of them, as its argument `method`."""
    return pytest.mark.parametrize("method", methods_of(name), ids=lambda method: method.key)

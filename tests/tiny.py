"""The tiny fixed models of `goldens/`, others made from a seed, and inputs for them: one row an architecture, or a side of one."""

import json
import tempfile
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

#: Models that are made from a seed: they have no golden numbers to be fixed for. Their class and settings.
MADE = {
    "electra": ("ElectraForSequenceClassification", HALF),
    "albert": ("AlbertForSequenceClassification", HALF),
    "camembert": ("CamembertForSequenceClassification", SIZE | {"pad_token_id": 1}),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", SIZE | {"pad_token_id": 1}),
    "data2vec-text": ("Data2VecTextForSequenceClassification", SIZE | {"pad_token_id": 1}),
    "ernie": ("ErnieForSequenceClassification", SIZE | {"use_task_id": True}),
    # every token sees two on either side in the second and third layer, all of them in the others
    "modernbert": (
        "ModernBertForSequenceClassification",
        SIZE | IDS | {"local_attention": 4, "global_attn_every_n_layers": 3},
    ),
    "gpt2-classifier": (
        "GPT2ForSequenceClassification",
        SIZE | {"bos_token_id": 199, "eos_token_id": 199, "pad_token_id": 199},
    ),
    "modernbert-mean": (
        "ModernBertForSequenceClassification",
        SIZE | IDS | {"classifier_pooling": "mean", "global_attn_every_n_layers": 1},
    ),
    "deit": ("DeiTForImageClassification", PICTURE),
    "deit-distilled": ("DeiTForImageClassificationWithTeacher", PICTURE),
    "beit": (
        "BeitForImageClassification",
        PICTURE | {"use_relative_position_bias": True, "layer_scale_init_value": 0.5},
    ),
    "beit-first": (
        "BeitForImageClassification",
        PICTURE | {"use_mean_pooling": False, "layer_scale_init_value": 0.5},
    ),
    "dinov2": ("Dinov2ForImageClassification", PICTURE | {"mlp_ratio": 2}),
    "dinov2-gated": (
        "Dinov2ForImageClassification",
        PICTURE | {"mlp_ratio": 2, "use_swiglu_ffn": True},
    ),
    "dinov2_with_registers": (
        "Dinov2WithRegistersForImageClassification",
        PICTURE | {"mlp_ratio": 2, "num_register_tokens": 3},
    ),
    "siglip": (
        "SiglipModel",
        {"text_config": READS | {"projection_size": 48}, "vision_config": SEES},
    ),
    "clip-classifier": (
        "CLIPForImageClassification",
        {"text_config": READS, "vision_config": SEES, "num_labels": 3},
    ),
    "siglip-classifier": (
        "SiglipForImageClassification",
        {"text_config": READS | {"projection_size": 48}, "vision_config": SEES, "num_labels": 3},
    ),
    "vision-text-dual-encoder": (
        "VisionTextDualEncoderModel",
        {
            "text_config": SIZE | {"model_type": "bert"},
            "vision_config": SEES | {"model_type": "vit"},
            "projection_dim": 24,
            "seed": 1,
        },
    ),
}

TEXT = (
    "bert",
    "roberta",
    "distilbert",
    "gpt2",
    "electra",
    "albert",
    "modernbert",
    "modernbert-mean",
    "gpt2-classifier",
    "camembert",
    "xlm-roberta",
    "data2vec-text",
    "ernie",
    "clip.text",
    "siglip.text",
    "vision-text-dual-encoder.text",
)
IMAGE = (
    "vit",
    "deit",
    "deit-distilled",
    "beit",
    "beit-first",
    "dinov2",
    "dinov2-gated",
    "dinov2_with_registers",
    "clip-classifier",
    "siglip-classifier",
    "clip.vision",
    "siglip.vision",
    "vision-text-dual-encoder.vision",
)
ARCHITECTURES = TEXT + IMAGE
DUAL = tuple(name for name in ARCHITECTURES if "." in name)  # one side each
PRE_NORM = (
    "gpt2",
    "gpt2-classifier",
    "modernbert",
    "modernbert-mean",
    "clip.text",
    "siglip.text",
    *IMAGE,
)

#: One architecture for each way in which a score is read, of texts and of pictures: where the point is a batch or a shape, the others would say
#: the same again. Laws that a network can break (gradients, side effects, invariants) are tested on all of them.
ONE_OF_A_KIND = (
    "bert",
    "gpt2",
    "modernbert-mean",
    "clip.text",
    "siglip.text",
    "vit",
    "deit-distilled",
    "beit",
    "dinov2_with_registers",
    "clip.vision",
    "siglip.vision",
)

#: What is put after a text to make it longer without meaning anything.
PADDED = tuple(
    name for name in TEXT if name != "siglip.text"
)  # SigLIP reads its score from the last token, padding or not
OF_ROBERTA = ("roberta", "camembert", "xlm-roberta", "data2vec-text")
PADDING = dict.fromkeys(PADDED, 0) | dict.fromkeys(OF_ROBERTA, 1)
PADDING |= {"gpt2": 199, "clip.text": 1, "gpt2-classifier": 199}


def records() -> list[dict]:
    return json.loads((GOLDENS / "goldens.json").read_text())


def folder(name: str) -> Path:
    name = name.split(".")[0]
    return Path(saved(name).name) if name in MADE else GOLDENS / "models" / name


@cache
def saved(name: str) -> tempfile.TemporaryDirectory:
    """The folder of a made model, as long as the tests run."""
    kind, settings = MADE[name]
    place = tempfile.TemporaryDirectory(prefix=f"{name}-")
    random_model(kind, **settings).save_pretrained(place.name)
    return place


def random_model(kind: str, seed: int = 0, **settings) -> transformers.PreTrainedModel:
    """A `transformers` model of the class `kind` whose weights, biases and norms are all drawn from `seed`, wide enough for
    attention to choose, so that a forgotten one shows."""
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
    """The same network as `transformers` builds it, untouched by this package, with its own eager attention."""
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


def classes(name: str) -> int:
    """How many targets the fixed input has: a dual encoder matches one picture with one text."""
    return 1 if name in DUAL else {"vit": 5, "gpt2": 200}.get(name, 3)


def tokens(name: str) -> int:
    """How many tokens the fixed input has."""
    before = {
        "deit": 2,
        "deit-distilled": 2,
        "dinov2_with_registers": 4,
        "siglip.vision": 0,
        "siglip-classifier": 0,
    }.get(name, 1)
    return 16 + before if name in IMAGE else 8 if name in DUAL else 12


def close(got: torch.Tensor, wanted: torch.Tensor, rtol: float) -> None:
    """Equal within `rtol` of the largest wanted number; where all wanted numbers are zero, exactly zero."""
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


POST_NORM = (
    "globenc",
    "alti",
    "decompx",
)  # follow vectors through LayerNorms that come after a sublayer
OF_CLASSES = ("attattr", "optimus", "vit_cx")  # explain a probability
ONE_MATCH = tuple(
    name for name in DUAL if not name.startswith("siglip")
)  # where the probability of a single match is always 1
# have no rule for the attention that pools SigLIP's patches; its classifier runs that too, unread
RELEVANCE = ("partial_lrp", "transatt", "lrp")


def defined(method, name: str) -> bool:
    """Whether `method` is for this architecture and its fixed input; what is not is refused, as test_methods.py sees."""
    key = method.key
    return (
        ("image" if name in IMAGE else "text") in method.tasks
        and not (key in POST_NORM and name in PRE_NORM)
        and not (key in OF_CLASSES and name in ONE_MATCH)
        and not (key == "decompx" and name in DUAL)
        and not (key in RELEVANCE and name.startswith("siglip") and name in IMAGE)
        and not (key == "legrad" and name == "siglip-classifier")
    )  # its norm comes before the mean


def methods_of(name: str) -> list[ex.Method]:
    """The methods that are for this architecture, in the order of every menu."""
    return [method for method in ex.METHODS.values() if defined(method, name)]


def each_method_of(name: str):
    """A test for each of them, as its argument `method`."""
    return pytest.mark.parametrize("method", methods_of(name), ids=lambda method: method.key)

"""What is handed to `load`, `open_picture` and methods: taken, or one sentence of what would do."""

import io
import json
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from tiny import IMAGE, PICTURE, SIZE, TINY, example, folder, fresh, random_model, tiny
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
from explainers.models.hub import hub_id

SIDE = {"height": 32, "width": 32}
PROCESSOR = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SIDE)


def refusal(call) -> str:
    with pytest.raises(ex.Refusal) as refused:
        call()
    said = str(refused.value)
    assert "\n" not in said and 15 < len(said) < 500 and "Error" not in said, said
    return said


class Both:
    """A processor of pictures and texts, as `AutoProcessor` gives one for a CLIP."""

    def __init__(self, image_processor, tokenizer):
        self.image_processor, self.tokenizer = image_processor, tokenizer

    def __call__(self, text=None, images=None, **how):
        return (
            self.tokenizer(text, **how) if images is None else self.image_processor(images, **how)
        )


# ------------------------------------------------------------------------------------- processors


def test_a_processor_is_taken_out_of_what_holds_it(word_tokenizer):
    """And the tokenizer with it, unless another is given."""
    net, photo = fresh("vision-text-dual-encoder.vision").net, Image.new("RGB", (40, 32), "red")
    apart = ex.load(net, tokenizer=word_tokenizer, processor=PROCESSOR, device="cpu")
    wanted = ex.explain(apart, (photo, "good film"), "attcat").scores
    both = Both(PROCESSOR, word_tokenizer)
    for given in ({"processor": both}, {"processor": both, "tokenizer": word_tokenizer}):
        model = ex.load(net, **given, device="cpu")
        assert model.processor is PROCESSOR and model.tokenizer is word_tokenizer
        assert torch.equal(ex.explain(model, (photo, "good film"), "attcat").scores, wanted)


def test_clips_own_processor_is_one_that_holds_both(word_tokenizer):
    both = transformers.CLIPProcessor(image_processor=PROCESSOR, tokenizer=word_tokenizer)
    model = ex.load(fresh("clip.vision").net, processor=both, device="cpu")
    assert model.processor is PROCESSOR and model.tokenizer is word_tokenizer


def test_a_processor_is_read_from_its_folder(tmp_path):
    ViTImageProcessorPil(size=SIDE).save_pretrained(tmp_path)
    for given in (tmp_path, str(tmp_path)):
        model = ex.load(fresh("vit").net, processor=given, device="cpu")
        assert model.encode(Image.new("RGB", (50, 40))).grid == (4, 4)


@pytest.mark.parametrize(
    "given, said",
    [
        ("/no/such/folder", "There is no folder /no/such/folder."),
        (3, "An image processor is one of transformers"),
        ([], "got list."),
        ("", "neither a bundled model"),
    ],
    ids=str,
)
def test_what_is_no_processor(given, said):
    assert said in refusal(lambda: ex.load(fresh("vit").net, processor=given, device="cpu"))


def test_a_tokenizer_is_no_processor_and_an_empty_folder_holds_none(word_tokenizer, tmp_path):
    net = fresh("vit").net
    assert "got BertTokenizer" in refusal(
        lambda: ex.load(net, processor=word_tokenizer, device="cpu")
    )
    assert "holds no preprocessor_config.json" in refusal(
        lambda: ex.load(net, processor=tmp_path, device="cpu")
    )
    (tmp_path / "preprocessor_config.json").write_text("{")
    assert "could not be read" in refusal(lambda: ex.load(net, processor=tmp_path, device="cpu"))


def test_a_processor_that_needs_another_program_says_so(monkeypatch):
    """LayoutLMv3's reads the words of a picture by Tesseract, unless told not to."""
    from transformers.models.layoutlmv3.image_processing_pil_layoutlmv3 import (
        LayoutLMv3ImageProcessorPil,
    )

    def missing(*_, **__):
        raise ImportError("\nThis needs the PyTesseract library.\nInstall it.\n")

    monkeypatch.setattr(LayoutLMv3ImageProcessorPil, "preprocess", missing)
    model = ex.load(fresh("vit").net, processor=LayoutLMv3ImageProcessorPil(), device="cpu")
    said = (
        "The image processor LayoutLMv3ImageProcessorPil does not take this picture: "
        "This needs the PyTesseract library."
    )
    with pytest.raises(ex.Refusal) as refused:
        model.encode(Image.new("RGB", (40, 40)))
    assert str(refused.value) == said


# ----------------------------------------------------------------------------------------- models


def test_a_model_without_weights_is_refused():
    with torch.device("meta"):
        nowhere = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZE))
    assert "no weights in memory" in refusal(lambda: ex.load(nowhere))


def test_a_pipeline_holds_all_that_is_wanted(word_tokenizer):
    net = fresh("bert").net
    given = transformers.pipeline(
        "text-classification", model=net, tokenizer=word_tokenizer, device="cpu"
    )
    model = ex.load(given, device="cpu")
    assert model.net is net and model.tokenizer is word_tokenizer
    assert ex.explain(model, "good film", "attcat").labels[1:-1] == ["good", "film"]


@pytest.mark.parametrize(
    "given, said",
    [
        (transformers.BertConfig(), "got BertConfig, which holds settings without weights"),
        (torch.nn.Linear(2, 2), "got Linear, which is not a model of transformers"),
        ({"a": torch.zeros(1)}, "got dict, which is not a model: weights alone do not say"),
        (None, "got nothing."),
        (3, "got int."),
        ("  ", "got nothing."),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_what_is_no_model_is_named(given, said):
    assert said in refusal(lambda: ex.load(given))


def test_a_tokenizer_is_no_model(word_tokenizer):
    assert "is a tokenizer: give its model, and it as tokenizer=" in refusal(
        lambda: ex.load(word_tokenizer)
    )


@pytest.mark.parametrize("name", ["clip-classifier", "siglip-classifier", "dinov2-gated"])
def test_classifiers_that_are_built_otherwise_are_explained(name):
    """Of a mean of patches, and with gated feed-forward layers; from folders and objects."""
    model = tiny(name)
    assert model.task.has_classes and len(model.labels) == TINY[name].classes and name in IMAGE
    heat = ex.explain(model, example(name), "attcat", 1)
    assert torch.isfinite(heat.scores).all() and heat.scores.any()
    again = ex.load(random_model_of(folder(name)), device="cpu", dtype=torch.float64)
    assert torch.equal(ex.explain(again, example(name), "attcat", 1).scores, heat.scores)


def random_model_of(place: Path) -> transformers.PreTrainedModel:
    kind = json.loads((place / "config.json").read_text())["architectures"][0]
    return getattr(transformers, kind).from_pretrained(place, dtype=torch.float64)


def test_nobody_who_typed_an_id_reads_words_of_the_code(tmp_path):
    """A network that lacks what others of its type have; an architecture without a row."""
    net = random_model("Dinov2ForImageClassification", **PICTURE, mlp_ratio=2)
    for block in net.dinov2.encoder.layer:
        block.mlp.dense = block.mlp.fc1
        del block.mlp.fc1
    said = [
        refusal(lambda: ex.load(net)),
        refusal(
            lambda: ex.load(
                transformers.SwinModel(
                    transformers.SwinConfig(
                        depths=[1],
                        num_heads=[1],
                        embed_dim=8,
                        image_size=8,
                        patch_size=4,
                        window_size=2,
                    )
                )
            )
        ),
    ]
    assert "is built differently from other models of type 'dinov2'" in said[0]
    for sentence in said:
        assert not [
            word
            for word in ("ANATOMIES", "Anatomy", "register(", "row", "fc1", ".vision")
            if word in sentence
        ], sentence


# ----------------------------------------------------------------------------- addresses of the Hub


@pytest.mark.parametrize(
    "given, name",
    [
        ("https://huggingface.co/owner/name", "owner/name"),
        ("https://huggingface.co/owner/name/", "owner/name"),
        ("http://www.huggingface.co/owner/name", "owner/name"),
        ("huggingface.co/owner/name", "owner/name"),
        ("https://hf.co/owner/name-2.1_b", "owner/name-2.1_b"),
        ("https://huggingface.co/bert-base-uncased", "bert-base-uncased"),
        ("https://huggingface.co/owner/name/tree/main", "owner/name"),
        ("https://huggingface.co/owner/name/blob/v2/config.json?download=true", "owner/name"),
        ("https://huggingface.co/owner/name#usage", "owner/name"),
        ("owner/name", "owner/name"),
        ("./owner/name", "./owner/name"),
        ("https://example.org/owner/name", "https://example.org/owner/name"),
        (
            "https://huggingface.co/datasets/owner/name",
            "https://huggingface.co/datasets/owner/name",
        ),
    ],
)
def test_the_address_of_a_page_of_the_hub_is_its_id(given, name):
    assert hub_id(given) == name


@pytest.mark.parametrize(
    "address, revision",
    [
        ("https://huggingface.co/owner/name", None),
        (" https://hf.co/owner/name/tree/v2 ", "v2"),
        ("https://huggingface.co/owner/name/tree/refs%2Fpr%2F1", "refs/pr/1"),
    ],
)
def test_load_asks_for_what_the_address_names(monkeypatch, address, revision):
    """And for the revision that a person gives, if one is given."""
    asked, net = [], fresh("bert").net

    def files(name, tokenizer, processor, revision, dtype):
        asked.append((name, revision))
        return ex.models.loading.Loaded(net, tokenizer, processor, name, "local")

    monkeypatch.setattr(ex.models.loading, "from_files", files)
    assert ex.load(address, device="cpu").name == "owner/name"
    ex.load(address, revision="mine", device="cpu")
    assert asked == [("owner/name", revision), ("owner/name", "mine")]


# --------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    "given",
    [
        "https://example.org/cat.jpg",
        "http://a.b/c",
        "HTTPS://A.B/C.PNG",
        "ftp://a/b.png",
        "file:///tmp/cat.jpg",
        Path("https://example.org/cat.jpg"),
        "data:image/png;base64,AAAA",
    ],
    ids=str,
)
def test_an_address_is_not_fetched(given):
    assert "nothing is fetched here. Download the picture first" in refusal(
        lambda: ex.open_picture(given)
    )


@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "P",
        "PA",
        "LA",
        "La",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
        "I",
        "F",
    ],
)
def test_every_mode_of_pillow_is_read(mode):
    """A light grey in each: by way of grey with opacity, where there is no straight way."""
    grey = Image.new("RGB", (8, 8), (200, 200, 200))
    straight = mode not in ("La", "PA", "RGBa", "LAB", "I", "F")
    way = (
        grey
        if straight
        else grey.convert({"La": "LA", "PA": "P", "RGBa": "RGBA", "LAB": "RGB"}.get(mode, "L"))
    )
    picture = Image.new("1", (8, 8), 1) if mode == "1" else way.convert(mode)
    red, green, blue = ex.open_picture(picture).getpixel((4, 4))
    wanted = 255 if mode == "1" else 200
    assert max(abs(level - wanted) for level in (red, green, blue)) <= (
        6 if mode in ("P", "PA") else 2
    )


def test_half_of_a_grey_times_its_opacity_is_as_light_as_the_grey():
    clear = Image.new("LA", (4, 4), (100, 128))
    assert ex.open_picture(clear.convert("La")).getpixel((1, 1)) == pytest.approx(
        ex.open_picture(clear).getpixel((1, 1)), abs=1
    )
    file = io.BytesIO()
    clear.save(file, "PNG")
    assert ex.open_picture(file.getvalue()).getpixel((1, 1)) == (177, 177, 177)


# ---------------------------------------------------------------------------------------- methods


@pytest.mark.parametrize(
    "key, name",
    [
        (key, "bert" if method.tasks == ("image",) else "vit")
        for key, method in ex.METHODS.items()
        if len(method.tasks) == 1
    ],
)
def test_a_method_called_on_a_trace_refuses_as_explain_does(key, name):
    trace, method = tiny(name).trace(example(name), 0), ex.METHODS[key]
    wanted = refusal(lambda: ex.explain(tiny(name), example(name), key, 0))
    assert (
        wanted == f"{method.title} is not defined for {'texts' if name == 'bert' else 'pictures'}: "
        f"{method.only}."
    )
    for call in (method, *(getattr(method, part) for part in method.parts)):
        assert refusal(lambda call=call: call(trace)) == wanted


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/datasets/owner/name",
        "https://huggingface.co/spaces/owner/name",
        "https://example.com/model",
        "https://huggingface.co/owner/name/discussions/3",
    ],
)
def test_an_address_of_something_else_is_not_called_a_folder(address):
    for load in (lambda: ex.load(address), lambda: ex.load("vit", processor=address)):
        with pytest.raises(ex.Refusal, match="is an address, and not that of a model's page"):
            load()

"""A model is had from a folder, or from one that is ready: its anatomy, words and pictures."""

import json
import shutil

import pytest
import torch
from loading import refusal
from PIL import Image
from tiny import ARCHITECTURES, DUAL, TINY, example, folder, fresh, tiny
from transformers import AutoModelForSequenceClassification, BertTokenizer
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_folder_is_loaded_and_traced(name):
    model = fresh(name, torch.float32)
    assert model.net.dtype == torch.float32 and not model.net.training
    assert (
        len(model.blocks) == (1 if name == "albert" else 4)
        and model.name == str(folder(name))
        and model.revision == "local"
    )
    assert model.depth == 4
    assert model.trace(example(name, torch.float32), 0).attention.shape[:2] == (4, 3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_anatomy_names_parts_that_are_there(name):
    from explainers.models.anatomy import submodule

    model = tiny(name)
    for i, block in enumerate(model.blocks):
        assert submodule(block, model.anatomy.w_o).weight.shape == (48, 48)
        for norm in (model.anatomy.norm1, model.anatomy.norm2):
            if (
                name.startswith("modernbert") and i == 0 and norm == "attn_norm"
            ):  # the embeddings' own norm stands right before it
                assert isinstance(submodule(block, norm), torch.nn.Identity)
            else:
                assert submodule(block, norm).normalized_shape == (48,)
    assert name in DUAL or len(model.labels) == TINY[name].classes


def test_every_architecture_of_the_table_is_tested():
    """A row of ANATOMIES without a row in tiny.py would be checked by nothing."""
    assert set(ex.ANATOMIES) == {row.row or name for name, row in TINY.items()}


def test_a_path_object_and_spaces_around_a_name_will_do(copied):
    scores = [
        ex.load(source, device="cpu").trace(example("bert"), 0).score
        for source in (copied, str(copied), f" {copied} ")
    ]
    assert scores[0] == scores[1] == scores[2]


def test_a_ready_model_is_taken_with_its_weights_and_precision():
    net = AutoModelForSequenceClassification.from_pretrained(
        folder("bert"), dtype=torch.float64
    ).train()
    model = ex.load(net, device="cpu")
    assert model.net is net and not net.training and net.dtype == torch.float64
    wanted = tiny("bert").trace(example("bert"), 0)
    assert torch.equal(model.trace(example("bert"), 0).score, wanted.score)


def test_a_folder_with_a_tokenizer_reads_text(copied, word_tokenizer):
    word_tokenizer.save_pretrained(copied)
    model = ex.load(copied, device="cpu")
    assert ex.explain(model, "good movie").labels == ["[CLS]", "good", "movie", "[SEP]"]


def test_a_given_tokenizer_is_used_instead_of_the_folders_own(copied, word_tokenizer):
    own = BertTokenizer(
        vocab={name: i for i, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])}
    )
    own.save_pretrained(copied)
    assert ex.load(copied, device="cpu", tokenizer=word_tokenizer).tokenizer is word_tokenizer


def test_a_folder_without_a_tokenizer_takes_tensors(copied):
    model = ex.load(copied, device="cpu")
    assert model.tokenizer is None and model.trace(example("bert"), 0).score.isfinite()


@pytest.fixture
def seeing(tmp_path):
    """The folder of a model that sees pictures."""
    return shutil.copytree(
        folder("vit"),
        tmp_path / "my eyes",
        ignore=shutil.ignore_patterns("preprocessor_config.json"),
    )


@pytest.mark.parametrize(
    "named",
    [
        {"image_processor_type": "ViTImageProcessor"},
        {"image_processor_type": "ViTImageProcessorFast"},
        {"feature_extractor_type": "ViTFeatureExtractor"},
        {},
    ],
    ids=str,
)
def test_a_folder_with_a_processor_sees_pictures(seeing, named):
    """By Pillow, whatever a folder was saved with: numbers must not depend on what is installed."""
    settings = {
        "size": {"height": 32, "width": 32},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.25, 0.5],
        "do_normalize": True,
    }
    (seeing / "preprocessor_config.json").write_text(json.dumps(settings | named))
    model = ex.load(seeing, device="cpu")
    assert (
        "torchvision" not in type(model.processor).__module__
        and type(model.processor).__name__ == "ViTImageProcessorPil"
    )
    pixels = model.encode(Image.new("RGB", (60, 40), (255, 0, 102))).tensors["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32)
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.tensor([3.0, -2.0, -0.4]))
    heat = ex.explain(model, Image.new("RGB", (60, 40), "red"), "gae")
    assert heat.grid == (4, 4) and heat.picture.size == (60, 40)


def test_a_given_processor_is_used_instead_of_the_folders_own(seeing):
    ViTImageProcessorPil().save_pretrained(seeing)
    other = ViTImageProcessorPil(size={"height": 48, "width": 48})
    assert ex.load(seeing, device="cpu").processor.size.height == 224
    assert ex.load(seeing, device="cpu", processor=other).processor is other


def test_a_folder_without_a_processor_takes_pixels_and_refuses_pictures_in_words(seeing):
    model = ex.load(seeing, device="cpu")
    assert model.processor is None
    with pytest.raises(
        ex.Refusal,
        match=r"^This model came without an image processor: pass one to load\(...\), or "
        r"give pixel_values\.$",
    ):
        ex.explain(model, Image.new("RGB", (60, 40)), "gae")
    torch.testing.assert_close(
        model.trace(example("vit"), 0).score,
        tiny("vit", torch.float32).trace(example("vit"), 0).score,
    )


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"image_processor_type": "NoSuchProcessor"}', '{"image_processor_type": 3}'],
)
def test_damaged_settings_of_a_processor_are_refused(seeing, damage):
    (seeing / "preprocessor_config.json").write_text(damage)
    refusal(seeing)


def test_loading_twice_gives_two_models(copied):
    one, other = ex.load(copied, device="cpu"), ex.load(copied, device="cpu")
    assert one.net is not other.net

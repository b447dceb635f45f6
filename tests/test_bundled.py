"""The bundled models: there, offline, and right about plain sentences and small pictures."""

import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny import close
from transformers import AutoImageProcessor, BertConfig, BertModel, ViTForImageClassification

import explainers as ex
from explainers.inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, PROMPT, QUESTION, TEXT
from explainers.methods import METHODS
from explainers.models import bundled_folder, bundled_for
from explainers.pictures import PHOTOS

POSITIVE = [
    "This movie was wonderful.",
    "A brilliant, touching film!",
    "I loved every minute of it.",
]
NEGATIVE = ["This movie was terrible.", "A dull, lifeless film!", "I hated every minute of it."]


@pytest.fixture(scope="module", params=ex.BUNDLED)
def bundled(request) -> ex.Model:
    return ex.load(request.param, device="cpu")


@pytest.mark.parametrize(
    "kind, name",
    [
        (TEXT, "sentiment"),
        (PAIR, "inference"),
        (QUESTION, "question-answering"),
        (PICTURE, "vit"),
        (PICTURE_AND_TEXTS, "image-text"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.key,
)
def test_every_kind_of_input_has_its_bundled_model(kind, name):
    assert bundled_for(kind) == name and ex.BUNDLED[name].takes == kind


def test_a_kind_of_input_without_a_bundled_model_is_refused():
    with pytest.raises(ex.ModelUnavailable, match="prompt"):
        bundled_for(PROMPT)


def test_a_bundled_model_takes_what_its_row_says(bundled):
    assert ex.BUNDLED[bundled.name].takes in bundled.task.takes


def test_a_bundled_model_says_which_it_is(bundled):
    assert bundled.name in ex.BUNDLED and bundled.revision == "bundled"
    takes = ex.BUNDLED[bundled.name].takes
    assert (bundled.tokenizer is not None) == bool(takes.texts)
    assert (bundled.processor is not None) == takes.picture
    assert all(tensor.isfinite().all() for tensor in bundled.net.state_dict().values())
    assert not any(parameter.requires_grad for parameter in bundled.net.parameters())


@pytest.mark.parametrize("texts, label", [(POSITIVE, "POSITIVE"), (NEGATIVE, "NEGATIVE")])
def test_plain_opinions_are_read_right(sentiment, texts, label):
    assert [ex.predict(sentiment, text).best for text in texts] == [label] * len(texts)


def test_attcat_puts_the_opinion_first(sentiment):
    for text, word in (
        ("This movie was wonderful.", "wonderful"),
        ("This movie was terrible.", "terrible"),
    ):
        heat = ex.explain(sentiment, text).merged().without_specials()
        assert heat.labels[int(heat.scores.argmax())] == word


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if "text" in method.tasks])
def test_every_method_explains_a_sentence(sentiment, key):
    heat = ex.explain(sentiment, "I really didn't like this movie.", key, "NEGATIVE")
    assert heat.scores.isfinite().all() and heat.scores.any() and "didn't" in heat.merged().labels


def test_the_lead_example_of_the_documentation_runs(sentiment):
    heat = ex.explain(
        sentiment, "really didn't like this movie", method="attcat", target="NEGATIVE"
    )
    assert (
        heat.target == "NEGATIVE"
        and heat.signed
        and heat.layers.shape == (len(heat.row_labels), len(heat))
    )
    assert "<" in heat._repr_html_()


def test_leaving_words_out_agrees_with_the_model_itself(sentiment):
    """Occlusion of one token is the difference of two predictions that anyone can make."""
    heat = ex.explain(sentiment, "a good film", "occlusion", "POSITIVE")
    coded = sentiment.encode("a good film")
    ids = coded.tensors["input_ids"].clone()
    ids[0, 2] = sentiment.tokenizer.mask_token_id
    with torch.no_grad():
        whole, without = (
            sentiment.net(**coded.tensors | {"input_ids": one}).logits[0]
            for one in (coded.tensors["input_ids"], ids)
        )
    index = next(i for i, name in sentiment.labels.items() if name == "POSITIVE")
    close(heat.scores[2], (whole - without)[index], 1e-3)


def test_integrated_gradients_close_their_gap(sentiment):
    heat = ex.explain(sentiment, "a good film", "integrated_gradients")
    assert abs(heat.facts["completeness gap"]) < 0.05 * abs(float(heat.scores.sum())) + 0.05


def test_a_pair_is_explained_over_both_texts():
    model = ex.load("inference", device="cpu")
    heat = ex.explain(model, ("A man is playing a guitar.", "Nobody is making music."))
    assert {0, 1} == {heat.text[: span[0]].count("\n") for span in heat.spans if span}


def test_the_tasks_share_one_encoder_in_memory():
    one, other = (ex.load(name, device="cpu") for name in ("sentiment", "paraphrase"))
    weight = lambda model: model.blocks[0].attention.self.query.weight
    assert weight(one).data_ptr() == weight(other).data_ptr()


@pytest.mark.parametrize(
    "name, given, said",
    [
        ("inference", "A man sleeps.", "trained on pairs of texts; here it was given one text"),
        (
            "sentiment",
            ("A fine film.", "A bad one."),
            "trained on single texts; here it was given a pair",
        ),
    ],
)
def test_what_a_bundled_model_was_not_trained_on_is_said(name, given, said):
    assert said in " ".join(ex.explain(ex.load(name, device="cpu"), given).notes)


@pytest.mark.parametrize(
    "name, given",
    [("inference", ("A man sleeps.", "Nobody is awake.")), ("sentiment", "A fine film.")],
)
def test_what_it_was_trained_on_needs_no_remark(name, given):
    assert not ex.explain(ex.load(name, device="cpu"), given).notes


# ----------------------------------------------------------------------------------------- pictures

MODELS = bundled_folder("vision").parent
SHARED = Path(os.environ.get("EXPLAINERS_DATA") or Path(__file__).parents[2] / "shared")
PICTURES = SHARED / "data/tinyimagenet50"
TEXTS = ["a photo of a teapot", "a photo of a banana", "two lions"]
with_pictures = pytest.mark.skipif(not PICTURES.is_dir(), reason="skipped: no validation data")
# 22 MB of weights that belong to others; test_trace.py compares small models of its classes
# everywhere
DEIT = SHARED / "models/deit_tiny"


def scores(model: ex.Model, given) -> torch.Tensor:
    """[class or text] as the network gives them, before any softmax."""
    with torch.no_grad():
        return model.answer(model.encode(given).tensors).logits[0]


@pytest.mark.skipif(not DEIT.is_dir(), reason="skipped: no DeiT-Tiny")
def test_deit_tiny_says_what_it_says_in_transformers():
    from transformers import AutoModelForImageClassification

    model, stock = (
        ex.load(DEIT, device="cpu"),
        AutoModelForImageClassification.from_pretrained(DEIT, attn_implementation="eager").eval(),
    )
    for name in ("cat", "coffee"):
        coded = model.encode(ex.photo(name))
        with torch.no_grad():
            wanted = stock(**coded.tensors).logits[0]
        torch.testing.assert_close(model.trace(coded).logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    """Blotches of colour, wider than tall."""
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    ).resize((120, 90), Image.Resampling.BICUBIC)


def test_the_classes_of_pictures_have_names_of_their_own(vit):
    names = [vit.labels[i] for i in range(50)]
    assert len(vit.labels) == len(set(names)) == 50 and all(
        name.strip() and "," not in name for name in names
    )


def test_a_picture_is_read_at_64_pixels(vit, noise):
    trace = vit.trace(noise)
    assert vit.encode(noise).tensors["pixel_values"].shape == (1, 3, 64, 64) and vit.encode(
        noise
    ).grid == (8, 8)
    assert len(vit.blocks) == 6 and trace.attention.shape == (6, 3, 65, 65)


def test_its_logits_are_those_of_transformers_alone(vit, noise):
    """From the files, in float64, by code that is not ours."""
    net = ViTForImageClassification.from_pretrained(
        MODELS / "vision", dtype=torch.float64, attn_implementation="sdpa"
    )
    pixels = AutoImageProcessor.from_pretrained(MODELS / "vision", backend="pil")(
        noise, return_tensors="pt"
    )["pixel_values"]
    assert net.config.id2label == vit.labels
    close(scores(vit, noise), net(pixels.double()).logits[0].detach(), 1e-4)


def test_scaled_cosines_are_those_of_the_stock_towers(matcher, vit, noise):
    """Both towers in float64 by `transformers` alone, and the head's few lines written out."""
    encoder = (
        BertModel(BertConfig.from_pretrained(MODELS / "text/sentiment"), add_pooling_layer=False)
        .double()
        .eval()
    )
    encoder.load_state_dict(
        {
            name.removeprefix("bert."): tensor.double()
            for name, tensor in load_file(MODELS / "text/encoder.safetensors").items()
        }
    )
    eyes = ViTForImageClassification.from_pretrained(
        MODELS / "vision", dtype=torch.float64, attn_implementation="sdpa"
    ).vit
    head = {
        name: tensor.double()
        for name, tensor in load_file(MODELS / "dual/head.safetensors").items()
    }

    def unit(first, tower, projection):
        pooled = torch.tanh(
            first @ head[f"{tower}.pooler.dense.weight"].T + head[f"{tower}.pooler.dense.bias"]
        )
        return torch.nn.functional.normalize(pooled @ head[f"{projection}.weight"].T, dim=-1)

    with torch.no_grad():
        picture = unit(
            eyes(vit.encode(noise).tensors["pixel_values"].double()).last_hidden_state[:, 0],
            "vision_model",
            "visual_projection",
        )
        texts = unit(
            encoder(
                **matcher.tokenizer(TEXTS, padding=True, return_tensors="pt")
            ).last_hidden_state[:, 0],
            "text_model",
            "text_projection",
        )
    close(scores(matcher, (noise, TEXTS)), (head["logit_scale"].exp() * picture @ texts.T)[0], 1e-3)


@pytest.mark.parametrize("name, given", [("vit", None), ("image-text", TEXTS)])
def test_a_saved_copy_says_the_same(name, given, noise, tmp_path):
    model, given = ex.load(name, device="cpu"), noise if given is None else (noise, given)
    for part in (model.net, model.processor, *filter(None, [model.tokenizer])):
        part.save_pretrained(tmp_path)
    again = ex.load(tmp_path, device="cpu")
    close(scores(again, given), scores(model, given), 1e-5)
    assert again.labels == model.labels


def test_both_sides_of_the_dual_encoder_see_one_score(matcher, noise):
    close(
        scores(matcher, (noise, TEXTS))[:1], scores(matcher.side("text"), (noise, TEXTS[0])), 1e-4
    )
    assert (
        matcher.side("text").side("vision").anatomy == matcher.anatomy
        and len(matcher.side("text").blocks) == 6
    )
    words = (
        ex.explain(matcher.side("text"), (noise, TEXTS[0]), "attcat").merged().without_specials()
    )
    assert words.labels == TEXTS[0].split()


def test_models_of_pictures_share_towers_with_the_others(matcher, vit, sentiment):
    def weight(model: ex.Model) -> torch.Tensor:
        attention = model.blocks[0].attention
        if model.anatomy.modality == "image":
            return attention.q_proj.weight
        return attention.self.query.weight

    assert weight(matcher).data_ptr() == weight(vit).data_ptr()
    assert weight(matcher.side("text")).data_ptr() == weight(sentiment).data_ptr()


def test_models_of_pictures_are_small():
    size = 0
    for part in ("vision", "dual"):
        size += sum(path.stat().st_size for path in (MODELS / part).rglob("*"))
    assert size < 30e6


def published(part: str, row: str) -> float:
    """The first-guess figure of a row of a model card, in per cent."""
    return float(
        re.search(
            rf"^\| {re.escape(row)} \| 2500 \| ([\d.]+) %",
            (MODELS / part / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        ).group(1)
    )


@with_pictures
@pytest.mark.slow
@pytest.mark.rotates
def test_the_cards_say_how_often_pictures_are_right(matcher, vit):
    order = {
        row.split("\t")[1]: int(row.split("\t")[0])
        for row in (PICTURES / "classes.tsv").read_text().splitlines()[1:]
    }
    texts = matcher.side("text")
    asked = texts.features(
        texts.tokenizer(
            [
                f"a photo of {'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
                for name in vit.labels.values()
            ],
            padding=True,
            return_tensors="pt",
        )
    )
    with zipfile.ZipFile(PICTURES / "val.zip") as file, torch.no_grad():
        files = [name for name in file.namelist() if name.endswith(".JPEG")]
        labels, right = (
            torch.tensor([order[name.split("/")[1]] for name in files]),
            {"vision": [], "dual": []},
        )
        for i in range(0, len(files), 100):
            pixels = vit.processor(
                images=[Image.open(file.open(name)).convert("RGB") for name in files[i : i + 100]],
                return_tensors="pt",
            )["pixel_values"]
            right["vision"].append(
                vit.net(pixel_values=pixels).logits.argmax(1) == labels[i : i + 100]
            )
            right["dual"].append(
                (matcher.features({"pixel_values": pixels}) @ asked.T).argmax(1)
                == labels[i : i + 100]
            )
    assert len(files) == 2500
    for part, row in (("vision", "ViT | |"), ("dual", "image-text | usual | a photo of a …")):
        assert abs(100 * torch.cat(right[part]).float().mean() - published(part, row)) < 0.15


@pytest.mark.parametrize("name", PHOTOS)
def test_bundled_photos(name):
    assert ex.photo(name).mode == "RGB" and 400 < max(ex.photo(name).size) <= 512


def test_a_photo_that_is_not_there_is_refused_with_the_menu():
    with pytest.raises(
        ex.Refusal,
        match=r"There is no bundled photo 'cats'; did you mean 'cat'\? \(astronaut, cat, "
        r"coffee, rocket\)",
    ):
        ex.photo("cats")

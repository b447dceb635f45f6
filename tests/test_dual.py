"""Dual encoders: a picture and texts, matched as the stock model matches them, with either side
explained.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny import example, fresh, stock, tiny, varied
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
from explainers.methods import METHODS

STEMS = ("clip", "siglip", "vision-text-dual-encoder")
each_stem = pytest.mark.parametrize("stem", STEMS)
near = dict(rtol=1e-5, atol=1e-6)  # pictures' towers softmax in float32 in the stock models
TEXTS = ["a good movie", "the boring film was not good", "bad actors"]


@pytest.fixture(scope="module")
def model(word_tokenizer) -> ex.Model:
    """A ViT and a BERT with a tokenizer and an image processor; its picture side is traced."""
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    return ex.load(
        fresh("vision-text-dual-encoder.vision").net,
        tokenizer=word_tokenizer,
        processor=processor,
        device="cpu",
    )


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def several(stem: str) -> tuple[dict, dict]:
    """Tensors of three pictures and of three texts, of which the last two are padded where the
    model takes a mask.
    """
    pictures = torch.cat([varied(f"{stem}.vision", seed)["pixel_values"] for seed in range(3)])
    ids = torch.cat([varied(f"{stem}.text", seed)["input_ids"] for seed in range(3)])
    if stem == "siglip":
        return {"pixel_values": pictures}, {"input_ids": ids}
    mask = torch.ones_like(ids)
    ids[1:, 6], mask[1:, 7:] = 199, 0
    return {"pixel_values": pictures}, {"input_ids": ids, "attention_mask": mask}


def stock_logits(stem: str, tensors: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """(logits_per_image [picture text], logits_per_text [text picture])"""
    with torch.no_grad():
        said = stock(stem).double()(**tensors)
    return said.logits_per_image, said.logits_per_text


# ------------------------------------------------------------------------------------------ matches


@each_stem
def test_features_are_the_stock_models_as_unit_vectors_and_matches_its_logits(stem):
    pictures, texts = several(stem)
    with torch.no_grad():
        said = stock(stem).double()(**pictures | texts)
    vision, text = tiny(f"{stem}.vision"), tiny(f"{stem}.text")
    seen, read = vision.side("vision").features(pictures), vision.side("text").features(texts)
    torch.testing.assert_close(seen, F.normalize(said.image_embeds, dim=-1), **near)
    torch.testing.assert_close(read, F.normalize(said.text_embeds, dim=-1), **near)
    torch.testing.assert_close(text.features(texts), read, rtol=1e-12, atol=0)
    torch.testing.assert_close(vision.match(seen, read[None]), said.logits_per_image, **near)
    torch.testing.assert_close(text.match(read, seen[None]), said.logits_per_text, **near)


def test_siglips_bias_is_part_of_a_match():
    model = tiny("siglip.vision")
    east = torch.tensor([[1.0, 0.0]]).double()
    assert model.net.logit_bias.abs() > 0.01
    torch.testing.assert_close(
        model.match(east, east[None])[0, 0],
        (model.net.logit_scale.exp() + model.net.logit_bias)[0].detach(),
    )


@each_stem
def test_one_picture_and_several_texts_get_the_stock_models_logits(stem):
    """Texts that are padded too."""
    pictures, texts = several(stem)
    one = {"pixel_values": pictures["pixel_values"][1:2]}
    trace = tiny(f"{stem}.vision").trace(one | texts, 2)
    wanted = stock_logits(stem, one | texts)[0][0]
    assert wanted.shape == (3,)
    torch.testing.assert_close(trace.logits, wanted, **near)
    torch.testing.assert_close(trace.score, wanted[2], **near)
    assert trace.target.name == "text 2" and len(trace.attended) in (16, 17)


@each_stem
def test_one_text_and_several_pictures_get_the_stock_models_logits(stem):
    pictures, texts = several(stem)
    one = {name: tensor[1:2] for name, tensor in texts.items()}
    trace = tiny(f"{stem}.text").trace(pictures | one, 1)
    torch.testing.assert_close(trace.logits, stock_logits(stem, pictures | one)[1][0], **near)
    assert trace.target.name == "picture 1" and len(trace.attended) == 9


@each_stem
@pytest.mark.parametrize("target", [0, (0, 2), (2, 1)], ids=str)
def test_the_slopes_of_a_match_and_of_a_difference_are_plain_autograds(stem, target):
    """By the pixels, through the stock model."""
    pictures, texts = several(stem)
    pixels = pictures["pixel_values"][:1].clone().requires_grad_()
    logits = stock(stem).double()(pixel_values=pixels, **texts).logits_per_image[0]
    score = logits[target] if isinstance(target, int) else logits[target[0]] - logits[target[1]]
    (wanted,) = torch.autograd.grad(score, pixels)
    trace = tiny(f"{stem}.vision").trace({"pixel_values": pixels.detach()} | texts, target)
    torch.testing.assert_close(trace.score, score.detach(), **near)
    torch.testing.assert_close(
        trace.grad.pixels, wanted[0], rtol=1e-4, atol=1e-5 * wanted.abs().max().item()
    )


@each_stem
@pytest.mark.parametrize("side", ["vision", "text"])
def test_many_inputs_with_several_matches_each_are_the_single_ones(stem, side):
    """They share a pass, and each is explained for the match that was chosen for it."""
    (pictures, texts), model = several(stem), tiny(f"{stem}.{side}")
    own, matches = (pictures, texts) if side == "vision" else (texts, pictures)
    given = []
    for i in range(3):
        given.append({name: tensor[i : i + 1] for name, tensor in own.items()} | matches)
    targets = [2, (0, 1), None]
    for one, alone in zip(
        model.trace_many(given, targets), [model.trace(*both) for both in zip(given, targets)]
    ):
        torch.testing.assert_close(one.score, alone.score)
        torch.testing.assert_close(one.grad.attention, alone.grad.attention, rtol=1e-9, atol=1e-12)
        assert one.target.name == alone.target.name


def test_a_side_is_the_same_network_with_the_other_tower_traced():
    for stem in STEMS:
        vision = tiny(f"{stem}.vision")
        text = vision.side("text")
        assert text.net is vision.net and (vision.anatomy.modality, text.anatomy.modality) == (
            "image",
            "text",
        )
        assert text.side("text") is text and text.side("vision").anatomy == vision.anatomy
        assert not {*map(id, text.blocks)} & {*map(id, vision.blocks)}


# ------------------------------------------------------------------------------ a picture and words


def tensors_of(model, picture, texts) -> dict:
    """As a person would make them with `transformers`: one padded batch of texts."""
    pixels = model.processor(images=picture, return_tensors="pt")["pixel_values"].double()
    return {"pixel_values": pixels, **model.tokenizer(texts, padding=True, return_tensors="pt")}


def test_a_prediction_is_the_softmax_of_the_stock_models_logits(model, picture):
    wanted = stock_logits("vision-text-dual-encoder", tensors_of(model, picture, TEXTS))[0][
        0
    ].softmax(-1)
    said = ex.predict(model, (picture, TEXTS))
    assert said.kind == "probability" and said.labels == [
        TEXTS[i] for i in wanted.argsort(descending=True)
    ]
    torch.testing.assert_close(
        torch.tensor(said.values).double(), wanted.sort(descending=True).values, **near
    )
    alone = ex.predict(model, (picture, TEXTS[0]))
    assert alone.kind == "value" and alone.labels == TEXTS[:1]


def test_siglips_texts_each_have_a_probability_of_their_own():
    pictures, texts = several("siglip")
    one = {"pixel_values": pictures["pixel_values"][:1]}
    said = ex.predict(tiny("siglip.vision"), one | texts)
    wanted = stock_logits("siglip", one | texts)[0][0].sigmoid().sort(descending=True).values
    assert said.kind == "probability of each label by itself" and sorted(said.labels) == [
        "text 0",
        "text 1",
        "text 2",
    ]
    torch.testing.assert_close(torch.tensor(said.values).double(), wanted, **near)


@pytest.mark.parametrize(
    "target, score",
    [
        (None, lambda logits: logits.max()),
        (1, lambda logits: logits[1]),
        (TEXTS[2], lambda logits: logits[2]),
        ((TEXTS[0], TEXTS[2]), lambda logits: logits[0] - logits[2]),
        (f"{TEXTS[0]} - {TEXTS[1]}", lambda logits: logits[0] - logits[1]),
    ],
    ids=["the best", "by index", "by text", "two texts", "a difference in words"],
)
def test_a_picture_is_explained_for_a_text_or_for_what_parts_two(model, picture, target, score):
    logits = stock_logits("vision-text-dual-encoder", tensors_of(model, picture, TEXTS))[0][0]
    heat = ex.explain(model, (picture, TEXTS), method="gae", target=target)
    assert heat.score == pytest.approx(score(logits).item(), rel=1e-5)
    assert (
        heat.grid == (4, 4)
        and heat.picture.size == (60, 40)
        and len(heat) == 17
        and heat.scores.any()
    )
    assert all(text in TEXTS for text in heat.target.split(" − "))


def test_a_difference_of_two_texts_is_the_difference_of_their_slopes(model, picture):
    maps = {
        target: ex.explain(model, (picture, TEXTS), "input_x_gradient", target=target).scores
        for target in (0, 1, (0, 1))
    }
    torch.testing.assert_close(maps[0, 1], maps[0] - maps[1], rtol=1e-9, atol=1e-12)


def shown(heat: ex.Heatmap) -> bool:
    """Finite, and zero everywhere only if that is said: the whole map of Attention Grad-CAM can be
    below zero.
    """
    return bool(heat.scores.isfinite().all()) and heat.scores.any().item() != (
        f"{heat.title} is zero for every token here." in heat.notes
    )


@pytest.mark.parametrize(
    "method",
    [
        "gae",
        "rollout",
        "attn_gradcam",
        "beyond_intuition",
        "legrad",
        "attcat",
        "raw_attention",
        "input_x_gradient",
        "integrated_gradients",
    ],
)
def test_both_sides_are_explained_by_what_was_promised(model, picture, method):
    options = {"steps": 4} if "steps" in METHODS[method].options else {}
    seen = ex.explain(model, (picture, TEXTS), method, target=0, **options)
    assert seen.grid == (4, 4) and shown(seen)
    if "text" in METHODS[method].tasks:
        read = ex.explain(model.side("text"), (picture, TEXTS[0]), method, **options)
        assert (
            read.labels == ["[CLS]", "a", "good", "movie", "[SEP]"]
            and read.text == TEXTS[0]
            and read.target == "the picture"
        )
        assert read.score == pytest.approx(seen.score, rel=1e-5), (
            "the same match, seen from the other side"
        )
        assert shown(read)


def test_one_text_needs_no_list(model, picture):
    one, listed = (ex.explain(model, (picture, texts), "gae") for texts in (TEXTS[0], TEXTS[:1]))
    assert torch.equal(one.scores, listed.scores) and one.target == TEXTS[0]


def test_a_text_that_was_cut_says_so_on_both_sides(model, picture):
    long = "good " * 100
    assert (
        f"“{long[:40]} …”: The model reads 64 tokens; 38 more were left out."
        in ex.explain(model, (picture, [TEXTS[0], long]), "gae").notes
    )
    assert (
        "The model reads 64 tokens; 38 more were left out."
        in ex.explain(model.side("text"), (picture, long), "gae").notes
    )


# ----------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "given, said",
    [
        (lambda picture: picture, "give both, as (picture, texts)"),
        (lambda picture: "a good movie", "give both, as (picture, texts)"),
        (lambda picture: (picture,), "give both, as (picture, texts)"),
        (lambda picture: (picture, "a", "b"), "give both, as (picture, texts)"),
        (lambda picture: (picture, []), "at least one text"),
        (lambda picture: (picture, ()), "at least one text"),
        (lambda picture: (picture, None), "at least one text"),
        (lambda picture: (picture, [3]), "at least one text"),
        (lambda picture: ("a good movie", picture), "at least one text"),
        (lambda picture: (picture, [" "]), "The text is empty"),
        (lambda picture: (picture, ["a good movie"] * 1001), "at most 1,000 texts; got 1,001"),
        (lambda picture: ("/no/such/photo.jpg", "a good movie"), "There is no file photo.jpg"),
        (lambda picture: ({"pixel_values": 1}, "a good movie"), "A picture is a path"),
        (lambda picture: example("vit"), "its tensors are pixel_values and input_ids"),
    ],
    ids=range(14),
)
def test_what_is_no_picture_with_texts_is_refused_in_words(model, picture, given, said):
    for side in ("vision", "text"):
        with pytest.raises(ex.Refusal) as refused:
            ex.explain(model.side(side), given(picture), "gae")
        assert said in str(refused.value) and "\n" not in str(refused.value)


def test_an_empty_text_among_several_is_named(model, picture):
    with pytest.raises(ex.Refusal, match="Text 2 of 2 is empty"):
        ex.explain(model.side("vision"), (picture, ["a cat", "\u200b"]), "gae")


def test_the_side_of_the_text_explains_one_text(model, picture):
    with pytest.raises(ex.Refusal, match="one text at a time"):
        ex.explain(model.side("text"), (picture, TEXTS), "gae")
    pictures, texts = several("clip")
    with pytest.raises(ex.Refusal, match="one example at a time"):
        tiny("clip.text").trace(pictures | texts, 0)


def test_a_dual_encoder_without_tokenizer_or_processor_says_what_it_lacks(
    model, picture, word_tokenizer
):
    net = fresh("vision-text-dual-encoder.vision").net
    with pytest.raises(ex.Refusal, match="without a tokenizer"):
        ex.explain(ex.load(net, processor=model.processor, device="cpu"), (picture, TEXTS), "gae")
    with pytest.raises(ex.Refusal, match="without an image processor"):
        ex.explain(ex.load(net, tokenizer=word_tokenizer, device="cpu"), (picture, TEXTS), "gae")


def test_a_text_that_is_not_among_them_is_refused_with_those_that_are(model, picture):
    with pytest.raises(ex.Refusal, match="bad actors"):
        ex.explain(model, (picture, TEXTS), "gae", target="bad actor")

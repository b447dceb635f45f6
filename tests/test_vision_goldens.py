"""Methods on patches against their authors' own numbers: goldens/vision.json.

See goldens/README.md.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tiny import GOLDENS, close, example, folder, tiny
from transformers import ViTForImageClassification
from transformers.modeling_outputs import ImageClassifierOutput

import explainers as ex
from explainers import lrp
from explainers.methods import METHODS
from explainers.methods.gradients import mean_gradient
from explainers.methods.relevance import relevance_of
from explainers.methods.vit_cx import causal_score, feature_masks
from explainers.pictures import blurred

RECORDS = json.loads((GOLDENS / "vision.json").read_text())
TENSORS = load_file(GOLDENS / "vision.safetensors")

#: Relative to the largest number, in float64 and float32.
USUAL = (1e-6, 1e-4)
OF_RELEVANCE = {"ours": (1e-5, 1e-3), "original": (1e-5, 5e-2)}
PRECISIONS = (torch.float64, torch.float32)

each_precision = pytest.mark.parametrize("dtype", PRECISIONS, ids=["float64", "float32"])


def within(tolerance: tuple[float, float], dtype: torch.dtype) -> float:
    return tolerance[PRECISIONS.index(dtype)]


class MeanPooledViT(ViTForImageClassification):
    """The way a fine-tuned ViT-MAE reads its score: the norm of the mean of the patches that leave
    the last block.
    """

    def forward(self, pixel_values, **kwargs) -> ImageClassifierOutput:
        hidden = self.vit.embeddings(pixel_values)
        for layer in self.vit.layers:
            hidden = layer(hidden, **kwargs)
        return ImageClassifierOutput(
            logits=self.classifier(self.vit.layernorm(hidden[:, 1:].mean(1)))
        )


@pytest.fixture(scope="module")
def mean_pooled() -> Iterator[dict[torch.dtype, ex.Model]]:
    ex.register("vit-gap", replace(ex.ANATOMIES["vit"], readout="mean"))
    models = {}
    for dtype in PRECISIONS:
        net = MeanPooledViT.from_pretrained(folder("vit"), dtype=dtype)
        net.config.model_type = "vit-gap"
        models[dtype] = ex.load(net, device="cpu")
    yield models
    del ex.ANATOMIES["vit-gap"]


def seen_as(record: dict, scores: torch.Tensor, model: ex.Model) -> torch.Tensor:
    """The view of the scores that the authors print."""
    scores = {None: scores, "not the prefix": scores[-16:], "words": scores[1:-1]}[
        record.get("tokens")
    ]
    if record.get("view") == "divided by their sum":
        return scores / scores.sum()
    if record.get("view") in ("from 0 to 1", "from 0 to nearly 1"):
        lifted = scores - scores.min()
        return lifted / (lifted.max() + (1e-7 if "nearly" in record["view"] else 0))
    return (
        scores / model.net.logit_scale.exp().item()
        if record.get("view") == "of the cosine"
        else scores
    )


@each_precision
@pytest.mark.parametrize("record", RECORDS, ids=[one["name"] for one in RECORDS])
def test_scores_are_the_authors_own(record, dtype, mean_pooled):
    model = mean_pooled[dtype] if record["model"] == "vit-gap" else tiny(record["model"], dtype)
    inputs = example("vit" if record["model"] == "vit-gap" else record["model"], dtype)
    scores = METHODS[record["method"]](
        model.trace(inputs, record["class"] or 0), **record["options"]
    )
    close(
        seen_as(record, scores, model),
        record["scores"],
        within(record.get("tolerance", USUAL), dtype),
    )


def test_the_mean_pooled_model_says_what_the_recorded_one_said(mean_pooled):
    trace = mean_pooled[torch.float64].trace(example("vit"), 0)
    close(
        trace.logits,
        [
            0.18362869823061823,
            -0.7513530329631584,
            -0.793845047168674,
            0.6140086049811883,
            0.3696005683610201,
        ],
        1e-6,
    )
    assert trace.read_at == list(range(1, 17))


def vit(target: int, dtype: torch.dtype) -> ex.Trace:
    return tiny("vit", dtype).trace(example("vit", dtype), target)


def by_patch(pixels: torch.Tensor) -> torch.Tensor:
    """[channel height width] summed over channels and each patch's pixels [patch]."""
    return pixels.unflatten(2, (4, 8)).unflatten(1, (4, 8)).sum((0, 2, 4)).flatten()


# ----------------------------------------------------------------- what several methods are made of


@each_precision
@pytest.mark.parametrize(
    "name, target", [("vit", 0), ("vit", 3), ("clip.vision", 0), ("clip.text", 0)]
)
def test_attention_and_its_slopes_are_the_recorded_ones(name, target, dtype):
    trace = tiny(name, dtype).trace(example(name, dtype), target)
    close(trace.attention, TENSORS[f"{name}.attention"], within(USUAL, dtype))
    close(trace.grad.attention, TENSORS[f"{name}.attention_slope.{target}"], within(USUAL, dtype))


@each_precision
@pytest.mark.parametrize("target", [0, 3])
def test_what_the_vectors_say_is_the_authors_own_in_every_layer(target, dtype):
    """What leaves a block is what enters the next, and where nothing is to be seen (the last
    block's patches) there is nothing.
    """
    recorded, cat = TENSORS[f"cat.{target}"], METHODS["cat"]
    close(cat.layers(vit(target, dtype), states="input"), recorded[:-1], within(USUAL, dtype))
    close(cat.layers(vit(target, dtype), states="output"), recorded[1:], within(USUAL, dtype))
    assert not recorded[-1, 1:].any()


@each_precision
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("rules", OF_RELEVANCE)
def test_the_relevance_of_attention_is_the_authors_own_in_every_layer(rules, target, dtype):
    got = relevance_of(vit(target, dtype), rules).attention
    for layer, wanted in zip(got, TENSORS[f"relevance.{rules}.{target}"]):
        close(layer, wanted, within(OF_RELEVANCE[rules], dtype))


# ----------------------------------------------- below the first block, where the methods here stop


@each_precision
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("rules", OF_RELEVANCE)
def test_relevance_handed_on_to_the_pixels_is_the_authors_own(rules, target, dtype):
    """LRP ends at what enters the first block.

    The authors hand it on to patches and positions by their rule for a sum, and to pixels by the
    zB-rule, whose bounds are the darkest and the lightest pixel of this picture.
    """
    trace = vit(target, dtype)
    pixels, embeddings = trace.pixels[None], trace.run.model.tower.embeddings
    positions = embeddings.position_embeddings.detach()
    tokens = (trace.hidden[0] - positions).requires_grad_()
    rule = {"ours": lrp.chefer.add, "original": lrp.chefer.add_without_rescaling}[rules]
    both = rule(tokens + positions, tokens, positions.clone().requires_grad_())
    (of_tokens,) = torch.autograd.grad(both, tokens, relevance_of(trace, rules).hidden[0][None])
    weight = embeddings.patch_embeddings.projection.weight.detach()
    through = [
        (pixels, weight),
        (torch.full_like(pixels, pixels.min()), -weight.clamp(min=0)),
        (torch.full_like(pixels, pixels.max()), -weight.clamp(max=0)),
    ]
    added = sum(F.conv2d(x, w, stride=8) for x, w in through)
    share = of_tokens[:, 1:].mT.unflatten(2, (4, 4)) / (added + 1e-9)
    got = sum(x * F.conv_transpose2d(share, w, stride=8) for x, w in through)
    close(got[0].sum(0), TENSORS[f"lrp.{rules}.{target}"], within(OF_RELEVANCE[rules], dtype))


@each_precision
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("variant, table", [("attn", lrp.ATTNLRP), ("cp", lrp.CPLRP)])
def test_attnlrp_handed_on_to_the_pixels_is_the_authors_own(variant, table, target, dtype):
    """AttnLRP ends there too: below lies one linear map, whose rule is the plain gradient."""
    trace = vit(target, dtype)
    slope = trace.again(rules=lrp.ChainRules(table, gradient=True), record=("hidden",)).grad.hidden[
        0
    ]
    pixels = trace.pixels[None].clone().requires_grad_()
    (below,) = torch.autograd.grad(trace.run.model.tower.embeddings(pixels), pixels, slope[None])
    close(
        (trace.pixels * below[0]).sum(0),
        TENSORS[f"attnlrp.{variant}.{target}"],
        within(USUAL, dtype),
    )


# ---------------------------------------------------------------------- methods that draw at random


@each_precision
def test_smoothgrad_with_the_recorded_noise(dtype):
    trace = vit(0, dtype)
    mean = mean_gradient(
        trace,
        0.15 * (trace.pixels.max() - trace.pixels.min()) * TENSORS["smoothgrad.noise"].to(dtype),
    )
    close(by_patch(mean), SMOOTHGRAD["signed"], within(USUAL, dtype))
    close(by_patch(mean.abs()), SMOOTHGRAD["absolute"], within(USUAL, dtype))
    close(by_patch(trace.pixels * mean), SMOOTHGRAD["times the input"], within(USUAL, dtype))


def recorded_order(masks: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The masks in the authors' order, which their noise was drawn in: clusters are numbered as
    they are found.
    """
    distances = torch.cdist(masks.flatten(1).double(), wanted.flatten(1))
    assert len(masks) == len(wanted) and distances.amin(0).max() < (
        1e-5 if masks.dtype == torch.float64 else 1e-3
    )
    order = distances.argmin(0)
    assert sorted(order.tolist()) == list(range(len(wanted)))
    return masks[order]


@each_precision
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("threshold", [0.1, 0.3])
def test_vit_cx_with_the_recorded_masks_and_noise(threshold, target, dtype):
    """Their noise was drawn as here, in float32 from the seed 0."""
    trace, drawn = vit(target, dtype), torch.Generator().manual_seed(0)
    masks = recorded_order(feature_masks(trace, threshold), TENSORS[f"vit_cx.{threshold}.masks"])
    got = causal_score(
        trace, masks, lambda n: 0.1 * torch.randn(n, 3, 32, 32, generator=drawn), offset=True
    )
    close(got, TENSORS[f"vit_cx.{threshold}.{target}"], within(USUAL, dtype))


@each_precision
def test_a_blurred_picture_is_rises_own(dtype):
    close(
        blurred(example("vit", dtype)["pixel_values"])[0], TENSORS["blurred"], within(USUAL, dtype)
    )


@pytest.mark.parametrize("offset", [False, True])
def test_vit_cx_is_the_mean_over_each_patch_and_depends_on_its_seed(offset):
    trace, method = tiny("vit").trace(example("vit"), 0), METHODS["vit_cx"]
    pixels = method.pixels(trace, offset=offset)
    torch.testing.assert_close(
        method(trace, offset=offset)[1:],
        pixels.unflatten(1, (4, 8)).unflatten(0, (4, 8)).mean((1, 3)).flatten(),
    )
    assert not torch.equal(pixels, method.pixels(trace, offset=offset, seed=1))


def test_the_offset_of_vit_cx_is_the_probability_shared_out():
    trace = tiny("vit").trace(example("vit"), 3)
    plain, lifted = (METHODS["vit_cx"].pixels(trace, offset=offset) for offset in (False, True))
    probability = trace.logits.softmax(-1)[3] / len(feature_masks(trace, 0.1))
    torch.testing.assert_close(lifted - plain, probability.expand(32, 32), rtol=1e-9, atol=1e-12)


#: SmoothGrad of class 0 with the recorded noise, n = 20, sigma = 0.15 of the range, summed over
#: channels and each patch's pixels.
SMOOTHGRAD = {
    "signed": [
        -0.419616785,
        -0.1263425285,
        -0.3358567725,
        0.06529270779,
        0.09518465364,
        0.3103135804,
        0.2984448646,
        0.1621179484,
        -0.09273183922,
        -0.1216821238,
        -1.406154336,
        -0.2699170516,
        -0.2114928003,
        -0.1329069233,
        -0.7227520828,
        -0.1173805024,
    ],
    "absolute": [
        2.075473222,
        2.582486773,
        2.37499342,
        2.319458631,
        1.784786574,
        3.821946662,
        4.32657792,
        2.060067382,
        1.927005444,
        2.611806127,
        5.52904781,
        3.096838005,
        5.522013888,
        1.978561854,
        3.275666253,
        3.372845774,
    ],
    "times the input": [
        -0.01229954887,
        0.02059726168,
        0.03341855177,
        -0.02429257885,
        -0.02102842124,
        -0.02094353363,
        0.01454705127,
        0.02336483317,
        0.01641012535,
        0.0845174563,
        -0.08686666462,
        -0.01500324629,
        -0.1414324692,
        -0.02086461871,
        0.1038261997,
        0.08271690301,
    ],
}

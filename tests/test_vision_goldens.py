"""Methods on patches against their authors' own numbers: goldens/vision.json. See goldens/README.md."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny import GOLDENS, close, example, folder, tiny
from transformers import ViTForImageClassification
from transformers.modeling_outputs import ImageClassifierOutput

import explainers as ex
from explainers.methods import METHODS
from explainers.methods.gradients import smoothed
from explainers.methods.vit_cx import causal_score, feature_masks

RECORDS = json.loads((GOLDENS / "vision.json").read_text())
TENSORS = load_file(GOLDENS / "vision.safetensors")

#: Relative to the largest number.
PRECISIONS = {torch.float64: 1e-6, torch.float32: 1e-4}

each_precision = pytest.mark.parametrize("dtype", PRECISIONS, ids=["float64", "float32"])


class MeanPooledViT(ViTForImageClassification):
    """The way a fine-tuned ViT-MAE reads its score: the norm of the mean of the patches that leave the last block."""

    def forward(self, pixel_values, **kwargs) -> ImageClassifierOutput:
        hidden = self.vit.embeddings(pixel_values)
        for layer in self.vit.layers:
            hidden = layer(hidden, **kwargs)
        return ImageClassifierOutput(logits=self.classifier(self.vit.layernorm(hidden[:, 1:].mean(1))))


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
    if record.get("tokens") == "not the prefix":
        scores = scores[-16:]
    if record.get("view") in ("from 0 to 1", "from 0 to nearly 1"):
        lifted = scores - scores.min()
        return lifted / (lifted.max() + (1e-7 if "nearly" in record["view"] else 0))
    return scores / model.net.logit_scale.exp().item() if record.get("view") == "of the cosine" else scores


@each_precision
@pytest.mark.parametrize("record", RECORDS, ids=[one["name"] for one in RECORDS])
def test_scores_are_the_authors_own(record, dtype, mean_pooled):
    model = mean_pooled[dtype] if record["model"] == "vit-gap" else tiny(record["model"], dtype)
    inputs = example("vit" if record["model"] == "vit-gap" else record["model"], dtype)
    scores = METHODS[record["method"]](model.trace(inputs, record["class"] or 0), **record["options"])
    close(seen_as(record, scores, model), record["scores"], PRECISIONS[dtype])


def test_the_mean_pooled_model_says_what_the_recorded_one_said(mean_pooled):
    trace = mean_pooled[torch.float64].trace(example("vit"), 0)
    close(trace.logits, [0.18362869823061823, -0.7513530329631584, -0.793845047168674, 0.6140086049811883, 0.3696005683610201], 1e-6)
    assert trace.read_at == list(range(1, 17))


def test_smoothgrad_with_the_recorded_noise():
    trace = tiny("vit").trace(example("vit"), 0)
    noise = 0.15 * (trace.pixels.max() - trace.pixels.min()) * TENSORS["noise"].double()
    mean = smoothed(trace, noise)
    by_patch = lambda pixels: pixels.unflatten(2, (4, 8)).unflatten(1, (4, 8)).sum((0, 2, 4)).flatten()
    close(by_patch(mean), SMOOTHGRAD["signed"], 1e-6)
    close(by_patch(mean.abs()), SMOOTHGRAD["absolute"], 1e-6)
    close(by_patch(trace.pixels * mean), SMOOTHGRAD["times the input"], 1e-6)


def recorded_order(masks: torch.Tensor) -> torch.Tensor:
    """The masks in the authors' order, which their noise was drawn in: clusters are numbered as they are found."""
    wanted = TENSORS["vit_cx.masks"].to(masks)
    distances = torch.cdist(masks.flatten(1), wanted.flatten(1))
    assert len(masks) == len(wanted) == 22 and distances.amin(0).max() < 1e-5
    order = distances.argmin(0)
    assert sorted(order.tolist()) == list(range(22))
    return masks[order]


@pytest.mark.parametrize("index", [0, 3])
def test_vit_cx_with_the_recorded_masks_and_noise(index):
    trace = tiny("vit").trace(example("vit"), index)
    masks, drawn = recorded_order(feature_masks(trace, 0.1)), torch.Generator().manual_seed(0)
    got = causal_score(trace, masks, lambda n: 0.1 * torch.randn(n, 3, 32, 32, generator=drawn), offset=True)
    close(got, TENSORS[f"vit_cx.{index}"], 1e-6)


@pytest.mark.parametrize("offset", [False, True])
def test_vit_cx_is_the_mean_over_each_patch_and_depends_on_its_seed(offset):
    trace, method = tiny("vit").trace(example("vit"), 0), METHODS["vit_cx"]
    pixels = method.pixels(trace, offset=offset)
    torch.testing.assert_close(method(trace, offset=offset)[1:], pixels.unflatten(1, (4, 8)).unflatten(0, (4, 8)).mean((1, 3)).flatten())
    assert not torch.equal(pixels, method.pixels(trace, offset=offset, seed=1))


def test_the_offset_of_vit_cx_is_the_probability_shared_out():
    trace = tiny("vit").trace(example("vit"), 3)
    plain, lifted = (METHODS["vit_cx"].pixels(trace, offset=offset) for offset in (False, True))
    probability = trace.logits.softmax(-1)[3] / len(feature_masks(trace, 0.1))
    torch.testing.assert_close(lifted - plain, probability.expand(32, 32), rtol=1e-9, atol=1e-12)


#: SmoothGrad of class 0 with the recorded noise, n = 20, sigma = 0.15 of the range, summed over channels and each patch's pixels.
SMOOTHGRAD = {
    "signed": [-0.419616785, -0.1263425285, -0.3358567725, 0.06529270779, 0.09518465364, 0.3103135804, 0.2984448646, 0.1621179484,
               -0.09273183922, -0.1216821238, -1.406154336, -0.2699170516, -0.2114928003, -0.1329069233, -0.7227520828, -0.1173805024],
    "absolute": [2.075473222, 2.582486773, 2.37499342, 2.319458631, 1.784786574, 3.821946662, 4.32657792, 2.060067382, 1.927005444,
                 2.611806127, 5.52904781, 3.096838005, 5.522013888, 1.978561854, 3.275666253, 3.372845774],
    "times the input": [-0.01229954887, 0.02059726168, 0.03341855177, -0.02429257885, -0.02102842124, -0.02094353363, 0.01454705127, 0.02336483317,
                        0.01641012535, 0.0845174563, -0.08686666462, -0.01500324629, -0.1414324692, -0.02086461871, 0.1038261997, 0.08271690301],
}

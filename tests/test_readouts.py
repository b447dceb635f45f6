"""Where a score is read from, and what stands for nothing in a picture."""

import pytest
import torch
import torch.nn.functional as F
from tiny import ARCHITECTURES, IMAGE, TINY, close, example, tiny
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

import explainers as ex
from explainers.models import READOUTS
from explainers.pictures import blurred

#: Of every architecture that does not read its first token.
READ_ELSEWHERE = {
    "gpt2": "last",
    "gpt2-classifier": "last",
    "modernbert-mean": "mean",
    "beit": "mean",
    "dinov2": "first and mean",
    "dinov2_with_registers": "first and mean",
    "deit-distilled": "first two",
    "clip.text": "end of text",
    "siglip.text": "very last",
    "siglip.vision": "pooling attention",
    "dinov2-gated": "first and mean",
    "clip-classifier": "mean",
    "siglip-classifier": "mean",
}

#: Tokens of the fixed input and their weights; the means are filled in below.
READ = {
    "first": {0: 1.0},
    "last": {11: 1.0},
    "mean": {},
    "first and mean": {},
    "first two": {0: 0.5, 1: 0.5},
    "very last": {7: 1.0},
    "end of text": {7: 1.0},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_readout_is_where_the_architecture_says(name):
    trace, how, n = (
        tiny(name).trace(example(name), 0),
        READ_ELSEWHERE.get(name, "first"),
        TINY[name].tokens,
    )
    wanted = torch.zeros(n, dtype=torch.float64)
    for token, weight in READ.get(how, {}).items():
        wanted[token] = weight
    patches = slice(n - 16, None) if name in IMAGE else slice(None)
    if how == "mean":
        wanted[patches] = 1 / len(wanted[patches])
    if how == "first and mean":
        wanted[0], wanted[patches] = 0.5, 1 / 32
    assert trace.readout.shape == (n,) and abs(float(trace.readout.sum()) - 1) < 1e-12
    if how == "pooling attention":
        assert (trace.readout > 0).all() and trace.readout.std() > 0
    else:
        torch.testing.assert_close(trace.readout, wanted)
        assert trace.read_at == wanted.nonzero().flatten().tolist()


def test_every_way_to_read_a_score_is_tested_on_an_architecture():
    assert {"first", *READ_ELSEWHERE.values()} == set(READOUTS) and set(READ_ELSEWHERE) < set(
        ARCHITECTURES
    )


def test_the_weights_of_siglips_pool_are_its_own_attention():
    """What stands for the readout is what torch's own module says it attended to, averaged over
    heads.
    """
    model = tiny("siglip.vision")
    trace, pool = model.trace(example("siglip.vision"), 0), model.tower.head
    states = model.tower.post_layernorm(trace.hidden[-1]).detach()
    (w_q, w_k, _), (b_q, b_k, _) = (
        pool.attention.in_proj_weight.chunk(3),
        pool.attention.in_proj_bias.chunk(3),
    )
    query, key = (
        F.linear(x, w, b).unflatten(-1, (3, 16))
        for x, w, b in ((pool.probe.detach()[0, 0], w_q, b_q), (states, w_k, b_k))
    )  # 3 heads
    scores = torch.einsum("hd,nhd->hn", query, key) / 16**0.5
    close(trace.readout, scores.softmax(-1).mean(0), 1e-9)


# ------------------------------------------------------------------------------- blanks of pictures

PROCESSORS = {None: None, "half": ViTImageProcessorPil(), "clip": CLIPImageProcessorPil()}


@pytest.mark.parametrize("kind", PROCESSORS, ids=str)
@pytest.mark.parametrize("fill", ["mean", "black", "white", "blur"])
def test_a_blank_patch_is_what_its_name_says(fill, kind):
    """As the model reads pixels: of a processor's own mean and range, or of a half each without
    one.
    """
    model = ex.load(tiny("vit").net, processor=PROCESSORS[kind], device="cpu")
    trace = model.trace(example("vit"), 0)
    where = torch.zeros(1, 17, dtype=torch.bool)
    where[0, 6] = True  # row 2, column 2
    patch = trace.fill(where, fill)["pixel_values"][0, :, 8:16, 8:16]
    mean, std = (
        torch.tensor(getattr(PROCESSORS[kind], name) if kind else [0.5] * 3, dtype=torch.float64)[
            :, None, None
        ]
        for name in ("image_mean", "image_std")
    )
    wanted = {
        "mean": torch.zeros(3, 1, 1),
        "black": (0 - mean) / std,
        "white": (1 - mean) / std,
        "blur": blurred(trace.pixels[None])[0, :, 8:16, 8:16],
    }[fill]
    torch.testing.assert_close(patch, wanted.double().expand(3, 8, 8))


def test_pixels_of_no_patch_are_never_blanked():
    pixels = torch.randn(
        1, 3, 37, 46, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    trace = tiny("vit").trace({"pixel_values": pixels}, 0)
    filled = trace.fill(~trace.special_tokens[None], "black")["pixel_values"]
    assert torch.equal(filled[:, :, 32:], pixels[:, :, 32:]) and torch.equal(
        filled[..., 40:], pixels[..., 40:]
    )
    assert (filled[:, :, :32, :40] == -1).all()

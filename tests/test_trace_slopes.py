"""Slopes of a trace are slopes; pictures of other sizes, and padding, change nothing else."""

from dataclasses import replace
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from tiny import DUAL, IMAGE, PADDED, TEXT, TINY, defined, example, stock, tiny
from traces import each_architecture, padded_by, tight
from transformers.models.modernbert import modeling_modernbert

import explainers as ex
from explainers.methods import METHODS


@pytest.fixture
def exact_rotation(monkeypatch):
    """ModernBERT turns its queries and keys in float32 whatever it runs in, too coarse to take
    differences of.
    """

    def turn(x, cos, sin):
        return x * cos[:, None] + modeling_modernbert.rotate_half(x) * sin[:, None]

    def turn_both(q, k, cos, sin, **_):
        return turn(q, cos, sin), turn(k, cos, sin)

    monkeypatch.setattr(modeling_modernbert, "apply_rotary_pos_emb", turn_both)


# ------------------------------------------------------------------------------------------- slopes


@each_architecture
@pytest.mark.parametrize(
    "what, layer", [("entry", 0), ("attention", 0), ("attention", 2), ("value", 1)]
)
def test_gradients_are_finite_differences(name, what, layer, exact_rotation):
    """The score's change along a random direction, in float64, by a central difference."""
    trace = tiny(name).trace(example(name), 0)
    slopes = trace.grad.hidden if what == "entry" else getattr(trace.grad, what)
    direction = torch.randn(
        slopes[layer].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    step = 1e-5

    def moved(size: float) -> torch.Tensor:
        seen = []

        def edit(tensor):
            seen.append(None)  # one call a layer, in order
            return tensor + size * direction if len(seen) == layer + 1 else tensor

        return trace.again(**{what: edit}).score

    difference = (moved(step) - moved(-step)) / (2 * step)
    torch.testing.assert_close((slopes[layer] * direction).sum(), difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in TEXT if name not in DUAL])
def test_gradients_by_the_word_embeddings_are_finite_differences(name, exact_rotation):
    """Embeddings that are narrower than the layers (ELECTRA, ALBERT) too."""
    trace = tiny(name).trace(example(name), 0)
    fed = trace.again(inputs=trace.embed())
    torch.testing.assert_close(fed.score, trace.score, **tight)
    torch.testing.assert_close(fed.hidden, trace.hidden, **tight)
    assert (
        fed.embedded.shape
        == fed.grad.embedded.shape
        == (12, 24 if name in ("electra", "albert") else 48)
    )
    direction = torch.randn(
        fed.embedded.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    stack = torch.stack([fed.embedded + size * direction for size in (1e-5, -1e-5)])
    scores = trace.rescore(trace.embed() | {"inputs_embeds": stack})
    torch.testing.assert_close(
        (fed.grad.embedded * direction).sum(), (scores[0] - scores[1]) / 2e-5, rtol=1e-6, atol=1e-8
    )


def sized(name: str, *size: int) -> dict[str, torch.Tensor]:
    """The fixed input of an architecture with a picture of another size [height width]."""
    made = torch.Generator().manual_seed(2)
    return example(name) | {
        "pixel_values": torch.randn(1, 3, *size, generator=made, dtype=torch.float64)
    }


@pytest.mark.parametrize("size", [(32, 32), (40, 24)], ids=str)
@pytest.mark.parametrize("name", IMAGE)
def test_gradients_by_the_pixels_are_finite_differences(name, size):
    """Where positions lie between the learned ones too."""
    trace = tiny(name).trace(sized(name, *size), 0)
    assert trace.pixels.shape == trace.grad.pixels.shape == (3, *size) and trace.grad.pixels.any()
    direction = torch.randn(
        3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    stack = torch.stack([trace.pixels + step * direction for step in (1e-5, -1e-5)])
    scores = trace.rescore(trace.run.inputs | {"pixel_values": stack})
    torch.testing.assert_close(
        (trace.grad.pixels * direction).sum(), (scores[0] - scores[1]) / 2e-5, rtol=1e-6, atol=1e-8
    )


# -------------------------------------------------------------------------- pictures of other sizes


@pytest.mark.parametrize(
    "size, grid", [((48, 48), (6, 6)), ((48, 24), (6, 3)), ((36, 47), (4, 5))], ids=str
)
@pytest.mark.parametrize("name", IMAGE)
def test_a_picture_of_another_size_gets_the_stock_models_logits_and_its_own_grid(name, size, grid):
    """Not square, and not filled by its patches: the rest of the last ones is not seen."""
    inputs, net = sized(name, *size), stock(name).double()
    between = (
        {"interpolate_pos_encoding": True}
        if not name.startswith("dinov2") and not name.startswith("beit")
        else {}
    )  # these always do
    with torch.no_grad():
        if name in DUAL:
            seen = net.get_image_features(
                pixel_values=inputs["pixel_values"], **between
            ).pooler_output
            read = net.get_text_features(input_ids=inputs["input_ids"]).pooler_output
            wanted = F.cosine_similarity(seen, read) * net.logit_scale.exp() + getattr(
                net, "logit_bias", 0
            )
        else:
            wanted = net(**inputs, **between).logits[0]
    trace = tiny(name).trace(inputs, 0)
    torch.testing.assert_close(trace.logits, wanted, rtol=1e-5, atol=1e-6)
    assert trace.grid == grid and len(trace.attended) == TINY[name].tokens - 16 + grid[0] * grid[1]
    lost = [trace.grad.pixels[:, grid[0] * 8 :], trace.grad.pixels[:, :, grid[1] * 8 :]]
    assert not any(part.any() for part in lost)
    coded = tiny(name).encode(inputs)
    assert (
        coded.picture.size == (8 * grid[1], 8 * grid[0])
        and coded.labels[-1] == f"row {grid[0]}, column {grid[1]}"
    )


@pytest.mark.parametrize(
    "size, said",
    [
        ((7, 32), "7 × 32 pixels has not one whole patch"),
        ((368, 368), "46 × 46 patches is too large"),
    ],
    ids=str,
)
def test_a_picture_of_no_patch_or_of_too_many_is_refused(size, said):
    with pytest.raises(ex.Refusal, match=said):
        tiny("vit").trace(sized("vit", *size), 0)


# ------------------------------------------------------------------------------------------ padding


@pytest.mark.parametrize(
    "name, method",
    [(name, method) for name, method in product(PADDED, METHODS) if defined(METHODS[method], name)],
)
def test_padding_changes_no_real_tokens_score(name, method):
    """GPT-2 too: its score is read from the last real token, not from the padding behind it."""
    inputs = example(name)
    short, long = (tiny(name).trace(one, 0) for one in (inputs, padded_by(3, name, inputs)))
    assert (
        long.read_at == short.read_at
        and long.attended.tolist() == [True] * len(short.attended) + [False] * 3
    )
    long = replace(
        long, special_tokens=F.pad(short.special_tokens, (0, 3), value=True)
    )  # bare ids do not say what is special
    options = {
        name: few for name, few in (("steps", 6), ("samples", 3)) if name in METHODS[method].options
    }
    scores = METHODS[method](long, **options)
    torch.testing.assert_close(
        scores[:-3], METHODS[method](short, **options), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", PADDED)
def test_padding_is_not_attended_to(name):
    trace = tiny(name).trace(padded_by(3, name, example(name)), 0)
    assert not trace.attention[:, :, trace.attended][..., ~trace.attended].any()

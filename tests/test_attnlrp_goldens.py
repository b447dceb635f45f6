"""AttnLRP against its authors' package (goldens/attnlrp.py), and what it does with products.

Activations count as a whole, two signals half each.
"""

import json
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from rules import drawn, relevance_of
from tiny import GOLDENS, LLAMA, close, example, random_model, tiny
from transformers.activations import ACT2FN

import explainers as ex
from explainers.lrp import ATTNLRP, CPLRP
from explainers.methods import METHODS

RECORDS = json.loads((GOLDENS / "attnlrp.json").read_text())

#: In float64 and float32. RMSNorm and rotary positions of `transformers` are float32 in either.
WITHIN = {"llama": (1e-5, 1e-4), "modernbert": (1e-5, 1e-4)}


@pytest.fixture
def llama_known(forgetful):
    """An architecture that is registered for one test."""
    ex.register("llama", LLAMA)


@cache
def fixed(name: str, dtype: torch.dtype) -> ex.Model:
    return ex.load(GOLDENS / "models" / name, device="cpu", dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "record",
    RECORDS,
    ids=[f"{one['model']}-{one['options']['variant']}-{one['class']}" for one in RECORDS],
)
def test_attnlrp_is_the_authors_own(record, dtype, llama_known):
    trace = fixed(record["model"], dtype).trace(
        example("vit" if record["model"] == "vit" else "bert", dtype), record["class"]
    )
    tolerance = WITHIN.get(record["model"], (1e-6, 1e-4))[dtype == torch.float32]
    close(trace.score, record["logit"], tolerance)
    close(METHODS["attnlrp"](trace, **record["options"]), record["scores"], tolerance)


ACTIVATIONS = [
    "gelu",
    "gelu_new",
    "gelu_fast",
    "gelu_python",
    "gelu_pytorch_tanh",
    "gelu_accurate",
    "quick_gelu",
    "silu",
    "mish",
    "relu",
    "relu2",
    "relu6",
    "leaky_relu",
    "tanh",
    "sigmoid",
    "linear",
]


@pytest.mark.parametrize("table", [ATTNLRP, CPLRP], ids=["attn", "cp"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_however_it_is_written_keeps_its_ratio(name, table):
    x, act = drawn(2, 5), ACT2FN[name]
    y, given, (got,) = relevance_of(act, x, table=table)
    torch.testing.assert_close(y, act(x))
    torch.testing.assert_close(got, given * y / x, rtol=1e-6, atol=1e-8)


def test_a_product_of_two_signals_gives_half_to_each():
    a, b = drawn(2, 5), drawn(2, 5, seed=1)
    _, given, (got_a, got_b) = relevance_of(lambda a, b: F.silu(a) * b, a, b, table=ATTNLRP)
    torch.testing.assert_close(a * got_a, given * F.silu(a) * b / 2, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(b * got_b, given * F.silu(a) * b / 2)


def test_two_halves_of_one_projection_are_two_signals():
    x, weight = drawn(3, 4), drawn(10, 4, seed=1)

    def gated(x):
        signal, gate = F.linear(x, weight).chunk(2, -1)
        return F.gelu(signal) * gate

    y, given, (got,) = relevance_of(gated, x, table=ATTNLRP)
    torch.testing.assert_close(
        (x * got).sum(), (given * y).sum(), rtol=1e-6, atol=1e-8
    )  # counted once, nothing lost


def test_cplrp_holds_the_activated_factor():
    a, b = drawn(2, 5), drawn(2, 5, seed=1)
    for gated in (lambda a, b: F.silu(a) * b, lambda a, b: b * F.silu(a)):
        _, given, (got_a, got_b) = relevance_of(gated, a, b, table=CPLRP)
        assert not got_a.any()
        torch.testing.assert_close(got_b, given * F.silu(a))


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
        lambda x: x * (x.pow(2).mean(-1, keepdim=True) + 1e-6) ** -0.5,
        lambda x: x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(),
        lambda x: F.rms_norm(x, (4,), None, 1e-6),
    ],
    ids=["rsqrt", "power", "divided", "torch"],
)
def test_rmsnorm_with_its_mean_square_held(norm):
    x = drawn(2, 4)
    y, given, (got,) = relevance_of(norm, x, table=ATTNLRP)
    torch.testing.assert_close(y, norm(x))
    torch.testing.assert_close(
        got, given / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(), rtol=1e-6, atol=1e-8
    )


def test_a_length_is_held():
    """The cosine of a dual encoder normalises like a LayerNorm does."""
    x = drawn(1, 4)
    for unit in (lambda x: x / x.norm(dim=-1, keepdim=True), lambda x: F.normalize(x, dim=-1)):
        _, given, (got,) = relevance_of(unit, x, table=ATTNLRP)
        torch.testing.assert_close(got, given / x.norm(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["beit", "dinov2", "modernbert", "gpt2"])
def test_a_weight_that_is_trained_takes_no_share(name):
    """Scales of layers (BEiT's, DINOv2's) stand on either side of the product; frozen or not, they
    are no signal."""
    frozen = ex.load(
        tiny(name).net.from_pretrained(tiny(name).net.name_or_path),
        device="cpu",
        dtype=torch.float64,
    )
    assert all(weight.requires_grad for weight in tiny(name).net.parameters())
    frozen.net.requires_grad_(False)
    for method in (METHODS["attnlrp"], METHODS["lrp"]):
        want = method(frozen.trace(example(name), 0))
        assert want.any()
        torch.testing.assert_close(method(tiny(name).trace(example(name), 0)), want)


def test_what_a_grouped_gate_hands_back_is_conserved_without_biases():
    """A gated layer alone, as Llama and ModernBERT have it: input times relevance adds up to the
    output times what came."""
    net = random_model(
        "LlamaModel",
        vocab_size=200,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
    ).double()
    x = drawn(1, 3, 12)
    y, given, (got,) = relevance_of(net.layers[0].mlp, x, table=ATTNLRP)
    torch.testing.assert_close((x * got).sum(), (y * given).sum(), rtol=1e-6, atol=1e-8)

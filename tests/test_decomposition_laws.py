"""Relevance, decomposition and perturbation methods against laws that their papers prove."""

import pytest
import torch
from tiny import example, fresh, tiny

import explainers as ex
from explainers.methods import METHODS
from explainers.methods._chain import flow

SENTENCE = (
    "really didn't like this movie. some of the actors were good, but overall the movie was boring"
)


# --------------------------------------------------------------------------------------------- laws


def test_decompx_adds_up_to_the_logit_of_the_trained_model(sentiment):
    for target in (0, 1, (0, 1)):
        heat = ex.explain(sentiment, SENTENCE, "decompx", target)
        assert abs(float(heat.scores.sum()) - heat.score) < 1e-3 * abs(heat.score)


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "electra", "albert"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": "norm"},
        {"bias": "equal"},
        {"bias": "abssim"},
        {"bias": "cls"},
        {"activation": "tangent"},
        {"head_activation": "tangent"},
    ],
    ids=str,
)
def test_decompx_adds_up_to_the_logit(name, options):
    trace = tiny(name).trace(example(name), 0)
    torch.testing.assert_close(
        METHODS["decompx"](trace, **options).sum(), trace.score, rtol=1e-8, atol=1e-10
    )


def test_decompx_of_a_difference_is_the_difference():
    first, second, both = (
        METHODS["decompx"](tiny("bert").trace(example("bert"), target)) for target in (0, 2, (0, 2))
    )
    torch.testing.assert_close(both, first - second)


def test_a_bias_left_out_is_missing_from_the_sum():
    trace = tiny("bert").trace(example("bert"), 0)
    assert abs(float(METHODS["decompx"](trace, bias="none").sum() - trace.score)) > 0.1


def test_integrated_gradients_add_up_on_the_trained_model(sentiment):
    heat = ex.explain(sentiment, SENTENCE, "integrated_gradients", steps=100)
    assert abs(heat.facts["completeness gap"]) < 0.01 * abs(heat.score)


def test_the_relevance_of_transatt_is_conserved_on_the_trained_model(sentiment):
    """What reaches each layer's input is the one unit that the class handed out."""
    trace = sentiment.trace(SENTENCE, "NEGATIVE")
    torch.testing.assert_close(
        METHODS["lrp"].layers(trace).sum(-1), torch.ones(7), rtol=0, atol=2e-3
    )


@pytest.mark.parametrize("key", ["rollout", "attention_flow", "alti", "value_zeroing"])
def test_shares_sum_to_one(key):
    torch.testing.assert_close(
        METHODS[key](tiny("bert").trace(example("bert"), 0)).sum(),
        torch.tensor(1.0, dtype=torch.float64),
    )


def materialised(trace, l: int) -> torch.Tensor:
    """The vectors that the Gram identity never makes: z_qk of layer l with the residual [query key
    dim].
    """
    layer, x = trace.layers[l], trace.hidden[l]
    z = torch.zeros(len(x), len(x), x.shape[-1]).to(x)
    for h in range(trace.attention.shape[1]):
        for q in range(len(x)):
            for k in range(len(x)):
                z[q, k] += trace.attention[l, h, q, k] * (trace.value[l, h, k] @ layer.w_o[h])
    z[torch.arange(len(x)), torch.arange(len(x))] += x
    return z


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "gpt2", "vit"])
def test_norms_by_the_gram_identity_are_the_norms_of_the_vectors(name):
    trace = tiny(name).trace(example(name), 0)
    maps = METHODS["norm"].maps(trace, stage="Res")
    for l in range(len(maps)):
        torch.testing.assert_close(maps[l], materialised(trace, l).norm(dim=-1))


def test_the_vectors_of_a_layer_add_up_to_what_it_makes():
    """Kobayashi's z, the residual and the output bias are the sum that the LayerNorm gets, and that
    gives the states recorded.
    """
    trace = tiny("bert").trace(example("bert"), 0)
    for l, layer in enumerate(trace.layers):
        after1 = layer.norm1(materialised(trace, l).sum(1) + layer.b_o)
        torch.testing.assert_close(
            layer.norm2(after1 + layer.down(layer.act(layer.up(after1)))), trace.hidden[l + 1]
        )


def test_value_zeroing_by_one_pass_a_token():
    trace = tiny("bert").trace(example("bert"), 0)
    maps = METHODS["value_zeroing"].maps(trace)
    for l, layer in enumerate(trace.layers):
        for k in range(12):

            def without(value, k=k):
                value = value.clone()
                value[:, :, k] = 0
                return value

            changed = layer.run(trace.hidden[l][None], value=without)[0].detach()
            wanted = 1 - torch.cosine_similarity(changed, trace.hidden[l + 1], dim=-1)
            torch.testing.assert_close(maps[l, :, k] * unnormalised(trace, layer, l), wanted)


def unnormalised(trace, layer, l: int) -> torch.Tensor:
    """Row sums of layer l before they were divided by, token by token."""
    total = torch.zeros(12, dtype=torch.float64)
    for k in range(12):
        keep = (torch.arange(12) != k).double()[None, None, :, None]
        changed = layer.run(trace.hidden[l][None], value=lambda value, keep=keep: value * keep)[
            0
        ].detach()
        total += 1 - torch.cosine_similarity(changed, trace.hidden[l + 1], dim=-1)
    return total


@pytest.mark.parametrize("key", ["globenc", "alti", "decompx"])
@pytest.mark.parametrize("name", ["gpt2", "vit"])
def test_what_is_defined_for_post_norm_models_says_so(key, name):
    with pytest.raises(ex.Refusal, match=r"post-LN|not defined for pictures"):
        ex.explain(tiny(name), example(name), key, 0)


def test_stages_after_a_layernorm_are_refused_before_one():
    with pytest.raises(ex.Refusal, match="ResLN"):
        ex.explain(tiny("gpt2"), example("gpt2"), "norm", 0, stage="ResLN")
    assert ex.explain(tiny("gpt2"), example("gpt2"), "norm", 0, stage="Res").scores.all()


def test_a_text_too_long_for_a_method_is_refused_with_its_cost_before_the_model_runs():
    trace = tiny("bert").trace(example("bert"), 0)
    with pytest.raises(
        ex.Refusal,
        match=r"at most 256 tokens and this input has 300: it would need a whole forward "
        r"and backward pass",
    ):
        METHODS["attattr"].check_length(300)
    METHODS["attattr"].check_length(len(trace.attended))


# ------------------------------------------------------------------------------------ shared passes


def test_methods_that_need_the_same_pass_share_it(monkeypatch):
    model = fresh("bert")
    trace, passes = model.trace(example("bert"), 0), []
    model.blocks[0].register_forward_hook(lambda block, args, output: passes.append(len(output)))
    for key in ("partial_lrp", "transatt", "lrp"):
        METHODS[key](trace)
        METHODS[key].layers(trace) if "layers" in METHODS[key].parts else None
    assert passes == [1]  # one relevance pass for the three of them
    (
        METHODS["attattr"](trace, steps=2),
        METHODS["attattr"].layers(trace, steps=2),
        METHODS["attattr"].heads(trace, steps=2),
    )
    assert sum(passes) == 1 + 4 * 2
    (
        METHODS["beyond_intuition"](trace, steps=3),
        METHODS["beyond_intuition"](trace, variant="token", steps=3),
    )
    assert sum(passes) == 1 + 4 * 2 + 3


# ----------------------------------------------------------------------------------- heads and maps


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if "heads" in method.parts])
def test_heads_have_one_row_a_head(key):
    trace = tiny("bert").trace(example("bert"), 0)
    heads = METHODS[key].heads(trace)
    assert heads.shape == (4, 3, 12) and torch.isfinite(heads).all()


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if "maps" in method.parts])
def test_maps_say_what_each_token_gave_each_token(key):
    trace = tiny("bert").trace(example("bert"), 0)
    maps = METHODS[key].maps(trace)
    assert maps.shape == (4, 12, 12) and torch.isfinite(maps).all()


def test_heads_add_up_to_the_layer_where_they_should():
    trace = tiny("bert").trace(example("bert"), 0)
    for key in ("attcat", "attattr"):
        torch.testing.assert_close(METHODS[key].heads(trace).sum(1), METHODS[key].layers(trace))
    for key in ("raw_attention", "grads"):
        torch.testing.assert_close(METHODS[key].heads(trace)[-1].mean(0), METHODS[key](trace))


def test_methods_without_heads_or_maps_name_those_that_have():
    trace = tiny("bert").trace(example("bert"), 0)
    with pytest.raises(ex.Refusal, match=r"no map by head\. These have: raw_attention, grads"):
        METHODS["gae"].heads(trace)
    with pytest.raises(ex.Refusal, match=r"no token-by-token maps\. These have:"):
        METHODS["attcat"].maps(trace)


def test_a_flow_from_several_tokens_is_no_wider_than_what_is_read_of_each():
    """Through one layer the flow to a token is the narrower of two pipes on every way: what is
    read, and what is passed on.
    """
    maps = torch.tensor([[[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]], dtype=torch.float64)
    read = torch.tensor([0.25, 0.0, 0.75], dtype=torch.float64)
    wanted = torch.minimum(read[:, None], maps[0]).sum(0)
    torch.testing.assert_close(flow(maps, read), wanted / wanted.sum())

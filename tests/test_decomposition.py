"""Relevance, decomposition and perturbation methods against their authors' own code, and against
laws that their papers prove.

The numbers are in goldens/decomposition.json: see goldens/README.md.
"""

import json
from dataclasses import replace
from functools import cache

import pytest
import torch
from scipy.stats import spearmanr
from tiny import GOLDENS, close, example, fresh, tiny

import explainers as ex
from explainers.methods import METHODS, best_reading, mean_readings, mixing_ratios, readings
from explainers.methods._chain import flow, products
from explainers.methods.optimus import losses, views, weights
from explainers.methods.relevance import relevance_of

RECORDS = json.loads((GOLDENS / "decomposition.json").read_text())
USUAL = (1e-6, 1e-4)  # float64, float32
SENTENCE = (
    "really didn't like this movie. some of the actors were good, but overall the movie was boring"
)

each_precision = pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32], ids=["float64", "float32"]
)


def named(record: dict) -> str:
    return f"{record['model']}-{record['name']}-{record['class']}".replace(" ", "_")


@cache
def with_unknown(name: str, dtype: torch.dtype) -> ex.Model:
    """The tiny model, told that id 100 stands for an unknown word: Optimus takes words away with
    it.
    """
    model = fresh(name, dtype)
    model.net.config.unk_token_id = 100
    return model


@cache
def traced(name: str, target, dtype: torch.dtype, padded: bool = False):
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not
    say so.
    """
    inputs = example(name, dtype)
    if padded:
        inputs = {
            "input_ids": torch.nn.functional.pad(inputs["input_ids"], (0, 4)),
            "attention_mask": (torch.arange(16) < 12).long()[None],
        }
    trace = with_unknown(name, dtype).trace(inputs, target)
    special_tokens = ~trace.attended.clone()
    special_tokens[0] = True
    if name != "vit":
        special_tokens[11:] = True
    return replace(trace, special_tokens=special_tokens)


def measured(record: dict, dtype: torch.dtype) -> torch.Tensor:
    trace = traced(record["model"], record["class"] or 0, dtype, record.get("input") == "padded")
    if record["method"] == "mixing_ratios":
        return mixing_ratios(trace, **record["options"])
    method, options, part = METHODS[record["method"]], record["options"], record.get("part")
    if part == "readings":
        return torch.tensor([one.faithfulness for one in readings(trace, **options)])
    if part == "relevance of attention":
        return relevance_of(trace, **options).attention
    if part == "spearman":
        scores = method(trace, **options)
        saliency = [
            (trace.hidden[0] * traced("bert", c, dtype).grad.hidden[0]).norm(dim=-1)
            for c in range(3)
        ]
        return torch.tensor([spearmanr(scores, one).statistic for one in saliency])
    scores = getattr(method, part)(trace, **options) if part else method(trace, **options)
    if record.get("tokens") == "words":
        return scores[~trace.special_tokens]
    scores = scores[1:] if record.get("tokens") == "not the first" else scores
    return scores / scores.max() if record.get("view") == "divided by its largest" else scores


def rows_of(trace, matrix: str) -> list[torch.Tensor]:
    """The rows that Optimus reads, in its order, at the words alone and as they come."""
    attention = weights(trace, matrix)
    heads = [attention.mean(1), *attention.unbind(1)]
    rows = []
    for layer in ["mean", *["product"] * (matrix == "A"), *range(len(attention))]:
        for maps in heads:
            whole = {"mean": lambda maps: maps.mean(0), "product": lambda maps: products(maps)[-1]}
            map_ = whole[layer](maps) if layer in whole else maps[layer]
            rows += [scores[~trace.special_tokens] for scores in views(trace, map_).values()]
    return rows


def ranks(row: torch.Tensor, share: float) -> torch.Tensor:
    """The authors' ranks: how many words are as large as this one, or larger.

    share: by how much a word may be smaller and yet be as large, as ties.py says.
    """
    size = row.abs()
    reach = share * size + share / 10 * size.max()
    return (size[None, :] >= (size - reach)[:, None]).sum(1)


def truthfulness(row: torch.Tensor, lost: torch.Tensor, rank: torch.Tensor) -> float:
    """The authors' formula, for a row without a zero."""
    return float((lost * row.sign() / rank).sum())


@cache
def faithfulness(number: int, dtype: torch.dtype) -> tuple[list[float], list[bool]]:
    """What each reading of a record must be in this precision, and whether the authors say so.

    They do, unless two of a row's words are so close that float32 calls them equal. Then it is
    what the authors' formula says of equal words; rows and losses are those of float64.
    """
    record = RECORDS[number]
    trace, share = traced(record["model"], record["class"], torch.float64), 1e-5
    lost = losses(trace, record["options"].get("activation", "softmax"))[~trace.special_tokens]
    rows, told, numbers = rows_of(trace, record["options"]["matrix"]), [], []
    for row, printed in zip(rows, record["scores"], strict=True):
        rank = ranks(row, share)
        told.append(dtype == torch.float64 or rank.equal(ranks(row, 0)))
        numbers.append(printed if told[-1] else truthfulness(row, lost, rank))
    return numbers, told


def wanted(record: dict, dtype: torch.dtype) -> list[float]:
    """The numbers of the authors; where float32 cannot tell words apart, those of their formula."""
    if record.get("part") != "readings":
        return record["scores"]
    return faithfulness(RECORDS.index(record), dtype)[0]


READINGS = [one for one in RECORDS if one.get("part") == "readings"]
EACH = [
    (record, dtype)
    for record in RECORDS
    for dtype in (torch.float64, torch.float32)
    if record.get("precision", str(dtype)) in str(dtype)
]


@pytest.mark.parametrize(
    "record, dtype",
    EACH,
    ids=[f"{named(record)}-{str(dtype).removeprefix('torch.')}" for record, dtype in EACH],
)
def test_numbers_are_the_authors_own(record, dtype):
    close(
        measured(record, dtype),
        wanted(record, dtype),
        record.get("tolerance", USUAL)[dtype == torch.float32],
    )


@pytest.mark.parametrize("record", READINGS, ids=named)
def test_most_readings_are_compared_with_the_authors_numbers_in_float32_too(record):
    """All of the map before the softmax. Where words are too close, their formula is at hand."""
    told = faithfulness(RECORDS.index(record), torch.float32)[1]
    assert sum(told) >= {"A": 0.95, "A*": 1}[record["options"]["matrix"]] * len(told)
    trace = traced(record["model"], record["class"], torch.float64)
    lost = losses(trace, record["options"].get("activation", "softmax"))[~trace.special_tokens]
    rows = rows_of(trace, record["options"]["matrix"])
    close([truthfulness(row, lost, ranks(row, 0)) for row in rows], record["scores"], USUAL[0])


def test_every_method_of_these_families_has_numbers_of_its_authors():
    families = {"Relevance propagation", "Decomposition"}
    wanted = {key for key, method in METHODS.items() if method.family in families} | {
        "attention_flow",
        "attattr",
        "beyond_intuition",
        "optimus",
    }
    assert wanted <= {record["method"] for record in RECORDS}


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


# ------------------------------------------------------------------------------------------ Optimus


@each_precision
@pytest.mark.parametrize("record", READINGS, ids=named)
def test_the_winner_is_as_faithful_as_the_authors_best(record, dtype):
    """It is the same reading, and no other here ties with it."""
    trace, numbers = traced("bert", record["class"], dtype), wanted(record, dtype)
    _, facts = METHODS["optimus"].measure(trace, **record["options"])
    best = readings(trace, **record["options"])[numbers.index(max(numbers))]
    assert facts == pytest.approx({f"RFT of {best.name}": max(numbers)}, rel=1e-4)


@pytest.mark.parametrize("name", ["gpt2"])
def test_nothing_is_read_where_a_causal_model_may_not_look(name):
    trace = with_unknown(name, torch.float64).trace(example(name), 0)
    future = torch.ones(12, 12).triu(1).bool()
    assert not weights(trace, "A*")[..., future].any() and weights(trace, "A*")[..., ~future].all()


def test_the_whole_search_space_is_reported():
    trace = traced("bert", 0, torch.float64)
    names = [one.name for one in readings(trace)]
    assert len(names) == len(set(names)) == (4 + 2) * (3 + 1) * 4 and names[0] == "Mean/Mean/From"
    assert len(readings(trace, "A*")) == (4 + 1) * (3 + 1) * 4
    scores, facts = METHODS["optimus"].measure(trace)
    best = max(readings(trace), key=lambda one: one.faithfulness)
    assert torch.equal(scores, best.scores) and facts == {f"RFT of {best.name}": best.faithfulness}


def test_the_sigmoid_of_a_difference_is_each_logit_s_own():
    trace = traced("bert", (0, 1), torch.float64)
    lost, each = (
        losses(trace, "sigmoid"),
        [losses(traced("bert", c, torch.float64), "sigmoid") for c in (0, 1)],
    )
    assert torch.allclose(lost, each[0] - each[1], atol=1e-12) and lost.any()


def test_attention_grad_cam_is_the_mean_of_its_heads():
    trace = traced("bert", 0, torch.float64)
    heads = METHODS["attn_gradcam"].heads(trace)
    assert heads.shape[:2] == (4, 3) and torch.allclose(
        heads[-1].mean(0).clamp(min=0), METHODS["attn_gradcam"](trace)
    )


def test_a_reading_can_be_chosen_for_a_whole_dataset():
    traces = [traced("bert", c, torch.float64) for c in range(2)]
    name = best_reading(traces)
    mean = {one.name: 0.0 for one in readings(traces[0])}
    for trace in traces:
        for one in readings(trace):
            mean[one.name] += one.faithfulness
    assert mean[name] == max(mean.values())
    means = mean_readings(traces)
    assert means == pytest.approx({one: total / 2 for one, total in mean.items()}) and list(
        means.values()
    ) == sorted(means.values(), reverse=True)
    chosen = next(one for one in readings(traces[0]) if one.name == name)
    assert torch.equal(METHODS["optimus"](traces[0], choice=name.lower()), chosen.scores)
    with pytest.raises(ex.Refusal, match="layer/head/row"):
        METHODS["optimus"](traces[0], choice="9/9/From")
    with pytest.raises(ex.Refusal, match="at least one trace"):
        best_reading([])


def test_of_all_classes_together_every_reading_is_as_faithful_and_the_first_is_chosen():
    """What one class loses the others win, so that each reading's numbers add up to zero."""
    traces = [traced("bert", c, torch.float64) for c in range(3)]
    means = mean_readings(traces)
    assert max(map(abs, means.values())) < 1e-12
    assert list(means) == [one.name for one in readings(traces[0])]
    assert best_reading(traces) == "Mean/Mean/From"


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

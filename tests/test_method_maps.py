"""The maps of a method: layers and totals, and what a heatmap carries."""

import inspect

import pytest
import torch
from scoring import DEFINED, QUICK, TEXTUAL, each_of_text, everywhere, scored, traced
from tiny import DUAL, IMAGE, ONE_OF_A_KIND, TINY, defined, example, fresh, tiny, varied

import explainers as ex
from explainers.methods import METHODS

# -------------------------------------------------------------------------------- layers and totals


@pytest.mark.parametrize(
    "key, name",
    [
        (key, name)
        for key, name in DEFINED
        if "layers" in METHODS[key].parts and name in ("bert", "vit", "gpt2")
    ],
)
def test_the_per_layer_picture_has_a_row_a_layer_and_leads_to_the_map(key, name):
    trace, method, options = traced(name), METHODS[key], QUICK.get(key, {})
    rows = method.layers(trace, **options)
    more = {"lrp": 1, "optimus": 2}.get(
        key, 0
    )  # the embeddings; the layers' mean and their product
    assert rows.shape == (4 + more, len(trace.attended)) and torch.isfinite(rows).all()
    wanted = method(trace, **options)
    if key == "optimus":
        assert any(row.equal(wanted) for row in rows)
    else:
        headline = {
            "layers sum to the map": rows.sum(0),
            "layers average to the map": rows.mean(0),
        }.get(method.invariant, rows[0 if key == "lrp" else -1])
        torch.testing.assert_close(headline, wanted)
    for total in method.totals(trace).values():
        assert total.shape == trace.attended.shape


@pytest.mark.parametrize(
    "key", [key for key, method in METHODS.items() if "layers" not in method.parts]
)
def test_a_method_without_layers_says_who_has_them(key):
    having = ", ".join(key for key, method in METHODS.items() if "layers" in method.parts)
    kind = "bert" if "text" in METHODS[key].tasks else "vit"
    with pytest.raises(ex.Refusal, match=rf"no map by layer\. These have: {having}\."):
        METHODS[key].layers(traced(kind))
    assert METHODS[key].totals(traced(kind)) == {}


def test_a_method_without_totals_is_not_run_for_them():
    assert METHODS["alti"].totals(traced("vit")) == {}, "ALTI itself refuses this network"


def test_rows_are_named_by_the_layers_they_come_from():
    for key in ("rollout", "gae"):
        assert ex.explain(tiny("bert"), example("bert"), key, 0, start=2).row_labels == ["L2", "L3"]
        assert ex.explain(tiny("bert"), example("bert"), key, 0, start=-1).row_labels == ["L3"]
        assert ex.explain(tiny("bert"), example("bert"), key, 0).row_labels == [
            "L0",
            "L1",
            "L2",
            "L3",
        ]


def test_totals_are_the_ways_to_make_one_map_and_follow_the_options():
    trace = traced("bert")
    for options in ({}, {"states": "output"}, {"states": "norm"}):
        totals = METHODS["attcat"].totals(trace, **options)
        assert list(totals) == ["Sum", "Rollout"]
        torch.testing.assert_close(totals["Sum"], METHODS["attcat"](trace, **options))
        torch.testing.assert_close(
            totals["Rollout"], METHODS["attcat"](trace, aggregate="rollout", **options)
        )


def test_carrying_evidence_back_keeps_its_sum():
    trace = traced("bert")
    torch.testing.assert_close(
        METHODS["attcat"](trace, aggregate="rollout").sum(), METHODS["attcat"](trace).sum()
    )


# ----------------------------------------------------------------------------------------- heatmaps


@everywhere
def test_a_heatmap_carries_what_a_view_must_know(key, name):
    model, options = tiny(name), QUICK.get(key, {})
    heat = ex.explain(model, example(name), key, 0, **options)
    method = METHODS[key]
    assert (
        torch.equal(heat.scores, scored(key, name))
        and heat.method == key
        and heat.title == method.title
    )
    assert heat.signed == method.signed and heat.score == float(traced(name).score)
    assert len(heat.labels) == len(heat) == len(heat.special_tokens) == len(heat.scores)
    assert (
        heat.options == options
        and heat.target == traced(name).target.name
        and heat.poles == traced(name).target.poles
    )
    assert (heat.layers is not None) == ("layers" in method.parts)
    if heat.layers is not None:
        assert heat.layers.shape == (len(heat.row_labels), len(heat))
    assert (
        (heat.grid == (4, 4) and heat.patches.shape == (4, 4) and heat.picture.size == (32, 32))
        if name in IMAGE
        else heat.grid is None
    )
    assert (heat.pixels is not None) == (name in IMAGE and "pixels" in method.parts)
    assert heat.pixels is None or (heat.pixels.shape == (32, 32) and heat.pixels.isfinite().all())
    assert "n" not in heat.cost and 0 <= heat.special_share <= 1
    assert len(heat.table()) == len(heat)


def test_the_signed_option_makes_the_heatmap_signed():
    heat = ex.explain(tiny("bert"), example("bert"), "attgrads", 0, signed=True)
    assert heat.signed and (heat.scores < 0).any()
    assert not ex.explain(tiny("bert"), example("bert"), "attgrads", 0).signed


def test_a_signed_option_typed_as_a_word_is_read_too():
    assert ex.explain(tiny("bert"), example("bert"), "attgrads", 0, signed="false").signed is False


def test_a_map_of_zeros_says_so():
    heat = ex.explain(tiny("bert"), example("bert"), "attn_gradcam", 0)
    assert not heat.scores.any() and heat.notes == [
        "Attention Grad-CAM is zero for every token here."
    ]
    assert heat.special_share == 0


@pytest.mark.parametrize("closed", [slice(0, 1), slice(None)], ids=["one head", "every head"])
@each_of_text
def test_a_head_that_may_look_nowhere_gives_no_number_that_is_none(reader, key, closed):
    """All its keys masked, its attention is nothing: a method says so by zeros or in words, never
    by NaN.
    """
    coded = reader.encode("good movie")

    def shut(attention):
        attention = attention.clone()
        attention[:, closed] = 0
        return attention

    trace = reader.trace(coded, "POSITIVE").again(attention=shut)
    heat = ex.explain_trace(reader, coded, trace, key, **QUICK.get(key, {}))
    assert torch.isfinite(heat.scores).all() and (
        heat.rows is None or torch.isfinite(heat.rows).all()
    )
    assert "NaN" not in heat.html() and (
        heat.scores.any() or f"{heat.title} is zero for every token here." in heat.notes
    )


def test_a_comparison_has_every_method_on_one_trace(reader):
    compared = ex.compare(reader, "really good movie", target="POSITIVE")
    assert [heat.method for heat in compared] == TEXTUAL
    assert {heat.score for heat in compared} == {compared[0].score} and {
        heat.target for heat in compared
    } == {"POSITIVE"}
    for heat in compared:
        assert heat.labels == ["[CLS]", "really", "good", "movie", "[SEP]"]
    assert list(compared.table().columns) == ["token", *TEXTUAL]


def test_a_stream_yields_before_the_slow_methods_run(reader):
    first = next(ex.stream(reader, "good movie", ["raw_attention", "integrated_gradients"]))
    assert first.method == "raw_attention"


@pytest.mark.parametrize(
    "methods, said",
    [([], "at least one method"), (["raw_attention", "nothing"], "no method 'nothing'")],
)
def test_a_comparison_is_refused_before_the_model_runs(methods, said):
    with pytest.raises(ex.Refusal, match=said):
        ex.compare(tiny("bert"), None, methods)


def test_numbers_that_are_not_finite_are_refused():
    model = fresh("bert")
    with torch.no_grad():
        model.net.bert.embeddings.word_embeddings.weight[71] = float("nan")
    with pytest.raises(ex.Refusal, match="not finite"):
        ex.explain(model, example("bert"), "attcat", 0)


def test_a_heatmap_can_be_looked_at_in_parts(reader):
    heat = ex.explain(reader, "unbelievable movie", "attcat", "POSITIVE")
    merged, bare, layer = heat.merged(), heat.without_specials(), heat.layer(1)
    assert merged.labels == ["[CLS]", "unbelievable", "movie", "[SEP]"] and len(heat) > 4
    torch.testing.assert_close(
        merged.scores[1], heat.scores[[i for i, word in enumerate(heat.words) if word == 0]].sum()
    )
    assert (
        len(bare) == len(heat) - 2
        and not bare.special_tokens.any()
        and bare.special_share == 0 < heat.special_share
    )
    assert (
        torch.equal(layer.scores, heat.rows[1])
        and layer.rows is None
        and layer.title == "AttCAT, L1"
    )
    torch.testing.assert_close(merged.rows.sum(0), merged.scores)
    with pytest.raises(ex.Refusal, match="no map by layer"):
        ex.explain(reader, "good", "gradient").layer(0)


def test_scores_are_said_in_words():
    heat = ex.explain(tiny("bert"), example("bert"), "attcat", 0)
    assert (
        heat.in_words(-0.7204) == "minus 0.72, away from LABEL_0"
        and heat.in_words(1.5) == "plus 1.5, towards LABEL_0"
    )
    assert (
        heat.in_words(0.0) == "0"
        and ex.explain(tiny("bert"), example("bert"), "gradient", 0).in_words(0.5) == "0.5"
    )


def test_signatures_are_options_only():
    """A method's first parameter is the trace and every other has a default."""
    for one in METHODS.values():
        first, *others = inspect.signature(one.compute).parameters.values()
        assert first.name == "trace" and all(
            other.default is not inspect.Parameter.empty for other in others
        )


@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_traces_of_many_give_the_maps_of_the_single_ones(name):
    inputs, model = [varied(name, seed, 8) for seed in range(3)], tiny(name)
    for trace, one in zip(
        model.trace_many(inputs, [min(target, TINY[name].classes - 1) for target in range(3)]),
        inputs,
    ):
        alone = model.trace(one, trace.target)
        for key, method in METHODS.items():
            if defined(method, name):
                maps = [method(which, **QUICK.get(key, {})) for which in (trace, alone)]
                torch.testing.assert_close(
                    *maps, rtol=1e-9, atol=1e-12, msg=lambda said, key=key: f"{key}: {said}"
                )


@pytest.mark.parametrize(
    "key, name",
    [(key, name) for key, name in DEFINED if name in ONE_OF_A_KIND],
    ids=[f"{key}-{name}" for key, name in DEFINED if name in ONE_OF_A_KIND],
)
def test_pictures_by_layer_by_head_by_token_and_by_pixel_have_their_shapes(key, name):
    trace, method, options = traced(name), METHODS[key], QUICK.get(key, {})
    n = len(trace.attended)
    rows = (
        1 if key == "gae" and name in DUAL else {"lrp": 5, "optimus": 6}.get(key, 4)
    )  # of a dual encoder the last layer alone
    shapes = {"layers": (rows, n), "heads": (4, 3, n), "maps": (4, n, n), "pixels": (32, 32)}
    for part, shape in shapes.items():
        if part in method.parts and (part != "pixels" or name in IMAGE):
            got = getattr(method, part)(trace, **options)
            assert got.shape == shape and torch.isfinite(got).all(), part


@pytest.mark.parametrize(
    "key, name",
    [(key, name) for key, name in DEFINED if name in ("vit", "beit", "siglip.vision")],
    ids=[f"{key}-{name}" for key, name in DEFINED if name in ("vit", "beit", "siglip.vision")],
)
def test_a_picture_that_is_neither_square_nor_filled_by_its_patches_is_explained(key, name):
    """5 x 3 patches, positions between the learned ones, and a row of pixels that belongs to no
    patch.
    """
    pixels = torch.randn(
        1, 3, 41, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    trace, method, options = (
        tiny(name).trace(example(name) | {"pixel_values": pixels}, 0),
        METHODS[key],
        QUICK.get(key, {}),
    )
    scores = method(trace, **options)
    assert (
        trace.grid == (5, 3)
        and scores.shape == trace.attended.shape == (len(traced(name).attended) - 1,)
        and torch.isfinite(scores).all()
    )
    if "pixels" in method.parts:
        by_pixel = method.pixels(trace, **options)
        assert by_pixel.shape == (41, 24) and torch.isfinite(by_pixel).all()

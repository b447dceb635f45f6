"""The recording: it sees what the model computes, its slopes are slopes, and it leaves nothing
behind.
"""

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F
import transformers
from tiny import (
    ARCHITECTURES,
    DUAL,
    IMAGE,
    PADDED,
    PRE_NORM,
    SIZE,
    TEXT,
    TINY,
    defined,
    example,
    fresh,
    random_model,
    stock,
    tiny,
    varied,
)
from torch.overrides import TorchFunctionMode
from transformers.models.modernbert import modeling_modernbert

import explainers as ex
from explainers.methods import METHODS
from explainers.models.anatomy import submodule
from explainers.trace import RECORDED

each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)
each_text = pytest.mark.parametrize("name", TEXT)
tight = dict(rtol=1e-10, atol=1e-12)  # float64, the same sums in another order


def final_norm(name: str, model: ex.Model) -> torch.nn.Module:
    """What pre-LN models put after the last block; `transformers` counts it as the last hidden
    state of GPT-2 and ModernBERT.
    """
    names = {
        "gpt2": "ln_f",
        "gpt2-classifier": "ln_f",
        "modernbert": "final_norm",
        "modernbert-mean": "final_norm",
    }
    return getattr(model.tower, names.get(name, ""), torch.nn.Identity())


def same_traces(one: ex.Trace, other: ex.Trace) -> None:
    torch.testing.assert_close(one.score, other.score, **tight)
    for name in RECORDED:
        torch.testing.assert_close(getattr(one, name), getattr(other, name), **tight)
        torch.testing.assert_close(getattr(one.grad, name), getattr(other.grad, name), **tight)
    torch.testing.assert_close(one.readout, other.readout, **tight)
    assert torch.equal(one.attended, other.attended)


# --------------------------------------------------------------------------------- what is recorded

CASES = [(name, False) for name in ARCHITECTURES] + [(name, True) for name in PADDED]


@pytest.mark.parametrize(
    "name, padded", CASES, ids=[f"{name}-padded" if padded else name for name, padded in CASES]
)
def test_logits_attentions_and_hidden_states_are_the_stock_models(name, padded):
    """Bit for bit where the stock attention softmaxes in the model's own precision; pictures'
    towers do so in float32 too.
    """
    inputs = example(name, torch.float32)
    inputs = padded_by(4, name, inputs) if padded else inputs
    model, net = tiny(name, torch.float32), stock(name)
    with torch.no_grad():
        outputs = net(**inputs, output_attentions=True, output_hidden_states=True)
    tower = (
        getattr(
            outputs,
            {"vision": "vision_model_output", "text": "text_model_output"}[name.partition(".")[2]],
        )
        if name in DUAL
        else outputs
    )
    trace = model.trace(inputs, lambda outputs: next(iter(outputs.values())).flatten(1).sum(1))
    logits = (
        (outputs.logits_per_image if name in IMAGE else outputs.logits_per_text)
        if name in DUAL
        else outputs.logits
    )
    within = 1e-5 if name in IMAGE or name in DUAL else 0
    same = lambda got, wanted: torch.testing.assert_close(got, wanted, rtol=within, atol=within)
    # of a language model, at the last real token
    same(trace.logits, logits[0, TINY[name].tokens - 1] if logits.ndim == 3 else logits[0])
    assert len(trace.attention) == len(tower.attentions) and len(trace.hidden) == len(
        tower.hidden_states
    )
    for got, wanted in zip(trace.attention, tower.attentions):
        same(got, wanted[0])
    for got, wanted in zip(trace.hidden[:-1], tower.hidden_states):
        same(got, wanted[0])
    same(final_norm(name, model)(trace.hidden[-1]), tower.hidden_states[-1][0])


@each_architecture
def test_shapes_are_as_documented(name):
    trace = tiny(name).trace(example(name), 0)
    n = TINY[name].tokens
    for one in (trace, trace.grad):
        assert one.attention.shape == (4, 3, n, n)
        assert one.value.shape == (4, 3, n, 16)
        assert one.hidden.shape == (5, n, 48)
        assert one.normed.shape == (4, n, 48)
        assert ("pixels" in one.recorded) == (name in IMAGE)
    assert trace.attended.shape == trace.special_tokens.shape == trace.readout.shape == (n,)
    assert trace.grid == ((4, 4) if name in IMAGE else None)
    assert trace.score.ndim == 0 and len(trace.layers) == 4


@each_architecture
def test_what_attention_reads_is_the_norm_of_what_enters_in_pre_ln_models_and_the_same_in_others(
    name,
):
    trace = tiny(name).trace(example(name), 0)
    for layer, entering, read in zip(trace.layers, trace.hidden, trace.normed):
        assert layer.norm_first == (name in PRE_NORM)
        torch.testing.assert_close(
            layer.norm1(entering) if layer.norm_first else entering, read, **tight
        )


@each_architecture
def test_the_parts_of_a_layer_rebuild_what_its_attention_says(name):
    """sum over heads of A V W_o, plus b_o, is what the projection put out while the model ran."""
    model, said = fresh(name), []
    for block in model.blocks:
        submodule(block, model.anatomy.w_o).register_forward_hook(
            lambda module, inputs, output: said.append(output.detach())
        )
    trace = model.trace(example(name), 0)
    assert len(said) == len(trace.layers)
    for layer, attention, value, output in zip(trace.layers, trace.attention, trace.value, said):
        mixed = torch.einsum("hqk,hkd,hde->qe", attention, value, layer.w_o)
        torch.testing.assert_close(
            mixed if layer.b_o is None else mixed + layer.b_o, output[0], **tight
        )


@each_architecture
def test_the_parts_of_a_layer_rebuild_its_values_and_its_feed_forward_sublayer(name):
    """A part that an architecture does not keep apart is None, and is so in every layer."""
    model, read, said = fresh(name), [], []
    ends = (model.anatomy.norm2, *model.anatomy.ffn[-1:])
    for block in model.blocks:
        submodule(block, ends[0]).register_forward_hook(
            lambda module, inputs, output: read.append((inputs[0].detach(), output.detach()))
        )
        submodule(block, ends[-1]).register_forward_hook(
            lambda module, inputs, output: said.append(output.detach())
        )
    trace = model.trace(example(name), 0)
    for l, layer in enumerate(trace.layers):
        in_one = name in ("gpt2", "gpt2-classifier", "modernbert", "modernbert-mean")
        assert layer.has_values == (not in_one)
        gated = name.startswith("modernbert") or name == "dinov2-gated"
        assert layer.has_feed_forward == (not gated)
        if layer.has_values:
            values = torch.einsum("kd,hdv->hkv", trace.normed[l], layer.w_v) + layer.b_v[:, None]
            torch.testing.assert_close(values, trace.value[l], **tight)
        if layer.has_feed_forward:
            entering = read[l][1][0] if layer.norm_first else read[l][0][0] - said[l][0]
            torch.testing.assert_close(
                layer.down(layer.act(layer.up(entering))), said[l][0], **tight
            )


@each_text
def test_the_steps_of_the_head_lead_from_the_readout_to_the_logits(name):
    """None where one more norm stands between: that is no step of a head."""
    trace = tiny(name).trace(example(name), 0)
    assert (trace.head is None) == (name in PRE_NORM or name in DUAL)
    if trace.head is not None:
        at = trace.hidden[-1][trace.read_at[0]]
        for step in trace.head:
            at = step(at)
        torch.testing.assert_close(at, trace.logits, **tight)


#: The tokens that a score is read from, where it is not the first one.
READ_AT = {
    "gpt2": [11],
    "gpt2-classifier": [11],
    "modernbert-mean": range(12),
    "clip.text": [7],
    "siglip.text": [7],
    "deit-distilled": [0, 1],
    "beit": range(1, 17),
    "dinov2": range(17),
    "dinov2-gated": range(17),
    "clip-classifier": range(1, 17),
    "siglip-classifier": range(16),
    "dinov2_with_registers": [0, *range(4, 20)],
    "siglip.vision": range(16),
}


@each_architecture
def test_the_readout_is_what_the_score_depends_on_in_the_last_hidden_states(name):
    trace = tiny(name).trace(example(name), 0)
    wanted = list(READ_AT.get(name, [0]))
    assert trace.read_at == wanted
    torch.testing.assert_close(trace.readout.sum(), torch.ones(()).double())
    assert trace.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == wanted


@pytest.mark.parametrize("name", ["gpt2", "gpt2-classifier"])
def test_padding_on_the_left_leaves_the_readout_at_the_end(name):
    inputs = {
        "input_ids": F.pad(example(name)["input_ids"], (3, 0), value=199),
        "attention_mask": (torch.arange(15) >= 3).long()[None],
    }
    trace = tiny(name).trace(inputs, 0)
    assert trace.read_at == [14]
    assert trace.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == [14]


@pytest.mark.parametrize("change", ["embed", "fill"])
@pytest.mark.parametrize("name", ["roberta", "camembert", "xlm-roberta", "data2vec-text"])
def test_padding_on_the_left_moves_no_position_when_ids_are_replaced(name, change):
    """These models count positions by the ids that are no padding: without ids, or with a padding
    token in place of a word, the positions must be given."""
    ids = example(name)["input_ids"]
    tokens = ids.shape[1] + 3
    inputs = {
        "input_ids": F.pad(ids, (3, 0), value=TINY[name].padding),
        "attention_mask": (torch.arange(tokens) >= 3).long()[None],
    }
    model = tiny(name)
    nothing = torch.zeros(1, tokens, dtype=torch.bool)
    changed = model.embed(inputs) if change == "embed" else model.fill(inputs, nothing, "pad")
    assert changed["position_ids"].tolist() == [[1, 1, 1, *range(2, tokens - 1)]]
    torch.testing.assert_close(model.answer(changed).logits, model.answer(inputs).logits)


@pytest.mark.parametrize("kind", ["BertForMaskedLM", "BertForTokenClassification"])
def test_a_model_with_logits_for_every_token_is_refused_or_read_at_its_readout(kind):
    """These have no single score. Whatever is explained, the readout must be where it was read."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=200,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=24,
    )
    try:
        trace = ex.load(getattr(transformers, kind)(config), device="cpu").trace(example("bert"), 1)
    except ex.Refusal:
        return
    assert trace.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == trace.read_at


# ------------------------------------------------------------------------------------------- slopes


@pytest.fixture
def exact_rotation(monkeypatch):
    """ModernBERT turns its queries and keys in float32 whatever it runs in, too coarse to take
    differences of.
    """

    def turn(x, cos, sin):
        return x * cos[:, None] + modeling_modernbert.rotate_half(x) * sin[:, None]

    monkeypatch.setattr(
        modeling_modernbert,
        "apply_rotary_pos_emb",
        lambda q, k, cos, sin, **_: (turn(q, cos, sin), turn(k, cos, sin)),
    )


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


def padded_by(many: int, name: str, inputs: dict) -> dict:
    length = inputs["input_ids"].shape[1]
    mask = (torch.arange(length + many) < length).long()[None]
    return inputs | {
        "input_ids": F.pad(inputs["input_ids"], (0, many), value=TINY[name].padding),
        "attention_mask": mask,
    }


@pytest.mark.parametrize(
    "name, method",
    [(name, method) for name in PADDED for method in METHODS if defined(METHODS[method], name)],
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


# ------------------------------------------------------------------------------ batches and threads


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in DUAL])
def test_many_traces_are_the_single_ones(name):
    """Lengths and targets mixed: what shares a batch must not be felt."""
    inputs = [varied(name, seed, tokens) for seed, tokens in enumerate([9, 7, 9, 8, 7])]
    targets = [None, 1, (0, 2), 2, None]
    model = tiny(name)
    for one, alone in zip(
        model.trace_many(inputs, targets), (model.trace(*both) for both in zip(inputs, targets))
    ):
        same_traces(one, alone)
        assert one.target.name == alone.target.name


@pytest.mark.parametrize("name", DUAL)
def test_many_pairs_of_picture_and_text_are_the_single_ones(name):
    """Each picture is explained for its own text, whatever else is traced with it."""
    inputs = [varied(name, seed) for seed in range(3)]
    model = tiny(name)
    for one, alone in zip(
        model.trace_many(inputs, [0, 0, 0]), [model.trace(one, 0) for one in inputs]
    ):
        same_traces(one, alone)


def several_texts() -> dict:
    """One picture and three texts, of which a target chooses one."""
    texts = [varied("clip.text", seed)["input_ids"] for seed in range(3)]
    return example("clip.vision") | {"input_ids": torch.cat(texts)}


def test_a_picture_is_explained_for_the_text_that_was_chosen():
    model, inputs = tiny("clip.vision"), several_texts()
    one = model.trace(inputs, 1)
    assert one.target.name == "text 1"
    same_traces(one, model.trace(inputs | {"input_ids": inputs["input_ids"][1:2]}, 0))


def test_more_inputs_than_rows_are_all_traced():
    inputs = [varied("bert", seed) for seed in range(5)]
    model = tiny("bert")
    for one, alone in zip(model.trace_many(inputs, rows=2), (model.trace(one) for one in inputs)):
        same_traces(one, alone)


def test_as_many_targets_as_inputs_are_wanted():
    with pytest.raises(ex.Refusal, match="2 inputs need as many targets; got 1"):
        tiny("bert").trace_many([example("bert")] * 2, [0])


@pytest.mark.parametrize(
    "name",
    [name for name, row in TINY.items() if name == "bert" or (row.kind and name not in DUAL)],
)
def test_threads_on_one_model_do_not_disturb_one_another(name):
    model = tiny(name)
    inputs = [varied(name, seed, 6 + seed % 5) for seed in range(20)]
    serial = [model.trace(one, seed % 3) for seed, one in enumerate(inputs)]
    with ThreadPoolExecutor(20) as threads:
        together = list(
            threads.map(lambda both: model.trace(both[1], both[0] % 3), enumerate(inputs))
        )
    for one, other in zip(serial, together):
        same_traces(one, other)


def test_the_towers_of_one_clip_can_be_traced_by_turns():
    """Both wired into one network: each writes its own states only."""
    net = fresh("clip.vision").net
    vision, text = (ex.load(net, tower=tower, device="cpu") for tower in ("vision", "text"))
    for _ in range(2):
        assert vision.trace(example("clip.vision"), 0).attention.shape == (4, 3, 17, 17)
        assert text.trace(example("clip.text"), 0).attention.shape == (4, 3, 8, 8)


# ------------------------------------------------------------------------------ nothing left behind


def hooks(net) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in net.modules()
    )


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_a_hundred_traces_leave_no_tensor_and_no_hook():
    model = fresh("bert")
    model.trace(example("bert"), 0).again(entry=lambda hidden: hidden)
    before = hooks(model.net), tensors()
    for _ in range(100):
        model.trace(example("bert"), 0)
    assert (hooks(model.net), tensors()) == before


def test_loading_a_model_twice_wires_it_once():
    model = fresh("bert")
    once = hooks(model.net)
    assert ex.load(model.net, device="cpu").trace(example("bert"), 0).attention.shape == (
        4,
        3,
        12,
        12,
    )
    assert hooks(model.net) == once


@each_architecture
def test_without_a_tape_the_network_is_what_it_was(name):
    inputs = example(name, torch.float32)
    model = tiny(name, torch.float32)
    model.trace(inputs, 0)
    with torch.no_grad():
        wanted, got = stock(name)(**inputs), model.net(**inputs)
    key = "logits_per_image" if name in DUAL else "logits"
    torch.testing.assert_close(got[key], wanted[key], rtol=1e-6, atol=1e-6)


@each_architecture
def test_a_trace_changes_neither_weights_nor_their_gradients_nor_its_input(name):
    model, inputs = fresh(name), example(name)
    weights = {key: tensor.clone() for key, tensor in model.net.state_dict().items()}
    wanting = [parameter.requires_grad for parameter in model.net.parameters()]
    given = {key: tensor.clone() for key, tensor in inputs.items()}
    model.trace(inputs, 0).again()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.net.state_dict().items())
    assert all(parameter.grad is None for parameter in model.net.parameters())
    assert [parameter.requires_grad for parameter in model.net.parameters()] == wanting
    assert all(
        torch.equal(tensor, given[key]) and not tensor.requires_grad
        for key, tensor in inputs.items()
    )


@each_architecture
def test_frozen_weights_and_no_grad_around_the_call_change_nothing(name):
    model = fresh(name)
    free = model.trace(example(name), 0)
    model.net.requires_grad_(False)
    with torch.no_grad():
        same_traces(model.trace(example(name), 0), free)


def test_nothing_in_a_trace_hangs_on_a_graph():
    trace = tiny("bert").trace(example("bert"), 0)
    for field in fields(trace):
        value = getattr(trace, field.name)
        assert not (isinstance(value, torch.Tensor) and value.requires_grad), field.name
    for one in (trace, trace.grad):
        for name, tensor in one.recorded.items():
            assert not tensor.requires_grad, name


def test_a_part_that_was_not_recorded_is_refused_by_name():
    trace = tiny("bert").trace(example("bert"), 0)
    for one in (trace, trace.grad):
        with pytest.raises(ex.Refusal, match="did not record pixels; it recorded attention, value"):
            one.pixels.any()


def test_a_part_that_a_layer_does_not_have_is_refused():
    (values, *_) = tiny("gpt2").trace(example("gpt2"), 0).layers
    with pytest.raises(ex.Refusal, match="no linear map w_v of its own"):
        values.w_v.any()
    (gated, *_) = tiny("modernbert").trace(example("modernbert"), 0).layers
    with pytest.raises(ex.Refusal, match="gated"):
        gated.act(torch.ones(1))


def test_a_trace_says_its_score_and_shapes():
    trace = tiny("bert").trace(example("bert"), 0)
    assert repr(trace).startswith(f"Trace(score {float(trace.score):.4g} of ")
    assert "'attention': (4, 3, 12, 12)" in repr(trace)
    assert repr(trace.grad).startswith("Activations({'attention': (4, 3, 12, 12)")


def test_what_is_cached_is_computed_once_and_not_kept_for_changed_numbers():
    trace, calls = tiny("bert").trace(example("bert"), 0), []

    def mean(trace):
        calls.append(None)
        return trace.attention.mean()

    found = [trace.cached("mean", lambda: mean(trace)) for _ in range(3)]
    assert len(calls) == 1 and found[0] is found[1] is found[2]
    other = trace.with_parts(attention=2 * trace.attention)
    assert float(other.cached("mean", lambda: mean(other))) == pytest.approx(2 * float(found[0]))
    assert torch.equal(other.hidden, trace.hidden)


# ------------------------------------------------------------------------------------- again


@each_architecture
def test_again_without_changes_is_the_same(name):
    trace = tiny(name).trace(example(name), 0)
    same_traces(trace.again(), trace)


@each_architecture
def test_a_stack_of_entries_is_run_as_one_by_one(name):
    """A cloud of noise, a path: n examples for the one that was traced.

    Pictures as well as texts.
    """
    trace = tiny(name).trace(example(name), 0)
    noise = (
        torch.randn(
            3,
            *trace.hidden[0].shape,
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
        )
        / 10
    )
    together = trace.again_many(entry=lambda hidden: hidden + noise)
    assert len(together) == 3
    for one, shift in zip(together, noise):
        same_traces(one, trace.again(entry=lambda hidden, shift=shift: hidden + shift))


def test_again_refuses_what_makes_several_examples():
    trace = tiny("bert").trace(example("bert"), 0)
    with pytest.raises(ValueError, match="made 2 examples of one"):
        trace.again(entry=lambda hidden: hidden.expand(2, -1, -1))


def test_a_stack_of_inputs_is_run_as_one_by_one():
    trace = tiny("bert").trace(example("bert"), 1)
    others = [varied("bert", seed, 12) for seed in range(3)]
    together = trace.again_many(
        inputs={"input_ids": torch.cat([one["input_ids"] for one in others])}
    )
    for one, other in zip(together, others):
        same_traces(one, tiny("bert").trace(other, 1))


def test_again_can_ask_for_another_target():
    trace = tiny("bert").trace(example("bert"), 0)
    other = tiny("bert").trace(example("bert"), 2)
    same_traces(trace.again(target=other.target), other)


@each_text
def test_hidden_tokens_are_attended_to_by_nobody_but_still_ask(name):
    trace = tiny(name).trace(example(name), 0)
    hide = torch.zeros_like(trace.attended)
    hide[[2, 5]] = True
    again = trace.again(hide=hide)
    assert not again.attention[..., hide].any()
    torch.testing.assert_close(again.attention.sum(-1), torch.ones_like(again.attention.sum(-1)))
    assert torch.equal(again.attended, trace.attended)
    assert torch.equal(again.readout, trace.readout) and not torch.equal(again.score, trace.score)


def test_tokens_of_a_picture_cannot_be_hidden():
    trace = tiny("vit").trace(example("vit"), 0)
    with pytest.raises(ex.Refusal, match="text models only"):
        trace.again(hide=trace.special_tokens)


class Tripled(torch.autograd.Function):
    @staticmethod
    def forward(context, hidden):
        return hidden.clone()

    @staticmethod
    def backward(context, gradient):
        return 3 * gradient


class SteeperGelu(TorchFunctionMode):
    """A chain rule in which GELU hands back three times what it gets."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        return Tripled.apply(output) if function is F.gelu else output


def test_rules_change_the_gradient_and_only_while_they_hold():
    """Under other rules `grad` is what they propagate; the forward pass is the same."""
    trace = tiny("bert").trace(example("bert"), 0)
    ruled = trace.again(rules=SteeperGelu())
    assert torch.equal(ruled.hidden, trace.hidden) and torch.equal(ruled.score, trace.score)
    torch.testing.assert_close(
        ruled.grad.hidden[-1], trace.grad.hidden[-1], **tight
    )  # no GELU behind the last block
    assert not any(
        torch.allclose(one, other)
        for one, other in zip(ruled.grad.hidden[:-1], trace.grad.hidden[:-1])
    )
    same_traces(trace.again(), trace)


@pytest.mark.parametrize("kept", RECORDED)
def test_only_what_is_asked_for_is_kept(kept):
    trace = tiny("bert").trace(example("bert"), 0)
    again = trace.again(record=(kept,))
    for name in RECORDED:
        if name == kept:
            torch.testing.assert_close(
                getattr(again.grad, name), getattr(trace.grad, name), **tight
            )
        else:
            for one in (again, again.grad):
                with pytest.raises(ex.Refusal, match=f"did not record {name}; it recorded {kept}"):
                    getattr(one, name)


@each_text
def test_scores_of_a_stack_are_the_single_ones(name):
    trace = tiny(name).trace(example(name), 0)
    tokens = len(trace.attended)
    where = torch.eye(tokens, dtype=torch.bool)[1:-1]
    together = trace.rescore(trace.fill(where, "pad"))
    assert together.shape == (tokens - 2,) and not together.requires_grad
    for score, row in zip(together, where):
        torch.testing.assert_close(
            score, trace.again(inputs=trace.fill(row[None], "pad")).score, **tight
        )


def test_many_scores_come_in_parts_of_bounded_size():
    model = tiny("bert")
    trace = model.trace(example("bert"), 0)
    seen = []
    hook = model.net.register_forward_pre_hook(
        lambda net, args, kwargs: seen.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    try:
        scores = trace.rescore({"input_ids": example("bert")["input_ids"].expand(1000, -1)})
    finally:
        hook.remove()
    assert len(scores) == sum(seen) == 1000 and max(seen) * 12 <= 4096
    torch.testing.assert_close(scores, trace.score.expand(1000), **tight)


@each_text
def test_a_blank_replaces_just_the_tokens_it_should(name):
    trace = tiny(name).trace(example(name), 0)
    where = torch.zeros(2, len(trace.attended), dtype=torch.bool)
    where[0, 3] = where[1, 4] = True
    filled = trace.fill(where, "pad")["input_ids"]
    assert torch.equal(filled[~where], example(name)["input_ids"].expand(2, -1)[~where])
    pad = TINY[name].padding if name in PADDED else 1  # SigLIP's: a blank, though it is read
    assert filled[where].tolist() == [pad] * 2


def test_a_picture_has_no_blank_token():
    trace = tiny("vit").trace(example("vit"), 0)
    with pytest.raises(
        ex.Refusal,
        match="A picture is blanked with mean, black, white or blur; got 'mask'",
    ):
        trace.fill(trace.special_tokens[None], "mask")


@pytest.mark.parametrize("name", IMAGE)
@pytest.mark.parametrize("fill", ["mean", "black", "white", "blur"])
def test_a_blank_patch_changes_the_pixels_of_that_patch_alone(name, fill):
    trace = tiny(name).trace(example(name), 0)
    where = torch.zeros(2, len(trace.attended), dtype=torch.bool)
    where[0, -16], where[1, -1] = True, True  # the first patch and the last of 4 x 4
    filled = trace.fill(where, fill)["pixel_values"]
    changed = (filled != trace.pixels).any(1)
    corner = torch.zeros(2, 32, 32, dtype=torch.bool)
    corner[0, :8, :8], corner[1, 24:, 24:] = True, True
    assert torch.equal(changed, corner)
    if fill != "blur":
        assert filled[:, 0][corner].unique().numel() == 1


# ---------------------------------------------------------------------------------- one layer alone


@each_architecture
def test_a_layer_alone_gives_the_next_hidden_state(name):
    trace = tiny(name).trace(example(name), 0)
    for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        together = layer.run(torch.stack([entering, entering.flip(0), entering]))
        torch.testing.assert_close(together[0], leaving, **tight)
        torch.testing.assert_close(together[2], leaving, **tight)
        torch.testing.assert_close(together[1], layer.run(entering.flip(0)[None])[0], **tight)


@pytest.mark.parametrize("name", PADDED)
def test_a_layer_alone_keeps_the_mask_of_its_own_example(name):
    """Traced in one batch with another length behind the padding, each layer still masks what its
    example masks.
    """
    inputs = padded_by(3, name, example(name))
    other = inputs | {"attention_mask": torch.ones_like(inputs["attention_mask"])}
    for one in tiny(name).trace_many([inputs, other], [0, 0]):
        for layer, entering, leaving in zip(one.layers, one.hidden, one.hidden[1:]):
            torch.testing.assert_close(layer.run(entering[None])[0], leaving, **tight)


def test_values_can_be_edited_inside_a_layer():
    """Copy i forgets the value of token i: value zeroing, all tokens in one pass."""
    trace = tiny("bert").trace(example("bert"), 0)
    tokens = len(trace.attended)
    forget = 1 - torch.eye(tokens, dtype=torch.float64)
    for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        together = layer.run(
            entering.expand(tokens, -1, -1), value=lambda value: value * forget[:, None, :, None]
        )
        for i in range(tokens):
            alone = layer.run(
                entering[None], value=lambda value, i=i: value * forget[i][None, None, :, None]
            )
            torch.testing.assert_close(together[i], alone[0], **tight)
        assert not torch.allclose(together[3], leaving)


# -------------------------------------------------------------------------- shared and other layers


@pytest.mark.parametrize("groups, inner", [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_layers_that_share_their_weights_are_recorded_each_time_they_run(groups, inner):
    """ALBERT: a layer of the trace is a run, and the blocks are those of all groups."""
    net = random_model(
        "AlbertForSequenceClassification",
        **SIZE | {"embedding_size": 24, "num_hidden_groups": groups, "inner_group_num": inner},
    )
    net.set_attn_implementation("eager")
    with torch.no_grad():
        wanted = net(**example("albert"), output_attentions=True, output_hidden_states=True)
    model = ex.load(net, device="cpu")
    trace = model.trace(example("albert"), 1)
    assert (
        len(model.blocks) == groups * inner
        and len(trace.layers) == len(wanted.attentions) == 4 * inner
    )
    assert torch.equal(trace.logits, wanted.logits[0])
    assert torch.equal(trace.attention, torch.cat(wanted.attentions)) and torch.equal(
        trace.hidden, torch.cat(wanted.hidden_states)
    )
    for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
        torch.testing.assert_close(layer.run(entering[None])[0], leaving)


def test_one_run_of_a_shared_layer_can_be_edited():
    trace = tiny("albert").trace(example("albert"), 0)
    again = trace.again(value={2: lambda value: 2 * value})
    assert torch.equal(again.value[:2], trace.value[:2]) and torch.equal(
        again.value[2], 2 * trace.value[2]
    )
    assert torch.equal(again.hidden[:3], trace.hidden[:3]) and not torch.allclose(
        again.hidden[3], trace.hidden[3]
    )


def test_layers_that_see_a_window_keep_it():
    """ModernBERT: two tokens on either side in the second and third layer, all of them in the
    others.
    """
    trace = tiny("modernbert").trace(padded_by(2, "modernbert", example("modernbert")), 0)
    place = torch.arange(14)
    near, attended = (place[:, None] - place).abs() <= 2, place < 12
    for l, seen in enumerate(trace.attention.any(1)[:, attended]):
        assert torch.equal(
            seen.bool(), (near & attended if l in (1, 2) else attended.expand(14, -1))[attended]
        )


def test_positions_of_its_own_stay_with_each_example():
    """Rotary positions come as two tables, one of each example: a layer alone gets its own."""
    inputs = [
        varied("modernbert", seed) | {"position_ids": torch.arange(9)[None] * (seed + 1)}
        for seed in range(2)
    ]
    for trace, one in zip(tiny("modernbert").trace_many(inputs, [0, 0]), inputs):
        same_traces(trace, tiny("modernbert").trace(one, 0))
        for layer, entering, leaving in zip(trace.layers, trace.hidden, trace.hidden[1:]):
            torch.testing.assert_close(layer.run(entering[None])[0], leaving, **tight)


# ---------------------------------------------------------------------------- GPT-2 as a classifier


def texts(lengths: list[int], left: bool = False) -> dict:
    """Texts of several lengths, padded to one."""
    rows = [
        varied("gpt2-classifier", seed, length)["input_ids"][0]
        for seed, length in enumerate(lengths)
    ]
    fill = lambda row, value: F.pad(
        row, (max(lengths) - len(row), 0) if left else (0, max(lengths) - len(row)), value=value
    )
    return {
        "input_ids": torch.stack([fill(row, 199) for row in rows]),
        "attention_mask": torch.stack([fill(torch.ones_like(row), 0) for row in rows]),
    }


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_a_batch_of_padded_texts_gets_the_stock_models_logits(left):
    batch = texts([9, 5, 7], left)
    with torch.no_grad():
        wanted = stock("gpt2-classifier")(**batch, use_cache=False).logits
        got = tiny("gpt2-classifier", torch.float32).answer(batch)
    assert torch.equal(got.class_logits, wanted) and torch.equal(got.outputs.logits, wanted)


@pytest.mark.parametrize(
    "ids", [[[7, 8, 9, 199, 199]], [[199, 7, 8, 199]], [[7, 199, 8]], [[199, 199]]], ids=str
)
def test_without_a_mask_trailing_padding_is_what_the_stock_model_takes_for_it(ids):
    with torch.no_grad():
        wanted = stock("gpt2-classifier")(input_ids=torch.tensor(ids), use_cache=False).logits[0]
    trace = tiny("gpt2-classifier", torch.float32).trace({"input_ids": ids}, 0)
    assert torch.equal(trace.logits, wanted)
    (last,) = trace.read_at
    assert not trace.attended[last + 1 :].any() and trace.attended[:last].all()


def test_a_blank_at_the_end_does_not_move_the_readout():
    """The stock model would read one token earlier; the score that a token takes with it is asked
    at the same place.
    """
    trace = tiny("gpt2-classifier").trace(example("gpt2-classifier"), 0)
    last = torch.arange(12)[None] == 11
    blanked = trace.again(inputs=trace.fill(last, "pad"))
    assert blanked.read_at == [11] and blanked.attended.all() and blanked.score != trace.score
    assert blanked.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == [11]
    torch.testing.assert_close(trace.rescore(trace.fill(last, "pad"))[0], blanked.score, **tight)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_word_embeddings_and_edits_are_read_at_the_last_real_token(left):
    """Neither has ids that say where padding is; the traced text does."""
    batch = {name: tensor[1:2] for name, tensor in texts([9, 5], left).items()}
    trace = tiny("gpt2-classifier").trace(batch, 0)
    assert trace.read_at == [8 if left else 4]
    same_traces(trace.again(inputs=trace.embed()), trace)
    for one in trace.again_many(entry=lambda hidden: hidden.expand(3, -1, -1)):
        same_traces(one, trace)
    stack = {name: torch.cat([tensor] * 3) for name, tensor in trace.embed().items()}
    torch.testing.assert_close(trace.rescore(stack), trace.score.expand(3), **tight)


def test_no_padding_token_is_needed():
    net = random_model(
        "GPT2ForSequenceClassification",
        **SIZE | {"pad_token_id": None, "eos_token_id": 199, "bos_token_id": 199},
    )
    model = ex.load(net, device="cpu", dtype=torch.float64)
    inputs = [varied("gpt2-classifier", seed) for seed in range(3)]
    for one, given in zip(model.trace_many(inputs, [0, 1, 2]), inputs):
        same_traces(one, model.trace(given, one.target))
        with torch.no_grad():
            torch.testing.assert_close(one.logits, net(**given).logits[0], **tight)


# -------------------------------------------------------------------------- what cannot be recorded


def test_logits_of_every_token_are_no_logits_of_a_text():
    """ELECTRA's discriminator gives one number a token: token 1 is no class 1."""
    model = ex.load(random_model("ElectraForPreTraining", **SIZE), device="cpu")
    with pytest.raises(ex.Refusal, match="no logits for a whole text"):
        model.trace(example("electra"), 1)
    assert model.trace(example("electra"), lambda outputs: outputs.logits[:, 3]).grad.hidden[
        -1
    ].abs().sum(-1).nonzero().flatten().tolist() == [3]


def test_a_network_whose_attention_leaves_no_record_is_refused():
    model = fresh("bert")
    for block in model.blocks:
        inner = block.attention
        inner.register_forward_pre_hook(
            lambda module, args, kwargs: (args, kwargs | {"on_tape": None}),
            with_kwargs=True,
            prepend=True,
        )
    with pytest.raises(ex.Refusal, match="do not pass the tape on"):
        model.trace(example("bert"), 0)

"""The recording sees what the model computes."""

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
    TINY,
    example,
    fresh,
    random_model,
    stock,
    tiny,
    varied,
)
from traces import each_architecture, each_text, padded_by, same_traces, tight

import explainers as ex
from explainers.models.anatomy import submodule


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


CASES = [(name, False) for name in ARCHITECTURES] + [(name, True) for name in PADDED]


# --------------------------------------------------------------------------------- what is recorded


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
    if name in DUAL:
        logits = outputs.logits_per_image if name in IMAGE else outputs.logits_per_text
    else:
        logits = outputs.logits
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
        and len(trace.layers) == len(wanted.attentions) == model.depth == 4 * inner
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


# -------------------------------------------------------------------------- what cannot be recorded


def test_logits_of_every_token_are_no_logits_of_a_text():
    """ELECTRA's discriminator gives one number per token: token 1 is no class 1."""
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
    with pytest.raises(ex.Refusal, match="do not pass keyword arguments on"):
        model.trace(example("bert"), 0)

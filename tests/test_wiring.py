"""A network is wired and runs as before: other kinds of attention, records, padding."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny import ARCHITECTURES, IDS, LLAMA, SIZE, close, example, fresh, random_model, tiny

import explainers as ex
from explainers.methods import METHODS
from explainers.trace import RUNNING, Tape, recording

SETTINGS = {name: value for name, value in SIZE.items() if name != "num_labels"} | IDS


@pytest.fixture
def registered(forgetful):
    """Decoders that are built like Llama."""
    for name in ("llama", "qwen2", "mistral", "gemma2"):
        ex.register(name, LLAMA)


def decoder(name: str = "Llama", **settings):
    return random_model(
        f"{name}ForCausalLM", **SETTINGS | {"num_attention_heads": 4, "head_dim": 12} | settings
    )


def eager(net):
    """The same network with the attention of `transformers`."""
    twin = copy.deepcopy(net)
    twin.set_attn_implementation("eager")
    return twin.double()


KINDS = {
    "shared in fours": ("Llama", {"num_key_value_heads": 1}),
    "shared in pairs": ("Llama", {"num_key_value_heads": 2}),
    "biased": ("Qwen2", {"num_key_value_heads": 2}),
    "a window": ("Mistral", {"num_key_value_heads": 2, "sliding_window": 4}),
    "soft caps": (
        "Gemma2",
        {
            "num_key_value_heads": 2,
            "attn_logit_softcapping": 0.5,
            "query_pre_attn_scalar": 1,
            "sliding_window": 4,
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_attention_of_decoders_is_that_of_transformers(registered, kind):
    """Heads that share keys and values, windows, soft caps: logits and attention are the stock
    model's, and a layer's parts rebuild its values."""
    name, settings = KINDS[kind]
    net = decoder(name, **settings)
    stock = eager(net)
    model = ex.load(net, device="cpu", dtype=torch.float64)
    trace = model.trace(example("gpt2"), 3)
    with torch.no_grad():
        wanted = stock(**example("gpt2"), output_attentions=True)
    close(trace.logits, wanted.logits[0, -1], 1e-5)  # their softmax is in float32
    close(trace.attention, torch.cat(wanted.attentions), 1e-5)
    assert trace.value.shape == (4, 4, 12, 12)
    for layer, normed, value, attention, wanted_output in zip(
        trace.layers, trace.normed, trace.value, trace.attention, parts_of(stock, example("gpt2"))
    ):
        assert (
            layer.w_v.shape == (4, 48, 12)
            and layer.b_v.shape == (4, 12)
            and layer.w_o.shape == (4, 12, 48)
        )
        close(torch.einsum("kd,hdv->hkv", normed, layer.w_v) + layer.b_v[:, None], value, 1e-10)
        close(torch.einsum("hqk,hkv,hvd->qd", attention, value, layer.w_o), wanted_output, 1e-5)


def parts_of(net, inputs) -> list[torch.Tensor]:
    """What leaves each attention module [token dim]."""
    seen = []
    hooks = [
        block.self_attn.register_forward_hook(
            lambda module, args, output: seen.append(output[0][0])
        )
        for block in net.model.layers
    ]
    with torch.no_grad():
        net(**inputs)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("key", ["gae", "value_zeroing", "norm", "attcat", "integrated_gradients"])
def test_heads_that_share_their_values_are_explained(registered, key):
    model = ex.load(decoder(num_key_value_heads=2), device="cpu", dtype=torch.float64)
    heat = METHODS[key](model.trace(example("gpt2"), 3))
    assert heat.isfinite().all() and heat.any()


def with_told(monkeypatch, **told) -> None:
    """Llama's attention tells its function one thing more."""
    from transformers.models.llama import modeling_llama

    def interface(*args, **kwargs):
        function = modeling_llama.eager_attention_forward if asked(args[0]) else ex.trace.attention
        return function(*args, **kwargs | told)

    asked = lambda module: module.config._attn_implementation == "eager"
    monkeypatch.setattr(
        modeling_llama.ALL_ATTENTION_FUNCTIONS, "get_interface", lambda *_: interface
    )


# ------------------------------------------------------------ what is not known


@pytest.mark.parametrize(
    "told, said",
    [({"s_aux": torch.zeros(4)}, "s_aux"), ({"position_bias": torch.zeros(1)}, "position_bias")],
)
def test_what_attention_is_told_and_cannot_follow_is_refused(registered, monkeypatch, told, said):
    with_told(monkeypatch, **told)
    with pytest.raises(ex.ModelUnavailable, match=f"LlamaAttention computes attention with {said}"):
        ex.load(decoder(), device="cpu")


@pytest.mark.parametrize(
    "told", [{"s_aux": None}, {"sliding_window": 3}, {"output_attentions": True}], ids=str
)
def test_what_changes_nothing_is_let_pass(registered, monkeypatch, told):
    net = decoder()
    wanted = ex.load(copy.deepcopy(net), device="cpu", dtype=torch.float64).trace(
        example("gpt2"), 3
    )
    with_told(monkeypatch, **told)
    close(
        ex.load(net, device="cpu", dtype=torch.float64).trace(example("gpt2"), 3).logits,
        wanted.logits,
        1e-12,
    )


def test_a_network_that_answers_otherwise_when_wired_is_refused_as_it_was(registered, monkeypatch):
    from transformers.models.llama import modeling_llama

    plain = modeling_llama.eager_attention_forward

    def sharper(module, *args, scaling, **kwargs):
        return plain(module, *args, scaling=3 * scaling, **kwargs)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", sharper)
    net = decoder()
    with pytest.raises(
        ex.ModelUnavailable, match="gives other logits when its attention is recorded"
    ):
        ex.load(net, device="cpu")


def state(net) -> list:
    hooks = [(module._forward_hooks, module._forward_pre_hooks) for module in net.modules()]
    return [
        net.config._attn_implementation,
        [module.training for module in net.modules()],
        [(len(one), len(other)) for one, other in hooks],
    ]


REFUSED = {
    "elsewhere": lambda: (
        random_model("LlamaForSequenceClassification", **SETTINGS),
        {"readout": "first"},
    ),
    "told": lambda: (decoder(), {}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_network_runs_as_before(registered, monkeypatch, kind):
    """With its own attention and mode, and without hooks."""
    net, changes = REFUSED[kind]()
    if kind == "told":
        with_told(monkeypatch, s_aux=torch.zeros(4))
    ex.models.ANATOMIES["llama"] = replace(LLAMA, **changes)
    net.train()
    before = state(net)
    with pytest.raises(ex.ModelUnavailable):
        ex.load(net, device="cpu")
    assert state(net) == before
    monkeypatch.undo()
    with torch.no_grad():
        assert net(**example("gpt2")).logits.isfinite().all()


def test_parts_with_a_copied_config_are_wired_too():
    """A copy of the encoder has a config of its own, which the network's settings do not reach."""
    net = fresh("bert").net
    net.set_attn_implementation("sdpa")
    net.bert.encoder = copy.deepcopy(net.bert.encoder)
    assert net.bert.encoder.config is not net.config
    close(
        ex.load(net, device="cpu").trace(example("bert"), 0).attention,
        tiny("bert").trace(example("bert"), 0).attention,
        1e-12,
    )


@pytest.mark.parametrize("name", ["bert", "vit", "clip.text"])
def test_half_precision_is_no_other_answer(name):
    assert fresh(name, torch.bfloat16).net.dtype == torch.bfloat16


# ------------------------------------------------------------ records, padding


def test_every_attention_is_recorded_of_a_loaded_model(sentiment):
    """What is recorded by itself is what a trace records, layer by layer."""
    coded = sentiment.encode("not a good film")
    tape = Tape((), record=("attention",))
    with recording(tape), torch.no_grad():
        sentiment.net(**coded.tensors)
    assert len(tape.recorded["attention"]) == len(sentiment.blocks) > 1
    close(torch.cat(tape.recorded["attention"]), sentiment.trace(coded, 0).attention, 1e-6)
    assert RUNNING.get() == ()


def test_a_trace_inside_a_record_writes_on_its_own_tape():
    tape = Tape((), record=("attention",))
    with recording(tape):
        tiny("bert").trace(example("bert"), 0)
        assert not tape.recorded
        tiny("bert").answer(example("bert"))
    assert len(tape.recorded["attention"]) == 4 and RUNNING.get() == ()


@pytest.mark.parametrize("name", ["roberta", "bert"])
def test_word_embeddings_keep_their_positions_behind_padding_on_the_left(name):
    """RoBERTa counts positions from the first word, by the ids: embeddings have none to count
    by."""
    padding = {"roberta": 1, "bert": 0}[name]
    ids = F.pad(example(name)["input_ids"], (4, 0), value=padding)
    given = {"input_ids": ids, "attention_mask": (torch.arange(16) >= 4).long()[None]}
    model = tiny(name)
    with torch.no_grad():
        wanted = model.net(**given).logits[0, 0]
    trace = model.trace(given, 0)
    close(trace.score, wanted, 1e-12)
    fed = trace.again(inputs=trace.embed())
    close(fed.score, wanted, 1e-12)
    close(fed.hidden, trace.hidden, 1e-12)
    if name == "roberta":
        assert trace.embed()["position_ids"].tolist() == [[1] * 4 + list(range(2, 14))]
    nothing = trace.fill(torch.zeros(1, 16, dtype=torch.bool), "mask")
    close(trace.rescore(nothing), wanted[None], 1e-12)


# ------------------------------------------------------------ the question at loading


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_short_input_tells_all_readouts_apart(name):
    """It is what the network takes, and the token that its score is read from is not where another
    readout would look."""
    from explainers.models.probe import short_input

    model = tiny(name)
    inputs = short_input(model)
    attended = (
        model.attended(inputs, inputs["input_ids"].shape[1]) if "input_ids" in inputs else None
    )
    answer = model.answer(inputs)
    assert answer.logits.isfinite().all()
    if attended is not None and model.anatomy.readout in (
        "first",
        "last",
        "very last",
        "end of text",
        "mean",
    ):
        found = {}
        for readout in ("first", "last", "very last", "end of text", "mean"):
            other = replace(model, anatomy=replace(model.anatomy, readout=readout))
            if readout != "end of text" or "clip" in name:
                found[readout] = tuple(
                    other.readout(inputs, attended)[0].nonzero().flatten().tolist()
                )
        mine = found.pop(model.anatomy.readout)
        if name != "siglip.text":  # it reads the last token, which is real
            assert mine not in found.values()

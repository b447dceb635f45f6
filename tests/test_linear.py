"""What is not a plain linear layer: adapters, hooks, packed weights; and heads, read as the network
has them when asked."""

import copy
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny import SIZE, close, each_method_of, example, fresh, methods_of, random_model, tiny
from torch import nn
from torch.nn.utils import parametrize, prune

import explainers as ex
from explainers.linear import affine, in_steps, naming_quantised
from explainers.methods import METHODS


class Adapted(nn.Module):
    """The public face of an adapter around a linear layer: its weight is the layer's, its forward
    adds something of low rank."""

    def __init__(self, layer: nn.Linear, seed: int = 0):
        super().__init__()
        made = torch.Generator().manual_seed(seed)
        self.base_layer = layer
        self.down = nn.Parameter(
            0.3 * torch.randn(layer.in_features, 3, generator=made).to(layer.weight)
        )
        self.up = nn.Parameter(
            0.3 * torch.randn(3, layer.out_features, generator=made).to(layer.weight)
        )

    weight = property(lambda self: self.base_layer.weight)
    bias = property(lambda self: self.base_layer.bias)

    def forward(self, x):
        return self.base_layer(x) + x @ self.down @ self.up

    def merged(self) -> nn.Linear:
        layer = copy.deepcopy(self.base_layer)
        layer.weight.data += (self.down @ self.up).T
        return layer


class WithAdapters(nn.Module):
    """The public face of a model of adapters: it holds a network whose layers are adapted."""

    def __init__(self, net, prompts: bool = False):
        super().__init__()
        self.inner, self.active_peft_config = (
            net,
            type("Settings", (), {"is_prompt_learning": prompts}),
        )

    def get_base_model(self):
        return self.inner


ADAPTED = {
    "bert": (
        "attention.self.query",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ),
    "vit": ("attention.q_proj", "attention.v_proj", "attention.o_proj", "mlp.fc1", "mlp.fc2"),
}


def with_adapters(name: str):
    """A network with adapters and its twin, in which they are merged into the layers."""
    net, twin = fresh(name).net, fresh(name).net
    blocks = [ex.load(one, device="cpu").blocks for one in (net, twin)]
    for block, other in zip(*blocks):
        for seed, path in enumerate(ADAPTED[name]):
            parent, _, last = path.rpartition(".")
            adapter = Adapted(block.get_submodule(path), seed)
            setattr(block.get_submodule(parent), last, adapter)
            setattr(other.get_submodule(parent), last, adapter.merged())
    return net, twin


CASES = [(name, method) for name in ADAPTED for method in methods_of(name)]


@pytest.mark.parametrize(
    "name, method", CASES, ids=[f"{name}-{method.key}" for name, method in CASES]
)
def test_adapters_are_part_of_every_map(name, method):
    """Every method gives what it gives of the merged network: those that rebuild vectors from
    weights and those that change operations too."""
    adapted, twin = (
        ex.load(net, device="cpu").trace(example(name), 0) for net in with_adapters(name)
    )
    close(adapted.score, twin.score, 1e-12)
    close(method(adapted), method(twin), 1e-8)


def test_the_gamma_rule_spares_the_same_layers_with_adapters():
    adapted, twin = (
        ex.load(net, device="cpu").trace(example("vit"), 0) for net in with_adapters("vit")
    )
    close(METHODS["attnlrp"](adapted, gamma=0.1), METHODS["attnlrp"](twin, gamma=0.1), 1e-8)


def test_a_pass_by_rules_changes_neither_the_network_nor_copies_its_weights():
    """Threads trace it meanwhile."""
    net, twin = with_adapters("bert")
    model = ex.load(net, device="cpu")
    plain = model.plain()
    assert (
        plain.net.bert.embeddings.word_embeddings.weight
        is net.bert.embeddings.word_embeddings.weight
    )
    assert (
        type(plain.blocks[0].attention.self.value) is nn.Linear
        and type(model.blocks[0].attention.self.value) is Adapted
    )
    wanted = METHODS["lrp"](ex.load(twin, device="cpu").trace(example("bert"), 0))
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(
            lambda _: METHODS["lrp"](model.trace(example("bert"), 0)), range(8)
        ):
            close(found, wanted, 1e-8)
    assert tiny("bert").plain() is tiny("bert")


def test_a_network_in_a_wrapper_of_adapters_is_taken_out():
    net, _ = with_adapters("bert")
    assert ex.load(WithAdapters(net), device="cpu").net is net
    with pytest.raises(ex.ModelUnavailable, match="learned vectors before the text"):
        ex.load(WithAdapters(fresh("bert").net, prompts=True), device="cpu")


def test_a_compiled_network_is_taken_out():
    net = fresh("bert").net
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch.compile imports warns of its own past
        compiled = torch.compile(net)
    assert ex.load(compiled, device="cpu").net is net


# ------------------------------------------------------------ one layer


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(7, 5).double()


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def hooked(module: nn.Linear) -> nn.Linear:
    module.register_forward_hook(lambda module, args, output: output * 3 + 1)
    return module


def own_forward(module: nn.Linear) -> nn.Linear:
    module.forward = lambda x: nn.functional.linear(x, module.weight, module.bias) - x[..., :5]
    return module


class Flipped(nn.Linear):
    def forward(self, x):
        return super().forward(x.flip(-1))


def flipped(module: nn.Linear) -> nn.Linear:
    module.__class__ = Flipped
    return module


NOT_PLAIN = {
    "adapter": Adapted,
    "hook": hooked,
    "forward of its own": own_forward,
    "subclass": flipped,
    "pruned": lambda module: prune.l1_unstructured(module, "weight", 0.5),
    "parametrised": lambda module: parametrize.register_parametrization(
        module, "weight", Doubled()
    ),
    "two in a row": lambda module: nn.Sequential(module, nn.Linear(5, 3).double()),
}


@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_the_map_of_a_layer_is_what_it_computes(kind):
    module = NOT_PLAIN[kind](layer())
    x = torch.randn(3, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(affine(module)(x), module(x), rtol=1e-10, atol=1e-12)


def test_a_plain_layers_map_is_its_own_weight():
    module = layer()
    assert affine(module).weight.data_ptr() == module.weight.data_ptr()


class Bent(nn.Linear):
    def forward(self, x):
        return super().forward(x).relu()


def test_what_is_no_linear_map_is_refused_in_a_sentence():
    with pytest.raises(ex.Refusal, match="a Bent of this one is none: it does not compute x W"):
        affine(Bent(7, 5))
    net = fresh("bert").net
    net.bert.encoder.layer[1].output.dense.__class__ = Bent
    model = ex.load(net, device="cpu")
    trace = model.trace(example("bert"), 0)
    METHODS["raw_attention"](trace)
    METHODS["gae"](trace)
    with pytest.raises(ex.Refusal, match="a Bent of this one is none"):
        METHODS["decompx"](trace)


# ------------------------------------------------------------ packed weights


def in_whole_numbers():
    """BERT with torch's dynamic int8 layers, in float32."""
    net = fresh("bert", torch.float32).net
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch announces that its quantisation moves to another package
        return torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)


WITHOUT_SLOPES = (
    "raw_attention",
    "rollout",
    "attention_flow",
    "value_zeroing",
    "occlusion",
    "optimus",
)


@each_method_of("bert")
def test_a_quantised_network_is_explained_by_what_needs_neither_weights_nor_slopes(method):
    """Whose kernels keep no slope: zeros must not be taken for one."""
    trace = ex.load(in_whole_numbers(), device="cpu").trace(example("bert"), 0)
    if method.key == "optimus":  # the best of many readings may be another
        assert method(trace).any()
    elif method.key in WITHOUT_SLOPES:
        float32 = method(tiny("bert", torch.float32).trace(example("bert"), 0))
        assert torch.corrcoef(torch.stack([method(trace), float32]))[0, 1] > 0.9
    else:
        with pytest.raises(ex.Refusal, match="weights of this network are quantised"):
            method(trace)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (RuntimeError("no such kernel."), ex.Refusal),
        (NotImplementedError("no backward"), ex.Refusal),
        (torch.OutOfMemoryError("no memory"), torch.OutOfMemoryError),
        (TypeError("a fault of the code"), TypeError),
    ],
)
def test_only_what_kernels_raise_is_blamed_on_quantised_weights(error, wanted):
    with pytest.raises(wanted, match=str(error).rstrip(".")), naming_quantised(in_whole_numbers()):
        raise error
    with pytest.raises(type(error)), naming_quantised(tiny("bert").net):
        raise error


@pytest.mark.parametrize("where", ["encoder", "head"])
def test_a_network_that_is_quantised_in_part_says_so(where):
    net = fresh("bert", torch.float32).net
    packed = in_whole_numbers()
    if where == "encoder":
        net.bert.encoder = packed.bert.encoder
    else:
        net.classifier = packed.classifier
    trace = ex.load(net, device="cpu").trace(example("bert"), 0)
    assert METHODS["rollout"](trace).any()
    with pytest.raises(ex.Refusal, match="quantised, so no gradient"):
        METHODS["attcat"](trace)


def test_quantised_weights_get_no_other_precision_and_stay_where_they_are():
    net = in_whole_numbers()
    net.to = None  # bitsandbytes' networks raise as soon as it is called
    assert ex.load(net, device="cpu").net is net
    with pytest.raises(
        ex.ModelUnavailable, match="cannot be given another precision: leave dtype out"
    ):
        ex.load(in_whole_numbers(), device="cpu", dtype=torch.float64)


# ------------------------------------------------------------ heads


def shares(model: ex.Model) -> None:
    """DecompX shares out the whole logit, by the head that the network has."""
    trace = model.trace(example("bert"), 0)
    close(METHODS["decompx"](trace).sum(), trace.score, 1e-9)
    close(trace.score, trace.logits[0], 1e-12)


def other_head(*settings) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(*settings).double()


def test_a_head_is_read_when_it_is_asked_for():
    model = fresh("bert")
    shares(model)
    model.net.classifier = other_head(48, 3)
    shares(model)
    model.net.load_state_dict(
        {name: weight.clone() * 1.1 for name, weight in model.net.state_dict().items()}, assign=True
    )
    shares(model)
    single = fresh("bert", torch.float32)
    METHODS["decompx"](single.trace(example("bert"), 0))
    single.net.double()
    shares(single)


class OneOfTwo(nn.Module):
    """The public face of a wrapper that keeps an old head beside the one that it runs."""

    def __init__(self, old: nn.Linear, new: nn.Linear):
        super().__init__()
        self.original_module, self.modules_to_save = old, nn.ModuleDict({"default": new})

    def forward(self, x):
        return self.modules_to_save["default"](x)


HEADS = {
    "sequence": lambda: nn.Sequential(
        nn.Dropout(0.1), other_head(48, 24), nn.Tanh(), nn.Dropout(0.1), other_head(24, 3)
    ),
    "sequence in a sequence": lambda: nn.Sequential(
        nn.Sequential(other_head(48, 24), nn.GELU()), nn.Identity(), other_head(24, 3)
    ),
    "wrapper": lambda: OneOfTwo(other_head(48, 3), nn.Linear(48, 3).double()),
    "adapter": lambda: Adapted(other_head(48, 3)),
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads_of_several_layers_and_in_wrappers_are_walked_into(kind):
    model = fresh("bert")
    model.net.classifier = HEADS[kind]()
    shares(model)
    assert len(model.labels) == 3


def test_a_head_that_is_neither_linear_nor_an_activation_is_refused():
    model = fresh("bert")
    model.net.classifier = nn.Sequential(nn.LayerNorm(48).double(), other_head(48, 3))
    trace = model.trace(example("bert"), 0)
    assert METHODS["attcat"](trace).any()
    with pytest.raises(ex.Refusal, match="a LayerNorm of this one is none"):
        METHODS["decompx"](trace)


def test_steps_of_a_head_are_linear_maps_and_activations():
    found = in_steps(
        nn.Sequential(layer(), nn.Dropout(0.5), nn.ReLU(), nn.Sequential(nn.Linear(5, 2).double()))
    )
    assert [type(step).__name__ for step in found] == ["Affine", "ReLU", "Affine"]


@pytest.mark.parametrize(
    "columns, names",
    [
        (2, ["NO", "YES"]),
        (3, ["NO", "YES", "WHO KNOWS"]),
        (5, ["NO", "YES", "WHO KNOWS", "LABEL_3", "LABEL_4"]),
    ],
)
def test_there_are_as_many_labels_as_the_head_has_logits(columns, names):
    net = fresh("bert").net
    net.config.id2label = {0: "NO", 1: "YES", 2: "WHO KNOWS"}
    net.classifier = other_head(48, columns)
    model = ex.load(net, device="cpu")
    assert list(model.labels.values()) == names
    assert model.trace(example("bert"), names[-1]).target.index == columns - 1
    with pytest.raises(
        ex.Refusal, match=f"no class {columns}: this model has classes 0 to {columns - 1}"
    ):
        model.trace(example("bert"), columns)


@pytest.mark.parametrize(
    "name",
    [
        "roberta",
        "distilbert",
        "gpt2-classifier",
        "modernbert",
        "vit",
        "deit-distilled",
        "beit",
        "dinov2",
    ],
)
def test_the_heads_of_all_kinds_are_as_wide_as_their_names_are_many(name):
    model = tiny(name)
    assert model.head_width == len(model.labels) == len(model.trace(example(name), 0).logits)


def test_labels_follow_the_settings():
    model = fresh("bert")
    assert model.labels[0] == "LABEL_0"
    model.net.config.id2label = {0: "A", 1: "B", 2: "C"}
    assert list(model.labels.values()) == ["A", "B", "C"]


# ------------------------------------------------------------ copies


@pytest.mark.parametrize("name", ["bert", "gpt2", "vit", "clip.vision"])
def test_a_copy_explains_itself(name):
    """Its hooks belong to the copy: other weights in it change its maps, and not the original's."""
    model = fresh(name)
    before = METHODS["gae"](model.trace(example(name), 0))
    if name == "bert":
        METHODS["decompx"](model.trace(example(name), 0))
    twin = copy.deepcopy(model)
    close(METHODS["gae"](twin.trace(example(name), 0)), before, 1e-12)
    assert not set(map(id, twin.blocks)) & set(map(id, model.blocks))
    with torch.no_grad():
        for weight in twin.net.parameters():
            weight.mul_(1.2)
    assert not torch.allclose(METHODS["gae"](twin.trace(example(name), 0)), before, rtol=1e-3)
    close(METHODS["gae"](model.trace(example(name), 0)), before, 1e-12)
    if name == "bert":
        shares(twin)


def test_a_layer_that_was_replaced_after_loading_is_named():
    model = fresh("bert")
    model.net.bert.encoder.layer[1] = copy.deepcopy(
        random_model("BertForSequenceClassification", **SIZE).bert.encoder.layer[1]
    ).double()
    with pytest.raises(ex.Refusal, match="replaced after it was loaded: load it again"):
        model.trace(example("bert"), 0)
    again = ex.load(model.net, device="cpu")
    assert again.trace(example("bert"), 0).attention.shape == (4, 3, 12, 12)
    again.blocks[2].attention = copy.deepcopy(
        random_model("BertForSequenceClassification", **SIZE).bert.encoder.layer[2].attention
    ).double()
    with pytest.raises(ex.Refusal, match="load it again"):
        again.trace(example("bert"), 0)
    assert ex.load(model.net, device="cpu").trace(example("bert"), 0).attention.shape == (
        4,
        3,
        12,
        12,
    )


@pytest.mark.parametrize("key", ["decompx", "globenc", "alti"])
def test_a_norm_that_is_no_plain_layernorm_is_not_taken_apart(key):
    """Adapters of norms keep the old weight in the place of the one that they run."""
    model = fresh("bert")
    model.blocks[1].attention.output.LayerNorm = nn.Sequential(nn.LayerNorm(48).double())
    trace = model.trace(example("bert"), 0)
    assert METHODS["gae"](trace).any()
    with pytest.raises(
        ex.Refusal, match="takes LayerNorms apart, and this network has a Sequential"
    ):
        METHODS[key](trace)


class SomebodysLora(nn.Module):
    """An adapter as tutorials write it: its parts are called as its author liked."""

    def __init__(self, linear: nn.Linear, seed: int = 0):
        super().__init__()
        self.linear, self.low = linear, Adapted(copy.deepcopy(linear), seed).merged()

    def forward(self, x):
        return 0.5 * self.linear(x) + 0.5 * self.low(x)

    def merged(self) -> nn.Linear:
        layer = copy.deepcopy(self.linear)
        layer.weight.data = (self.linear.weight + self.low.weight).data / 2
        return layer


@pytest.mark.parametrize("method", ["partial_lrp", "transatt", "lrp", "attnlrp"])
def test_adapters_by_any_name_are_the_layer_that_they_stand_for(method):
    traces = []
    for whole in (False, True):
        model = fresh("bert")
        for block in model.net.bert.encoder.layer:
            for parent in (block.intermediate, block.output, block.attention.output):
                wrapper = SomebodysLora(parent.dense)
                parent.dense = wrapper.merged() if whole else wrapper
        traces.append(model.trace(example("bert")))
    wrapped, plain = traces
    close(wrapped.score, plain.score, 1e-12)
    close(METHODS[method](wrapped), METHODS[method](plain), 1e-8)

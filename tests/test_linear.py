"""What is not a plain linear layer: adapters, hooks; each is read as the map that it computes."""

import copy
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from adapted import Adapted, layer
from tiny import close, example, fresh, methods_of, tiny
from torch import nn
from torch.nn.utils import parametrize, prune

import explainers as ex
from explainers.linear import affine
from explainers.methods import METHODS


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


CASES = []
for adapted in ADAPTED:
    CASES += [(adapted, method) for method in methods_of(adapted)]


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


def parametrised(module: nn.Linear) -> nn.Linear:
    return parametrize.register_parametrization(module, "weight", Doubled())


NOT_PLAIN = {
    "adapter": Adapted,
    "hook": hooked,
    "forward of its own": own_forward,
    "subclass": flipped,
    "pruned": lambda module: prune.l1_unstructured(module, "weight", 0.5),
    "parametrised": parametrised,
    "two in a row": lambda module: nn.Sequential(module, nn.Linear(5, 3).double()),
}


# ------------------------------------------------------------ one layer


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
    with pytest.raises(
        ex.Refusal, match="the Bent of this network is not one: it does not compute x W"
    ):
        affine(Bent(7, 5))
    net = fresh("bert").net
    net.bert.encoder.layer[1].output.dense.__class__ = Bent
    model = ex.load(net, device="cpu")
    trace = model.trace(example("bert"), 0)
    METHODS["raw_attention"](trace)
    METHODS["gae"](trace)
    with pytest.raises(ex.Refusal, match="the Bent of this network is not one"):
        METHODS["decompx"](trace)


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

"""Heads of a model, read as the linear maps and activations that they are; and copied models."""

import copy

import pytest
import torch
from adapted import Adapted, layer
from tiny import SIZE, close, example, fresh, random_model, tiny
from torch import nn

import explainers as ex
from explainers.linear import in_steps
from explainers.methods import METHODS


def shares(model: ex.Model) -> None:
    """DecompX shares out the whole logit, by the head that the network has."""
    trace = model.trace(example("bert"), 0)
    close(METHODS["decompx"](trace).sum(), trace.score, 1e-9)
    close(trace.score, trace.logits[0], 1e-12)


def other_head(*settings) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(*settings).double()


# ------------------------------------------------------------ heads


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
    with pytest.raises(ex.Refusal, match="the LayerNorm of this network is not one"):
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
        ex.Refusal, match="is defined for LayerNorm only, and this network has a Sequential"
    ):
        METHODS[key](trace)

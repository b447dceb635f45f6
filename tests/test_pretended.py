"""The pretended GPU, and the package on it: no method mixes tensors of GPU and CPU."""

import pytest
import torch
from pretended import Card, ElsewhereError

import explainers as ex
from explainers import evaluation

FEW = {
    "integrated_gradients": {"steps": 2},
    "smoothgrad": {"samples": 2},
    "beyond_intuition": {"steps": 2},
    "attattr": {"steps": 2},
}
METRICS = ["aopc", "logodds", "comprehensiveness", "sufficiency", "infidelity", "sensitivity"]


@pytest.fixture
def card():
    with Card():
        yield


def test_tensors_say_where_they_live_and_move_as_pytorch_moves_them(card):
    here = torch.rand(3, 3)
    there = here.to("cuda")
    assert (here.device.type, there.device.type) == ("cpu", "cuda")
    assert there.cpu().device.type == "cpu" and there.double().device.type == "cuda"
    for one in (
        there[0],
        there.T,
        there + 1,
        torch.zeros_like(there),
        there.new_ones(2),
        torch.eye(3, device=there.device),
        here.to(there),
    ):
        assert one.device.type == "cuda"
    for one in (
        torch.eye(3),
        torch.tensor(there.tolist()),
        there.cpu()[0],
        torch.zeros_like(there, device="cpu"),
    ):
        assert one.device.type == "cpu"
    assert torch.equal(here, there.cpu()), "the place is pretended, the numbers are not"


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: here + there,
        lambda here, there: here + there.sum(),
        lambda here, there: there @ torch.eye(3),
        lambda here, there: there == torch.arange(3),
        lambda here, there: here[torch.tensor([0, 2]).to(there.device)],
        lambda here, there: torch.stack([there.sum(), here.sum()]),
        lambda here, there: torch.where(there > 0, there, here),
        lambda here, there: torch.equal(here, there),
        lambda here, there: torch.einsum("ij,jk->ik", there, here),
        lambda here, there: there.index_fill(0, torch.tensor(1), 0),
    ],
)
def test_what_cuda_refuses_is_refused(card, mixed):
    here = torch.rand(3, 3)
    with pytest.raises(ElsewhereError, match="cuda:0 and on the CPU"):
        mixed(here, here.to("cuda"))


def test_what_cuda_allows_is_allowed(card):
    here = torch.rand(3, 3)
    there = here.to("cuda")
    for one in (
        there + torch.tensor(2.0),
        there[torch.tensor([0, 2])],
        there[here > 0.5],
        torch.zeros_like(there).copy_(here),
    ):
        assert one.device.type == "cuda"
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    with pytest.raises(AssertionError, match="device"):
        torch.testing.assert_close(here, there)


def test_rules_of_the_pass_backward_are_watched_too(card):
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

        @staticmethod
        def backward(ctx, slope):
            return slope @ (torch.eye(len(slope)) / 2)  # a matrix on the CPU

    x = torch.rand(3, device="cuda").requires_grad_()
    with pytest.raises(ElsewhereError):
        torch.autograd.grad(Halved.apply(x).sum(), x)


@pytest.mark.parametrize("name, task", [("sentiment", "text"), ("vit", "image")])
def test_no_method_mixes_devices(card, name, task):
    model = ex.load(name)
    inputs = ex.photo("cat") if task == "image" else "not a bad film"
    assert model.net.device.type == "cuda"
    for key, method in ex.METHODS.items():
        if task not in method.tasks:
            continue
        try:
            heat = ex.explain(model, inputs, key, **FEW.get(key, {}))
        except ex.Refusal:
            continue
        assert heat.scores.device.type == "cpu", key


def test_no_metric_mixes_devices(card):
    example = evaluation.Example("not a bad film at all", label=1)
    records = evaluation.measure(ex.load("sentiment"), [example], ["attcat"], METRICS)
    assert {record["method"] for record in records} == {"attcat", "random"}

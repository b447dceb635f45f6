"""Evaluation mode and inference mode around a call, and what a model is found to be in."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny import SIZE, close, defined, each_method_of, example, fresh, random_model, tiny

import explainers as ex
from explainers.methods import METHODS
from explainers.trace import evaluating


def dropping(**settings):
    return random_model(
        "BertForSequenceClassification",
        **SIZE | {"hidden_dropout_prob": 0.4, "attention_probs_dropout_prob": 0.4} | settings,
    )


# ------------------------------------------------------------ evaluation mode


@each_method_of("bert")
def test_a_network_in_training_mode_is_explained_in_evaluation_mode(method):
    model = ex.load(dropping(), device="cpu", dtype=torch.float64)
    wanted = method(model.trace(example("bert"), 0))
    model.net.train()
    close(method(model.trace(example("bert"), 0)), wanted, 1e-12)
    assert all(module.training for module in model.net.modules())


def test_just_the_modules_that_were_training_are_so_again():
    model = ex.load(dropping(), device="cpu", dtype=torch.float64)
    wanted = model.trace(example("bert"), 0).score
    model.net.bert.encoder.layer[1].train()
    before = [module.training for module in model.net.modules()]
    assert any(before) and not all(before)
    close(model.trace(example("bert"), 0).score, wanted, 1e-12)
    assert ex.predict(model, example("bert")).values == ex.predict(model, example("bert")).values
    assert [module.training for module in model.net.modules()] == before
    with pytest.raises(ex.Refusal):
        model.trace(example("bert"), lambda outputs: 3)
    assert [module.training for module in model.net.modules()] == before


def test_threads_leave_evaluation_mode_when_the_last_of_them_is_done():
    model = ex.load(dropping(), device="cpu", dtype=torch.float64)
    wanted = model.trace(example("bert"), 0)
    model.net.train()
    with evaluating(model.net):
        with evaluating(model.net):
            pass
        assert not any(
            module.training for module in model.net.modules()
        )  # another pass is still running
    assert all(module.training for module in model.net.modules())
    with ThreadPoolExecutor(8) as threads:
        for trace in threads.map(lambda _: model.trace(example("bert"), 0), range(40)):
            close(trace.score, wanted.score, 1e-12)
            close(trace.grad.attention, wanted.grad.attention, 1e-10)
    assert all(module.training for module in model.net.modules())


# ------------------------------------------------------------ inference mode


@pytest.mark.parametrize("name", ["bert", "vit", "clip.text"])
def test_inference_mode_around_a_call_changes_nothing(name):
    model = tiny(name)
    keys = [
        key
        for key in (
            "attcat",
            "gae",
            "grad_cam",
            "attnlrp",
            "integrated_gradients",
            "value_zeroing",
            "occlusion",
        )
        if defined(METHODS[key], name)
    ]
    wanted = {key: ex.explain(model, example(name), key, 0) for key in keys}
    with torch.inference_mode():
        given = {key: tensor.clone() for key, tensor in example(name).items()}
        assert all(tensor.is_inference() for tensor in given.values())
        for key in keys:
            close(ex.explain(model, given, key, 0).scores, wanted[key].scores, 1e-10)
            close(METHODS[key](model.trace(given, 0)), wanted[key].scores, 1e-10)


def test_a_picture_is_imagined_inside_inference_mode():
    how = {"steps": 2, "jitter": 0}
    wanted = ex.imagine(tiny("vit"), 0, **how).scores
    with torch.inference_mode():
        assert ex.imagine(tiny("vit"), 0, **how).scores == pytest.approx(wanted)


def test_a_model_is_loaded_inside_inference_mode():
    with torch.inference_mode():
        model = fresh("bert")
        assert ex.explain(model, example("bert"), "attcat", 0).scores.any()
    assert not any(weight.is_inference() for weight in model.net.parameters())


def test_weights_made_in_inference_mode_are_named_as_the_reason():
    with torch.inference_mode():
        net = dropping()
    with pytest.raises(ex.ModelUnavailable, match=r"made inside torch.inference_mode\(\)"):
        ex.load(net, device="cpu")
    assert ex.load(copy.deepcopy(net), device="cpu").trace(example("bert"), 0).grad.hidden.any()

"""From what a network returns to the answer of a task, with networks that are only named."""

from types import SimpleNamespace

import pytest
import torch

import explainers as ex
from explainers.outputs import Answer
from explainers.scores import Difference, Logit, PredictedClass
from explainers.tasks import TASKS


class ElectraForPreTraining:
    """A network that says of each token whether it was replaced: it has no classes."""


def classifier(readout: str = "first", net: object = None, by_ids: bool = False):
    """A model of classes whose logits by token are read at the second token."""
    return SimpleNamespace(
        net=net,
        anatomy=SimpleNamespace(readout=readout),
        at_readout=lambda logits, inputs, attended: logits[:, 1],
        class_answer=Answer,
        pools_by_ids=by_ids,
    )


class Outputs(dict):
    """The outputs of a network, by name and as attributes."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def class_logits(model, logits: torch.Tensor | None) -> torch.Tensor | None:
    outputs = Outputs(logits=logits)
    found = TASKS["classes"].answer(model, outputs, {}, None)
    assert found.outputs is outputs
    return found.class_logits


BY_CLASS = torch.arange(6.0).view(2, 3)
BY_TOKEN = torch.arange(24.0).view(2, 4, 3)


def test_logits_of_a_whole_text_are_its_classes():
    assert class_logits(classifier(), BY_CLASS) is BY_CLASS
    assert class_logits(classifier("last"), BY_CLASS) is BY_CLASS
    assert class_logits(classifier("last"), None) is None
    assert class_logits(classifier("last", ElectraForPreTraining()), BY_CLASS) is None


def test_logits_of_every_token_are_classes_only_where_they_are_read_at_the_last():
    assert class_logits(classifier("first"), BY_TOKEN) is None
    assert class_logits(classifier("last"), BY_TOKEN).tolist() == BY_TOKEN[:, 1].tolist()


@pytest.mark.parametrize("by_ids", [True, False])
def test_a_network_that_finds_its_last_token_by_ids_gives_what_is_read(by_ids):
    outputs = Outputs(logits=BY_TOKEN)
    TASKS["classes"].answer(classifier("last", by_ids=by_ids), outputs, {}, None)
    assert outputs["logits"].shape == ((2, 3) if by_ids else (2, 4, 3))


def test_a_difference_with_the_predicted_class_is_fixed_by_the_prediction():
    answer = Answer(None, torch.tensor([[0.0, 2.0], [3.0, 1.0]]))
    both = Difference(PredictedClass({0: "A", 1: "B"}), Logit(0, "A"))
    assert both.resolve(answer, 0) == Difference(Logit(1, "B"), Logit(0, "A"))
    with pytest.raises(ex.Refusal, match=r"^The difference of 'A' and itself"):
        both.resolve(answer, 1)


@pytest.mark.parametrize("more", [{}, {"attention_mask": torch.ones(1, 2)}], ids=len)
def test_tensors_of_a_picture_and_of_a_text_are_taken_apart(more, monkeypatch):
    checked, given = [], []
    side = SimpleNamespace()
    monkeypatch.setattr("explainers.tasks.match.check_ids", lambda *args: checked.append(args))
    task = TASKS["match_picture"]
    keep = lambda model, pictures, texts: given.append((pictures, texts)) or "coded"
    monkeypatch.setattr(type(task), "encode_both", lambda self, *args: keep(*args))
    pixels, ids = torch.zeros(1, 3, 2, 2), torch.ones(1, 2)
    tensors = {"pixel_values": pixels, "input_ids": ids} | more
    assert task.encode_tensors(SimpleNamespace(side=lambda name: side), tensors) == "coded"
    assert given == [({"pixel_values": pixels}, {"input_ids": ids} | more)]
    assert checked == [(side, given[0][1])]
    assert "pixel_values" in tensors, "what was given stays as it was"


def test_the_labels_of_next_tokens_are_the_vocabulary():
    class Letters:
        def __len__(self):
            return 2

        def convert_ids_to_tokens(self, ids):
            return ["ab"[i] for i in ids]

        def convert_tokens_to_string(self, names):
            return names[0].upper()

    net = SimpleNamespace(config=SimpleNamespace(vocab_size=2))
    known = SimpleNamespace(net=net, tokenizer=Letters())
    assert TASKS["next_token"].labels(known) == {0: "A", 1: "B"}
    bare = SimpleNamespace(net=net, tokenizer=None)
    assert TASKS["next_token"].labels(bare) == {0: "0", 1: "1"}

"""Folders with a model in them, and what `load` says of those that are none."""

import shutil

import pytest
from tiny import folder, fresh
from transformers import BertConfig, BertForSequenceClassification

import explainers as ex


def refusal(source, **how) -> str:
    """The sentence that `load` refuses with."""
    with pytest.raises(ex.ModelUnavailable) as refused:
        ex.load(source, device="cpu", **how)
    said = str(refused.value)
    assert (
        "\n" not in said
        and "Traceback" not in said
        and "Error(" not in said
        and "NoneType" not in said
    ), said
    assert 15 < len(said) < 500, said
    return said


@pytest.fixture
def copied(tmp_path):
    """A model folder of one's own to damage."""
    return shutil.copytree(folder("bert"), tmp_path / "my model")


class RenamedConfig(BertConfig):
    model_type = "renamed"


class RenamedForSequenceClassification(BertForSequenceClassification):
    config_class = RenamedConfig


@pytest.fixture
def renamed(forgetful):
    """The tiny BERT under another model type, and a table that forgets what is added to it."""
    net = RenamedForSequenceClassification(
        RenamedConfig(**fresh("bert").net.config.to_dict() | {"model_type": "renamed"})
    )
    net.load_state_dict(fresh("bert").net.state_dict())
    return net

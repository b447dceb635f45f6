"""What is no model that can be explained is refused in one sentence that says what would work."""

import json

import pytest
import torch
from loading import refusal
from safetensors.torch import load_file, save_file
from tiny import SIZE, TINY, example, folder, random_model, tiny
from transformers import BertModel

import explainers as ex


def settings_of(place, **changes) -> None:
    config = json.loads((place / "config.json").read_text())
    for name, value in changes.items():
        if value is None:
            config.pop(name, None)
        else:
            config[name] = value
    (place / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("source", [None, 3, "", "   ", [], torch.nn.Linear(2, 2)], ids=str)
def test_what_names_no_model_is_refused(source):
    assert "bundled name, a folder, a Hub id or a transformers model" in refusal(source)


@pytest.mark.parametrize(
    "name",
    ["./nowhere", "/no/such/folder", "~/no/such/folder", "a/b/c", "..\\windows", "no/such/folder/"],
)
def test_a_folder_that_is_not_there_is_refused(name):
    assert "There is no folder" in refusal(name)


def test_a_folder_without_safetensors_is_refused(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    assert "no .safetensors file; other formats can run code" in refusal(copied)


def test_an_empty_folder_and_a_file_are_refused(tmp_path, copied):
    assert "no .safetensors file" in refusal(tmp_path)
    refusal(copied / "config.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:1000],
        lambda data: b"",
        lambda data: b"x" * len(data),
        lambda data: data[:-64],
    ],
    ids=["cut early", "empty", "other bytes", "cut late"],
)
def test_damaged_weights_are_refused(copied, damage):
    weights = copied / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    assert "damaged" in refusal(copied) and "download it again" in refusal(copied)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"not json",
        b"\xff\xfe\x00",
        b'{"model_type": "bert",',
        b"[1, 2]",
        b"null",
        b'"text"',
        b"{}",
    ],
    ids=ascii,
)
def test_damaged_settings_are_refused(copied, damage):
    (copied / "config.json").write_bytes(damage)
    assert str(copied) in refusal(copied)


def test_missing_settings_are_refused(copied):
    (copied / "config.json").unlink()
    refusal(copied)


@pytest.mark.parametrize("kind", ["t5", "deberta", "deberta-v2", "my-own-model", None])
def test_an_architecture_that_cannot_be_traced_is_refused_with_those_that_can(copied, kind):
    settings_of(copied, model_type=kind)
    said = refusal(copied)
    assert all(name.partition(".")[0] in said for name in ex.ANATOMIES)
    assert "clip.vision" not in said


def test_an_architecture_of_a_ready_model_that_cannot_be_traced_is_refused():
    from transformers import T5Config, T5ForSequenceClassification

    net = T5ForSequenceClassification(
        T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    )
    assert "'t5' cannot be traced yet" in refusal(net)


@pytest.mark.parametrize(
    "kind", ["DebertaForSequenceClassification", "DebertaV2ForSequenceClassification"]
)
def test_deberta_is_refused_with_the_reason(kind):
    assert "attention from relative positions inside its own code" in refusal(
        random_model(kind, **SIZE)
    )


def test_a_dual_encoder_shows_its_vision_side_first_and_gives_the_other():
    model = ex.load(folder("clip"), device="cpu")
    assert model.anatomy.modality == "image" and model.side("vision") is model
    other = model.side("text")
    assert other.anatomy.modality == "text" and other.net is model.net
    with pytest.raises(ex.Refusal, match="one side only"):
        tiny("bert").side("text")


CLIP = TINY["clip-classifier"].settings


def test_half_a_dual_encoder_without_a_head_is_refused(renamed):
    """One with a classifier on top is explained: see `clip-classifier` in tiny.py."""
    net = random_model("CLIPForImageClassification", **CLIP)
    net.config.model_type = "renamed"
    ex.register("renamed.vision", ex.ANATOMIES["clip.vision"])
    net.__class__ = type("HalfAClip", (type(net),), {})
    said = refusal(net)
    assert "is one side of a model that matches pictures with texts" in said
    assert "load the whole model, or one with a classifier on top" in said


@pytest.mark.parametrize("kind", ["BertForMultipleChoice", "GPT2DoubleHeadsModel"])
def test_a_choice_among_texts_is_refused(kind):
    assert "chooses among several texts" in refusal(random_model(kind, **SIZE))


@pytest.mark.parametrize("source, tower", [("clip", "audio"), ("bert", "text")])
def test_a_side_that_is_not_there_is_refused(source, tower):
    refusal(folder(source), tower=tower)


def test_code_from_a_repository_is_never_run(copied):
    marker = copied / "ran"
    (copied / "modeling_mine.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    settings_of(
        copied,
        model_type="mine",
        auto_map={"AutoModelForSequenceClassification": "modeling_mine.Mine"},
    )
    assert "code from its own repository, which is never run" in refusal(copied)
    assert not marker.exists()


def test_remote_code_for_a_known_architecture_is_ignored(copied):
    marker = copied / "ran"
    (copied / "modeling_mine.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    settings_of(copied, auto_map={"AutoModelForSequenceClassification": "modeling_mine.Mine"})
    assert (
        ex.load(copied, device="cpu").trace(example("bert"), 0).score.isfinite()
        and not marker.exists()
    )


@pytest.mark.parametrize("named", ["NoSuchModel", "load_file", "Trainer", None])
def test_a_class_that_is_no_model_is_refused(copied, named):
    settings_of(copied, architectures=[named] if named else None)
    assert "names the class" in refusal(copied)


def test_a_checkpoint_without_its_head_is_refused(copied):
    """Its scores would come from random weights, and would look like any others."""
    weights = load_file(copied / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")},
        copied / "model.safetensors",
        metadata={"format": "pt"},
    )
    said = refusal(copied)
    assert "classifier.bias" in said and "random" in said


@pytest.mark.parametrize("ready", [True, False], ids=["ready", "folder"])
def test_an_encoder_without_a_head_is_refused(copied, ready):
    settings_of(copied, architectures=["BertModel"])
    source = BertModel.from_pretrained(folder("bert")) if ready else copied
    assert "no head on top of its encoder" in refusal(source)


def test_weights_of_another_size_are_refused(copied):
    settings_of(copied, hidden_size=24)
    refusal(copied)

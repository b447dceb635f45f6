"""A model is had, or one plain sentence says why not and what would work."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny import (
    ARCHITECTURES,
    DUAL,
    PICTURE,
    SIZE,
    TINY,
    example,
    folder,
    fresh,
    random_model,
    tiny,
)
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

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


def settings_of(place, **changes) -> None:
    config = json.loads((place / "config.json").read_text())
    for name, value in changes.items():
        if value is None:
            config.pop(name, None)
        else:
            config[name] = value
    (place / "config.json").write_text(json.dumps(config))


# --------------------------------------------------------------------------------------- what works


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_folder_is_loaded_and_traced(name):
    model = fresh(name, torch.float32)
    assert model.net.dtype == torch.float32 and not model.net.training
    assert (
        len(model.blocks) == (1 if name == "albert" else 4)
        and model.name == str(folder(name))
        and model.revision == "local"
    )
    assert model.trace(example(name, torch.float32), 0).attention.shape[:2] == (4, 3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_anatomy_names_parts_that_are_there(name):
    from explainers.models.anatomy import submodule

    model = tiny(name)
    for i, block in enumerate(model.blocks):
        assert submodule(block, model.anatomy.w_o).weight.shape == (48, 48)
        for norm in (model.anatomy.norm1, model.anatomy.norm2):
            if (
                name.startswith("modernbert") and i == 0 and norm == "attn_norm"
            ):  # the embeddings' own norm stands right before it
                assert isinstance(submodule(block, norm), torch.nn.Identity)
            else:
                assert submodule(block, norm).normalized_shape == (48,)
    assert name in DUAL or len(model.labels) == TINY[name].classes


def test_every_architecture_of_the_table_is_tested():
    """A row of ANATOMIES without a row in tiny.py would be checked by nothing."""
    assert set(ex.ANATOMIES) == {row.row or name for name, row in TINY.items()}


def test_a_path_object_and_spaces_around_a_name_will_do(copied):
    scores = [
        ex.load(source, device="cpu").trace(example("bert"), 0).score
        for source in (copied, str(copied), f" {copied} ")
    ]
    assert scores[0] == scores[1] == scores[2]


def test_a_ready_model_is_taken_with_its_weights_and_precision():
    net = AutoModelForSequenceClassification.from_pretrained(
        folder("bert"), dtype=torch.float64
    ).train()
    model = ex.load(net, device="cpu")
    assert model.net is net and not net.training and net.dtype == torch.float64
    wanted = tiny("bert").trace(example("bert"), 0)
    assert torch.equal(model.trace(example("bert"), 0).score, wanted.score)


def test_a_folder_with_a_tokenizer_reads_text(copied, word_tokenizer):
    word_tokenizer.save_pretrained(copied)
    model = ex.load(copied, device="cpu")
    assert ex.explain(model, "good movie").labels == ["[CLS]", "good", "movie", "[SEP]"]


def test_a_given_tokenizer_is_used_instead_of_the_folders_own(copied, word_tokenizer):
    own = BertTokenizer(
        vocab={name: i for i, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])}
    )
    own.save_pretrained(copied)
    assert ex.load(copied, device="cpu", tokenizer=word_tokenizer).tokenizer is word_tokenizer


def test_a_folder_without_a_tokenizer_takes_tensors(copied):
    model = ex.load(copied, device="cpu")
    assert model.tokenizer is None and model.trace(example("bert"), 0).score.isfinite()


@pytest.fixture
def seeing(tmp_path):
    """The folder of a model that sees pictures."""
    return shutil.copytree(
        folder("vit"),
        tmp_path / "my eyes",
        ignore=shutil.ignore_patterns("preprocessor_config.json"),
    )


@pytest.mark.parametrize(
    "named",
    [
        {"image_processor_type": "ViTImageProcessor"},
        {"image_processor_type": "ViTImageProcessorFast"},
        {"feature_extractor_type": "ViTFeatureExtractor"},
        {},
    ],
    ids=str,
)
def test_a_folder_with_a_processor_sees_pictures(seeing, named):
    """By Pillow, whatever a folder was saved with: numbers must not depend on what is installed."""
    settings = {
        "size": {"height": 32, "width": 32},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.25, 0.5],
        "do_normalize": True,
    }
    (seeing / "preprocessor_config.json").write_text(json.dumps(settings | named))
    model = ex.load(seeing, device="cpu")
    assert (
        "torchvision" not in type(model.processor).__module__
        and type(model.processor).__name__ == "ViTImageProcessorPil"
    )
    pixels = model.encode(Image.new("RGB", (60, 40), (255, 0, 102))).tensors["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32)
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.tensor([3.0, -2.0, -0.4]))
    heat = ex.explain(model, Image.new("RGB", (60, 40), "red"), "gae")
    assert heat.grid == (4, 4) and heat.picture.size == (60, 40)


def test_a_given_processor_is_used_instead_of_the_folders_own(seeing):
    ViTImageProcessorPil().save_pretrained(seeing)
    other = ViTImageProcessorPil(size={"height": 48, "width": 48})
    assert ex.load(seeing, device="cpu").processor.size.height == 224
    assert ex.load(seeing, device="cpu", processor=other).processor is other


def test_a_folder_without_a_processor_takes_pixels_and_refuses_pictures_in_words(seeing):
    model = ex.load(seeing, device="cpu")
    assert model.processor is None
    with pytest.raises(
        ex.Refusal,
        match=r"^This model came without an image processor: pass one to load\(...\), or "
        r"give pixel_values\.$",
    ):
        ex.explain(model, Image.new("RGB", (60, 40)), "gae")
    torch.testing.assert_close(
        model.trace(example("vit"), 0).score,
        tiny("vit", torch.float32).trace(example("vit"), 0).score,
    )


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"image_processor_type": "NoSuchProcessor"}', '{"image_processor_type": 3}'],
)
def test_damaged_settings_of_a_processor_are_refused(seeing, damage):
    (seeing / "preprocessor_config.json").write_text(damage)
    refusal(seeing)


def test_loading_twice_gives_two_models(copied):
    one, other = ex.load(copied, device="cpu"), ex.load(copied, device="cpu")
    assert one.net is not other.net


# ------------------------------------------------------------------------------- what was asked for


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


# ------------------------------------------------------------------------------- a row of one's own


class RenamedConfig(BertConfig):
    model_type = "renamed"


class RenamedForSequenceClassification(BertForSequenceClassification):
    config_class = RenamedConfig


def test_a_row_of_version_0_2_says_what_it_sees():
    """The field is called modality today."""
    row = replace(ex.ANATOMIES["bert"], sees="image")
    assert row.modality == row.sees == "image"
    assert replace(row, modality="text").sees == "text"
    assert row == replace(ex.ANATOMIES["bert"], modality="image")


@pytest.fixture
def renamed(forgetful):
    """The tiny BERT under another model type, and a table that forgets what is added to it."""
    net = RenamedForSequenceClassification(
        RenamedConfig(**fresh("bert").net.config.to_dict() | {"model_type": "renamed"})
    )
    net.load_state_dict(fresh("bert").net.state_dict())
    return net


def test_an_architecture_can_be_added(renamed):
    assert "'renamed' cannot be traced yet" in refusal(renamed)
    for _ in range(2):  # a cell of a notebook is run twice
        ex.register("renamed", ex.ANATOMIES["bert"])
    assert "renamed" in refusal(
        random_model(
            "T5ForSequenceClassification", d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
        )
    )
    model = ex.load(renamed, device="cpu", dtype=torch.float64)
    torch.testing.assert_close(
        ex.explain(model, example("bert"), target=0).scores,
        ex.explain(tiny("bert"), example("bert"), target=0).scores,
    )


def test_a_model_of_pictures_can_be_added_with_a_readout_and_tokens_of_its_own(renamed):
    """As many tokens before the patches as the row names, its score read as the row says."""
    net = random_model("DeiTForImageClassificationWithTeacher", **PICTURE)
    net.config.model_type = "renamed"
    ex.register(
        "renamed", replace(ex.ANATOMIES["deit"], prefix=("[A]", "[B]"), readout="first two")
    )
    model = ex.load(net, device="cpu", dtype=torch.float64)
    trace = model.trace(example("deit"), 0)
    assert model.encode(example("deit")).labels[:3] == ["[A]", "[B]", "row 1, column 1"]
    assert trace.read_at == [0, 1] and trace.special_tokens.tolist() == [True] * 2 + [False] * 16


@pytest.mark.parametrize(
    "readout, said",
    [
        ("first two", "tokens 0, 1"),
        ("mean", "tokens 2, 3, 4"),
        ("first and mean", "tokens 0, 2, 3"),
    ],
)
def test_a_readout_that_is_not_the_networks_is_refused_when_a_model_is_loaded(
    renamed, readout, said
):
    """Its class is read at the first token: more, fewer and other tokens than the row names are all
    found out."""
    net = random_model("DeiTForImageClassification", **PICTURE)
    net.config.model_type = "renamed"
    ex.register("renamed", replace(ex.ANATOMIES["deit"], readout=readout))
    assert (
        f"at token 0, and its architecture (renamed) is known here to read it at {said}"
        in refusal(net)
    )


def test_one_side_of_a_dual_encoder_can_be_added(renamed):
    net = fresh("clip.vision").net
    net.config.model_type = "renamed"
    assert "'renamed' cannot be traced yet" in refusal(net)
    for side in ("vision", "text"):
        ex.register(f"renamed.{side}", ex.ANATOMIES[f"clip.{side}"])
    for side in ("vision", "text"):
        model = ex.load(net, tower=side, device="cpu")
        torch.testing.assert_close(
            model.trace(example("clip.vision"), 0).score,
            tiny(f"clip.{side}").trace(example("clip.vision"), 0).score,
        )


def test_the_python_of_the_contributors_guide_runs(renamed):
    guide = Path(__file__).parent.parent / "CONTRIBUTING.md"
    exec(
        compile(
            guide.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0],
            guide.name,
            "exec",
        ),
        {},
    )
    assert {"my-roberta", "my-bert"} <= set(ex.models.ANATOMIES)


def test_the_example_of_the_docstring_works(renamed):
    ex.register("my-roberta", ex.ANATOMIES["roberta"])
    net = random_model("RobertaForSequenceClassification", **SIZE | {"pad_token_id": 1})
    net.config.model_type = "my-roberta"
    with torch.no_grad():
        wanted = net(**example("roberta")).logits[0]
    torch.testing.assert_close(
        ex.load(net, device="cpu").trace(example("roberta"), 0).logits, wanted
    )


@pytest.mark.parametrize(
    "name, row, said",
    [
        ("bert", ex.ANATOMIES["gpt2"], "There is an architecture 'bert' already"),
        ("", ex.ANATOMIES["bert"], "registered under its config.model_type"),
        (BertConfig, ex.ANATOMIES["bert"], "registered under its config.model_type"),
        ("renamed", "bert", "described by an Anatomy; got str"),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], ffn="output.dense"),
            "ffn of an Anatomy is a tuple of names; got 'output.dense'",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], head=("classifier", None)),
            "head of an Anatomy is a tuple of names",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["vit"], prefix="[CLS]"),
            "prefix of an Anatomy is a tuple of names; got '[CLS]'",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["vit"], head=["classifier"]),
            "head of an Anatomy is a tuple of names",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], norm_first="no"),
            "norm_first of an Anatomy is of type bool; got 'no'",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], blocks=None),
            "blocks of an Anatomy is of type str; got None",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], lost_positions=0.5),
            "lost_positions of an Anatomy is of type int",
        ),
        (
            "renamed",
            replace(ex.ANATOMIES["bert"], readout="middle"),
            "'first', 'last', 'very last', 'end of text'",
        ),
        ("renamed", replace(ex.ANATOMIES["bert"], modality="sound"), "'text' or 'image'"),
        ("renamed", replace(ex.ANATOMIES["bert"], ffn=("output.dense",)), "three parts or none"),
    ],
    ids=lambda value: value if isinstance(value, str) and value else None,
)
def test_a_row_that_makes_no_sense_is_refused(renamed, name, row, said):
    before = dict(ex.models.ANATOMIES)
    with pytest.raises(ex.Refusal) as refused:
        ex.register(name, row)
    assert (
        said in str(refused.value)
        and "\n" not in str(refused.value)
        and before == ex.models.ANATOMIES
    )


@pytest.mark.parametrize(
    "name, path",
    [
        ("tower", "brt"),
        ("blocks", "encoder.layers"),
        ("blocks", "encoder.*.layer"),
        ("blocks", "pooler.dense"),
        ("attention", "attn"),
        ("w_o", "attention.out"),
        ("norm1", "norm"),
        ("norm2", "output.norm"),
        ("w_v", "attention.self.values"),
    ],
)
def test_a_path_that_leads_nowhere_is_named_when_a_model_is_loaded(renamed, name, path):
    ex.register("renamed", replace(ex.ANATOMIES["bert"], **{name: path}))
    said = refusal(renamed)
    assert f"names {path!r} as {name}" in said and "RenamedForSequenceClassification" in said


def test_a_feed_forward_part_that_is_not_there_is_named_too(renamed):
    ex.register(
        "renamed", replace(ex.ANATOMIES["bert"], ffn=("intermediate.dense", "gelu", "output.dense"))
    )
    assert "names 'gelu' as ffn" in refusal(renamed)


def test_attention_that_cannot_be_recorded_is_refused_whatever_the_row_says(renamed):
    row = replace(ex.ANATOMIES["bert"], tower="deberta", w_v="attention.self.value_proj")
    ex.models.ANATOMIES["deberta-v2"] = row
    said = refusal(random_model("DebertaV2ForSequenceClassification", **SIZE))
    assert "keyword arguments" in said or "inside its own code" in said


# ------------------------------------------------------------------------------------------ the Hub


def answer(kind, status: int):
    response = httpx.Response(
        status, request=httpx.Request("GET", "https://huggingface.co/api/models/nobody/nothing")
    )
    return kind(f"{status} Client Error. (Request ID: abc)\n\nSecond line", response=response)


REQUEST = httpx.Request("GET", "https://huggingface.co")
ANSWERS = [
    (
        httpx.ConnectError("[Errno -3] Temporary failure in name resolution", request=REQUEST),
        "cannot be reached",
    ),
    (httpx.ConnectTimeout("timed out", request=REQUEST), "cannot be reached"),
    (httpx.ReadTimeout("timed out", request=REQUEST), "cannot be reached"),
    (httpx.ProxyError("403 Forbidden", request=REQUEST), "cannot be reached"),
    (ConnectionResetError("reset"), "cannot be reached"),
    (OfflineModeIsEnabled("offline"), "cannot be reached"),
    (
        answer(RepositoryNotFoundError, 404),
        "There is no model nobody/nothing on the Hugging Face Hub",
    ),
    (answer(GatedRepoError, 403), "gated"),
    (answer(RevisionNotFoundError, 404), "has no revision"),
    (answer(HfHubHTTPError, 500), "refused nobody/nothing"),
    (answer(HfHubHTTPError, 429), "refused nobody/nothing"),
    (HFValidationError("Repo id must be ..."), "neither a bundled model"),
]


@pytest.mark.parametrize(
    "error, said",
    ANSWERS,
    ids=[type(error).__name__ + str(i) for i, (error, _) in enumerate(ANSWERS)],
)
def test_whatever_the_hub_answers_is_said_in_one_sentence_and_at_once(monkeypatch, error, said):
    def asked(*args, **kwargs):
        assert kwargs["timeout"] <= 5
        raise error

    monkeypatch.setattr(HfApi, "model_info", asked)
    started = time.monotonic()
    assert said in refusal("nobody/nothing", revision="v1")
    assert time.monotonic() - started < 5


def test_a_faraway_model_without_a_network_names_those_that_need_none(monkeypatch):
    def nobody_there(*args, **kwargs):
        raise httpx.ConnectError("no route", request=REQUEST)

    monkeypatch.setattr(HfApi, "model_info", nobody_there)
    said = refusal("nobody/nothing")
    assert all(name in said for name in ex.BUNDLED)


@pytest.mark.parametrize(
    "name", ["sentimnt", "a b c", "owner/na me", "-x", "x" * 500, "owner/name?x=1", "<b>x</b>"]
)
def test_a_name_that_is_no_hub_id_is_refused_without_asking(name, monkeypatch):
    def nobody_there(*args, **kwargs):
        raise httpx.ConnectError("no route", request=REQUEST)

    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        invalid = error

        def asked(*args, **kwargs):
            raise invalid
    else:
        asked = nobody_there
    monkeypatch.setattr(HfApi, "model_info", asked)
    said = refusal(name)
    assert "sentiment" in said or "There is no folder" in said


def hub_model(gated=False, files=("config.json", "model.safetensors")) -> ModelInfo:
    siblings = [{"rfilename": name} for name in files]
    return ModelInfo(
        id="nobody/nothing", sha="0123abc", gated=gated, siblings=siblings, tags=[], downloads=0
    )


@pytest.mark.parametrize(
    "info, said",
    [
        (hub_model(gated="manual"), "gated"),
        (hub_model(files=["config.json", "pytorch_model.bin"]), "no safetensors file"),
        (hub_model(files=[]), "no safetensors file"),
    ],
    ids=["gated", "pickle", "empty"],
)
def test_a_faraway_model_that_may_not_be_read_is_refused_before_it_is_downloaded(
    monkeypatch, info, said
):
    def no_entry(*args, **kwargs):
        raise GatedRepoError("gated", response=httpx.Response(403, request=REQUEST))

    monkeypatch.setattr(HfApi, "model_info", lambda *args, **kwargs: info)
    monkeypatch.setattr(HfApi, "auth_check", no_entry)
    assert said in refusal("nobody/nothing")

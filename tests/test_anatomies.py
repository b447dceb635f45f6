"""A row of one's own for an architecture: what it may say, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from loading import refusal
from tiny import PICTURE, SIZE, example, fresh, random_model, tiny
from transformers import BertConfig

import explainers as ex


def test_a_row_of_version_0_2_says_what_it_sees():
    """The field is called modality today."""
    row = replace(ex.ANATOMIES["bert"], sees="image")
    assert row.modality == row.sees == "image"
    assert replace(row, modality="text").sees == "text"
    assert row == replace(ex.ANATOMIES["bert"], modality="image")


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

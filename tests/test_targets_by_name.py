"""A name means one thing: one class, one word, one place; where it could mean several, they are
named."""

import pytest
import torch
from tokenizers_of import byte_level, reading, unigram, word_pieces
from transformers import (
    BertConfig,
    BertForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
)

import explainers as ex
from explainers.cli import main
from explainers.outputs import Answer
from explainers.tasks.reading import ClassReader

TAGS = {0: "O", 1: "PER", 2: "LOC"}
TEXT = "angela met Angela in ashville"
PIECES = ("angela", "met", "in", "ash", "##ville", "'", "d", "the", "wo", "##od")


@pytest.fixture(scope="module")
def tagger() -> ex.Model:
    return reading(
        word_pieces(*PIECES),
        BertForTokenClassification,
        BertConfig,
        id2label=TAGS,
        initializer_range=0.6,
    )


def fixed(model: ex.Model, given, asked, strong: dict[tuple[int, int], float]):
    """The target that is meant when the logits are those of `strong`, {(token, label): logit}, and
    0 elsewhere."""
    coded = model.encode(given)
    logits = torch.zeros(1, len(coded.labels), len(TAGS))
    for place, logit in strong.items():
        logits[0][place] = logit
    return model.task.target(model, coded, asked).resolve(Answer(None, None, logits), 0)


# ----------------------------------------------------------------------------------------- one word


@pytest.mark.parametrize(
    "given", [TEXT.lower(), {"input_ids": [[0, 5, 6, 5, 7, 8, 9, 2]]}], ids=["text", "tensors"]
)
@pytest.mark.parametrize(
    "asked, wanted",
    [
        ("PER at angela - LOC at angela", ((3, 1, 1.0), (3, 2, -1.0))),
        ("LOC at angela - PER at angela", ((3, 2, 1.0), (3, 1, -1.0))),
        ("PER - LOC", ((3, 1, 1.0), (3, 2, -1.0))),
        (("PER at 1", "LOC at 1"), ((1, 1, 1.0), (1, 2, -1.0))),
        (("PER at 1", "LOC at 3"), ((1, 1, 1.0), (3, 2, -1.0))),
    ],
)
def test_a_difference_of_labels_is_at_one_word(tagger, given, asked, wanted):
    """PER is strongest at the first angela, LOC at the second, and of the two LOC is the
    stronger."""
    target = fixed(tagger, given, asked, {(1, 1): 3.0, (3, 2): 4.0})
    assert tuple(target.columns(0)) == wanted


def test_a_difference_and_its_reverse_are_each_other_s_minus(tagger):
    one, other = (
        tagger.trace(TEXT.lower(), asked).score
        for asked in ("PER at angela - LOC at angela", "LOC at angela - PER at angela")
    )
    assert one == -other


def test_words_that_stand_twice_are_told_apart_by_their_position(tagger):
    names = [
        tagger.task.target(tagger, tagger.encode("angela met angela"), f"PER at {place}")
        .resolve(Answer(None, None, torch.zeros(1, 5, 3)), 0)
        .name
        for place in (1, 2, 3)
    ]
    assert names == ["PER at angela (token 1)", "PER at met", "PER at angela (token 3)"]
    for name, place in zip(names, (1, 2, 3)):
        assert tagger.trace("angela met angela", name).target.terms == ((place, 1, 1.0),), (
            "what is said can be asked for"
        )


def test_a_word_as_it_is_written_comes_before_other_cases(tagger):
    for where, place in (("Angela", 3), ("angela", 1)):
        assert fixed(tagger, TEXT, f"PER at {where}", {(1, 1): 1.0, (3, 1): 1.0}).terms == (
            (place, 1, 1.0),
        )
    assert fixed(tagger, TEXT, "PER at ANGELA", {(3, 1): 1.0}).terms == ((3, 1, 1.0),)


# ------------------------------------------------------------------- special tokens, further pieces


@pytest.mark.parametrize("asked", ["PER at 0", "LOC at 7", "predicted at 0", "PER at 0 - LOC at 1"])
@pytest.mark.parametrize(
    "given", [TEXT, {"input_ids": [[0, 5, 6, 5, 7, 8, 9, 2]]}], ids=["text", "tensors"]
)
def test_a_special_token_has_no_label(tagger, given, asked):
    with pytest.raises(ex.Refusal, match=r"belongs to no word and has no label.*from 1 to 6"):
        ex.explain(tagger, given, "attcat", asked)


def test_a_special_token_is_refused_on_the_command_line(tagger, tmp_path, capsys):
    tagger.net.save_pretrained(tmp_path)
    tagger.tokenizer.save_pretrained(tmp_path)
    assert main(["explain", "--model", str(tmp_path), "--text", TEXT, "--target", "PER at 0"]) == 2
    assert "has no label" in capsys.readouterr().err


def test_half_a_difference_says_what_is_wrong_with_it(tagger):
    with pytest.raises(ex.Refusal, match="'nowhere' is neither a word"):
        tagger.trace(TEXT, "PER at angela - LOC at nowhere")
    with pytest.raises(ex.Refusal, match="did you mean 'LOC'"):
        tagger.trace(TEXT, "LOCK at angela - PER at angela")


@pytest.mark.parametrize(
    "given", [TEXT, {"input_ids": [[0, 5, 6, 5, 7, 8, 9, 2]]}], ids=["text", "tensors"]
)
def test_a_word_is_labelled_at_its_first_piece(tagger, given):
    """Taggers are not trained on further pieces; whatever these say, they are no prediction."""
    strong = {(6, 1): 9.0, (5, 2): 1.0}
    for asked in (None, "predicted"):
        assert fixed(tagger, given, asked, strong).terms == ((5, 2, 1.0),)
    assert fixed(tagger, given, "PER", {(6, 1): 9.0, (4, 1): 1.0}).terms == ((4, 1, 1.0),)
    assert fixed(tagger, given, "PER at 6", {}).terms == ((6, 1, 1.0),), (
        "a position can still be asked for"
    )
    assert not [
        label
        for label in ex.predict(tagger, given).labels
        if "ville" in label and "ash" not in label
    ]
    if given == TEXT:
        assert fixed(tagger, given, "LOC at ashville", {}).terms == ((5, 2, 1.0),)
        assert fixed(tagger, given, "LOC at Ashville", {}).name == "LOC at ashville"


def first_pieces(model: ex.Model, given) -> list[str]:
    coded = model.encode(given)
    return [coded.labels[i] for i in model.task.target(model, coded, None).places]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("d'angela", ["d", "'", "angela"]),
        ("the wood", ["the", "wo"]),
        ("wood'wood", ["wo", "'", "wo"]),
    ],
)
def test_what_an_apostrophe_parts_is_labelled_apart(tagger, text, wanted):
    assert first_pieces(tagger, text) == wanted


def test_first_pieces_of_other_tokenizers():
    pieces = reading(
        unigram("▁ash", "ville", "met"), RobertaForTokenClassification, RobertaConfig, id2label=TAGS
    )
    bytes_ = reading(
        byte_level("ash ash ash"), RobertaForTokenClassification, RobertaConfig, id2label=TAGS
    )
    for model, text, wanted in (
        (pieces, "ashville met", ["▁ash", "▁"]),
        (bytes_, "ashv ash, 电a", ["a", "Ġash", ",", "Ġ"]),
    ):
        assert [
            name[: len(first)] for name, first in zip(first_pieces(model, text), wanted)
        ] == wanted
    by_text, by_tensors = (
        first_pieces(pieces, given)
        for given in ("ashville met", dict(pieces.tokenizer("ashville met", return_tensors="pt")))
    )
    assert by_text == by_tensors


# --------------------------------------------------------------------------------- names of classes


def labels_of(*names: str) -> dict[int, str]:
    """As a model names its classes: those of one name by their number."""
    return {i: name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names)}


@pytest.mark.parametrize(
    "names, asked, index",
    [
        (("good", "Good"), "good", 0),
        (("good", "Good"), "Good", 1),
        (("good", "good", "Good"), "Good", 2),
        (("good", "good", "Good"), "good (1)", 1),
        (("lynx, catamount", "dog"), "CATAMOUNT", 0),
        (("missile", "projectile, missile"), "missile", 0),
        (("IT, computing", "it, a pronoun"), "it", 1),
        (("good (0)", "good"), "good", 1),
    ],
)
def test_a_name_as_it_is_written_comes_before_other_cases(names, asked, index):
    assert ClassReader(labels_of(*names)).read(asked).index == index


@pytest.mark.parametrize(
    "names, asked, choices",
    [
        (("good", "good", "Good"), "good", ("'good (0)'", "'good (1)'")),
        (("good", "good", "Good"), "GOOD", ("'good (0)'", "'good (1)'", "'Good'")),
        (("it", "IT"), "It", ("'it'", "'IT'")),
        (("crane", "crane"), "crane", ("'crane (0)'", "'crane (1)'")),
        (("gray, fox", "grey, fox"), "fox", ("'gray, fox'", "'grey, fox'")),
    ],
)
def test_a_name_of_several_classes_is_refused_and_they_are_named(names, asked, choices):
    with pytest.raises(ex.Refusal) as refused:
        ClassReader(labels_of(*names)).read(asked)
    assert "several classes" in str(refused.value) and all(
        choice in str(refused.value) for choice in choices
    )
    with pytest.raises(ex.Refusal, match="several classes"):
        ClassReader(labels_of(*names)).read(f"{asked} - {labels_of(*names)[0]}")


def test_the_same_text_twice_is_one_class_to_a_reader():
    """A picture may be matched with equal texts, whose scores are equal."""
    assert ClassReader({0: "a dog", 1: "a cat", 2: "a cat"}).read("a cat").index == 1

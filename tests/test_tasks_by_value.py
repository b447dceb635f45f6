"""What tasks read from names and make of logits, by value."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tiny import example, tiny
from transformers import ViTImageProcessor

import explainers as ex
from explainers.inputs import Encoded, kinds
from explainers.outputs import Answer
from explainers.scores import Custom, Difference, Logit, PredictedClass
from explainers.tasks import TASKS, Task
from explainers.tasks.match import check_filled, numbered, picture_and_texts
from explainers.tasks.next_token import TokenReader, text_of, vocabulary
from explainers.tasks.reading import (
    ClassReader,
    index_of,
    label_names,
    refuse_several,
    shared_name,
)
from explainers.tasks.texts import TextTask, is_texts

NAMES = {0: "lynx, catamount", 1: "crane (1)", 2: "crane (2)", 3: "Dog", 4: "dog"}

# ------------------------------------------------------------------------------------- class names


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("lynx, catamount", 0),
        ("lynx", 0),
        ("CATAMOUNT", 0),
        ("crane (2)", 2),
        ("Dog", 3),
        ("dog", 4),
        ("3", 3),
        (" 4 ", 4),
        (0, 0),
    ],
)
def test_a_class_by_its_name_or_its_index(asked, index):
    assert index_of(asked, NAMES) == index


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("crane", r"^'crane' is the name of several classes; did you mean 'crane \(1\)' or 'crane"),
        ("DOG", "did you mean 'Dog' or 'dog'"),
        (5, "^There is no class 5: this model has classes 0 to 4.$"),
        (-1, "^There is no class -1"),
        ("5", "^There is no class 5"),
        (True, "got bool.$"),
        (1.5, "got float.$"),
        (None, "got NoneType.$"),
        ("lyn", "lynx"),
    ],
)
def test_what_is_no_class_is_a_sentence(asked, said):
    with pytest.raises(ex.Refusal, match=said):
        index_of(asked, NAMES)


def test_names_of_a_label():
    assert label_names(0, NAMES) == ["lynx, catamount", "lynx", "catamount"]
    assert shared_name(1, NAMES) == "crane" and shared_name(0, {0: "crane (1)"}) == "crane (1)"
    assert refuse_several("x", ["a", "a"]) is None
    with pytest.raises(ex.Refusal, match=r"'7'[?]$"):
        refuse_several("x", list("01234567"))
    with pytest.raises(ex.Refusal, match=r"'7' or 1 others[?]$"):
        refuse_several("x", list("012345678"))
    with pytest.raises(ex.Refusal, match=f"^'{'x' * 60}' is"):
        refuse_several("x" * 70, ["a", "b"])


def test_a_reader_of_classes_reads_what_a_person_may_mean():
    reader = ClassReader({0: "A", 1: "B", 2: "A - C"})
    first, second = Logit(0, "A"), Logit(1, "B")
    assert type(reader.read(None)) is type(reader.read("predicted")) is PredictedClass
    assert reader.read(first) is first and isinstance(reader.read(len), Custom)
    for asked in ("A - B", "A − B", (0, "B"), ["A", 1], (first, second)):
        assert reader.read(asked) == Difference(first, second), asked
    assert reader.read("A - C") == Logit(2, "A - C") and reader.read(" a  - b") == Difference(
        first, second
    )
    for asked, said in (
        ("A - X", "X"),
        ("X - A", "X"),
        ("X - Y", "X - Y"),
        (("A", "B", "C"), "tuple"),
    ):
        with pytest.raises(ex.Refusal, match=said):
            reader.read(asked)
    assert reader.two_sides("X - Y") is None and reader.two_sides(3) is None
    assert reader.is_pair((1, 2)) and not reader.is_pair("ab") and not reader.is_pair((1, 2, 3))


# --------------------------------------------------------------------------------- all the tasks


def test_what_a_task_is_by_default():
    task = Task()
    assert (task.networks, task.hint, task.introduction, task.most_shown) == ((), "", "", None)
    assert (task.has_classes, task.head, task.menu(None), task.logit_unit(None)) == (
        False,
        (),
        (),
        "logit",
    )
    assert task.continuation(Logit(0, "A")) == "" and not task.fits(SimpleNamespace(net=1))
    for call in (
        lambda: task.encode(None, 1),
        lambda: task.encode_tensors(None, {}),
        lambda: task.answer(None, 1, {}, None),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_labels_have_a_number_where_they_are_equal_or_unknown():
    config = SimpleNamespace(id2label={"0": "a", 1: "b", 2: "b"})
    model = SimpleNamespace(net=SimpleNamespace(config=config), head_width=None)
    assert Task().labels(model) == {0: "a", 1: "b (1)", 2: "b (2)"}
    model.head_width = 4
    assert Task().labels(model) == {0: "a", 1: "b (1)", 2: "b (2)", 3: "LABEL_3"}
    model.head_width = 2
    assert Task().labels(model) == {0: "a", 1: "b"}
    config.id2label = None
    assert Task().labels(model) == {0: "LABEL_0", 1: "LABEL_1"}


def test_what_each_task_takes_and_which_networks_it_is_for():
    said = {key: (task.takes, task.networks, task.has_classes) for key, task in TASKS.items()}
    assert said == {
        "match_picture": ((kinds.PICTURE_AND_TEXTS,), (), True),
        "match_text": ((kinds.PICTURE_AND_TEXTS,), (), True),
        "answers": ((kinds.QUESTION,), ("QuestionAnswering",), False),
        "tags": ((kinds.TEXT,), ("TokenClassification",), False),
        "next_token": ((kinds.PROMPT,), ("CausalLM", "LMHead"), False),
        "picture_classes": ((kinds.PICTURE,), (), True),
        "classes": ((kinds.TEXT, kinds.PAIR), (), True),
    }
    heads = {key: task.head for key, task in TASKS.items() if task.head}
    assert heads == {"answers": ("qa_outputs",), "tags": ("classifier",)}
    cuts = {key: task.cut for key, task in TASKS.items() if isinstance(task, TextTask)}
    assert cuts == {
        "answers": "second",
        "tags": "longest",
        "next_token": "beginning",
        "classes": "longest",
    }
    assert TASKS["next_token"].introduction == "next: " and TASKS["next_token"].most_shown == 5
    reading = [key for key, task in TASKS.items() if task.reads_texts and task.sees_pictures]
    assert sorted(reading) == ["match_picture", "match_text"]
    assert not TASKS["picture_classes"].reads_texts and not TASKS["classes"].sees_pictures


def test_texts_are_told_from_everything_else():
    assert is_texts(("a",)) and is_texts(["a", "b"])
    for given in ("a", (), [], ("a", 1), None, {"a": 1}):
        assert not is_texts(given), given


# --------------------------------------------------------------------------------- dual encoders


def test_a_picture_is_matched_with_one_text_to_a_thousand():
    assert picture_and_texts(("p", "a")) == ("p", ["a"])
    assert picture_and_texts(["p", ("a", "b")]) == ("p", ["a", "b"])
    assert len(picture_and_texts(("p", ["a"] * 1000))[1]) == 1000
    for given, said in (
        ("pa", "give both, as"),
        (("p",), "give both, as"),
        (("p", []), "Give at least one text"),
        (("p", ["a", 1]), "Give at least one text"),
        (("p", ["a"] * 1001), "at most 1,000 texts; got 1,001.$"),
    ):
        with pytest.raises(ex.Refusal, match=said):
            picture_and_texts(given)
    assert numbered("text", 2) == ("text 0", "text 1")
    check_filled([" "])
    check_filled(["a", "b"])
    with pytest.raises(ex.Refusal, match=r"^Text 2 of 2 is empty"):
        check_filled(["a", " "])


# ------------------------------------------------------------------------------------- next tokens


class Pieces:
    """A tokenizer of four tokens: a, b with a space, half a character, and none."""

    names = ("a", "_b", "half", None)

    def convert_ids_to_tokens(self, ids):
        return [self.names[i] for i in ids]

    def convert_tokens_to_string(self, names):
        return {"half": "\ufffd"}.get(names[0], names[0].replace("_", " "))

    def __call__(self, text, add_special_tokens):
        assert add_special_tokens is False
        return {"input_ids": [0] * len(text)}


def test_tokens_are_texts_or_else_the_tokenizers_own_names():
    assert vocabulary(Pieces(), 4, 4) == {0: "a", 1: " b", 2: "half", 3: "3"}
    assert text_of(Pieces(), "half") == "" and text_of(Pieces(), "_b") == " b"


def test_a_token_by_its_text_or_its_number():
    labels = {0: "a", 1: " b", 2: "7", 3: "a", 11: "k", 12: "x"}
    reader = TokenReader(labels, SimpleNamespace(tokenizer=Pieces()))
    for asked, index in (("a", 3), (" b", 1), ("b", 1), ("7", 2), ("#11", 11), ("11", 11), (0, 0)):
        assert reader.named(asked) == Logit(index, labels[index]), asked
    assert reader.by_text("") is None and reader.by_text("zz") is None
    assert reader.pieces("xy") == ["a", "a"] and reader.pieces(" ") == []
    assert TokenReader(labels, SimpleNamespace(tokenizer=None)).pieces("xy") == []
    with pytest.raises(
        ex.Refusal, match=r"^'zz' is 2 tokens in this model \('a', 'a'\), and the model"
    ):
        reader.named("zz")
    with pytest.raises(ex.Refusal, match=r"^'z{9}' is 9 tokens .*\((?:'a', ){7}'a'\)"):
        reader.named("z" * 9)
    with pytest.raises(ex.Refusal, match=r"^'z' is not a token of this model: "):
        reader.named("z")
    assert type(reader.predicted()) is PredictedClass


# -------------------------------------------------------------------------------- classes by value


def labelled(*names: str, regression: bool = False) -> SimpleNamespace:
    """A model that only says what its classes are called."""
    config = SimpleNamespace(id2label=dict(enumerate(names)))
    net = SimpleNamespace(config=config)
    return SimpleNamespace(net=net, head_width=None, is_regression=regression)


def test_a_prediction_names_the_best_classes_of_the_first_example():
    logits = torch.tensor([[0.0, 2.0, 1.0], [9.0, 0.0, 0.0]])
    answer = Answer(None, logits)
    found = TASKS["classes"].predict(labelled("a", "b", "c"), None, answer)
    assert found.labels == ["b", "c", "a"] and found.kind == "probability"
    assert found.values == pytest.approx(logits[0].softmax(0)[[1, 2, 0]].tolist())
    assert TASKS["classes"].best(found) == "b"
    reader = TASKS["classes"].reader(labelled("a", "b"), None)
    assert type(reader) is ClassReader and reader.labels == {0: "a", 1: "b"}
    assert TASKS["classes"].target(labelled("a", "b"), None, "b") == Logit(1, "b")
    assert TASKS["classes"].menu(labelled("a", "b")) == ("a", "b")


def test_a_regression_has_values_and_a_classifier_logits():
    assert TASKS["classes"].logit_unit(labelled("a", regression=True)) == "value"
    assert TASKS["classes"].logit_unit(labelled("a")) == "logit"
    assert TASKS["match_text"].logit_unit(labelled("a")) == "scaled cosine"


def test_a_picture_task_takes_pictures_and_their_tensors():
    model = tiny("vit")
    given = example("vit")
    coded = TASKS["picture_classes"].encode_tensors(model, given)
    assert coded.grid == model.grid(given["pixel_values"])
    assert torch.equal(coded.tensors["pixel_values"], given["pixel_values"])
    with pytest.raises(ex.Refusal, match="came without an image processor"):
        TASKS["picture_classes"].encode(model, Image.new("RGB", (8, 8)))
    seeing = replace(model, processor=ViTImageProcessor(size={"height": 28, "width": 28}))
    assert TASKS["picture_classes"].encode(seeing, Image.new("RGB", (8, 8))).text is None


def test_what_is_matched_are_the_candidates():
    coded = Encoded({}, ["a"], torch.tensor([False]), candidates=("x", "y"))
    for key in ("match_picture", "match_text"):
        assert TASKS[key].classes(None, coded) == {0: "x", 1: "y"}
        assert TASKS[key].menu(None, ["x", "y"]) == ("x", "y") and TASKS[key].menu(None) == ()
        assert TASKS[key].count_labels(None) is None


def test_tensors_of_the_traced_side_are_taken_with_what_they_are_matched_with():
    side = tiny("clip.text")
    own = {name: tensor[:1] for name, tensor in example("clip.text").items()}
    coded = side.task.encode_tensors(side, own | {"matched": torch.ones(1, 1, 4)})
    assert coded.tensors["matched"].shape == (1, 1, 4) and coded.candidates == ()
    with pytest.raises(ex.Refusal, match="its tensors are pixel_values and input_ids"):
        side.task.encode_tensors(side, {"input_ids": own["input_ids"]})


def test_a_name_that_is_no_token_is_repeated_up_to_sixty_characters():
    reader = TokenReader({0: "a"}, SimpleNamespace(tokenizer=Pieces()))
    with pytest.raises(ex.Refusal, match=rf"^'{'z' * 60}' is 70 tokens"):
        reader.named("z" * 70)
    alone = TokenReader({0: "a"}, SimpleNamespace(tokenizer=None))
    with pytest.raises(ex.Refusal, match=rf"^'{'z' * 60}' is not a token"):
        alone.named("z" * 70)


def test_a_next_token_follows_one_text_and_is_read_at_the_last_one():
    with pytest.raises(
        ex.Refusal, match=r"the next token of one text: give one text, not a pair.$"
    ):
        TASKS["next_token"].encode_pair(None, ("a", "b"))
    with pytest.raises(ex.Refusal, match=r"got a tuple of 3"):
        TASKS["next_token"].encode_pair(None, ("a", "b", "c"))
    logits = torch.arange(12.0).view(1, 3, 4)
    outputs = SimpleNamespace(logits=logits)
    model = SimpleNamespace(
        anatomy=SimpleNamespace(readout="last"),
        at_readout=lambda logits, inputs, attended: logits[:, -1],
        class_answer=Answer,
    )
    found = TASKS["next_token"].answer(model, outputs, {}, None)
    assert found.logits.tolist() == [[8, 9, 10, 11]] and found.outputs is outputs
    model.anatomy.readout = "first"
    none = TASKS["next_token"].answer(model, outputs, {}, None)
    assert none.class_logits is None and none.outputs is outputs


@pytest.mark.parametrize("texts", [["t" * 50], ["t" * 50, "u"]], ids=len)
def test_a_text_that_is_cut_is_named_among_several(texts, monkeypatch):
    """Features and what was cut off, of a picture with one text and with two."""
    read = Encoded({}, ["a"], torch.tensor([False]), left_out=2)
    seen = Encoded({"pixel_values": torch.zeros(1)}, ["p"], torch.tensor([False]))
    monkeypatch.setattr("explainers.tasks.match.from_picture", lambda model, picture: seen)
    monkeypatch.setattr("explainers.tasks.match.from_text", lambda model, given: read)
    reader = SimpleNamespace(features=lambda tensors: torch.ones(1, 4))
    model = SimpleNamespace(side=lambda name: reader)
    coded = TASKS["match_picture"].encode(model, ("p", texts))
    assert coded.candidates == tuple(texts) and coded.labels == ["p"]
    assert set(coded.tensors) == {"pixel_values", "matched"}
    assert coded.tensors["matched"].shape == (1, len(texts), 4)
    note = "The model reads 1 tokens; 2 more were left out."
    if len(texts) == 1:
        assert coded.remarks == (note,)
    else:
        assert coded.remarks == (f"“{'t' * 40} …”: {note}", f"“u …”: {note}")


def test_tensors_of_both_sides_give_the_features_of_the_other(monkeypatch):
    other = SimpleNamespace(features=lambda tensors: torch.ones(2, 4))
    model = SimpleNamespace(side=lambda name: other)
    bare = Encoded({}, ["a"], torch.tensor([False]))
    for name in ("from_ids", "from_pixel_values"):
        made = lambda model, tensors: replace(bare, tensors=tensors)
        monkeypatch.setattr(f"explainers.tasks.match.{name}", made)
    pictures, texts = {"pixel_values": torch.zeros(1)}, {"input_ids": torch.zeros(1)}
    for key, what, own in (("match_picture", "text", pictures), ("match_text", "picture", texts)):
        coded = TASKS[key].encode_both(model, pictures, texts)
        assert coded.candidates == (f"{what} 0", f"{what} 1")
        assert set(coded.tensors) == {*own, "matched"}
        assert coded.tensors["matched"].shape == (1, 2, 4)

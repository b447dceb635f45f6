"""A task answers for its models what the page, the command line and the evaluation ask of them."""

import pytest
import torch
from tiny import tiny
from tokenizers_of import reading, word_pieces
from transformers import BertConfig, BertForQuestionAnswering, BertForTokenClassification

import explainers as ex
from explainers.inputs import kinds
from explainers.outputs import Answer
from explainers.scores import Custom, Logit, Span
from explainers.tasks import TASKS, Task, task_of
from explainers.tasks.answers import best_answers
from explainers.tasks.classes import Classes

WORDS = ("who", "wrote", "it", "mary", "in", "may")

#: A tiny model of each task.
MODELS = {
    "classes": lambda: tiny("bert"),
    "picture_classes": lambda: tiny("vit"),
    "next_token": lambda: tiny("gpt2"),
    "match_picture": lambda: tiny("clip.vision"),
    "match_text": lambda: tiny("clip.text"),
    "answers": lambda: reading(word_pieces(*WORDS), BertForQuestionAnswering, BertConfig),
    "tags": lambda: reading(word_pieces(*WORDS), BertForTokenClassification, BertConfig),
}


def test_every_task_has_a_model_here_and_stands_under_its_key():
    assert set(MODELS) == set(TASKS)
    assert all(task.key == key for key, task in TASKS.items())


@pytest.mark.parametrize("key", TASKS)
def test_the_task_of_a_model_is_chosen_once(key):
    model = MODELS[key]()
    assert model.task is TASKS[key] and task_of(model) is model.task


@pytest.mark.parametrize("key", TASKS)
def test_a_task_says_which_inputs_it_takes(key):
    task = TASKS[key]
    assert task.takes and all(isinstance(kind, kinds.InputKind) for kind in task.takes)
    assert task.reads_texts == any(kind.texts for kind in task.takes)
    assert task.sees_pictures == (key in ("picture_classes", "match_picture", "match_text"))
    assert task.does and not task.does.endswith(".")


def test_menus_offer_what_a_target_may_be():
    reader, viewer = MODELS["classes"](), MODELS["picture_classes"]()
    assert reader.task.menu(reader) == tuple(reader.labels.values())
    assert viewer.task.menu(viewer) == tuple(viewer.labels.values())
    matcher = MODELS["match_picture"]()
    assert matcher.task.menu(matcher, ["a cat", "a dog"]) == ("a cat", "a dog")
    for key in ("next_token", "tags"):  # what may be written is said by the hint
        assert TASKS[key].menu(MODELS[key]()) == () and TASKS[key].hint


@pytest.mark.parametrize("word", TASKS["answers"].menu(None))
def test_each_word_of_the_menu_of_answers_is_a_target(word):
    model = MODELS["answers"]()
    given = ("who wrote it", "mary wrote it in may")
    target = model.target_of(given, word)
    assert model.trace(given, word).score.isfinite() and target is not None


def test_what_is_predicted_can_be_named():
    said = ex.Prediction(["mary", "may"], [0.9, 0.1], "probability")
    assert {key: task.best(said) for key, task in TASKS.items()} == {
        **dict.fromkeys(TASKS, "mary"),
        "answers": "answer",
    }


def test_units_of_a_single_logit():
    units = {key: MODELS[key]().task.logit_unit(MODELS[key]()) for key in TASKS}
    assert units == {
        **dict.fromkeys(TASKS, "logit"),
        **dict.fromkeys(("match_picture", "match_text"), "scaled cosine"),
    }


def test_only_the_next_token_goes_on_with_the_text():
    target = Logit(3, " Paris")
    for key, task in TASKS.items():
        assert task.continuation(target) == (" Paris" if key == "next_token" else "")
    assert TASKS["next_token"].continuation(Custom(torch.sum)) == ""
    assert {key for key, task in TASKS.items() if task.introduction} == {"next_token"}


@pytest.mark.parametrize("key", ["classes", "picture_classes", "match_picture", "match_text"])
def test_where_there_are_classes_a_logit_of_one_is_explained(key):
    assert TASKS[key].has_classes


@pytest.mark.parametrize("key", ["answers", "tags", "next_token"])
def test_elsewhere_there_are_none(key):
    assert not TASKS[key].has_classes


def test_a_task_more_is_a_class_and_a_row(monkeypatch):
    """A masked-word task in a dozen lines: encoded like a text, read at the mask."""

    class MaskedWord(Classes):
        key = "masked_word"
        networks = ("SequenceClassification",)
        fits = Task.fits
        does = "fills in the masked word of a text"

        def reader(self, model, coded):
            from explainers.tasks.answers import AnswerReader

            class First(AnswerReader):
                def predicted(self):
                    return Span(((0, 0, 1.0),), "the first")

            return First(coded)

    tasks = {"masked_word": MaskedWord(), **TASKS}
    monkeypatch.setattr("explainers.tasks.TASKS", tasks)
    model = reading(word_pieces(*WORDS))
    assert model.task.key == "masked_word"
    assert model.target_of("mary wrote it").name == "the first"


def test_the_characters_of_a_token_are_there_or_missed():
    coded = MODELS["tags"]().encode("mary wrote it")
    assert [coded.text[slice(*coded.span_of(token))] for token in (1, 2, 3)] == [
        "mary",
        "wrote",
        "it",
    ]
    with pytest.raises(LookupError, match="has no characters"):
        coded.span_of(0)


@pytest.mark.parametrize("asked", ["best span", "mary", (0, 4)])
def test_an_answer_that_is_asked_for_is_never_no_answer(asked):
    """Not even where the logits of the first token, which mean "no answer", are the largest."""
    model = MODELS["answers"]()
    coded = model.encode(("who wrote it", "mary wrote it in may"))
    logits = torch.zeros(1, len(coded.labels), 2)
    logits[0, 0] = 9.0
    answer = Answer(None, None, logits)
    assert model.task.target(model, coded, None).resolve(answer, 0).span is None
    assert model.task.target(model, coded, asked).resolve(answer, 0).span is not None
    best = best_answers(logits[0], model.task.target(model, coded, "best span"))
    assert best.best == "no answer in this text", "a prediction may be that there is none"


@pytest.mark.parametrize("pair", [tuple, list])
def test_a_question_and_its_context_are_a_pair_in_any_brackets(pair):
    """A list means a batch elsewhere and gets a note; one text alone is no input of this task."""
    given = pair(["who wrote it", "mary wrote it"])
    assert MODELS["answers"]().encode(given).remarks == ()
    assert len(MODELS["tags"]().encode(given).remarks) == (pair is list)


@pytest.mark.parametrize(
    "where, token", [("wrote it", 2), ("WROTE IT", 2), ("rote it", None), ("it in", 3)]
)
def test_several_words_are_labelled_where_the_first_one_is(where, token):
    model = MODELS["tags"]()
    coded = model.encode("mary wrote it in may")
    if token is None:
        with pytest.raises(ex.Refusal, match="neither a word of this text"):
            model.task.target(model, coded, f"LABEL_1 at {where}")
    else:
        assert model.task.target(model, coded, f"LABEL_1 at {where}").places == (token,)


def test_a_token_is_no_name_where_there_is_no_tokenizer():
    model = MODELS["next_token"]()
    assert model.tokenizer is None and model.labels[7] == "7"
    ids = {"input_ids": [5, 6, 7]}
    assert model.target_of(ids, "#7") == model.target_of(ids, 7) == Logit(7, "7")
    for asked in ("film", " ", ""):
        with pytest.raises(ex.Refusal, match="is not a token of this model"):
            model.target_of(ids, asked)


def test_the_side_of_the_text_explains_one_text():
    model = ex.load("image-text", device="cpu").side("text")
    with pytest.raises(ex.Refusal, match="one text at a time"):
        model.encode((ex.photo("cat"), ["a cat", "a dog"]))
    assert model.encode((ex.photo("cat"), ["a cat"])).candidates == ("the picture",)

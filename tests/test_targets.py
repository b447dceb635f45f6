"""What a person may ask to have explained, and what is said when it is not there."""

import math
from dataclasses import replace

import pytest
import torch
from tiny import IDS, SIZE, example, random_model, tiny, varied
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Tokenizer,
)

import explainers as ex
from explainers.methods import METHODS
from explainers.outputs import Answer
from explainers.scores import Custom, Difference, Logit, Span
from explainers.tasks.answers import AnswerTarget
from explainers.tasks.reading import ClassReader

LABELS = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}


def small_bert(labels: int, **settings) -> ex.Model:
    """A BERT of this many classes, with random weights that are the same every time."""
    torch.manual_seed(labels)
    config = BertConfig(
        vocab_size=200,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=24,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=0.4,
        **settings,
    )
    return ex.load(BertForSequenceClassification(config), device="cpu", dtype=torch.float64)


@pytest.fixture(scope="module")
def trace():
    return tiny("bert").trace(example("bert"), 0)


# -------------------------------------------------------------------------------- names and numbers


@pytest.mark.parametrize(
    "asked, index", [(0, 0), (2, 2), ("0", 0), ("NEGATIVE", 0), ("negative", 0), ("Positive", 2)]
)
def test_a_class_is_a_label_in_any_case_or_an_index(asked, index):
    assert ClassReader(LABELS).read(asked) == Logit(index, LABELS[index])


def test_a_class_of_several_names_has_each_and_two_of_one_name_are_told_apart():
    model = small_bert(4, id2label={0: "lynx, catamount", 1: "crane", 2: "crane", 3: "dog"})
    assert model.labels == {0: "lynx, catamount", 1: "crane (1)", 2: "crane (2)", 3: "dog"}
    assert [
        ClassReader(model.labels).read(asked).index
        for asked in ("Lynx", "catamount", "crane (2)", 2)
    ] == [0, 0, 2, 2]
    with pytest.raises(ex.Refusal, match="did you mean 'crane"):
        ClassReader(model.labels).read("crane")


def test_class_zero_is_explained_when_asked_for_not_the_predicted_one(trace):
    predicted = tiny("bert").trace(example("bert"))
    assert trace.target.index == 0 and predicted.target.index == 2
    assert trace.score == trace.logits[0] and predicted.score == predicted.logits.max()


def test_labels_that_differ_in_case_only_are_told_apart():
    labels = {0: "it", 1: "IT"}
    assert ClassReader(labels).read("IT").index == 1 and ClassReader(labels).read("it").index == 0


def test_a_label_that_is_a_number_wins_over_the_index():
    assert ClassReader({0: "1", 1: "2"}).read("1").index == 0


@pytest.mark.parametrize("asked", [-1, 3, 999, "3"])
def test_a_class_that_is_not_there_is_refused_with_the_range(asked):
    with pytest.raises(ex.Refusal, match="classes 0 to 2"):
        ClassReader(LABELS).read(asked)


@pytest.mark.parametrize("asked", [True, False, 1.5, [1], {"a": 1}, (True, False), b"NEGATIVE"])
def test_what_is_no_target_is_refused(asked):
    with pytest.raises(ex.Refusal, match="label"):
        ClassReader(LABELS).read(asked)


@pytest.mark.parametrize(
    "asked, meant", [("POSTIVE", "POSITIVE"), ("negativ", "NEGATIVE"), ("neutrl", "NEUTRAL")]
)
def test_a_misspelt_label_gets_the_nearest_one_and_the_menu(asked, meant):
    with pytest.raises(ex.Refusal) as refusal:
        ClassReader(LABELS).read(asked)
    assert f"did you mean {meant!r}?" in str(refusal.value)
    assert all(label in str(refusal.value) for label in LABELS.values())


def test_a_long_menu_and_a_long_question_are_cut():
    with pytest.raises(ex.Refusal) as refusal:
        ClassReader({i: f"class number {i}" for i in range(1000)}).read("x" * 10_000)
    assert "970 more" in str(refusal.value) and len(str(refusal.value)) < 1000


@pytest.mark.parametrize("asked", ["", " ", "<script>alert(1)</script>"])
def test_strange_strings_are_refused_not_explained(asked):
    with pytest.raises(ex.Refusal):
        ClassReader(LABELS).read(asked)


# -------------------------------------------------------------------------------------- differences


@pytest.mark.parametrize(
    "asked",
    [
        (2, 0),
        ["POSITIVE", "negative"],
        "POSITIVE - NEGATIVE",
        "positive − negative",
        (2, "NEGATIVE"),
    ],
)
def test_a_pair_is_a_difference(asked):
    target = ClassReader(LABELS).read(asked)
    assert (target.first.index, target.second.index) == (2, 0)
    assert target.name == "POSITIVE − NEGATIVE" and target.poles == (
        "towards NEGATIVE",
        "towards POSITIVE",
    )


def test_labels_may_hold_hyphens_and_minus_signs():
    labels = {0: "sci-fi", 1: "non - fiction", 2: "a - b - c"}
    assert ClassReader(labels).read("non - fiction") == Logit(1, "non - fiction")
    assert ClassReader(labels).read("sci-fi") == Logit(0, "sci-fi")
    assert ClassReader(labels).read(("sci-fi", "non - fiction")).name == "sci-fi − non - fiction"


@pytest.mark.parametrize("asked", [(1, 1), "NEUTRAL - neutral", (0, "NEGATIVE")])
def test_a_class_minus_itself_is_refused(asked):
    with pytest.raises(ex.Refusal, match="always zero"):
        ClassReader(LABELS).read(asked)


def test_a_difference_scores_the_difference_of_the_logits(trace):
    difference = tiny("bert").trace(example("bert"), (2, 0))
    assert difference.score == trace.logits[2] - trace.logits[0]


def test_signed_first_order_scores_of_a_difference_are_the_difference_of_the_scores(trace):
    second = tiny("bert").trace(example("bert"), 2)
    difference = tiny("bert").trace(example("bert"), (2, 0))
    for key in ("grads", "cat", "attcat", "input_x_gradient"):
        torch.testing.assert_close(
            METHODS[key](difference),
            METHODS[key](second) - METHODS[key](trace),
            rtol=1e-9,
            atol=1e-12,
        )


# ---------------------------------------------------------------------------------------- functions


def test_a_function_of_the_outputs_is_a_target():
    trace = tiny("bert").trace(example("bert"), lambda outputs: outputs.logits.softmax(-1)[:, 1])
    torch.testing.assert_close(trace.score, trace.logits.softmax(-1)[1])
    assert isinstance(trace.target, Custom) and trace.target.name == "custom score"
    assert torch.isfinite(METHODS["attcat"](trace)).all()


def test_a_custom_target_can_have_a_name():
    target = Custom(lambda outputs: outputs.logits.sum(-1), "sum of the logits", ("less", "more"))
    trace = tiny("bert").trace(example("bert"), target)
    assert trace.target.name == "sum of the logits" and trace.target.poles == ("less", "more")
    torch.testing.assert_close(trace.score, trace.logits.sum())


@pytest.mark.parametrize(
    "function",
    [lambda outputs: outputs.logits, lambda outputs: outputs.logits.sum(), lambda outputs: 1.0],
)
def test_a_function_that_gives_no_score_an_example_is_refused(function):
    with pytest.raises(ex.Refusal, match="one score an example"):
        tiny("bert").trace(example("bert"), function)


def test_a_score_that_does_not_depend_on_the_input_has_zero_slopes_or_is_refused():
    """The model's own weights are frozen in the bundled models, so nothing would be there to
    differentiate.
    """
    try:
        trace = tiny("bert").trace(
            example("bert"), lambda outputs: torch.zeros(len(outputs.logits), dtype=torch.float64)
        )
    except ex.Refusal:
        return
    assert not trace.grad.hidden.any()


# ------------------------------------------------------------------------------ the predicted class


@pytest.mark.parametrize("asked", [None, "predicted"])
def test_the_predicted_class_is_the_default(asked):
    trace = tiny("bert").trace(example("bert"), asked)
    assert trace.target == Logit(2, "LABEL_2") and int(trace.logits.argmax()) == 2


def test_the_predicted_class_stays_when_the_input_changes():
    trace = tiny("gpt2").trace(example("gpt2"))
    others = [varied("gpt2", seed, 12) for seed in range(4)]
    changed = trace.again_many(
        inputs={"input_ids": torch.cat([one["input_ids"] for one in others])}
    )
    assert all(int(one.logits.argmax()) != trace.target.index for one in changed), (
        "else this would prove nothing"
    )
    assert all(
        one.target == trace.target and one.score == one.logits[trace.target.index]
        for one in changed
    )
    torch.testing.assert_close(
        trace.rescore({"input_ids": others[0]["input_ids"]})[0], changed[0].score
    )


def test_each_of_many_inputs_has_its_own_predicted_class():
    traces = tiny("gpt2").trace_many([varied("gpt2", seed) for seed in range(4)])
    assert [one.target.index for one in traces] == [int(one.logits.argmax()) for one in traces]
    assert len({one.target.index for one in traces}) > 1


# ---------------------------------------------------------------------------- models of other sizes


def test_a_regression_model_has_one_class_and_its_value_is_explained():
    model = small_bert(1)
    trace = model.trace(varied("bert", 0))
    assert trace.target.index == 0 and trace.score == trace.logits[0]
    prediction = ex.predict(model, varied("bert", 0))
    assert prediction.kind == "value" and prediction.values == [float(trace.score)]
    with pytest.raises(ex.Refusal):
        model.trace(varied("bert", 0), 1)


def test_a_thousand_labels_are_explained_and_named():
    model = small_bert(1000)
    trace = model.trace(varied("bert", 0), 999)
    assert trace.target.name == "LABEL_999" and trace.score == trace.logits[999]
    assert len(ex.predict(model, varied("bert", 0)).labels) == 1000
    assert (
        model.trace(varied("bert", 0), "label_998 - label_0").target.name == "LABEL_998 − LABEL_0"
    )


def test_any_labels_name_the_classes():
    names = ["", "a, b", "<b>", "ünïcode 🎬", "x" * 300]
    model = small_bert(5, id2label=dict(enumerate(names)))
    for index, name in enumerate(names):
        if name:
            assert model.trace(varied("bert", 0), name).target == Logit(index, name)


def test_labels_each_by_itself_are_read_as_such():
    model = small_bert(3, problem_type="multi_label_classification")
    prediction, trace = ex.predict(model, varied("bert", 0)), model.trace(varied("bert", 0), 1)
    assert prediction.kind == "probability of each label by itself"
    assert prediction.values[prediction.labels.index("LABEL_1")] == pytest.approx(
        float(trace.score.sigmoid())
    )
    assert float(trace.again(target=trace.target.as_probability()).score) == pytest.approx(
        float(trace.score.sigmoid())
    )


def test_a_match_of_its_own_has_a_probability_of_its_own():
    model = tiny("siglip.vision")
    trace = model.trace(example("siglip.vision"))
    assert float(trace.again(target=trace.target.as_probability()).score) == pytest.approx(
        float(trace.score.sigmoid())
    )


def test_the_next_token_of_a_language_model_is_a_class():
    trace = tiny("gpt2").trace(example("gpt2"))
    assert trace.logits.shape == (200,) and trace.target.index == int(trace.logits.argmax())
    assert tiny("gpt2").trace(example("gpt2"), 7).score == trace.logits[7]


def test_a_logit_that_the_model_does_not_have_says_what_to_do():
    with pytest.raises(ex.Refusal, match="function of its outputs"):
        tiny("bert-qa-2label").trace(example("bert"), Logit(0, "a class"))
    with pytest.raises(ex.Refusal, match="function of its outputs"):
        tiny("bert").trace(example("bert"), Span(((3, 0, 1.0),), "a place"))


# --------------------------------------------------------------------- what methods ask of a target


def test_columns_say_which_logits_a_score_is_made_of():
    first, second = Logit(2, "b"), Logit(0, "a")
    assert first.columns(5) == [(5, 2, 1.0)]
    assert Difference(first, second).columns(5) == [(5, 2, 1.0), (5, 0, -1.0)]
    answer, none = Span(((3, 0, 1.0), (4, 1, 1.0)), "x"), Span(((0, 0, 1.0), (0, 1, 1.0)), "none")
    assert Difference(answer, none).columns(9) == [
        (3, 0, 1.0),
        (4, 1, 1.0),
        (0, 0, -1.0),
        (0, 1, -1.0),
    ]
    for target in (Custom(lambda outputs: outputs), first.as_probability()):
        with pytest.raises(ex.Refusal, match="not a sum of logits"):
            target.columns(0)


@pytest.mark.parametrize("asked", [1, (2, 0), None])
def test_a_probability_is_the_softmax_of_the_class(trace, asked):
    one = tiny("bert").trace(example("bert"), asked)
    likely = tiny("bert").trace(example("bert"), one.target.as_probability())
    shares = trace.logits.softmax(-1)
    torch.testing.assert_close(
        likely.score, shares[2] - shares[0] if asked == (2, 0) else shares[1 if asked == 1 else 2]
    )
    assert (
        likely.target.name == f"probability of {one.target.name}"
        and likely.target.poles == one.target.poles
    )
    assert likely.target.as_probability() is likely.target
    again = one.again(target=likely.target)
    torch.testing.assert_close(again.score, likely.score)
    torch.testing.assert_close(
        one.rescore(varied("bert", 1, 12), likely.target)[0],
        one.again(inputs=varied("bert", 1, 12), target=likely.target).score,
    )


def test_what_has_no_probability_is_refused():
    with pytest.raises(ex.Refusal, match="no probability"):
        Custom(lambda outputs: outputs.logits[:, 0]).as_probability()
    model = small_bert(1)
    with pytest.raises(ex.Refusal, match="no probability"):
        model.trace(varied("bert", 0), Logit(0, "value").as_probability())


# ------------------------------------------------------------------------- the answer to a question

ASKED = ("was the film good?", "the actors were good but the movie was boring")


@pytest.fixture(scope="module")
def finder(word_tokenizer) -> ex.Model:
    """The tiny question-answering BERT with words to read."""
    return ex.load(tiny("bert-qa-2label").net, tokenizer=word_tokenizer, device="cpu")


def ends(model, inputs) -> torch.Tensor:
    return model.answer(model.encode(inputs).tensors).token_logits[0].detach()


def test_the_best_answer_lies_in_the_context_and_ends_after_it_starts(finder):
    logits, coded = ends(finder, ASKED), finder.encode(ASKED)
    best = max(
        (float(logits[i, 0] + logits[j, 1]), i, j)
        for i in range(len(logits))
        for j in range(i, len(logits))
        if coded.segments[i] == 1 == coded.segments[j]
    )
    trace = finder.trace(ASKED, "best span")
    assert trace.target.terms == ((best[1], 0, 1.0), (best[2], 1, 1.0)) and float(
        trace.score
    ) == pytest.approx(best[0])
    assert trace.target.span == best[1:] and trace.read_at == sorted({*best[1:]})
    assert trace.target.name == f"“{coded.text[coded.spans[best[1]][0] : coded.spans[best[2]][1]]}”"


def test_an_answer_is_not_longer_than_thirty_tokens():
    logits = torch.zeros(60, 2)
    logits[2, 0] = logits[50, 1] = 10
    logits[20, 1] = 1
    ends = AnswerTarget(
        (False, *[True] * 59), lambda first, last: f"{first} to {last}", may_be_none=False
    )
    assert ends.resolve(Answer(None, None, logits[None]), 0).span == (2, 20)


@pytest.mark.parametrize("lift, name", [(50.0, "no answer in this text"), (-50.0, "“")])
def test_no_answer_wins_by_the_logits_of_the_first_token(finder, lift, name):
    coded = finder.encode(ASKED)
    logits = ends(finder, ASKED)[None].clone()
    logits[0, 0] += lift
    target = finder.task.target(finder, coded, None).resolve(Answer(None, None, logits), 0)
    assert target.name.startswith(name) and (target.span is None) == (lift > 0)
    best = finder.task.target(finder, coded, "best span").resolve(Answer(None, None, logits), 0)
    assert best.name.startswith("“"), "the best span can be asked for all the same"
    none = finder.task.target(finder, coded, "no answer").resolve(Answer(None, None, logits), 0)
    assert (
        none.terms == ((0, 0, 1.0), (0, 1, 1.0))
        and none.readout(torch.eye(12)[9]).tolist() == [1.0] + [0.0] * 11
    )


@pytest.mark.parametrize("asked", ["actors were", "ACTORS WERE", "“actors were”", (4, 15), (5, 13)])
def test_an_answer_is_chosen_by_its_words_or_its_characters(finder, asked):
    trace = finder.trace(ASKED, asked)
    words = [
        finder.encode(ASKED).labels[i]
        for i in range(trace.target.span[0], trace.target.span[1] + 1)
    ]
    assert words == ["actors", "were"] and trace.target.name == "“actors were”"
    logits = ends(finder, ASKED)
    assert float(trace.score) == pytest.approx(
        float(logits[trace.target.span[0], 0] + logits[trace.target.span[1], 1])
    )


def test_of_an_answer_that_stands_there_twice_the_likelier_is_explained(finder):
    inputs = ("was it good?", "good and good and good")
    coded, logits = finder.encode(inputs), ends(finder, inputs)
    places = [
        i for i, label in enumerate(coded.labels) if label == "good" and coded.segments[i] == 1
    ]
    assert (
        finder.trace(inputs, "good").target.span[0]
        == max(places, key=lambda i: float(logits[i].sum()))
        and len(places) == 3
    )


@pytest.mark.parametrize(
    "asked, says",
    [
        ("film", "not in the context"),
        ((40, 60), "45 characters"),
        ((3, 3), "characters 3 to 3"),
        ((-4, 2), "no token"),
        ("", "explained by answer"),
        (3, "explained by answer"),
        (("good", "good"), "choose two"),
        ("answer - nonsense", "not in the context"),
        ("good - film", "not in the context"),
    ],
)
def test_an_answer_that_is_not_there_is_refused_in_words(finder, asked, says):
    with pytest.raises(ex.Refusal, match=says) as refused:
        finder.trace(ASKED, asked)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_an_answer_behind_the_model_s_window_is_refused_with_the_reason(finder):
    inputs = ("was it good?", "the movie was bad " * 30 + "but the actors were good")
    assert finder.encode(inputs).lost[0] == 0 < finder.encode(inputs).lost[1]
    for asked in ("actors", (540, 548)):
        with pytest.raises(ex.Refusal, match="end before"):
            finder.trace(inputs, asked)
    assert finder.trace(inputs, "movie").target.name == "“movie”"


def test_a_question_and_its_context_belong_together(finder):
    for given, says in (
        (ASKED[0], "give both"),
        ((ASKED[0], " "), "context is empty"),
        (("", ASKED[1]), "question is empty"),
        (("good " * 80, "bad"), "question alone"),
    ):
        with pytest.raises(ex.Refusal, match=says):
            finder.trace(given)


def test_the_answer_stays_where_it_is_when_the_input_changes(finder):
    trace = finder.trace(ASKED, "best span")
    where = torch.zeros(3, len(trace.attended), dtype=torch.bool)
    where[0, 1] = where[1, 9] = where[2, trace.read_at] = True
    changed = trace.again_many(inputs=trace.fill(where, "mask"))
    assert all(one.target == trace.target and one.read_at == trace.read_at for one in changed)
    torch.testing.assert_close(
        trace.rescore(trace.fill(where, "mask")), torch.stack([one.score for one in changed])
    )


def test_each_of_many_questions_has_its_own_answer(finder):
    several = [
        ASKED,
        ("was the film bad?", "the movie was boring but the actors were good"),
        ("was the film good?", "the actors were bad but the movie was good"),
    ]
    alone = [finder.trace(one, "best span") for one in several]
    together = finder.trace_many(several, ["best span"] * 3)
    assert [one.target for one in together] == [one.target for one in alone]
    torch.testing.assert_close(
        torch.stack([one.score for one in together]), torch.stack([one.score for one in alone])
    )


def test_the_difference_of_two_answers_and_of_an_answer_and_none(finder):
    logits = ends(finder, ASKED)
    good, boring = (finder.trace(ASKED, word) for word in ("good", "boring"))
    difference = finder.trace(ASKED, "good - boring")
    torch.testing.assert_close(difference.score, good.score - boring.score)
    assert difference.target.poles == ("towards “boring”", "towards “good”") and torch.equal(
        difference.readout, (good.readout + boring.readout) / 2
    )
    margin = finder.trace(ASKED, "best span - no answer")
    torch.testing.assert_close(
        margin.score, finder.trace(ASKED, "best span").score - logits[0].sum()
    )
    torch.testing.assert_close(
        METHODS["attcat"](difference),
        METHODS["attcat"](good) - METHODS["attcat"](boring),
        rtol=1e-9,
        atol=1e-12,
    )


def test_the_probability_of_an_answer_is_its_ends_halved(finder):
    shares = ends(finder, ASKED).softmax(0)
    trace = finder.trace(ASKED, "actors were")
    first, last = trace.target.span
    torch.testing.assert_close(
        trace.again(target=trace.target.as_probability()).score,
        (shares[first, 0] + shares[last, 1]) / 2,
    )


def test_a_prediction_names_answers_and_no_answer(finder):
    said = ex.predict(finder, ASKED)
    assert (
        said.kind == "probability"
        and "no answer in this text" in said.labels
        and len(said.labels) == 5
    )
    assert said.values == sorted(said.values, reverse=True) and sum(said.values) <= 1 + 1e-9
    assert all(label == "no answer in this text" or label in ASKED[1] for label in said.labels)
    logits = ends(finder, ASKED)
    margin = float(finder.trace(ASKED, "best span").score - logits[0].sum())
    best = next(
        value for label, value in zip(said.labels, said.values) if label != "no answer in this text"
    )
    none = said.values[said.labels.index("no answer in this text")]
    assert math.log(best / none) == pytest.approx(margin)


# ----------------------------------------------------------------------------------- the next token


@pytest.fixture(scope="module")
def writer() -> ex.Model:
    """The tiny GPT-2 with a byte-level vocabulary: some words have a token of their own, with and
    without a space before.
    """
    alphabet = [letter for letter in sorted(ByteLevel.alphabet()) if letter.isascii()] + [
        "Ġ",
        "Ã",
        "©",
    ]
    names = [
        *dict.fromkeys(alphabet),
        "Ġg",
        "oo",
        "Ġgoo",
        "Ġgood",
        "goo",
        "good",
        "Ġb",
        "ad",
        "Ġbad",
    ]
    merges = [
        ("Ġ", "g"),
        ("o", "o"),
        ("Ġg", "oo"),
        ("Ġgoo", "d"),
        ("g", "oo"),
        ("goo", "d"),
        ("Ġ", "b"),
        ("a", "d"),
        ("Ġb", "ad"),
    ]
    vocabulary = {name: i for i, name in enumerate(names)} | {"<|endoftext|>": 199}
    return ex.load(
        tiny("gpt2").net, tokenizer=GPT2Tokenizer(vocab=vocabulary, merges=merges), device="cpu"
    )


def test_the_vocabulary_is_readable(writer):
    names = set(writer.labels.values())
    assert {" good", "good", " bad", "a"} <= names and "Ġgood" not in names
    assert len(writer.labels) == 200 and all(writer.labels.values())


@pytest.mark.parametrize(
    "asked, name",
    [
        (" good", " good"),
        ("good", "good"),
        (" bad", " bad"),
        ("bad", " bad"),
        (" bad −  good", None),
        ("bad - good", None),
    ],
)
def test_a_next_token_is_named_by_its_text(writer, asked, name):
    trace = writer.trace("not so", asked)
    vocabulary = {text: i for i, text in writer.labels.items()}
    if name:
        assert (
            trace.target == Logit(vocabulary[name], name)
            and trace.score == trace.logits[vocabulary[name]]
        )
    else:
        assert trace.target.first.name == " bad" and trace.target.second.name.strip() == "good"


def test_a_next_token_is_named_by_its_id(writer):
    good = next(i for i, text in writer.labels.items() if text == " good")
    for asked in (good, str(good), f"#{good}"):
        assert writer.trace("so", asked).target == Logit(good, " good")


@pytest.mark.parametrize(
    "asked, says",
    [
        ("goodbye", "tokens in this model"),
        ("", "no token"),
        ("#999", "classes 0 to 199"),
        (999, "classes 0 to 199"),
    ],
)
def test_what_is_not_one_token_is_refused_in_words(writer, asked, says):
    with pytest.raises(ex.Refusal, match=says):
        writer.trace("so", asked)


def test_five_next_tokens_are_predicted(writer):
    said = ex.predict(writer, "not so good")
    logits = writer.trace("not so good").logits
    assert len(said.labels) == 5 and said.values == sorted(said.values, reverse=True)
    assert (
        said.values[0] == pytest.approx(float(logits.softmax(-1).max()))
        and said.best == writer.trace("not so good").target.name
    )


def test_what_comes_next_follows_the_end_of_a_long_text(writer):
    coded = writer.encode("good " * 100 + "bad")
    assert (
        len(coded.labels) == writer.max_tokens == 64
        and coded.text[slice(*coded.spans[-1])] == "bad"
    )
    assert coded.left_out == len(writer.tokenizer("good " * 100 + "bad")["input_ids"]) - 64


def test_nothing_comes_next_after_a_pair(writer):
    with pytest.raises(ex.Refusal, match="one text"):
        ex.explain(writer, ("not so", "good"))


def test_the_space_before_a_word_is_no_part_of_it(writer):
    coded = writer.encode("not so good")
    assert [coded.text[slice(*span)] for span in coded.spans][-1] == "good"
    heat = ex.explain(writer, "not so good", target=" bad")
    assert heat.pending == " bad" and "good" in heat.merged().labels


# ------------------------------------------------------------------------------ the label of a word


@pytest.fixture(scope="module")
def tagger(word_tokenizer) -> ex.Model:
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=200,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=24,
        max_position_embeddings=64,
        id2label={0: "O", 1: "PERSON", 2: "PLACE"},
        initializer_range=0.4,
    )
    return ex.load(
        BertForTokenClassification(config),
        tokenizer=word_tokenizer,
        device="cpu",
        dtype=torch.float64,
    )


def test_a_word_s_label_is_explained_at_its_place(tagger):
    text = "the actors were unbelievable"
    coded = tagger.encode(text)
    logits = tagger.answer(coded.tensors).token_logits[0].detach()
    for asked, token, column in (
        ("PLACE at actors", 2, 2),
        ("person at 3", 3, 1),
        ("O at unbelievable", 4, 0),
    ):
        trace = tagger.trace(text, asked)
        assert (
            trace.target.terms == ((token, column, 1.0),)
            and trace.read_at == [token]
            and trace.score == logits[token, column]
        )
        torch.testing.assert_close(
            trace.again(target=trace.target.as_probability()).score,
            logits[token].softmax(-1)[column],
        )
    assert tagger.trace(text, "PLACE at actors").target.name == "PLACE at actors"
    best = tagger.trace(text).target.terms[0]
    words = logits[1:-1, 1:]
    assert words[best[0] - 1, best[1] - 1] == words.max()
    assert tagger.trace(text, "PLACE at actors - O at actors").score == logits[2, 2] - logits[2, 0]
    heat = ex.explain(tagger, text, target="PLACE at actors")
    assert heat.text[slice(*heat.marked)] == "actors"


@pytest.mark.parametrize(
    "kind", ["Bert", "Roberta", "DistilBert", "Electra", "Albert", "ModernBert", "GPT2"]
)
def test_taggers_of_every_architecture(kind):
    """A label is read at its word, and DecompX, where it goes, follows the vectors into the
    tagger's head.
    """
    net = random_model(
        f"{kind}ForTokenClassification",
        **SIZE | IDS | ({"embedding_size": 24} if kind in ("Albert", "Electra") else {}),
    )
    model, inputs = ex.load(net, device="cpu", dtype=torch.float64), varied("bert", 0)
    trace, logits = model.trace(inputs, "LABEL_2 at 4"), net(**inputs).logits[0]
    assert trace.read_at == [4] and trace.score == pytest.approx(float(logits[4, 2].detach()))
    assert " at " in ex.predict(model, inputs).labels[0]
    if kind in ("ModernBert", "GPT2"):
        with pytest.raises(ex.Refusal):
            METHODS["decompx"](trace)
    else:
        assert float(METHODS["decompx"](trace).sum()) == pytest.approx(float(trace.score), rel=1e-9)


def test_words_are_predicted_by_label(tagger):
    said = ex.predict(tagger, "the actors were good")
    assert all(" at " in label and not label.startswith("O ") for label in said.labels)
    for asked in ("PLACE at nowhere", "PLACE at 99", "NOTHING at actors", "99 at actors"):
        with pytest.raises(ex.Refusal):
            tagger.trace("the actors were good", asked)


def test_characters_the_wrong_way_round_are_said_to_be():
    model = ex.load("question-answering", device="cpu")
    with pytest.raises(ex.Refusal, match="from comes first; got"):
        ex.explain(model, ("Who wrote it?", "Mary Shelley wrote it."), "attcat", (5, 2))


ROWS = [key for key, method in METHODS.items() if method.at_readout]
BY_CLASS = [key for key in ROWS if METHODS[key].class_specific]


@pytest.mark.parametrize(
    "key", [*(key for key in ROWS if key not in BY_CLASS and key != "attention_flow"), "grads"]
)
def test_the_row_of_an_answer_is_the_mean_of_those_of_its_ends(finder, key):
    """Where another target gives another map only by the row that is read; of the gradients,
    because they add up.
    """
    trace = finder.trace(ASKED, "actors were")
    whole, start, end = (
        METHODS[key](one)
        for one in (trace, *(finder.trace(ASKED, part) for part, _ in trace.target.parts()))
    )
    assert not torch.equal(start, end)
    torch.testing.assert_close(whole, (start + end) / 2)


@pytest.mark.parametrize("key", ROWS)
def test_the_row_of_a_token_read_twice_is_that_of_the_token(finder, key):
    """An answer of one token: both its logits are read there. "No answer" is read at [CLS], by both
    of its logits as well.
    """
    trace = finder.trace(ASKED, "good")
    assert trace.read_at == [trace.target.span[0]] and trace.readout.sum() == 1
    one_hot = torch.eye(len(trace.attended))[trace.target.span[0]]
    assert torch.equal(METHODS[key](trace), METHODS[key](replace(trace, readout=one_hot)))


def test_a_margin_is_read_from_all_its_logits_alike(finder):
    trace = finder.trace(ASKED, "actors were - no answer")
    first, last = trace.target.first.span
    assert (
        trace.readout[[0, first, last]].tolist() == [0.5, 0.25, 0.25] and trace.readout.sum() == 1
    )
    rows = trace.attention[-1].mean(0)
    torch.testing.assert_close(
        METHODS["raw_attention"](trace), rows[0] / 2 + rows[first] / 4 + rows[last] / 4
    )


@pytest.mark.parametrize(
    "cls, own", [("keep", None), ("zero", lambda row: 0.0), ("min", lambda row: float(row.min()))]
)
def test_of_several_rows_each_loses_the_token_s_own_share(finder, cls, own):
    trace = finder.trace(ASKED, "actors were")
    rows = [
        METHODS["transatt"](replace(trace, readout=torch.eye(len(trace.attended))[i]))
        for i in trace.read_at
    ]
    for row, i in zip(rows, trace.read_at):
        row[i] = row[i] if own is None else own(row)
    torch.testing.assert_close(METHODS["transatt"](trace, cls=cls), sum(rows) / 2)


def test_what_is_read_from_a_mean_is_a_mean_over_all_rows(finder):
    trace = finder.trace(ASKED, "start")
    n = len(trace.attended)
    everywhere = replace(trace, readout=torch.full((n,), 1 / n))
    torch.testing.assert_close(everywhere.read(trace.attention), trace.attention.mean(2))
    torch.testing.assert_close(
        METHODS["raw_attention"](everywhere), trace.attention[-1].mean((0, 1))
    )
    for key in ROWS:
        assert torch.isfinite(METHODS[key](everywhere)).all(), key


def test_a_row_that_is_not_read_may_be_anything(finder):
    trace = finder.trace(ASKED, "start")
    maps = torch.full_like(trace.attention[-1], torch.nan)
    maps[:, trace.read_at] = 0.5
    assert (trace.read(maps) == 0.5).all()


def test_maps_of_rows_say_which_of_a_score_read_from_several_tokens():
    model = ex.load("question-answering", device="cpu")
    given = ("Who wrote it?", "Mary Shelley wrote it.")
    whole, part = (
        ex.compare(model, given, ["gae", "rollout", "attcat"], target)
        for target in ("Mary Shelley", "start")
    )
    assert (
        [len(heat.notes) for heat in whole] == [1, 1, 0]
        and whole[0].notes == whole[1].notes
        and "“mary” and “shelley”" in whole[0].notes[0]
    )
    assert not any(heat.notes for heat in part)
    assert whole.html().count("methods that explain one readout token") == 1

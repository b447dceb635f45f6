"""Answers to questions and labels of words: what is read and chosen, by value."""

from types import SimpleNamespace

import pytest
import torch

import explainers as ex
from explainers.inputs import Encoded
from explainers.outputs import Answer
from explainers.scores import Logit
from explainers.tasks.answers import (
    AnswerReader,
    Answers,
    AnswerTarget,
    best_answers,
    is_characters,
    numbers_of_runs,
    possible_answers,
    question_and_context,
)
from explainers.tasks.tags import (
    TagReader,
    TagTarget,
    best_tags,
    goes_on_by_label,
    words_by_first_token,
)

# -------------------------------------------------------------------------------------------- tags


def words(*labels: str, text: str | None = None, spans=None, numbers=None) -> Encoded:
    special = [label.startswith("[") for label in labels]
    return Encoded({}, list(labels), torch.tensor(special), text, spans, numbers)


SENTENCE = words(
    "[CLS]",
    "ann",
    "##a",
    "saw",
    "ann",
    "[SEP]",
    text="anna saw ann",
    spans=[None, (0, 3), (3, 4), (5, 8), (9, 12), None],
    numbers=[None, 0, 0, 1, 2, None],
)


def test_a_word_stands_at_its_first_token():
    assert words_by_first_token(SENTENCE) == {1: "anna", 3: "saw", 4: "ann"}
    bare = words("[CLS]", "ann", "##a", "saw", "[SEP]")
    assert words_by_first_token(bare) == {1: "ann", 3: "saw"}


@pytest.mark.parametrize(
    ("labels", "goes_on"),
    [
        (("a", "##b"), True),
        (("a", "b"), False),
        (("Ġa", "b"), True),
        (("Ġa", "Ġb"), False),
        (("▁a", "."), False),
        (("▁", "b"), True),
        (("▁.", "b"), False),
        (("Ġa", ""), False),
    ],
)
def test_whether_a_token_goes_on_by_how_it_is_written(labels, goes_on):
    assert goes_on_by_label(labels, 0, 1) is goes_on


def test_labels_of_words_are_named_with_their_word():
    reader = TagReader(SENTENCE, {0: "O", 1: "PER", 2: "LOC"})
    assert reader.predicted().labels == (1, 2) and reader.predicted().places == (1, 3, 4)
    assert TagReader(SENTENCE, {0: "O"}).predicted().labels == (0,)
    assert reader.named("predicted").labels == (0, 1, 2) and reader.named(1).labels == (1,)
    for asked, labels, places in (
        ("PER", (1,), (1, 3, 4)),
        ("PER at ann", (1,), (4,)),
        ("LOC at ANNA", (2,), (1,)),
        ("LOC at 2", (2,), (2,)),
        ("O at ##a", (0,), (2,)),
        ("O at saw ann", (0,), (3,)),
        ("PER at anna (token 2)", (1,), (2,)),
        ("predicted at saw", (0, 1, 2), (3,)),
    ):
        found = reader.named(asked)
        assert (found.labels, found.places) == (labels, places), asked
    assert reader.name_at(1, 1) == "PER at anna" and reader.name_at(2, 2) == "LOC at ##a (token 2)"
    for asked, said in (
        ("PER at 6", "^'6' is neither a word of this text nor one of its 6 token positions.$"),
        ("PER at 0", r"^Token 0 is \[CLS\], which belongs to no word .* from 1 to 4.$"),
        ("PER at [SEP]", "is neither a word"),
    ):
        with pytest.raises(ex.Refusal, match=said):
            reader.named(asked)
    twice = words("a", "a", text="a a", spans=[(0, 1), (2, 3)], numbers=[0, 1])
    assert TagReader(twice, {0: "X"}).name_at(1, 0) == "X at a (token 1)"


def test_the_label_of_a_word_is_the_highest_at_its_places():
    logits = torch.tensor([[[9.0, 0, 0], [0, 1, 2], [0, 5, 5], [0, 5, 1]]])
    answer = Answer(None, None, logits)
    target = TagTarget((1, 2, 3), (1, 2), lambda token, column: f"{column} at {token}")
    found = target.resolve(answer, 0)
    assert (found.terms, found.span, found.among) == (((2, 1, 1.0),), (2, 2), "labels")
    assert (found.name, found.equals) == ("1 at 2", ("2 at 2", "1 at 3"))
    only = TagTarget((1,), (1,), target.name_at)
    one, other = TagTarget((1, 3), (1,), target.name_at), TagTarget((1, 3), (2,), target.name_at)
    first, second = one.at_same_place(other, answer, 0)
    assert first.places == second.places == (3,) and (first.labels, second.labels) == ((1,), (2,))
    assert one.at_same_place(only, answer, 0) == (one, only)
    logit = Logit(0, "A")
    assert one.at_same_place(logit, answer, 0) == (one, logit)


def test_words_with_a_label_are_predicted_the_surest_first():
    logits = torch.tensor([[9.0, 0, 0], [0, 1, 2], [0, 5, 0], [5, 1, 0]])
    target = TagTarget((1, 2, 3), (1, 2), lambda token, column: f"{column} at {token}")
    found = best_tags(logits, target)
    shares = logits.softmax(-1)
    assert found.labels == ["1 at 2", "2 at 1"]
    assert found.values == pytest.approx([float(shares[2, 1]), float(shares[1, 2])])
    none = best_tags(torch.tensor([[9.0, 0, 0], [9, 1, 2], [9, 3, 0], [9, 1, 0]]), target)
    assert none.labels == ["1 at 2"] and len(none.values) == 1


# ----------------------------------------------------------------------------------------- answers

PAIR = Encoded(
    {},
    ["[CLS]", "who", "[SEP]", "ann", "or", "ann", "[SEP]"],
    torch.tensor([True, False, True, False, False, False, True]),
    text="who\nann or ann",
    spans=[None, (0, 3), None, (4, 7), (8, 10), (11, 14), None],
    segments=[None, 0, None, 1, 1, 1, None],
    halves=("question", "context"),
    starts=(0, 4),
    unread=" gone",
)


def test_answers_are_chosen_by_start_and_end():
    logits = torch.zeros(7, 2)
    logits[3, 0], logits[5, 1], logits[0] = 2.0, 1.0, 0.25
    answer = Answer(None, None, logits[None])
    whole = AnswerReader(PAIR).predicted()
    assert whole.may_be_none and whole.context == (False, False, False, True, True, True, False)
    found = whole.resolve(answer, 0)
    assert (found.terms, found.span) == (((3, 0, 1.0), (5, 1, 1.0)), (3, 5))
    assert found.name == "“ann or ann”" and found.equals == ()
    spans, scores = whole.possible(logits)
    assert spans == [(3, 3), (3, 4), (3, 5), (4, 4), (4, 5), (5, 5), (0, 0)]
    assert scores.tolist() == [2, 2, 3, 0, 1, 1, 0.5]
    none = whole.at(0, 0)
    assert (none.name, none.span, none.terms) == (
        "no answer in this text",
        None,
        ((0, 0, 1.0), (0, 1, 1.0)),
    )
    with pytest.raises(ex.Refusal, match=r"There is no token in which an answer could lie"):
        possible_answers(logits, [False] * 7)


def test_an_answer_by_its_name():
    reader = AnswerReader(PAIR)
    assert (
        reader.named("no answer").spans == ((0, 0),) and not reader.named("no answer").may_be_none
    )
    assert not reader.named("Best Span").may_be_none and reader.named("best span").spans == ()
    for word in ("answer", "start", "end"):
        assert reader.named(word).part == word and reader.named(word).may_be_none
    assert reader.named("start").at(3, 4).terms == ((3, 0, 1.0),)
    assert reader.named("end").at(3, 4).terms == ((4, 1, 1.0),)
    assert reader.named("start").at(3, 4).name == "start of “ann or”"
    assert reader.named("“ann”").spans == ((3, 3), (5, 5)) and reader.named("or").spans == ((4, 4),)
    assert reader.named((0, 3)).spans == ((3, 3),) and not reader.named((0, 3)).may_be_none
    for asked, said in (
        ("eve", "^“eve” is not in the context: give a part of it word for word, or one of answer,"),
        ((3, 1), r"from comes first; got \(3, 1\).$"),
        ((3, 3), "^There is no token of the context at characters 3 to 3; it has 15 characters.$"),
        ("gone", "^The 7 tokens that the model reads end before “gone”: shorten the context.$"),
        (" ", "by its first and last character; got ' '.$"),
        (1.5, "got '1.5'.$"),
    ):
        with pytest.raises(ex.Refusal, match=said):
            reader.named(asked)
    assert reader.is_pair(("a", "b")) and not reader.is_pair((0, 3))
    assert (
        is_characters([0, 3]) and not is_characters((0, "a")) and not is_characters((True, False))
    )
    assert not is_characters((0, 1, 2)) and not is_characters("ab")
    bare = Encoded({}, ["a", "b", "c"], torch.tensor([False] * 3))
    assert AnswerReader(bare).words(0, 1) == "a b"
    with pytest.raises(ex.Refusal, match=r"do not say where the question ends"):
        AnswerReader(bare).predicted()


def test_the_best_answers_end_with_no_answer_if_it_is_not_among_them():
    logits = torch.zeros(30, 2)
    logits[:, 0] = torch.arange(30.0)
    logits[0] = -50.0
    target = AnswerTarget((False, *[True] * 29), lambda first, last: f"{first} to {last}")
    found = best_answers(logits, target)
    assert len(found.labels) == 5 and found.labels[-1] == "no answer in this text"
    assert found.labels[:2] == ["29 to 29", "28 to 28"] and found.values[-1] < 1e-20
    assert found.equals == ()
    logits[0] = 50.0
    assert best_answers(logits, target).best == "no answer in this text"


def test_the_question_of_tensors_ends_where_their_segments_or_separators_say():
    special = [True, False, True, False, True]
    assert numbers_of_runs(special) == [-1, 0, 0, 1, 1]
    assert numbers_of_runs([False, False, True, True, False]) == [0, 0, 0, 0, 1]
    labels, flags = list("abcde"), torch.tensor(special)
    assert question_and_context(Encoded({}, labels, flags)) == [None, 0, None, 1, None]
    typed = {"token_type_ids": torch.tensor([[0, 0, 0, 1, 1]])}
    assert question_and_context(Encoded(typed, labels, flags)) == [None, 0, None, 1, None]
    zero = {"token_type_ids": torch.zeros(1, 5, dtype=torch.long)}
    assert question_and_context(Encoded(zero, labels, flags)) == [None, 0, None, 1, None]
    one_text = torch.tensor([True, False, False, False, True])
    assert question_and_context(Encoded({}, labels, one_text)) is None
    three = torch.tensor([False, True, False, True, False])
    assert question_and_context(Encoded({}, labels, three)) is None


def test_padding_is_no_place_for_an_answer():
    outputs = SimpleNamespace(start_logits=torch.zeros(1, 3), end_logits=torch.ones(1, 3))
    attended = torch.tensor([[True, True, False]])
    lengths = []

    def attended_of(inputs, length):
        lengths.append(length)
        return attended

    model = SimpleNamespace(attended=attended_of)
    given = Answers().answer(model, outputs, {}, attended).by_token
    assert given[0].tolist() == [[0, 1], [0, 1], [-torch.inf, -torch.inf]] and lengths == []
    assert torch.equal(Answers().answer(model, outputs, {}, None).by_token, given)
    assert lengths == [3]


def test_tensors_of_one_text_stay_without_a_question():
    config = SimpleNamespace(vocab_size=9)
    tower = SimpleNamespace(config=config)
    model = SimpleNamespace(tokenizer=None, tower=tower, max_tokens=None)
    coded = Answers().encode_tensors(model, {"input_ids": torch.tensor([[1, 2]])})
    assert coded.labels == ["1", "2"] and coded.segments is None and coded.halves == ()
    config.sep_token_id = 8
    coded = Answers().encode_tensors(model, {"input_ids": torch.tensor([[1, 8, 2]])})
    assert coded.segments == [0, None, 1] and coded.halves == ("question", "context")


def test_an_answer_may_be_none_unless_it_is_asked_for():
    bare = AnswerTarget((), str)
    assert bare.may_be_none and bare.part == "answer" and bare.spans == ()

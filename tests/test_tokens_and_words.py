"""The next token, and the label of a word, as what is explained."""

import pytest
import torch
from tiny import IDS, SIZE, random_model, tiny, varied
from tokenizers.pre_tokenizers import ByteLevel
from transformers import BertConfig, BertForTokenClassification, GPT2Tokenizer

import explainers as ex
from explainers.methods import METHODS
from explainers.scores import Logit


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


# ----------------------------------------------------------------------------------- the next token


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
        ("", "is not a token"),
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


# ------------------------------------------------------------------------------ the label of a word


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

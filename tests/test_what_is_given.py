"""What people hand over: texts as pipelines take them, what a tokenizer gave, lists of texts, and
tokenizers of every form."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tiny import example, fresh, tiny
from transformers import AutoTokenizer, BatchEncoding, ByT5Tokenizer

import explainers as ex
from explainers.inputs import encode

PAIR = ("was the film good?", "the actors were good")


@pytest.fixture(scope="module")
def finder(word_tokenizer) -> ex.Model:
    return ex.load(tiny("bert-qa-2label").net, tokenizer=word_tokenizer, device="cpu")


def same(one, other) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors
    )


# ------------------------------------------------------------------------------------- dictionaries


def test_texts_by_the_names_that_pipelines_use(reader, finder):
    assert same(encode(reader, {"text": "good movie"}), encode(reader, "good movie"))
    assert same(
        encode(reader, {"text": "good movie", "text_pair": None}), encode(reader, "good movie")
    )
    by_name = encode(reader, {"text_pair": PAIR[1], "text": PAIR[0]})
    assert (
        same(by_name, encode(reader, PAIR))
        and by_name.text == "\n".join(PAIR)
        and not by_name.notes
    )
    asked = {"question": PAIR[0], "context": PAIR[1]}
    assert same(encode(finder, asked), encode(finder, PAIR)) and encode(finder, asked).halves == (
        "question",
        "context",
    )
    assert ex.predict(finder, asked) == ex.predict(finder, PAIR)
    torch.testing.assert_close(
        ex.explain(finder, asked, target="best span").scores,
        ex.explain(finder, PAIR, target="best span").scores,
    )


@pytest.mark.parametrize(
    "given",
    [
        {"question": "who?"},
        {"text": "a", "label": "good"},
        {"sentence": "a"},
        {"text": "a", "input_ids": torch.ones(1, 3)},
    ],
)
def test_a_dict_of_other_names_is_refused_with_those_that_do(reader, given):
    with pytest.raises(
        ex.Refusal, match="keys text, text and text_pair, or question and context, and no others"
    ):
        encode(reader, given)


def test_a_question_without_its_context_is_asked_for_it(finder):
    with pytest.raises(ex.Refusal, match="give both"):
        encode(finder, {"text": "was it good?"})


def test_what_a_tokenizer_gives_will_do_in_every_form(reader, word_tokenizer):
    wanted = encode(reader, "good movie")
    beside = {
        "return_offsets_mapping": True,
        "return_special_tokens_mask": True,
        "return_length": True,
    }
    for given in (
        word_tokenizer("good movie"),
        dict(word_tokenizer("good movie")),
        word_tokenizer(["good movie"]),
        word_tokenizer("good movie", return_tensors="pt"),
        word_tokenizer("good movie", return_tensors="pt", **beside),
        word_tokenizer("good movie", **beside),
        word_tokenizer("good movie", return_tensors="np"),
    ):
        assert same(encode(reader, given), wanted)
        assert torch.equal(reader.trace(given, 0).score, reader.trace("good movie", 0).score)
    assert isinstance(word_tokenizer("good movie"), BatchEncoding)


@pytest.mark.parametrize(
    "given",
    [
        {"input_ids": [[1, 2], [3]]},
        {"input_ids": object()},
        {"input_ids": [["a", "b"]]},
        {"input_ids": {"a": 1}},
    ],
)
def test_what_is_no_tensor_is_refused_in_words(reader, given):
    with pytest.raises(ex.Refusal, match="input_ids must be a tensor"):
        encode(reader, given)


def test_several_texts_that_a_tokenizer_gave_together_are_refused(reader, word_tokenizer):
    with pytest.raises(ex.Refusal, match="a list of them to trace_many"):
        encode(reader, word_tokenizer(["good movie", "bad movie"], return_tensors="pt"))


# -------------------------------------------------------------------------------------------- lists


def test_a_list_of_two_texts_says_that_it_was_read_as_a_pair(reader, finder):
    apart, meant = encode(reader, list(PAIR)), encode(reader, PAIR)
    assert same(apart, meant) and meant.notes == []
    assert (
        len(apart.notes) == 1
        and "read as a pair" in apart.notes[0]
        and "trace_many" in apart.notes[0]
    )
    heat = ex.explain(reader, list(PAIR))
    assert heat.notes == apart.notes and "read as a pair" in heat.html()
    assert encode(finder, list(PAIR)).notes == [], "a question and its context are nothing else"
    long = encode(reader, ["good " * 80, "bad"])
    assert len(long.notes) == 2 and "left out" in long.notes[0]


@pytest.mark.parametrize("given", [["good"], ["good", "bad", "dull"], ("good", "bad", "dull")])
def test_other_lists_of_texts_are_refused_with_the_way_to_trace_them(reader, given):
    with pytest.raises(
        ex.Refusal, match=rf"{type(given).__name__} of {len(given)}.*trace_many"
    ) as refused:
        ex.explain(reader, given)
    assert str(refused.value).startswith("Give a text, a pair of texts")
    assert len(reader.trace_many(list(given))) == len(given), "what the sentence advises works"


# --------------------------------------------------------------------------------------- tokenizers


def test_a_tokenizer_s_folder_is_loaded(word_tokenizer, tmp_path):
    word_tokenizer.save_pretrained(tmp_path)
    for place in (tmp_path, str(tmp_path)):
        model = ex.load(fresh("bert").net, tokenizer=place, device="cpu")
        assert model.encode("good movie").labels == ["[CLS]", "good", "movie", "[SEP]"]
    assert type(model.tokenizer) is type(AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/some/folder", "There is no folder /some/folder"),
        ("a/b/c", "There is no folder a/b/c"),
        ("", "neither a bundled model"),
        (".", "holds no tokenizer.json or vocab.txt or vocab.json"),
        ("https://example.org/bert", "is an address, and not that of a model's page"),
    ],
)
def test_what_holds_no_tokenizer_is_refused(given, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ex.ModelUnavailable, match=said):
        ex.load(tiny("bert").net, tokenizer=given)


@pytest.mark.parametrize("name", ["owner/words", "https://huggingface.co/owner/words/tree/main"])
def test_a_tokenizer_is_had_by_its_hub_id(name, word_tokenizer, tmp_path, monkeypatch):
    """Out of the cache that a download left, which is asked before the network is."""
    snapshot = tmp_path / "models--owner--words" / "snapshots" / ("0" * 40)
    word_tokenizer.save_pretrained(snapshot)
    fresh("bert").net.config.save_pretrained(snapshot)
    refs = tmp_path / "models--owner--words" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = ex.load(fresh("bert").net, tokenizer=name, device="cpu")
    assert model.encode("good movie").labels == ["[CLS]", "good", "movie", "[SEP]"]


def test_a_damaged_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ex.ModelUnavailable, match="could not be read"):
        ex.load(tiny("bert").net, tokenizer=tmp_path)


def test_the_tokenizer_is_taken_out_of_a_processor(word_tokenizer):
    model = ex.load(
        fresh("bert").net,
        tokenizer=SimpleNamespace(tokenizer=word_tokenizer, image_processor=None),
        device="cpu",
    )
    assert model.tokenizer is word_tokenizer


@pytest.mark.parametrize("given", [3, object(), SimpleNamespace(tokenizer=7), str.split])
def test_what_is_no_tokenizer_is_refused(given):
    with pytest.raises(ex.ModelUnavailable, match="A tokenizer is one of transformers"):
        ex.load(tiny("bert").net, tokenizer=given)


def test_a_slow_tokenizer_names_tokens_and_does_not_place_them():
    """Its labels are those of tensors, as before; a text is refused."""
    model = ex.load(fresh("bert").net, tokenizer=ByT5Tokenizer(), device="cpu")
    for given in ("good movie", PAIR, {"text": "good movie"}):
        with pytest.raises(ex.Refusal, match="ByT5Tokenizer does not say where its tokens stand"):
            ex.explain(model, given)
    inputs = example("bert")
    assert model.encode(inputs).labels == ByT5Tokenizer().convert_ids_to_tokens(
        inputs["input_ids"][0].tolist()
    )
    assert ex.explain(model, inputs, target=0).scores.any()


@pytest.mark.parametrize("beside", [{}, {"text": "a cat"}, {"text": ["a cat", "a dog"]}])
@pytest.mark.parametrize("name", ["vit", "image-text"])
def test_a_picture_in_a_dict_is_refused_with_what_would_do(name, beside):
    given = {"image": Image.new("RGB", (20, 20))} | beside
    with pytest.raises(ex.Refusal, match=r"given by itself, or with texts as \(picture, texts\)"):
        ex.explain(ex.load(name), given)

"""What tests share. Nothing here needs the network; only `sentiment` needs the bundled weights."""

from pathlib import Path

import pytest
import torch
import transformers
from tiny import fresh
from tokenizers.pre_tokenizers import ByteLevel
from transformers import BertTokenizer, RobertaConfig, RobertaForSequenceClassification, RobertaTokenizer

import explainers as ex

#: Whole words that the tiny tokenizer knows; everything else it spells with pieces of one letter.
WORDS = [
    "the", "movie", "was", "good", "bad", "boring", "not", "really", "did", "like", "this", "a", "film", "and", "it", "is",
    "some", "of", "actors", "were", "but", "over", "love", "hate", "un",
]
PIECES = ["##all", "##believ", "##able", "##ing", "##s", "##n", "##t"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = "0123456789.,!?'’\"-:;()[]/&"


@pytest.fixture(scope="session", autouse=True)
def _quiet_and_quick():
    """No progress bars. One thread: for models this small, sharing the work takes longer than doing it."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def word_tokenizer() -> BertTokenizer:
    """A real WordPiece tokenizer whose vocabulary fits the 200 ids of the tiny BERT."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *MARKS, *PIECES, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    assert len(vocabulary) <= 200
    return BertTokenizer(vocab=vocabulary, model_max_length=64)


@pytest.fixture(scope="session")
def reader(word_tokenizer) -> ex.Model:
    """The tiny BERT with words to read: three classes, NEGATIVE, NEUTRAL and POSITIVE."""
    model = fresh("bert")
    model.net.config.id2label = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}
    return ex.load(model.net, tokenizer=word_tokenizer, device="cpu")


@pytest.fixture(scope="session")
def byte_reader() -> ex.Model:
    """A random RoBERTa whose tokenizer cuts text into bytes: a character can be several tokens."""
    alphabet = sorted(ByteLevel.alphabet())
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *alphabet, "Ġt", "he", "Ġthe", "Ġn", "ot", "Ġnot"]
    tokenizer = RobertaTokenizer(
        vocab={name: i for i, name in enumerate(names)}, model_max_length=96,
        merges=[("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("Ġ", "n"), ("o", "t"), ("Ġn", "ot")])
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=len(names), hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=24,
                           max_position_embeddings=98, num_labels=2, initializer_range=0.4)
    return ex.load(RobertaForSequenceClassification(config), tokenizer=tokenizer, device="cpu", dtype=torch.float64)


@pytest.fixture(scope="session")
def sentiment() -> ex.Model:
    """The bundled sentiment model."""
    return ex.load("sentiment", device="cpu")


@pytest.fixture(scope="session")
def package() -> Path:
    return Path(ex.__file__).parent

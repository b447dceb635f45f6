"""The two small networks, with the tokenizer and the image processor that go with them."""

from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

from .drawings import PATCH, SIDE
from .words import vocabulary

SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def names(classes: tuple[str, ...]) -> dict:
    """The names of classes, as a configuration has them."""
    numbered = dict(enumerate(classes))
    return {"id2label": numbered, "label2id": {name: i for i, name in numbered.items()}}


def reader(classes: tuple[str, ...]) -> BertForSequenceClassification:
    """A BERT for sentences of these words, with random weights."""
    config = BertConfig(
        vocab_size=len(vocabulary()),
        max_position_embeddings=64,
        pad_token_id=0,
        **SIZES,
        **names(classes),
    )
    return BertForSequenceClassification(config)


def viewer(classes: tuple[str, ...]) -> ViTForImageClassification:
    """A Vision Transformer for these drawings, with random weights."""
    config = ViTConfig(image_size=SIDE, patch_size=PATCH, **SIZES, **names(classes))
    return ViTForImageClassification(config)


def tokenizer() -> BertTokenizer:
    """Cuts at spaces and punctuation; a word that is not in the list is [UNK]."""
    return BertTokenizer(vocab=vocabulary(), model_max_length=64)


def processor() -> ViTImageProcessorPil:
    """Makes any picture 64 pixels wide and high."""
    return ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})

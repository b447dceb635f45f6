"""Tokenizers of the kinds that models have, made of a few lines each, with a tiny network that
reads what they give."""

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedTokenizerFast,
)

import explainers as ex

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WRAPPED = processors.TemplateProcessing(
    single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
)


def fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = WRAPPED
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )


def numbered(*pieces: str) -> dict[str, int]:
    return {piece: i for i, piece in enumerate(dict.fromkeys([*SPECIAL, *pieces]))}


def gemma_like(*pieces: str) -> PreTrainedTokenizerFast:
    """Spaces become ▁ and nothing is cut before the pieces; what is unknown is spelled in bytes."""
    tokenizer = Tokenizer(
        models.Unigram(
            [(piece, -1.0) for piece in numbered(*BYTES, "▁", *pieces)],
            unk_id=3,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return fast(tokenizer)


def llama_2_like(*letters: str) -> PreTrainedTokenizerFast:
    """▁ before the text and for each space, no cutting, BPE with bytes for what is unknown; here
    without a single merge."""
    vocabulary = numbered(*BYTES, "▁", *letters)
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return fast(tokenizer)


def unigram(*pieces: str) -> PreTrainedTokenizerFast:
    """As XLM-RoBERTa's: cut at spaces, then into pieces."""
    tokenizer = Tokenizer(
        models.Unigram([(piece, -1.0) for piece in numbered("▁", *pieces)], unk_id=3)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return fast(tokenizer)


def byte_level(*lines: str, cut: bool = True) -> PreTrainedTokenizerFast:
    """As GPT-2's and RoBERTa's; cut=False lets pieces go over spaces and punctuation, as those of a
    superword tokenizer do."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=cut)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(list(lines) * 9, trainer)
    return fast(tokenizer)


def word_pieces(*pieces: str) -> PreTrainedTokenizerFast:
    """As BERT's."""
    tokenizer = Tokenizer(models.WordPiece(numbered(*pieces), unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = (
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
    )
    return fast(tokenizer)


def reading(
    tokenizer: PreTrainedTokenizerFast,
    kind=ModernBertForSequenceClassification,
    config=ModernBertConfig,
    **settings,
) -> ex.Model:
    """A network with random weights for the ids of this tokenizer."""
    torch.manual_seed(0)
    ids = {
        "pad_token_id": 1,
        "cls_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "sep_token_id": 2,
    }
    size = {
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 24,
        "max_position_embeddings": 130,
    }
    net = kind(config(**{"vocab_size": len(tokenizer)} | size | ids | settings))
    return ex.load(net, tokenizer=tokenizer, device="cpu", dtype=torch.float64)

"""From a text, or a pair of texts, to tensors, with the characters of each token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from ..errors import Refusal
from ..words import by_bytes, strip_span, words_of
from .encoded import Encoded
from .tensors import check_ids

if TYPE_CHECKING:
    from ..models import Model

MOST_CHARACTERS = 2_000_000

#: Characters that draw nothing: controls, zero-width joiners and spaces, direction marks.
#: A text of nothing else is empty.
INVISIBLE = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+"
)

#: Where an input that is too long is cut: token by token at the end of the longer text, at the end
#: of the second text, or at the beginning.
Cut = Literal["longest", "second", "beginning"]

#: The first two by the names that tokenizers of transformers have for them.
TRUNCATION = {"longest": "longest_first", "second": "only_second"}


@dataclass(frozen=True)
class Tokens:
    """What a tokenizer made of one or two texts.

    tensors         {name: [token]} what the network takes
    segments        [token] the text that it belongs to, or None for special tokens
    special_tokens  [token] 1 for special tokens, otherwise 0
    offsets         [token] first and last+1 character in its own text
    left_out        how many tokens were cut off
    lost            the same for each text; () if none were
    """

    tensors: dict[str, list[int]]
    segments: list[int | None]
    special_tokens: list[int]
    offsets: list[tuple[int, int]]
    left_out: int
    lost: tuple[int, ...]


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text."""
    return not INVISIBLE.sub("", text)


def from_text(
    model: Model, texts: tuple[str, ...], names: tuple[str, ...] = (), cut: Cut = "longest"
) -> Encoded:
    """One text, or two, as an input of `model`.

    names: what the two texts are called; () for a single text. cut: where an input that is too
    long is cut. Raises `Refusal` for empty texts, and for a model without a fast tokenizer.
    """
    tokenizer = fast_tokenizer(model)
    check_texts(texts, names or ("text",))
    texts = tuple(map(without_surrogates, texts))
    tokens = tokenize(tokenizer, texts, options_of(model), model.max_tokens, cut)
    special_tokens = torch.tensor(tokens.special_tokens).bool()
    if special_tokens.all():
        raise Refusal("The tokenizer finds nothing to read in this text.")
    tensors = {}
    for name, numbers in tokens.tensors.items():
        tensors[name] = torch.tensor([numbers], device=model.net.device)
    check_ids(model, tensors)
    text = "\n".join(texts)
    starts = (0, len(texts[0]) + 1)[: len(texts)]
    spans = spans_in(text, starts, tokens)
    end = max(last for _, last in filter(None, spans))  # what is not read is not carried along
    return Encoded(
        tensors=tensors,
        labels=tokenizer.convert_ids_to_tokens(tokens.tensors["input_ids"]),
        special_tokens=special_tokens,
        text=text[:end],
        spans=spans,
        words=words_of(text[:end], spans),
        segments=tokens.segments if names else None,
        halves=names,
        starts=starts,
        left_out=tokens.left_out,
        lost=tokens.lost,
        unread=text[end:],
    )


def fast_tokenizer(model: Model) -> Any:
    """The model's tokenizer. Raises `Refusal` if it has none that says where its tokens stand."""
    if model.tokenizer is None:
        raise Refusal(
            "This model came without a tokenizer: pass one to load(...), or give tensors."
        )
    if not model.tokenizer.is_fast:
        kind = type(model.tokenizer).__name__
        raise Refusal(
            f"{kind} does not say where its tokens stand in a text: load the model with "
            "its fast tokenizer (AutoTokenizer gives it where there is one), "
            "or give tensors."
        )
    return model.tokenizer


def check_texts(texts: Sequence[str], names: Sequence[str]) -> None:
    """Raise `Refusal` for an empty text, and for too many characters."""
    for text, name in zip(texts, names):
        if is_blank(text):
            raise Refusal(f"The {name} is empty: type something to explain.")
    characters = sum(map(len, texts))
    if characters > MOST_CHARACTERS:
        raise Refusal(
            f"This text has {characters:,} characters; at most {MOST_CHARACTERS:,} can be read."
        )


def without_surrogates(text: str) -> str:
    """The text with a question mark for each lone surrogate, on which tokenizers fail."""
    return text.encode("utf-8", "replace").decode()


def options_of(model: Model) -> dict[str, Any]:
    """What the tokenizer is asked for."""
    options: dict[str, Any] = {
        "return_offsets_mapping": True,
        "return_special_tokens_mask": True,
        "verbose": False,
    }
    if model.anatomy.readout == "very last":
        # SigLIP was trained on padded texts, and attends to the padding
        options["padding"] = "max_length"
        options["max_length"] = model.max_tokens
        options["return_attention_mask"] = False
    return options


def tokenize(
    tokenizer: Any, texts: tuple[str, ...], options: dict[str, Any], limit: int | None, cut: Cut
) -> Tokens:
    """The tokens of one text or two, at most `limit`.

    Raises `Refusal` if the first text alone fills the limit and only the second one may be cut.
    """
    coded = tokenizer(*texts, **options)
    before = coded.sequence_ids()
    left_out, first = 0, 0
    if limit and len(before) > limit:
        left_out = len(before) - limit
        if cut == "beginning":
            first = left_out
        else:
            if cut == "second":
                check_question(before, limit)
            options = options | {"truncation": TRUNCATION[cut], "max_length": limit}
            coded = tokenizer(*texts, **options)
    segments = coded.sequence_ids()[first:]
    lost: tuple[int, ...] = ()
    if left_out:
        lost = tuple(before.count(half) - segments.count(half) for half in range(len(texts)))
    columns = {name: numbers[first:] for name, numbers in coded.items()}
    return Tokens(
        special_tokens=columns.pop("special_tokens_mask"),
        offsets=columns.pop("offset_mapping"),
        tensors=columns,
        segments=segments,
        left_out=left_out,
        lost=lost,
    )


def check_question(segments: list[int | None], limit: int) -> None:
    """Raise `Refusal` if a question and the special tokens leave no room for its context."""
    question = segments.count(0)
    if segments.count(None) + question >= limit:
        raise Refusal(
            f"The question alone has {question:,} tokens; "
            f"the model reads {limit} of question and context together."
        )


def spans_in(text: str, starts: Sequence[int], tokens: Tokens) -> list[tuple[int, int] | None]:
    """[token] first and last+1 character in `text`, None for special tokens.

    Byte-level tokenizers count the space before a word as a part of it; here it is none.
    """
    spans: list[tuple[int, int] | None] = []
    for (first, last), half in zip(tokens.offsets, tokens.segments):
        if half is None:
            spans.append(None)
        else:
            spans.append(strip_span(text, first + starts[half], last + starts[half]))
    return by_bytes(text, spans)

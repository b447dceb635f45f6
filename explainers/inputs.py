"""From what a person gives to what a network takes, and back: tensors, and a label and a place in the text for each token."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import Refusal
from .heatmap import tight

#: Words that tokenizers cut at the apostrophe although readers do not: didn't, l'homme.
APOSTROPHE = re.compile(r"(?<!\w)\w++(?:['’]\w++)+")     # possessive: a megabyte without a space stays linear

MOST_CHARACTERS = 2_000_000

#: Characters that draw nothing: controls, zero-width joiners and spaces, direction marks. They alone are no text.
INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, eq=False)
class Encoded:
    """One input, ready to run.

    tensors   what the network takes, batch axis of one
    labels    [token] as the tokenizer writes them: [CLS], un, ##believable
    special   [token] bool: tokens that stand for no text
    text      what was given; the halves of a pair are joined by a line break
    spans     [token] first and last+1 character in `text`, None for specials
    words     [token] the number of the word the token belongs to, None for specials
    segments  [token] the half of a pair that the token belongs to: 0, 1, or None for specials; None for a single text
    halves    what the halves are: "first text" and "second text", or "question" and "context"
    starts    the first character of each half in `text`
    left_out  tokens past the model's limit, not seen by it; lost says how many in each half
    unread    the characters at the end that were left out
    """

    tensors: dict[str, Tensor]
    labels: list[str]
    special: Tensor
    text: str | None = None
    spans: list[tuple[int, int] | None] | None = None
    words: list[int | None] | None = None
    segments: list[int | None] | None = None
    halves: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    left_out: int = 0
    lost: tuple[int, ...] = ()
    unread: str = ""

    @property
    def notes(self) -> list[str]:
        """What a reader must know of this input: how much of it the model does not see, and where."""
        if not self.left_out:
            return []
        missing = [f"{count:,} of the {half}" for half, count in zip(self.halves, self.lost) if count]
        where = "were left out." if not self.halves else f"were left out: {' and '.join(missing)}."
        return [f"The model reads {len(self.labels)} tokens; {self.left_out:,} more {where}"]


def encode(model, given) -> Encoded:
    """Text, a pair of texts, or ready tensors for `model`. Raises `Refusal` for what holds nothing to explain."""
    if hasattr(given, "keys"):
        return from_tensors(model, {name: torch.as_tensor(tensor) for name, tensor in given.items()})
    if isinstance(given, str) and model.task == "answer":
        raise Refusal("This model looks for the answer to a question in a context: give both, as (question, context).")
    if isinstance(given, str):
        return from_text(model, (given,))
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(half, str) for half in given):
        return from_text(model, tuple(given))
    raise Refusal(f"Give a text, a pair of texts, or a dict of tensors; got {type(given).__name__}.")


def from_tensors(model, tensors: dict[str, Tensor]) -> Encoded:
    tensors = {name: tensor.to(model.net.device) for name, tensor in tensors.items()}
    if model.anatomy.sees != "text":
        if "pixel_values" not in tensors or tensors["pixel_values"].ndim != 4:
            raise Refusal("Tensors for an image model need pixel_values of shape (1, channels, height, width).")
        patches = tokens_of_image(model, tensors["pixel_values"])
        return Encoded(tensors, [str(i) for i in range(patches)], torch.arange(patches) == 0)
    if "input_ids" not in tensors or tensors["input_ids"].ndim != 2 or 0 in tensors["input_ids"].shape:
        raise Refusal("Tensors for a text model need input_ids of shape (1, tokens).")
    if len(tensors["input_ids"]) > 1 and "pixel_values" not in tensors:
        raise Refusal(f"Give one example at a time, or a list of them to trace_many; these tensors hold {len(tensors['input_ids'])}.")
    ids = tensors["input_ids"][0].tolist()
    vocabulary = model.tower.config.vocab_size
    if min(ids) < 0 or max(ids) >= vocabulary:
        raise Refusal(f"Token ids go from 0 to {vocabulary - 1} in this model; got {min(ids)} to {max(ids)}.")
    if model.max_tokens and len(ids) > model.max_tokens:
        raise Refusal(f"This model reads at most {model.max_tokens} tokens; these tensors hold {len(ids)}.")
    config = model.tower.config
    known = {getattr(model.tokenizer or config, f"{kind}_token_id", None) for kind in ("bos", "eos", "pad", "cls", "sep")}
    labels = model.tokenizer.convert_ids_to_tokens(ids) if model.tokenizer else [str(i) for i in ids]
    special = torch.tensor([i in known for i in ids])
    segments = None
    if model.task == "answer" and "token_type_ids" in tensors and tensors["token_type_ids"].any():
        segments = [None if other else kind for kind, other in zip(tensors["token_type_ids"][0].tolist(), special.tolist())]
    return Encoded(tensors, labels, special, segments=segments, halves=("question", "context") if segments else ())


def tokens_of_image(model, pixels: Tensor) -> int:
    side = model.tower.config.patch_size
    return 1 + (pixels.shape[-2] // side) * (pixels.shape[-1] // side)


def names_of(model, halves: int) -> tuple[str, ...]:
    if halves == 1:
        return ()
    return ("question", "context") if model.task == "answer" else ("first text", "second text")


def from_text(model, texts: tuple[str, ...]) -> Encoded:
    if model.tokenizer is None:
        raise Refusal("This model came without a tokenizer: pass one to load(...), or give tensors.")
    halves = names_of(model, len(texts))
    for text, what in zip(texts, halves or ("text",)):
        if not INVISIBLE.sub("", text):
            raise Refusal(f"The {what} is empty: type something to explain.")
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise Refusal(f"This text has {sum(map(len, texts)):,} characters; at most {MOST_CHARACTERS:,} can be read.")
    texts = tuple(text.encode("utf-8", "replace").decode() for text in texts)  # lone surrogates break tokenizers
    wanted = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    coded = model.tokenizer(*texts, **wanted, verbose=False)
    length, limit, lost, first = len(coded["input_ids"]), model.max_tokens, (), 0
    if limit and length > limit:
        whole = coded.sequence_ids()
        if model.task == "next":
            first = length - limit                          # what comes next follows the end of the text
        elif model.task == "answer" and whole.count(None) + whole.count(0) >= limit:
            raise Refusal(f"The question alone has {whole.count(0):,} tokens; the model reads {limit} of question and context together.")
        else:
            how = "only_second" if model.task == "answer" else "longest_first"
            coded = model.tokenizer(*texts, **wanted, truncation=how, max_length=limit)
        lost = tuple(whole.count(half) - coded.sequence_ids()[first:].count(half) for half in range(len(texts)))
    sequence, word_ids, coded = coded.sequence_ids()[first:], coded.word_ids()[first:], {name: ids[first:] for name, ids in coded.items()}
    special = torch.tensor(coded.pop("special_tokens_mask")).bool()
    offsets = coded.pop("offset_mapping")
    if special.all():
        raise Refusal("The tokenizer finds nothing to read in this text.")
    text, starts = "\n".join(texts), (0, len(texts[0]) + 1)[:len(texts)]
    # without the space that byte-level tokenizers keep before a word
    spans = [None if half is None else tight(text, a + starts[half], b + starts[half]) for (a, b), half in zip(offsets, sequence)]
    end = max(span[1] for span in spans if span)            # what was left out is not carried along
    return Encoded(
        tensors={name: torch.tensor([ids], device=model.net.device) for name, ids in coded.items()},
        labels=model.tokenizer.convert_ids_to_tokens(coded["input_ids"]),
        special=special, text=text[:end], spans=spans, words=words_of(text[:end], spans, word_ids, sequence),
        segments=sequence if halves else None, halves=halves, starts=starts,
        left_out=max(0, length - limit) if limit else 0, lost=lost, unread=text[end:],
    )


def words_of(text: str, spans: list, word_ids: list, sequence: list) -> list[int | None]:
    """Number the words: pieces that the tokenizer cut out of one word, and words with an apostrophe inside, are one."""
    apostrophes = {i: match.start() for match in APOSTROPHE.finditer(text) for i in range(match.start(), match.end())}
    names = [None if span is None else ("'", apostrophes[span[0]]) if span[0] in apostrophes else (half, word)
             for span, half, word in zip(spans, sequence, word_ids)]
    order = {name: number for number, name in enumerate(dict.fromkeys(name for name in names if name is not None))}
    return [None if name is None else order[name] for name in names]

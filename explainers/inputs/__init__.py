"""From what a person gives to what a network takes, and back: tensors, and for each token a label and a place in the text or picture."""

import re
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import Refusal
from ..pictures import open_picture
from ..processors import Lens, lens_of, pixels_of
from ..words import by_bytes, strip_span, words_of

MOST_CHARACTERS = 2_000_000

#: Characters that draw nothing: controls, zero-width joiners and spaces, direction marks. They alone are no text.
INVISIBLE = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+"
)


@dataclass(frozen=True, eq=False)
class Encoded:
    """One input, ready to run.

    tensors   what the network takes, batch axis of one
    labels    [token] as the tokenizer writes them: [CLS], un, ##believable; of a patch its place: row 1, column 3
    special_tokens [token] bool: tokens that stand for no text and no patch
    text      what was given; the halves of a pair are joined by a line break
    spans     [token] first and last+1 character in `text`, None for specials
    words     [token] the number of the token's word (see `explainers.words`), None for specials
    segments  [token] the half of a pair that the token belongs to: 0, 1, or None for specials; None for a single text
    halves    what the halves are: "first text" and "second text", or "question" and "context"
    starts    the first character of each half in `text`
    left_out  tokens past the model's limit, not seen by it; lost says how many in each half
    unread    the characters at the end that were left out
    grid      (rows, columns) of a picture's patches, which are the last tokens; None for text
    picture   the part of a picture that the model sees, in RGB, tiled evenly by the grid; of a
              photo sharper than the model sees it
    seen      the same as the model sees it: a pixel for each that it gets
    remarks   what else a reader must know
    candidates what a dual encoder matches it with: the texts of a picture, or "the picture" of a text
    """

    tensors: dict[str, Tensor]
    labels: list[str]
    special_tokens: Tensor
    text: str | None = None
    spans: list[tuple[int, int] | None] | None = None
    words: list[int | None] | None = None
    segments: list[int | None] | None = None
    halves: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    left_out: int = 0
    lost: tuple[int, ...] = ()
    unread: str = ""
    grid: tuple[int, int] | None = None
    picture: Image.Image | None = None
    seen: Image.Image | None = None
    candidates: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a reader must know of this input: how much of it the model does not see, and where."""
        if not self.left_out:
            return list(self.remarks)
        missing = [
            f"{count:,} of the {half}" for half, count in zip(self.halves, self.lost) if count
        ]
        where = "were left out." if not self.halves else f"were left out: {' and '.join(missing)}."
        return [
            f"The model reads {len(self.labels)} tokens; {self.left_out:,} more {where}",
            *self.remarks,
        ]


def encode(model, given) -> Encoded:
    """What `model` takes: text, a pair of texts, a picture, (picture, texts) of a dual encoder, or ready tensors.

    Texts may be named as pipelines name them: text and text_pair, or question and context. Raises
    `Refusal` for what holds nothing to explain.
    """
    if hasattr(given, "keys"):
        given = dict(given)
        if any(isinstance(value, Image.Image) for value in given.values()):
            raise Refusal(
                "A picture is given by itself, or with texts as (picture, texts): "
                "a dict holds tensors, or texts by their names."
            )
        if not any(isinstance(value, str) for value in given.values()):
            return from_tensors(model, as_tensors(given))
        given = named_texts(given)
    if model.is_dual_encoder:
        return from_both(model, given)
    if model.anatomy.modality == "image":
        return from_picture(model, given)
    if isinstance(given, str) and model.task == "answer":
        raise Refusal(
            "This model looks for the answer to a question in a context: give both, as (question, context)."
        )
    if isinstance(given, str):
        return from_text(model, (given,))
    if isinstance(given, tuple | list) and given and all(isinstance(text, str) for text in given):
        return from_several(model, given)
    raise Refusal(
        f"Give a text, a pair of texts, or a dict of tensors; got {type(given).__name__}."
    )


def from_several(model, texts: tuple[str, ...] | list[str]) -> Encoded:
    """Two texts as a pair; of a list, which means a batch elsewhere, with a note that says so."""
    if len(texts) != 2:
        given = f"{type(texts).__name__} of {len(texts)}"
        raise Refusal(
            f"Give a text, a pair of texts, or a dict of tensors; got a {given}. "
            "Several texts are explained one at a time, "
            "or traced together by trace_many([text, text, ...])."
        )
    if model.task == "next":
        raise Refusal("This model says what comes next after one text: give one, not a pair.")
    coded = from_text(model, tuple(texts))
    meant = isinstance(texts, tuple) or model.task == "answer"
    return coded if meant else replace(coded, remarks=(*coded.remarks, READ_AS_A_PAIR))


READ_AS_A_PAIR = (
    "These two texts were read as a pair, one input. "
    "Two texts apart are explained one at a time, or traced together by trace_many([text, text]); "
    "a pair in round brackets, (first, second), is read so without this note."
)

#: What tokenizers give beside what a network takes.
BESIDE = (
    "special_tokens_mask",
    "offset_mapping",
    "length",
    "overflow_to_sample_mapping",
    "overflowing_tokens",
    "num_truncated_tokens",
)


def named_texts(given: dict) -> str | tuple[str, str]:
    """The text or the pair of a dict as pipelines take it."""
    texts = {name: text for name, text in given.items() if text is not None}
    for names in (("text",), ("text", "text_pair"), ("question", "context")):
        if set(texts) == set(names) and all(isinstance(text, str) for text in texts.values()):
            return texts["text"] if names == ("text",) else tuple(texts[name] for name in names)
    raise Refusal(
        "Texts in a dict are named text and text_pair, or question and context, "
        f"and nothing stands beside them; got {', '.join(map(str, list(given)[:8]))}."
    )


def as_tensors(given: dict) -> dict[str, Tensor]:
    """What the network takes out of tensors, arrays, lists, or what a tokenizer gave; a flat list
    of numbers is one example's."""
    made = {}
    for name, value in given.items():
        if name in BESIDE or value is None:
            continue
        try:
            made[name] = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Refusal(
                f"{str(name)[:40]} is no tensor and no list of equally long lists of "
                f"numbers; got {type(value).__name__}."
            ) from error
        if isinstance(value, list) and made[name].ndim == 1:
            made[name] = made[name][None]
    return made


# ------------------------------------------------------------------------------------------------------- pictures

MOST_TEXTS = 1000  # that one picture is matched with
MOST_PATCHES = 2048  # attention maps of a base-sized model fill 5 GB with these
SLIM = 8  # of a picture whose sides are in a larger ratio the ends are cut before its shorter side is resized, or it would be huge
VIEW = 1024  # pixels of the longer side of what views get


def from_picture(model, given) -> Encoded:
    if model.processor is None:
        raise Refusal(
            "This model came without an image processor: pass one to load(...), or give pixel_values."
        )
    picture = without_ends(open_picture(given), model.processor)
    pixels = pixels_of(model.processor, picture).to(model.net.device, model.net.dtype)
    checked_grid(model, pixels)  # before anything is made for a view
    lens = lens_of(model.processor, picture.size)
    return from_pixels(model, pixels, view(picture, lens, as_picture(model.rgb(pixels[0]))))


def without_ends(picture: Image.Image, processor) -> Image.Image:
    """The middle of a slim picture, for processors that see nothing else of it.

    Enlarged, the rest would be huge. What they see is measured on a picture that is not slim.
    Raises `Refusal` where the whole would be enlarged.
    """
    short, long = sorted(picture.size)
    if long <= SLIM * short:
        return picture
    upright = picture.height == long
    slim = lambda ratio: (short, ratio * short) if upright else (ratio * short, short)
    lens, shorter = lens_of(processor, slim(SLIM)), lens_of(processor, slim(SLIM // 2))
    (first, last), (start, end) = (one.inside[upright::2] for one in (lens, shorter))
    if abs((last - first) - (end - start)) <= 0.1 * short:  # of a longer one as much: no ends
        width, height = slim(SLIM)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        if abs(first + last - SLIM * short) <= 0.1 * short:
            return picture.crop((left, top, left + width, top + height))
    elif lens.shape == shorter.shape or lens.shape[0] * lens.shape[1] <= SLIM * short**2:
        return picture  # squeezed into one size, or small
    raise Refusal(
        f"A picture of {picture.width:,} × {picture.height:,} pixels is too slim for this model: "
        f"one side can be {SLIM} times as long as the other at most."
    )


def view(picture: Image.Image, lens: Lens, seen: Image.Image) -> Image.Image:
    """What a lens shows of a photo, sharper than the model sees it.

    seen  what the model sees, from which padding is taken where there is some
    """
    left, top, right, bottom = lens.upright
    inside, padded = lens.inside, lens.inside != lens.upright
    scale = min(1, VIEW / max(right - left, bottom - top))
    if padded:  # no coarser than its padding is
        scale = max(scale, seen.width / (right - left), seen.height / (bottom - top))
    size = max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top)))
    if not padded:
        return lens.mirrored(picture.resize(size, box=inside, reducing_gap=2))
    canvas = lens.mirrored(seen.resize(size, Image.Resampling.NEAREST))
    first = [round(scale * (inside[0] - left)), round(scale * (inside[1] - top))]
    last = [round(scale * (inside[2] - left)), round(scale * (inside[3] - top))]
    part = max(1, last[0] - first[0]), max(1, last[1] - first[1])
    canvas.paste(picture.resize(part, box=inside, reducing_gap=2), tuple(first))
    return lens.mirrored(canvas)


def checked_grid(model, pixels: Tensor) -> tuple[int, int]:
    """(rows, columns) of the patches of pixel_values [1 channel height width].

    Raises `Refusal` where there are none or too many.
    """
    rows, columns = model.grid(pixels)
    if not rows * columns:
        raise Refusal(
            f"A picture of {pixels.shape[-2]} × {pixels.shape[-1]} pixels has not one whole patch "
            "for this model."
        )
    if rows * columns > MOST_PATCHES:
        raise Refusal(
            f"A picture of {rows:,} × {columns:,} patches is too large for this model to be "
            f"recorded: at most {MOST_PATCHES:,} patches can be."
        )
    return rows, columns


def from_pixels(model, pixels: Tensor, picture: Image.Image | None = None) -> Encoded:
    """pixel_values [1 channel height width] as an input; without a `picture` the pixels themselves are the picture.

    Pixels at the right and the bottom that fill no patch are not seen, and cut off the picture.
    """
    rows, columns = grid = checked_grid(model, pixels)
    (tall, wide), (height, width) = model.patch, pixels.shape[-2:]
    seen = as_picture(model.rgb(pixels[0]))
    picture = picture or seen
    across = max(1, round(picture.width * columns * wide / width))
    down = max(1, round(picture.height * rows * tall / height))
    before = model.prefix
    labels = [
        *before,
        *(
            f"row {row + 1}, column {column + 1}"
            for row in range(rows)
            for column in range(columns)
        ),
    ]
    special_tokens = torch.arange(len(labels)) < len(before)
    return Encoded(
        {"pixel_values": pixels},
        labels,
        special_tokens,
        grid=grid,
        picture=picture.crop((0, 0, across, down)),
        seen=seen.crop((0, 0, columns * wide, rows * tall)),
    )


def as_picture(rgb: Tensor) -> Image.Image:
    """[3 height width] of 0 to 1."""
    return Image.fromarray(np.uint8((255 * rgb).round().float().cpu().permute(1, 2, 0)))


@torch.no_grad()
def from_both(model, given) -> Encoded:
    """A picture and texts, as the traced side of a dual encoder sees them: its own input, and the features of the other side."""
    if not (isinstance(given, tuple | list) and len(given) == 2):
        raise Refusal("This model matches a picture with texts: give both, as (picture, texts).")
    picture, texts = given
    texts = (
        [texts]
        if isinstance(texts, str)
        else list(texts)
        if isinstance(texts, tuple | list)
        else []
    )
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Refusal(
            "Give at least one text to match the picture with, as (picture, text) or (picture, [text, text])."
        )
    if len(texts) > MOST_TEXTS:
        raise Refusal(
            f"A picture can be matched with at most {MOST_TEXTS:,} texts; got {len(texts):,}."
        )
    if model.anatomy.modality == "text" and len(texts) > 1:
        raise Refusal("The side of the text explains one text at a time: give (picture, text).")
    for number, text in enumerate(texts, 1):
        if len(texts) > 1 and not INVISIBLE.sub("", text):
            raise Refusal(
                f"Text {number} of {len(texts)} is empty: type something to match the picture with, or leave it out."
            )
    seen = from_picture(model.side("vision"), picture)
    read = [from_text(model.side("text"), (text,)) for text in texts]
    if model.anatomy.modality == "text":
        return replace(
            read[0],
            tensors=read[0].tensors
            | {"matched": model.side("vision").features(seen.tensors)[None]},
            candidates=("the picture",),
        )
    notes = tuple(
        f"{f'“{one.text[:40]} …”: ' if len(read) > 1 else ''}{note}"
        for one in read
        for note in one.notes
    )
    features = torch.cat([model.side("text").features(one.tensors) for one in read])
    return replace(
        seen,
        tensors=seen.tensors | {"matched": features[None]},
        candidates=tuple(texts),
        remarks=notes,
    )


# -------------------------------------------------------------------------------------------------------- tensors


def from_tensors(model, tensors: dict[str, Tensor]) -> Encoded:
    tensors = {name: tensor.to(model.net.device) for name, tensor in tensors.items()}
    if model.is_dual_encoder and "matched" not in tensors:
        return from_both_tensors(model, tensors)
    return (
        from_pixel_values(model, tensors)
        if model.anatomy.modality == "image"
        else from_ids(model, tensors)
    )


@torch.no_grad()
def from_both_tensors(model, tensors: dict[str, Tensor]) -> Encoded:
    """pixel_values of one picture with input_ids of several texts; of the text side, of several pictures with one text."""
    if not {"pixel_values", "input_ids"} <= set(tensors):
        raise Refusal(
            "This model matches pictures with texts: its tensors are pixel_values and input_ids."
        )
    pictures = {"pixel_values": tensors["pixel_values"]}
    texts = {name: tensor for name, tensor in tensors.items() if name != "pixel_values"}
    own, other, side = (
        (pictures, texts, "text")
        if model.anatomy.modality == "image"
        else (texts, pictures, "vision")
    )
    check_tables(model.side("text"), texts)
    matched = model.side(side).features(other)
    names = tuple(f"{'text' if side == 'text' else 'picture'} {i}" for i in range(len(matched)))
    return replace(from_tensors(model, own | {"matched": matched[None]}), candidates=names)


def from_pixel_values(model, tensors: dict[str, Tensor]) -> Encoded:
    pixels = tensors.get("pixel_values")
    if pixels is None or pixels.ndim != 4 or len(pixels) != 1:
        raise Refusal(
            "Tensors for an image model need pixel_values of shape (1, channels, height, width)."
        )
    channels = getattr(model.tower.config, "num_channels", pixels.shape[1])
    if pixels.shape[1] != channels:
        raise Refusal(
            f"This model reads pictures of {channels} channels; these pixel_values have "
            f"{pixels.shape[1]}."
        )
    coded = from_pixels(model, pixels.to(model.net.dtype))
    return replace(coded, tensors=tensors | coded.tensors)


def from_ids(model, tensors: dict[str, Tensor]) -> Encoded:
    check_tables(model, tensors)
    if len(tensors["input_ids"]) > 1:
        raise Refusal(
            f"Give one example at a time, or a list of them to trace_many; these tensors hold {len(tensors['input_ids'])}."
        )
    ids = tensors["input_ids"][0].tolist()
    if model.max_tokens and len(ids) > model.max_tokens:
        raise Refusal(
            f"This model reads at most {model.max_tokens} tokens; these tensors hold {len(ids)}."
        )
    config = model.tower.config
    known = {
        getattr(model.tokenizer or config, f"{kind}_token_id", None)
        for kind in ("bos", "eos", "pad", "cls", "sep")
    }
    labels = (
        model.tokenizer.convert_ids_to_tokens(ids) if model.tokenizer else [str(i) for i in ids]
    )
    special_tokens = torch.tensor([i in known for i in ids])
    segments = None
    if model.task == "answer":
        segments = question_and_context(special_tokens.tolist(), tensors.get("token_type_ids"))
    return Encoded(
        tensors,
        labels,
        special_tokens,
        segments=segments,
        halves=("question", "context") if segments else (),
    )


#: What a model looks up in a table beside the ids, what one of these is called, and the setting
#: that says how many there are.
TABLES = {
    "token_type_ids": ("segment", "type_vocab_size"),
    "position_ids": ("position", "max_position_embeddings"),
}


def check_tables(model, tensors: dict[str, Tensor]) -> None:
    """Raises `Refusal` for tensors [example token] of a text whose shapes do not agree, or whose
    numbers are in no table of the model."""
    ids = tensors.get("input_ids")
    if ids is None or ids.ndim != 2 or 0 in ids.shape or not whole_numbers(ids):
        raise Refusal(
            "Tensors for a text model need input_ids of shape (1, tokens), whole numbers."
        )
    for name in {"attention_mask", *TABLES} & set(tensors):
        if tensors[name].ndim != 2:
            shape = tuple(tensors[name].shape)
            raise Refusal(f"{name} is of shape (1, tokens), as input_ids are; got {shape}.")
        if tensors[name].shape[1] != ids.shape[1]:
            tokens = tensors[name].shape[1]
            raise Refusal(f"{name} is of {tokens} tokens, and input_ids of {ids.shape[1]}.")
        if name in TABLES and not whole_numbers(tensors[name]):
            raise Refusal(f"{name} are whole numbers, torch.long; got {tensors[name].dtype}.")
    vocabulary = model.tower.config.vocab_size
    if outside := outside_of(ids, vocabulary):
        known = model.tokenizer is not None and 0 <= outside[0] < len(model.tokenizer)
        whose = ""
        if known:
            token = model.tokenizer.convert_ids_to_tokens(outside[0])
            whose = (
                f", which is {token!r} to its tokenizer: that belongs to another model, "
                "or was given words that the model was not "
                "(resize_token_embeddings gives it room)"
            )
        last = vocabulary - 1
        raise Refusal(f"Token ids go from 0 to {last} in this model; got {outside[0]}{whose}.")
    for name, (what, setting) in TABLES.items():
        size = getattr(model.tower.config, setting, None)
        if size and name in tensors and (outside := outside_of(tensors[name], size)):
            more = ""
            if name == "token_type_ids":
                more = ": give a single text, or a tokenizer that belongs to this model"
            many = f"{size} {what}{'s' if size > 1 else ''}"
            raise Refusal(f"This model has {many}, numbered from 0; got number {outside[0]}{more}.")


def whole_numbers(numbers: Tensor) -> bool:
    """Whether rows of a table can be looked up by these."""
    return numbers.dtype in (torch.int64, torch.int32)


def outside_of(numbers: Tensor, rows: int) -> list[int]:
    """Those of the numbers that a table of so many rows does not have."""
    return numbers[(numbers < 0) | (numbers >= rows)].tolist()


def question_and_context(
    special_tokens: list[bool], kinds: Tensor | None
) -> list[int | None] | None:
    """[token] 0 in the question, 1 in the context, None at special tokens.

    By the segments `kinds` [1 token] where they say it, else by the separators in between;
    None as a whole where neither tells the two apart.
    """
    if kinds is not None and kinds.any():
        return [None if other else kind for kind, other in zip(kinds[0].tolist(), special_tokens)]
    runs = [(other, len(list(tokens))) for other, tokens in groupby(special_tokens)]
    texts = [number for number, (other, _) in enumerate(runs) if not other]
    if len(texts) != 2:
        return None
    halves = {number: half for half, number in enumerate(texts)}
    return [halves.get(number) for number, (_, length) in enumerate(runs) for _ in range(length)]


# ----------------------------------------------------------------------------------------------------------- text


def names_of(model, halves: int) -> tuple[str, ...]:
    if halves == 1:
        return ()
    return ("question", "context") if model.task == "answer" else ("first text", "second text")


def from_text(model, texts: tuple[str, ...]) -> Encoded:
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
    halves = names_of(model, len(texts))
    for text, what in zip(texts, halves or ("text",)):
        if not INVISIBLE.sub("", text):
            raise Refusal(f"The {what} is empty: type something to explain.")
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise Refusal(
            f"This text has {sum(map(len, texts)):,} characters; at most {MOST_CHARACTERS:,} can be read."
        )
    texts = tuple(
        text.encode("utf-8", "replace").decode() for text in texts
    )  # lone surrogates break tokenizers
    wanted, limit = (
        {"return_offsets_mapping": True, "return_special_tokens_mask": True},
        model.max_tokens,
    )
    if (
        model.anatomy.readout == "very last"
    ):  # SigLIP was trained on padded texts, and attends to the padding
        wanted |= {"padding": "max_length", "max_length": limit, "return_attention_mask": False}
    coded = model.tokenizer(*texts, **wanted, verbose=False)
    length, lost, first = len(coded["input_ids"]), (), 0
    if limit and length > limit:
        whole = coded.sequence_ids()
        if model.task == "next":
            first = length - limit  # what comes next follows the end of the text
        elif model.task == "answer" and whole.count(None) + whole.count(0) >= limit:
            raise Refusal(
                f"The question alone has {whole.count(0):,} tokens; the model reads {limit} of question and context together."
            )
        else:
            how = "only_second" if model.task == "answer" else "longest_first"
            coded = model.tokenizer(*texts, **wanted | {"truncation": how, "max_length": limit})
        lost = tuple(
            whole.count(half) - coded.sequence_ids()[first:].count(half)
            for half in range(len(texts))
        )
    sequence = coded.sequence_ids()[first:]
    coded = {name: ids[first:] for name, ids in coded.items()}
    special_tokens = torch.tensor(coded.pop("special_tokens_mask")).bool()
    offsets = coded.pop("offset_mapping")
    if special_tokens.all():
        raise Refusal("The tokenizer finds nothing to read in this text.")
    tensors = {name: torch.tensor([ids], device=model.net.device) for name, ids in coded.items()}
    check_tables(model, tensors)
    text, starts = "\n".join(texts), (0, len(texts[0]) + 1)[: len(texts)]
    # without the space that byte-level tokenizers keep before a word
    spans = [
        None if half is None else strip_span(text, a + starts[half], b + starts[half])
        for (a, b), half in zip(offsets, sequence)
    ]
    spans = by_bytes(text, spans)
    end = max(span[1] for span in spans if span)  # what was left out is not carried along
    return Encoded(
        tensors=tensors,
        labels=model.tokenizer.convert_ids_to_tokens(coded["input_ids"]),
        special_tokens=special_tokens,
        text=text[:end],
        spans=spans,
        words=words_of(text[:end], spans),
        segments=sequence if halves else None,
        halves=halves,
        starts=starts,
        left_out=max(0, length - limit) if limit else 0,
        lost=lost,
        unread=text[end:],
    )

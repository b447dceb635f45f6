"""What an input becomes, step by step and by value, with models that only say what they are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import explainers as ex
from explainers.inputs import kinds, pictures, tensors, texts
from explainers.inputs.encoding import encode, holds, named_texts
from explainers.processors import Lens

# ---------------------------------------------------------------------------------------- pictures


def viewer(rows: int, columns: int, side: int = 2, prefix: tuple[str, ...] = ("[CLS]",)):
    """A model of pictures with so many patches, of `side` pixels each way."""
    return SimpleNamespace(
        grid=lambda pixels: (rows, columns),
        patch=(side, side),
        prefix=prefix,
        rgb=lambda pixels: pixels,
        net=SimpleNamespace(dtype=torch.float64),
        tower=SimpleNamespace(config=SimpleNamespace(num_channels=3)),
        processor=None,
    )


@pytest.mark.parametrize("grid", [(0, 3), (3, 0), (0, 0)])
def test_a_picture_without_one_whole_patch_is_refused(grid):
    said = "^A picture of 5 × 7 pixels has not one whole patch for this model.$"
    with pytest.raises(ex.Refusal, match=said):
        pictures.grid_of(viewer(*grid), torch.zeros(1, 3, 5, 7))


def test_at_most_2048_patches_are_read():
    pixels = torch.zeros(1, 3, 5, 7)
    assert pictures.grid_of(viewer(32, 64), pixels) == (32, 64)
    assert pictures.grid_of(viewer(1, 1), pixels) == (1, 1)
    said = "^A picture of 1 × 2,049 patches is too large .* at most 2,048 patches can be.$"
    with pytest.raises(ex.Refusal, match=said):
        pictures.grid_of(viewer(1, 2049), pixels)


def test_pixels_have_labels_row_by_row_and_a_picture_of_whole_patches():
    pixels = torch.arange(3 * 5 * 7.0).view(1, 3, 5, 7) / 105
    coded = pictures.from_pixels(viewer(2, 3), pixels)
    first = ["row 1, column 1", "row 1, column 2", "row 1, column 3"]
    second = ["row 2, column 1", "row 2, column 2", "row 2, column 3"]
    assert coded.labels == ["[CLS]", *first, *second]
    assert coded.special_tokens.tolist() == [True, *[False] * 6]
    assert coded.grid == (2, 3) and coded.text is None
    assert coded.seen.size == coded.picture.size == (6, 4)
    assert coded.tensors["pixel_values"] is pixels
    assert coded.seen.getpixel((5, 3)) == tuple(
        round(255 * float(value)) for value in pixels[0, :, 3, 5]
    )
    sharp = pictures.from_pixels(viewer(2, 3), pixels, Image.new("RGB", (70, 50)))
    assert sharp.picture.size == (60, 40) and sharp.seen.size == (6, 4)
    tiny = pictures.from_pixels(viewer(2, 3), pixels, Image.new("RGB", (1, 1)))
    assert tiny.picture.size == (1, 1)
    bare = pictures.from_pixels(viewer(1, 1, prefix=()), torch.zeros(1, 3, 2, 2))
    assert bare.labels == ["row 1, column 1"] and bare.special_tokens.tolist() == [False]


def test_colours_are_whole_numbers_up_to_255():
    rgb = torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(3, 1, 2)
    assert np.asarray(pictures.as_picture(rgb)).tolist() == [[[0, 128, 255]] * 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "need pixel_values of shape"),
        ({"pixel_values": torch.zeros(3, 4, 4)}, "need pixel_values of shape"),
        ({"pixel_values": torch.zeros(2, 3, 4, 4)}, "need pixel_values of shape"),
        ({"pixel_values": torch.zeros(1, 1, 4, 4)}, "of 3 channels; these pixel_values have 1."),
    ],
)
def test_tensors_that_are_not_one_picture_are_refused(given, said):
    with pytest.raises(ex.Refusal, match=said):
        pictures.from_pixel_values(viewer(2, 2), given)


def test_other_tensors_of_a_picture_are_kept():
    given = {"pixel_values": torch.zeros(1, 3, 4, 4), "matched": torch.ones(1)}
    found = pictures.from_pixel_values(viewer(2, 2), given).tensors
    assert set(found) == {"pixel_values", "matched"}
    assert found["pixel_values"].dtype == torch.float64
    with pytest.raises(ex.Refusal, match=r"came without an image processor"):
        pictures.from_picture(viewer(2, 2), Image.new("RGB", (4, 4)))


def test_sizes_of_pictures_that_stand_or_lie():
    assert pictures.oriented(2, 5, True) == (2, 5) and pictures.oriented(2, 5, False) == (5, 2)
    lens = SimpleNamespace(inside=(1, 2, 3, 4), shape=(10, 20))
    assert pictures.long_side(lens, True) == (2, 4) and pictures.long_side(lens, False) == (1, 3)
    half = SimpleNamespace(shape=(10, 10))
    assert pictures.grows(lens, SimpleNamespace(shape=(10, 20)), 1) is False
    assert pictures.grows(lens, half, 4) and not pictures.grows(lens, half, 5)  # 200 against 8·s²
    assert not pictures.grows(lens, half, 5.0)
    exact = SimpleNamespace(shape=(8, 4))
    assert not pictures.grows(exact, half, 2) and pictures.grows(exact, half, 1)
    assert pictures.scaled_size(10, 3, 0.5) == (5, 2) and pictures.scaled_size(1, 1, 0.1) == (1, 1)


def test_the_middle_of_a_picture():
    drawn = Image.fromarray(np.arange(7 * 5, dtype=np.uint8).reshape(5, 7))
    found = np.asarray(pictures.middle_of(drawn, (3, 2)))
    assert found.tolist() == [[9, 10, 11], [16, 17, 18]]


# ------------------------------------------------------------------------------------------- kinds


def test_what_the_kinds_of_input_hold():
    assert [kinds.TEXT.texts, kinds.PAIR.texts] == [("text",), ("first text", "second text")]
    assert kinds.QUESTION.texts == ("question", "context") and kinds.PROMPT.texts == (
        "text so far",
    )
    pictured = {kind: (kind.picture, kind.many) for kind in (kinds.TEXT, kinds.PICTURE)}
    assert pictured == {kinds.TEXT: (False, False), kinds.PICTURE: (True, False)}
    both = kinds.PICTURE_AND_TEXTS
    assert both.picture and both.many and both.texts == ("texts, one a line",)


# ----------------------------------------------------------------------------------------- tensors


def reading(size: int = 10, most: int | None = None, tokenizer=None, **settings):
    config = SimpleNamespace(vocab_size=size, **settings)
    return SimpleNamespace(
        tower=SimpleNamespace(config=config),
        tokenizer=tokenizer,
        max_tokens=most,
        net=SimpleNamespace(device="cpu"),
    )


def ids(*numbers: int, **more) -> dict:
    return {"input_ids": torch.tensor([numbers])} | more


def test_tensors_are_labelled_by_number_without_a_tokenizer():
    coded = tensors.from_ids(reading(eos_token_id=2, pad_token_id=None), ids(3, 2, 9))
    assert coded.labels == ["3", "2", "9"] and coded.special_tokens.tolist() == [False, True, False]
    assert coded.text is None and coded.spans is None
    assert tensors.special_ids(reading(bos_token_id=1, sep_token_id=4)) == {1, 4, None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "need input_ids of shape"),
        ({"input_ids": torch.tensor([1, 2])}, "need input_ids of shape"),
        ({"input_ids": torch.zeros(1, 0, dtype=torch.long)}, "need input_ids of shape"),
        ({"input_ids": torch.zeros(1, 2)}, "whole numbers"),
        ({"input_ids": torch.zeros(3, 2, dtype=torch.long)}, "these tensors hold 3"),
        (ids(1, 2, 3), "reads at most 2 tokens; these tensors hold 3"),
        (ids(1, 10), "^Token ids go from 0 to 9 in this model; got 10.$"),
        (ids(-1, 1), "got -1.$"),
        (ids(1, 2, attention_mask=torch.ones(2)), r"as input_ids are; got \(2,\)"),
        (ids(1, 2, attention_mask=torch.ones(1, 3)), "attention_mask is of 3 tokens, and .* of 2"),
        (ids(1, 2, token_type_ids=torch.ones(1, 2)), "are whole numbers, torch.long; got torch.fl"),
        (
            ids(1, 2, token_type_ids=torch.tensor([[0, 2]])),
            "^This model has 2 segments, numbered from 0; got number 2: give a single text,",
        ),
        (
            ids(1, 2, position_ids=torch.tensor([[0, 7]])),
            "^This model has 1 position, numbered from 0; got number 7.$",
        ),
    ],
)
def test_tensors_that_a_model_of_texts_cannot_read(given, said):
    model = reading(most=2, type_vocab_size=2, max_position_embeddings=1)
    with pytest.raises(ex.Refusal, match=said):
        tensors.from_ids(model, given)


def test_tensors_at_the_limits_are_read():
    model = reading(most=2, type_vocab_size=2, max_position_embeddings=3)
    more = {
        "attention_mask": torch.ones(1, 2),
        "token_type_ids": torch.tensor([[0, 1]]),
        "position_ids": torch.tensor([[0, 2]], dtype=torch.int32),
    }
    assert len(tensors.from_ids(model, ids(0, 9, **more)).labels) == 2
    unknown = reading(type_vocab_size=0)
    given = ids(0, 9, token_type_ids=torch.tensor([[5, 5]]), position_ids=torch.tensor([[7, 7]]))
    assert tensors.from_ids(unknown, given).labels == ["0", "9"]
    assert tensors.from_ids(reading(), ids(*range(10))).labels[-1] == "9"


def test_an_id_of_another_tokenizer_is_named_by_its_word():
    class Known:
        def __len__(self):
            return 12

        def convert_ids_to_tokens(self, given):
            return [f"t{one}" for one in given] if isinstance(given, list) else f"t{given}"

    model = reading(tokenizer=Known())
    with pytest.raises(ex.Refusal, match=r"got 11, which is 't11' to its tokenizer"):
        tensors.from_ids(model, ids(11))
    for outside in (12, -1):
        with pytest.raises(ex.Refusal, match=f"got {outside}.$"):
            tensors.from_ids(model, ids(outside))
    assert tensors.from_ids(model, ids(3, 4)).labels == ["t3", "t4"]


def test_numbers_that_can_be_looked_up():
    for kind, whole in ((torch.int64, True), (torch.int32, True), (torch.int16, False)):
        assert tensors.are_whole(torch.zeros(1, dtype=kind)) is whole
    assert tensors.outside_of(torch.tensor([-1, 0, 4, 5]), 5) == [-1, 5]
    with pytest.raises(ex.Refusal, match=r"^odd is no tensor and no list .*; got str.$"):
        tensors.as_tensors({"odd": "x"})
    with pytest.raises(ex.Refusal, match=f"^{'n' * 40} is no tensor"):
        tensors.as_tensors({"n" * 50: "x"})
    found = tensors.as_tensors({"a": [[1, 2]], "b": np.ones(2), "offset_mapping": 1, "c": None})
    assert {name: tuple(one.shape) for name, one in found.items()} == {"a": (1, 2), "b": (2,)}


# ------------------------------------------------------------------------------------------- dicts


def test_what_a_dict_holds():
    assert holds({"a": 1, "b": "x"}, str) and not holds({"a": 1}, str) and not holds({}, str)
    with pytest.raises(ex.Refusal, match=r"nothing stands beside them; got question, text.$"):
        named_texts({"question": "q", "text": "t"})
    with pytest.raises(ex.Refusal, match=r"got 0, 1, 2, 3, 4, 5, 6, 7.$"):
        named_texts({number: "x" for number in range(9)})
    with pytest.raises(ex.Refusal, match=r"got text, text_pair.$"):
        named_texts({"text": "t", "text_pair": 3})
    assert named_texts({"text": "t"}) == "t"


def test_a_dict_of_texts_or_of_tensors_goes_to_the_task():
    got = []
    task = SimpleNamespace(
        encode=lambda model, given: got.append(given),
        encode_tensors=lambda model, given: got.append(given),
    )
    net = SimpleNamespace(device="cpu", forward=lambda input_ids: None)
    model = SimpleNamespace(task=task, net=net, tower=net, is_dual_encoder=False)
    encode(model, "a")
    encode(model, {"question": "q", "context": "c"})
    encode(model, {"input_ids": [1]})
    assert got[:2] == ["a", ("q", "c")] and got[2]["input_ids"].tolist() == [[1]]
    with pytest.raises(ex.Refusal, match=r"A picture is given by itself"):
        encode(model, {"picture": Image.new("RGB", (1, 1)), "text": "x"})


# ------------------------------------------------------------------------------------------- texts


def test_texts_that_are_empty_or_too_long():
    assert texts.is_blank(" \u200b\n") and not texts.is_blank(" a ")
    texts.check_texts(("a" * 2_000_000,), ("text",))
    with pytest.raises(ex.Refusal, match=r"has 2,000,001 characters; at most 2,000,000 can"):
        texts.check_texts(("a" * 2_000_000, "b"), ("one", "two"))
    with pytest.raises(ex.Refusal, match=r"^The two is empty"):
        texts.check_texts(("a", " "), ("one", "two"))
    assert texts.without_surrogates("a\ud800b") == "a?b"


def test_what_the_tokenizer_is_asked_for():
    plain = SimpleNamespace(anatomy=SimpleNamespace(readout="first"), max_tokens=7)
    asked = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "verbose": False}
    assert texts.options_of(plain) == asked
    padded = SimpleNamespace(anatomy=SimpleNamespace(readout="very last"), max_tokens=7)
    more = {"padding": "max_length", "max_length": 7, "return_attention_mask": False}
    assert texts.options_of(padded) == asked | more


def test_a_question_leaves_room_for_one_token_of_its_context():
    texts.check_question([None, 0, 0, None, 1, None], 6)
    with pytest.raises(ex.Refusal, match=r"alone has 2 tokens; the model reads 5 of question and"):
        texts.check_question([None, 0, 0, None, 1, None], 5)


def test_a_text_is_cut_at_its_end_or_at_its_beginning(word_tokenizer):
    options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    whole = texts.tokenize(word_tokenizer, ("the movie was good",), options, None, "longest")
    assert (whole.left_out, whole.lost) == (0, ()) and len(whole.segments) == 6
    same = texts.tokenize(word_tokenizer, ("the movie was good",), options, 6, "longest")
    assert same == whole
    cut = texts.tokenize(word_tokenizer, ("the movie was good",), options, 5, "longest")
    assert (cut.left_out, cut.lost) == (1, (1,)) and cut.offsets[-2] == (10, 13)
    assert cut.special_tokens == [1, 0, 0, 0, 1] and cut.segments == [None, 0, 0, 0, None]
    late = texts.tokenize(word_tokenizer, ("the movie was good",), options, 4, "beginning")
    assert (late.left_out, late.lost) == (2, (1,)) and late.offsets[0] == (4, 9)
    assert late.segments == [0, 0, 0, None] and set(late.tensors) >= {"input_ids"}
    pair = texts.tokenize(word_tokenizer, ("good", "the movie was"), options, 6, "second")
    assert (pair.left_out, pair.lost) == (1, (0, 1))


def test_the_places_of_tokens_are_counted_in_both_texts_joined():
    tokens = texts.Tokens(
        {}, [None, 0, 1, None], [1, 0, 0, 1], [(0, 0), (0, 2), (1, 4), (0, 0)], 0, ()
    )
    assert texts.spans_in("ab\nc de", (0, 3), tokens) == [None, (0, 2), (5, 7), None]


def test_a_pair_is_one_text_with_a_line_break(reader):
    coded = texts.from_text(reader, ("good", "bad"), ("first text", "second text"))
    assert coded.text == "good\nbad" and coded.starts == (0, 5) and coded.unread == ""
    assert coded.segments == [None, 0, None, 1, None] and coded.halves == (
        "first text",
        "second text",
    )
    assert coded.spans == [None, (0, 4), None, (5, 8), None]
    alone = texts.from_text(reader, ("good bad  ",))
    assert alone.segments is None and alone.halves == () and alone.starts == (0,)
    assert alone.text == "good bad" and alone.unread == "  "
    assert alone.special_tokens.tolist() == [True, False, False, True]
    assert alone.words == [None, 0, 1, None] and alone.tensors["input_ids"].shape == (1, 4)


# ------------------------------------------------------------------------------------ sharper views


def coloured(width: int, height: int) -> Image.Image:
    """Red says how far to the right a pixel is, green how far down."""
    drawn = np.zeros((height, width, 3), np.uint8)
    drawn[..., 0] = np.arange(width)[None]
    drawn[..., 1] = np.arange(height)[:, None]
    return Image.fromarray(drawn)


def test_a_photo_in_view_is_the_part_that_is_seen_at_its_own_sharpness():
    photo = coloured(200, 100)
    view = pictures.sharp_view(photo, Lens((200, 100), (4, 4), (50, 20, 110, 80)), photo)
    assert view.size == (60, 60)
    assert view.getpixel((0, 0)) == (50, 20, 0) and view.getpixel((59, 59)) == (109, 79, 0)
    mirrored = pictures.sharp_view(photo, Lens((200, 100), (4, 4), (110, 20, 50, 80)), photo)
    assert mirrored.getpixel((0, 0)) == (109, 20, 0)


@pytest.mark.parametrize(
    ("size", "wanted"), [((2048, 1024), (1024, 512)), ((1024, 8), (1024, 8)), ((4, 2), (4, 2))]
)
def test_the_longer_side_of_a_view_has_1024_pixels_at_most(size, wanted):
    photo = Image.new("RGB", size)
    assert pictures.sharp_view(photo, Lens(size, (4, 4), (0, 0, *size)), photo).size == wanted


def test_the_padding_of_a_view_is_that_of_the_pixels():
    photo = coloured(40, 20)
    seen = Image.new("RGB", (8, 8), (9, 9, 9))
    view = pictures.sharp_view(photo, Lens((40, 20), (8, 8), (0, -10, 40, 30)), seen)
    assert view.size == (40, 40)
    assert view.getpixel((0, 0)) == view.getpixel((39, 9)) == view.getpixel((0, 30)) == (9, 9, 9)
    assert view.getpixel((0, 10)) == (0, 0, 0) and view.getpixel((39, 29)) == (39, 19, 0)
    small = Image.new("RGB", (4, 2), (7, 7, 7))
    seen = Image.new("RGB", (16, 16), (9, 9, 9))
    view = pictures.sharp_view(small, Lens((4, 2), (16, 16), (0, -1, 4, 3)), seen)
    assert view.size == (16, 16), "no coarser than the padding"
    assert view.getpixel((0, 3)) == (9, 9, 9) and view.getpixel((0, 4)) == (7, 7, 7)
    assert view.getpixel((15, 11)) == (7, 7, 7) and view.getpixel((15, 12)) == (9, 9, 9)

"""How well a picture matches each of several texts: the scaled cosines of a dual encoder.

One side of the network is traced, the other one only gives the features to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import Refusal
from ..inputs import Encoded, check_ids, from_ids, from_picture, from_pixel_values, from_text
from ..inputs.kinds import PICTURE_AND_TEXTS
from ..inputs.texts import is_blank
from ..outputs import Answer
from .base import Task
from .texts import is_texts

if TYPE_CHECKING:
    from ..models import Model

MOST_TEXTS = 1000  # that one picture is matched with


class Match(Task):
    """What the two sides of a dual encoder share."""

    takes = (PICTURE_AND_TEXTS,)
    does = "matches pictures with texts"
    has_classes = True

    def count_labels(self, model: Model) -> int | None:
        return None  # a class is a text of the input, not a row of the head

    def classes(self, model: Model, coded: Encoded) -> dict[int, str]:
        """What the traced side is matched with: the texts, or the picture."""
        return dict(enumerate(coded.candidates))

    def menu(self, model: Model, texts: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(texts)

    def logit_unit(self, model: Model) -> str:
        return "scaled cosine"

    @torch.no_grad()
    def encode_tensors(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        """`pixel_values` with `input_ids`; or the tensors of the traced side, with the features of
        the other side under the name "matched"."""
        if "matched" in tensors:
            return self.encode_own(model, tensors)
        if not {"pixel_values", "input_ids"} <= set(tensors):
            raise Refusal(
                "This model matches pictures with texts: "
                "its tensors are pixel_values and input_ids."
            )
        texts = dict(tensors)
        pictures = {"pixel_values": texts.pop("pixel_values")}
        check_ids(model.side("text"), texts)
        return self.encode_both(model, pictures, texts)

    def encode_own(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        """The tensors of the traced side, with "matched" among them."""
        raise NotImplementedError

    def encode_both(
        self, model: Model, pictures: dict[str, Tensor], texts: dict[str, Tensor]
    ) -> Encoded:
        """The tensors of both sides as an input of the traced side."""
        raise NotImplementedError


class MatchPicture(Match):
    """The traced side is the picture; its classes are the texts."""

    key = "match_picture"

    def fits(self, model: Model) -> bool:
        return model.is_dual_encoder and model.anatomy.modality == "image"

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        return model.class_answer(outputs, outputs.logits_per_image)

    @torch.no_grad()
    def encode(self, model: Model, given: Any) -> Encoded:
        picture, texts = picture_and_texts(given)
        check_filled(texts)
        coded = from_picture(model, picture)
        reader = model.side("text")
        features, remarks = [], []
        for text in texts:
            read = from_text(reader, (text,))
            features.append(reader.features(read.tensors))
            for note in read.notes:
                if len(texts) > 1:
                    note = f"“{text[:40]} …”: {note}"
                remarks.append(note)
        return replace(
            coded,
            tensors=coded.tensors | {"matched": torch.cat(features)[None]},
            candidates=tuple(texts),
            remarks=tuple(remarks),
        )

    def encode_own(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        return from_pixel_values(model, tensors)

    def encode_both(
        self, model: Model, pictures: dict[str, Tensor], texts: dict[str, Tensor]
    ) -> Encoded:
        features = model.side("text").features(texts)
        coded = self.encode_own(model, pictures | {"matched": features[None]})
        return replace(coded, candidates=numbered("text", len(features)))


class MatchText(Match):
    """The traced side is the text; its only class is the picture."""

    key = "match_text"

    def fits(self, model: Model) -> bool:
        return model.is_dual_encoder and model.anatomy.modality == "text"

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        return model.class_answer(outputs, outputs.logits_per_text)

    @torch.no_grad()
    def encode(self, model: Model, given: Any) -> Encoded:
        picture, texts = picture_and_texts(given)
        if len(texts) > 1:
            raise Refusal("The side of the text explains one text at a time: give (picture, text).")
        viewer = model.side("vision")
        features = viewer.features(from_picture(viewer, picture).tensors)
        coded = from_text(model, (texts[0],))
        return replace(
            coded,
            tensors=coded.tensors | {"matched": features[None]},
            candidates=("the picture",),
        )

    def encode_own(self, model: Model, tensors: dict[str, Tensor]) -> Encoded:
        return from_ids(model, tensors)

    def encode_both(
        self, model: Model, pictures: dict[str, Tensor], texts: dict[str, Tensor]
    ) -> Encoded:
        features = model.side("vision").features(pictures)
        coded = self.encode_own(model, texts | {"matched": features[None]})
        return replace(coded, candidates=numbered("picture", len(features)))


def numbered(what: str, count: int) -> tuple[str, ...]:
    """Names for candidates that came as tensors: text 0, text 1, ..."""
    return tuple(f"{what} {number}" for number in range(count))


def picture_and_texts(given: Any) -> tuple[Any, list[str]]:
    """The two parts of an input, the second one as a list. Raises `Refusal` if it has others."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise Refusal("This model matches a picture with texts: give both, as (picture, texts).")
    picture, texts = given
    if isinstance(texts, str):
        return picture, [texts]
    if not is_texts(texts):
        raise Refusal(
            "Give at least one text to match the picture with, "
            "as (picture, text) or (picture, [text, text])."
        )
    if len(texts) > MOST_TEXTS:
        raise Refusal(
            f"A picture can be matched with at most {MOST_TEXTS:,} texts; got {len(texts):,}."
        )
    return picture, list(texts)


def check_filled(texts: Sequence[str]) -> None:
    """Raise `Refusal` if one of several texts is empty."""
    for number, text in enumerate(texts, 1):
        if len(texts) > 1 and is_blank(text):
            raise Refusal(
                f"Text {number} of {len(texts)} is empty: "
                "type something to match the picture with, or leave it out."
            )

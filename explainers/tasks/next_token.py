"""The token of the vocabulary that comes next after a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import Refusal
from ..inputs import Encoded
from ..inputs.kinds import PROMPT
from ..outputs import Answer
from ..prediction import SHOWN
from ..scores import Custom, Logit, PredictedClass, Score, label_of
from .reading import TargetReader, index_of
from .texts import TextTask

if TYPE_CHECKING:
    from ..models import Model

#: How many pieces are listed when a name is several tokens.
LISTED_PIECES = 8


class NextToken(TextTask):
    """Which token comes next: a logit for each token of the vocabulary, read at the last token."""

    key = "next_token"
    networks = ("CausalLM", "LMHead")
    takes = (PROMPT,)
    does = "says what comes next after a text"
    hint = "or a token, such as “ Paris” with its space"
    introduction = "next: "
    most_shown = SHOWN
    cut = "beginning"  # the next token follows the end of the text

    def encode_pair(self, model: Model, texts: Sequence[str]) -> Encoded:
        if len(texts) == 2:
            raise Refusal(
                "This model predicts the next token of one text: give one text, not a pair."
            )
        return super().encode_pair(model, texts)

    def reader(self, model: Model, coded: Encoded) -> TokenReader:
        return TokenReader(self.classes(model, coded), model)

    def answer(
        self, model: Model, outputs: Any, inputs: dict[str, Tensor], attended: Tensor | None
    ) -> Answer:
        if model.anatomy.readout != "last":
            return Answer(outputs, None)
        logits = model.at_readout(outputs.logits, inputs, attended)
        return model.class_answer(outputs, logits)

    def labels(self, model: Model) -> dict[int, str]:
        """The vocabulary as text, spaces included, by id."""
        size = model.net.config.vocab_size
        if model.tokenizer is None:
            return dict(enumerate(map(str, range(size))))
        return vocabulary(model.tokenizer, size, len(model.tokenizer))

    def continuation(self, target: Score) -> str:
        if isinstance(target, Custom):
            return ""
        return target.name


@dataclass(frozen=True, eq=False)
class TokenReader(TargetReader):
    """Reads a token of the vocabulary by its text or its id. labels: {id: text}."""

    labels: Mapping[int, str]
    model: Model

    def predicted(self) -> Score:
        return PredictedClass(self.labels)

    def named(self, asked: Any) -> Logit:
        """A token by its text, as it is or behind a space; or by its id, as a number or "#262"."""
        if not isinstance(asked, str):
            return self.token(index_of(asked, self.labels))
        index = self.by_text(asked)
        if index is not None:
            return self.token(index)
        if re.fullmatch(r"#?\d{1,9}", asked.strip()):
            number = int(asked.strip().removeprefix("#"))
            return self.token(index_of(number, self.labels))
        raise self.no_token(asked)

    def token(self, index: int) -> Logit:
        return Logit(index, self.labels[index])

    def by_text(self, text: str) -> int | None:
        """The id of a text, or of a space and the text; of equal texts the last one."""
        if not text:
            return None
        ids = dict(zip(self.labels.values(), self.labels))
        return ids.get(text, ids.get(f" {text}"))

    def no_token(self, asked: str) -> Refusal:
        pieces = self.pieces(asked)
        if len(pieces) > 1:
            shown = ", ".join(map(repr, pieces[:LISTED_PIECES]))
            return Refusal(
                f"{asked[:60]!r} is {len(pieces)} tokens in this model ({shown}), "
                "and the model predicts one token at a time: name one of them."
            )
        return Refusal(
            f"{asked[:60]!r} is not a token of this model: "
            "give a token's text, such as ' the', or its id."
        )

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text, as texts; [] without a tokenizer."""
        tokenizer = self.model.tokenizer
        if tokenizer is None or not text.strip():
            return []
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [label_of(index, self.labels) for index in ids]


@lru_cache(maxsize=2)
def vocabulary(tokenizer: Any, size: int, known: int) -> dict[int, str]:
    """The first `size` tokens as text, spaces included, by id.

    A token that is not a text by itself, such as a part of a character, keeps the tokenizer's own
    name. known: how many tokens the tokenizer has; it tells when some were added.
    """
    texts = {}
    for index, name in enumerate(tokenizer.convert_ids_to_tokens(list(range(size)))):
        text = text_of(tokenizer, name) if name else ""
        texts[index] = text or name or str(index)
    return texts


def text_of(tokenizer: Any, name: str) -> str:
    """The text of a token; "" if it is none by itself, such as a part of a character."""
    text = tokenizer.convert_tokens_to_string([name])
    return "" if "\ufffd" in text else text

"""Examples with a name and a fingerprint, and where a table holds what."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL.Image import Image
from torch import Tensor

from ...errors import Refusal
from ...inputs import Encoded
from ..case import Example


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table; "" finds a column by its usual names.

    text   the text, or the first text of a pair
    pair   the second text
    label  the gold class
    names  of all columns, for a table without a line of names
    rule   how labels are read: "as is", or "polarity": of 1 to 5 stars (or 0 to 4, where there is
           a 0) the lower ones are NEGATIVE, the higher ones POSITIVE, and the middle is left out
    """

    text: str = ""
    pair: str = ""
    label: str = ""
    names: tuple[str, ...] = ()
    rule: str = "as is"


#: Every column is found by its usual names.
USUAL_COLUMNS = Columns()


@dataclass(frozen=True, eq=False)
class Dataset:
    """The examples of a dataset.

    left_out  rows that are not examples, with the reason: {"id", "reason"}
    classes   names of the labels by number, where the data has them
    """

    name: str
    examples: list[Example]
    left_out: list[dict] = field(default_factory=list)
    classes: tuple[str, ...] = ()

    def sample(self, limit: int | None, seed: int = 0) -> "Dataset":
        """At most `limit` examples, drawn with a seed, in their order. Raises `Refusal` below 1."""
        if limit is None or limit >= len(self.examples):
            return self
        if limit < 1:
            raise Refusal(f"A sample has at least one example; got a limit of {limit}.")
        kept = sorted(random.Random(seed).sample(range(len(self.examples)), limit))
        return replace(self, examples=[self.examples[i] for i in kept])

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that depend on the id, inputs, label and data of each example.

        Another file, another sample or another mask gives another fingerprint. The folder does
        not count, since an id says where in the folder a picture is.
        """
        digest = hashlib.sha256()
        for one in self.examples:
            for part in content((one.id, one.inputs, one.label, one.data)):
                digest.update(len(part).to_bytes(8, "little"))  # so "ab", "c" is not "a", "bc"
                digest.update(part)
        return digest.hexdigest()[:16]


def content(value) -> Iterator[bytes]:
    """The content of a part of an example as bytes; of a file its name and size."""
    yield type(value).__name__.encode()
    if isinstance(value, Path):
        yield value.name.encode()
        yield str(value.stat().st_size if value.is_file() else None).encode()
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield str(name).encode()
            yield from content(value[name])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from content(one)
    elif isinstance(value, Encoded):
        yield from content(value.tensors)
    elif isinstance(value, Image | np.ndarray | Tensor):
        numbers = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
        yield f"{numbers.dtype} {numbers.shape}".encode()
        yield numbers.tobytes()
    else:
        yield repr(value).encode()

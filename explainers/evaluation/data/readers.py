"""The list of readers, one for each format, and `read`, which chooses among them."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import Refusal, nearest
from .dataset import USUAL_COLUMNS, Columns, Dataset
from .labels import RULES

#: Endings of files that are pictures.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Request:
    """What is to be read, and how.

    source      a file, a folder or a name on the Hub, as it was given
    columns     of tables
    answerable  of questions: whether those without an answer are left out
    """

    source: str
    columns: Columns = USUAL_COLUMNS
    answerable: bool = True

    @property
    def path(self) -> Path:
        return Path(self.source)

    @property
    def ending(self) -> str:
        """The ending of the file's name, without .gz; "" for what is not a file."""
        if not self.path.is_file():
            return ""
        path = self.path.with_suffix("") if self.path.suffix == ".gz" else self.path
        return path.suffix

    @cached_property
    def json(self) -> object:
        """The content of a .json file. Raises `Refusal` if it cannot be read."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Refusal(f"{self.path.name} could not be read: {error}.") from error


@dataclass(frozen=True)
class Reader:
    """A format of data: which requests it accepts, how it reads them, and its files' endings."""

    accepts: Callable[[Request], bool]
    read: Callable[[Request], Dataset]
    endings: tuple[str, ...] = ()


READERS: list[Reader] = []


def reader(accepts: Callable[[Request], bool], endings: tuple[str, ...] = ()) -> Callable:
    """Put a function `Request -> Dataset` on the list of readers.

    accepts  whether it reads a request; earlier readers are asked first
    endings  of the files that it reads, for the menu in a refusal
    """

    def register(function: Callable[[Request], Dataset]) -> Callable[[Request], Dataset]:
        READERS.append(Reader(accepts, function, endings))
        return function

    return register


def read(source: str | Path, columns: Columns = USUAL_COLUMNS, answerable: bool = True) -> Dataset:
    """Read a dataset.

    source      a file, a folder, or a name on the Hub ("owner/name:split")
    columns     of tables
    answerable  whether SQuAD's questions without an answer are left out

    Raises `Refusal` for what is not there, is empty, or lacks a column.
    """
    if columns.rule not in RULES:
        raise nearest(columns.rule, RULES, "rule for labels")
    asked = Request(str(source), columns, answerable)
    if asked.path.is_file() and not asked.path.stat().st_size:
        raise Refusal(f"{asked.path.name} is empty.")
    dataset = reader_of(asked).read(asked)
    if not dataset.examples:
        raise Refusal(nothing_in(dataset, source))
    return dataset


def reader_of(asked: Request) -> Reader:
    """The first reader that accepts a request. Raises `Refusal` if there is none."""
    for one in READERS:
        if one.accepts(asked):
            return one
    if not asked.path.is_file():
        raise Refusal(f"There is no file or folder {asked.source}.")
    endings = []
    for one in READERS:
        endings += one.endings
    raise Refusal(
        f"A dataset is a folder, or a file that ends in {', '.join(endings[:-1])} or "
        f"{endings[-1]}; got {asked.path.name}."
    )


def nothing_in(dataset: Dataset, source: str | Path) -> str:
    """Why a dataset has no example, in a sentence."""
    if not dataset.left_out:
        return f"There is no example in {source}."
    return (
        f"There is no example in {source}: {len(dataset.left_out)} were left out, "
        f"the first because {dataset.left_out[0]['reason']}"
    )


@contextmanager
def parse_errors_as_refusals(what: str, name: str):
    """A `Refusal` for a file that lacks a field, or has something else in its place.

    what  how the file should be written: "SQuAD's questions"
    name  of the file
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Refusal(f"{name} does not have the format of {what} ({reason}).") from error

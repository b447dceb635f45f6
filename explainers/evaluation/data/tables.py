"""Tables: .csv, .tsv, .jsonl, .json and .parquet, one example a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import Refusal
from ..case import Example
from .dataset import Columns, Dataset
from .frames import LABEL, frame_of, has_more_fields, usual_column
from .labels import label_of, stars
from .readers import Request, reader

if TYPE_CHECKING:
    import pandas as pd

#: Usual names of columns, for those that are not named.
TEXT = (
    "text",
    "sentence",
    "text_a",
    "sentence1",
    "premise",
    "question1",
    "review",
    "content",
    "ori",
)
PAIR = ("pair", "text_b", "sentence2", "hypothesis", "question2")
ID = ("id", "idx", "guid")

ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def is_table(asked: Request) -> bool:
    return asked.ending in ENDINGS


@reader(is_table, ENDINGS)
def read_table(asked: Request) -> Dataset:
    """A file whose rows are examples."""
    frame = frame_of(asked.path, asked.ending.removeprefix("."), asked.columns.names)
    return dataset_of(asked.path.name, frame, asked.columns)


@dataclass(frozen=True)
class Found:
    """The columns of a table that are used; "" for those that it does not have."""

    text: str
    pair: str
    label: str
    id: str


def dataset_of(name: str, frame: pd.DataFrame, columns: Columns) -> Dataset:
    """The rows of a table as examples."""
    found = Found(
        text=needed_column(frame, columns.text, name),
        pair=column(frame, columns.pair, PAIR, "pair", name),
        label=column(frame, columns.label, LABEL, "label", name),
        id=usual_column(frame, ID),
    )
    # What is absent is None, however it was stored: null, NaN, a line that is too short.
    frame = frame.astype(object).where(frame.notna(), None)
    fewest = 1
    if found.label and columns.rule == "polarity" and 0 in map(stars, frame[found.label]):
        fewest = 0
    examples, left_out = [], []
    for number, row in enumerate(frame.to_dict("records")):
        id = id_of(row, found, number)
        try:
            check_row(row, found)
            inputs = str(row[found.text])
            if found.pair:
                inputs = (inputs, str(row[found.pair]))
            label = None
            if found.label:
                label = label_of(row[found.label], columns.rule, fewest)
        except Refusal as refusal:
            left_out.append({"id": id, "reason": str(refusal)})
        else:
            examples.append(Example(inputs, label, id))
    return Dataset(name, examples, left_out)


def id_of(row: Mapping, found: Found, number: int) -> str:
    """The id of a row; its number where it has none."""
    if not found.id or row[found.id] in (None, ""):
        return str(number)
    return str(row[found.id])


def check_row(row: Mapping, found: Found) -> None:
    """Raise a `Refusal` with the reason why a row is not an example."""
    if has_more_fields(row):
        raise Refusal(
            "its line has more fields than there are columns; "
            "in a .csv a text with a comma in it goes in quotes"
        )
    text = row[found.text]
    if text is None or not str(text).strip():
        raise Refusal("its text is empty")
    if found.pair and row[found.pair] is None:
        raise Refusal("its second text is missing")


def column(frame: pd.DataFrame, asked: str, usual: Sequence[str], what: str, name: str) -> str:
    """The column that is asked for, or one with a usual name, or "".

    what  it is for; name: of the table

    Raises `Refusal` if a column is asked for that the table does not have.
    """
    if not asked:
        return usual_column(frame, usual)
    if asked not in frame.columns:
        raise Refusal(
            f"{name} has no column {asked!r} for the {what}; it has {column_names(frame)}."
        )
    return asked


def needed_column(frame: pd.DataFrame, asked: str, name: str) -> str:
    """The column of the text. Raises `Refusal` if there is none."""
    found = column(frame, asked, TEXT, "text", name)
    if not found:
        raise Refusal(
            f"None of the columns of {name} has a usual name for the text; they are "
            f"{column_names(frame)}. Name one: --text-column, or --columns for all of them if the "
            "first line is an example."
        )
    return found


def column_names(frame: pd.DataFrame) -> str:
    """The names of a table's columns."""
    return ", ".join(map(str, frame.columns))

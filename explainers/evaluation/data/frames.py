"""Files of rows as pandas DataFrames: .csv, .tsv, .jsonl, .json and .parquet."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ...errors import Refusal, first_line

if TYPE_CHECKING:
    import pandas as pd

#: Usual names of the column with the labels.
LABEL = ("label", "label_index", "class", "gold", "stars", "rating")

#: Column for the fields of a line of a .csv or .tsv that has more of them than columns.
BEYOND = "(more fields than columns)"


def frame_of(path: Path, form: str, names: tuple[str, ...] = ()) -> pd.DataFrame:
    """A pandas DataFrame of a file. Texts stay texts, and an empty cell is an empty text.

    form   csv, tsv, jsonl, json or parquet
    names  of the columns of a .csv or .tsv, if its first line does not have them
    """
    try:
        return parsed(path, form, names)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise Refusal(f"{path.name} could not be read as {form}: {first_line(error)}.") from error


def parsed(path: Path, form: str, names: tuple[str, ...]) -> pd.DataFrame:
    """As `frame_of`, with the errors of the parsers."""
    import pandas as pd

    if form == "parquet":
        return pd.read_parquet(path)
    if form == "jsonl":
        with opened_as_text(path) as file:
            return pd.DataFrame([json.loads(line) for line in file if line.strip()])
    if form == "json":
        rows = json.loads(path.read_text(encoding="utf-8"))
        return pd.DataFrame(list(rows.values()) if isinstance(rows, dict) else rows)
    return delimited(path, form, names)


def delimited(path: Path, form: str, names: tuple[str, ...]) -> pd.DataFrame:
    """The lines of a .csv or .tsv; a field that a line lacks is None.

    pandas is not used for parsing: of a line with too many fields it takes the first as the line's
    name, and so half of a text with a comma in it for the whole text.
    """
    import pandas as pd

    with opened_as_text(path) as file:
        lines = line_reader(file, form, names)
        try:
            found = list(lines)
            columns = [*(lines.fieldnames or ())]
        except csv.Error as error:
            raise ValueError(f"{error} in line {lines.reader.line_num}") from error
    if not columns:
        raise ValueError("it has no line of names")
    if any(has_more_fields(line) for line in found):
        columns.append(BEYOND)
    return pd.DataFrame(found, columns=columns, dtype=object)


def opened_as_text(path: Path) -> TextIO:
    """A file opened as UTF-8, whether it is compressed or not."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def line_reader(file: TextIO, form: str, names: tuple[str, ...]) -> csv.DictReader:
    """The lines of a file as dictionaries; the first line has the names unless they are given."""
    csv.field_size_limit(2**31 - 1)  # else a text of more than 131,072 characters is an error
    if form == "tsv":
        return csv.DictReader(file, names or None, BEYOND, delimiter="\t", quoting=csv.QUOTE_NONE)
    return csv.DictReader(file, names or None, BEYOND, strict=True)


def has_more_fields(row: Mapping) -> bool:
    """Whether a line has more fields than there are columns."""
    return any(row.get(BEYOND) or ())


def usual_column(frame: pd.DataFrame, usual: Sequence[str]) -> str:
    """The first of the usual names that a table has, or ""."""
    for name in usual:
        if name in frame.columns:
            return name
    return ""

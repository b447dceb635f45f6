"""Published tables: numbers as their authors printed them, and as Markdown."""

import re
from collections.abc import Mapping, Sequence

#: {row: {column: number}}, each number as its authors printed it.
Table = Mapping[str, Mapping[str, str]]


def printed(datasets: Sequence[str], columns: Sequence[str], text: str) -> dict[str, Table]:
    """Split a printed table by dataset; in print the columns of each stand side by side.

    text  a line for each row, "name: number number ...", datasets times columns of them
    """
    tables = {}
    for place, name in enumerate(datasets):
        first = place * len(columns)
        table = {}
        for line in text.strip().splitlines():
            row, _, numbers = line.partition(":")
            ours = numbers.split()[first : first + len(columns)]
            table[row.strip()] = dict(zip(columns, ours, strict=True))
        tables[name] = table
    return tables


def markdown_of(published: Mapping[str, Table]) -> list[str]:
    """The lines of a Markdown table; the columns of several datasets stand side by side."""
    columns, heads = [], []
    for name, table in published.items():
        for column in next(iter(table.values())):
            columns.append((name, column))
            heads.append(column if len(published) == 1 else f"{name} {column}")
    lines = ["| published | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in next(iter(published.values())):
        cells = [published[name][row][column] for name, column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def simplified(name: str) -> str:
    """A name without what people write differently: SST-2, sst2 and SST_2 are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())

"""The table of a run as Markdown, with what a reader must know about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import Dataset
from ..notation import parse
from ..registry import find_metric
from .means import CONFIDENCE, columns_of, part_of
from .plan import Plan

if TYPE_CHECKING:
    import pandas as pd

WIDE = 6  # columns of a table; a wider one is turned
REASONS = 5  # of what was left out, which a table names
ARROWS = {"higher": "↑", "lower": "↓", "": ""}

#: Targets in words.
EXPLAINED = {None: "the predicted class", "label": "the gold class"}


@dataclass(frozen=True)
class Shown:
    """A column of the table: its name among the records, its metric, and what people read."""

    column: str
    name: str
    title: str


def markdown(
    table: pd.DataFrame, left_out: pd.DataFrame, dataset: Dataset, plan: Plan, note: str
) -> str:
    """The table with what it is of, for people.

    note  a paragraph above the table
    """
    columns = shown_columns(table, plan.metrics)
    examples = count_examples(dataset, left_out)
    explained = EXPLAINED.get(plan.target, plan.target)
    paragraphs = [
        f"{dataset.name}, {examples} examples; model {plan.model}; explained: {explained}; "
        f"seed {plan.seed}."
    ]
    if note:
        paragraphs.append(note)
    paragraphs.append("\n".join(lines_of(table, columns)))
    measured = ", ".join(f"`{name}`" for name in plan.metrics)
    paragraphs.append(
        f"Means over the examples, with {CONFIDENCE:.0%} bootstrap intervals. "
        f"↑ higher is better, ↓ lower. Measured: {measured}."
    )
    paragraphs += where_defined(table, columns, plan.metrics, examples)
    if len(left_out):
        paragraphs.append(said_of(left_out))
    return "\n\n".join(paragraphs) + "\n"


def count_examples(dataset: Dataset, left_out: pd.DataFrame) -> int:
    """How many examples the data had that could be measured; equal ids are examples each."""
    given = len(dataset.examples) + len(dataset.left_out)
    return given - int(left_out["method"].isna().to_numpy().sum())


# ------------------------------------------------------------------------------------ the table


def shown_columns(table: pd.DataFrame, metrics: Sequence[str]) -> list[Shown]:
    """The columns of all metrics, with their titles.

    A title has the options of a metric only if another column has the same metric; a sentence
    below the table names the options of all.
    """
    of_table = list(dict.fromkeys(column for column, _ in table.columns))
    keys = [parse(name)[0] for name in metrics]
    found = []
    for name in metrics:
        key, options = parse(name)
        metric = find_metric(key)
        head = key if keys.count(key) == 1 else name
        for column in columns_of(name, of_table):
            arrow = ARROWS[metric.better_of(part_of(column, name), **options)]
            title = f"{head}{column[len(name) :]} {arrow}".strip()
            found.append(Shown(column, name, title))
    return found


def lines_of(table: pd.DataFrame, columns: Sequence[Shown]) -> list[str]:
    """The lines of the table: a row for each method.

    A wide table is turned, so that methods stand beside each other and a line can be read across.
    """
    heads = [one.title for one in columns]
    names, cells = [], []
    for method, row in table.to_dict("index").items():
        names.append(f"`{method}`")
        cells.append([cell(row, one.column) for one in columns])
    if len(columns) <= WIDE:
        return markdown_lines("method", heads, names, cells)
    return markdown_lines("metric", names, heads, list(zip(*cells)))


def markdown_lines(
    first: str, heads: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]
) -> list[str]:
    """A Markdown table of cells with a name before each row and a head above each column."""
    lines = [f"| {first} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, row in zip(names, cells, strict=True):
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return lines


def cell(row: Mapping, column: str) -> str:
    """The mean of a column with its interval, or a dash."""
    mean, low, high = row[column, "mean"], row[column, "low"], row[column, "high"]
    if not math.isfinite(mean):
        return "–"
    digits = 1 if abs(mean) >= 10 else 3
    text = f"{mean:.{digits}f}"
    if math.isfinite(low):
        text += f" ({low:.{digits}f} to {high:.{digits}f})"
    return text


# -------------------------------------------------------------------- sentences below the table


def where_defined(
    table: pd.DataFrame, columns: Sequence[Shown], metrics: Sequence[str], examples: int
) -> list[str]:
    """A sentence for each metric that is defined for some of the examples only."""
    sentences = []
    for name in metrics:
        numbers = []
        for one in columns:
            if one.name == name:
                numbers += [int(n) for n in table[one.column, "n"] if n]
        if not numbers or min(numbers) >= examples:
            continue
        counted = f"{min(numbers):,}"
        if max(numbers) > min(numbers):
            counted += f" to {max(numbers):,}"
        sentences.append(f"`{name}` is defined for {counted} of {examples:,} examples.")
    return sentences


def said_of(left_out: pd.DataFrame) -> str:
    """How much was left out, with the most frequent reasons."""
    maps = int(left_out["method"].notna().to_numpy().sum())
    numbers = int(left_out["metric"].notna().to_numpy().sum())
    counts = {
        "example": len(left_out) - maps,
        "single map": maps - numbers,
        "single number": numbers,
    }
    counted = []
    for what, count in counts.items():
        if count:
            counted.append(f"{count:,} {what}{'s' * (count > 1)}")
    reasons = []
    for reason, count in grouped_reasons(left_out).items():
        reasons.append(f"{count:,}: {reason.rstrip('.')}")
    named = reasons[:REASONS]
    if len(reasons) > REASONS:
        named.append(f"{len(reasons) - REASONS:,} other reasons")
    return f"Left out: {' and '.join(counted)} ({'; '.join(named)}); each is in left_out.csv."


def grouped_reasons(left_out: pd.DataFrame) -> dict[str, int]:
    """How often each reason was given, the most frequent first.

    Reasons that differ only by the name of the example count as one, with "it" for the name.
    """
    groups: dict[str, list[str]] = {}
    for id, reason in zip(left_out["id"].map(str), left_out["reason"]):
        groups.setdefault(without_name(reason, id), []).append(reason)
    found = {}
    for general, reasons in sorted(groups.items(), key=lambda one: -len(one[1])):
        same = len(set(reasons)) == 1
        found[reasons[0] if same else general] = len(reasons)
    return found


def without_name(reason: str, id: str) -> str:
    """A reason with "it" in place of the example's id, or of the file's name in it."""
    names = [re.escape(name) for name in (id, Path(id).name) if name]
    if not names:
        return reason
    return re.sub(rf"(?<!\w)({'|'.join(names)})(?!\w)", "it", reason)

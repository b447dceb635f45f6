"""The tables of a run: the records of its shards together, and their means."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import Refusal
from ..data import Dataset
from .files import disk_errors_as_refusals, write_atomically, write_parquet
from .means import columns_of, summary
from .plan import Plan
from .report import grouped_reasons, markdown
from .shards import Shard
from .work import CHECKPOINT

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = ["id", "method", "metric", "reason"]


@dataclass(frozen=True, eq=False)
class Result:
    """What a run wrote into its folder.

    records   id, method, target and a column for each number; a row for each example and method
    table     a row for each method; "mean", "low", "high" and "n" of each column of numbers
    left_out  id, method (None for a whole example), metric (None for a whole map), reason
    markdown  the table, with what it is of
    """

    records: pd.DataFrame
    table: pd.DataFrame
    left_out: pd.DataFrame
    markdown: str


def collect(out: Path, dataset: Dataset, plan: Plan, shards: Sequence[Shard], note: str) -> Result:
    """Make the tables of a run whose shards are done, and write them into its folder.

    Raises `Refusal` if nothing could be measured.
    """
    rows = rows_of(shards)
    is_left_out = rows["reason"].notna()
    not_measured = rows.loc[is_left_out]
    left_out = all_left_out(dataset, not_measured)
    with disk_errors_as_refusals(out):
        write_csv(left_out, out / "left_out.csv", index=False)
    if len(not_measured) == len(rows):
        usual = next(iter(grouped_reasons(not_measured)))
        raise Refusal(f"Nothing could be measured: {usual}")
    records = rows.loc[~is_left_out].drop(columns=["metric", "reason"]).reset_index(drop=True)
    records = without_names_of_parts(records, plan.metrics)
    table = summary(records, plan.metrics, plan.seed)
    text = markdown(table, left_out, dataset, plan, note)
    with disk_errors_as_refusals(out):
        write_parquet(records, out / "records.parquet")
        write_csv(table, out / "table.csv")
        write_atomically(text.encode(), out / "table.md")
    return Result(records, table, left_out, text)


def rows_of(shards: Sequence[Shard]) -> pd.DataFrame:
    """The records of all shards, and what they left out, one after another."""
    import pandas as pd

    rows = pd.concat([pd.read_parquet(shard.path) for shard in shards], ignore_index=True)
    columns = list(dict.fromkeys([*rows.columns, *LEFT_OUT]))
    return rows.reindex(columns=columns).drop(columns=CHECKPOINT, errors="ignore")


def all_left_out(dataset: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    """What the data and the run left out."""
    import pandas as pd

    found = [*dataset.left_out, *rows.loc[:, LEFT_OUT].to_dict("records")]
    return pd.DataFrame(found, columns=LEFT_OUT)


def without_names_of_parts(records: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Without the own column of a metric in parts, which has NaN where no part was measured."""
    in_parts = [name for name in metrics if columns_of(name, records.columns) != [name]]
    return records.drop(columns=in_parts, errors="ignore")


def write_csv(frame: pd.DataFrame, path: Path, index: bool = True) -> None:
    """Write a .csv file in which every text is quoted."""
    write_atomically(frame.to_csv(index=index, quoting=csv.QUOTE_NONNUMERIC).encode(), path)

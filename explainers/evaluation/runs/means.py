"""Means over the examples of a run, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import bootstrap

from ..notation import parse
from ..registry import Metric, find_metric

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000
CONFIDENCE = 0.95
AT_ONCE = 2**18  # numbers that are resampled together


def columns_of(name: str, columns: Iterable[str]) -> list[str]:
    """The columns of a metric: one for each part, or one of its own name."""
    return [column for column in columns if column.startswith(f"{name}.")] or [name]


def part_of(column: str, name: str) -> str:
    """The part of a metric that a column is of; "" for its own name."""
    return column[len(name) + 1 :]


def summary(records: pd.DataFrame, metrics: Sequence[str], seed: int) -> pd.DataFrame:
    """Means over the examples with bootstrap intervals: a row for each method.

    Examples for which a metric is not defined (NaN) are left out of its mean. Intervals are
    percentiles of the means of resampled examples. Numbers made of sums over all examples
    ("pooled_...") have no interval.
    """
    import pandas as pd

    rows = {}
    for method in dict.fromkeys(records["method"]):
        ours = records.loc[records["method"] == method]
        row = {}
        for name in metrics:
            metric = find_metric(parse(name)[0])
            row |= averages(ours, name, metric, seed)
            row |= pooled(ours, name, metric)
        rows[method] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def averages(
    records: pd.DataFrame, name: str, metric: Metric, seed: int
) -> dict[tuple[str, str], float]:
    """{(column, edge): number} of the columns that are averaged."""
    found = {}
    for column in columns_of(name, records.columns):
        if part_of(column, name) in metric.parts.counts:
            continue
        for edge, value in interval(records[column].to_numpy(float), seed).items():
            found[column, edge] = value
    return found


def pooled(records: pd.DataFrame, name: str, metric: Metric) -> dict[tuple[str, str], float]:
    """{(column, edge): number} of what is made of sums over all examples."""
    parts = metric.parts
    if parts.pool is None or columns_of(name, records.columns) == [name]:
        return {}
    columns = [f"{name}.{part}" for part in parts.counts]
    counts = records[columns].to_numpy(float)
    counts = counts[np.isfinite(counts).all(1)]
    sums = dict(zip(parts.counts, counts.sum(0).tolist()))
    found = {}
    for part, number in parts.pool(sums).items():
        column = f"{name}.{part}"
        found[column, "mean"] = number if len(counts) else math.nan
        found[column, "low"] = math.nan
        found[column, "high"] = math.nan
        found[column, "n"] = len(counts)
    return found


def interval(values: np.ndarray, seed: int) -> dict[str, float]:
    """The mean of some numbers, and the ends of its bootstrap interval, without NaN.

    NaN for the ends if there are fewer than two numbers.
    """
    values = values[np.isfinite(values)]
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        low = high = math.nan
    elif values.min() == values.max():
        low = high = mean
    else:
        low, high = bootstrap_interval(values, seed)
    return {"mean": mean, "low": low, "high": high, "n": n}


def bootstrap_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """The ends of the percentile interval of the resampled means."""
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, AT_ONCE // len(values)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return float(low), float(high)

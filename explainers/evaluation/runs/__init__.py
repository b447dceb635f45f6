"""Runs: methods and metrics over a dataset, in shards that survive when the run is stopped.

A `Plan` says what is measured, `Work` measures some examples, an engine does the work on each
shard, and `evaluate` joins the shards into one table with intervals.
"""

from .plan import Plan
from .running import evaluate
from .tables import Result
from .work import Work

__all__ = ["Plan", "Result", "Work", "evaluate"]

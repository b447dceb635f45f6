"""Evaluate a dataset by a plan: shard by shard, so that a run can be stopped and go on."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import ModelUnavailable, Refusal, nearest, required
from ..data import Dataset
from .engines import ENGINES, Engine, Measure
from .files import disk_errors_as_refusals, write_parquet
from .manifest import check_manifest
from .plan import Plan
from .shards import (
    Shard,
    check_checkpoint,
    checkpoints,
    default_size,
    folder_of,
    shards_of,
)
from .tables import Result, collect
from .work import CHECKPOINT, Work


def evaluate(
    dataset: Dataset,
    plan: Plan,
    out: str | Path,
    engine: str = "local",
    shard: int | None = None,
    work: Measure | None = None,
    note: str = "",
    quiet: bool = False,
) -> Result:
    """Measure every method on every example of a dataset, and write tables.

    The folder `out` gets records.parquet, left_out.csv, table.csv and table.md. A run can be
    killed at any moment and started again: shards whose files are there are not measured again.

    engine  who does the work: "local", this process, or "ray", workers on one or many machines
    shard   how many examples a shard has; 64 texts or 12 pictures by default
    work    what measures a shard; `Work(plan)` by default
    note    a paragraph above the table
    quiet   whether the progress bar is left out

    Raises `Refusal` for a plan that cannot be measured, an unknown engine, a dataset without
    examples, an `out` that holds another run, and a run that is stopped by Ctrl-C.
    """
    plan.check()
    if engine not in ENGINES:
        raise nearest(engine, ENGINES, "engine")
    if not dataset.examples:
        raise Refusal(f"There is no example in {dataset.name}.")
    out = Path(out)
    size = shard or default_size(dataset.examples)
    with disk_errors_as_refusals(out):
        folder_of(out).mkdir(parents=True, exist_ok=True)
        check_manifest(out, dataset, plan, size)
    shards = shards_of(dataset.examples, size, out)
    progress = progress_bar(shards, quiet)
    try:
        with progress:
            for done in measured(shards, ENGINES[engine], work or Work(plan), plan.model, out):
                progress.update(len(done.examples))
    except KeyboardInterrupt:
        done = sum(one.done for one in shards)
        raise Refusal(
            f"Stopped: {done} of {len(shards)} shards are in {out}; "
            "the same command goes on from there."
        ) from None
    return collect(out, dataset, plan, shards, note)


def measured(shards: Sequence[Shard], engine: Engine, work: Measure, model: str, out: Path):
    """Measure the shards that have no file yet, write their files, and yield each when done."""
    before = checkpoints(one for one in shards if one.done)
    waiting = [(one.number, one.examples) for one in shards if not one.done]
    if not waiting:
        check_weights(work, before, model, out)
        return
    for number, records in engine(work, waiting):
        check_checkpoint(records, before, model, out)
        with disk_errors_as_refusals(out):
            write_parquet(records, shards[number].path)
        yield shards[number]


def check_weights(work: Measure, before: set[str], model: str, out: Path) -> None:
    """Raise a `Refusal` if a finished run was measured with other weights than the model has now.

    A model that cannot be loaded now does not hinder anyone from reading the finished table.
    before: the checkpoints of the shards.
    """
    if not before or not isinstance(work, Work):
        return
    try:
        now = work.checkpoint
    except ModelUnavailable:
        return
    check_checkpoint([{CHECKPOINT: now}], before, model, out)


def progress_bar(shards: Sequence[Shard], quiet: bool):
    """A bar over the examples of a run, at those that are done already."""
    tqdm = required("tqdm", "evaluation").tqdm
    total = sum(len(one.examples) for one in shards)
    done = sum(len(one.examples) for one in shards if one.done)
    return tqdm(total=total, initial=done, unit="example", disable=quiet, smoothing=0.1)

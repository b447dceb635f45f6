"""Small files of data: what is read of them, and the records of a shard."""

from pathlib import Path

from explainers.evaluation.data import read
from explainers.evaluation.runs.files import write_parquet


def reading_of(path: Path, **options) -> list[tuple]:
    """(inputs, label, id, data) of each example that is read."""
    found = read(path, **options)
    return [(one.inputs, one.label, one.id, one.data) for one in found.examples]


def written(path: Path, rows: list[dict]) -> Path:
    """A file of records, in a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(rows, path)
    return path

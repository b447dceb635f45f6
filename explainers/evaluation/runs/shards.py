"""The shards of a run: parts of its examples, each with a file of records once it is done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import Refusal
from ..case import Example
from .work import CHECKPOINT, is_picture

#: How many examples a shard has: what is lost at most when a run is killed, and how often the
#: progress bar moves.
TEXTS = 64
PICTURES = 12


@dataclass(frozen=True, eq=False)
class Shard:
    """Some examples of a run, and the file with their records."""

    number: int
    examples: list[Example]
    path: Path

    @property
    def done(self) -> bool:
        return self.path.exists()


def default_size(examples: Sequence[Example]) -> int:
    """How many examples a shard has, by what they are."""
    return PICTURES if is_picture(examples[0].inputs) else TEXTS


def shards_of(examples: Sequence[Example], size: int, out: Path) -> list[Shard]:
    """The examples in shards, by length, so that the inputs of one have few shapes."""
    by_length = sorted(examples, key=lambda one: (length(one.inputs), one.id))
    shards = []
    for first in range(0, len(by_length), size):
        number = len(shards)
        path = folder_of(out) / f"{number:05}.parquet"
        shards.append(Shard(number, by_length[first : first + size], path))
    return shards


def folder_of(out: Path) -> Path:
    """The folder of the shards of a run."""
    return out / "shards"


def length(inputs) -> int:
    """How many characters a text or a pair has; 0 for pictures, which have one size."""
    if isinstance(inputs, str):
        return len(inputs)
    if isinstance(inputs, tuple):
        return sum(len(one) for one in inputs if isinstance(one, str))
    return 0


def has_records(path: Path) -> bool:
    """Whether a shard has a record, and not only what was left out."""
    from pyarrow.parquet import read_schema

    return "target" in read_schema(path).names


def checkpoints(shards: Iterable[Shard]) -> set[str]:
    """The checkpoints by which shards were measured; shards of earlier versions name none."""
    from pyarrow.parquet import read_schema, read_table

    found = set()
    for shard in shards:
        if CHECKPOINT in read_schema(shard.path).names:
            found |= set(read_table(shard.path, columns=[CHECKPOINT])[CHECKPOINT].to_pylist())
    return found


def check_checkpoint(records: Iterable[dict], before: set[str], model: str, out: Path) -> None:
    """Raise a `Refusal` if a run goes on with other weights: one table is of one model.

    before  the checkpoints of the shards that are done
    """
    now = {record[CHECKPOINT] for record in records if CHECKPOINT in record}
    if now and before and now != before:
        raise Refusal(
            f"The shards in {out} were measured with other weights of {model}. "
            "Use another --out, or name the --revision that was measured."
        )

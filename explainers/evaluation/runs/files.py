"""Files that are complete or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import Refusal

if TYPE_CHECKING:
    import pandas as pd


def write_atomically(content: bytes, path: Path) -> None:
    """Write a file that is there completely or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def write_parquet(records: Sequence[dict] | pd.DataFrame, path: Path) -> None:
    """Write records as a .parquet file, atomically."""
    import pandas as pd

    held = io.BytesIO()
    pd.DataFrame(records).to_parquet(held, index=False)
    write_atomically(held.getvalue(), path)


@contextmanager
def disk_errors_as_refusals(folder: Path):
    """A `Refusal` for a full disk, and for a folder that cannot be made or written into."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refusal(
                f"The disk of {folder} is full. The finished shards are kept: free some space and "
                "run the same command again to continue."
            ) from error
        raise Refusal(
            f"The folder {folder} cannot be made or written into ({error.strerror})."
        ) from error

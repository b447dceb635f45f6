"""run.json: what a folder of results holds, so that two runs are never mixed in it."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ... import __version__
from ...errors import Refusal
from ..data import Dataset
from .files import write_atomically
from .plan import Plan
from .shards import folder_of, has_records

#: Packages whose versions are written down.
PACKAGES = ("torch", "transformers", "numpy", "scipy")


def check_manifest(out: Path, dataset: Dataset, plan: Plan, size: int) -> None:
    """Write run.json, or compare it with this run if the folder has one.

    A folder without any record is used again, whatever its run.json says. Versions of packages
    may differ.

    size  how many examples a shard has

    Raises `Refusal` if the folder holds a run that would give other records.
    """
    manifest = manifest_of(dataset, plan, size)
    file = out / "run.json"
    shards = sorted(folder_of(out).glob("*.parquet"))
    if file.exists() and any(has_records(path) for path in shards):
        before = json.loads(file.read_text(encoding="utf-8"))
        check_same(out, before, manifest)
        return
    for path in shards:
        path.unlink()
    write_atomically(json.dumps(manifest | {"versions": versions()}, indent=1).encode(), file)


def manifest_of(dataset: Dataset, plan: Plan, size: int) -> dict:
    """All that the records of a run depend on."""
    manifest = {}
    for name, value in asdict(plan).items():
        manifest[name] = list(value) if isinstance(value, tuple) else value
    return manifest | {
        "data": dataset.name,
        "examples": len(dataset.examples),
        "fingerprint": dataset.fingerprint,
        "shard": size,
    }


def check_same(out: Path, before: dict, manifest: dict) -> None:
    """Raise a `Refusal` that names what differs between two manifests."""
    different = []
    for name, value in manifest.items():
        if before.get(name) != value:
            different.append(f"{name} was {before.get(name)!r} and is {value!r}")
    if different:
        raise Refusal(f"{out} holds another run: {', '.join(different[:3])}. Use another --out.")


def versions() -> dict[str, str]:
    """The versions of this package, Python, and what the numbers come from."""
    found = {"explainers": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        found[name] = installed(name)
    return found


def installed(name: str) -> str:
    """The version of a package, or "?"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"

"""A .zip of pictures in folders of their classes, as ImageNet's validation set comes."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ...errors import Refusal
from ..case import Example
from .dataset import Dataset
from .readers import PICTURES, Request, parse_errors_as_refusals, reader

#: What a damaged file raises; a RuntimeError, one that needs a password or another program.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


@dataclass(frozen=True)
class Class:
    """A line of classes.tsv: the number of a class, its WordNet id, and its names."""

    label: int
    wnid: str
    name: str


def is_archive(asked: Request) -> bool:
    return asked.ending == ".zip"


@reader(is_archive, (".zip",))
def read_archive(asked: Request) -> Dataset:
    """The pictures of a .zip. Their labels are the names of their folders.

    A classes.tsv beside the .zip (label, wnid, name) gives numbers and names for WordNet ids.
    """
    path = asked.path
    classes = read_classes(path.parent / "classes.tsv")
    number_of = {one.wnid: one.label for one in classes}
    examples, left_out = [], []
    with opened(path) as archive:
        for name in sorted(archive.namelist()):
            if Path(name).suffix.lower() not in PICTURES:
                continue
            folder = Path(name).parent.name
            try:
                picture = archive.read(name)
            except DAMAGED as error:
                reason = f"it could not be taken out of the .zip ({error})"
                left_out.append({"id": name, "reason": reason})
            else:
                examples.append(Example(picture, number_of.get(folder, folder), name))
    names = tuple(one.name.split(",")[0] for one in classes)
    return Dataset(path.name, examples, left_out, names)


def opened(path: Path) -> zipfile.ZipFile:
    """The archive. Raises `Refusal` if it is no .zip."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise Refusal(f"{path.name} could not be read as zip: {error}.") from error


def read_classes(path: Path) -> list[Class]:
    """The lines of classes.tsv by number; none if there is no such file."""
    import pandas as pd

    if not path.exists():
        return []
    found = []
    with parse_errors_as_refusals("lists of classes (label, wnid, name)", path.name):
        for row in pd.read_csv(path, sep="\t").to_dict("records"):
            found.append(Class(int(row["label"]), row["wnid"], row["name"]))
    return sorted(found, key=lambda one: one.label)

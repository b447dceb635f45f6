"""Folders of pictures with labels and masks, or of texts in folders of their classes."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import Refusal
from ..case import Example
from .dataset import Dataset
from .frames import BEYOND, LABEL, frame_of, usual_column
from .readers import PICTURES, Request, reader

#: Usual names of the column with the names of files.
FILE = ("file", "image", "path", "filename")

#: Folders whose names are not labels.
IMAGES, MASKS = "images", "masks"


def is_folder(asked: Request) -> bool:
    return asked.path.is_dir()


@reader(is_folder)
def read_folder(asked: Request) -> Dataset:
    """The pictures in a folder, or if there are none its texts, NAME.txt.

    Labels of pictures are in a table in the folder with a column for the file, or else the names
    of their folders. A mask is masks/NAME.png beside images/NAME.jpg. Labels of texts are the names
    of their folders.
    """
    folder = asked.path.absolute()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    pictures = [path for path in files if is_example(path)]
    if pictures:
        labels = labels_in_tables(files)
        examples = [picture_example(path, folder, labels) for path in pictures]
    else:
        texts = [path for path in files if path.suffix == ".txt"]
        examples = [text_example(path, folder) for path in texts]
    return Dataset(folder.name, examples)


def is_example(path: Path) -> bool:
    """Whether a file is a picture and no mask."""
    return path.suffix.lower() in PICTURES and path.parent.name != MASKS


def text_example(path: Path, folder: Path) -> Example:
    """A text, labelled by the name of its folder."""
    text = path.read_text(encoding="utf-8", errors="replace")
    label = None if path.parent == folder else path.parent.name
    return Example(text, label, str(path.relative_to(folder)))


def picture_example(path: Path, folder: Path, labels: dict[str, str | None]) -> Example:
    """A picture with its label and its mask, where there are any."""
    place = str(path.relative_to(folder))
    label = None
    if path.parent != folder and path.parent.name != IMAGES:
        label = path.parent.name
    label = labels.get(place, labels.get(path.name, label))
    mask = path.parent.parent / MASKS / f"{path.stem}.png"
    return Example(path, label, place, {"mask": mask} if mask.exists() else {})


def labels_in_tables(files: Sequence[Path]) -> dict[str, str | None]:
    """Labels by the name of the file, from the .tsv and .csv files of a folder."""
    labels = {}
    for path in files:
        if path.suffix not in (".tsv", ".csv"):
            continue
        frame = frame_of(path, path.suffix.removeprefix("."))
        if BEYOND in frame:
            raise Refusal(
                f"{path.name} has lines with more fields than columns "
                "(a name with a comma in it goes in quotes)."
            )
        name, label = usual_column(frame, FILE), usual_column(frame, LABEL)
        if name and label:
            for file, value in zip(frame[name], frame[label]):
                labels[file] = value or None
    return labels

"""Inputs of planted models: what decides each of them is known."""

import json
from collections.abc import Mapping
from pathlib import Path

from ...models import BUNDLED
from ...pictures import open_picture
from ...shipped import shipped_folder
from ..case import Example
from .dataset import Dataset
from .readers import Request, parse_errors_as_refusals, reader

LISTING, SHEET = "planted.jsonl", "planted.png"


def folder_of(asked: Request) -> Path | None:
    """The folder with the inputs: the one that is given, or that of a bundled model."""
    if asked.path.exists():
        folder = asked.path.absolute()
    elif asked.source in BUNDLED:
        folder = shipped_folder(f"models/{BUNDLED[asked.source].folder}")
    else:
        return None
    if folder is None or not (folder / LISTING).is_file():
        return None
    return folder


def is_planted(asked: Request) -> bool:
    return folder_of(asked) is not None


@reader(is_planted)
def read_planted(asked: Request) -> Dataset:
    """A folder with planted.jsonl, or the name of a bundled model that has one: "planted-and".

    A line has "text", or "picture", its box (left, top, right, bottom) in planted.png; "label";
    "causes", a list of {"at": place, "sign": 1 or −1}; and "distractors", a list of places. For
    places and signs see `Example`.
    """
    folder = folder_of(asked)
    assert folder is not None  # it is_planted
    sheet = None
    if (folder / SHEET).is_file():
        sheet = open_picture(folder / SHEET)
    examples = []
    with parse_errors_as_refusals("inputs of planted models", LISTING):
        lines = (folder / LISTING).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            row = json.loads(line)
            inputs = row["text"] if sheet is None else sheet.crop(row["picture"])
            examples.append(Example(inputs, row["label"], str(number), truth_of(row)))
    name = asked.source if asked.source in BUNDLED else folder.name
    return Dataset(name, examples)


def truth_of(row: Mapping) -> dict:
    """What `Example.data` has for a line."""
    causes = [(tuple(one["at"]), int(one["sign"])) for one in row["causes"]]
    return {"causes": causes, "distractors": [tuple(place) for place in row["distractors"]]}

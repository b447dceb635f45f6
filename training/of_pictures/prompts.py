"""The names of the classes, and the prompts made from them."""

import json
import re
from collections import Counter
from pathlib import Path

from .data import classes

PROMPT = "a photo of {a}"

#: The wordings that are trained on.
TEMPLATES = (
    "{name}",
    PROMPT,
    "a photo of the {name}.",
    "a picture of {a}",
    "an image of {a}.",
    "a close-up of the {name}",
    "a small photo of {a}",
    "a blurry picture of the {name}",
    "this is {a}",
    "there is {a} in the picture.",
)

#: Wordings that are never trained on.
OTHER_TEMPLATES = (
    "a snapshot of {a}",
    "look at the {name}!",
    "{a} in the middle of a photograph",
    "here you see {a}.",
)

LATIN = re.compile("[A-Z][a-z]+ [a-z]+")


def prompt(template: str, name: str) -> str:
    """A template with a name: "{name}" is the name, "{a}" the name with its article."""
    article = "an" if name[0].lower() in "aeiou" else "a"
    return template.format(name=name, a=f"{article} {name}")


def teacher_names(folder: Path) -> dict[str, list[str]]:
    """The names of each of the teacher's classes, by wnid.

    A name that two classes share is left out, unless a class has no other name.
    """
    called = {}
    for line in (folder / "synset_words.txt").read_text().splitlines():
        wnid, names = line.split(" ", 1)
        called[wnid] = names.strip().split(", ")
    uses = Counter()
    for names in called.values():
        uses.update(set(names))
    for wnid, names in called.items():
        unique = [name for name in names if uses[name] == 1]
        called[wnid] = unique or names
    return called


def held_out_names(teacher: Path, data: Path) -> dict[str, str]:
    """The held-out name of some of our classes, which is never trained on, by wnid.

    It is the last of several English names, which is often a rare one.
    """
    called = teacher_names(teacher)
    held_out = {}
    for row in classes(data):
        for name in called[row["wnid"]][1:]:
            if not LATIN.fullmatch(name):
                held_out[row["wnid"]] = name
    return held_out


def training_texts(teacher: Path, data: Path) -> list[list[str]]:
    """Every name in every template, for each of the teacher's classes, in the teacher's order."""
    called, held_out = teacher_names(teacher), held_out_names(teacher, data)
    texts = []
    for wnid in json.loads((teacher / "wnids.json").read_text()):
        of_class = []
        for name in called[wnid]:
            if name != held_out.get(wnid):
                of_class += [prompt(template, name) for template in TEMPLATES]
        texts.append(of_class)
    return texts

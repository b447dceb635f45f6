"""ERASER's movie reviews: texts, their classes, and the words that people marked."""

import json
import re
from collections.abc import Mapping

from ...errors import Refusal
from ..case import Example
from .dataset import Dataset
from .readers import Request, parse_errors_as_refusals, reader

CLASSES = {"NEG": "NEGATIVE", "POS": "POSITIVE"}
LISTING = "test.jsonl"


def is_eraser(asked: Request) -> bool:
    return (asked.path / "docs").is_dir()


@reader(is_eraser)
def read_eraser(asked: Request) -> Dataset:
    """A folder with texts in docs/, and their classes and rationales in test.jsonl."""
    folder = asked.path.absolute()
    listing = folder / LISTING
    if not listing.exists():
        raise Refusal(
            f"{folder.name} has texts in docs/ as ERASER's folders have, "
            f"but no {LISTING} beside it."
        )
    examples, left_out = [], []
    with parse_errors_as_refusals("ERASER's reviews", LISTING):
        for line in listing.read_text(encoding="utf-8").splitlines():
            review = json.loads(line)
            id = review["annotation_id"]
            document = folder / "docs" / id
            if not document.is_file():
                left_out.append({"id": id, "reason": "its text is not in docs/"})
                continue
            text = document.read_text(encoding="utf-8")
            label = CLASSES[review["classification"]]
            data = {"rationale": rationale_of(review, text)}
            examples.append(Example(text, label, id, data))
    return Dataset(folder.name, examples, left_out)


def rationale_of(review: Mapping, text: str) -> list[tuple[int, int]]:
    """The marked spans as (first, last+1 character); ERASER counts words between spaces."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    marked = []
    for group in review["evidences"]:
        for piece in group:
            first, _ = words[piece["start_token"]]
            _, last = words[min(piece["end_token"], len(words)) - 1]
            marked.append((first, last))
    return marked

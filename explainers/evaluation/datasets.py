"""Examples out of files: tables, folders and archives of pictures, SQuAD's questions, ERASER's rationales, the Hub."""

import csv
import gzip
import hashlib
import json
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL.Image import Image
from torch import Tensor

from ..errors import Refusal, first_line, nearest
from ..inputs import Encoded
from .case import Example

#: Names of columns that are taken for what they say, if nobody names others.
TEXT = (
    "text",
    "sentence",
    "text_a",
    "sentence1",
    "premise",
    "question1",
    "review",
    "content",
    "ori",
)
PAIR = ("pair", "text_b", "sentence2", "hypothesis", "question2")
LABEL = ("label", "label_index", "class", "gold", "stars", "rating")
ID = ("id", "idx", "guid")
FILE = ("file", "image", "path", "filename")

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
BEYOND = "(more fields than columns)"  # under which a line of a .csv or .tsv has what no column is named for
READERS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}
RULES = ("as is", "polarity")


@dataclass(frozen=True)
class Columns:
    """Where a table holds what; "" is found by its usual names.

    names   of all columns, for a table without a line of names
    rule    how labels are read: "as is", or "polarity", which of 1 to 5 stars (or 0 to 4, where there is a 0) makes NEGATIVE of the lower and POSITIVE of
            the higher and leaves the middle out
    """

    text: str = ""
    pair: str = ""
    label: str = ""
    names: tuple[str, ...] = ()
    rule: str = "as is"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples, and what was not made one, with the reason: {"id", "reason"}. classes: the names of the labels by number, where the data has them."""

    name: str
    examples: list[Example]
    left_out: list[dict] = field(default_factory=list)
    classes: tuple[str, ...] = ()

    def sample(self, limit: int | None, seed: int = 0) -> "Dataset":
        """At most so many, drawn with a seed, in the order of the file."""
        if limit is None or limit >= len(self.examples):
            return self
        if limit < 1:
            raise Refusal(f"A sample has at least one example; got a limit of {limit}.")
        kept = sorted(random.Random(seed).sample(range(len(self.examples)), limit))
        return replace(self, examples=[self.examples[i] for i in kept])

    @property
    def fingerprint(self) -> str:
        """Of all that an example is: its id, inputs, label, and what metrics need besides.

        Another file, another sample, another mask: another fingerprint. The folder can be named
        from anywhere, since the id says where in it a picture is.
        """
        held = hashlib.sha256()
        for one in self.examples:
            for part in content((one.id, one.inputs, one.label, one.data)):
                held.update(len(part).to_bytes(8, "little"))  # "ab", "c" is not "a", "bc"
                held.update(part)
        return held.hexdigest()[:16]


def content(value) -> Iterator[bytes]:
    """What a part of an example holds, as bytes; of a file its name and its size."""
    yield type(value).__name__.encode()
    if isinstance(value, Path):
        yield value.name.encode()
        yield str(value.stat().st_size if value.is_file() else None).encode()
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield str(name).encode()
            yield from content(value[name])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from content(one)
    elif isinstance(value, Encoded):
        yield from content(value.tensors)
    elif isinstance(value, Image | np.ndarray | Tensor):
        numbers = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
        yield f"{numbers.dtype} {numbers.shape}".encode()
        yield numbers.tobytes()
    else:
        yield repr(value).encode()


def read(source: str | Path, columns: Columns = Columns(), answerable: bool = True) -> Dataset:
    """A dataset by its file, folder or name on the Hub ("owner/name:split").

    answerable: of SQuAD's questions, leave those out that have no answer. Raises `Refusal` for what is not there, empty, or lacks a column.
    """
    if columns.rule not in RULES:
        raise nearest(columns.rule, RULES, "rule for labels")
    path = Path(source)
    if path.is_dir():
        reader = eraser if (path / "docs").is_dir() else folder
        found = reader(path.absolute())
    elif path.is_file():
        found = file(path, columns, answerable)
    elif re.fullmatch(r"[\w.-]+(/[\w.-]+){0,2}(:\w+)?", str(source)) and not path.suffix:
        found = hub(str(source), columns)
    else:
        raise Refusal(f"There is no file or folder {source}.")
    if not found.examples:
        raise Refusal(
            f"There is no example in {source}"
            + (
                f": {len(found.left_out)} were left out, the first because {found.left_out[0]['reason']}"
                if found.left_out
                else "."
            )
        )
    return found


def file(path: Path, columns: Columns, answerable: bool) -> Dataset:
    if path.suffix == ".zip":
        return archive(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in READERS:
        raise Refusal(
            f"A dataset is a folder, or a file that ends in {', '.join(READERS)} or .zip; got {path.name}."
        )
    if not path.stat().st_size:
        raise Refusal(f"{path.name} is empty.")
    if suffix == ".json":
        whole = loaded(path, json.loads)
        if isinstance(whole, dict) and "data" in whole:
            return squad(path.name, whole["data"], answerable)
    return table(path.name, frame_of(path, READERS[suffix], columns), columns)


def loaded(path: Path, how: Callable):
    try:
        return how(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refusal(f"{path.name} could not be read: {error}.") from error


# ------------------------------------------------------------------------------------------------------- tables


def frame_of(path: Path, how: str, columns: Columns):
    """A pandas DataFrame of a file; texts stay texts, and an empty cell is an empty text."""
    import pandas as pd

    try:
        if how in ("csv", "tsv"):
            return delimited(path, how, columns.names)
        if how == "parquet":
            return pd.read_parquet(path)
        if how == "jsonl":
            return pd.read_json(path, lines=True, dtype=False)
        whole = json.loads(path.read_text(encoding="utf-8"))
        return pd.DataFrame(list(whole.values()) if isinstance(whole, dict) else whole)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise Refusal(f"{path.name} could not be read as {how}: {first_line(error)}.") from error


def delimited(path: Path, how: str, names: tuple[str, ...]):
    """The lines of a .csv or .tsv under `names`, or those of its first line; a field that a line lacks is None.

    Not by pandas, which takes the first of too many fields for the line's name, and so half of a text with a comma in it for the whole.
    """
    import pandas as pd

    csv.field_size_limit(2**31 - 1)  # else a text of more than 131,072 characters is an error
    with (gzip.open if path.suffix == ".gz" else open)(
        path, "rt", encoding="utf-8-sig", newline=""
    ) as file:
        lines = csv.DictReader(
            file,
            names or None,
            BEYOND,
            **(
                {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if how == "tsv" else {"strict": True}
            ),
        )
        try:
            names, found = lines.fieldnames, list(lines)
        except csv.Error as error:
            raise ValueError(f"{error} in line {lines.reader.line_num}") from error
    if not names:
        raise ValueError("it has no line of names")
    return pd.DataFrame(
        found,
        columns=[*names, *([BEYOND] if any(any(line.get(BEYOND, ())) for line in found) else [])],
        dtype=object,
    )


def column(
    frame, asked: str, usual: Iterable[str], what: str, name: str, needed: bool = False
) -> str:
    """The column that is asked for or has a usual name; "" if there is none and none is needed."""
    found = (
        asked
        if asked in frame.columns
        else ""
        if asked
        else next((one for one in usual if one in frame.columns), "")
    )
    if not found and (asked or needed):
        raise Refusal(
            f"{name} has no column {asked!r} for the {what}; it has {', '.join(map(str, frame.columns))}."
            if asked
            else f"{name} has no column for the {what} that is known by its name; it has {', '.join(map(str, frame.columns))}. Name one: --{what}-column, "
            "or --columns for all of them if the first line is an example."
        )
    return found


def table(name: str, frame, columns: Columns) -> Dataset:
    """A row an example."""
    text = column(frame, columns.text, TEXT, "text", name, needed=True)
    pair, label = (
        column(frame, columns.pair, PAIR, "pair", name),
        column(frame, columns.label, LABEL, "label", name),
    )
    number = column(frame, "", ID, "id", name)
    examples, left_out = [], []
    frame = frame.astype(object).where(
        frame.notna(), None
    )  # what is absent is None, whatever kept it: null, NaN, a line too short
    lowest = 0 if label and columns.rule == "polarity" and 0 in map(stars, frame[label]) else 1
    for k, row in enumerate(frame.to_dict("records")):
        named = str(k) if not number or row[number] in (None, "") else str(row[number])
        given = (str(row[text]), str(row[pair])) if pair else str(row[text])
        try:
            if any(row.get(BEYOND) or ()):
                raise Refusal(
                    "its line has more fields than there are columns; in a .csv a text with a comma in it goes in quotes"
                )
            if row[text] is None or not str(row[text]).strip():
                raise Refusal("its text is empty")
            if pair and row[pair] is None:
                raise Refusal("its second text is missing")
            examples.append(
                Example(given, labelled(row[label], columns.rule, lowest) if label else None, named)
            )
        except Refusal as refusal:
            left_out.append({"id": named, "reason": str(refusal)})
    return Dataset(name, examples, left_out)


def labelled(value, rule: str, lowest: int) -> str | int | None:
    """A label as the model is asked for it: its name or its index; None where there is none. lowest: the fewest stars."""
    if value is None or value == "":
        return None
    if rule == "as is":
        return (
            int(value)
            if isinstance(value, float) and value.is_integer()
            else value
            if isinstance(value, int)
            else str(value)
        )
    number, middle = stars(value), lowest + 2
    if number is None or abs(number - middle) > 2:
        raise Refusal(
            f"the rule polarity reads stars ({lowest} to {lowest + 4}), and its label is {str(value)[:40]!r}"
        )
    if number == middle:
        raise Refusal("three stars are neither negative nor positive")
    return "NEGATIVE" if number < middle else "POSITIVE"


def stars(value) -> int | None:
    """5, "5" or 5.0 as a number; None for what is none."""
    found = re.fullmatch(r"(\d)(\.0*)?", str(value).strip())
    return int(found[1]) if found else None


def hub(name: str, columns: Columns) -> Dataset:
    """A dataset of the Hub, "owner/name", "owner/name/configuration", and ":split" behind it; the split is test unless said otherwise."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise Refusal(
            f"There is no file or folder {name}; to read it from the Hub install the package datasets."
        ) from error
    place, _, split = name.partition(":")
    owner, configuration = re.fullmatch(r"([^/]+(?:/[^/]+)?)(?:/([^/]+))?", place).groups()
    try:
        return table(
            name, load_dataset(owner, configuration, split=split or "test").to_pandas(), columns
        )
    except Exception as error:
        raise Refusal(f"The dataset {name} could not be had: {first_line(error)}.") from error


# --------------------------------------------------------------------------------------------- questions, rationales


def squad(name: str, articles: list[dict], answerable: bool) -> Dataset:
    """SQuAD's questions with their contexts; data["answer"] is the first gold answer's place."""
    examples, left_out = [], []
    with written_as("SQuAD's questions", name):
        for context, one in (
            (part["context"], one)
            for article in articles
            for part in article["paragraphs"]
            for one in part["qas"]
        ):
            if not one["answers"] and answerable:
                left_out.append({"id": one["id"], "reason": "it has no answer in its context"})
                continue
            spans = [
                (first["answer_start"], first["answer_start"] + len(first["text"]))
                for first in one["answers"][:1]
            ]
            examples.append(
                Example(
                    (one["question"], context),
                    None,
                    one["id"],
                    {"answer": spans[0]} if spans else {},
                )
            )
    return Dataset(name, examples, left_out)


@contextmanager
def written_as(what: str, name: str):
    """A file that lacks a field, or has something else in its place, is a sentence."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise Refusal(
            f"{name} is not written as {what} are ({f'it lacks {error}' if isinstance(error, KeyError) else error})."
        ) from error


def eraser(path: Path, split: str = "test") -> Dataset:
    """ERASER's movie reviews: texts in docs/, and in {split}.jsonl their class and what people marked, in words counted between spaces."""
    told, examples, left_out = path / f"{split}.jsonl", [], []
    if not told.exists():
        raise Refusal(
            f"{path.name} has texts in docs/ as ERASER's folders have, but no {told.name} beside it."
        )
    with written_as("ERASER's reviews", told.name):
        for one in map(json.loads, told.read_text(encoding="utf-8").splitlines()):
            document = path / "docs" / one["annotation_id"]
            if not document.is_file():
                left_out.append({"id": one["annotation_id"], "reason": "its text is not in docs/"})
                continue
            text = document.read_text(encoding="utf-8")
            words = [match.span() for match in re.finditer(r"\S+", text)]
            marked = [
                (words[piece["start_token"]][0], words[min(piece["end_token"], len(words)) - 1][1])
                for group in one["evidences"]
                for piece in group
            ]
            examples.append(
                Example(
                    text,
                    {"NEG": "NEGATIVE", "POS": "POSITIVE"}[one["classification"]],
                    one["annotation_id"],
                    {"rationale": marked},
                )
            )
    return Dataset(path.name, examples, left_out)


# ----------------------------------------------------------------------------------------------------- pictures


def folder(path: Path) -> Dataset:
    """Pictures, their labels from a table in the folder with a column for the file, or from the names of their folders; masks/NAME.png beside
    images/NAME.jpg; or texts, NAME.txt, labelled by their folders."""
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    pictures = [
        one for one in inside if one.suffix.lower() in PICTURES and one.parent.name != "masks"
    ]
    texts = [one for one in inside if one.suffix == ".txt"]
    if not pictures:
        label = lambda one: None if one.parent == path else one.parent.name
        return Dataset(
            path.name,
            [
                Example(
                    one.read_text(encoding="utf-8", errors="replace"),
                    label(one),
                    str(one.relative_to(path)),
                )
                for one in texts
            ],
        )
    labels: dict[str, str] = {}
    for listing in (one for one in inside if one.suffix in (".tsv", ".csv")):
        frame = frame_of(listing, READERS[listing.suffix], Columns())
        if BEYOND in frame:
            raise Refusal(
                f"{listing.name} has lines with more fields than columns (a name with a comma in it goes in quotes)."
            )
        name, label = (
            next((one for one in usual if one in frame.columns), None) for usual in (FILE, LABEL)
        )
        if name and label:
            labels |= dict(zip(frame[name], frame[label].map(lambda value: value or None)))
    examples = []
    for one in pictures:
        place, mask = str(one.relative_to(path)), one.parent.parent / "masks" / f"{one.stem}.png"
        by_folder = one.parent.name if one.parent != path and one.parent.name != "images" else None
        examples.append(
            Example(
                one,
                labels.get(place, labels.get(one.name, by_folder)),
                place,
                {"mask": mask} if mask.exists() else {},
            )
        )
    return Dataset(path.name, examples)


def archive(path: Path) -> Dataset:
    """A .zip of pictures whose folders are their classes; classes.tsv beside it (label, wnid, name) says what WordNet numbers stand for."""
    import pandas as pd

    known = path.parent / "classes.tsv"
    rows = (
        sorted(pd.read_csv(known, sep="\t").itertuples(), key=lambda row: row.label)
        if known.exists()
        else []
    )
    labels = {row.wnid: int(row.label) for row in rows}
    examples, left_out = [], []
    try:
        file = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise Refusal(f"{path.name} could not be read as zip: {error}.") from error
    with file:
        for name in sorted(one for one in file.namelist() if Path(one).suffix.lower() in PICTURES):
            of = Path(name).parent.name
            try:
                examples.append(Example(file.read(name), labels.get(of, of), name))
            except (
                zipfile.BadZipFile,
                zlib.error,
                EOFError,
                RuntimeError,
            ) as error:  # a runtime error: it wants a password, or another program
                left_out.append(
                    {"id": name, "reason": f"it could not be taken out of the .zip ({error})"}
                )
    return Dataset(path.name, examples, left_out, tuple(row.name.split(",")[0] for row in rows))

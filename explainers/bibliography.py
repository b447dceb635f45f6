"""The papers that methods and metrics come from, read from `references.bib`.

cite("qiang2022").name                  Qiang et al. 2022
cite("zeiler2014, li2016").name         Zeiler & Fergus 2014; Li et al. 2016
print(cite("qiang2022").bibtex)         the entry, to be pasted into a paper
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import nearest

FILE = Path(__file__).with_name("references.bib")

# The form of the file: an entry begins with @ and ends with } in the first column, and each of
# its fields is indented by two spaces and ends with }, at the end of a line.
ENTRY = re.compile(r"^@\w+\{(?P<key>\w+),\n(?P<fields>.*?)^\}$", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<value>.*?)\},$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Paper:
    """One entry of the bibliography.

    key      what code cites it by: "qiang2022"
    name     what a reader sees: "Qiang et al. 2022", with the venue where two are called the same
    title    without LaTeX's braces
    url      the address of a page where the paper is free to read
    bibtex   the entry as it stands in the file
    """

    key: str
    name: str
    title: str
    url: str
    bibtex: str


@dataclass(frozen=True)
class Citation:
    """One paper or several, in the order in which they were cited."""

    papers: tuple[Paper, ...]

    @property
    def name(self) -> str:
        return "; ".join(paper.name for paper in self.papers)

    @property
    def url(self) -> str:
        """The address of the first paper."""
        return self.papers[0].url

    @property
    def bibtex(self) -> str:
        return "\n\n".join(paper.bibtex for paper in self.papers)

    @property
    def markdown(self) -> str:
        return "; ".join(f"[{paper.name}]({paper.url})" for paper in self.papers)


def cite(keys: str) -> Citation:
    """Look papers up by their keys, with commas between them, as in LaTeX's `\\cite`.

    Raises `Refusal`, with the nearest key, for a key that the bibliography does not have.
    """
    known = papers()
    found = []
    for key in re.split(r",\s*", keys.strip()):
        if key not in known:
            raise nearest(key, known, "paper")
        found.append(known[key])
    return Citation(tuple(found))


@cache
def papers() -> Mapping[str, Paper]:
    """All papers of the bibliography by key."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Paper]:
    """The papers of a BibTeX file by key."""
    entries = {}
    for entry in ENTRY.finditer(text):
        fields = {}
        for field in FIELD.finditer(entry["fields"]):
            fields[field["name"]] = " ".join(field["value"].split())
        entries[entry["key"]] = (fields, entry[0])
    names = Counter(name_of(fields) for fields, _ in entries.values())
    found = {}
    for key, (fields, bibtex) in entries.items():
        name = name_of(fields)
        if names[name] > 1:
            name = f"{name} ({fields['series']})"
        title = re.sub(r"[{}]", "", fields["title"])
        found[key] = Paper(key=key, name=name, title=title, url=fields["url"], bibtex=bibtex)
    return found


def name_of(fields: Mapping[str, str]) -> str:
    """Authors and year: "Abnar & Zuidema 2020", or "Hao et al. 2021" of more than two."""
    surnames = [author.split(",")[0] for author in fields["author"].split(" and ")]
    if len(surnames) > 2:
        authors = f"{surnames[0]} et al."
    else:
        authors = " & ".join(surnames)
    return f"{authors} {fields['year']}"

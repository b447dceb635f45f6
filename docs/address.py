"""Write the address of the project, which stands once in pyproject.toml, into all that names it.

    python docs/address.py

Whoever publishes the project sets it there,

    [project.urls]
    Repository = "https://github.com/OWNER/NAME"

and runs this. Then the first cell of each lesson can install the package from there, a badge opens
the lesson on Colab (which opens notebooks of GitHub only), README.md tells the address, and
CITATION.cff has it as `repository-code`. Where none is set, none of them names one.
"""

import re
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
COLAB = "https://colab.research.google.com"
GITHUB = "https://github.com/"
BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\n?", re.MULTILINE)
SETTING = re.compile(r'^REPOSITORY = ".*?"', re.MULTILINE)
MARKED = re.compile(r"(?<=<!-- address -->\n).*?(?=<!-- /address -->)", re.DOTALL)
CITED = re.compile(r"^repository-code: .*\n", re.MULTILINE)
LICENCE = re.compile(r"^license: .*\n", re.MULTILINE)
UNSET = """\
They run in a clone of the project. Elsewhere their first cell says what to do: no address to
install from is set yet (`[project.urls] Repository` in `pyproject.toml`; `python docs/address.py`
then writes it into every lesson).
"""
SET = """\
They run in a clone of <{address}>, and elsewhere, as on Colab, where their first cell installs the
package from there.
"""


def address(root: Path = ROOT) -> str:
    """The address in pyproject.toml, or "" where none is set.

    SystemExit with a sentence where something is set that is no https address.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found = settings["project"].get("urls", {}).get("Repository", "")
    found = found.removesuffix(".git").rstrip("/")
    if found and not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", found):
        raise SystemExit(
            f"Repository in pyproject.toml is {found!r}; an address such as "
            f"{GITHUB}OWNER/NAME is wanted."
        )
    return found


def lesson(text: str, found: str, name: str) -> str:
    """A notebook with its badge under the title and the address in its first code cell."""
    notebook = nbformat.reads(text, as_version=4)
    title = notebook.cells[0]
    title.source = BADGE.sub("", title.source)
    if found.startswith(GITHUB):
        target = f"{COLAB}/github/{found.removeprefix(GITHUB)}/blob/main/notebooks/{name}"
        heading, rest = title.source.split("\n\n", 1)
        badge = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({target})"
        title.source = f"{heading}\n\n{badge}\n\n{rest}"
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    setup.source = SETTING.sub(f'REPOSITORY = "{found}"', setup.source)
    return nbformat.writes(notebook) + "\n"


def readme(text: str, found: str) -> str:
    """The README with what it says between its two marks of where the lessons run."""
    said = SET.format(address=found) if found else UNSET
    return MARKED.sub(lambda _: said, text)


def citation(text: str, found: str) -> str:
    """CITATION.cff with the address behind the line of the licence."""
    text = CITED.sub("", text)
    if not found:
        return text
    return LICENCE.sub(lambda line: f"{line[0]}repository-code: {found}\n", text)


def written(root: Path = ROOT) -> dict[Path, str]:
    """Every file that can name the address, as it should be."""
    found = address(root)
    files = {}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        files[path] = lesson(path.read_text(encoding="utf-8"), found, path.name)
    for name, write in (("README.md", readme), ("CITATION.cff", citation)):
        files[root / name] = write((root / name).read_text(encoding="utf-8"), found)
    return files


def main() -> None:
    for path, text in written().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

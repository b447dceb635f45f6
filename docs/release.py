"""Make a release: version, changelog, citation and tag in one step.

    python docs/release.py 0.3.0

Writes the version into `explainers/__init__.py` and CITATION.cff and dates the section "Unreleased"
of CHANGELOG.md, commits that, and tags the commit with the section as its message. Nothing is
pushed; `git push --follow-tags` does that when you have looked at it.
"""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNRELEASED = "## Unreleased\n"


def git(*arguments: str, root: Path = ROOT) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def section(changelog: str) -> str:
    """The text under "Unreleased"; SystemExit where there is none."""
    _, found, rest = changelog.partition(UNRELEASED)
    text = rest.partition("\n## ")[0].strip()
    if not found or not text:
        raise SystemExit("CHANGELOG.md has nothing under ## Unreleased.")
    return text


def replaced(path: Path, pattern: str, by: str) -> None:
    """Replace the one line of a file that a pattern matches."""
    text, count = re.subn(pattern, by, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if count != 1:
        raise SystemExit(f"{path.name} has {count} lines like {pattern}, and 1 is wanted.")
    path.write_text(text, encoding="utf-8")


def release(version: str, today: str, root: Path = ROOT) -> str:
    """Write, commit and tag a version; the name of the tag."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit(f"A version is three numbers, such as 0.3.0. Got {version!r}.")
    tag = f"v{version}"
    if git("status", "--porcelain", root=root).strip():
        raise SystemExit("There are changes that are not committed.")
    if git("tag", "--list", tag, root=root).strip():
        raise SystemExit(f"There is a tag {tag} already.")
    changes = section((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    replaced(root / "CHANGELOG.md", r"^## Unreleased$", f"## {version} — {today}")
    replaced(
        root / "explainers" / "__init__.py", r"^__version__ = .*$", f'__version__ = "{version}"'
    )
    replaced(root / "CITATION.cff", r"^version: .*$", f"version: {version}")
    replaced(root / "CITATION.cff", r"^date-released: .*$", f"date-released: {today}")
    git("commit", "--quiet", "--all", "--message", f"Release {version}", root=root)
    message = f"{version}\n\n{changes}"
    git("tag", "--annotate", tag, "--cleanup", "verbatim", "--message", message, root=root)
    return tag


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(f"tagged {release(sys.argv[1], date.today().isoformat())}; nothing is pushed yet")


if __name__ == "__main__":
    main()

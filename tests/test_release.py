"""A release writes one version everywhere, and tags it with its changes."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

spec = importlib.util.spec_from_file_location("release", ROOT / "docs" / "release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)

CHANGELOG = """\
# Changelog

## Unreleased

- # of tokens is said.

## 0.1.0 — 2026-11-20

- First.
"""


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A repository of the files that name the version."""
    for key in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{key}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{key}_EMAIL", "somebody@example.org")
    (tmp_path / "explainers").mkdir()
    for name in ("explainers/__init__.py", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    release.git("add", ".", root=tmp_path)
    release.git("commit", "--quiet", "--message", "Start", root=tmp_path)
    return tmp_path


def test_a_release_is_written_everywhere_and_tagged(copy):
    assert release.release("7.8.9", "2027-01-02", copy) == "v7.8.9"
    assert '__version__ = "7.8.9"' in (copy / "explainers/__init__.py").read_text("utf-8")
    cited = (copy / "CITATION.cff").read_text("utf-8")
    assert "\nversion: 7.8.9\ndate-released: 2027-01-02\n" in cited
    assert "\n## 7.8.9 — 2027-01-02\n" in (copy / "CHANGELOG.md").read_text("utf-8")
    tag = release.git("tag", "--list", "--format", "%(contents)", root=copy)
    assert tag.strip() == "7.8.9\n\n- # of tokens is said."
    assert not release.git("status", "--porcelain", root=copy)


def test_what_cannot_be_released_is_refused_and_nothing_is_written(copy):
    for version in ("7.8", "v7.8.9", ""):
        with pytest.raises(SystemExit, match="three numbers"):
            release.release(version, "2027-01-02", copy)
    release.git("tag", "v7.8.9", root=copy)
    with pytest.raises(SystemExit, match="already"):
        release.release("7.8.9", "2027-01-02", copy)
    (copy / "CITATION.cff").write_text("changed", encoding="utf-8")
    with pytest.raises(SystemExit, match="not committed"):
        release.release("7.9.0", "2027-01-02", copy)
    assert (copy / "CHANGELOG.md").read_text("utf-8") == CHANGELOG


def test_a_release_without_changes_is_refused():
    with pytest.raises(SystemExit, match="nothing under"):
        release.section("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- First.\n")

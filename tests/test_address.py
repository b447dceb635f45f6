"""The address stands in one place; a lesson's first cell finds the package or says what to do."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from lessons import NOTEBOOKS, code, read

ROOT = Path(__file__).parents[1]
PUBLISHED = "https://github.com/somebody/heat"
BARE = (
    "-I",
    "-S",
)  # a Python without the current folder, site-packages and so without this package

spec = importlib.util.spec_from_file_location("address", ROOT / "docs" / "address.py")
address = importlib.util.module_from_spec(spec)
spec.loader.exec_module(address)

# Runs a cell with magics translated; a magic is printed instead of run.
RUN = """
class Shell:
    def run_line_magic(self, name, line):
        print("magic:", name, line)

get_ipython = Shell
exec({cell!r})
"""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def setup(path: Path) -> str:
    return code(read(path))[0].source


def run(cell: str, folder: Path, *flags: str) -> subprocess.CompletedProcess:
    program = RUN.format(cell=TransformerManager().transform_cell(cell))
    return subprocess.run(
        [sys.executable, *flags, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def copy(tmp_path) -> Path:
    """The files that can name an address."""
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path / "notebooks")
    for name in ("pyproject.toml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def write(root: Path) -> None:
    for path, text in address.written(root).items():
        path.write_text(text, encoding="utf-8")


def publish(root: Path, where: str) -> None:
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\[project.urls\]\n.*\n", "", text, flags=re.MULTILINE)
    path.write_text(f'{text}\n[project.urls]\nRepository = "{where}"\n', encoding="utf-8")


def test_every_file_names_the_address_that_is_set_and_no_other():
    for path, text in address.written().items():
        same = path.read_text(encoding="utf-8") == text
        assert same, f"{path.name}: run `python docs/address.py`"
    hosts = r"https://(?:github\.com|colab\.research\.google\.com/github)"
    project = re.compile(hosts + r"/([\w.-]+)/explainers\b")
    texts = [path for path in ROOT.glob("*.*") if path.suffix in (".md", ".toml", ".cff", ".py")]
    for path in [*NOTEBOOKS, *texts, *ROOT.glob("explainers/**/*.py")]:
        owners = set(project.findall(path.read_text(encoding="utf-8")))
        assert owners <= set(address.address().split("/")), f"{path.name} names {owners}"


def test_an_address_reaches_every_file_and_leaves_it_again(copy):
    publish(copy, PUBLISHED)
    write(copy)
    for path in sorted((copy / "notebooks").glob("*.ipynb")):
        title = read(path).cells[0].source
        assert f"/github/somebody/heat/blob/main/notebooks/{path.name})" in title
        assert title.startswith("# ") and title.count("Open in Colab") == 1
        assert setup(path).count(f'REPOSITORY = "{PUBLISHED}"') == 1
    assert f"<{PUBLISHED}>" in (copy / "README.md").read_text(encoding="utf-8")
    assert f"\nrepository-code: {PUBLISHED}\n" in (copy / "CITATION.cff").read_text(
        encoding="utf-8"
    )
    for path, text in address.written(copy).items():
        assert text == path.read_text(encoding="utf-8"), "a second time changes nothing"
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    for path, text in address.written(copy).items():
        assert text == (ROOT / path.relative_to(copy)).read_text(encoding="utf-8")


def test_only_github_has_a_badge_and_what_is_no_address_is_refused(copy):
    publish(copy, "https://gitlab.example.org/group/heat.git")
    write(copy)
    assert address.address(copy) == "https://gitlab.example.org/group/heat"
    for path in (copy / "notebooks").glob("*.ipynb"):
        assert "Open in Colab" not in path.read_text(encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    publish(copy, "heat, my project")
    with pytest.raises(SystemExit, match="is wanted"):
        address.address(copy)


@each_notebook
def test_setup_imports_nothing_before_it_has_found_the_package(path):
    cell = setup(path)
    assert cell.startswith("#@title Setup (run once)")
    found = cell.index("raise ModuleNotFoundError")
    before = re.findall(r"^(?:import|from) (\w+)", cell[:found], re.MULTILINE)
    assert set(before) <= sys.stdlib_module_names
    extras = "notebooks,evaluation" if path.stem.startswith("11") else "notebooks"
    installs = f'pip install -q "explainers[{extras}] @ git+{{REPOSITORY}}"'
    assert re.findall(r"pip install.*", cell) == [installs]


@each_notebook
def test_setup_that_finds_nothing_says_what_to_do_and_installs_nothing(path, tmp_path):
    unset = address.SETTING.sub('REPOSITORY = ""', setup(path))
    done = run(unset, tmp_path, *BARE)
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: The package explainers")
    assert "inside a clone" in done.stderr and "set REPOSITORY" in done.stderr
    assert "magic" not in done.stdout and not list(tmp_path.iterdir())


def test_setup_installs_from_the_address_only_where_the_package_is_missing(copy, tmp_path):
    publish(copy, PUBLISHED)
    write(copy)
    cell, nowhere = setup(copy / "notebooks" / NOTEBOOKS[0].name), tmp_path / "nowhere"
    nowhere.mkdir()
    asked = 'magic: pip install -q "explainers[notebooks] @ git+{REPOSITORY}"'
    assert asked in run(cell, nowhere, *BARE).stdout
    done = run(cell, ROOT / "tests" / "goldens")  # deep inside the clone
    assert done.stdout.startswith("explainers ") and "magic" not in done.stdout, done.stderr


def test_setup_finds_a_clone_beside_the_working_folder(tmp_path):
    # as `git clone` leaves it on Colab
    (tmp_path / "explainers").symlink_to(ROOT, target_is_directory=True)
    done = run(setup(NOTEBOOKS[-1]), tmp_path)
    assert done.stdout.startswith("explainers "), done.stderr

"""The project's address stands in one place, and the first cell of a lesson finds the package or says what to do."""

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
    return subprocess.run([sys.executable, *flags, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path) -> Path:
    """The files that can name an address."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=lambda folder, names: [name for name in names if not name.endswith(".ipynb")])
    for name in ("pyproject.toml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def write(root: Path) -> None:
    for path, text in address.written(root).items():
        path.write_text(text, encoding="utf-8")


def publish(root: Path, where: str) -> None:
    path = root / "pyproject.toml"
    path.write_text(re.sub(r"^\[project.urls\]\n.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
                    + f'\n[project.urls]\nRepository = "{where}"\n', encoding="utf-8")


def test_every_file_names_the_address_that_is_set_and_no_other():
    for path, text in address.written().items():
        assert path.read_text(encoding="utf-8") == text, f"run `python docs/address.py`: {path.name} differs from pyproject.toml"
    for path in [*NOTEBOOKS, *ROOT.glob("*.md"), ROOT / "CITATION.cff", ROOT / "app.py", *ROOT.glob("explainers/**/*.py")]:
        named = re.findall(r"(?:https://github\.com|colab\.research\.google\.com/github)/[\w.-]+/explainers\b", path.read_text(encoding="utf-8"))
        assert all(address.address() and address.address() in one for one in named), f"{path.name} names {named}"


def test_an_address_reaches_every_file_and_leaves_it_again(copy):
    publish(copy, PUBLISHED)
    write(copy)
    for path in sorted((copy / "notebooks").glob("*.ipynb")):
        title = read(path).cells[0].source
        assert f"(https://colab.research.google.com/github/somebody/heat/blob/main/notebooks/{path.name})" in title
        assert title.startswith("# ") and title.count("Open in Colab") == 1
        assert setup(path).count(f'REPOSITORY = "{PUBLISHED}"') == 1
    assert f"<{PUBLISHED}>" in (copy / "README.md").read_text(encoding="utf-8")
    assert f"\nrepository-code: {PUBLISHED}\n" in (copy / "CITATION.cff").read_text(encoding="utf-8")
    published = {path: path.read_text(encoding="utf-8") for path in address.written(copy)}
    write(copy)
    assert published == {path: path.read_text(encoding="utf-8") for path in published}, "a second time changes nothing"
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    for path, text in address.written(copy).items():
        assert text == (ROOT / path.relative_to(copy)).read_text(encoding="utf-8")


def test_only_github_has_a_badge_and_what_is_no_address_is_refused(copy):
    publish(copy, "https://gitlab.example.org/group/heat.git")
    write(copy)
    assert address.address(copy) == "https://gitlab.example.org/group/heat"
    assert not [path for path in (copy / "notebooks").glob("*.ipynb") if "Open in Colab" in path.read_text(encoding="utf-8")]
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
    assert re.findall(r"pip install.*", cell) == [f'pip install -q "explainers[{"notebooks,evaluation" if path.stem.startswith("11") else "notebooks"}]'
                                                  ' @ git+{REPOSITORY}"']


@each_notebook
def test_setup_without_clone_package_and_address_says_what_to_do_and_installs_nothing(path, tmp_path):
    done = run(re.sub(r'^REPOSITORY = ".*?"', 'REPOSITORY = ""', setup(path), flags=re.MULTILINE), tmp_path, "-I", "-S")      # no site-packages
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: The package explainers is not here. Open this notebook inside a clone")
    assert "magic" not in done.stdout and not list(tmp_path.iterdir())


def test_setup_installs_from_the_address_only_where_the_package_is_missing(copy, tmp_path):
    publish(copy, PUBLISHED)
    write(copy)
    cell, nowhere = setup(copy / "notebooks" / NOTEBOOKS[0].name), tmp_path / "nowhere"
    nowhere.mkdir()
    assert 'magic: pip install -q "explainers[notebooks] @ git+{REPOSITORY}"' in run(cell, nowhere, "-I", "-S").stdout
    done = run(cell, ROOT / "tests" / "goldens")            # deep inside the clone
    assert done.stdout.startswith("explainers ") and "magic" not in done.stdout, done.stderr


def test_setup_finds_a_clone_beside_the_working_folder(tmp_path):
    (tmp_path / "explainers").symlink_to(ROOT, target_is_directory=True)        # as `git clone` leaves it on Colab
    done = run(setup(NOTEBOOKS[-1]), tmp_path)
    assert done.stdout.startswith("explainers "), done.stderr

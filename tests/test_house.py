"""The house rules: what CONTRIBUTING.md asks of every file, function and name, counted."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import explainers

ROOT = Path(__file__).parents[1]
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 8
MOST_COLUMNS = 100

#: A thousand lines may hold so many of each; below that a reader has one thought a line.
MOST_CONDITIONALS = 15
MOST_COMPREHENSIONS = 20

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources() -> list[Path]:
    """Every Python file that is no test."""
    found = [path for path in (ROOT / "app.py", ROOT / "setup.py") if path.exists()]
    for folder in ("explainers", "benchmarks", "training", "docs"):
        found += sorted((ROOT / folder).rglob("*.py"))
    return found


SOURCES = sources()
TESTS = sorted((ROOT / "tests").glob("*.py"))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of the parameters that a caller can give; `*args` and `**options` count as one each."""
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in found if one and one.arg not in ("self", "cls")]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code of a function; what documents it does not count."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        documentation = function.body[0]
        lines -= documentation.end_lineno - documentation.lineno + 1
    return lines


def is_nested(node: ast.AST) -> bool:
    """Whether a comprehension has two loops, its own or one of a comprehension inside it."""
    if len(node.generators) > 1:
        return True
    inside = [child for child in ast.walk(node) if child is not node]
    return any(isinstance(child, COMPREHENSIONS) for child in inside)


def is_chained(node: ast.IfExp) -> bool:
    inside = [child for child in ast.walk(node) if child is not node]
    return any(isinstance(child, ast.IfExp) for child in inside)


def offences_of(node: ast.AST) -> list[str]:
    """What one piece of code does that a reader would stumble over."""
    found = []
    if isinstance(node, FUNCTIONS):
        lines = lines_of(node)
        if lines > MOST_LINES_OF_A_FUNCTION:
            found.append(f"{node.name} has {lines} lines")
        count = len(parameters(node))
        if count > MOST_PARAMETERS:
            found.append(f"{node.name} has {count} parameters")
    if isinstance(node, COMPREHENSIONS) and is_nested(node):
        found.append("a comprehension in a comprehension, or one with two loops")
    if isinstance(node, ast.IfExp) and is_chained(node):
        found.append("a conditional in a conditional")
    return found


def offences(text: str) -> list[str]:
    """All that a file does against the rules, each with its line."""
    lines = text.splitlines()
    found = []
    if len(lines) > MOST_LINES:
        found.append(f"{len(lines)} lines")
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_COLUMNS:
            found.append(f"line {number}: {len(line)} columns")
    for node in ast.walk(ast.parse(text)):
        for offence in offences_of(node):
            found.append(f"line {node.lineno}: {offence}")
    return found


@pytest.mark.parametrize("path", (*SOURCES, *TESTS), ids=place)
def test_files_functions_and_signatures_are_short(path):
    assert offences(path.read_text(encoding="utf-8")) == []


def test_the_rules_see_what_they_are_about():
    wide = ", ".join(f"a{i}" for i in range(9))
    text = f"def f(self, {wide}): pass\n" + "x = 1\n" * 400 + f"'{'y' * 100}'\n"
    text += "[i for a in b for i in a]\n[[i for i in a] for a in b]\n1 if a else 2 if b else 3\n"
    text += "def g():\n" + "    pass\n" * 60
    assert set(offences(text)) == {
        "466 lines",
        "line 1: f has 9 parameters",
        "line 402: 102 columns",
        "line 403: a comprehension in a comprehension, or one with two loops",
        "line 404: a comprehension in a comprehension, or one with two loops",
        "line 405: a conditional in a conditional",
        "line 406: g has 61 lines",
    }


def test_one_thought_a_line():
    """Conditional expressions and comprehensions are for what is read at a glance."""
    lines = conditionals = comprehensions = 0
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        lines += len([line for line in text.splitlines() if line.strip()])
        for node in ast.walk(ast.parse(text)):
            conditionals += isinstance(node, ast.IfExp)
            comprehensions += isinstance(node, COMPREHENSIONS)
    assert 1000 * conditionals / lines <= MOST_CONDITIONALS
    assert 1000 * comprehensions / lines <= MOST_COMPREHENSIONS


def packages() -> list[ModuleType]:
    found = [explainers]
    for info in pkgutil.walk_packages(explainers.__path__, "explainers."):
        if info.ispkg and not info.name.startswith("explainers.assets"):
            found.append(importlib.import_module(info.name))
    return found


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.__name__)
def test_a_module_and_an_object_do_not_share_a_name(package):
    """`import explainers.methods.alti as module` has to give the module."""
    shadowed = []
    for info in pkgutil.iter_modules(package.__path__):
        here = vars(package).get(info.name)
        if here is not None and not isinstance(here, ModuleType):
            shadowed.append(info.name)
    assert shadowed == []


def test_a_module_defines_nothing_of_its_own_name():
    """A reader of `card.card(...)` has to guess which of the two a `card` is."""
    shared = []
    for path in (ROOT / "explainers").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name == path.stem:
                shared.append(place(path))
    assert shared == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=place)
def test_a_file_begins_with_what_it_is_for(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring or not path.read_text(encoding="utf-8").strip()


COUNTED = re.compile(
    r"\b(\d+|\w+teen|(?:twenty|thirty|forty)(?:-\w+)?) (methods|metrics|architectures)\b"
)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CITATION.cff"])
def test_prose_counts_nothing_that_grows(name):
    """A number of methods is wrong as soon as one joins; what is measured is marked as such."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"no {name} in this tree")
    text = re.sub(
        r"<!-- (\w+) -->.*?<!-- /\1 -->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert [found[0] for found in COUNTED.finditer(text)] == []

"""Change a file in one place at a time, and say which changes no test notices.

    python tests/mutants.py explainers/heatmap.py --tests tests/test_render.py tests/test_csv.py
    python tests/mutants.py explainers/heatmap.py --tests tests/test_render.py --sample 50

A mutant is the file with another operator, number, truth value or result. The tests are run on each
in a copy of the tree, until one fails: the mutant is killed. The share of killed mutants says how
much the tests check; each survivor is a line whose change nobody would notice.

PyTorch is imported once, and each mutant runs in a fork of this process: that takes seconds.
"""

import argparse
import ast
import contextlib
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import transformers  # noqa: F401  imported before any fork, with torch

ROOT = Path(__file__).parents[1]
LINKED = ("assets", "notebooks", "README.md", "CONTRIBUTING.md", "pyproject.toml", "app.py")

#: A test run may take so many times as long on a mutant as without it; then it hangs, and is dead.
PATIENCE = 10

#: No browser; and never mind that this process has imported what pytest would like to rewrite.
FLAGS = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not browser"]
FLAGS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]

SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def variants(node: ast.AST) -> list[ast.AST]:
    """What a piece of code could be by mistake: other pieces of code, none or one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return [ast.Constant(not node.value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return [ast.Constant(node.value + 1)]
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        other = copy.deepcopy(node)
        other.op = SWAPPED[type(node.op)]()
        return [other]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        other = copy.deepcopy(node)
        other.ops[0] = SWAPPED[type(node.ops[0])]()
        return [other]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        return [node.operand]
    if isinstance(node, ast.Return) and not gives_nothing(node):
        return [ast.Return(ast.Constant(None))]
    if isinstance(node, ast.IfExp):
        return [ast.IfExp(node.test, node.orelse, node.body)]
    return []


def gives_nothing(node: ast.Return) -> bool:
    """Whether a function returns None here."""
    return node.value is None or ast.unparse(node.value) == "None"


def children(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Places under a node that hold another: (owner, field, index), annotations left out."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        if isinstance(value, ast.AST):
            yield node, name, None
        elif isinstance(value, list):
            for index, one in enumerate(value):
                if isinstance(one, ast.AST):
                    yield node, name, index


def mutants(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Each mutant of a file: its line, what was changed into what, and the whole text."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for owner, name, index in children(node):
            value = getattr(owner, name)
            original = value if index is None else value[index]
            waiting.append(original)
            for other in variants(original):
                put(owner, name, index, other)
                change = f"{ast.unparse(original)}  ->  {ast.unparse(other)}"
                yield original.lineno, change, ast.unparse(ast.fix_missing_locations(tree))
                put(owner, name, index, original)


def put(owner: ast.AST, name: str, index: int | None, value: ast.AST) -> None:
    if index is None:
        setattr(owner, name, value)
    else:
        getattr(owner, name)[index] = value


def copied(root: Path) -> None:
    """The tree in another folder: code and tests copied, everything else linked."""
    ignored = shutil.ignore_patterns("__pycache__", "goldens")
    for name in ("explainers", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    (root / "tests" / "goldens").symlink_to(ROOT / "tests" / "goldens")
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)


def passes(root: Path, tests: list[str], most_seconds: int) -> bool:
    """Whether all tests pass in the copy; one that takes too long does not."""
    child = os.fork()
    if child == 0:
        signal.alarm(most_seconds)
        os.chdir(root)
        sys.path.insert(0, str(root))
        with (
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            code = pytest.main([*FLAGS, *tests])
        os._exit(int(code))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--tests", nargs="+", required=True, help="test files that should notice")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.dont_write_bytecode = True
    original = asked.file.read_text(encoding="utf-8")
    found = list(mutants(ast.parse(original)))
    if asked.sample and asked.sample < len(found):
        found = random.Random(asked.seed).sample(found, asked.sample)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copied(root)
        start = time.monotonic()
        if not passes(root, asked.tests, 3600):
            raise SystemExit("The tests fail without any change.")
        most_seconds = 5 + int(PATIENCE * (time.monotonic() - start))
        killed = 0
        for line, change, text in sorted(found):
            (root / asked.file).write_text(text, encoding="utf-8")
            if passes(root, asked.tests, most_seconds):
                print(f"survived  {asked.file}:{line}: {change}", flush=True)
            else:
                killed += 1
    print(f"{asked.file}: {killed} of {len(found)} killed, {100 * killed / len(found):.0f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())

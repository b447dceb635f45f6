"""Every notebook runs, offline and from a fresh clone, and keeps the rules of a lesson."""

import ast
import re
import sys
from itertools import chain

import exercises
import nbformat
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager
from lessons import MOST_BYTES, NOTEBOOKS, PRETEND, cleaned, code, execute, outputs, read

from explainers.evaluation import PROTOCOLS

MAY_IMPORT = {"explainers", "torch", "scipy", "ipywidgets", "IPython"} | sys.stdlib_module_names
PUBLIC = {
    "explainers.methods",
    "explainers.render.maps",
    "explainers.evaluation",
}  # parts of the library that lessons may look into

# Moves the slider where there is one: by convention it is called `slider`, and what it changes
# `picture`.
MOVE_THE_SLIDER = """
if "slider" in globals():
    seen = set()
    for slider.value in range(slider.min, slider.max + 1):
        seen.add(picture.value)
    assert len(seen) == slider.max - slider.min + 1, "the picture does not follow the slider"
"""

# Gives the check of the lesson's exercise its own solution, which it must accept, and wrong
# answers, which it must refuse.
JUDGE = """
import exercises
def checked(answer):
    exec({check!r}, globals() | {{"mine": answer}})
exercises.judge(solution, checked)
"""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def parsed(notebook: nbformat.NotebookNode) -> list[ast.Module]:
    """The code cells as Python sees them, magics translated."""
    return [ast.parse(TransformerManager().transform_cell(cell.source)) for cell in code(notebook)]


def shows_heatmap(cell: nbformat.NotebookNode) -> bool:
    return any(
        'class="xp ' in output.get("data", {}).get("text/html", "") for output in cell.outputs
    )


def test_there_are_notebooks():
    assert NOTEBOOKS


def exercise(notebook: nbformat.NotebookNode) -> tuple[str, int]:
    """The check of the student's answer, `mine`, and the place behind the solution's cell."""
    (check,) = (cell.source for cell in code(notebook) if "if mine is None" in cell.source)
    (solution,) = (
        i for i, cell in enumerate(notebook.cells) if "### BEGIN SOLUTION" in cell.source
    )
    return check, solution + 1


@pytest.mark.slow
@pytest.mark.rotates
@each_notebook
def test_runs_offline_and_on_a_pretended_gpu_and_its_exercise_is_judged(path, tmp_path):
    notebook = read(path)
    check, behind = exercise(notebook)
    notebook.cells.insert(behind, nbformat.v4.new_code_cell(JUDGE.format(check=check)))
    notebook.cells.append(nbformat.v4.new_code_cell(MOVE_THE_SLIDER))
    execute(notebook, tmp_path, before=PRETEND)  # raises at the first error
    shown = outputs(notebook)
    assert not [output for output in shown if output.output_type == "error"]
    assert not [output.text for output in shown if output.get("name") == "stderr"]
    assert any(shows_heatmap(cell) for cell in code(notebook)[:3]), (
        "the first heatmap belongs in the first three code cells"
    )
    notebook.cells.pop()
    del notebook.cells[behind]
    assert len(nbformat.writes(cleaned(notebook)).encode()) <= MOST_BYTES, (
        "with today's weights it shows too much to be kept"
    )


@each_notebook
def test_is_small_and_clean(path):
    notebook = read(path)
    assert path.stat().st_size <= MOST_BYTES
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "colab", "widgets"}
    assert set(notebook.metadata.language_info) == {"name"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"cellView", "jupyter"}
    assert notebook.metadata.colab.toc_visible
    assert not re.search(r"/home/|/Users/|/root/|/tmp/", path.read_text(encoding="utf-8")), (
        "a path of somebody's machine"
    )


@each_notebook
def test_starts_like_a_lesson(path):
    first = read(path).cells[0].source
    assert first.startswith("# ")
    assert "**Time:**" in first
    assert "**Afterwards you can**" in first


@each_notebook
def test_helpers_are_short(path):
    for tree in parsed(read(path)):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.end_lineno - node.lineno < 5, f"{node.name} is longer than five lines"


@each_notebook
def test_keeps_what_it_shows(path):
    shown = outputs(read(path))
    for output in shown:
        widgets = [kind for kind in output.get("data", {}) if "widget" in kind]
        assert widgets == [], "a widget without its state is a hole in the page"
    assert any(shows_heatmap(cell) for cell in code(read(path))) and not [
        output for output in shown if output.output_type == "error"
    ]


@each_notebook
def test_kept_notes_of_protocols_are_those_of_today(path):
    """Where a lesson shows a protocol's note, it is not that of an earlier form of the protocol."""
    shown = outputs(read(path))
    kept = "".join(str(output.get("text") or output.get("data")) for output in shown)
    for key in set(re.findall(r"`--protocol ([\w-]+)`", kept)):
        assert PROTOCOLS[key].differs in kept, key


@each_notebook
def test_imports_little(path):
    imported = set()
    for node in chain.from_iterable(map(ast.walk, parsed(read(path)))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert {name.split(".")[0] for name in imported} <= MAY_IMPORT
    assert {name for name in imported if name.startswith("explainers.")} <= PUBLIC, (
        "public names only"
    )


@each_notebook
def test_has_an_exercise_with_solution_and_check(path):
    notebook = read(path)
    cells = [cell.source for cell in code(notebook)]
    solved = [source for source in cells if "### BEGIN SOLUTION" in source]
    assert solved
    for source in solved:
        assert re.search(
            r"^### BEGIN SOLUTION\n.+\n### END SOLUTION$.*assert_close",
            source,
            re.MULTILINE | re.DOTALL,
        )
    checks = [source for source in cells if "assert_close(mine" in source and source not in solved]
    assert checks, "no check of the student's own answer, `mine`"
    assert any("What to notice" in cell.source for cell in notebook.cells)


def test_a_check_that_accepts_too_much_is_found():
    places, scores = [4, 1, 3, 2], torch.tensor([0.2, -1.0, 3.0])
    with pytest.raises(AssertionError, match="the right first, the others in reading order"):
        exercises.judge(
            places,
            lambda answer: torch.testing.assert_close(
                (answer[0], sorted(answer)), (4, [1, 2, 3, 4])
            ),
        )
    with pytest.raises(AssertionError, match="1 % more"):
        exercises.judge(
            scores, lambda answer: torch.testing.assert_close(answer, scores, rtol=1e-2, atol=1e-3)
        )
    exercises.judge(scores, lambda answer: torch.testing.assert_close(answer, scores))

"""CONTRIBUTING names every place that an addition needs: each is walked in a copy of the tree.

A toy method, metric, architecture, task and view are added to one copy. Two runs of pytest there
say the rest: one before the tests have their rows, one after.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

METHOD = '''
"""Attention received: how much all tokens attend to each, a toy."""

from ..trace import Trace
from .attribution import Attribution
from .registry import Cost, Output, method


@method(
    "received",
    "Attention received",
    family="Attention",
    paper="vaswani2017",
    output=Output(signed=False, class_specific=False, invariant="sums to one"),
    cost=Cost("1F"),
)
def attribute(trace: Trace, layer: int = -1) -> Attribution:
    """Mean attention from all tokens to each token, in one layer.

    Formula: score_i = mean over heads and tokens j of A_L[j, i].

    Sign: none. It says where the model attends.

    Limits: the map is the same for every class.

    Options:
    - layer: which layer, counted from 0, or from the end with a negative number.
    """
    received = trace.attention[layer].mean(0)[trace.attended].mean(0)
    return Attribution(received)
'''

METRIC = '''


@metric("Evenness", better="higher", paper="yeh2019")
def evenness(case: Case, heat: Heatmap) -> float:
    """One minus the share of the largest |score|, a toy; NaN where all scores are zero."""
    size = heat.scores.abs()
    total = float(size.sum())
    return 1 - float(size.max()) / total if total else float("nan")
'''

TASK = '''
"""The number of stars of a review, a toy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .classes import Classes

if TYPE_CHECKING:
    from ..models import Model


class Stars(Classes):
    """The class of a text, where the classes are numbers of stars."""

    key = "stars"
    does = "rates texts"
    most_shown = 1

    def fits(self, model: Model) -> bool:
        names = self.labels(model).values()
        return super().fits(model) and all(name.endswith("stars") for name in names)
'''

MODEL_OF_TASK = """
    "stars": lambda: reading(word_pieces(*WORDS), id2label={0: "no stars", 1: "2 stars"}),
"""

TASK_TEST = '''
"""Reviews are explained by their stars."""

from tokenizers_of import reading, word_pieces

import explainers as ex


def test_the_task_is_explained():
    model = reading(word_pieces("a", "film"), id2label={0: "no stars", 1: "2 stars"})
    assert model.task.key == "stars"
    assert ex.METHODS["attcat"](model.trace("a film")).any()
'''

HANDLER = '''
"""Count the words of a question, a toy."""

from .pieces import Changes
from .state import Question


def count_words(*, asked: Question | None) -> Changes:
    """How many words the text has."""
    if asked is None:
        return {}
    return {"counted": {"value": f"{len(asked.text.split())} words"}}
'''

LAYOUT = """

def lay_out_counts(ui: Fields) -> None:
    ui["counted"] = plain_html(elem_id=f"{ui.tab.slug}-counted")
"""

EVENTS = """

def connect_counts(ui: Fields) -> None:
    on(ui, ui["shown"].change, counting.count_words, ["asked"], ["counted"], **SILENT)
"""

#: What a visitor sees of the view: its tab, and what it says of a question.
VIEW_TEST = '''
"""The view that counts."""

from asking import question

from explainers.page.links import Link
from explainers.page.program import build
from explainers.page.kinds import (TABS)


def test_counts_are_on_the_page_and_in_links():
    page = build()
    parts = {part.elem_id: part for part in page.blocks.values() if hasattr(part, "elem_id")}
    for tab in TABS.values():
        assert parts[f"{tab.slug}-view-counts"].label == "Counts"
        counted = parts[f"{tab.slug}-counted"]
        (event,) = [event for event in page.fns.values() if counted in event.outputs]
        answer = event.fn(asked=question(text="not good at all"))
        assert answer[counted]["value"] == "4 words"
    assert Link.read({"text": "fine", "view": "counts"}).state.view == "counts"
'''

#: What the tests know of the architecture that the copy forgets.
ARCHITECTURE_TESTED = (
    '    "xlm-roberta": text("XLMRobertaForSequenceClassification", ROBERTA, padding=1),'
)

#: The commands of the package that know of an addition, in one process.
COMMANDS = """
from explainers.cli import main
main(["methods", "received"])
print("=====")
main(["methods", "--markdown"])
print("=====")
main(["metrics"])
"""

#: Tests that an addition without its row in the tests must not pass.
KNOWN = ("tests/test_models.py", "tests/test_tasks.py")

#: Tests of each addition, and of every file.
TESTS = (
    *KNOWN,
    "tests/test_methods.py",
    "tests/test_metrics_by_hand.py",
    "tests/test_metrics_refused.py",
    "tests/test_readouts.py",
    "tests/test_stars.py",
    "tests/test_counts.py",
    "tests/test_imports.py",
    "tests/test_house.py",
)
CHOSEN = (
    "is_tested or every_task or received-bert or received.py or scale or cannot_be_measured "
    "or xlm-roberta or stars or counting.py or counts_are or imports or thought"
)

# --------------------------------------------------------------------------------- the additions


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has changed: adapt this test and CONTRIBUTING.md"
    path.write_text(text.replace(old, new), encoding="utf-8")


def add(path: Path, line: str, before: str) -> None:
    change(path, before, f"{line}\n{before}")


def append(path: Path, code: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")


def write(path: Path, code: str) -> None:
    path.write_text(code.lstrip(), encoding="utf-8")


def add_method(root: Path) -> None:
    write(root / "explainers/methods/received.py", METHOD)
    add(root / "explainers/methods/__init__.py", "from . import received", "from .attribution")


def add_metric(root: Path) -> None:
    append(root / "explainers/evaluation/robustness.py", METRIC)
    change(
        root / "explainers/evaluation/__init__.py",
        "from .robustness import infidelity, sensitivity\n",
        "from .robustness import evenness, infidelity, sensitivity\n",
    )


def add_architecture(root: Path) -> None:
    """To a copy that has never heard of XLM-RoBERTa."""
    row = '    "xlm-roberta": ROBERTA,\n'
    change(root / "explainers/models/anatomy.py", row, "")
    add(root / "explainers/models/anatomy.py", row.rstrip("\n"), '    "data2vec-text"')
    change(root / "tests/tiny.py", f"{ARCHITECTURE_TESTED}\n", "")


def add_task(root: Path) -> None:
    write(root / "explainers/tasks/stars.py", TASK)
    init = root / "explainers/tasks/__init__.py"
    add(init, "from .stars import Stars", "from .tags import Tags")
    add(init, "        Stars(),", "        PictureClasses(),")


def add_view(root: Path) -> None:
    page = root / "explainers/page"
    change(
        page / "kinds.py",
        '"methods", "activation", "share"]',
        '"methods", "activation", "counts", "share"]',
    )
    change(page / "kinds.py", '"methods", "share"]', '"methods", "counts", "share"]')
    add(page / "views.py", '        "counts": lay_out_counts,', '        "share": lay_out_share,')
    append(page / "views.py", LAYOUT)
    write(page / "counting.py", HANDLER)
    change(page / "events.py", "choosing, files, imagining", "choosing, counting, files, imagining")
    add(page / "events.py", "    connect_counts(ui)", "    connect_files(ui)")
    append(page / "events.py", EVENTS)


def add_rows_of_tests(root: Path) -> None:
    """What the tests must know of an architecture and of a task; and the toys' own tests."""
    add(root / "tests/tiny.py", ARCHITECTURE_TESTED, '    "data2vec-text": text(')
    add(root / "tests/test_tasks.py", MODEL_OF_TASK.strip("\n"), '    "tags": lambda')
    write(root / "tests/test_stars.py", TASK_TEST)
    write(root / "tests/test_counts.py", VIEW_TEST)


def renew_table(root: Path, table: str) -> None:
    """Write the README's table of methods, as CONTRIBUTING says."""
    readme = root / "README.md"
    before, _, rest = readme.read_text("utf-8").partition("<!-- methods -->\n")
    rest = rest.partition("<!-- /methods -->")[2]
    readme.write_text(f"{before}<!-- methods -->\n{table}<!-- /methods -->{rest}", "utf-8")


# ----------------------------------------------------------------------------------------- the walk


@dataclass(frozen=True)
class Walk:
    """What the programs printed in the copy.

    before, after: what pytest printed without the rows of the tests, and with them.
    """

    card: str
    metrics: str
    before: str
    after: str


def printed(root: Path, *arguments: str) -> str:
    """What a Python process prints in the copy."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout + done.stderr


def outcomes(root: Path, files: tuple[str, ...], chosen: str) -> str:
    """One line a test: PASSED or FAILED, and its name."""
    options = ("-p", "no:cacheprovider", "--laws", "all", "-rA", "--tb=short")
    return printed(root, "-m", "pytest", *options, *files, "-k", chosen)


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Walk:
    pytest.importorskip("gradio")
    root = copied(tmp_path_factory.mktemp("walk"))
    for addition in (add_method, add_metric, add_architecture, add_task, add_view):
        addition(root)
    card, table, metrics = printed(root, "-c", COMMANDS).split("=====\n")
    renew_table(root, table)
    before = outcomes(root, KNOWN, "is_tested or every_task")
    add_rows_of_tests(root)
    return Walk(card, metrics, before, outcomes(root, TESTS, CHOSEN))


def copied(root: Path) -> Path:
    """The tree without what is not changed: that is linked to."""
    ignored = shutil.ignore_patterns("__pycache__", "goldens")
    for name in ("explainers", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("README.md", "pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, root / name)
    (root / "assets").symlink_to(ROOT / "assets")
    (root / "tests" / "goldens").symlink_to(ROOT / "tests" / "goldens")
    return root


def assert_passed(walk: Walk, *names: str) -> None:
    for name in names:
        assert f"PASSED tests/{name}" in walk.after, walk.after[-4000:]


@pytest.mark.slow
def test_a_method_is_a_file_and_a_line(walk):
    assert "Mean attention from all tokens" in walk.card
    assert "[received-bert" in walk.after
    assert_passed(
        walk,
        "test_house.py::test_a_file_begins_with_what_it_is_for[explainers/methods/received.py]",
    )


@pytest.mark.slow
def test_a_metric_is_a_function_and_a_name(walk):
    assert "evenness" in walk.metrics
    assert_passed(
        walk,
        "test_metrics_by_hand.py::test_metrics_do_not_depend_on_the_scale_of_the_scores[bert]",
        "test_metrics_refused.py::test_what_cannot_be_measured_is_refused_in_a_sentence",
    )


@pytest.mark.slow
def test_an_architecture_is_a_row_here_and_a_row_in_the_tests(walk):
    known = "test_models.py::test_every_architecture_of_the_table_is_tested"
    assert f"FAILED tests/{known}" in walk.before, "a row without a test is green"
    assert "xlm-roberta" in walk.before
    assert_passed(walk, known)
    assert "[xlm-roberta" in walk.after


@pytest.mark.slow
def test_a_task_is_a_file_a_row_and_a_model_of_the_tests(walk):
    assert "FAILED tests/test_tasks.py" in walk.before, "a task without a model is green"
    assert "stars" in walk.before
    assert_passed(walk, "test_stars.py::test_the_task_is_explained", "test_tasks.py")


@pytest.mark.slow
def test_a_view_is_a_name_a_layout_a_handler_and_its_events(walk):
    assert_passed(walk, "test_counts.py::test_counts_are_on_the_page_and_in_links")


@pytest.mark.slow
def test_nothing_else_fails_by_an_addition(walk):
    failed = [line for line in walk.after.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert failed == [] and " passed" in walk.after

"""CONTRIBUTING names every place that an addition needs: each is walked in a copy of the tree."""

import os
import shutil
import subprocess
import sys
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
from explainers.page.state import TABS


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

#: The tests of every file.
RULES = ("tests/test_imports.py", "tests/test_house.py")


@pytest.fixture
def copy(tmp_path) -> Path:
    """The tree without what is not changed: that is linked to."""
    ignored = shutil.ignore_patterns("__pycache__", "goldens")
    for name in ("explainers", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("README.md", "pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    (tmp_path / "tests" / "goldens").symlink_to(ROOT / "tests" / "goldens")
    return tmp_path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def add(path: Path, line: str, before: str) -> None:
    change(path, before, f"{line}\n{before}")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has changed: adapt this test and CONTRIBUTING.md"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, code: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")


def passed(root: Path, *arguments: str) -> None:
    done = run(root, "pytest", "-p", "no:cacheprovider", "--laws", "all", *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.slow
def test_a_method_is_a_file_and_a_line(copy):
    (copy / "explainers/methods/received.py").write_text(METHOD.lstrip(), encoding="utf-8")
    add(copy / "explainers/methods/__init__.py", "from . import received", "from .attribution")
    card = run(copy, "explainers", "methods", "received")
    assert "Mean attention from all tokens" in card.stdout, card.stderr
    # the README's table is the one place that a program writes
    table = run(copy, "explainers", "methods", "--markdown").stdout
    readme = copy / "README.md"
    before, _, rest = readme.read_text("utf-8").partition("<!-- methods -->\n")
    rest = rest.partition("<!-- /methods -->")[2]
    readme.write_text(f"{before}<!-- methods -->\n{table}<!-- /methods -->{rest}", "utf-8")
    passed(copy, "tests/test_methods.py", "-k", "received-bert")
    passed(
        copy, "tests/test_imports.py", "tests/test_house.py", "-k", "received or table or methods"
    )


@pytest.mark.slow
def test_a_metric_is_a_function_and_a_name(copy):
    append(copy / "explainers/evaluation/robustness.py", METRIC)
    change(
        copy / "explainers/evaluation/__init__.py",
        "from .robustness import infidelity, sensitivity\n",
        "from .robustness import evenness, infidelity, sensitivity\n",
    )
    assert "evenness" in run(copy, "explainers", "metrics").stdout
    both = ("tests/test_metrics_by_hand.py", "tests/test_metrics_refused.py")
    passed(copy, *both, "-k", "scale or cannot_be_measured")


@pytest.mark.slow
def test_an_architecture_is_a_row_here_and_a_row_in_the_tests(copy):
    """Of a copy that has never heard of XLM-RoBERTa."""
    anatomies, tiny = copy / "explainers/models/anatomy.py", copy / "tests/tiny.py"
    row = '    "xlm-roberta": ROBERTA,\n'
    tested = '    "xlm-roberta": text("XLMRobertaForSequenceClassification", ROBERTA, padding=1),\n'
    for path, line in ((anatomies, row), (tiny, tested)):
        change(path, line, "")
    known = "test_every_architecture_of_the_table_is_tested"
    passed(copy, "tests/test_models.py", "-k", known)

    add(anatomies, row.rstrip("\n"), '    "data2vec-text"')
    done = run(copy, "pytest", "tests/test_models.py", "-k", known)
    assert done.returncode == 1 and "xlm-roberta" in done.stdout, "a row without a test is green"

    add(tiny, tested.rstrip("\n"), '    "data2vec-text": text(')
    passed(copy, "tests/test_models.py", "-k", known)
    passed(copy, "tests/test_readouts.py", "-k", "xlm-roberta")


@pytest.mark.slow
def test_a_task_is_a_file_a_row_and_a_model_of_the_tests(copy):
    (copy / "explainers/tasks/stars.py").write_text(TASK.lstrip(), encoding="utf-8")
    init = copy / "explainers/tasks/__init__.py"
    add(init, "from .stars import Stars", "from .tags import Tags")
    add(init, "        Stars(),", "        PictureClasses(),")
    tests = ("tests/test_tasks.py", "tests/test_stars.py", *RULES, "-k", "every_task or stars")
    (copy / "tests/test_stars.py").write_text(TASK_TEST.lstrip(), encoding="utf-8")
    done = run(copy, "pytest", "tests/test_tasks.py", "-k", "every_task")
    assert done.returncode == 1 and "stars" in done.stdout, "a task without a model is green"

    change(
        copy / "tests/test_tasks.py", '    "tags": lambda', f'{MODEL_OF_TASK[1:]}    "tags": lambda'
    )
    passed(copy, *tests)


@pytest.mark.slow
def test_a_view_is_a_name_a_layout_a_handler_and_its_events(copy):
    pytest.importorskip("gradio")
    page = copy / "explainers/page"
    change(
        page / "state.py",
        '"methods", "activation", "share"]',
        '"methods", "activation", "counts", "share"]',
    )
    change(page / "state.py", '"methods", "share"]', '"methods", "counts", "share"]')
    add(page / "views.py", '        "counts": lay_out_counts,', '        "share": lay_out_share,')
    append(page / "views.py", LAYOUT)
    (page / "counting.py").write_text(HANDLER.lstrip(), encoding="utf-8")
    change(page / "events.py", "choosing, files, imagining", "choosing, counting, files, imagining")
    add(page / "events.py", "    connect_counts(ui)", "    connect_files(ui)")
    append(page / "events.py", EVENTS)
    (copy / "tests/test_counts.py").write_text(VIEW_TEST.lstrip(), encoding="utf-8")
    passed(copy, "tests/test_counts.py", *RULES, "-k", "count or page")

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

VIEW = """

def lay_out_toy(ui: Fields) -> None:
    ui["toy"] = plain_html("a toy")
"""

VIEW_TEST = """
from explainers.page.links import Link
from explainers.page.program import build


def test_the_view_is_on_the_page_and_in_links():
    page = build()
    assert "a toy" in str(page.config)
    assert Link.read({"view": "toy"}).state.view == "toy"
"""

TASK = '''
"""A toy: the classes of BERT by another name."""

from .classes import Classes


class Toy(Classes):
    """The class of a text."""

    key = "toy"
    networks = ("BertForSequenceClassification",)

    def fits(self, model) -> bool:
        return type(model.net).__name__ in self.networks
'''

TASK_TEST = """
from tiny import example, fresh

import explainers as ex


def test_the_task_is_chosen_and_explained():
    model = fresh("bert")
    assert model.task.key == "toy" and fresh("vit").task.key == "picture_classes"
    trace = model.trace(example("bert"))
    assert ex.METHODS["attcat"](trace).any()
"""


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
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path.name} has changed: adapt this test and CONTRIBUTING.md"
    path.write_text(text.replace(before, f"{line}\n{before}"), encoding="utf-8")


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
    path = copy / "explainers/evaluation/robustness.py"
    path.write_text(path.read_text("utf-8") + METRIC, "utf-8")
    init = copy / "explainers/evaluation/__init__.py"
    text = init.read_text("utf-8")
    line = "from .robustness import infidelity, sensitivity\n"
    assert text.count(line) == 1
    text = text.replace(line, "from .robustness import evenness, infidelity, sensitivity\n")
    init.write_text(text, "utf-8")
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
        text = path.read_text("utf-8")
        assert text.count(line) == 1
        path.write_text(text.replace(line, ""), "utf-8")
    known = "test_every_architecture_of_the_table_is_tested"
    passed(copy, "tests/test_models.py", "-k", known)

    add(anatomies, row.rstrip("\n"), '    "data2vec-text"')
    done = run(copy, "pytest", "tests/test_models.py", "-k", known)
    assert done.returncode == 1 and "xlm-roberta" in done.stdout, "a row without a test is green"

    add(tiny, tested.rstrip("\n"), '    "data2vec-text": text(')
    passed(copy, "tests/test_models.py", "-k", known)
    passed(copy, "tests/test_readouts.py", "-k", "xlm-roberta")


@pytest.mark.slow
def test_a_view_is_a_name_and_a_function(copy):
    pytest.importorskip("gradio")
    page = copy / "explainers/page"
    state = (page / "state.py").read_text("utf-8")
    last = '"share"]'
    assert state.count(last) == 2, "state.py has changed: adapt this test and CONTRIBUTING.md"
    (page / "state.py").write_text(state.replace(last, f'"toy", {last}'), "utf-8")
    add(page / "views.py", '        "toy": lay_out_toy,', '        "share": lay_out_share,')
    views = page / "views.py"
    views.write_text(views.read_text("utf-8") + VIEW, "utf-8")
    (copy / "tests/test_toy.py").write_text(VIEW_TEST, encoding="utf-8")
    passed(copy, "tests/test_toy.py")


@pytest.mark.slow
def test_a_task_is_a_file_and_a_line(copy):
    tasks = copy / "explainers/tasks"
    (tasks / "toy.py").write_text(TASK.lstrip(), encoding="utf-8")
    add(tasks / "__init__.py", "from .toy import Toy", "\nif TYPE_CHECKING:")
    add(tasks / "__init__.py", "        Toy(),", "        PictureClasses(),")
    (copy / "tests/test_toy.py").write_text(TASK_TEST, encoding="utf-8")
    passed(copy, "tests/test_toy.py")

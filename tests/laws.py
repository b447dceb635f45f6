"""Run a third of the laws each day, all of them where tests are asked for by name.

A law is a test that is repeated for many architectures, such as "padding changes nothing". There
are thousands of them. So `pytest` without a name runs everything else and a third of them, another
one each day: in three days nothing is left out. `--laws all` runs all, `--laws 0`, `1` or `2` that
third again. What is named, by a file or by `-k`, is run whole.

Two other kinds go by thirds: tests marked `rotates`, such as the lessons, and tests of the page in
a browser, but for those marked `daily`.
"""

from collections import Counter
from datetime import date
from zlib import crc32

import pytest
from tiny import ARCHITECTURES

PARTS = 3

#: On these every law is run every day.
ALWAYS = ("bert", "vit")


def pytest_addoption(parser) -> None:
    choices = ["all", *(str(part) for part in range(PARTS))]
    parser.addoption("--laws", choices=choices, help="all laws, or one third of them")


def pytest_configure(config) -> None:
    """Choose the third once, so that all processes and all minutes of a run have the same."""
    if config.option.laws is None:
        is_named = config.option.keyword or config.args_source is config.ArgsSource.ARGS
        today = str(date.today().toordinal() % PARTS)
        config.option.laws = "all" if is_named else today


def pytest_report_header(config) -> str:
    part = config.option.laws
    if part == "all":
        return "laws: all"
    return f"laws: third {part} of 0 to {PARTS - 1}; --laws {part} repeats it, --laws all runs all"


def pytest_collection_modifyitems(config, items) -> None:
    check_names(items)
    if config.option.laws == "all":
        return
    kept, left_out, cases = [], [], Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        run = not is_law(item) or part_of(test, cases[test]) == int(config.option.laws)
        cases[test] += 1
        (kept if run else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def check_names(items) -> None:
    """A name that holds an address is another one in each process: they then cannot share tests."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"Name the cases of this test, by ids=[...]: {item.nodeid}")


def is_law(item: pytest.Item) -> bool:
    """Whether a test is one case of many, and not run every day."""
    if item.get_closest_marker("daily"):
        return False
    if item.get_closest_marker("rotates") or item.get_closest_marker("browser"):
        return True
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return False
    rotating = set(ARCHITECTURES) - set(ALWAYS)
    return any(isinstance(value, str) and value in rotating for value in callspec.params.values())


def part_of(test: str, case: int) -> int:
    """Which third a case of a test belongs to: the cases take turns, so that each third has some.

    test: its name without the case. case: counted from 0, in the order of the file.
    """
    return (crc32(test.encode()) + case) % PARTS

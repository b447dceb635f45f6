"""Which laws a run leaves out: none over three days, none that somebody asks for."""

import re
import subprocess
import sys
from pathlib import Path

from laws import PARTS, part_of

ROOT = Path(__file__).parents[1]


#: pytest once for each third and once without an option, in one process: PyTorch is slow to import.
COLLECT = """
import sys
import pytest
for options in ([], *(["--laws", part] for part in sys.argv[1:])):
    assert pytest.main(["--collect-only", "tests/test_readouts.py", *options]) == 0
    print("=====")
"""


def collected() -> list[set[str]]:
    """What pytest would run of a file that is named, and of each third of it."""
    command = [sys.executable, "-c", COLLECT, *(str(part) for part in range(PARTS))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    runs = done.stdout.split("=====\n")[:-1]
    return [set(re.findall(".+::.+", run)) for run in runs]


def test_thirds_together_are_everything_and_what_is_named_is_run_whole():
    everything, *parts = collected()
    assert set.union(*parts) == everything
    assert all(len(part) < len(everything) for part in parts)
    always = {name for name in everything if "[bert]" in name or "[vit]" in name}
    assert always and all(always <= part for part in parts)


def test_the_cases_of_a_test_take_turns_on_every_machine():
    assert [part_of("tests/test_trace.py::test_law", case) for case in range(6)] == [
        0,
        1,
        2,
        0,
        1,
        2,
    ]

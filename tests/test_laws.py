"""Which laws a run leaves out: none over three days, none that somebody asks for."""

import subprocess
import sys
from pathlib import Path

from laws import PARTS, part_of

ROOT = Path(__file__).parents[1]


def collected(*arguments: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_thirds_together_are_everything_and_what_is_named_is_run_whole():
    everything = collected("tests/test_readouts.py")
    parts = [collected("tests/test_readouts.py", "--laws", str(part)) for part in range(PARTS)]
    assert set.union(*parts) == everything
    assert all(len(part) < len(everything) for part in parts)
    always = {name for name in everything if "[bert]" in name or "[vit]" in name}
    assert always and all(always <= part for part in parts)


def test_a_test_is_in_one_part_on_every_machine():
    assert [part_of(f"tests/test_trace.py::test_law[{i}]") for i in range(6)] == [2, 0, 2, 2, 0, 1]

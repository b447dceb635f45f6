"""Check everything: layout, style, types and tests, as continuous integration does.

    python tests                    all four, tests on as many processes as there are processors
    python tests -k attcat          the tests that pytest finds by these arguments, after the rest
    python tests --laws all         every law on every model, not on one third of the models

Every step is run, also behind one that failed; the exit code is 1 if any did.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Processes for pytest: more than these need more memory than a laptop has.
MOST_PROCESSES = 8


def steps(arguments: list[str]) -> dict[str, list[str]]:
    """What is run after `python -m`, by the name of the step."""
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    return {
        "layout": ["ruff", "format", "--check", "."],
        "style": ["ruff", "check", "."],
        "types": ["pyright"],
        "tests": ["pytest", "--numprocesses", str(processes), "--dist", "loadscope", *arguments],
    }


def main(arguments: list[str]) -> int:
    # one thread a process: for models this small, sharing the work takes longer than doing it
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    failed = []
    for name, command in steps(arguments).items():
        print(f"== {name}: python -m {' '.join(command)}", flush=True)
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment)
        print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all is well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

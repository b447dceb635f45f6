"""`python -m explainers`: the command line (see `explainers.cli`)."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

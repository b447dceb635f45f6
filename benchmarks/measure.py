"""The speed and memory targets, measured as ratios within one run, printed as the README's table.

    python benchmarks/measure.py            everything (the page needs Chromium)
    python benchmarks/measure.py compare many relevance globenc perturbing decomposition
    python benchmarks/measure.py shared pictures masks upload evaluation app

Shared machines are noisy: both sides of a ratio are timed alternately and the median of the rounds
is taken.
"""

import argparse

from timing import Row  # isort: skip  it puts this tree on the path
from on_evaluation import evaluation
from on_pictures import masks, pictures, upload
from on_texts import compare, decomposition, globenc, many, perturbing, relevance, shared


def page() -> list[Row]:
    """The page, whose tools (Chromium, playwright) the other parts do without."""
    from on_page import app

    return app()


PARTS = {
    "compare": compare,
    "many": many,
    "relevance": relevance,
    "globenc": globenc,
    "perturbing": perturbing,
    "decomposition": decomposition,
    "shared": shared,
    "pictures": pictures,
    "masks": masks,
    "upload": upload,
    "evaluation": evaluation,
    "app": page,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)} (default: all)"
    )
    asked = parser.parse_args().parts or list(PARTS)
    unknown = set(asked) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print("| what | target | measured |\n|---|---|---|")
    for part in asked:
        for row in PARTS[part]():
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

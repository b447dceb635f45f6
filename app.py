"""The page as a file to run: `python app.py`, or the file that a Hugging Face Space starts.

Its parts are in `explainers/page`; `python -m explainers page` starts the same from anywhere.
"""

import os
from contextlib import suppress
from importlib import import_module

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

with suppress(ImportError):
    import_module("spaces")  # a host that lends GPUs wants its package before PyTorch

from explainers.page.program import build, launch

demo = build()

if __name__ == "__main__":
    launch(demo)

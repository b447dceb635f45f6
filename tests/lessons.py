"""Run lessons in place, offline, and keep what they show, without what a machine adds:

python tests/lessons.py                                        # all of them, after new weights
python tests/lessons.py notebooks/07_vision_transformers.ipynb
"""

import os
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 120_000

# Makes PyTorch believe that the machine has a GPU: a cell that mixes its tensors with the CPU's is
# an error. See tests/pretended.py.
PRETEND = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
from pretended import Card
Card().start()
"""


class ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels the machine has; nothing is
    registered.
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="this Python", language="python")


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    """What all code cells show, in their order."""
    found = []
    for cell in code(notebook):
        found += cell.outputs
    return found


def execute(notebook: NotebookNode, scratch: Path, before: str = "") -> NotebookNode:
    """Run every cell, without network and GPU; raises at the first error. before: code that is run
    first and not kept.
    """
    if before:
        hidden = nbformat.v4.new_code_cell(before)
        execute(nbformat.v4.new_notebook(cells=[hidden, *notebook.cells]), scratch)
        return notebook
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=600,
        store_widget_state=False,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    elsewhere = {
        "IPYTHONDIR": str(scratch),
        "JUPYTER_RUNTIME_DIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # for small models as fast as two, and five times as fast where something else keeps the cores
    # busy
    elsewhere |= {"OMP_NUM_THREADS": "1"}
    client.execute(env=os.environ | elsewhere | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    return notebook


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """Without the machine's metadata; of what a cell shows, the one form that a reader sees."""
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(display_name="Python 3", language="python", name="python3"),
        language_info=NotebookNode(name="python"),
        colab=NotebookNode(toc_visible=True),
    )
    for cell in notebook.cells:
        cell.metadata = NotebookNode(
            {name: kept for name, kept in cell.metadata.items() if name in ("cellView", "jupyter")}
        )
    for cell in code(notebook):
        cell.outputs = joined(cell.outputs)
        for output in cell.outputs:
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            if len(data) > 1:
                data.pop("text/plain", None)
    return notebook


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """What was printed in several pieces, as one."""
    pieces = []
    for name, run in groupby(outputs, lambda output: output.get("name")):
        run = list(run)
        pieces += (
            [
                NotebookNode(
                    output_type="stream", name=name, text="".join(output.text for output in run)
                )
            ]
            if name
            else run
        )
    return pieces


def main(paths: list[str]) -> None:
    for path in map(Path, paths or NOTEBOOKS):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            notebook = cleaned(execute(read(path), Path(scratch)))
        nbformat.write(notebook, path)
        size = path.stat().st_size
        print(
            f"{path.name}: {time.monotonic() - began:.0f} s, {size:,} "
            f"bytes{'' if size <= MOST_BYTES else ', which is too many'}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])

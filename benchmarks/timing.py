"""Tools of all benchmarks: median times, peak memory, and models of the usual sizes."""

import ctypes
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the package of this tree, whatever is installed

import psutil  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    BertConfig,
    BertForSequenceClassification,
    ViTConfig,
    ViTForImageClassification,
)

#: A run that takes so small a part of the first one's time computes nothing.
REMEMBERED = 100

#: A row of the README's table: what was measured, the target, the number.
Row = tuple[str, str, str]


def medians(rounds: int, **sides: Callable) -> dict[str, float]:
    """Median seconds of each side, run in turn so that noise hits all of them.

    Stops if a side is so much faster after its first run that it must look up what it computed.
    """
    first = {name: seconds_of(side) for name, side in sides.items()}
    taken = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            taken[name].append(seconds_of(side))
    usual = {name: statistics.median(times) for name, times in taken.items()}
    for name in sides:
        if usual[name] < first[name] / REMEMBERED:
            raise SystemExit(f"“{name}” is remembered after its first run: measure it afresh.")
    return usual


def seconds_of(side: Callable) -> float:
    """How long one run takes."""
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


class Peak:
    """The most resident memory, in MB, above what there was at the start."""

    def __enter__(self):
        gc.collect()
        if sys.platform == "linux":  # what was freed and kept would hide what is now taken
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        process = psutil.Process()
        self.start, self.most, self.done = process.memory_info().rss, 0, threading.Event()

        def watch():
            while not self.done.wait(0.002):
                self.most = max(self.most, process.memory_info().rss - self.start)

        self.thread = threading.Thread(target=watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    @property
    def mb(self) -> float:
        return self.most / 2**20


def bert_base() -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(num_labels=2, attn_implementation="eager")
    ).eval()


def vit_base() -> ViTForImageClassification:
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(num_labels=10, attn_implementation="eager")).eval()


def random_ids(tokens: int) -> dict[str, torch.Tensor]:
    return {
        "input_ids": torch.randint(
            1000, 30000, (1, tokens), generator=torch.Generator().manual_seed(tokens)
        )
    }

"""The speed and memory targets, measured as ratios within one run, printed as the README's table.

    python benchmarks/measure.py            everything (the page needs Chromium)
    python benchmarks/measure.py compare many app

Shared machines are noisy: both sides of a ratio are timed alternately and the median of the rounds is taken.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

import explainers as ex  # noqa: E402

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def medians(rounds: int, **sides: Callable) -> dict[str, float]:
    """Median seconds of each side, run in turn so that noise hits all of them."""
    taken = {name: [] for name in sides}
    for side in sides.values():
        side()                                              # warm up
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            side()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def bert_base() -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(num_labels=2, attn_implementation="eager")).eval()


def compare() -> list[tuple[str, str, str]]:
    """Ten single-pass methods on 128 tokens against one forward and backward of the same model."""
    plain, traced = bert_base(), ex.load(bert_base())
    ids = torch.randint(1000, 30000, (1, 128), generator=torch.Generator().manual_seed(1))
    methods = [key for key, method in ex.METHODS.items() if method.single_pass]

    def forward_backward():
        """With gradients of every weight, as in training."""
        plain.zero_grad()
        plain(ids).logits[0, 0].backward()

    def to_the_input():
        """With the gradient of the embeddings alone: the least that a gradient method can cost."""
        embeddings = plain.bert.embeddings(ids).detach().requires_grad_()
        torch.autograd.grad(plain(inputs_embeds=embeddings).logits[0, 0], embeddings)

    def all_ten():
        trace = traced.trace({"input_ids": ids}, 0)
        for key in methods:
            ex.METHODS[key](trace)

    seconds = medians(9, plain=forward_backward, least=to_the_input, ten=all_ten)
    return [(f"{len(methods)} single-pass methods, 128 tokens, BERT-base size ÷ one forward and backward", "≤ 1.5",
             f"{seconds['ten'] / seconds['plain']:.2f}"),
            ("the same ÷ one forward and a backward to the embeddings alone", "", f"{seconds['ten'] / seconds['least']:.2f}")]


def many() -> list[tuple[str, str, str]]:
    """32 sentences of equal length: single traces against trace_many."""
    model = ex.load("sentiment")
    words = ["a", "film", "that", "is", "not", "quite", "as", "good", "or", "bad", "as", "its", "many", "loud", "critics", "say", "it", "is"]
    texts = [" ".join(words[k % len(words):] + words[:k % len(words)]) + f" {k}" for k in range(32)]
    coded = [model.encode(text) for text in texts]
    assert len({one.tensors["input_ids"].shape for one in coded}) == 1

    seconds = medians(7, single=lambda: [model.trace(one) for one in coded], together=lambda: model.trace_many(coded))
    return [("32 single traces of one length ÷ trace_many (bundled model)", "≥ 2", f"{seconds['single'] / seconds['together']:.2f}")]


def app() -> list[tuple[str, str, str]]:
    """The page from a cold process: until it serves, until the first heatmap after a click, memory at the end."""
    import psutil
    from playwright.sync_api import sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=os.environ | {"GRADIO_SERVER_PORT": str(port)},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=1).read()
                break
            except OSError:
                if server.poll() is not None or time.perf_counter() - began > 120:
                    raise
                time.sleep(0.05)
        serving = time.perf_counter() - began
        clicks = []
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=CHROMIUM)
            page = browser.new_page()
            page.goto(url)
            page.wait_for_selector("#compared table.xp-map tbody tr:not(.xp-wait)")
            for k in range(5):
                word = f"sample{'abcde'[k]}"
                page.get_by_label("Text", exact=True).fill(f"A {word} of a quiet, clever and at times very funny film.")
                page.wait_for_timeout(700)
                before = time.perf_counter()
                page.get_by_role("button", name="Explain", exact=True).click()
                page.wait_for_function(f"document.querySelector('#compared .xp-prose')?.textContent.includes('{word}')", polling=10)
                clicks.append(time.perf_counter() - before)
                page.wait_for_function("!document.querySelector('#compared .xp-wait')", polling=20)
            browser.close()
        memory = psutil.Process(server.pid).memory_info().rss / 2**20
    finally:
        server.terminate()
        server.wait(20)
    return [("page: seconds from starting the process until it serves", "≤ 8", f"{serving:.1f}"),
            ("page: seconds from a click to the first heatmap, bundled model, median of 5", "≤ 1", f"{statistics.median(clicks):.2f}"),
            ("page: resident memory after 6 comparisons, MB", "< 1000", f"{memory:.0f}")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"compare": compare, "many": many, "app": app}
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(parts)} (default: all)")
    asked = parser.parse_args().parts or list(parts)
    if unknown := set(asked) - set(parts):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts)}")
    print("| what | target | measured |\n|---|---|---|")
    for part in asked:
        for row in parts[part]():
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

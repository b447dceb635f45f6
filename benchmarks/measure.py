"""The speed and memory targets, measured as ratios within one run, printed as the README's table.

    python benchmarks/measure.py            everything (the page needs Chromium)
    python benchmarks/measure.py compare many relevance globenc perturbing decomposition
    python benchmarks/measure.py shared pictures masks upload evaluation app

Shared machines are noisy: both sides of a ratio are timed alternately and the median of the rounds
is taken.
"""

import argparse
import ctypes
import gc
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from transformers import (  # noqa: E402
    BertConfig,
    BertForSequenceClassification,
    ViTConfig,
    ViTForImageClassification,
)

import explainers as ex  # noqa: E402

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def medians(rounds: int, **sides: Callable) -> dict[str, float]:
    """Median seconds of each side, run in turn so that noise hits all of them."""
    taken = {name: [] for name in sides}
    for side in sides.values():
        side()  # warm up
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            side()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def bert_base() -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(num_labels=2, attn_implementation="eager")
    ).eval()


def compare() -> list[tuple[str, str, str]]:
    """Ten single-pass methods on 128 tokens against one forward and backward of the same model."""
    plain, traced = bert_base(), ex.load(bert_base())
    ids = torch.randint(1000, 30000, (1, 128), generator=torch.Generator().manual_seed(1))
    methods = [
        "raw_attention",
        "rollout",
        "grads",
        "attgrads",
        "attn_gradcam",
        "gae",
        "cat",
        "attcat",
        "gradient",
        "input_x_gradient",
    ]

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
    return [
        (
            f"{len(methods)} single-pass methods, 128 tokens, BERT-base size ÷ one forward "
            "and backward",
            "≤ 1.5",
            f"{seconds['ten'] / seconds['plain']:.2f}",
        ),
        (
            "the same ÷ one forward and a backward to the embeddings alone",
            "",
            f"{seconds['ten'] / seconds['least']:.2f}",
        ),
    ]


def many() -> list[tuple[str, str, str]]:
    """32 sentences of equal length: single traces against trace_many."""
    model = ex.load("sentiment")
    words = [
        "a",
        "film",
        "that",
        "is",
        "not",
        "quite",
        "as",
        "good",
        "or",
        "bad",
        "as",
        "its",
        "many",
        "loud",
        "critics",
        "say",
        "it",
        "is",
    ]
    texts = [
        " ".join(words[k % len(words) :] + words[: k % len(words)]) + f" {k}" for k in range(32)
    ]
    coded = [model.encode(text) for text in texts]
    assert len({one.tensors["input_ids"].shape for one in coded}) == 1

    seconds = medians(
        7,
        single=lambda: [model.trace(one) for one in coded],
        together=lambda: model.trace_many(coded),
    )
    return [
        (
            "32 single traces of one length ÷ trace_many (bundled model)",
            "≥ 2",
            f"{seconds['single'] / seconds['together']:.2f}",
        )
    ]


def random_ids(tokens: int) -> dict[str, torch.Tensor]:
    return {
        "input_ids": torch.randint(
            1000, 30000, (1, tokens), generator=torch.Generator().manual_seed(tokens)
        )
    }


def relevance() -> list[tuple[str, str, str]]:
    """TransAtt, LRP and Partial LRP, which share one relevance pass, against one forward and
    backward of the same model.
    """
    plain, model = bert_base(), ex.load(bert_base())
    inputs = random_ids(128)

    def forward_backward():
        plain.zero_grad()
        plain(**inputs).logits[0, 0].backward()

    def all_three():
        trace = model.trace(inputs, 0)
        for key in ("transatt", "lrp", "partial_lrp"):
            ex.METHODS[key](trace)

    seconds = medians(7, plain=forward_backward, three=all_three)
    return [
        (
            "TransAtt, LRP and Partial LRP with their trace, 128 tokens, BERT-base size ÷ "
            "one forward and backward",
            "≤ 3",
            f"{seconds['three'] / seconds['plain']:.2f}",
        )
    ]


class Peak:
    """The most resident memory, in MB, above what there was at the start."""

    def __enter__(self):
        import threading

        import psutil

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


def materialised(trace) -> torch.Tensor:
    """N-Enc as it is usually computed: every vector [head query key dim] in memory, a layer at a
    time.
    """
    maps = []
    for l, layer in enumerate(trace.layers):
        moved = torch.einsum("hkv,hvd->hkd", trace.value[l], layer.w_o)
        vectors = (trace.attention[l][..., None] * moved[:, None]).sum(0)
        vectors[torch.arange(len(vectors)), torch.arange(len(vectors))] += trace.hidden[l]
        before1 = vectors.sum(1) + layer.b_o
        after1 = layer.norm1(before1)
        before2 = after1 + layer.down(layer.act(layer.up(after1)))
        for norm, state in ((layer.norm1, before1), (layer.norm2, before2)):
            vectors = (
                (vectors - vectors.mean(-1, keepdim=True))
                / (state.var(-1, unbiased=False) + norm.eps).sqrt()[:, None, None]
                * norm.weight
            )
        maps.append(vectors.norm(dim=-1))
    return torch.stack(maps)


@torch.no_grad()
def globenc() -> list[tuple[str, str, str]]:
    """GlobEnc's memory at 512 tokens, and its time at 128 against making the vectors."""
    model, method = ex.load(bert_base()), ex.METHODS["globenc"]
    long, short = model.trace(random_ids(512), 0), model.trace(random_ids(128), 0)
    torch.testing.assert_close(method.maps(short), materialised(short), rtol=1e-3, atol=1e-4)
    with Peak() as peak:
        method(long)
    seconds = medians(3, gram=lambda: method.maps(short), vectors=lambda: materialised(short))
    return [
        (
            "GlobEnc (N-Enc), 512 tokens, BERT-base size: peak extra memory, MB",
            "< 600",
            f"{peak.mb:.0f}",
        ),
        (
            "making all its vectors ÷ GlobEnc by the Gram identity, 128 tokens",
            "> 1",
            f"{seconds['vectors'] / seconds['gram']:.1f}",
        ),
    ]


def perturbing() -> list[tuple[str, str, str]]:
    """Attention flow in seconds; Value Zeroing against one whole forward pass for each token and
    layer.
    """
    plain, model = bert_base(), ex.load(bert_base())
    long, short = model.trace(random_ids(128), 0), model.trace(random_ids(64), 0)

    @torch.no_grad()
    def forward():
        plain(**random_ids(64))

    seconds = medians(
        3,
        flow=lambda: ex.METHODS["attention_flow"](long),
        zeroing=lambda: ex.METHODS["value_zeroing"].maps(short),
        forward=forward,
    )
    return [
        ("attention flow, 128 tokens, 12 layers, seconds", "< 2", f"{seconds['flow']:.2f}"),
        (
            "one forward a token and layer (64 x 12, from the time of one) ÷ Value Zeroing, "
            "64 tokens, BERT-base size",
            "≥ 3",
            f"{64 * 12 * seconds['forward'] / seconds['zeroing']:.1f}",
        ),
    ]


def decomposition() -> list[tuple[str, str, str]]:
    """Memory of ALTI and DecompX at 512 tokens of BERT-base's width; three layers, since memory
    does not grow with depth.
    """
    torch.manual_seed(0)
    model = ex.load(
        BertForSequenceClassification(BertConfig(num_labels=2, num_hidden_layers=3)).eval()
    )
    trace, rows = model.trace(random_ids(512), 0), []
    for key in ("alti", "decompx"):
        with Peak() as peak:
            ex.METHODS[key](trace)
        rows.append(
            (
                f"{ex.METHODS[key].title}, 512 tokens, BERT-base width, 3 layers: peak "
                "extra memory, MB",
                "< 4000",
                f"{peak.mb:.0f}",
            )
        )
    return rows


def shared() -> list[tuple[str, str, str]]:
    """Passes through the first block: all methods compared, against all of them run alone."""
    model = ex.load("sentiment")
    text, passes = "A film that is not quite as good, or bad, as its many loud critics say.", []
    model.blocks[0].register_forward_hook(lambda block, args, output: passes.append(len(output)))
    ex.compare(model, text)
    together = sum(passes)
    passes.clear()
    keys = [key for key, method in ex.METHODS.items() if "text" in method.tasks]
    for key in keys:
        ex.explain(model, text, key)
    return [
        (
            f"passes when all {len(keys)} methods explain one text alone ÷ compared together",
            "",
            f"{sum(passes)} ÷ {together}",
        )
    ]


def vit_base() -> ViTForImageClassification:
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(num_labels=10, attn_implementation="eager")).eval()


def pictures() -> list[tuple[str, str, str]]:
    """Ten single-pass methods on a picture of 224 px against one forward and backward of the same
    model.
    """
    plain, traced = vit_base(), ex.load(vit_base())
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    methods = [
        "raw_attention",
        "rollout",
        "grads",
        "attgrads",
        "attn_gradcam",
        "gae",
        "cat",
        "attcat",
        "grad_cam",
        "input_x_gradient",
    ]

    def forward_backward():
        """With gradients of every weight, as in training."""
        plain.zero_grad()
        plain(pixels).logits[0, 0].backward()

    def to_the_pixels():
        """With the gradient of the pixels alone: the least that a gradient method can cost."""
        seen = pixels.clone().requires_grad_()
        torch.autograd.grad(plain(seen).logits[0, 0], seen)

    def all_ten():
        trace = traced.trace({"pixel_values": pixels}, 0)
        for key in methods:
            ex.METHODS[key](trace)

    seconds = medians(5, plain=forward_backward, least=to_the_pixels, ten=all_ten)
    return [
        (
            f"{len(methods)} single-pass methods, 224 px, ViT-B size ÷ one forward and backward",
            "≤ 1.5",
            f"{seconds['ten'] / seconds['plain']:.2f}",
        ),
        (
            "the same ÷ one forward and a backward to the pixels alone",
            "",
            f"{seconds['ten'] / seconds['least']:.2f}",
        ),
    ]


def masks() -> list[tuple[str, str, str]]:
    """Occlusion and ViT-CX in batches, against their masks one at a time."""
    model, rows = ex.load("vit"), []
    trace = model.trace(ROOT / "assets/examples/cat.jpg")
    passes = []
    model.blocks[0].register_forward_hook(lambda block, args, output: passes.append(len(output)))

    def batched(key: str) -> None:
        trace.cache.clear()
        ex.METHODS[key](trace)

    @torch.no_grad()
    def one_at_a_time(count: int) -> None:
        """Only the passes; no mask is made."""
        for _ in range(count):
            model.net(pixel_values=trace.pixels[None])

    for key in ("occlusion", "vit_cx"):
        passes.clear()
        batched(key)
        count = sum(passes)
        seconds = medians(5, single=partial(one_at_a_time, count), batched=partial(batched, key))
        rows.append(
            (
                f"{count} passes one at a time ÷ {ex.METHODS[key].title} (bundled ViT)",
                "≥ 3",
                f"{seconds['single'] / seconds['batched']:.1f}",
            )
        )
    return rows


def upload() -> list[tuple[str, str, str]]:
    """Memory of reading a picture of 12 megapixels, by kind of file."""
    import numpy as np
    from PIL import Image

    model, rows = ex.load("vit"), []
    model.encode(Image.new("RGB", (64, 64)))
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    large = Image.fromarray(noise).resize((4000, 3000))
    see_through = large.convert("RGBA")
    see_through.putalpha(200)
    files = {
        "JPEG": (large, "a.jpg"),
        "PNG": (large, "a.png"),
        "WebP": (large, "a.webp"),
        "PNG with transparency": (see_through, "b.png"),
        "WebP with transparency": (see_through, "b.webp"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for picture, name in files.values():
            picture.save(Path(folder) / name)
        names = {kind: name for kind, (_, name) in files.items()}
        del large, see_through, files, picture
        for kind, name in names.items():
            with Peak() as peak:
                model.encode(Path(folder) / name)
            rows.append(
                (
                    f"a picture of 12 megapixels ({kind}): peak extra memory, MB",
                    "< 200",
                    f"{peak.mb:.0f}",
                )
            )
    return rows


def sentences(count: int, length: int | None = None) -> list[str]:
    """Sentences of the lengths that SST-2's dev set has, about 9 to 33 words, or all of one, none
    alike.
    """
    import random

    drawn = random.Random(0)
    words = (
        "a film that is not quite as good or bad its many loud critics say and yet the plot "
        "never slows down while actors shine in every "
        "quiet scene of this long dull tale about two brothers who lost their way home"
    )
    return [
        " ".join(drawn.choices(words.split(), k=length or round(drawn.triangular(6, 40, 18))))
        for _ in range(count)
    ]


def evaluation() -> list[tuple[str, str, str]]:
    """Eight methods with AOPC and log-odds at ten levels: `measure` against one example, one
    method, one changed input at a time; then the runner on few and on many examples.
    """
    from explainers.evaluation import Example, measure
    from explainers.evaluation.data import Dataset
    from explainers.evaluation.runs import Plan, evaluate

    model, texts = ex.load("sentiment"), sentences(24)
    methods = [
        "raw_attention",
        "rollout",
        "grads",
        "attgrads",
        "partial_lrp",
        "transatt",
        "cat",
        "attcat",
    ]
    levels, pad = 10, model.tokenizer.pad_token_id

    @torch.no_grad()
    def probability(ids: torch.Tensor, target: int) -> float:
        return float(
            model.net(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.softmax(-1)[
                0, target
            ]
        )

    def plain() -> dict[tuple[int, str], tuple[float, float]]:
        """The loop that everybody writes first."""
        found = {}
        for i, text in enumerate(texts):
            for key in methods:
                trace = model.trace(text)
                scores, ids = ex.METHODS[key](trace), model.encode(text).tensors["input_ids"]
                words, target = (~trace.special_tokens).nonzero().flatten(), trace.target.index
                order, before = (
                    words[scores[words].argsort(descending=True, stable=True)],
                    probability(ids, target),
                )
                deleted, blanked = [], []
                for level in range(1, levels + 1):
                    gone = order[: round(len(order) * level / levels)]
                    left = torch.ones(ids.shape[1], dtype=torch.bool).index_fill(0, gone, False)
                    deleted.append(probability(ids[:, left], target))
                    blanked.append(probability(ids.masked_fill(~left, pad), target))
                found[i, key] = (
                    sum(before - one for one in deleted) / levels,
                    sum(math.log(one / before) for one in blanked) / levels,
                )
        return found

    def together() -> list[dict]:
        return measure(
            model,
            [Example(text, id=str(i)) for i, text in enumerate(texts)],
            methods,
            ["aopc", "logodds"],
            baselines=False,
        )

    slow = plain()
    for record in together():
        wanted = slow[int(record["id"]), record["method"]]
        assert all(
            abs(one - other) < 1e-3
            for one, other in zip((record["aopc"], record["logodds"]), wanted)
        ), (record, wanted)
    seconds = medians(3, plain=plain, together=together)
    rows = [
        (
            f"{len(texts)} sentences, 8 methods, AOPC and log-odds at ten levels: one thing "
            "at a time ÷ evaluation.measure (bundled model)",
            "≥ 8",
            f"{seconds['plain'] / seconds['together']:.1f}",
        )
    ]
    took, memory = {}, {}
    for count in (100, 1000):
        data = Dataset(
            "sentences", [Example(text, id=str(i)) for i, text in enumerate(sentences(count, 20))]
        )
        with tempfile.TemporaryDirectory() as folder, Peak() as peak:
            began = time.perf_counter()
            evaluate(
                data, Plan("sentiment", ("attcat", "gae"), ("aopc:levels=5",)), folder, quiet=True
            )
            took[count], memory[count] = (time.perf_counter() - began) / count, peak.mb
    return [
        *rows,
        (
            "evaluate: seconds an example, of 1,000 ÷ of 100 sentences of 20 words",
            "≤ 1.2",
            f"{took[1000] / took[100]:.2f}",
        ),
        (
            "evaluate: peak extra memory of 1,000 and of 100 sentences, MB",
            "equal",
            f"{memory[1000]:.0f} and {memory[100]:.0f}",
        ),
    ]


def app() -> list[tuple[str, str, str]]:
    """The page from a cold process: until it serves, until the first heatmap after a click, memory
    at the end.
    """
    import psutil
    from playwright.sync_api import sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ | {"GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
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
            browser = play.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=CHROMIUM,
            )
            page = browser.new_page()
            page.goto(url)
            page.wait_for_selector("#text-compared table.xp-map tbody tr:not(.xp-wait)")
            for k in range(5):
                word = f"sample{'abcde'[k]}"
                page.get_by_label("Text", exact=True).fill(
                    f"A {word} of a quiet, clever and at times very funny film."
                )
                page.wait_for_timeout(700)
                before = time.perf_counter()
                page.get_by_role("button", name="Explain", exact=True).click()
                page.wait_for_function(
                    "document.querySelector('#text-compared "
                    f".xp-prose')?.textContent.includes('{word}')",
                    polling=10,
                )
                clicks.append(time.perf_counter() - before)
                page.wait_for_function(
                    "!document.querySelector('#text-compared .xp-wait')", polling=20
                )
            browser.close()
        memory = psutil.Process(server.pid).memory_info().rss / 2**20
    finally:
        server.terminate()
        server.wait(20)
    return [
        ("page: seconds from starting the process until it serves", "≤ 8", f"{serving:.1f}"),
        (
            "page: seconds from a click to the first heatmap, bundled model, median of 5",
            "≤ 1",
            f"{statistics.median(clicks):.2f}",
        ),
        ("page: resident memory after 6 comparisons, MB", "< 1000", f"{memory:.0f}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {
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
        "app": app,
    }
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of {', '.join(parts)} (default: all)"
    )
    asked = parser.parse_args().parts or list(parts)
    if unknown := set(asked) - set(parts):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts)}")
    print("| what | target | measured |\n|---|---|---|")
    for part in asked:
        for row in parts[part]():
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

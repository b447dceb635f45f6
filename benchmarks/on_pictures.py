"""Speed and memory of methods on pictures, and of reading them."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import ROOT, Peak, Row, medians, vit_base

import explainers as ex


def pictures() -> list[Row]:
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


def masks() -> list[Row]:
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


def upload() -> list[Row]:
    """Memory of reading a picture of 12 megapixels, by kind of file."""
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

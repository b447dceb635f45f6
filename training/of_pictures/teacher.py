"""The teacher, a ViT, and its logits and hidden states for the crops of each view."""

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import ViTForImageClassification

from .data import GRID, classes, crop, normalised, save

#: For each view, the smallest share of a picture's area that a crop shows: two views of small and
#: large crops, two of nearly whole ones.
LEAST = (0.35, 0.35, 0.8, 0.8)

BATCH = 50


class Teacher:
    """A ViT of ImageNet: the logits of its 1,000 classes, and its last hidden states.

    ours: [class], the index of each of our classes among its own.
    """

    def __init__(self, folder: Path, data: Path):
        self.net = ViTForImageClassification.from_pretrained(folder).eval().requires_grad_(False)
        order = json.loads((folder / "wnids.json").read_text())
        self.ours = torch.tensor([order.index(row["wnid"]) for row in classes(data)])

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [picture class] and hidden states [picture token dim], [CLS] first.

        The hidden states of the patches are those on the student's grid. pixels: [picture channel
        height width] uint8.
        """
        out = self.net(
            pixel_values=normalised(pixels),
            interpolate_pos_encoding=True,
            output_hidden_states=True,
        )
        hidden = self.net.vit.layernorm(out.hidden_states[-1])
        side = math.isqrt(hidden.shape[1] - 1)
        grid = hidden[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        grid = F.interpolate(grid, (GRID, GRID), mode="bilinear", antialias=True)
        patches = grid.flatten(2).transpose(1, 2)
        return out.logits, torch.cat([hidden[:, :1], patches], 1)


def view(
    number: int, images: list[Image.Image], teacher: Teacher, work: Path
) -> tuple[Tensor, Tensor, Tensor]:
    """A crop of each picture with the teacher's outputs; read from disk if computed before.

    Shapes: crops [picture channel side side] uint8, logits [picture class] and hidden states
    [picture token dim] in fp16.
    """
    path = work / f"view{number}.pt"
    if not path.exists():
        save(new_view(number, images, teacher), path)
    return torch.load(path, mmap=True, weights_only=True)


def new_view(number: int, images: list[Image.Image], teacher: Teacher) -> list[Tensor]:
    """Compute a view. Each crop is drawn from a seed of its own."""
    crops, logits, hidden = [], [], []
    began = time.monotonic()
    for first in range(0, len(images), BATCH):
        larger = []  # the same crops, as the teacher sees them
        for place, image in enumerate(images[first : first + BATCH], start=first):
            small, large = crop(image, np.random.default_rng([number, place]), LEAST[number])
            crops.append(small)
            larger.append(large)
        new_logits, new_hidden = teacher(torch.stack(larger))
        logits.append(new_logits.half())
        hidden.append(new_hidden.half())
        if first % 5000 == 0:
            seconds = time.monotonic() - began
            print(f"view {number}: {first}/{len(images)}, {seconds:.0f} s", flush=True)
    return [torch.stack(crops), torch.cat(logits), torch.cat(hidden)]

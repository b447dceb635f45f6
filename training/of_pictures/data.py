"""Pictures and their classes, as tensors; files that are complete or not there at all."""

import csv
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

#: Mean and standard deviation of the colours of ImageNet, by channel.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SIDE = 64  # pixels a side, of the student
GRID = 8  # patches a side, of the student

#: Pixels a side at which the teacher reads a picture. On pictures this small the teacher is as good
#: as at 224 pixels, at half the cost.
TEACHER_SIDE = 160

TRAINING = ("train_part1.zip", "train_part2.zip")
VALIDATION = ("val.zip",)


def classes(data: Path) -> list[dict[str, str]]:
    """The rows of classes.tsv (label, wnid, name) by label."""
    with (data / "classes.tsv").open() as file:
        return sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: int(row["label"]))


def first_names(data: Path) -> list[str]:
    """One readable name for each class, by label."""
    names = [row["name"].split(",")[0] for row in classes(data)]
    assert len(set(names)) == len(names), "two classes have the same name"
    return names


def pictures(data: Path, archives: tuple[str, ...]) -> tuple[list[Image.Image], Tensor]:
    """Every picture of the archives, and their labels [picture]."""
    label_of = {row["wnid"]: int(row["label"]) for row in classes(data)}
    images, labels = [], []
    for archive in archives:
        with zipfile.ZipFile(data / archive) as file:
            for name in sorted(file.namelist()):
                if name.endswith(".JPEG"):
                    images.append(Image.open(io.BytesIO(file.read(name))).convert("RGB"))
                    labels.append(label_of[name.split("/")[1]])
    return images, torch.tensor(labels)


def as_tensor(image: Image.Image) -> Tensor:
    """A picture as [channel height width] uint8."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def stacked(images: list[Image.Image]) -> Tensor:
    """Pictures of one size as [picture channel height width] uint8."""
    return torch.stack([as_tensor(image) for image in images])


def normalised(pixels: Tensor) -> Tensor:
    """Pixels from 0 to 255 as a ViT reads them."""
    mean = torch.tensor(MEAN)[:, None, None]
    std = torch.tensor(STD)[:, None, None]
    return (pixels.float() / 255 - mean) / std


def crop(image: Image.Image, rng: np.random.Generator, least: float) -> tuple[Tensor, Tensor]:
    """A random crop with random brightness and colour, at the sizes of student and teacher.

    least: the smallest share of the picture's area that it shows. Both are [channel side side]
    uint8.
    """
    box = random_box(image.size, rng, least)
    gain = rng.uniform(0.7, 1.3)
    shift = rng.uniform(-20, 20)
    grey = rng.uniform(-0.3, 0.3)
    seen = []
    for side in (SIDE, TEACHER_SIDE):
        small = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
        pixels = as_tensor(small).float()
        pixels = pixels + grey * (pixels.mean(0, keepdim=True) - pixels)
        seen.append((pixels * gain + shift).clamp(0, 255).to(torch.uint8))
    return seen[0], seen[1]


def random_box(
    size: tuple[int, int], rng: np.random.Generator, least: float
) -> tuple[float, float, float, float]:
    """A random rectangle in a picture: left, top, right, bottom."""
    width, height = size
    while True:
        area = rng.uniform(least, 1) * width * height
        ratio = math.exp(rng.uniform(-0.29, 0.29))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if w <= width and h <= height:
            break
    x = int(rng.integers(width - w + 1))
    y = int(rng.integers(height - h + 1))
    return x, y, x + w, y + h


# --------------------------------------------------------------------------------------- files


def save(state: Any, path: Path) -> None:
    """Write a state; an interrupted write leaves the file as it was before."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def cached_on_disk(path: Path, key: str, make: Callable[[], Tensor]) -> Tensor:
    """The result of `make`; read from `path` if that was written for the same `key`."""
    state = torch.load(path, weights_only=True) if path.exists() else {}
    if state.get("key") != key:
        state = {"key": key, "value": make()}
        save(state, path)
    return state["value"]


def write(weights: dict[str, Tensor], path: Path) -> None:
    """Write weights in fp16, in the layout of Hugging Face."""
    state = {name: weight.detach().half().contiguous() for name, weight in weights.items()}
    save_file(state, path, metadata={"format": "pt"})

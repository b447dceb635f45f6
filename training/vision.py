"""Train the bundled vision models: a small ViT that learns from a larger one, and projections that match it with the text encoder.

    python training/vision.py train    --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR
    python training/vision.py export   --data DATA_DIR --work RUN_DIR --out assets/models/vision
    python training/vision.py pair     --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR --out assets/models/dual
    python training/vision.py evaluate --data DATA_DIR

`train` teaches a ViT (6 layers of 192, 64 px in patches of 8) the labels, the teacher's probabilities and, token by token,
the teacher's last hidden states: 64 patches a picture say much more than one label. The teacher sees each picture in
a few random crops (`VIEWS`), each once: what it makes of them is kept in RUN_DIR and met again, mirrored or not, every
`VIEWS` epochs. In the first epochs only some of the patches are shown (patch dropout), which is faster and
keeps the student from learning the pictures by heart. A checkpoint is written after every epoch, and a run that is started
again goes on from it. `export` writes the running mean of the weights in fp16.

`pair` leaves both encoders as they are and trains what stands on them (poolers, projections and a temperature:
Zhai et al. 2022, "locked-image tuning", here with both sides locked). The texts are prompts about the teacher's 1,000 classes, by any of
their names; the image should be as near to each text as the teacher finds its class likely.

DATA_DIR is tinyimagenet50: {train_part1,train_part2,val}.zip of 64 px pictures, classes.tsv (label, wnid, name).
DEIT_DIR is a ViT classifier for ImageNet-1k in Hugging Face layout, with wnids.json, its classes in order.
"""

import argparse
import copy
import csv
import io
import json
import math
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, GRID = 64, 8              # pixels and patches a side, of the student
TEACHER_SIDE = 160              # pixels a side at which the teacher reads a picture: as good as 224 on pictures this small, and half the cost
BATCH, VIEWS, EPOCHS, SPARSE = 128, 2, 25, 19      # SPARSE epochs see half of the patches
RATE, WEIGHT_DECAY, WARM_UP, MEAN_OVER = 1.5e-3, 0.05, 0.05, 0.998
TEMPERATURE, FEATURES = 1.5, 2.0                   # of the teacher's probabilities; weight of its hidden states in the loss


# ----------------------------------------------------------------------------------------------------- data

def classes(data: Path) -> list[dict]:
    """[{label, wnid, name}] in order."""
    with (data / "classes.tsv").open() as file:
        return sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: int(row["label"]))


def pictures(data: Path, *archives: str) -> tuple[list[Image.Image], Tensor]:
    """Every picture of the archives, and its label."""
    label = {row["wnid"]: int(row["label"]) for row in classes(data)}
    images, labels = [], []
    for archive in archives:
        with zipfile.ZipFile(data / archive) as file:
            for name in sorted(file.namelist()):
                if name.endswith(".JPEG"):
                    images.append(Image.open(io.BytesIO(file.read(name))).convert("RGB"))
                    labels.append(label[name.split("/")[1]])
    return images, torch.tensor(labels)


def as_tensor(image: Image.Image) -> Tensor:
    """[3 height width] uint8."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def normalised(pixels: Tensor) -> Tensor:
    """uint8 -> what a ViT reads."""
    mean, std = (torch.tensor(value)[:, None, None] for value in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def crop(image: Image.Image, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random part of the picture in random light, as the student and as the teacher see it."""
    width, height = image.size
    while True:
        area, ratio = rng.uniform(0.35, 1) * width * height, math.exp(rng.uniform(-0.29, 0.29))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if w <= width and h <= height:
            break
    x, y = rng.integers(width - w + 1), rng.integers(height - h + 1)
    gain, shift, grey = rng.uniform(0.7, 1.3), rng.uniform(-20, 20), rng.uniform(-0.3, 0.3)
    seen = []
    for side in (SIDE, TEACHER_SIDE):
        pixels = as_tensor(image.resize((side, side), Image.Resampling.BICUBIC, box=(x, y, x + w, y + h))).float()
        pixels = pixels + grey * (pixels.mean(0, keepdim=True) - pixels)
        seen.append((pixels * gain + shift).clamp(0, 255).to(torch.uint8))
    return seen[0], seen[1]


# -------------------------------------------------------------------------------------------------- teacher

class Teacher:
    """What a ViT of ImageNet makes of pictures: logits for its 1,000 classes and, on the student's grid, its last hidden states."""

    def __init__(self, folder: Path, data: Path):
        self.net = ViTForImageClassification.from_pretrained(folder).eval().requires_grad_(False)
        order = json.loads((folder / "wnids.json").read_text())
        self.ours = torch.tensor([order.index(row["wnid"]) for row in classes(data)])

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """[n 3 height width] uint8 -> logits [n 1000] and hidden states [n 1+patches dim], [CLS] first."""
        out = self.net(pixel_values=normalised(pixels), interpolate_pos_encoding=True, output_hidden_states=True)
        hidden = self.net.vit.layernorm(out.hidden_states[-1])
        side = math.isqrt(hidden.shape[1] - 1)
        grid = hidden[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        patches = F.interpolate(grid, (GRID, GRID), mode="bilinear", antialias=True).flatten(2).transpose(1, 2)
        return out.logits, torch.cat([hidden[:, :1], patches], 1)


def view(number: int, images: list[Image.Image], teacher: Teacher, work: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Crops [n 3 side side] uint8 and what the teacher said of them, [n 1000] and [n token dim]: from the disk, or made now."""
    path = work / f"view{number}.pt"
    if not path.exists():
        parts, began = [], time.monotonic()
        for i in range(0, len(images), 50):
            small, large = zip(*(crop(image, np.random.default_rng([number, i + k])) for k, image in enumerate(images[i:i + 50])))
            logits, hidden = teacher(torch.stack(large))
            parts.append((torch.stack(small), logits.half(), hidden.half()))
            if i % 5000 == 0:
                print(f"view {number}: {i}/{len(images)}, {time.monotonic() - began:.0f} s", flush=True)
        save([torch.cat(part) for part in zip(*parts)], path)
        del parts
    return torch.load(path, mmap=True, weights_only=True)


def save(state, path: Path) -> None:
    """Whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


# -------------------------------------------------------------------------------------------------- student

class Student(nn.Module):
    """The ViT that is kept, and the map from its hidden states to the teacher's, which is not."""

    def __init__(self, names: list[str], teacher_dim: int):
        super().__init__()
        self.net = ViTForImageClassification(ViTConfig(
            hidden_size=192, num_hidden_layers=6, num_attention_heads=3, intermediate_size=768, image_size=SIDE, patch_size=SIDE // GRID,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-6,
            id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}))
        self.to_teacher = nn.Linear(192, teacher_dim)

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[n 3 side side] -> class logits [n classes] and guesses [n token dim] at the teacher's hidden states of the `kept` tokens [n token]."""
        hidden = self.net.vit.embeddings(pixels)
        if kept is not None:
            hidden = hidden.gather(1, kept[..., None].expand(-1, -1, hidden.shape[-1]))
        for layer in self.net.vit.layers:
            hidden = layer(hidden)
        hidden = self.net.vit.layernorm(hidden)
        return self.net.classifier(hidden[:, 0]), self.to_teacher(hidden)


def mirrored(pixels: Tensor, hidden: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Some of the pictures, and the teacher's patches of them, left to right."""
    patches = hidden[:, 1:].unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    turned = torch.cat([hidden[:, :1], patches], 1)
    return torch.where(which[:, None, None, None], pixels.flip(3), pixels), torch.where(which[:, None, None], turned, hidden)


def some_patches(n: int, share: float) -> Tensor:
    """[n token] places of [CLS] and of a random share of the patches, in order."""
    chosen = torch.rand(n, GRID * GRID).topk(round(share * GRID * GRID)).indices.sort().values + 1
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), chosen], 1)


def train(args) -> None:
    """the ViT: from its checkpoint if there is one"""
    args.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    images, labels = pictures(args.data, "train_part1.zip", "train_part2.zip")
    test_images, test_labels = pictures(args.data, "val.zip")
    test = torch.stack([as_tensor(image) for image in test_images])
    teacher = Teacher(args.teacher, args.data)
    student = Student([row["name"].split(",")[0] for row in classes(args.data)], teacher.net.config.hidden_size)
    mean = copy.deepcopy(student).requires_grad_(False)

    plain = [p for p in student.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": [p for p in student.parameters() if p.ndim >= 2]}, {"params": plain, "weight_decay": 0.0}],
                                  lr=RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True)
    steps = len(images) // BATCH
    warm, total = WARM_UP * EPOCHS * steps, EPOCHS * steps
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1, step / total))) + 1e-3))
    checkpoint, first = args.work / "vit.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(state["student"]), mean.load_state_dict(state["mean"])
        optimizer.load_state_dict(state["optimizer"]), rate.load_state_dict(state["rate"])
        first = state["epoch"]
        print(f"resumed after epoch {first}", flush=True)

    for epoch in range(first, EPOCHS):
        torch.manual_seed(epoch)
        crops, logits, hidden = view(epoch % VIEWS, images, teacher, args.work)
        centre, spread = hidden[:2000].float().mean((0, 1)), hidden[:2000].float().std((0, 1))
        began, losses = time.monotonic(), []
        for batch in torch.randperm(len(images)).split(BATCH)[:steps]:
            wanted = logits[batch][:, teacher.ours].float()
            pixels, felt = mirrored(crops[batch], (hidden[batch].float() - centre) / spread, torch.rand(BATCH) < 0.5)
            kept = some_patches(BATCH, 0.5) if epoch < SPARSE else None
            felt = felt if kept is None else felt.gather(1, kept[..., None].expand(-1, -1, felt.shape[-1]))
            said, guessed = student(normalised(pixels), kept)
            loss = (0.5 * F.cross_entropy(said, labels[batch], label_smoothing=0.1)
                    + F.kl_div((said / TEMPERATURE).log_softmax(1), (wanted / TEMPERATURE).softmax(1), reduction="batchmean")
                    + FEATURES * F.smooth_l1_loss(guessed, felt))
            optimizer.zero_grad(), loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step(), rate.step()
            with torch.no_grad():
                for p, q in zip(mean.parameters(), student.parameters()):
                    p.lerp_(q, 1 - min(MEAN_OVER, (rate.last_epoch + 1) / (rate.last_epoch + 10)))
            losses.append(loss.item())
        save({"student": student.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(),
              "rate": rate.state_dict(), "epoch": epoch + 1}, checkpoint)
        print(f"epoch {epoch + 1}/{EPOCHS}  {time.monotonic() - began:.0f} s  loss {np.mean(losses):.3f}  "
              f"right {100 * right(student, test, test_labels):.1f} %, mean weights {100 * right(mean, test, test_labels):.1f} %", flush=True)


@torch.no_grad()
def right(student: Student, pixels: Tensor, labels: Tensor) -> float:
    """Share of the pictures whose first guess is the label."""
    said = torch.cat([student.net(pixel_values=normalised(part)).logits.argmax(1) for part in pixels.split(250)])
    return (said == labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, needs in ((train, "teacher data work"),):
        command = commands.add_parser(run.__name__, help=run.__doc__.split("\n")[0])
        command.set_defaults(run=run)
        for need in needs.split():
            command.add_argument(f"--{need}", type=Path, required=True)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

"""Train the bundled vision models: a small ViT that learns from a larger one, and projections that
match it with the text encoder.

    python training/vision.py train    --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR
    python training/vision.py export   --data DATA_DIR --work RUN_DIR --out assets/models/vision
    python training/vision.py pair     --teacher DEIT_DIR --data DATA_DIR --work RUN_DIR \\
                                       --out assets/models/dual
    python training/vision.py evaluate --teacher DEIT_DIR --data DATA_DIR

`train` teaches a ViT (6 layers of 192, 64 px in patches of 8) the labels, the teacher's
probabilities and, token by token, the teacher's last hidden states: 64 patches a picture say much
more than one label. The teacher sees each picture in a few random crops, each once: what it makes
of such a view is kept in RUN_DIR and met again, mirrored or not. In the first epochs only some of
the patches are shown (patch dropout), which is faster and keeps the student from learning the
pictures by heart. The last stages show nearly whole pictures, as they are seen in use, of which the
teacher knows more too, at a rate that falls anew. A checkpoint is written after every epoch, and a
run that is started again goes on from it. `export` writes the running mean of the weights in fp16.

`pair` leaves both encoders as they are and trains what stands on them (poolers, projections and a
temperature: Zhai et al. 2022, "locked-image tuning", here with both sides locked). The texts are
prompts about the teacher's 1,000 classes, by any of their names; the image should be as near to
each text as the teacher finds its class likely.

DATA_DIR is tinyimagenet50: {train_part1,train_part2,val}.zip of 64 px pictures, classes.tsv (label,
wnid, name). DEIT_DIR is a ViT classifier for ImageNet-1k in Hugging Face layout, with wnids.json,
its classes in order, and synset_words.txt, their names.
"""

import argparse
import copy
import csv
import hashlib
import io
import json
import math
import re
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, GRID = 64, 8  # pixels and patches a side, of the student
# pixels a side at which the teacher reads a picture: as good as 224 on pictures this small, and
# half the cost
TEACHER_SIDE = 160
BATCH, SPARSE, WIDE, CALM, EPOCHS = (
    128,
    19,
    21,
    27,
    39,
)  # epochs by which a stage ends: half of the patches; all; calm crops; again
LEAST = (
    0.35,
    0.35,
    0.8,
    0.8,
)  # of a picture, that the crops of each view show: two wide views, two calm ones
RATE, WEIGHT_DECAY, WARM_UP, MEAN_OVER = 1.5e-3, 0.05, 0.05, 0.998
TEMPERATURE, FEATURES = (
    1.5,
    2.0,
)  # of the teacher's probabilities; weight of its hidden states in the loss

PROJECTION, PAIR_BATCH, PASSES, PAIR_RATE, PAIR_DECAY, PAIR_TEMPERATURE, SCALE = (
    128,
    500,
    20,
    5e-3,
    0.05,
    0.7,
    20.0,
)
HEAD = (
    "vision_model.pooler.",
    "text_model.pooler.",
    "visual_projection.",
    "text_projection.",
    "logit_scale",
)  # what is trained of the dual encoder
PROMPT = "a photo of {a}"
TEMPLATES = (
    "{name}",
    PROMPT,
    "a photo of the {name}.",
    "a picture of {a}",
    "an image of {a}.",
    "a close-up of the {name}",
    "a small photo of {a}",
    "a blurry picture of the {name}",
    "this is {a}",
    "there is {a} in the picture.",
)
OTHER_TEMPLATES = (
    "a snapshot of {a}",
    "look at the {name}!",
    "{a} in the middle of a photograph",
    "here you see {a}.",
)  # never trained on


# --------------------------------------------------------------------------------------------- data


def classes(data: Path) -> list[dict]:
    """[{label, wnid, name}] in order."""
    with (data / "classes.tsv").open() as file:
        return sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: int(row["label"]))


def first_names(data: Path) -> list[str]:
    """One readable name a class, each of one class only."""
    names = [row["name"].split(",")[0] for row in classes(data)]
    assert len(set(names)) == len(names), "two classes of one name"
    return names


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


def crop(image: Image.Image, rng: np.random.Generator, least: float) -> tuple[Tensor, Tensor]:
    """A random part of the picture in random light, as the student and as the teacher see it."""
    width, height = image.size
    while True:
        area, ratio = rng.uniform(least, 1) * width * height, math.exp(rng.uniform(-0.29, 0.29))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if w <= width and h <= height:
            break
    x, y = rng.integers(width - w + 1), rng.integers(height - h + 1)
    gain, shift, grey = rng.uniform(0.7, 1.3), rng.uniform(-20, 20), rng.uniform(-0.3, 0.3)
    seen = []
    for side in (SIDE, TEACHER_SIDE):
        pixels = as_tensor(
            image.resize((side, side), Image.Resampling.BICUBIC, box=(x, y, x + w, y + h))
        ).float()
        pixels = pixels + grey * (pixels.mean(0, keepdim=True) - pixels)
        seen.append((pixels * gain + shift).clamp(0, 255).to(torch.uint8))
    return seen[0], seen[1]


# ------------------------------------------------------------------------------------------ teacher


class Teacher:
    """What a ViT of ImageNet makes of pictures: logits for its 1,000 classes and, on the student's
    grid, its last hidden states.
    """

    def __init__(self, folder: Path, data: Path):
        self.net = ViTForImageClassification.from_pretrained(folder).eval().requires_grad_(False)
        order = json.loads((folder / "wnids.json").read_text())
        self.ours = torch.tensor([order.index(row["wnid"]) for row in classes(data)])

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """[n 3 height width] uint8 -> logits [n 1000] and hidden states [n 1+patches dim], [CLS]
        first.
        """
        out = self.net(
            pixel_values=normalised(pixels),
            interpolate_pos_encoding=True,
            output_hidden_states=True,
        )
        hidden = self.net.vit.layernorm(out.hidden_states[-1])
        side = math.isqrt(hidden.shape[1] - 1)
        grid = hidden[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        patches = (
            F.interpolate(grid, (GRID, GRID), mode="bilinear", antialias=True)
            .flatten(2)
            .transpose(1, 2)
        )
        return out.logits, torch.cat([hidden[:, :1], patches], 1)


def view(
    number: int, images: list[Image.Image], teacher: Teacher, work: Path
) -> tuple[Tensor, Tensor, Tensor]:
    """Crops [n 3 side side] uint8 and what the teacher said of them, [n 1000] and [n token dim]:
    from the disk, or made now.
    """
    path = work / f"view{number}.pt"
    if not path.exists():
        parts, began = [], time.monotonic()
        for i in range(0, len(images), 50):
            small, large = zip(
                *(
                    crop(image, np.random.default_rng([number, i + k]), LEAST[number])
                    for k, image in enumerate(images[i : i + 50])
                )
            )
            logits, hidden = teacher(torch.stack(large))
            parts.append((torch.stack(small), logits.half(), hidden.half()))
            if i % 5000 == 0:
                print(
                    f"view {number}: {i}/{len(images)}, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
        save([torch.cat(part) for part in zip(*parts)], path)
        del parts
    return torch.load(path, mmap=True, weights_only=True)


def save(state, path: Path) -> None:
    """Whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


# ------------------------------------------------------------------------------------------ student


class Student(nn.Module):
    """The ViT that is kept, and the map from its hidden states to the teacher's, which is not."""

    def __init__(self, names: list[str], teacher_dim: int):
        super().__init__()
        self.net = ViTForImageClassification(
            ViTConfig(
                hidden_size=192,
                num_hidden_layers=6,
                num_attention_heads=3,
                intermediate_size=768,
                image_size=SIDE,
                patch_size=SIDE // GRID,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                layer_norm_eps=1e-6,
                id2label=dict(enumerate(names)),
                label2id={name: i for i, name in enumerate(names)},
            )
        )
        self.to_teacher = nn.Linear(192, teacher_dim)

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[n 3 side side] -> class logits [n classes] and guesses [n token dim] at the teacher's
        hidden states of the `kept` tokens [n token].
        """
        hidden = self.net.vit.embeddings(pixels)
        if kept is not None:
            hidden = hidden.gather(1, kept[..., None].expand(-1, -1, hidden.shape[-1]))
        for layer in self.net.vit.layers:
            hidden = layer(hidden)
        hidden = self.net.vit.layernorm(hidden)
        return self.net.classifier(hidden[:, 0]), self.to_teacher(hidden)


def share_of_rate(epoch: float) -> float:
    """Up in a line, down along a cosine; then twice again from less, for the calm epochs."""
    falling = lambda done: 0.5 * (1 + math.cos(math.pi * min(1, done))) + 1e-3
    if epoch < WIDE:
        return min(epoch / (WARM_UP * CALM) + 1e-3, falling(epoch / CALM))
    peak, begin, end = (0.2, WIDE, CALM) if epoch < CALM else (0.35, CALM, EPOCHS)
    return peak * falling((epoch - begin) / (end - begin))


def view_of(epoch: int) -> int:
    """Two wide views in turn, then a calm one, then two calm ones in turn."""
    return epoch % 2 if epoch < WIDE else 2 if epoch < CALM else 2 + epoch % 2


def mirrored(pixels: Tensor, hidden: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Some of the pictures, and the teacher's patches of them, left to right."""
    patches = hidden[:, 1:].unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    turned = torch.cat([hidden[:, :1], patches], 1)
    return torch.where(which[:, None, None, None], pixels.flip(3), pixels), torch.where(
        which[:, None, None], turned, hidden
    )


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
    student = Student(first_names(args.data), teacher.net.config.hidden_size)
    mean = copy.deepcopy(student).requires_grad_(False)

    plain = [p for p in student.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in student.parameters() if p.ndim >= 2]},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(0.9, 0.98),
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )
    steps = len(images) // BATCH
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_rate(step / steps))
    checkpoint, first = args.work / "vit.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(state["student"]), mean.load_state_dict(state["mean"])
        optimizer.load_state_dict(state["optimizer"]), rate.load_state_dict(state["rate"])
        first = state["epoch"]
        print(f"resumed after epoch {first}", flush=True)

    for epoch in range(first, EPOCHS):
        torch.manual_seed(epoch)
        crops, logits, hidden = view(view_of(epoch), images, teacher, args.work)
        centre, spread = hidden[:2000].float().mean((0, 1)), hidden[:2000].float().std((0, 1))
        began, losses = time.monotonic(), []
        for batch in torch.randperm(len(images)).split(BATCH)[:steps]:
            wanted = logits[batch][:, teacher.ours].float()
            pixels, felt = mirrored(
                crops[batch], (hidden[batch].float() - centre) / spread, torch.rand(BATCH) < 0.5
            )
            kept = some_patches(BATCH, 0.5) if epoch < SPARSE else None
            felt = (
                felt
                if kept is None
                else felt.gather(1, kept[..., None].expand(-1, -1, felt.shape[-1]))
            )
            said, guessed = student(normalised(pixels), kept)
            loss = (
                0.5 * F.cross_entropy(said, labels[batch], label_smoothing=0.1)
                + F.kl_div(
                    (said / TEMPERATURE).log_softmax(1),
                    (wanted / TEMPERATURE).softmax(1),
                    reduction="batchmean",
                )
                + FEATURES * F.smooth_l1_loss(guessed, felt)
            )
            optimizer.zero_grad(), loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step(), rate.step()
            with torch.no_grad():
                for p, q in zip(mean.parameters(), student.parameters()):
                    p.lerp_(q, 1 - min(MEAN_OVER, (rate.last_epoch + 1) / (rate.last_epoch + 10)))
            losses.append(loss.item())
        save(
            {
                "student": student.state_dict(),
                "mean": mean.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rate": rate.state_dict(),
                "epoch": epoch + 1,
            },
            checkpoint,
        )
        print(
            f"epoch {epoch + 1}/{EPOCHS}  {time.monotonic() - began:.0f} s  loss "
            f"{np.mean(losses):.3f}  "
            f"right {100 * right(student, test, test_labels):.1f} %, mean weights "
            f"{100 * right(mean, test, test_labels):.1f} %",
            flush=True,
        )


@torch.no_grad()
def right(student: Student, pixels: Tensor, labels: Tensor) -> float:
    """Share of the pictures whose first guess is the label."""
    said = torch.cat(
        [student.net(pixel_values=normalised(part)).logits.argmax(1) for part in pixels.split(250)]
    )
    return (said == labels).float().mean().item()


def export(args) -> None:
    """config.json, preprocessor_config.json and the running mean of the weights, in fp16"""
    state = torch.load(args.work / "vit.pt", weights_only=True)
    student = Student(first_names(args.data), len(state["mean"]["to_teacher.bias"]))
    student.load_state_dict(state["mean"])
    args.out.mkdir(parents=True, exist_ok=True)
    write(student.net.state_dict(), args.out / "model.safetensors")
    student.net.config.architectures = [type(student.net).__name__]
    student.net.config.to_json_file(args.out / "config.json")
    # Pictures of other shapes lose their borders instead of being squashed: what is in them keeps
    # its shape.
    ViTImageProcessorPil(
        size={"shortest_edge": SIDE},
        do_center_crop=True,
        crop_size={"height": SIDE, "width": SIDE},
        resample=Image.Resampling.BICUBIC,
        image_mean=list(MEAN),
        image_std=list(STD),
    ).to_json_file(args.out / "preprocessor_config.json")
    print(f"mean weights after epoch {state['epoch']} of {EPOCHS} in {args.out}")


def write(weights: dict[str, Tensor], path: Path) -> None:
    save_file(
        {name: tensor.detach().half().contiguous() for name, tensor in weights.items()},
        path,
        metadata={"format": "pt"},
    )


# ------------------------------------------------------------------------------- pictures and texts


def prompt(template: str, name: str) -> str:
    """A template's "{a}" is the name with an article, "{name}" the name."""
    return template.format(name=name, a=f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}")


def teacher_names(folder: Path) -> dict[str, list[str]]:
    """What each of the teacher's classes is called, by wnid.

    A name of two classes is left out, unless a class has no other.
    """
    rows = [line.split(" ", 1) for line in (folder / "synset_words.txt").read_text().splitlines()]
    called = {wnid: line.strip().split(", ") for wnid, line in rows}
    uses = Counter(name for several in called.values() for name in set(several))
    return {
        wnid: [name for name in several if uses[name] == 1] or several
        for wnid, several in called.items()
    }


def names_aside(teacher: Path, data: Path) -> dict[str, str]:
    """{wnid: name} that is never trained on: of each of our classes with several English names the
    last, which is often an odd one.
    """
    called, latin = teacher_names(teacher), re.compile("[A-Z][a-z]+ [a-z]+")
    others = {
        row["wnid"]: [name for name in called[row["wnid"]][1:] if not latin.fullmatch(name)]
        for row in classes(data)
    }
    return {wnid: several[-1] for wnid, several in others.items() if several}


def training_texts(teacher: Path, data: Path) -> list[list[str]]:
    """Of each of the teacher's classes, in its order: every name in every template."""
    called, aside = teacher_names(teacher), names_aside(teacher, data)
    return [
        [
            prompt(template, name)
            for name in called[wnid]
            if name != aside.get(wnid)
            for template in TEMPLATES
        ]
        for wnid in json.loads((teacher / "wnids.json").read_text())
    ]


@torch.no_grad()
def first_of_pictures(vit: nn.Module, pixels: Tensor) -> Tensor:
    """[n dim] fp16: [CLS] behind the last normalisation, which a pooler reads."""
    parts, began = [], time.monotonic()
    for i, part in enumerate(pixels.split(250)):
        parts.append(vit(pixel_values=normalised(part)).last_hidden_state[:, 0].half())
        if i % 20 == 0:
            print(f"pictures {250 * i}/{len(pixels)}, {time.monotonic() - began:.0f} s", flush=True)
    return torch.cat(parts)


@torch.no_grad()
def first_of_texts(bert: nn.Module, tokenizer, texts: list[str]) -> Tensor:
    """[n dim] fp16: the first token of each text. Texts of similar length run together."""
    found, began = (
        torch.empty(len(texts), bert.config.hidden_size, dtype=torch.float16),
        time.monotonic(),
    )
    for k, some in enumerate(torch.tensor(list(map(len, texts))).argsort().split(256)):
        found[some] = (
            bert(**tokenizer([texts[i] for i in some], padding=True, return_tensors="pt"))
            .last_hidden_state[:, 0]
            .half()
        )
        if k % 20 == 0:
            print(f"texts {256 * k}/{len(texts)}, {time.monotonic() - began:.0f} s", flush=True)
    return found


def remembered(path: Path, key: str, make: Callable[[], Tensor]) -> Tensor:
    """What `make` gives: from the disk, if it was made for the same `key`."""
    state = torch.load(path, weights_only=True) if path.exists() else {}
    if state.get("key") != key:
        state = {"key": key, "value": make()}
        save(state, path)
    return state["value"]


def met(args, vit: nn.Module, which: str) -> tuple[Tensor, Tensor]:
    """The first tokens of every crop that the ViT was trained on, and its teacher's logits."""
    images, _ = pictures(args.data, "train_part1.zip", "train_part2.zip")
    teacher, seen, wanted = Teacher(args.teacher, args.data), [], []
    for number in range(len(LEAST)):
        crops, logits, _ = view(number, images, teacher, args.work)
        seen.append(
            remembered(
                args.work / f"seen{number}.pt",
                which,
                lambda crops=crops: first_of_pictures(vit, crops),
            )
        )
        wanted.append(logits)
    return torch.cat(seen), torch.cat(wanted)


def joined(vit: nn.Module, bert: nn.Module) -> VisionTextDualEncoderModel:
    """Two towers like these, with new poolers and projections."""
    # What the towers were classifiers of, and where they were loaded from, is no part of this
    # model.
    plain = lambda net: {
        name: value
        for name, value in net.config.to_dict().items()
        if name not in ("id2label", "label2id", "_name_or_path", "architectures")
    }
    config = VisionTextDualEncoderConfig(
        vision_config=plain(vit),
        text_config=plain(bert),
        projection_dim=PROJECTION,
        logit_scale_init_value=math.log(SCALE),
        architectures=[VisionTextDualEncoderModel.__name__],
    )
    return VisionTextDualEncoderModel(config)


def unit(net: VisionTextDualEncoderModel, side: str, first: Tensor) -> Tensor:
    """[n projection] unit vectors, from what the tower of a side ("vision" or "text") left at its
    first token.
    """
    tower, projection = {
        "vision": (net.vision_model, net.visual_projection),
        "text": (net.text_model, net.text_projection),
    }[side]
    return F.normalize(projection(tower.pooler(first.float()[:, None])), dim=-1)


def pair(args) -> None:
    """what matches pictures with texts: from its checkpoint if there is one, of the same ViT"""
    import explainers  # here, so that training the ViT needs nothing of the package
    from explainers.models import bundled_folder

    args.work.mkdir(parents=True, exist_ok=True)
    vit, text = (explainers.load(name, device="cpu") for name in ("vit", "sentiment"))
    bert, which = (
        text.net.bert,
        hashlib.sha256((bundled_folder("vision") / "model.safetensors").read_bytes()).hexdigest(),
    )
    texts = training_texts(args.teacher, args.data)
    every = list(chain.from_iterable(texts))
    said = remembered(
        args.work / "texts.pt",
        "\n".join(every),
        lambda: first_of_texts(bert, text.tokenizer, every),
    )
    seen, wanted = met(args, vit.net.vit, which)
    images, labels = pictures(args.data, "val.zip")
    test = remembered(
        args.work / "seen_val.pt",
        which,
        lambda: first_of_pictures(vit.net.vit, torch.stack([as_tensor(image) for image in images])),
    )
    asked = first_of_texts(
        bert, text.tokenizer, [prompt(PROMPT, name) for name in first_names(args.data)]
    )
    own = (vit.net.classifier(test.float()).argmax(1) == labels).float().mean()

    torch.manual_seed(0)
    net = joined(vit.net, bert)
    head = {name: p for name, p in net.named_parameters() if name.startswith(HEAD)}
    optimizer = torch.optim.AdamW(list(head.values()), lr=PAIR_RATE, weight_decay=PAIR_DECAY)
    steps = len(seen) // PAIR_BATCH
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PASSES * steps)
    checkpoint, first = args.work / "pair.pt", 0
    if (
        checkpoint.exists()
        and (state := torch.load(checkpoint, weights_only=True))["which"] == which
    ):
        net.load_state_dict(state["head"], strict=False)
        optimizer.load_state_dict(state["optimizer"]), rate.load_state_dict(state["rate"])
        first = state["passes"]
        print(f"resumed after pass {first}", flush=True)

    count = torch.tensor(list(map(len, texts)))
    start = count.cumsum(0) - count
    for number in range(first, PASSES):
        torch.manual_seed(number)
        began, losses = time.monotonic(), []
        for batch in torch.randperm(len(seen)).split(PAIR_BATCH)[:steps]:
            drawn = start + (torch.rand(len(count)) * count).long()  # one text a class
            near = (
                net.logit_scale.exp()
                * unit(net, "vision", seen[batch])
                @ unit(net, "text", said[drawn]).T
            )
            loss = F.kl_div(
                near.log_softmax(1),
                (wanted[batch].float() / PAIR_TEMPERATURE).softmax(1),
                reduction="batchmean",
            )
            optimizer.zero_grad(), loss.backward()
            optimizer.step(), rate.step()
            losses.append(loss.item())
        save(
            {
                "head": head,
                "optimizer": optimizer.state_dict(),
                "rate": rate.state_dict(),
                "passes": number + 1,
                "which": which,
            },
            checkpoint,
        )
        with torch.no_grad():
            right = (
                ((unit(net, "vision", test) @ unit(net, "text", asked).T).argmax(1) == labels)
                .float()
                .mean()
            )
        print(
            f"pass {number + 1}/{PASSES}  {time.monotonic() - began:.0f} s  loss "
            f"{np.mean(losses):.3f}  "
            f"right {100 * right:.1f} %, the ViT's own classes {100 * own:.1f} %",
            flush=True,
        )

    args.out.mkdir(parents=True, exist_ok=True)
    write(head, args.out / "head.safetensors")
    net.config.to_json_file(args.out / "config.json")


# ---------------------------------------------------------------------------------------- measuring


@torch.no_grad()
def evaluate(args) -> None:
    """how often what is shipped is right, on the pictures kept apart"""
    import explainers

    images, labels = pictures(args.data, "val.zip")
    batches = [images[i : i + 100] for i in range(0, len(images), 100)]
    vit, dual = (explainers.load(name, device="cpu") for name in ("vit", "image-text"))
    texts, teacher = dual.side("text"), Teacher(args.teacher, args.data)
    read = lambda model, part: model.processor(images=part, return_tensors="pt")["pixel_values"]
    enlarged = lambda part: torch.stack(
        [
            as_tensor(image.resize((TEACHER_SIDE, TEACHER_SIDE), Image.Resampling.BICUBIC))
            for image in part
        ]
    )
    print("| model | names | prompts | pictures | top-1 | top-5 |\n|---|---|---|---|---|---|")
    report(
        "ViT | |",
        torch.cat([vit.net(pixel_values=read(vit, part)).logits for part in batches]),
        labels,
    )
    report(
        f"its teacher, at {TEACHER_SIDE} px | |",
        torch.cat([teacher(enlarged(part))[0][:, teacher.ours] for part in batches]),
        labels,
    )

    seen = torch.cat([dual.features({"pixel_values": read(dual, part)}) for part in batches])
    aside, first = names_aside(args.teacher, args.data), first_names(args.data)
    other = [aside.get(row["wnid"], name) for row, name in zip(classes(args.data), first)]
    some = torch.tensor([row["wnid"] in aside for row in classes(args.data)])[labels]
    for names, called, which in (
        (first, "usual", labels >= 0),
        (first, "usual", some),
        (other, "not trained on", some),
    ):
        for templates, kind in ((TEMPLATES, "trained on"), (OTHER_TEMPLATES, "not trained on")):
            every = [
                texts.features(
                    texts.tokenizer(
                        [prompt(template, name) for name in names],
                        padding=True,
                        return_tensors="pt",
                    )
                )
                for template in templates
            ]
            one = templates.index(PROMPT) if PROMPT in templates else 0
            report(
                f"image-text | {called} | {templates[one].format(name='…', a='a …')}",
                seen[which] @ every[one].T,
                labels[which],
            )
            report(
                f"image-text | {called} | {len(templates)} {kind}",
                seen[which] @ F.normalize(sum(every), dim=-1).T,
                labels[which],
            )


def report(name: str, scores: Tensor, labels: Tensor) -> None:
    hits = scores.topk(5).indices == labels[:, None]
    print(
        f"| {name} | {len(labels)} | {100 * hits[:, 0].float().mean():.1f} % | "
        f"{100 * hits.any(1).float().mean():.1f} % |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for run, needs in (
        (train, "teacher data work"),
        (export, "data work out"),
        (pair, "teacher data work out"),
        (evaluate, "teacher data"),
    ):
        command = commands.add_parser(run.__name__, help=run.__doc__.split("\n")[0])
        command.set_defaults(run=run)
        for need in needs.split():
            command.add_argument(f"--{need}", type=Path, required=True)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

"""Train the student by distillation, and write its weights."""

import copy
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from .data import (
    MEAN,
    SIDE,
    STD,
    TRAINING,
    VALIDATION,
    first_names,
    normalised,
    pictures,
    save,
    stacked,
    write,
)
from .student import (
    EPOCHS,
    SPARSE,
    Student,
    mirrored,
    share_of_rate,
    some_patches,
    tokens_at,
    view_of,
)
from .teacher import Teacher, view

BATCH = 128
RATE = 1.5e-3
WEIGHT_DECAY = 0.05
MEAN_OVER = 0.998  # of the running mean that each step keeps
TEMPERATURE = 1.5  # of both softmaxes, of the teacher and of the student
FEATURES = 2.0  # the weight of the hidden states in the loss


def train(args) -> None:
    """Train the ViT, from its checkpoint if there is one."""
    args.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    images, labels = pictures(args.data, TRAINING)
    test_images, test_labels = pictures(args.data, VALIDATION)
    test = stacked(test_images)
    teacher = Teacher(args.teacher, args.data)
    student = Student(first_names(args.data), teacher.net.config.hidden_size)
    distillation = Distillation(student, steps=len(images) // BATCH)
    checkpoint, first = args.work / "vit.pt", 0
    if checkpoint.exists():
        first = distillation.resume(checkpoint)
        print(f"resumed after epoch {first}", flush=True)

    for epoch in range(first, EPOCHS):
        torch.manual_seed(epoch)
        began = time.monotonic()
        crops, logits, hidden = view(view_of(epoch), images, teacher, args.work)
        data = EpochData(crops, labels, logits, hidden, ours=teacher.ours)
        loss = distillation.learn(data, share_shown=0.5 if epoch < SPARSE else 1.0)
        distillation.save(checkpoint, epoch + 1)
        print(
            f"epoch {epoch + 1}/{EPOCHS}  {time.monotonic() - began:.0f} s  loss {loss:.3f}  "
            f"right {100 * accuracy(student, test, test_labels):.1f} %, mean weights "
            f"{100 * accuracy(distillation.mean, test, test_labels):.1f} %",
            flush=True,
        )


class EpochData:
    """The data of one epoch: crops, labels, and the teacher's logits and hidden states.

    ours: [class], the index of each of our classes among those of the teacher. Its hidden states
    are standardised by the mean and deviation of the first 2,000 crops.
    """

    def __init__(self, crops: Tensor, labels: Tensor, logits: Tensor, hidden: Tensor, ours: Tensor):
        self.crops = crops
        self.labels = labels
        self.logits = logits
        self.hidden = hidden
        self.ours = ours
        some = hidden[:2000].float()
        self.centre = some.mean((0, 1))
        self.spread = some.std((0, 1))

    def batch(self, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops, the teacher's logits of our classes, and its standardised hidden states.

        A random half is mirrored. which: [picture].
        """
        wanted = self.logits[which][:, self.ours].float()
        hidden = (self.hidden[which].float() - self.centre) / self.spread
        pixels, hidden = mirrored(self.crops[which], hidden, torch.rand(BATCH) < 0.5)
        return pixels, wanted, hidden


class Distillation:
    """A student, the running mean of its weights, its optimizer and its learning rate."""

    def __init__(self, student: Student, steps: int):
        self.student = student
        self.mean = copy.deepcopy(student).requires_grad_(False)
        self.steps = steps  # an epoch
        matrices, vectors = [], []
        for weight in student.parameters():
            if weight.ndim >= 2:
                matrices.append(weight)
            else:
                vectors.append(weight)
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
            lr=RATE,
            betas=(0.9, 0.98),
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        self.rate = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: share_of_rate(step / steps)
        )

    def resume(self, checkpoint: Path) -> int:
        """Load a checkpoint; returns the number of epochs done."""
        state = torch.load(checkpoint, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        return state["epoch"]

    def save(self, checkpoint: Path, epoch: int) -> None:
        """Write a checkpoint. epoch: how many are done."""
        state = {
            "student": self.student.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "epoch": epoch,
        }
        save(state, checkpoint)

    def learn(self, data: EpochData, share_shown: float) -> float:
        """Train on all crops once; returns the mean loss. share_shown: of the patches."""
        losses = []
        for which in torch.randperm(len(data.labels)).split(BATCH)[: self.steps]:
            pixels, wanted, hidden = data.batch(which)
            kept = None
            if share_shown < 1:
                kept = some_patches(BATCH, share_shown)
                hidden = tokens_at(hidden, kept)
            logits, predicted = self.student(normalised(pixels), kept)
            loss = loss_of(logits, data.labels[which], wanted)
            loss = loss + FEATURES * F.smooth_l1_loss(predicted, hidden)
            self.step(loss)
            losses.append(loss.item())
        return float(np.mean(losses))

    def step(self, loss: Tensor) -> None:
        """One step of gradient descent, and the update of the running mean."""
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.rate.step()
        steps = self.rate.last_epoch
        kept = min(MEAN_OVER, (steps + 1) / (steps + 10))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.student.parameters()):
                mean.lerp_(now, 1 - kept)


def loss_of(logits: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
    """Half the cross entropy of the labels, plus KL(teacher || student).

    logits, wanted: [picture class], of the student and of the teacher.
    """
    of_labels = F.cross_entropy(logits, labels, label_smoothing=0.1)
    of_teacher = F.kl_div(
        (logits / TEMPERATURE).log_softmax(1),
        (wanted / TEMPERATURE).softmax(1),
        reduction="batchmean",
    )
    return 0.5 * of_labels + of_teacher


@torch.no_grad()
def accuracy(student: Student, pixels: Tensor, labels: Tensor) -> float:
    """The top-1 accuracy, from 0 to 1."""
    predicted = []
    for part in pixels.split(250):
        predicted.append(student.net(pixel_values=normalised(part)).logits.argmax(1))
    return (torch.cat(predicted) == labels).float().mean().item()


def export(args) -> None:
    """Write the running mean of the ViT's weights, in fp16, with its two configurations."""
    state = torch.load(args.work / "vit.pt", weights_only=True)
    student = Student(first_names(args.data), len(state["mean"]["to_teacher.bias"]))
    student.load_state_dict(state["mean"])
    args.out.mkdir(parents=True, exist_ok=True)
    write(student.net.state_dict(), args.out / "model.safetensors")
    student.net.config.architectures = [type(student.net).__name__]
    student.net.config.to_json_file(args.out / "config.json")
    # Pictures of other shapes are cropped at the centre and not squeezed, so that objects keep
    # their shape.
    ViTImageProcessorPil(
        size={"shortest_edge": SIDE},
        do_center_crop=True,
        crop_size={"height": SIDE, "width": SIDE},
        resample=Image.Resampling.BICUBIC,
        image_mean=list(MEAN),
        image_std=list(STD),
    ).to_json_file(args.out / "preprocessor_config.json")
    print(f"mean weights after epoch {state['epoch']} of {EPOCHS} in {args.out}")

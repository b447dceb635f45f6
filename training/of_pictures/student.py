"""The student, a small ViT, and the schedule of its training."""

import math

import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from .data import GRID, SIDE

DIM = 192

# The epoch before which each stage ends.
SPARSE = 19  # small and large crops, half of the patches shown
VARIED = 21  # small and large crops, all patches shown
NEARLY_WHOLE = 27  # crops of nearly the whole picture
EPOCHS = 39  # the same again, with a new learning rate

WARM_UP = 0.05  # of the epochs until NEARLY_WHOLE


class Student(nn.Module):
    """A ViT, and a linear map from its hidden states to the teacher's, used in training alone."""

    def __init__(self, names: list[str], teacher_dim: int):
        super().__init__()
        self.net = ViTForImageClassification(
            ViTConfig(
                hidden_size=DIM,
                num_hidden_layers=6,
                num_attention_heads=3,
                intermediate_size=4 * DIM,
                image_size=SIDE,
                patch_size=SIDE // GRID,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                layer_norm_eps=1e-6,
                id2label=dict(enumerate(names)),
                label2id={name: i for i, name in enumerate(names)},
            )
        )
        self.to_teacher = nn.Linear(DIM, teacher_dim)

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits [picture class], and predictions of the teacher's hidden states.

        The predictions are [picture token dim]. pixels: [picture channel side side], normalised.
        kept: [picture token], the tokens that are shown; None for all.
        """
        hidden = self.net.vit.embeddings(pixels)
        if kept is not None:
            hidden = tokens_at(hidden, kept)
        for layer in self.net.vit.layers:
            hidden = layer(hidden)
        hidden = self.net.vit.layernorm(hidden)
        return self.net.classifier(hidden[:, 0]), self.to_teacher(hidden)


def tokens_at(hidden: Tensor, kept: Tensor) -> Tensor:
    """The kept tokens of each picture. hidden: [picture token dim]. kept: [picture token]."""
    return hidden.gather(1, kept[..., None].expand(-1, -1, hidden.shape[-1]))


def some_patches(n: int, share: float) -> Tensor:
    """Places [picture token] of [CLS] and of a random share of the patches, in order."""
    count = GRID * GRID
    chosen = torch.rand(n, count).topk(round(share * count)).indices.sort().values + 1
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), chosen], 1)


def mirrored(pixels: Tensor, hidden: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures and the teacher's hidden states, mirrored where `which` [picture] is True."""
    patches = hidden[:, 1:].unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    turned = torch.cat([hidden[:, :1], patches], 1)
    pixels = torch.where(which[:, None, None, None], pixels.flip(3), pixels)
    return pixels, torch.where(which[:, None, None], turned, hidden)


def share_of_rate(epoch: float) -> float:
    """The factor on the learning rate: linear warm-up, then cosine decay.

    For the nearly whole crops, a shorter cosine decay from a lower rate, twice.
    """
    if epoch < VARIED:
        return min(epoch / (WARM_UP * NEARLY_WHOLE) + 1e-3, falling(epoch / NEARLY_WHOLE))
    if epoch < NEARLY_WHOLE:
        return 0.2 * falling((epoch - VARIED) / (NEARLY_WHOLE - VARIED))
    return 0.35 * falling((epoch - NEARLY_WHOLE) / (EPOCHS - NEARLY_WHOLE))


def falling(done: float) -> float:
    """Cosine decay from 1 to 0, plus 0.001. done: from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * min(1, done))) + 1e-3


def view_of(epoch: int) -> int:
    """The number of the view that an epoch shows; see `LEAST` in teacher.py.

    First 0 and 1 in turn, then 2, then 2 and 3 in turn.
    """
    if epoch < VARIED:
        return epoch % 2
    if epoch < NEARLY_WHOLE:
        return 2
    return 2 + epoch % 2

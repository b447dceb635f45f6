"""The small ViT that learns, and when it sees what."""

import math

import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from .data import GRID, SIDE

DIM = 192

# The epochs by which a stage ends.
SPARSE = 19  # half of the patches are shown
WIDE = 21  # all of them
CALM = 27  # calm crops
EPOCHS = 39  # calm crops again

WARM_UP = 0.05  # of the epochs until CALM


class Student(nn.Module):
    """The ViT that is kept, and the map from its hidden states to the teacher's, which is not."""

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
        """Logits [picture class], and guesses [picture token dim] at the teacher's hidden states.

        pixels: [picture channel side side], normalised. kept: [picture token], the tokens that are
        shown; None for all.
        """
        hidden = self.net.vit.embeddings(pixels)
        if kept is not None:
            hidden = tokens_at(hidden, kept)
        for layer in self.net.vit.layers:
            hidden = layer(hidden)
        hidden = self.net.vit.layernorm(hidden)
        return self.net.classifier(hidden[:, 0]), self.to_teacher(hidden)


def tokens_at(hidden: Tensor, kept: Tensor) -> Tensor:
    """Some tokens of each picture. hidden: [picture token dim]. kept: [picture token]."""
    return hidden.gather(1, kept[..., None].expand(-1, -1, hidden.shape[-1]))


def some_patches(n: int, share: float) -> Tensor:
    """Places [picture token] of [CLS] and of a random share of the patches, in order."""
    count = GRID * GRID
    chosen = torch.rand(n, count).topk(round(share * count)).indices.sort().values + 1
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), chosen], 1)


def mirrored(pixels: Tensor, hidden: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures and the teacher's hidden states, left to right where `which` [picture] says so."""
    patches = hidden[:, 1:].unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    turned = torch.cat([hidden[:, :1], patches], 1)
    pixels = torch.where(which[:, None, None, None], pixels.flip(3), pixels)
    return pixels, torch.where(which[:, None, None], turned, hidden)


def share_of_rate(epoch: float) -> float:
    """The share of the learning rate: up along a line, down along a cosine.

    Then twice again from less, for the calm epochs.
    """
    if epoch < WIDE:
        return min(epoch / (WARM_UP * CALM) + 1e-3, falling(epoch / CALM))
    if epoch < CALM:
        return 0.2 * falling((epoch - WIDE) / (CALM - WIDE))
    return 0.35 * falling((epoch - CALM) / (EPOCHS - CALM))


def falling(done: float) -> float:
    """Half a cosine from 1 down to 0, plus a thousandth. done: from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * min(1, done))) + 1e-3


def view_of(epoch: int) -> int:
    """Which view an epoch shows: two wide ones in turn, a calm one, then two calm ones in turn."""
    if epoch < WIDE:
        return epoch % 2
    if epoch < CALM:
        return 2
    return 2 + epoch % 2

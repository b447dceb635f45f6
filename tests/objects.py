"""A small DETR, a picture for it, and other numbers that are drawn."""

from functools import cache

import torch
from tiny import random_model
from transformers import ResNetConfig


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def detr(kind: str = "Detr"):
    """Two layers a side, five objects, three classes and "no object"; pictures of 64 x 96 pixels
    have 4 x 6 places.
    """
    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12],
        depths=[1, 1],
        layer_type="basic",
        out_features=["stage2"],
        downsample_in_first_stage=True,
    )
    return random_model(
        f"{kind}ForObjectDetection",
        backbone_config=backbone,
        use_timm_backbone=False,
        d_model=24,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=3,
        decoder_attention_heads=3,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=5,
        num_labels=3,
    ).double()


def picture() -> dict[str, torch.Tensor]:
    return {"pixel_values": drawn(1, 3, 64, 96)}

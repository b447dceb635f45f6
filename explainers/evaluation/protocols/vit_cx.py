"""Xie et al. 2023 (ViT-CX): deletion and insertion."""

from .protocol import Protocol

DELETION = Protocol(
    key="vitcx-deletion",
    title="Deletion and insertion as ViT-CX measures them",
    data="a folder of pictures",
    methods=(
        "vit_cx",
        "raw_attention",
        "rollout",
        "attn_gradcam",
        "gae",
        "transatt",
        "attcat",
    ),
    metrics=("deletion:by=pixel", "insertion:by=pixel"),
    target=None,
    source="the paper's table could not be checked",
    differs=(
        "RISE's curves: at each step as many pixels of the enlarged map as a row has are removed "
        "or added. Deleted pixels become 0 after normalisation; insertion begins with a blur."
    ),
    model="vit",
    modality="image",
)

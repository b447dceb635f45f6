"""Modarressi et al. 2022 (GlobEnc): Spearman's ρ with gradient × input."""

from .protocol import Protocol
from .published import printed

VARIANTS = ("W", "W-FixedRes", "W-Res", "N", "N-FixedRes", "N-Res", "N-ResLN", "N-Enc")

CORRELATED = """
W: -0.11 -0.06 0.12
W-FixedRes: -0.24 -0.05 0.13
W-Res: 0.19 0.27 0.53
N: 0.44 0.47 0.43
N-FixedRes: 0.48 0.55 0.48
N-Res: 0.73 0.75 0.66
N-ResLN: -0.21 -0.06 0.08
N-Enc: 0.77 0.78 0.72
"""

SPEARMAN = Protocol(
    key="globenc-spearman",
    title="GlobEnc's Spearman with gradient × input",
    data="a table of texts, or of pairs, with labels",
    methods=tuple(f"globenc:variant={variant}" for variant in VARIANTS),
    metrics=("spearman",),
    target="label",
    published=printed(("SST-2", "MNLI", "HateXplain"), ("Spearman's ρ",), CORRELATED),
    source="Modarressi et al. 2022, BERT-base",
    differs=(
        "The gold class is explained, and [CLS] and [SEP] are ranked too. Texts are not cut at 64 "
        "or 128 tokens."
    ),
)

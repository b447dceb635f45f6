"""Modarressi et al. 2023 (DecompX): AOPC and accuracy under masking, prediction performance."""

from .protocol import Protocol
from .published import printed

DATASETS = ("SST-2", "MNLI", "QNLI", "HateXplain")

MASKED = """
GlobEnc: 67.14 .307 72.36  48.07 .498 70.43  64.93 .342 84.00  47.65 .401 56.50
GlobEnc+FFN: 64.90 .326 79.01  45.05 .533 75.15  63.74 .354 84.97  46.89 .406 59.52
ALTI: 57.65 .416 88.30  45.89 .515 74.24  63.85 .355 85.69  43.30 .469 64.67
GxI: 66.69 .310 67.20  44.21 .544 76.05  62.93 .366 86.27  46.28 .433 60.67
IG: 64.48 .340 64.56  40.80 .579 73.94  61.12 .381 86.27  45.19 .445 64.46
DecompX: 40.80 .627 92.20  32.64 .703 80.95  57.50 .453 89.84  38.71 .612 66.34
"""

FAITHFULNESS = Protocol(
    key="decompx-faithfulness",
    title="DecompX's AOPC, accuracy and prediction performance",
    data="a table of texts, or of pairs, with labels",
    methods=(
        "globenc",
        "globenc:variant=N-Enc+FFN",
        "alti",
        "gradient",
        "integrated_gradients",
        "decompx",
    ),
    metrics=("masking", "rationale_accuracy"),
    target=None,
    published=printed(DATASETS, ("accuracy ↓", "AOPC ↑", "prediction ↑"), MASKED),
    source="Modarressi et al. 2023",
    differs=(
        "The predicted class is explained. 0, 10, … 90 % of the words become [MASK], the most "
        "important first. Integrated gradients (IG) run from [PAD] in 50 points here, and from "
        "zero in 10 in the paper. `gradient` is the norm of the gradient; theirs (GxI) is the norm "
        "of gradient times input."
    ),
    unit="accuracy and prediction in % where ours are shares of 1",
)

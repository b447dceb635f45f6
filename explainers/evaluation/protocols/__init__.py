"""The papers' protocols: how the authors made each table, with the numbers that they published.

To add one, write a `Protocol` in the file of its paper, and list it here; its place here is its
place in every menu.
"""

from .attcat import KENDALL, SQUAD, TABLE_1
from .beyond_intuition import CLIP, TEXTS, VIT
from .chefer import ERASER_MOVIES, PERTURBATION, SEGMENTATION
from .decompx import FAITHFULNESS
from .globenc import SPEARMAN
from .protocol import PROTOCOLS, Protocol, find_protocol
from .vit_cx import DELETION

__all__ = ["PROTOCOLS", "Protocol", "find_protocol"]

for _protocol in (
    TABLE_1,
    KENDALL,
    SQUAD,
    PERTURBATION,
    SEGMENTATION,
    TEXTS,
    VIT,
    CLIP,
    ERASER_MOVIES,
    SPEARMAN,
    FAITHFULNESS,
    DELETION,
):
    PROTOCOLS[_protocol.key] = _protocol

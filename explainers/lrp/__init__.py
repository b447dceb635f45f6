"""Layer-wise relevance propagation as another chain rule.

Inside `with ChainRules(table):` every operation that the table names keeps its value and changes its derivative, so that
`torch.autograd` carries relevance where it would carry gradients: `trace.again(rules=ChainRules(OURS)).grad` has the
shapes of any trace, and its numbers are relevance. Views, indexing and fan-out need no rule: relevance follows the
tensor, and autograd adds up what flows back along several branches.

Three tables. OURS: the rules of Chefer et al. 2021 (CVPR), which conserve relevance at every layer. ORIGINAL: the
older rules that their code keeps for its baselines; they do not conserve. ATTNLRP and CPLRP: Achtibat et al. 2024, as
changed gradients, whose relevance is input x gradient.
"""

from .achtibat import with_gamma
from .chain_rules import Back, ChainRules, at_least_single, share
from .propagation import relevance
from .tables import ATTNLRP, CPLRP, ORIGINAL, OURS

__all__ = [
    "ATTNLRP",
    "CPLRP",
    "ORIGINAL",
    "OURS",
    "Back",
    "ChainRules",
    "at_least_single",
    "relevance",
    "share",
    "with_gamma",
]

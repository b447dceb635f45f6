"""Layer-wise relevance propagation (LRP) as another chain rule.

Inside `with ChainRules(table):` every operation that the table names keeps its value and gets
another derivative. So `torch.autograd` propagates relevance instead of gradients:
`trace.again(rules=ChainRules(OURS)).grad` has the shapes of any trace, and its numbers are
relevance. Views and indexing need no rule, since relevance follows the tensor; where a tensor is
used several times, autograd adds the relevance of all uses.

The tables, each from an operation to its rule:

OURS      the rules of Chefer et al. 2021 (CVPR), which conserve relevance at every layer
ORIGINAL  the older rules that their code keeps for its baselines; they do not conserve it
ATTNLRP   AttnLRP by Achtibat et al. 2024, as changed gradients: relevance is input x gradient
CPLRP     the same with attention weights and gates as constants (CP-LRP)
"""

from .achtibat import with_gamma
from .chain_rules import Back, ChainRules, Rule, at_least_single, share
from .propagation import relevance
from .tables import ATTNLRP, CPLRP, ORIGINAL, OURS

__all__ = [
    "ATTNLRP",
    "CPLRP",
    "ORIGINAL",
    "OURS",
    "Back",
    "ChainRules",
    "Rule",
    "at_least_single",
    "relevance",
    "share",
    "with_gamma",
]

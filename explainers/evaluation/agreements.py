"""Do methods say the same? Rank correlation and overlap of the top between maps of one input, and their means over many."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..ties import ranked
from .case import named
from .correlation import Kind, rank_correlation


@dataclass(frozen=True, eq=False)
class Agreement:
    """How alike some methods are, each pair of them; averaged over `inputs` inputs.

    methods      names of the rows and columns, with options where a method was given any
    correlation  [method method] rank correlation of the scores, -1 to 1; 1 on the diagonal
    overlap      [method method] the part of the k highest tokens or patches that both share, 0 to 1
    top          k
    titles       what people call the methods; parts: "tokens" or "patches"

    Shows itself in a notebook: both as coloured tables.
    """

    methods: list[str]
    correlation: Tensor
    overlap: Tensor
    top: int
    inputs: int = 1
    titles: tuple[str, ...] = ()
    parts: str = "tokens"

    def table(self, what: str = "correlation"):
        """A pandas DataFrame of the "correlation" or the "overlap"."""
        import pandas as pd

        return pd.DataFrame(getattr(self, what).numpy(), self.methods, self.methods)

    def html(self, palette: str = "orange-blue", style: bool = True) -> str:
        """Static HTML; style: with its styles, for a page that has not got them."""
        from ..render import trials
        from ..render.card import styled

        of = "this input" if self.inputs == 1 else f"{self.inputs} inputs, their mean"
        said = f"Rank correlation between the maps of {of}: 1 is the same order of {self.parts}, 0 is none. Maps that agree can be wrong together."
        names = self.titles or self.methods
        matrices = [
            trials.matrix(
                names, self.correlation.tolist(), "Do the maps agree?", said, palette=palette
            )
        ]
        said = f"How many of the {self.top} highest {self.parts} of one map are among those of the other, of {of}: 1 is all of them."
        matrices.append(
            trials.matrix(
                names,
                self.overlap.tolist(),
                f"Do they put the same {self.parts} first?",
                said,
                palette=palette,
            )
        )
        drawn = f'<div class="xp-two">{"".join(matrices)}</div>'
        return styled(drawn) if style else drawn

    def _repr_html_(self) -> str:
        return self.html()


def agreement(
    heats: Sequence[Heatmap], top: int = 5, kind: Kind = "spearman", specials: bool = False
) -> Agreement:
    """Of heatmaps of one input; as many of its tokens as there are make up the top where there are fewer than `top`.

    kind: spearman or kendall; of constant maps as `rank_correlation` says. specials: whether [CLS] and its like are compared too: what
    methods do with them is a habit of each. Signed scores are ranked with their sign. Of equal scores the first
    tokens are in the top: maps that are the same everywhere share it. Raises `Refusal` for maps of different inputs.
    """
    if not heats or any(heat.labels != heats[0].labels for heat in heats):
        raise Refusal(
            "Agreement is measured between heatmaps of one input; these have different tokens."
        )
    if top < 1:
        raise Refusal(f"The top holds one token or more; got {top}.")
    kept = torch.ones_like(heats[0].special_tokens) if specials else ~heats[0].special_tokens
    scores = [heat.scores[kept] for heat in heats]
    highest = [set(ranked(one)[:top].tolist()) for one in scores]
    pairs = lambda compare: torch.tensor(
        [[compare(i, j) for j in range(len(heats))] for i in range(len(heats))], dtype=torch.float64
    )
    return Agreement(
        [named(heat) for heat in heats],
        pairs(lambda i, j: rank_correlation(scores[i], scores[j], kind)),
        pairs(lambda i, j: len(highest[i] & highest[j]) / max(1, len(highest[i]))),
        top,
        titles=tuple(heat.title for heat in heats),
        parts="patches" if heats[0].grid else "tokens",
    )


def mean_agreement(agreements: Sequence[Agreement]) -> Agreement:
    """Over inputs; a pair that is NaN on one input is left out there. Raises `Refusal` if the methods differ."""
    if not agreements or any(
        one.methods != agreements[0].methods or one.top != agreements[0].top for one in agreements
    ):
        raise Refusal(
            "A mean is taken over agreements of the same methods and the same top, at least one."
        )
    mean = lambda matrices: torch.stack(matrices).nanmean(0)
    return Agreement(
        agreements[0].methods,
        mean([one.correlation for one in agreements]),
        mean([one.overlap for one in agreements]),
        agreements[0].top,
        sum(one.inputs for one in agreements),
        agreements[0].titles,
        agreements[0].parts,
    )

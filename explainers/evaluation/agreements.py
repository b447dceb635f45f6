"""Agreement of methods: rank correlation and overlap of the top between maps of one input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..modalities import MODALITIES, modality_of
from ..ties import ranked
from .correlation import Coefficient, rank_correlation
from .notation import named

Matrix = Float[Tensor, "method method"]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How alike the maps of some methods are, for each pair of methods.

    methods      names of the rows and columns, with options where a method has any
    correlation  [method method] rank correlation of the scores, −1 to 1; 1 on the diagonal
    overlap      [method method] the share of the `top` highest tokens or patches that both have in
                 common, 0 to 1
    top          how many tokens or patches the overlap compares
    inputs       the number of inputs; the numbers are means over them
    titles       names of the methods for people
    parts        "tokens" or "patches"

    A notebook shows it as two coloured tables.
    """

    methods: list[str]
    correlation: Matrix
    overlap: Matrix
    top: int
    inputs: int = 1
    titles: tuple[str, ...] = ()
    parts: str = "tokens"

    def table(self, what: str = "correlation"):
        """A pandas DataFrame of the "correlation" or the "overlap"."""
        import pandas as pd

        return pd.DataFrame(getattr(self, what).numpy(), self.methods, self.methods)

    def html(self, palette: str = "orange-blue", style: bool = True) -> str:
        """Both matrices as static HTML.

        palette  of the colours
        style    whether the stylesheet is included; not needed on a page that has it already
        """
        from ..render.agreements import agreement_html

        return agreement_html(self, palette, style)

    def _repr_html_(self) -> str:
        return self.html()


def agreement(
    heats: Sequence[Heatmap], top: int = 5, kind: Coefficient = "spearman", specials: bool = False
) -> Agreement:
    """Compare the heatmaps of one input, each with each.

    heats     heatmaps of the same input
    top       how many of the highest tokens the overlap compares; all, if there are fewer. Of
              equal scores the first tokens are in the top
    kind      of rank correlation: spearman or kendall, of the signed scores; constant maps as in
              `rank_correlation`
    specials  whether special tokens are compared too; how a method scores them is a convention

    Raises `Refusal` for maps of different inputs, for no map, and for a top below 1.
    """
    if not heats or any(heat.labels != heats[0].labels for heat in heats):
        raise Refusal(
            "Agreement is measured between heatmaps of one input; these have different tokens."
        )
    if top < 1:
        raise Refusal(f"The overlap compares at least one token; got top={top}.")
    kept = ~heats[0].special_tokens
    if specials:
        kept = torch.ones_like(kept)
    scores = [heat.scores[kept] for heat in heats]
    highest = [set(ranked(one)[:top].tolist()) for one in scores]
    return Agreement(
        methods=[named(heat) for heat in heats],
        correlation=each_pair(scores, lambda one, other: rank_correlation(one, other, kind)),
        overlap=each_pair(highest, share_in_common),
        top=top,
        titles=tuple(heat.title for heat in heats),
        parts=MODALITIES[modality_of(heats[0].grid)].tokens,
    )


def each_pair(things: Sequence, compare: Callable[..., float]) -> Matrix:
    """`compare` of each pair of things."""
    rows = []
    for one in things:
        rows.append([compare(one, other) for other in things])
    return torch.tensor(rows, dtype=torch.float64)


def share_in_common(one: set[int], other: set[int]) -> float:
    """The share of the one set that is in the other, too."""
    return len(one & other) / max(1, len(one))


def mean_agreement(agreements: Sequence[Agreement]) -> Agreement:
    """The mean over inputs; a number that is NaN for one input is left out there.

    Raises `Refusal` if the methods or the tops differ, and for an empty list.
    """
    first = agreements[0] if agreements else None
    if first is None or any(not are_of_same_methods(first, other) for other in agreements):
        raise Refusal("Give at least one agreement, and all of the same methods and the same top.")
    return Agreement(
        methods=first.methods,
        correlation=torch.stack([one.correlation for one in agreements]).nanmean(0),
        overlap=torch.stack([one.overlap for one in agreements]).nanmean(0),
        top=first.top,
        inputs=sum(one.inputs for one in agreements),
        titles=first.titles,
        parts=first.parts,
    )


def are_of_same_methods(first: Agreement, second: Agreement) -> bool:
    """Whether two agreements are of the same methods and the same top."""
    return first.methods == second.methods and first.top == second.top

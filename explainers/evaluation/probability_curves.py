"""Deletion and insertion curves: the class probability while parts are removed or added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from .. import ties
from ..heatmap import Heatmap
from ..modalities import MODALITIES
from .case import Case
from .faithfulness import area, curve_points, mean_log_ratio
from .notation import named
from .perturbation import Query, answers, fill_mode, leaving, order, removing
from .registry import METRICS

Curve = Float[Tensor, " point"]


@dataclass(frozen=True, eq=False)
class Curves:
    """Probabilities of the explained class, by the share of words or patches removed or added.

    shares     [point] from 0 to 1
    deletion   by method [point]: without the top-ranked share; the lower the better
    insertion  by method [point]: with only the top-ranked share; the higher the better
    random     the same two for several random orders, "deletion" and "insertion" [order point]
    target     whose probability it is
    parts      "words" or "patches"
    titles     names of the methods for people, by their names here
    fills      what replaces removed parts, and parts that are not added yet: values of `fill` as
               in `aopc`
    tied       methods with equal scores, whose order is then that of the input

    A notebook shows the curves with a band of the random orders, and their numbers.
    """

    shares: Curve
    deletion: dict[str, Tensor]
    insertion: dict[str, Tensor]
    random: dict[str, Tensor]
    target: str
    parts: str
    titles: dict[str, str]
    fills: tuple[str, str]
    tied: tuple[str, ...] = ()

    def joined(self, other: "Curves") -> "Curves":
        """With the methods of other curves of the same case; the random orders are these."""
        return replace(
            self,
            deletion=self.deletion | other.deletion,
            insertion=self.insertion | other.insertion,
            titles=self.titles | other.titles,
            tied=tuple(dict.fromkeys(self.tied + other.tied)),
        )

    def numbers(self, method: str) -> dict[str, float]:
        """The metrics "deletion", "insertion", "aopc" and "logodds" of a method's curves.

        They have the steps and the fill of the curves. The metrics of these names have other
        defaults: one token at a time for the areas, and [PAD] for log-odds of texts.
        """
        return numbers(self.deletion[method], self.insertion[method])

    @property
    def chance(self) -> dict[str, float]:
        """The means of the same numbers over the random orders."""
        sums = {}
        orders = list(zip(self.random["deletion"], self.random["insertion"]))
        for deletion, insertion in orders:
            for name, number in numbers(deletion, insertion).items():
                sums[name] = sums.get(name, 0.0) + number
        return {name: total / len(orders) for name, total in sums.items()}

    @property
    def band(self) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Of "deletion" and "insertion" of the random orders: quartiles and mean, each [point].

        The first tensor is the lower quartile, the second the upper one, the third the mean.
        """
        found = {}
        for name, curves in self.random.items():
            found[name] = (curves.quantile(0.25, 0), curves.quantile(0.75, 0), curves.mean(0))
        return found

    def html(self, palette: str = "orange-blue", style: bool = True) -> str:
        """The curves and their numbers as static HTML.

        palette  of the colours
        style    whether the stylesheet is included; not needed on a page that has it already
        """
        from ..render.curves_card import Measure, card_html

        measures = {}
        for name in self.chance:
            measures[name] = Measure(METRICS[name].title, METRICS[name].better)
        return card_html(self, measures, palette, style)

    def _repr_html_(self) -> str:
        return self.html()


def curves(
    case: Case,
    methods: Iterable[str | Heatmap],
    levels: int = 10,
    fill: str | None = None,
    orders: int = 8,
) -> Curves:
    """Deletion and insertion curves of one case, for some methods and for random orders.

    methods  keys, also with options ("attcat:mask_specials=true"), or heatmaps
    levels   the number of equal steps from 0 to 100 %
    fill     as in `aopc`; insertion into a picture begins with a blur by default
    orders   the number of random orders; they depend on the case's seed

    Raises `Refusal` where no probability is explained.
    """
    heats = {}
    for method in methods:
        heat = case.heat(method) if isinstance(method, str) else method
        heats[named(heat)] = heat
    draws = [case.heat("random", draw=draw) for draw in range(orders)]
    fills = (fill_mode(case, fill), fill_mode(case, fill, image="blur"))
    queries = []
    for heat in [*heats.values(), *draws]:
        queries += both_curves(case, heat, levels, fills)
    found = explained_probabilities(case, queries).view(-1, 2, levels + 1)
    of_methods = dict(zip(heats, found))
    random = found[len(heats) :]
    return Curves(
        shares=torch.linspace(0, 1, levels + 1),
        deletion={name: pair[0] for name, pair in of_methods.items()},
        insertion={name: pair[1] for name, pair in of_methods.items()},
        random={"deletion": random[:, 0], "insertion": random[:, 1]},
        target=case.target.name,
        parts=MODALITIES[case.model.anatomy.modality].parts,
        titles={name: heat.title for name, heat in heats.items()},
        fills=fills,
        tied=tuple(name for name, heat in heats.items() if has_equals(heat.scores[case.words])),
    )


def explained_probabilities(case: Case, queries: Sequence[Query]) -> Float[Tensor, " query"]:
    """The probability of the explained target for each changed input."""
    found = answers(case.model, [case] * len(queries), queries)
    return torch.stack([probabilities[case.explained] for probabilities in found])


def both_curves(case: Case, heat: Heatmap, levels: int, fills: tuple[str, str]) -> list[Query]:
    """The inputs of the deletion curve, and after them those of the insertion curve."""
    places = order(case, heat)
    points = curve_points(case, places, "patch", levels)
    for_deletion, for_insertion = fills
    return [
        *removing(case, places, points, for_deletion),
        *leaving(case, places, points, for_insertion),
    ]


def has_equals(scores: Float[Tensor, " n"]) -> bool:
    """Whether two of the scores are equal."""
    return len(ties.levels(scores).unique()) < len(scores)


def numbers(deletion: Curve, insertion: Curve) -> dict[str, float]:
    """The metrics of a deletion and an insertion curve, by the keys of `METRICS`."""
    before, after = float(deletion[0]), deletion[1:].numpy()
    return {
        "deletion": area(deletion.numpy()),
        "insertion": area(insertion.numpy()),
        "aopc": float((before - after).mean()),
        "logodds": mean_log_ratio(before, after),
    }

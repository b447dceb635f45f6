"""The curves of one example: what the model says of the explained class while a map's most important parts go, or come."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .. import ties
from ..heatmap import Heatmap
from .case import Case, named
from .faithfulness import area, mean_log_ratio, steps_of
from .metric import METRICS
from .perturbation import Query, answers, leaving, order, removing, way

#: Fills, as a person calls what they put in a part's place.
IN_PLACE = {
    "delete": "nothing",
    "pad": "[PAD]",
    "mask": "[MASK]",
    "unk": "[UNK]",
    "mean": "grey",
    "black": "black",
    "white": "white",
    "blur": "a blur",
}


@dataclass(frozen=True, eq=False)
class Curves:
    """Probabilities of the explained class, by the share of the words or patches that is taken out or put in.

    shares      [point] from 0 to 1
    deletion    by method [point]: the top-ranked share is taken out; the lower the curve, the better
    insertion   by method [point]: nothing but that share is there; the higher, the better
    random      the same two of several random orders, "deletion" and "insertion" [order point]: what knowing nothing gives
    target      whose probability it is; parts: "words" or "patches"
    titles      what people call the methods, by their names here
    fills       what stands for what is taken out, and for what is not put in yet: names of `fill` as in `aopc`
    tied        methods that give several words or patches equal scores, whose order is then that of the input

    Shows itself in a notebook: the curves with the band of the random orders, and their numbers.
    """

    shares: Tensor
    deletion: dict[str, Tensor]
    insertion: dict[str, Tensor]
    random: dict[str, Tensor]
    target: str
    parts: str
    titles: dict[str, str]
    fills: tuple[str, str]
    tied: tuple[str, ...] = ()

    def joined(self, other: "Curves") -> "Curves":
        """With the methods of other curves of the same case; the random orders stay these."""
        return replace(
            self,
            deletion=self.deletion | other.deletion,
            insertion=self.insertion | other.insertion,
            titles=self.titles | other.titles,
            tied=tuple(dict.fromkeys(self.tied + other.tied)),
        )

    def numbers(self, method: str) -> dict[str, float]:
        """Along the method's curves, at their steps and with their fill: the areas under "deletion" and "insertion", and "aopc" and "logodds" of deletion.

        The metrics of these names take one token at a time for areas and put [PAD] for log-odds of a text, unless they are told the steps and the fill.
        """
        return numbers(self.deletion[method], self.insertion[method])

    @property
    def chance(self) -> dict[str, float]:
        """The same numbers of the random orders, their mean."""
        drawn = [numbers(*both) for both in zip(self.random["deletion"], self.random["insertion"])]
        return {name: sum(one[name] for one in drawn) / len(drawn) for name in drawn[0]}

    @property
    def band(self) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Where the middle half of the random orders begins and ends, and their mean, each [point], of "deletion" and "insertion"."""
        return {
            way: (curves.quantile(0.25, 0), curves.quantile(0.75, 0), curves.mean(0))
            for way, curves in self.random.items()
        }

    def html(self, palette: str = "orange-blue", style: bool = True) -> str:
        """Static HTML; style: with its styles, for a page that has not got them."""
        from ..render import trials
        from ..render.card import styled

        lines = {
            way: {self.titles[name]: curve.tolist() for name, curve in getattr(self, way).items()}
            for way in ("deletion", "insertion")
        }
        plots = [
            (
                f"<b>{words}</b>: {METRICS[way].better} is better",
                lines[way],
                tuple(edge.tolist() for edge in self.band[way]),
            )
            for way, words in (("deletion", "Taken out"), ("insertion", "Put in"))
        ]
        columns = {name: (METRICS[name].title, METRICS[name].better) for name in self.chance}
        out, yet = (IN_PLACE[fill] for fill in self.fills)
        said = (
            f"The numbers are of these curves: {len(self.shares) - 1} equal steps, {out} in place of what is taken out, {yet} of what is not put in yet. "
            "A metric of the same name gives others with another fill or other steps."
        )
        if self.tied:
            having = ", ".join(self.titles[name] for name in self.tied)
            said += f" Equal scores go in the order of the input; such are in {having}."
        table = trials.measures(
            {title: self.numbers(name) for name, title in self.titles.items()},
            columns,
            {f"Random order, mean of {len(self.random['deletion'])}": self.chance},
            said,
        )
        drawn = trials.curves(plots, self.shares.tolist(), self.parts, self.target, palette, table)
        return styled(drawn) if style else drawn

    def _repr_html_(self) -> str:
        return self.html()


def curves(
    case: Case,
    methods: Iterable[str | Heatmap],
    levels: int = 10,
    fill: str | None = None,
    orders: int = 8,
) -> Curves:
    """Deletion and insertion curves of one case for some methods (keys, or heatmaps that are there already) and random orders.

    levels: equal steps from 0 to 100 %. fill: as in `aopc`; a picture starts blurred when it is put together. orders: how many random
    ones, seeded by the case. A curve has its method's name, with options where it has any: "attcat:mask_specials=true". Raises `Refusal`
    where no probability is explained.
    """
    heats = {
        named(heat): heat
        for heat in (case.heat(one) if isinstance(one, str) else one for one in methods)
    }
    drawn = {("random", draw): case.heat("random", draw=draw) for draw in range(orders)}
    fills = way(case, fill), way(case, fill, image="blur")
    asked = {name: both(case, heat, levels, fills) for name, heat in (heats | drawn).items()}
    queries = [query for one in asked.values() for query in one]
    said = torch.stack(
        [row[case.explained] for row in answers(case.model, [case] * len(queries), queries)]
    ).view(len(asked), 2, levels + 1)
    found = dict(zip(asked, said))
    random = (
        torch.stack([found[name] for name in drawn]) if drawn else said.new_zeros(0, 2, levels + 1)
    )
    return Curves(
        torch.linspace(0, 1, levels + 1),
        {name: found[name][0] for name in heats},
        {name: found[name][1] for name in heats},
        {"deletion": random[:, 0], "insertion": random[:, 1]},
        case.trace.target.name,
        "words" if case.model.anatomy.modality == "text" else "patches",
        {name: heat.title for name, heat in heats.items()},
        fills,
        tuple(name for name, heat in heats.items() if has_equals(heat.scores[case.words])),
    )


def has_equals(scores: Tensor) -> bool:
    """Whether two of the scores [n] are equal."""
    return len(ties.levels(scores).unique()) < len(scores)


def numbers(deletion: Tensor, insertion: Tensor) -> dict[str, float]:
    before, after = float(deletion[0]), deletion[1:].numpy()
    return {
        "deletion": area(deletion.numpy()),
        "insertion": area(insertion.numpy()),
        "aopc": float((before - after).mean()),
        "logodds": mean_log_ratio(before, after),
    }


def both(case: Case, heat: Heatmap, levels: int, fills: tuple[str, str]) -> list[Query]:
    places = order(case, heat)
    points = steps_of(case, places, "patch", levels)
    return removing(case, places, points, fills[0]) + leaving(case, places, points, fills[1])

"""Infidelity and sensitivity: do scores predict the effect of removing parts, and are they stable?

Both are computed by captum.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import Refusal, required
from ..heatmap import Heatmap
from ..methods import METHODS
from ..options import AT_LEAST_ONE, NOT_NEGATIVE, Limit
from .baselines import BASELINES
from .case import Case
from .perturbation import Fill, fill_mode
from .registry import metric

AT_ONCE = 4  # changed inputs that are traced together

A_SHARE = Limit(lambda share: 0 < share <= 1, "above 0 and at most 1")


@metric(
    "Infidelity",
    better="lower",
    paper="yeh2019",
    unit="squared score",
    limits={"samples": AT_LEAST_ONE, "share": A_SHARE},
)
def infidelity(
    case: Case,
    heat: Heatmap,
    fill: Fill | None = None,
    samples: int = 20,
    share: float = 0.3,
    seed: int = 0,
) -> float:
    """Mean squared difference between the drop of the score that a map predicts and the real drop.

    Formula: E[(Iᵀ scores − (y(x) − y(x without I)))²], where I marks random tokens or patches that
    are replaced, and y is the explained score. The map is first scaled to fit best, since most
    methods define their scores only up to a factor. So it measures whether effects add up, and not
    how large they are.

    Options:
    - fill (default: mask for texts, mean for pictures): what replaces a part: mask, pad or unk in
      texts; mean, black, white or blur in pictures.
    - samples (default: 20): the number of random sets I.
    - share (default: 0.3): the probability of each token or patch to be in I.
    - seed (default: 0): of the random sets.
    """
    measured = required("captum.metrics", "evaluation").infidelity
    mode = fill_mode(case, fill, text="mask")
    if mode == "delete":
        raise Refusal("Infidelity replaces tokens and does not delete them; use mask, pad or unk.")
    places = case.words.nonzero().flatten()
    generator = torch.Generator().manual_seed(seed)
    scores = heat.scores[places][None].double()

    def score(keep: Tensor) -> Tensor:
        where = torch.zeros(len(keep), len(heat), dtype=torch.bool)
        where[:, places] = keep == 0
        return rescored_without(case, where, mode)

    def replace_some(keep: Tensor) -> tuple[Tensor, Tensor]:
        removed = (torch.rand(keep.shape, generator=generator) < share).to(keep)
        return removed, keep - removed

    found = measured(
        score,
        replace_some,
        torch.ones_like(scores),
        scores,
        n_perturb_samples=samples,
        normalize=True,
    )
    return float(found)


def rescored_without(
    case: Case, where: Bool[Tensor, "copy token"], fill: str
) -> Float[Tensor, " copy"]:
    """The explained score of copies of the input in which the tokens `where` are replaced."""
    filled = case.trace.fill(where.to(case.trace.special_tokens.device), fill)
    return case.trace.rescore(filled).cpu().double()


@metric(
    "Sensitivity",
    better="lower",
    paper="yeh2019",
    unit="of the map's length",
    limits={"samples": AT_LEAST_ONE, "radius": NOT_NEGATIVE},
)
def sensitivity(
    case: Case, heat: Heatmap, radius: float = 0.02, samples: int = 10, seed: int = 0
) -> float:
    """Largest relative change of the map under small random changes of the input.

    Formula: max over x' of ‖scores(x') − scores(x)‖ / ‖scores(x)‖, where x' is x plus uniform
    noise within ± radius times the range of x; x is the pixels or the word embeddings. NaN for
    the baselines, which do not use the input, and for methods that replace tokens of a text,
    which cannot be done to embeddings.

    Options:
    - radius (default: 0.02): the largest noise, as a share of the range of x.
    - samples (default: 10): the number of changed inputs.
    - seed (default: 0): of the noise.
    """
    sensitivity_max = required("captum.metrics", "evaluation").sensitivity_max
    if heat.method in BASELINES:
        return float("nan")
    if heat.grid:
        name, inputs = "pixel_values", case.coded.tensors
    else:
        name, inputs = "inputs_embeds", case.trace.embed()
    x = inputs[name].detach()
    maps = maps_by_input(case, heat, inputs, name)
    reach = radius * float(x.max() - x.min())
    generator = torch.Generator().manual_seed(seed)

    def add_noise(given: Tensor, _: float) -> Tensor:
        uniform = 2 * torch.rand(given.shape, generator=generator) - 1
        return given + reach * uniform.to(given)

    try:
        found = sensitivity_max(
            maps, (x,), add_noise, perturb_radius=radius, n_perturb_samples=samples
        )
    except Refusal:  # the method replaces tokens, which cannot be done to embeddings
        return float("nan")
    return float(found)


def maps_by_input(case: Case, heat: Heatmap, inputs: dict[str, Tensor], name: str) -> Callable:
    """A function for captum: inputs [copy ...] under `name` -> maps [copy token] of the method."""
    method = METHODS[heat.method]

    def maps(given: Tensor | tuple[Tensor]) -> tuple[Tensor]:
        if isinstance(given, tuple):  # the clean input comes in a tuple, the changed ones do not
            (given,) = given
        found = []
        for part in given.split(AT_ONCE):
            for run in case.trace.again_many(inputs=inputs | {name: part}):
                found.append(method(run, **heat.options).cpu())
        return (torch.stack(found),)

    return maps

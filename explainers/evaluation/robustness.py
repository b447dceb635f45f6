"""Do scores add up to what taking things out does, and do they hold still when the input hardly changes? Both by captum."""

import torch
from torch import Tensor

from ..errors import Refusal, required
from ..heatmap import Heatmap
from ..methods import METHODS
from ..options import AT_LEAST_ONE, NOT_NEGATIVE, Limit
from .baselines import BASELINES
from .case import Case
from .faithfulness import Fill
from .metric import metric
from .perturbation import way

AT_ONCE = 4  # changed inputs that are traced together


@metric(
    "Infidelity",
    better="lower",
    reference="Yeh et al. 2019",
    unit="squared score",
    limits={
        "samples": AT_LEAST_ONE,
        "share": Limit(lambda share: 0 < share <= 1, "above 0 and at most 1"),
    },
)
def infidelity(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    fill: Fill | None = None,
    samples: int = 20,
    share: float = 0.3,
    seed: int = 0,
) -> float:
    """Mean of (what the map says is lost − what is lost)² when each token or patch is blanked by chance.

    I blanks a random `share` of the tokens: E[(Iᵀ scores − (y(x) − y(x without I)))²], y the explained score. The map is scaled to fit best
    first, since most methods mean their scores up to a factor, so this says whether effects add up and not how large they are.

    fill: mask (of texts, unless said otherwise), pad, unk; mean (of pictures), black, white, blur. samples, seed: of the random blanks.
    """
    measured = required("captum.metrics", "evaluation").infidelity

    how = way(case, fill, text="mask")
    if how == "delete":
        raise Refusal("Infidelity blanks tokens and does not delete them; take mask, pad or unk.")
    places, drawn = case.words.nonzero().flatten(), torch.Generator().manual_seed(seed)
    scores = heat.scores[places][None].double()
    there = torch.ones_like(scores)

    def score(keep: Tensor) -> Tensor:
        where = torch.zeros(len(keep), len(heat), dtype=torch.bool)
        where[:, places] = keep == 0
        return (
            case.trace.rescore(case.trace.fill(where.to(case.trace.special_tokens.device), how))
            .cpu()
            .double()
        )

    def blank(keep: Tensor) -> tuple[Tensor, Tensor]:
        taken = (torch.rand(keep.shape, generator=drawn) < share).to(keep)
        return taken, keep - taken

    return float(measured(score, blank, there, scores, n_perturb_samples=samples, normalize=True))


@metric(
    "Sensitivity",
    better="lower",
    reference="Yeh et al. 2019",
    unit="of the map's length",
    limits={"samples": AT_LEAST_ONE, "radius": NOT_NEGATIVE},
)
def sensitivity(
    case: Case,
    heat: Heatmap,
    answers: list[Tensor],
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
) -> float:
    """The most that the map changes when every number of the input changes a little: max ‖scores(x') − scores(x)‖ / ‖scores(x)‖.

    x' are `samples` draws within ± radius times the range of x, of the pixels or of the word embeddings. NaN for the baselines, which do not
    look at the input, and for methods that blank tokens of a text, which embeddings do not allow.
    """
    sensitivity_max = required("captum.metrics", "evaluation").sensitivity_max

    if heat.method in BASELINES:
        return float("nan")
    inputs = case.coded.tensors if case.coded.grid else case.trace.embed()
    name = "pixel_values" if case.coded.grid else "inputs_embeds"
    x, drawn = inputs[name].detach(), torch.Generator().manual_seed(seed)
    reach = radius * float(x.max() - x.min())

    def shaken(given: Tensor, _: float) -> Tensor:
        return given + reach * (2 * torch.rand(given.shape, generator=drawn) - 1).to(given)

    def maps(given: Tensor | tuple[Tensor]) -> tuple[Tensor]:
        (given,) = (
            given if isinstance(given, tuple) else (given,)
        )  # captum gives the clean input in a tuple, the changed ones bare
        runs = [
            run
            for some in given.split(AT_ONCE)
            for run in case.trace.again_many(inputs=inputs | {name: some})
        ]
        return (torch.stack([METHODS[heat.method](run, **heat.options).cpu() for run in runs]),)

    try:
        return float(
            sensitivity_max(maps, (x,), shaken, perturb_radius=radius, n_perturb_samples=samples)
        )
    except Refusal:  # it blanks tokens, which embeddings do not allow
        return float("nan")

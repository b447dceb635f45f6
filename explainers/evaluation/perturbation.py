"""Inputs with parts taken out, and what the model says of them: the one place where metrics run the network, many inputs at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..models import BLANKS, Model
from ..ties import ranked
from ..trace import rows_at_once
from .case import Case

#: Ways to take something out, by what a model sees: tokens are deleted or blanked, patches and pixels are blanked.
WAYS = {"text": ("delete", *BLANKS["text"]), "image": BLANKS["image"]}


@dataclass(frozen=True, eq=False)
class Query:
    """An input with parts taken out, about which a metric wants to ask the model.

    keep    [token] bool, what stays; of a picture also [height width] of its pixels as the model reads them
    how     delete, pad, mask or unk of a text; black, mean (grey), white or blur of a picture
    attend  whether the others may attend to the blanks, as they may where an authors' code gives no attention mask
    """

    keep: Tensor
    how: str
    attend: bool = True


def way(case: Case, fill: str | None, text: str = "delete", image: str = "mean") -> str:
    """`fill` if this model has it, or the default of what it sees; else a `Refusal` with the menu."""
    modality = case.model.anatomy.modality
    fill = fill or {"text": text, "image": image}[modality]
    if fill not in WAYS[modality]:
        raise Refusal(
            f"From a {'text' if modality == 'text' else 'picture'} parts are taken by {', '.join(WAYS[modality])}; got {fill!r}."
        )
    if fill == "delete" and not case.by_class:
        raise Refusal(
            f"Deleting tokens moves the places where {case.trace.target.name} is read; take pad, mask or unk."
        )
    if fill == "delete" and case.model.anatomy.readout == "very last":
        raise Refusal(
            "This model reads texts of one length only, so no token can be deleted; take pad, mask or unk."
        )
    return fill


# ------------------------------------------------------------------------------------------------------ in which order


def order(case: Case, heat: Heatmap, by: str = "patch") -> Tensor:
    """Tokens, or with by="pixel" places in the flattened picture, the most important first. Specials are not among them.

    Equal scores (`ties.ranked`) go from first to last, pixels row by row.
    """
    if by == "pixel":
        if heat.grid is None:
            raise Refusal("A text has no pixels; take by=patch, which of a text are its tokens.")
        return ranked_pixels(case, heat)
    places = case.words.nonzero().flatten()
    return places[ranked(heat.scores[places])]


def ranked_pixels(case: Case, heat: Heatmap) -> Tensor:
    height, width = case.coded.tensors["pixel_values"].shape[-2:]
    (rows, columns), (tall, wide) = case.coded.grid, case.model.patch
    seen = torch.arange(height * width).view(height, width)[
        : rows * tall, : columns * wide
    ]  # pixels of no patch are never taken
    scores = enlarged(heat, seen.shape).to(heat.scores.dtype)  # no more precise than the map is
    return seen.flatten()[ranked(scores.flatten())]


def enlarged(heat: Heatmap, size: tuple[int, int]) -> Tensor:
    """[height width] a picture's map pixel by pixel: the method's own where it has one, or its patches, resized bilinearly."""
    own = heat.patches if heat.pixels is None else heat.pixels
    return F.interpolate(own[None, None].double(), tuple(size), mode="bilinear")[0, 0]


def untouched(case: Case, by: str = "patch") -> Tensor:
    """What is kept where nothing is taken out: [token] or [height width], all true."""
    return torch.ones(
        case.coded.tensors["pixel_values"].shape[-2:] if by == "pixel" else len(case.coded.labels),
        dtype=torch.bool,
    )


def without(keep: Tensor, places: Tensor) -> Tensor:
    """`keep` with `places` in it, counted along its flattened shape, taken out."""
    return keep.flatten().index_fill(0, places, False).view(keep.shape)


def removing(
    case: Case,
    places: Tensor,
    counts: Sequence[int],
    how: str,
    by: str = "patch",
    attend: bool = True,
) -> list[Query]:
    """The first k of `places` taken out, for each k of `counts`."""
    return [
        Query(readable(without(untouched(case, by), places[:k]), places, how), how, attend)
        for k in counts
    ]


def leaving(
    case: Case,
    places: Tensor,
    counts: Sequence[int],
    how: str,
    by: str = "patch",
    attend: bool = True,
) -> list[Query]:
    """All of `places` but the first k taken out, for each k of `counts`."""
    return [
        Query(readable(without(untouched(case, by), places[k:]), places, how), how, attend)
        for k in counts
    ]


def readable(keep: Tensor, places: Tensor, how: str) -> Tensor:
    """A model cannot be asked about nothing: where every token would be deleted (a text without [CLS] and its like), the last of `places` stays."""
    if how == "delete" and not keep.any():
        keep[places[-1]] = True
    return keep


# ---------------------------------------------------------------------------------------------- what the model says then


@torch.no_grad()
def answers(model: Model, cases: Sequence[Case], queries: Sequence[Query]) -> list[Tensor]:
    """The probabilities [class] for each query about the case beside it: equal ones asked once, those of one shape asked together.

    Where no class is explained (an answer, a difference): [1], the probability of the target.
    """
    keys = [
        (id(case.coded), reader(case), query.how, query.attend, query.keep.numpy().tobytes())
        for case, query in zip(cases, queries, strict=True)
    ]
    waiting, said = {}, {}
    for key, case, query in zip(keys, cases, queries):
        if query.keep.all():
            said[key] = case.probabilities
        elif key not in waiting:
            waiting[key] = (case, query)
    for some in batches(waiting, model.net.device):
        parts = [waiting[key] for key in some]
        tensors, attended = stacked(model, parts)
        said |= zip(some, parts[0][0].read(model.answer(tensors, attended)))
    return [said[key] for key in keys]


def reader(case: Case) -> int:
    """Cases whose answers are read alike have the same: all classes are read together, other targets each for themselves."""
    return 0 if case.by_class else id(case)


def batches(
    waiting: dict[tuple, tuple[Case, Query]], device: torch.device
) -> Iterator[list[tuple]]:
    """Keys of queries whose inputs have one shape and are read alike."""
    groups: dict[tuple, list[tuple]] = {}
    for key, (case, query) in waiting.items():
        left = int(query.keep.sum()) if query.how == "delete" else len(case.coded.labels)
        shapes = tuple((name, tensor.shape[1:]) for name, tensor in case.coded.tensors.items())
        groups.setdefault((shapes, left, reader(case)), []).append(key)
    for (_, left, _), keys in groups.items():
        rows = rows_at_once(len(keys), left, device)
        yield from (keys[k : k + rows] for k in range(0, len(keys), rows))


def stacked(model: Model, parts: list[tuple[Case, Query]]) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of many queries, and where they have no padding [n token]."""
    made = []
    for _, some in groupby(
        parts, lambda part: (id(part[0].coded), part[1].how, part[1].attend, part[1].keep.ndim)
    ):
        some = list(some)
        case, query = some[0]
        keep = torch.stack([one.keep for _, one in some]).to(model.net.device)
        made.append(perturbed(model, case, keep, query.how, query.attend))
    names = made[0][0]
    return {name: torch.cat([tensors[name] for tensors, _ in made]) for name in names}, torch.cat(
        [attended for _, attended in made]
    )


def perturbed(
    model: Model, case: Case, keep: Tensor, how: str, attend: bool = True
) -> tuple[dict[str, Tensor], Tensor]:
    """The input of `case` without what `keep` [n token] (or [n height width]) leaves out, n times, and where there is no padding [n token]."""
    inputs, attended, n = case.coded.tensors, case.trace.attended.expand(len(keep), -1), len(keep)
    whole = lambda tensors: {
        name: tensor.expand(n, *tensor.shape[1:]) for name, tensor in tensors.items()
    }
    if how == "delete":
        cut = lambda tensor: tensor[keep].view(n, -1) if tensor.shape == keep.shape else tensor
        return {name: cut(tensor) for name, tensor in whole(inputs).items()}, attended[keep].view(
            n, -1
        )
    if keep.ndim == 3:
        return whole(
            inputs | {"pixel_values": model.without_pixels(inputs["pixel_values"], ~keep, how)}
        ), attended
    filled = whole(model.fill(inputs, ~keep, how))
    return filled if attend else model.hide(filled, ~keep), attended

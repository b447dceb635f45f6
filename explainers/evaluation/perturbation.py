"""Inputs without some of their parts, and the model's answers to them.

This is the one place where metrics run the network: many inputs at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import Refusal
from ..heatmap import Heatmap
from ..modalities import MODALITIES
from ..models import BLANKS, Model
from ..ties import ranked
from ..trace import rows_at_once
from .case import Case

#: How a part can be removed, by what a model reads: tokens are deleted or replaced, patches and
#: pixels are replaced.
FILLS = {"text": ("delete", *BLANKS["text"]), "image": BLANKS["image"]}

Fill = Literal["delete", "pad", "mask", "unk", "mean", "black", "white", "blur"]

#: What is removed: a token of a text, which "patch" also means, or a patch or a pixel of a picture.
Removable = Literal["token", "patch", "pixel"]


#: What stays of an input: tokens, or pixels of a picture.
Kept = Bool[Tensor, " token"] | Bool[Tensor, "height width"]

#: Places of tokens, or of pixels in the flattened picture.
Places = Int[Tensor, " place"]


@dataclass(frozen=True, eq=False)
class Query:
    """A changed input that a metric asks the model about.

    keep    [token] bool, what stays; of a picture also [height width] of the model's pixels
    fill    what replaces the rest: of a text delete (nothing), pad, mask or unk; of a picture
            black, mean (grey), white or blur
    attend  whether other tokens may attend to the replaced ones
    """

    keep: Kept
    fill: str
    attend: bool = True


def fill_mode(case: Case, fill: str | None, text: str = "delete", image: str = "mean") -> str:
    """`fill`, or the default for what the model reads. Raises `Refusal` for an unknown one."""
    modality = case.model.anatomy.modality
    if not fill:
        fill = {"text": text, "image": image}[modality]
    if fill not in FILLS[modality]:
        kind = MODALITIES[modality].input
        raise Refusal(
            f"Parts of a {kind} are removed by one of {', '.join(FILLS[modality])}; got {fill!r}."
        )
    if fill == "delete" and not case.by_class:
        raise Refusal(
            f"Deleting tokens would move the positions that {case.target.name} is read from; "
            "use pad, mask or unk."
        )
    if fill == "delete" and case.model.anatomy.readout == "very last":
        raise Refusal(
            "This model reads texts of one length only, so no token can be deleted; "
            "use pad, mask or unk."
        )
    return fill


# ------------------------------------------------------------------------- in which order


def order(case: Case, heat: Heatmap, by: str = "patch") -> Places:
    """The places of words or patches [n], the most important first.

    by="pixel" gives places in the flattened picture. Special tokens are not among them. Equal
    scores (`ties.ranked`) go from first to last, pixels row by row.
    """
    if by == "pixel":
        if heat.grid is None:
            raise Refusal("A text has no pixels; use by=token.")
        return ranked_pixels(case, heat)
    places = case.words.nonzero().flatten()
    return places[ranked(heat.scores[places])]


def ranked_pixels(case: Case, heat: Heatmap) -> Places:
    """The places of pixels [n], the most important first; pixels outside of all patches never."""
    height, width = case.coded.tensors["pixel_values"].shape[-2:]
    rows, columns = case.grid
    patch_height, patch_width = case.model.patch
    places = torch.arange(height * width).view(height, width)
    covered = places[: rows * patch_height, : columns * patch_width]
    scores = resized_map(heat, covered.shape).to(heat.scores.dtype)  # no more precise than the map
    return covered.flatten()[ranked(scores.flatten())]


def resized_map(heat: Heatmap, size: Sequence[int]) -> Float[Tensor, "height width"]:
    """The map of a picture [height width] by pixels, resized bilinearly.

    It is made of the method's own map by pixels if it has one, else of its patches.
    """
    pixels = heat.patches if heat.pixels is None else heat.pixels
    return F.interpolate(pixels[None, None].double(), tuple(size), mode="bilinear")[0, 0]


def all_kept(case: Case, by: str = "patch") -> Kept:
    """[token], or [height width] for by="pixel": all true."""
    if by == "pixel":
        return torch.ones(case.coded.tensors["pixel_values"].shape[-2:], dtype=torch.bool)
    return torch.ones(len(case.coded.labels), dtype=torch.bool)


def kept_without(case: Case, removed: Places, places: Tensor, fill: str, by: str) -> Kept:
    """What stays, [token] or [height width], if `removed` of all `places` go.

    A model cannot read an empty text: where every token would be deleted, the last of `places`
    stays.
    """
    whole = all_kept(case, by)
    keep = whole.flatten().index_fill(0, removed, False)
    if fill == "delete" and not keep.any():
        keep[places[-1]] = True
    return keep.view(whole.shape)


def removing(
    case: Case,
    places: Places,
    counts: Sequence[int],
    fill: str,
    by: str = "patch",
    attend: bool = True,
) -> list[Query]:
    """For each k of `counts`: the input without the first k of `places`."""
    queries = []
    for k in counts:
        queries.append(Query(kept_without(case, places[:k], places, fill, by), fill, attend))
    return queries


def leaving(
    case: Case, places: Places, counts: Sequence[int], fill: str, by: str = "patch"
) -> list[Query]:
    """For each k of `counts`: the input with only the first k of `places`."""
    queries = []
    for k in counts:
        queries.append(Query(kept_without(case, places[k:], places, fill, by), fill))
    return queries


# ----------------------------------------------------------------------- the model's answers


@torch.no_grad()
def answers(
    model: Model, cases: Sequence[Case], queries: Sequence[Query]
) -> list[Float[Tensor, " class"]]:
    """The probabilities [class] for each query about the case beside it.

    Where no class is explained (an answer, a difference) it is [1], the probability of the target.
    Equal queries are asked once, queries of one shape together.
    """
    keys = []
    waiting = {}
    answered = {}
    for case, query in zip(cases, queries, strict=True):
        key = (
            id(case.coded),
            answer_group(case),
            query.fill,
            query.attend,
            query.keep.numpy().tobytes(),
        )
        keys.append(key)
        if query.keep.all():
            answered[key] = case.probabilities
        elif key not in waiting:
            waiting[key] = (case, query)
    for batch in batches_of_one_shape(waiting, model.net.device):
        asked = [waiting[key] for key in batch]
        tensors, attended = stack_inputs(model, asked)
        case = asked[0][0]
        answered |= zip(batch, case.read(model.answer(tensors, attended)))
    return [answered[key] for key in keys]


def answer_group(case: Case) -> int:
    """Cases of one group can share a pass: all that explain a class; any other case is alone."""
    return 0 if case.by_class else id(case)


def batches_of_one_shape(
    waiting: dict[tuple, tuple[Case, Query]], device: torch.device
) -> Iterator[list[tuple]]:
    """Keys of queries whose inputs have one shape and whose answers are read alike."""
    groups: dict[tuple, list[tuple]] = {}
    for key, (case, query) in waiting.items():
        tokens = int(query.keep.sum()) if query.fill == "delete" else len(case.coded.labels)
        shapes = tuple((name, tensor.shape[1:]) for name, tensor in case.coded.tensors.items())
        groups.setdefault((tokens, shapes, answer_group(case)), []).append(key)
    for (tokens, *_), keys in groups.items():
        rows = rows_at_once(len(keys), tokens, device)
        for first in range(0, len(keys), rows):
            yield keys[first : first + rows]


def stack_inputs(
    model: Model, asked: Sequence[tuple[Case, Query]]
) -> tuple[dict[str, Tensor], Bool[Tensor, "query token"]]:
    """The inputs of many queries, and where they have no padding [query token]."""
    stacked: dict[str, list[Tensor]] = {}
    attended = []
    for _, group in groupby(asked, kind_of_change):
        group = list(group)
        case, query = group[0]
        keep = torch.stack([one.keep for _, one in group]).to(model.net.device)
        tensors, unpadded = perturbed(model, case, keep, query.fill, query.attend)
        for name, tensor in tensors.items():
            stacked.setdefault(name, []).append(tensor)
        attended.append(unpadded)
    inputs = {name: torch.cat(tensors) for name, tensors in stacked.items()}
    return inputs, torch.cat(attended)


def kind_of_change(asked: tuple[Case, Query]) -> tuple:
    """Equal for queries that `perturbed` can make together."""
    case, query = asked
    return id(case.coded), query.fill, query.attend, query.keep.ndim


def perturbed(
    model: Model, case: Case, keep: Bool[Tensor, "copy ..."], fill: str, attend: bool = True
) -> tuple[dict[str, Tensor], Bool[Tensor, "copy token"]]:
    """n changed copies of an input, and where they have no padding [n token].

    keep  [n token] or [n height width] bool: what stays in each copy
    """
    n = len(keep)
    attended = case.trace.attended.expand(n, -1)
    if fill == "delete":
        inputs = {}
        for name, tensor in repeated(case.coded.tensors, n).items():
            by_token = tensor.shape == keep.shape
            inputs[name] = tensor[keep].view(n, -1) if by_token else tensor
        return inputs, attended[keep].view(n, -1)
    if keep.ndim == 3:
        pixels = model.blank_pixels(case.coded.tensors["pixel_values"], ~keep, fill)
        return repeated(case.coded.tensors | {"pixel_values": pixels}, n), attended
    filled = repeated(model.fill(case.coded.tensors, ~keep, fill), n)
    if not attend:
        filled = model.hide(filled, ~keep)
    return filled, attended


def repeated(tensors: dict[str, Tensor], n: int) -> dict[str, Tensor]:
    """Tensors of one row, or of n rows already, as n rows."""
    return {name: tensor.expand(n, *tensor.shape[1:]) for name, tensor in tensors.items()}

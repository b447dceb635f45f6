"""Activation maximisation: the picture with the highest score of a class, or of one unit."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .errors import Refusal
from .inputs import as_picture
from .models import Model
from .tasks.reading import ClassReader
from .trace import Tape, ordinary

#: Called with steps done, steps in all, and the picture so far.
Progress = Callable[[int, int, Image], None]


@dataclass(frozen=True)
class Settings:
    """How a picture is optimised.

    steps      how many
    rate       step size, as a share of full brightness; with adam it falls to zero along a cosine
    tv         weight of the total variation: the length of all differences between neighbouring
               pixels, across plus down. Without it, a small ViT answers to what looks like noise
    l2         weight of the squared length of the picture as the model reads it; grey has length 0
    jitter     largest random shift before each step, in pixels, so that no pattern fits one patch
               grid alone
    seed       of the start and of the shifts
    start      "noise", "grey", or a picture [3 height width] of numbers from 0 to 1
    optimiser  "adam" or "sgd"
    bounded    keep every pixel between 0 and 1
    """

    steps: int = 128
    rate: float = 0.05
    tv: float = 0.1
    l2: float = 0.0
    jitter: int = 4
    seed: int = 0
    start: Literal["noise", "grey"] | Tensor = "noise"
    optimiser: Literal["adam", "sgd"] = "adam"
    bounded: bool = True

    def check(self) -> None:
        """Raise a `Refusal` for settings that make no sense."""
        for number in (self.steps, self.jitter, self.seed):
            if type(number) is not int or abs(number) >= 2**63:
                raise Refusal("Steps, jitter and seed are whole numbers of at most 18 digits.")
        if self.steps < 1 or not 0 < self.rate < math.inf:
            raise Refusal(
                "Give at least one step, and a rate above 0; "
                f"got {self.steps} steps and rate {self.rate}."
            )
        for number in (self.tv, self.l2, self.jitter):
            if not 0 <= number < math.inf:
                raise Refusal(f"The weights tv and l2 and the jitter are 0 or more; got {number}.")
        if self.optimiser not in ("adam", "sgd"):
            raise Refusal(f"The optimiser is adam or sgd; got {str(self.optimiser)[:40]!r}.")


@dataclass(frozen=True, eq=False)
class Imagined:
    """A picture that was optimised, and its scores on the way.

    image    RGB, as large as the model reads it
    scores   the raw score of the target at the start, after each step but the last, and at the end
    target   what was maximised, in words
    options  the settings: steps, rate, tv, l2, jitter, seed, start, optimiser, bounded
    model, revision  the network
    rgb      [3 height width] the picture before it was rounded; 0 to 1 if bounded
    """

    image: Image
    scores: list[float]
    target: str
    options: dict[str, Any]
    model: str = ""
    revision: str = ""
    rgb: Tensor | None = field(default=None, repr=False)

    def _repr_png_(self) -> bytes | None:
        return self.image._repr_png_()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .png with model, target and options inside, or another format that Pillow knows.

        Raises `Refusal` if it cannot be written.
        """
        origin = {
            "model": self.model,
            "revision": self.revision,
            "target": self.target,
            "score": self.scores[-1],
        }
        info = PngInfo()
        for name, value in (origin | self.options).items():
            info.add_text(name, str(value))
        is_png = str(path).casefold().endswith(".png")
        try:
            self.image.save(path, pnginfo=info if is_png else None)
        except (OSError, ValueError) as error:
            raise Refusal(f"{path} could not be written: {error}.") from error


@dataclass(frozen=True)
class Objective:
    """What is maximised.

    score   pixel_values [1 channel height width], as the model reads them -> a scalar
    name    in words
    """

    score: Callable[[Tensor], Tensor]
    name: str


@ordinary
def imagine(
    model: Model,
    target=None,
    *,
    unit: Sequence[int] | None = None,
    texts: Sequence[str] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Imagined:
    """Optimise a picture x so that it maximises  y(x) − tv · TV(x) − l2 · ‖x‖².

    After Simonyan et al. 2014, section 2, with the total variation TV of Mahendran & Vedaldi 2015.

    target    a class: label, index, 'A - B' or a pair; for a model that matches pictures with
              texts, one of `texts`
    unit      instead of a class, a unit of a feed-forward layer: (layer, feature) for its mean
              over the patches, or (layer, feature, token)
    texts     what the picture is matched with
    progress  called about thirty times with steps done, steps in all, and the picture so far
    settings  keywords of `Settings`, with these defaults: steps=128, rate=0.05, tv=0.1, l2=0,
              jitter=4, seed=0, start="noise", optimiser="adam", bounded=True

    Raises `Refusal` for a model that sees no pictures, and for settings that make no sense.
    """
    chosen = Settings(**settings)
    if model.anatomy.modality != "image":
        raise Refusal("Activation maximisation needs a model that reads pictures.")
    chosen.check()
    objective = objective_of(model, target, unit, texts)
    x, scores = optimise(model, objective, chosen, progress)
    options = asdict(chosen)
    options["start"] = chosen.start if isinstance(chosen.start, str) else "a picture"
    return Imagined(
        as_picture(x.clamp(0, 1)),
        scores,
        objective.name,
        options,
        model=model.name,
        revision=model.revision,
        rgb=x,
    )


def optimise(
    model: Model, objective: Objective, settings: Settings, progress: Progress | None
) -> tuple[Tensor, list[float]]:
    """The optimised picture [3 height width], and the score before each step and at the end."""
    generator = torch.Generator().manual_seed(settings.seed)
    x = initial_picture(model, settings.start, generator)
    x = x.to(model.net.device, model.net.dtype).requires_grad_()
    optimiser, schedule = optimiser_of(x, settings)
    scores = []
    for step in range(settings.steps):
        shift = torch.randint(-settings.jitter, settings.jitter + 1, (2,), generator=generator)
        with torch.enable_grad():
            pixels = model.normalised(x.roll(shift.tolist(), (2, 3)))
            score = objective.score(pixels)
            length = (pixels - model.grey(pixels)).pow(2).sum()
            loss = settings.tv * total_variation(x) + settings.l2 * length - score
            (x.grad,) = torch.autograd.grad(loss, x)
        scores.append(score.item())
        optimiser.step()
        if schedule:
            schedule.step()
        if settings.bounded:
            with torch.no_grad():
                x.clamp_(0, 1)
        done = step + 1
        if progress and done % max(1, settings.steps // 30) == 0:
            progress(done, settings.steps, as_picture(x.detach()[0].clamp(0, 1)))
    with torch.no_grad():
        scores.append(objective.score(model.normalised(x)).item())
    return x.detach()[0], scores


def optimiser_of(
    x: Tensor, settings: Settings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None]:
    """The optimiser, and how its rate falls."""
    if settings.optimiser == "sgd":
        return torch.optim.SGD([x], lr=settings.rate), None
    adam = torch.optim.Adam([x], lr=settings.rate, betas=(0.5, 0.99))
    return adam, torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.steps)


def initial_picture(model: Model, start: str | Tensor, generator: torch.Generator) -> Tensor:
    """[1 3 height width] the picture before the first step."""
    if isinstance(start, Tensor):
        if start.ndim != 3 or len(start) != 3:
            raise Refusal(
                f"A picture to start from has shape (3, height, width); got {tuple(start.shape)}."
            )
        return start.detach().clone()[None]
    size = (1, 3, *model.trained_size)
    if start == "noise":
        return torch.rand(size, generator=generator)
    if start == "grey":
        return model.rgb(model.grey(torch.zeros(())).expand(size))
    raise Refusal(f"The start is noise, grey, or a picture; got {str(start)[:40]!r}.")


def total_variation(x: Tensor) -> Tensor:
    """‖x[:, j+1] − x[:, j]‖ + ‖x[i+1, :] − x[i, :]‖ of a picture [1 channel height width]."""
    across = x[..., 1:] - x[..., :-1]
    down = x[..., 1:, :] - x[..., :-1, :]
    return across.norm() + down.norm()


# ------------------------------------------------------------------------------------- objectives


def objective_of(
    model: Model, target, unit: Sequence[int] | None, texts: Sequence[str]
) -> Objective:
    """What is maximised: a class or a unit. Raises `Refusal` if neither or both are given."""
    inputs = inputs_beside_pixels(model, texts, is_needed=unit is None)
    if unit is not None:
        if target is not None:
            raise Refusal("Give a class or a unit, not both.")
        return unit_objective(model, inputs, unit)
    labels = dict(enumerate(texts)) if model.is_dual_encoder else model.labels
    if target is None and len(labels) > 1:
        raise Refusal("Say which class or unit to maximise.")
    score = ClassReader(labels).read(0 if target is None else target)

    def class_score(pixels: Tensor) -> Tensor:
        return score(model.answer({"pixel_values": pixels} | inputs))[0]

    return Objective(class_score, score.name)


def inputs_beside_pixels(model: Model, texts: Sequence[str], is_needed: bool) -> dict[str, Tensor]:
    """The features of the texts for a model that matches pictures with texts; else nothing.

    is_needed: at least one text must be given.
    """
    if not model.is_dual_encoder:
        if texts:
            raise Refusal(
                f"{model.name} sees pictures alone: texts are for a model that matches pictures "
                "with them."
            )
        return {}
    if not texts and is_needed:
        raise Refusal(
            "A model that matches pictures with texts needs `texts`, and a target among them if "
            "there are several."
        )
    side = model.side("text")
    features = [side.features(side.encode_text(text).tensors).detach() for text in texts]
    if not texts:
        features = [torch.zeros(1, model.net.config.projection_dim)]
    return {"matched": torch.cat(features)[None].to(model.net.device, model.net.dtype)}


def unit_objective(model: Model, inputs: dict[str, Tensor], unit: Sequence[int]) -> Objective:
    """The activation of one unit of a feed-forward layer."""
    name = unit_name(model, unit)

    def unit_score(pixels: Tensor) -> Tensor:
        return unit_activation(model, {"pixel_values": pixels} | inputs, unit)

    return Objective(unit_score, name)


def unit_name(model: Model, unit: Sequence[int]) -> str:
    """A unit in words. Raises `Refusal` if this model has no such unit."""
    if len(unit) not in (2, 3) or not all(type(i) is int for i in unit):
        raise Refusal(f"A unit is (layer, feature) or (layer, feature, token); got {unit!r}.")
    sizes = {"layer": model.depth}
    features = getattr(model.tower.config, "intermediate_size", None)
    if features is not None:
        sizes["feature"] = int(features)
    for i, (name, size) in zip(unit, sizes.items()):
        if not 0 <= i < size:
            raise Refusal(f"There is no {name} {i}: this model has {name}s 0 to {size - 1}.")
    token = f" at token {unit[2]}" if len(unit) == 3 else ""
    return f"unit {unit[1]} of layer {unit[0]}{token}"


def unit_activation(model: Model, inputs: dict[str, Tensor], unit: Sequence[int]) -> Tensor:
    """act(up(LN₂(x + attention(x)))) of one unit of a feed-forward layer.

    At one token, or the mean over the patches. Raises `Refusal` if the parts of the layer are not
    where its architecture's row says.
    """
    index, feature, *token = unit
    tape = Tape(model.blocks, record=("attention", "value", "hidden"))
    model.answer(inputs, tape=tape)
    layer = model.layer(*tape.calls[index])
    unknown = Refusal(
        "The feed-forward units of this model are not where this package looks for them."
    )
    if not layer.has_feed_forward or not layer.norm_first:
        raise unknown
    recorded = tape.recorded
    attention, value = recorded["attention"][index][0], recorded["value"][index][0]
    mixed = torch.einsum("hqk,hkv,hvd->qd", attention, value, layer.w_o)
    if layer.b_o is not None:
        mixed = mixed + layer.b_o
    between = recorded["hidden"][index][0] + mixed
    units = layer.act(layer.up(layer.norm2(between)))
    # BEiT and DINOv2 scale what a layer adds, so that the output would be another one
    output = between + layer.down(units)
    if not torch.allclose(output, recorded["hidden"][index + 1][0], rtol=1e-2, atol=1e-2):
        raise unknown
    if not token:
        return units[len(model.prefix) :, feature].mean()
    if not 0 <= token[0] < len(units):
        raise Refusal(
            f"There is no token {token[0]}: a picture of this model has tokens 0 to "
            f"{len(units) - 1}."
        )
    return units[token[0], feature]

"""Activation maximisation: the picture that a class, or a single unit, answers to most. A picture, not a heatmap."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from PIL.Image import Image
from torch import Tensor

from .errors import Refusal
from .imagined import Imagined
from .inputs import as_picture
from .models import Model
from .tasks.reading import ClassReader
from .trace import Tape, ordinary


@ordinary
def imagine(
    model: Model,
    target=None,
    *,
    unit: Sequence[int] | None = None,
    texts: Sequence[str] = (),
    steps: int = 128,
    rate: float = 0.05,
    tv: float = 0.1,
    l2: float = 0.0,
    jitter: int = 4,
    seed: int = 0,
    start: Literal["noise", "grey"] | Tensor = "noise",
    optimiser: Literal["adam", "sgd"] = "adam",
    bounded: bool = True,
    progress: Callable[[int, int, Image], None] | None = None,
) -> Imagined:
    """Climb from noise to a picture x that maximises  y(x) − tv · TV(x) − l2 · ‖x‖²  (Simonyan et al. 2014, section 2, with the total variation
    of Mahendran & Vedaldi 2015).

    target    a class: label, index, 'A - B' or a pair; of a dual encoder one of `texts`
    unit      (layer, feature) or (layer, feature, token): instead of a class, a unit of a feed-forward layer, its mean over
              the patches or at one token
    rate      of a step, in shares of full brightness; it falls to zero along a cosine
    tv        weight of the length of all differences between neighbouring pixels, across plus down; without it a small ViT answers to what looks like static
    l2        weight of the squared length of the picture as the model reads it, where grey is zero
    jitter    the picture is shifted by up to so many pixels before each step, so that no pattern fits one patch grid alone
    start     noise, grey, or a picture [3 height width] of 0 to 1
    progress  called with steps done, steps in all, and the picture so far, about thirty times

    Raises `Refusal` for models that see no pictures, and for options that make no sense.
    """
    check(model, steps, rate, tv, l2, jitter, seed, optimiser)
    score, said = climbed(model, target, unit, texts)
    made = torch.Generator().manual_seed(seed)
    x = beginning(model, start, made).to(model.net.device, model.net.dtype).requires_grad_()
    climb = (
        torch.optim.Adam([x], lr=rate, betas=(0.5, 0.99))
        if optimiser == "adam"
        else torch.optim.SGD([x], lr=rate)
    )
    falling = (
        torch.optim.lr_scheduler.CosineAnnealingLR(climb, steps) if optimiser == "adam" else None
    )
    scores = []
    for step in range(steps):
        shift = torch.randint(-jitter, jitter + 1, (2,), generator=made).tolist()
        with torch.enable_grad():
            seen = model.normalised(x.roll(shift, (2, 3)))
            height = score(seen)
            loss = tv * total_variation(x) + l2 * (seen - model.grey(seen)).pow(2).sum() - height
            (x.grad,) = torch.autograd.grad(loss, x)
        scores.append(height.item())
        climb.step()
        if falling:
            falling.step()
        if bounded:
            with torch.no_grad():
                x.clamp_(0, 1)
        if progress and (step + 1) % max(1, steps // 30) == 0:
            progress(step + 1, steps, as_picture(x.detach()[0].clamp(0, 1)))
    with torch.no_grad():
        scores.append(score(model.normalised(x)).item())
    options = {
        "steps": steps,
        "rate": rate,
        "tv": tv,
        "l2": l2,
        "jitter": jitter,
        "seed": seed,
        "optimiser": optimiser,
        "bounded": bounded,
        "start": start if isinstance(start, str) else "a picture",
    }
    return Imagined(
        as_picture(x.detach()[0].clamp(0, 1)),
        scores,
        said,
        options,
        model.name,
        model.revision,
        x.detach()[0],
    )


def check(
    model: Model,
    steps: int,
    rate: float,
    tv: float,
    l2: float,
    jitter: int,
    seed: int,
    optimiser: str,
) -> None:
    if model.anatomy.modality != "image":
        raise Refusal("Only models that see pictures can be asked for one.")
    if not all(type(number) is int and abs(number) < 2**63 for number in (steps, jitter, seed)):
        raise Refusal("Steps, jitter and seed are whole numbers of at most 18 digits.")
    if steps < 1 or not 0 < rate < math.inf:
        raise Refusal("Climbing takes at least one step, and a rate above 0.")
    if not all(0 <= number < math.inf for number in (tv, l2, jitter)):
        raise Refusal("The weights tv and l2 and the jitter are 0 or more.")
    if optimiser not in ("adam", "sgd"):
        raise Refusal(f"The climb goes by adam or sgd; got {str(optimiser)[:40]!r}.")


def beginning(model: Model, start: str | Tensor, made: torch.Generator) -> Tensor:
    """[1 3 height width] where the climb begins."""
    if torch.is_tensor(start):
        if start.ndim != 3 or len(start) != 3:
            raise Refusal(
                f"A picture to start from has shape (3, height, width); got {tuple(start.shape)}."
            )
        return start.detach().clone()[None]
    if start not in ("noise", "grey"):
        raise Refusal(
            f"The climb starts from noise, from grey, or from a picture; got {str(start)[:40]!r}."
        )
    size = (1, 3, *model.trained_size)
    if start == "noise":
        return torch.rand(size, generator=made)
    return model.rgb(model.grey(torch.zeros(())).expand(size))


def total_variation(x: Tensor) -> Tensor:
    """‖x[:, j+1] − x[:, j]‖ + ‖x[i+1, :] − x[i, :]‖ of a picture [1 channel height width]."""
    return (x[..., 1:] - x[..., :-1]).norm() + (x[..., 1:, :] - x[..., :-1, :]).norm()


def climbed(
    model: Model, target, unit: Sequence[int] | None, texts: Sequence[str]
) -> tuple[Callable[[Tensor], Tensor], str]:
    """The score to climb, a function of pixel_values [1 channel height width], and its name in words."""
    rest = {}
    if texts and not model.is_dual_encoder:
        raise Refusal(
            f"{model.name} sees pictures alone: texts are for a model that matches pictures with them."
        )
    if model.is_dual_encoder:
        if not texts and unit is None:
            raise Refusal(
                "A model that matches pictures with texts needs `texts`, and a target among them if there are several."
            )
        words = model.side("text")
        features = [words.features(words.encode_text(text).tensors).detach() for text in texts] or [
            torch.zeros(1, model.net.config.projection_dim)
        ]
        rest = {"matched": torch.cat(features)[None].to(model.net.device, model.net.dtype)}
    if unit is not None:
        if target is not None:
            raise Refusal("Give a class or a unit, not both.")
        return (lambda pixels: activation(model, {"pixel_values": pixels} | rest, unit)), unit_name(
            model, unit
        )
    labels = dict(enumerate(texts)) if model.is_dual_encoder else model.labels
    if target is None and len(labels) > 1:
        raise Refusal("Say which class or unit to climb.")
    wanted = ClassReader(labels).read(0 if target is None else target)
    return (lambda pixels: wanted(model.answer({"pixel_values": pixels} | rest))[0]), wanted.name


def unit_name(model: Model, unit: Sequence[int]) -> str:
    if len(unit) not in (2, 3) or not all(type(i) is int for i in unit):
        raise Refusal(f"A unit is (layer, feature) or (layer, feature, token); got {unit!r}.")
    limits = {
        "layer": len(model.blocks),
        "feature": model.tower.config.intermediate_size
        if hasattr(model.tower.config, "intermediate_size")
        else 1 << 30,
    }
    for i, (what, size) in zip(unit, limits.items()):
        if not 0 <= i < size:
            raise Refusal(f"There is no {what} {i}: this model has {what}s 0 to {size - 1}.")
    return f"unit {unit[1]} of layer {unit[0]}" + (f" at token {unit[2]}" if len(unit) == 3 else "")


def activation(model: Model, inputs: dict[str, Tensor], unit: Sequence[int]) -> Tensor:
    """act(up(LN₂(x + attention(x)))) of one unit of a feed-forward layer: at one token, or the mean over the patches."""
    l, feature, *token = unit
    tape = Tape(model.blocks, record=("attention", "value", "hidden"))
    model.answer(inputs, tape=tape)
    layer = model.layer(*tape.calls[l])
    if not layer.has_feed_forward or not layer.norm_first:
        raise Refusal(
            "The feed-forward units of this model are not where this package looks for them."
        )
    mixed = torch.einsum(
        "hqk,hkv,hvd->qd", tape.recorded["attention"][l][0], tape.recorded["value"][l][0], layer.w_o
    ) + (0 if layer.b_o is None else layer.b_o)
    between = tape.recorded["hidden"][l][0] + mixed
    units = layer.act(layer.up(layer.norm2(between)))
    if not torch.allclose(
        between + layer.down(units), tape.recorded["hidden"][l + 1][0], rtol=1e-2, atol=1e-2
    ):  # BEiT and DINOv2 scale what is added
        raise Refusal(
            "The feed-forward units of this model are not where this package looks for them."
        )
    if token and not 0 <= token[0] < len(units):
        raise Refusal(
            f"There is no token {token[0]}: a picture of this model has tokens 0 to {len(units) - 1}."
        )
    return units[token[0], feature] if token else units[len(model.prefix) :, feature].mean()

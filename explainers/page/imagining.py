"""The view "Activation": a picture that maximises a class or a unit of the model."""

import math
from dataclasses import dataclass

import explainers as ex

from ..render.maximised import maximised_html
from .lent import on_lent_gpu
from .loading import model_of
from .pieces import Changes, message_for, placeholder, refusal_box

MOST_STEPS = 256  # so that every visitor gets a turn

NOTHING_IMAGINED = placeholder(
    "The picture starts as noise and is changed step by step to raise the score."
)


@dataclass(frozen=True)
class Wish:
    """What to maximise and how, as the fields hold it.

    goal        "a class" or "a unit"
    class_name  the class to maximise
    unit_layer, unit, unit_token
                the unit to maximise; without a token, its mean over all patches
    tv, l2, jitter
                total variation, L2 penalty and shift in pixels
    """

    goal: str
    class_name: str
    unit_layer: float
    unit: float | str | None
    unit_token: float | str | None
    steps: float
    seed: float | str | None
    tv: float
    l2: float | None
    jitter: float

    def target(self) -> dict:
        """The part of the model, as keywords of `explainers.imagine`."""
        if self.goal == "a class":
            return {"target": self.class_name}
        unit = [int(self.unit_layer), whole(self.unit, "Unit")]
        if self.unit_token not in (None, ""):
            unit.append(whole(self.unit_token, "Token"))
        return {"unit": tuple(unit)}


def unit_menus(model: str, goal: str) -> Changes:
    """The fields that choose what is maximised, for this model."""
    try:
        loaded = model_of(model)
    except ex.Refusal:
        return {}
    labels = list(loaded.labels.values())
    is_unit = goal == "a unit"
    return {
        "class_name": {"choices": labels, "value": labels[0], "visible": not is_unit},
        "unit_layer": {"maximum": loaded.depth - 1, "visible": is_unit},
        "unit": {"visible": is_unit},
        "unit_token": {"visible": is_unit},
    }


def maximise_wish(model: str, progress, **values) -> Changes:
    """The picture that maximises what the fields of the view ask for."""
    return maximise(model, Wish(**values), progress)


@on_lent_gpu
def maximise(model: str, wish: Wish, progress) -> Changes:
    """The picture that maximises the wished class or unit.

    progress: called with ((steps done, all steps), desc=..., unit=...).
    """

    def tell(done: int, steps: int, _picture: object) -> None:
        progress((done, steps), desc="optimising", unit="steps")

    try:
        made = ex.imagine(
            model_of(model),
            **wish.target(),
            steps=min(int(wish.steps), MOST_STEPS),
            seed=whole(wish.seed, "Random seed"),
            tv=wish.tv,
            l2=wish.l2 or 0,
            jitter=int(wish.jitter),
            progress=tell,
        )
        return {
            "imagine_refusal": refusal_box(),
            "imagined": {"value": maximised_html(made)},
        }
    except Exception as error:
        message = message_for(error, "This picture could not be made; the reason has been logged.")
        return {"imagine_refusal": refusal_box(message)}


def whole(typed: float | str | None, field: str) -> int:
    """The whole number in a field; 0 in an empty one."""
    try:
        number = float(typed or 0)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise ex.Refusal(f"“{field}” takes a whole number; got {str(typed)[:40]!r}.")
    return int(number)

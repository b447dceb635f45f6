"""Prove by intervention what a planted model uses: its causes, and never its distractor."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from .drawings import Scene
from .tasks import Pictures, Task
from .words import HOLES, NOTHING, Cause, with_word

BYSTANDERS = 12  # other distractors that a picture is given
TOLERANCE = 0.1  # how far the distractor may move a logit
LEAST = 1.0  # how far a cause has to move the logit of the class

#: A sentence's words, or the scene of a picture.
Given = list[str] | Scene


@dataclass(frozen=True)
class Proof:
    """What interventions on some inputs showed.

    right   the share of inputs whose class is said
    moved   the most that another distractor, or none, changed any logit
    effect  the least mean effect of a cause on the logit of the class, in the direction of its
            sign (its Shapley value among the causes; without a cause a neutral word or nothing
            stands in its place)
    """

    right: float
    moved: float
    effect: float


def proof(task: Task, net: nn.Module, given: list[Given], seed: int = 0) -> Proof:
    """Intervene on inputs."""
    random = Random(seed)
    logits = logits_of(task, net, given)
    labels = torch.tensor([task.label(one) for one in given])
    moved, effects = [0.0], []
    for one, said, label in zip(given, logits, labels.tolist()):
        others = with_other_distractors(task, one, random)
        if others:
            moved.append(float((logits_of(task, net, others) - said).abs().max()))
        effects += effects_of_causes(task, net, one, label, random)
    right = float((logits.argmax(-1) == labels).float().mean())
    return Proof(right, max(moved), min(effects))


@torch.no_grad()
def logits_of(task: Task, net: nn.Module, given: list[Given]) -> Tensor:
    """[input class]."""
    return net(**task.tensors(given)).logits


def with_other_distractors(task: Task, given: Given, random: Random) -> list[Given]:
    """The input with everything else that could stand where its distractor stands."""
    if isinstance(given, Scene):
        others = [task.rule.bystander(given, random) for _ in range(BYSTANDERS)]
        return [replace(given, distractor=one) for one in (*others, None)]
    found = []
    for place in task.rule.distractors(given):
        for word in (*task.rule.neutral, *HOLES, NOTHING):
            found.append(with_word(given, place, word))
    return found


def effects_of_causes(
    task: Task, net: nn.Module, given: Given, label: int, random: Random
) -> list[float]:
    """The mean effect of each cause on the logit of the class, in the direction of its sign.

    The mean is over all orders in which the causes can be put in.
    """
    causes = causes_of(task, given)

    @cache
    def said(there: frozenset[int]) -> float:
        """The logit of the class when these causes are there."""
        gone = [cause.place for number, cause in enumerate(causes) if number not in there]
        changed = without(task, given, gone, random)
        return float(logits_of(task, net, [changed])[0, label])

    orders = list(permutations(range(len(causes))))
    effects = [0.0] * len(causes)
    for order in orders:
        for count, number in enumerate(order):
            before, after = frozenset(order[:count]), frozenset(order[: count + 1])
            effect = (said(after) - said(before)) * causes[number].sign
            effects[number] += effect / len(orders)
    return effects


def causes_of(task: Task, given: Given) -> list[Cause]:
    return given.causes if isinstance(given, Scene) else task.rule.causes(given)


def without(task: Task, given: Given, places: list[Any], random: Random) -> Given:
    """The input without the causes at some places."""
    if isinstance(given, Scene):
        return replace(given, cause=None) if places else given
    changed = [*given]
    for place in places:
        changed[place] = random.choice(task.rule.instead_of(given[place]))
    return changed


def evaluate(args) -> None:
    """Print what the model cards say: fresh inputs, and interventions on them."""
    import explainers as ex

    from .tasks import TASKS

    print(
        "| model | inputs | right | most moved by the distractor | least effect of a cause | kB |"
    )
    print("|---|---|---|---|---|---|")
    for task in TASKS.values():
        random = Random(2)
        given = [task.draw(random) for _ in range(args.inputs)]
        net = ex.load(task.name, device="cpu").net
        found = proof(task, net, given)
        kind = "pictures" if isinstance(task, Pictures) else "sentences"
        print(
            f"| `{task.name}` | {len(given)} {kind} | {found.right:.2%} | {found.moved:.3f} | "
            f"{found.effect:.2f} | {size_of(task):.0f} |"
        )


def size_of(task: Task) -> float:
    """The size of a model's folder in kB."""
    from explainers.models import bundled_folder

    folder = bundled_folder(f"planted/{task.folder}")
    return sum(path.stat().st_size for path in folder.iterdir()) / 1000

"""The models that visitors may use, and which kinds of input they take."""

from functools import lru_cache
from pathlib import Path

import explainers as ex

from ..inputs.kinds import InputKind
from .kinds import KINDS, Tab

MOST_CLASSES = 2000  # more do not fit a menu
LONGEST_NAME = 100  # characters of a model's name


@lru_cache(maxsize=4)
def model_of(name: str) -> ex.Model:
    """A bundled model, or one from the Hub.

    Folders are refused: a visitor cannot look at the disk of the server. Raises
    `ModelUnavailable` if there is no such model or if the page cannot use it.
    """
    if name not in ex.BUNDLED and not may_be_hub_id(name):
        raise ex.ModelUnavailable("Choose a bundled model, or type a Hub id such as owner/name.")
    model = ex.load(name)
    if not is_usable(model):
        raise ex.ModelUnavailable(
            f"{name} is a {type(model.net).__name__} with {len(model.labels):,} labels. This page "
            "explains language models, models that answer questions, models that match pictures "
            "with texts, and classifiers of texts or pictures with at most "
            f"{MOST_CLASSES:,} classes."
        )
    return model


def may_be_hub_id(name: str) -> bool:
    """Whether a name cannot be a path on this machine."""
    is_path = name.startswith((".", "/", "~", "\\")) or Path(name).exists()
    return len(name) <= LONGEST_NAME and not is_path


def is_usable(model: ex.Model) -> bool:
    """Whether the page has the fields and the menus that the model needs."""
    task = model.task
    if has_own_classes(model):
        name = type(model.net).__name__
        is_classifier = "ForSequenceClassification" in name or "ForImageClassification" in name
        if not is_classifier or len(model.labels) > MOST_CLASSES:
            return False
    if task.reads_texts and model.tokenizer is None:
        return False
    return model.processor is not None or not task.sees_pictures


def has_own_classes(model: ex.Model) -> bool:
    """Whether it chooses among classes of its own, and not among texts that a visitor gives."""
    return model.task.has_classes and not any(kind.many for kind in model.task.takes)


def kinds_of(name: str) -> list[str]:
    """The kinds of input that a model takes; of a bundled one, what it was trained on."""
    if name in ex.BUNDLED:
        return kinds_with((ex.BUNDLED[name].takes,))
    return kinds_with(model_of(name).task.takes)


def kinds_with(inputs: tuple[InputKind, ...]) -> list[str]:
    return [kind for kind, one in KINDS.items() if one.input in inputs]


def kinds_in(tab: Tab, name: str) -> list[str]:
    """The kinds of input that a model takes in this tab; a `Refusal` if there are none."""
    kinds = [kind for kind in kinds_of(name) if KINDS[kind].tab == tab.name]
    if not kinds:
        raise wrong_kind(name, tab.kinds[0])
    return kinds


def wrong_kind(name: str, kind: str) -> ex.ModelUnavailable:
    """The refusal of a model that does not take this kind of input."""
    own = kinds_of(name)[0]
    if KINDS[own].tab != KINDS[kind].tab:
        return ex.ModelUnavailable(f"{name} belongs in the tab “{KINDS[own].tab}”.")
    return ex.ModelUnavailable(f"{name} takes the kind of input “{own}”, not “{kind}”.")

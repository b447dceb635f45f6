"""The models that visitors may use, and which kinds of input they take."""

from functools import lru_cache
from pathlib import Path

import explainers as ex

from ..inputs.kinds import PAIR, PICTURE, PICTURE_AND_TEXTS, PROMPT, QUESTION, TEXT
from .state import KINDS, Kind, Tab

MOST_CLASSES = 2000  # more do not fit a menu
LONGEST_NAME = 100  # characters of a model's name


@lru_cache(maxsize=4)
def model_of(name: str) -> ex.Model:
    """A bundled model, or one from the Hub.

    Folders are refused: a visitor cannot look at the disk of the server. Raises
    `ModelUnavailable` if there is no such model or if the page cannot use it.
    """
    if name not in ex.BUNDLED and not may_be_hub_id(name):
        raise ex.ModelUnavailable(
            "On this page a model is a bundled one, or the id of one on the Hub such as owner/name."
        )
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
    task = task_of(model)
    if task in ("classes", "picture"):
        name = type(model.net).__name__
        is_classifier = "ForSequenceClassification" in name or "ForImageClassification" in name
        if not is_classifier or len(model.labels) > MOST_CLASSES:
            return False
    if task != "picture" and model.tokenizer is None:
        return False
    return task not in ("picture", "match") or model.processor is not None


#: Of each task, the kinds of input that it takes.
INPUTS = {
    "classes": (TEXT, PAIR),
    "tokens": (TEXT,),
    "answer": (QUESTION,),
    "next": (PROMPT,),
    "picture": (PICTURE,),
    "match": (PICTURE_AND_TEXTS,),
}

ANSWERS = ("start", "end", "best span", "no answer")

HINTS = {
    "answer": "or any words of the context",
    "next": "or a token, such as “ Paris” with its space",
    "tokens": "or a label at a word: “PERSON at Anna”",
}


def task_of(model: ex.Model) -> str:
    if model.is_dual_encoder:
        return "match"
    return "picture" if model.anatomy.modality == "image" else model.task


def menu_of(model: ex.Model, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The targets that a menu offers. texts: those that a picture is matched with."""
    task = task_of(model)
    if task == "answer":
        return ANSWERS
    if task == "match":
        return texts
    return () if task in ("next", "tokens") else tuple(model.labels.values())


def kinds_of(name: str) -> list[str]:
    """The kinds of input that a model takes.

    Of the bundled classifiers of texts some are for single texts and the others for pairs.
    """
    if name in ex.BUNDLED:
        own = [kind for kind, one in KINDS.items() if one.model == name]
        return own or ["Pair"]
    return [kind for kind, one in KINDS.items() if takes(model_of(name), one)]


def takes(model: ex.Model, kind: Kind) -> bool:
    """Whether a model takes this kind of input."""
    return kind.input in INPUTS[task_of(model)]


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

"""Records do not change after they are made, and those of tensors are equal only to themselves."""

import importlib
import inspect
import pkgutil
from dataclasses import is_dataclass

from explainers import inputs, tasks
from explainers.evaluation import data, runs

PACKAGES = (inputs, tasks, data, runs)
MODULES = ("explainers.scores", "explainers.token_scores")

#: Two of these with equal fields are one and the same.
EQUAL = {
    "Class",
    "Columns",
    "Custom",
    "Difference",
    "Found",
    "InputKind",
    "Logit",
    "Plan",
    "Probability",
    "Reader",
    "Request",
    "Shown",
    "Span",
    "Tokens",
}


def records() -> dict[str, type]:
    """The dataclasses of inputs, tasks, scores, data and runs, by name."""
    names = list(MODULES)
    for package in PACKAGES:
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            names.append(found.name)
    made = {}
    for name in names:
        for thing in vars(importlib.import_module(name)).values():
            if inspect.isclass(thing) and is_dataclass(thing) and thing.__module__ == name:
                made[thing.__name__] = thing
    return made


def test_records_do_not_change():
    assert len(records()) > 20
    for name, record in records().items():
        assert record.__dataclass_params__.frozen, name


def test_records_of_tensors_are_equal_only_to_themselves():
    by_value = {name for name, one in records().items() if one.__dataclass_params__.eq}
    assert by_value == EQUAL

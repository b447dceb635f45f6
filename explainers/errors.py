"""Refusals: errors for the person who asked, one plain sentence each."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType

#: The most names of a menu that a refusal lists, and the most letters that it repeats.
LISTED = 30
REPEATED = 60


class Refusal(ValueError):
    """What was given cannot be explained; the message says what is possible.

    It is safe to show on a page, without a stack trace.
    """


class ModelUnavailable(Refusal):
    """A model that cannot be loaded or traced; the message says why, and what would work."""


def required(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    extra: the group of dependencies in `pyproject.toml` that brings the package. Raises `Refusal`
    that says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise Refusal(
            f"This needs the package {package}. Install it with pip install 'explainers[{extra}]', "
            f"or in a clone with pip install -e '.[{extra}]'."
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message, without the full stop, at most 300 characters.

    The error's type if it has no message.
    """
    for line in str(error).splitlines():
        if line.strip():
            return line.strip()[:300].rstrip(".")
    return type(error).__name__


def nearest(given: object, menu: Iterable[object], kind: str) -> Refusal:
    """The refusal of a name that is not in a menu, with the nearest name in it.

    "There is no method 'atcat'; did you mean 'attcat'? (raw_attention, rollout, ...)", or without
    a near one "There is no method 'zzz'; there are raw_attention, rollout, ..."
    """
    names = [str(name) for name in menu]
    by_lower_case = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(str(given).casefold(), by_lower_case, n=1, cutoff=0.5)
    listed = ", ".join(names[:LISTED])
    if len(names) > LISTED:
        listed += f", ... {len(names) - LISTED} more"
    sentence = f"There is no {kind} {str(given)[:REPEATED]!r}"
    if close:
        return Refusal(f"{sentence}; did you mean {by_lower_case[close[0]]!r}? ({listed})")
    return Refusal(f"{sentence}; there are {listed}.")

"""Refusals: errors written for the person who asked, one plain sentence each."""

from importlib import import_module


class Refusal(ValueError):
    """An input that cannot be explained; the message says what would do, and is safe to show."""


class ModelUnavailable(Refusal):
    """A model that cannot be loaded or traced, with the reason and what would work."""


def required(module: str, extra: str):
    """Import a module of an optional package, or refuse with a sentence that says how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Refusal(
            f"This needs the package {module.split('.')[0]}: "
            f"pip install 'explainers[{extra}]' brings it, "
            f"in a clone pip install -e '.[{extra}]'."
        ) from error


def first_line(error: Exception) -> str:
    """What an error says first, at most 300 characters without the full stop; its kind if it says
    nothing."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:300].rstrip(".")


def nearest(given: str, menu, kind: str) -> Refusal:
    """`no method 'atcat'; did you mean 'attcat'? (raw_attention, rollout, ...)`"""
    from difflib import get_close_matches

    menu = [str(name) for name in menu]
    folded = {name.casefold(): name for name in reversed(menu)}
    close = get_close_matches(str(given).casefold(), folded, n=1, cutoff=0.5)
    hint = f"; did you mean {folded[close[0]]!r}?" if close else "."
    shown = ", ".join(menu[:30]) + (f", ... {len(menu) - 30} more" if len(menu) > 30 else "")
    return Refusal(f"There is no {kind} {str(given)[:60]!r}{hint} ({shown})")

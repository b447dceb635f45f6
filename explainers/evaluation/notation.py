"""Methods and metrics with their options in one name: "aopc:fill=pad:levels=5"."""

from ..errors import Refusal, nearest
from ..heatmap import Heatmap
from ..methods import METHODS
from .baselines import BASELINES


def parse(name: str) -> tuple[str, dict[str, str]]:
    """Split a name into key and options: "aopc:levels=5" -> ("aopc", {"levels": "5"})."""
    key, *parts = str(name).split(":")
    options = {}
    for part in parts:
        option, _, value = part.partition("=")
        if not value:
            raise Refusal(
                f"Options are written as name:option=value; {str(name)[:60]!r} has {part[:40]!r}."
            )
        options[option] = value
    return key, options


def named(heat: Heatmap) -> str:
    """A heatmap's method and options, as `parse` reads them."""
    parts = [heat.method]
    for name, value in heat.options.items():
        if isinstance(value, bool):
            value = str(value).lower()
        parts.append(f"{name}={value}")
    return ":".join(parts)


def check_method(key: str) -> str:
    """Return `key` if it is a method or a baseline; else raise a `Refusal` that lists both."""
    if key not in METHODS and key not in BASELINES:
        raise nearest(key, [*METHODS, *BASELINES], "method")
    return key

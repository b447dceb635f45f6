"""Options of a method or a metric: the keywords of a function, with choices and limits."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args, get_origin, get_type_hints

from .errors import Refusal, nearest

#: The largest value of options that count passes, by name, and of every other whole number.
MOST = {"steps": 1000, "samples": 1000, "levels": 1000}
MOST_ELSE = 2**31 - 1

#: What an option takes that is not free text, in words.
WANTED = {bool: "true or false", int: "a whole number", float: "a number"}


class Limit(NamedTuple):
    """Which numbers an option accepts: a test, and the same in words."""

    accepts: Callable[[float], bool]
    words: str


AT_LEAST_ONE = Limit(lambda value: value >= 1, "at least 1")
NOT_NEGATIVE = Limit(lambda value: 0 <= value < math.inf, "finite and at least 0")


@dataclass(frozen=True)
class Option:
    """One keyword of a method or a metric.

    name      the name of the parameter
    default   its default value
    choices   the values that it takes, where it takes only some
    kind      bool, int, float or str
    limit     which numbers it accepts, where not every number makes sense
    """

    name: str
    default: Any
    choices: tuple = ()
    kind: type = str
    limit: Limit | None = None

    @property
    def most(self) -> int | None:
        """The largest whole number that it takes; None for an option of another kind."""
        if self.kind is not int:
            return None
        return MOST.get(self.name, MOST_ELSE)

    def read(self, value: Any) -> Any:
        """Check `value`, as typed on a command line or given in Python, and convert it.

        Raises `Refusal` with what the option takes instead.
        """
        if value is None and self.default is None:
            return None
        if self.choices:
            if value not in self.choices:
                raise nearest(str(value), self.choices, f"choice of {self.name}")
            return value
        converted = self.converted(value)
        if converted is None:
            wanted = WANTED[self.kind]
            raise Refusal(f"The option {self.name} takes {wanted}; got {str(value)[:40]!r}.")
        if self.most and abs(converted) > self.most:
            raise Refusal(
                f"The option {self.name} takes at most {self.most:,}; got {str(value)[:40]}."
            )
        if self.limit and not self.limit.accepts(converted):
            raise Refusal(
                f"The option {self.name} must be {self.limit.words}; got {str(value)[:40]}."
            )
        return converted

    def converted(self, value: Any) -> Any:
        """`value` in the type of this option; None where it has no such value."""
        if self.kind is bool:
            return truth(value)
        try:
            converted = self.kind(value)
            if self.kind is int and converted != float(value):
                return None
        except (TypeError, ValueError, OverflowError):
            return None
        return converted


def truth(value: Any) -> bool | None:
    """True or False, also as a word in any case; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.casefold())
    if isinstance(value, bool):
        return value
    return None


def options_of(function: Callable, limits: Mapping[str, Limit] | None = None) -> dict[str, Option]:
    """The options of a function: its parameters that have a default."""
    limits = limits or {}
    hints = get_type_hints(function)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        default = parameter.default
        if default is parameter.empty:
            continue
        hint = hints[name]
        options[name] = Option(
            name, default, choices_in(hint), type_of(default, hint), limits.get(name)
        )
    return options


def choices_in(hint: Any) -> tuple:
    """The values of the `Literal` in a type hint, which may be a union; () where there is none."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return get_args(part)
    return ()


def type_of(default: Any, hint: Any) -> type:
    """The type of a default, or the number type that the hint allows beside None, or str."""
    if default is not None:
        return type(default)
    for kind in get_args(hint):
        if kind in WANTED:
            return kind
    return str


class HasOptions(Protocol):
    """A method, a metric or a baseline."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def options(self) -> dict[str, Option]: ...


def read_options(owner: HasOptions, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the values of `options` for a method or a metric, and convert them.

    Raises `Refusal` for a name that it does not have or a value that it does not take.
    """
    checked = {}
    for name, value in options.items():
        if name in owner.options:
            checked[name] = owner.options[name].read(value)
        elif owner.options:
            raise nearest(name, owner.options, f"option of {owner.key}")
        else:
            raise Refusal(f"{owner.title} has no options; got {name!r}.")
    return checked

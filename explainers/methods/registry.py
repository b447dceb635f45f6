"""The list of methods: one decorator, one dict. A method's signature is its options, its docstring is its card."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from ..errors import Refusal, nearest
from ..trace import Trace, ordinary

MOST = {
    "steps": 1000,
    "samples": 1000,
    "levels": 1000,
}  # of options that count passes, so that none runs away
MOST_ELSE = 2**31 - 1

#: Whether a number will do, and in words which ones would.
Limit = tuple[Callable[[float], bool], str]
AT_LEAST_ONE: Limit = (lambda value: value >= 1, "at least 1")
NOT_NEGATIVE: Limit = (lambda value: 0 <= value < math.inf, "finite and at least 0")


@dataclass(frozen=True)
class Option:
    """A keyword of a method or a metric: its default and, where only some values make sense, which."""

    name: str
    default: object
    choices: tuple = ()
    kind: type = str
    limit: Limit | None = None

    @property
    def most(self) -> int | None:
        """The largest whole number that it takes; None for what is no whole number."""
        return MOST.get(self.name, MOST_ELSE) if self.kind is int else None

    def read(self, value):
        """`value`, as typed on a command line or given in Python, or a `Refusal` that names what would do."""
        if value is None and self.default is None:
            return None
        if self.choices:
            if value not in self.choices:
                raise nearest(value, self.choices, f"choice of {self.name}")
            return value
        if self.kind is bool and isinstance(value, str) and value.casefold() in ("true", "false"):
            return value.casefold() == "true"
        try:
            read = self.kind(value)
        except (TypeError, ValueError, OverflowError):
            read = None
        if (
            read is None
            or (self.kind is bool and not isinstance(value, bool))
            or (self.kind is int and read != float(value))
        ):
            wanted = {bool: "true or false", int: "a whole number", float: "a number"}[self.kind]
            raise Refusal(f"The option {self.name} takes {wanted}; got {str(value)[:40]!r}.")
        if self.most and abs(read) > self.most:
            raise Refusal(
                f"The option {self.name} takes at most {self.most:,}; got {str(value)[:40]}."
            )
        if self.limit and not self.limit[0](read):
            raise Refusal(f"The option {self.name} is {self.limit[1]}; got {str(value)[:40]}.")
        return read


def options_of(function: Callable, limits: Mapping[str, Limit] | None = None) -> dict[str, Option]:
    """The keywords of a function, which are its parameters with a default, and their limits."""
    hints = get_type_hints(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is parameter.empty:
            continue
        kinds = [kind for kind in get_args(hints[name]) if kind is not type(None)]
        literal = next(
            (hint for hint in (hints[name], *kinds) if get_origin(hint) is Literal), None
        )
        kind = (
            type(parameter.default)
            if parameter.default is not None
            else next((k for k in kinds if k in (bool, int, float)), str)
        )
        choices = get_args(literal) if literal else ()
        found[name] = Option(name, parameter.default, choices, kind, (limits or {}).get(name))
    return found


def read_options(owner, options: dict) -> dict:
    """`options` of a method or a metric with their values checked; an unknown name or value is a `Refusal` that lists the menu."""
    for name in options:
        if name not in owner.options:
            if not owner.options:
                raise Refusal(f"{owner.title} has no options; got {name!r}.")
            raise nearest(name, owner.options, f"option of {owner.key}")
    return {name: owner.options[name].read(value) for name, value in options.items()}


def known_to(function: Callable, options: dict) -> dict:
    """Those of `options` that a function takes."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in names}


@dataclass(frozen=True)
class Card:
    """What a person should know about a method: the parts of its docstring."""

    idea: str
    formula: str
    sign: str
    limits: str
    options: str = ""


@dataclass(frozen=True)
class Method:
    """A way to spread a score over tokens. Call it on a trace for the raw numbers: METHODS[key](trace, **options).

    It runs without gradients; passes that need them (`trace.again`) turn them on for themselves.

    signed          a negative number means "away from the target"
    class_specific  another target gives another map
    cost            forward (F) and backward (B) passes of one explanation and what else takes long, n = number of tokens, L = number of layers, options in
                    braces; or a function of the options
    tasks, only     defined for "text", "image" or both; of one, why not for the other
    single_pass     needs nothing but the trace, which comparisons share, and little time; so it is with the default options
    most_tokens     refused above this many tokens, because time or memory would run away; too_long says by what, n = tokens
    at_readout      its map is the readout token's row (`Trace.read`): of a score read from several tokens, the mean of theirs
    invariant       a law its numbers obey, tested on every model: completeness, rows sum to one, layers sum to the map
    widened         it computes in float32 or float64 itself, also where the network runs in half precision
    limits          of options that are numbers: whether one will do, and which ones would, in words
    """

    key: str
    title: str
    family: str
    paper: str
    url: str
    signed: bool
    class_specific: bool
    cost: str | Callable[[dict], str]
    tasks: tuple[str, ...]
    only: str
    invariant: str
    run: Callable = field(repr=False)
    run_layers: Callable | None = field(default=None, repr=False)
    name_rows: Callable | None = field(default=None, repr=False)
    run_totals: Callable | None = field(default=None, repr=False)
    run_maps: Callable | None = field(default=None, repr=False)
    run_heads: Callable | None = field(default=None, repr=False)
    run_pixels: Callable | None = field(default=None, repr=False)
    most_tokens: int | None = None
    too_long: str = ""
    at_readout: bool = False
    widened: bool = False
    limits: Mapping[str, Limit] = field(default_factory=dict, repr=False)

    def __call__(self, trace: Trace, **options) -> Tensor:
        """Raw scores [token], specials included."""
        return self.measure(trace, **options)[0]

    @ordinary
    @torch.no_grad()
    def measure(self, trace: Trace, **options) -> tuple[Tensor, dict[str, float]]:
        """Raw scores [token], and what the method measured of itself on the way."""
        self.check_kind(trace)
        result = self.run(trace, **self.read(options))
        return result if isinstance(result, tuple) else (result, {})

    @ordinary
    @torch.no_grad()
    def layers(self, trace: Trace, **options) -> Tensor:
        """The per-layer picture [layers, token]. Refused by methods that have none."""
        return self.part("run_layers", "per-layer picture", trace, options)

    @ordinary
    @torch.no_grad()
    def totals(self, trace: Trace, **options) -> dict[str, Tensor]:
        """Maps [token] that the layers can be made into, by name; {} where the map is the last layer's."""
        self.check_kind(trace)
        return (
            self.run_totals(trace, **known_to(self.run_totals, self.read(options)))
            if self.run_totals
            else {}
        )

    @ordinary
    @torch.no_grad()
    def maps(self, trace: Trace, **options) -> Tensor:
        """What each token gave each token in every layer [layers query key], before layers are chained. Refused by methods that have none."""
        return self.part("run_maps", "token-by-token maps", trace, options)

    @ordinary
    @torch.no_grad()
    def heads(self, trace: Trace, **options) -> Tensor:
        """The share of every attention head [layers head token]. Refused by methods that have no head axis."""
        return self.part("run_heads", "head axis", trace, options)

    @ordinary
    @torch.no_grad()
    def pixels(self, trace: Trace, **options) -> Tensor:
        """The map of a picture pixel by pixel [height width], as the model reads them. Refused by methods that have none."""
        return self.part("run_pixels", "map by pixels", trace, options)

    def part(self, name: str, what: str, trace: Trace, options: dict) -> Tensor:
        """What the function `name` of this method gives; where there is none, the methods that have one."""
        function = getattr(self, name)
        if function is None:
            having = ", ".join(method.key for method in METHODS.values() if getattr(method, name))
            raise Refusal(f"{self.title} has no {what}. These have: {having}.")
        self.check_kind(trace)
        return function(trace, **known_to(function, self.read(options)))

    def check_kind(self, trace: Trace) -> None:
        """A `Refusal` with the method's own reason, for a picture or a text that it is not for."""
        if ("text" if trace.grid is None else "image") not in self.tasks:
            kind = "texts" if trace.grid is None else "pictures"
            raise Refusal(f"{self.title} is not defined for {kind}: {self.only}.")

    def check_length(self, tokens: int) -> None:
        """A `Refusal` that says what it would need, for an input too long for this method; before anything is computed."""
        if self.most_tokens and tokens > self.most_tokens:
            raise Refusal(
                f"{self.title} takes at most {self.most_tokens} tokens and this input has {tokens}: it would need "
                f"{self.too_long.format(n=tokens)}. Shorten the text, or choose another method."
            )

    @property
    def passes(self) -> str:
        """The cost with default options."""
        return self.cost_of({})

    def cost_of(self, options: dict, tokens: int | None = None, layers: int | None = None) -> str:
        values = {name: option.default for name, option in self.options.items()} | options
        cost = self.cost(values) if callable(self.cost) else self.cost.format(**values)
        return cost.replace("n", "n" if tokens is None else str(tokens)).replace(
            "L", "L" if layers is None else str(layers)
        )

    @property
    def single_pass(self) -> bool:
        return self.is_single_pass({})

    def is_single_pass(self, options: dict) -> bool:
        return self.cost_of(options) in ("1F", "1F 1B")

    @cached_property
    def options(self) -> dict[str, Option]:
        return options_of(self.run, self.limits)

    def read(self, options: dict) -> dict:
        """Options with their values checked; an unknown name or value is a `Refusal` that lists the menu."""
        return read_options(self, options)

    @cached_property
    def card(self) -> Card:
        """The docstring by its paragraphs: the first is the idea, the others start with what they are."""
        paragraphs = [
            " ".join(text.split()) for text in re.split(r"\n\s*\n", inspect.getdoc(self.run) or "")
        ]
        parts = dict(text.split(": ", 1) for text in paragraphs[1:])
        return Card(paragraphs[0], **{name.casefold(): text for name, text in parts.items()})


METHODS: dict[str, Method] = {}


def method(
    title: str,
    *,
    family: str,
    paper: str,
    url: str,
    signed: bool,
    class_specific: bool,
    passes: str | Callable[[dict], str],
    tasks: tuple[str, ...] = ("text", "image"),
    only: str = "",
    invariant: str = "",
    layers: Callable | None = None,
    rows: Callable | None = None,
    totals: Callable | None = None,
    maps: Callable | None = None,
    heads: Callable | None = None,
    pixels: Callable | None = None,
    most_tokens: int | None = None,
    too_long: str = "",
    at_readout: bool = False,
    widened: bool = False,
    limits: Mapping[str, Limit] | None = None,
):
    """Put a function `trace -> scores` on the menu under its own name.

    `layers` gives the per-layer picture of the same trace, `rows` names its rows (by default L0, L1, ...), and `totals`
    the ways to make one map of them. `maps` gives what each token gave each token in every layer, `heads` the share of
    every head, `pixels` a picture's map pixel by pixel. `most_tokens` is the longest input it is offered for, and `too_long` what a longer one would need.
    `widened` is said where half precision costs nothing. `limits` refuses options out of range
    before anything runs.
    """

    def register(run: Callable) -> Method:
        key = run.__name__
        if key in METHODS:
            raise ValueError(f"two methods are called {key}")
        METHODS[key] = Method(
            key,
            title,
            family,
            paper,
            url,
            signed,
            class_specific,
            passes,
            tasks,
            only,
            invariant,
            run,
            layers,
            rows,
            totals,
            maps,
            heads,
            pixels,
            most_tokens,
            too_long,
            at_readout,
            widened,
            limits or {},
        )
        return METHODS[key]

    return register


def find(key: str) -> Method:
    if key not in METHODS:
        raise nearest(key, METHODS, "method")
    return METHODS[key]


def within(index: int, size: int, what: str) -> int:
    """`index` if there is such a layer or head, else a plain sentence."""
    if not -size <= index < size:
        raise Refusal(f"There is no {what} {index}: this model has {what}s 0 to {size - 1}.")
    return index

"""The list of methods. A method's signature is its options, its docstring is its card."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from ..bibliography import Citation, cite
from ..errors import Refusal, nearest
from ..options import Limit, Option, options_of, read_options
from ..trace import Trace, ordinary
from .attribution import PARTS, Attribution

#: What a part of an attribution is called in a sentence.
CALLED = {
    "layers": "map by layer",
    "heads": "map by head",
    "maps": "token-by-token maps",
    "pixels": "map by pixels",
    "totals": "other totals",
}


@dataclass(frozen=True)
class Output:
    """What the numbers of a method are.

    signed          a negative number means "away from the target"
    class_specific  another target gives another map
    parts           what it computes beside the scores, out of `PARTS`
    at_readout      its map is the row of the token that the score is read from (`Trace.read`)
    invariant       a property that the tests check on every model, such as "sums to one"
    widened         it computes in float32 or float64 even where the model runs in half precision
    """

    signed: bool
    class_specific: bool
    parts: tuple[str, ...] = ()
    at_readout: bool = False
    invariant: str = ""
    widened: bool = False

    def __post_init__(self):
        unknown = set(self.parts) - set(PARTS)
        if unknown:
            raise ValueError(f"parts are out of {', '.join(PARTS)}; got {', '.join(unknown)}")


@dataclass(frozen=True)
class Cost:
    """What one explanation costs.

    passes       forward (F) and backward (B) passes and whatever else takes long; n = number of
                 tokens, L = number of layers, options in braces. Or a function of the options.
    most_tokens  longer inputs are refused, since time or memory would run away
    too_long     what a longer input would need; {n} = number of tokens
    """

    passes: str | Callable[[Mapping[str, Any]], str]
    most_tokens: int | None = None
    too_long: str = ""

    def of(
        self, options: Mapping[str, Any], tokens: int | None = None, layers: int | None = None
    ) -> str:
        """The cost with these values of all options; n and L stay letters where not given."""
        if callable(self.passes):
            passes = self.passes(options)
        else:
            passes = self.passes.format(**options)
        if tokens is not None:
            passes = passes.replace("n", str(tokens))
        if layers is not None:
            passes = passes.replace("L", str(layers))
        return passes

    def forward_passes(self, options: Mapping[str, Any], tokens: int, layers: int) -> int | None:
        """The number of forward passes, at most; None where it depends on the input."""
        found = re.match(r"(?:up to )?([\d·]+)F", self.of(options, tokens, layers))
        return math.prod(map(int, found[1].split("·"))) if found else None


@dataclass(frozen=True)
class Only:
    """The one kind of input that a method is defined for, and why not for the other."""

    modality: Literal["text", "image"]
    reason: str


@dataclass(frozen=True)
class Card:
    """What a person should know about a method: the parts of its docstring.

    `options` has one line for each option: its name, its default and what it does.
    """

    idea: str
    formula: str
    sign: str
    limits: str
    options: str = ""


@dataclass(frozen=True)
class Method:
    """A way to distribute a score over the tokens of an input: METHODS[key](trace, **options).

    `run` gives everything that the method computes as an `Attribution`; calling the method gives
    its scores, and `measure`, `layers`, `heads`, `maps`, `pixels` and `totals` give one part. They
    run without gradients; passes that need them (`trace.again`) turn them on for themselves.
    """

    key: str
    title: str
    family: str
    citation: Citation
    output: Output
    cost: Cost
    options: dict[str, Option]
    compute: Callable[..., Attribution] = field(repr=False)
    only_for: Only | None = None

    def __call__(self, trace: Trace, **options) -> Tensor:
        """The scores [token], special tokens included."""
        return self.run(trace, **options).scores

    @ordinary
    @torch.no_grad()
    def run(self, trace: Trace, **options) -> Attribution:
        """Apply the method to a trace. Raises `Refusal` for options and inputs it is not for."""
        self.check_kind(trace)
        return self.compute(trace, **self.read(options))

    def measure(self, trace: Trace, **options) -> tuple[Tensor, dict[str, float]]:
        """The scores [token], and what the method measured of itself."""
        found = self.run(trace, **options)
        return found.scores, found.facts

    def layers(self, trace: Trace, **options) -> Tensor:
        """The map by layer [row token]. Raises `Refusal` if the method has none."""
        return self.part("layers", trace, options)

    def heads(self, trace: Trace, **options) -> Tensor:
        """The share of every head [layer head token]. Raises `Refusal` if it has none."""
        return self.part("heads", trace, options)

    def maps(self, trace: Trace, **options) -> Tensor:
        """What each token gave each token [layer query key]. Raises `Refusal` if it has none."""
        return self.part("maps", trace, options)

    def pixels(self, trace: Trace, **options) -> Tensor:
        """The map of a picture by pixels [height width]. Raises `Refusal` if it has none."""
        return self.part("pixels", trace, options)

    def totals(self, trace: Trace, **options) -> dict[str, Tensor]:
        """Maps [token] that the layers can be combined into, by name; {} if the method has none."""
        if "totals" not in self.parts:
            return {}
        return self.run(trace, **options).totals

    def part(self, name: str, trace: Trace, options: Mapping[str, Any]) -> Tensor:
        """One part of the attribution. Raises `Refusal` with the methods that have one."""
        if name not in self.parts:
            having = ", ".join(other.key for other in METHODS.values() if name in other.parts)
            raise Refusal(f"{self.title} has no {CALLED[name]}. These have: {having}.")
        return getattr(self.run(trace, **options), name)

    def check_kind(self, trace: Trace) -> None:
        """Raise a `Refusal` with the method's reason for a kind of input that it is not for."""
        modality = "text" if trace.grid is None else "image"
        if modality not in self.modalities:
            kind = {"text": "texts", "image": "pictures"}[modality]
            raise Refusal(f"{self.title} is not defined for {kind}: {self.only}.")

    def check_length(self, tokens: int) -> None:
        """Raise a `Refusal` for an input that is too long, before anything is computed."""
        most = self.most_tokens
        if most and tokens > most:
            raise Refusal(
                f"{self.title} takes at most {most} tokens and this input has {tokens}: it would "
                f"need {self.cost.too_long.format(n=tokens)}. Shorten the text, or choose another "
                "method."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        return self.output.parts

    @property
    def paper(self) -> str:
        """The short name of its paper, or of several: "Qiang et al. 2022"."""
        return self.citation.name

    @property
    def url(self) -> str:
        """The address of its paper, of several the first one's."""
        return self.citation.url

    @property
    def signed(self) -> bool:
        return self.output.signed

    @property
    def class_specific(self) -> bool:
        return self.output.class_specific

    @property
    def at_readout(self) -> bool:
        return self.output.at_readout

    @property
    def invariant(self) -> str:
        return self.output.invariant

    @property
    def widened(self) -> bool:
        return self.output.widened

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it is defined for: "text", "image" or both."""
        return (self.only_for.modality,) if self.only_for else ("text", "image")

    @property
    def tasks(self) -> tuple[str, ...]:
        """`modalities` by their name in version 0.2."""
        return self.modalities

    @property
    def only(self) -> str:
        """Why it is defined for one kind of input alone; empty where it is for both."""
        return self.only_for.reason if self.only_for else ""

    @property
    def most_tokens(self) -> int | None:
        return self.cost.most_tokens

    @property
    def passes(self) -> str:
        """The cost with default options."""
        return self.cost_of({})

    def cost_of(
        self, options: Mapping[str, Any], tokens: int | None = None, layers: int | None = None
    ) -> str:
        """The cost with these options, and the others at their defaults."""
        return self.cost.of(self.with_defaults(options), tokens, layers)

    def forward_passes(self, options: Mapping[str, Any], tokens: int, layers: int) -> int | None:
        """How many forward passes these options take, at most; None if that is not known before.

        tokens: how many can be explained. layers: of the model.
        """
        return self.cost.forward_passes(self.with_defaults(options), tokens, layers)

    def with_defaults(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """These options, and the others at their defaults."""
        defaults = {name: option.default for name, option in self.options.items()}
        return defaults | dict(options)

    @property
    def single_pass(self) -> bool:
        """Whether the traced pass is all that it needs, with default options."""
        return self.is_single_pass({})

    def is_single_pass(self, options: Mapping[str, Any]) -> bool:
        return self.cost_of(options) in ("1F", "1F 1B")

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Check the values of options. Raises `Refusal` for an unknown name or value."""
        return read_options(self, options)

    @cached_property
    def card(self) -> Card:
        """The docstring by its paragraphs."""
        return card_of(inspect.getdoc(self.compute) or "", self.options)


def card_of(docstring: str, options: Mapping[str, Option]) -> Card:
    """Read a card from a docstring: first the idea, then paragraphs that begin with their name.

    The paragraph `Options:` is a list, `- name: what it does`; each line gets the default.
    """
    idea, *others = re.split(r"\n\s*\n", docstring)
    parts = {}
    for paragraph in others:
        name, text = paragraph.split(":", 1)
        parts[name.strip().casefold()] = text
    lines = []
    for line in re.split(r"\n\s*- ", parts.pop("options", ""))[1:]:
        name, text = one_line(line).split(": ", 1)
        lines.append(f"{name}{default_of(options[name])}: {text}")
    texts = {name: one_line(text) for name, text in parts.items()}
    return Card(one_line(idea), **texts, options="\n".join(lines))


def one_line(text: str) -> str:
    return " ".join(text.split())


def default_of(option: Option) -> str:
    """The default of an option in brackets; nothing where the text says what None stands for."""
    if option.default is None:
        return ""
    if isinstance(option.default, bool):
        return f" ({str(option.default).lower()})"
    return f" ({option.default})"


METHODS: dict[str, Method] = {}


def method(
    key: str,
    title: str,
    *,
    family: str,
    paper: str,
    output: Output,
    cost: Cost,
    only: Only | None = None,
    limits: Mapping[str, Limit] | None = None,
):
    """Put a function `(trace, options...) -> Attribution` on the menu under `key`.

    key     the name in Python, on the command line and in links
    title   the name that people read
    family  the group that it stands in on the page
    paper   its key in `references.bib`; of several papers their keys with commas between them
    output  what its numbers are
    cost    its passes, and the longest input
    only    given where it is defined for texts alone, or for pictures alone
    limits  of options that are numbers: which ones are accepted; others are refused at once
    """

    def register(compute: Callable[..., Attribution]) -> Callable[..., Attribution]:
        if key in METHODS:
            raise ValueError(f"two methods are called {key}")
        METHODS[key] = Method(
            key=key,
            title=title,
            family=family,
            citation=cite(paper),
            output=output,
            cost=cost,
            options=options_of(compute, limits),
            compute=compute,
            only_for=only,
        )
        return compute

    return register


def find(key: str) -> Method:
    """The method called `key`. Raises `Refusal` with the menu if there is none."""
    if key not in METHODS:
        raise nearest(key, METHODS, "method")
    return METHODS[key]

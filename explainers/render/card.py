"""What maps of texts and of pictures share: the card, its styles, badges, legends and notes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from ..numerals import readable
from ..token_scores import TokenScores
from .characters import NBSP, PICTOGRAM, visible
from .colours import largest

Scores = TypeVar("Scores", bound=TokenScores)

#: How Gradio, JupyterLab, VS Code and Colab say that their page is dark.
DARK_HOSTS = ':is(.dark, [data-jp-theme-light="false"], body.vscode-dark, html[theme="dark"])'


class Html(str):
    """HTML that draws itself in a notebook."""

    def _repr_html_(self) -> str:
        return str(self)


# ----------------------------------------------------------------------------------------- styles


@lru_cache
def stylesheet(dark: str = DARK_HOSTS, controls: bool = False) -> str:
    """The styles, as one line.

    dark: the CSS selector of a dark page, or "system" for the reader's own setting.
    controls: also the styles that only the app's page needs.
    """
    night = css_file("heatmap_dark")
    if dark == "system":
        night = f"@media (prefers-color-scheme: dark) {{{night.replace('@dark', ':root')}}}"
    else:
        night = night.replace("@dark", dark)
    css = css_file("heatmap") + night
    if controls:
        css += css_file("controls")
    without_comments = re.sub(r"/\*.*?\*/|\s+", " ", css)
    return re.sub(r"\s*([{};,])\s*", r"\1", without_comments)


def css_file(name: str) -> str:
    return (Path(__file__).parent / f"{name}.css").read_text(encoding="utf-8")


def styled(html: str) -> str:
    """HTML together with the style rules that it needs, and no others.

    A notebook keeps the styles with every picture, so that they must be short.
    """
    classes = set(re.findall(r"xp-[\w-]+", html))
    rules = re.findall(r"@[^{]+\{(?:[^{}]*\{[^{}]*\})*\s*\}|[^{}]+\{[^{}]*\}", stylesheet())
    needed = "".join(rule for rule in rules if is_needed(rule, classes))
    return f"<style>{needed}</style>{html}"


def is_needed(rule: str, classes: set[str]) -> bool:
    """Whether a style rule can apply where these classes are used."""
    if rule.startswith("@"):
        return True
    selector = rule.partition("{")[0]
    alternatives = [selector] if ":is(" in selector else selector.split(",")
    for alternative in alternatives:
        if classes.issuperset(re.findall(r"\.(xp-[\w-]+)", alternative)):
            return True
    return False


def with_styles(html: str, style: bool) -> str:
    """HTML with its styles if `style`, else as it is."""
    return styled(html) if style else html


def card(body: str, palette: str, kind: str = "", style: str = "") -> str:
    """A card around HTML. kind, style: further classes and variables of the card."""
    variables = f' style="{style}"' if style else ""
    return f'<div class="xp xp-{escape(palette)}{kind}"{variables}>{body}</div>'


# ------------------------------------------------------------------------------------------- maps


def with_unique_titles(heats: Sequence[Scores]) -> list[Scores]:
    """The same maps, with their options in their titles, and their targets where titles repeat."""
    titles = {heat.title for heat in heats}
    targets = {heat.target for heat in heats}
    several_targets = len(titles) < len(heats) and len(targets) > 1
    unique = []
    for heat in heats:
        options = [f"{name.replace('_', ' ')} {value}" for name, value in heat.options.items()]
        target = heat.target if several_targets else ""
        parts = (heat.title, target, ", ".join(options))
        unique.append(replace(heat, title=": ".join(part for part in parts if part)))
    return unique


def column_head(label: str) -> str:
    """The inside of a column's head, which is written upwards.

    Pictograms stay upright, since a thumb that is turned means something else.
    """
    return PICTOGRAM.sub(r'<span class="xp-upright">\g<0></span>', escape(visible(label)))


def column_titles(heats: Sequence[TokenScores]) -> str:
    """The heads of a plain table with one column a map."""
    return "".join(f'<th scope="col">{escape(heat.title)}</th>' for heat in heats)


def badge(signed: bool) -> str:
    """The badge that says whether a method's scores have a sign."""
    name, title = "unsigned", "how much, not which way"
    if signed:
        name, title = "signed", "which way, and how much"
    return f'<span class="xp-badge {name}" title="{title}">{name}</span>'


def facts_line(heat: TokenScores, shown: Tensor, beside: str = "specials") -> str:
    """The badge, and in small print: cost, share of the special tokens, largest |score|, facts.

    shown: the scores that are drawn. beside: the name of the tokens that are not.
    """
    parts = [heat.cost]
    if beside:
        parts.append(f"{beside} {100 * heat.special_share:.0f} %")
    parts.append(f"max {readable(largest(shown), 2)}")
    parts += [f"{name} {readable(value)}" for name, value in heat.facts.items()]
    line = " · ".join(part.replace(" ", NBSP) for part in parts if part)
    return f'{badge(heat.signed)}<span class="xp-more">{escape(line)}</span>'


def ramps(heats: Sequence[TokenScores], kind: str = "") -> str:
    """The meaning of the colours: of the first map, then of the others if they differ."""
    html: dict[tuple[str, str], str] = {}
    for heat in heats:
        low, high = heat.poles if heat.signed else ("unsigned: little", "much")
        one = "" if heat.signed else " one"
        ramp = f"<i class='xp-ramp{one}{kind}'></i>"
        html.setdefault((low, high), f"<span>{escape(low)}{ramp}{escape(high)}</span>")
    return "".join(html.values())


def notes_html(heats: Sequence[TokenScores]) -> str:
    """The notes of all maps, each once."""
    return "".join(f'<p class="xp-note">{escape(note)}</p>' for note in all_notes(heats))


def all_notes(heats: Sequence[TokenScores]) -> list[str]:
    """The notes of all maps, each once."""
    notes: dict[str, None] = {}
    for heat in heats:
        notes |= dict.fromkeys(heat.notes)
    return list(notes)


def layers_in_words(heat: TokenScores, parts: str, row: str = "row") -> str:
    """What the rows of a layer panel are, and which of them equals the map itself.

    parts: what the tokens are, "words" or "patches". row: what a row is called.
    """
    if not heat.totals:
        return f"The map layer by layer, all on one scale{same_as_map(heat, row)}."
    meaning = {
        "Sum": "Sum adds the layers up",
        "Rollout": f"Rollout carries each layer's evidence back to the {parts} along attention",
    }
    sentences = []
    for name, total in heat.totals.items():
        ending = " and is the map above" if total.equal(heat.scores) else ""
        sentences.append(meaning[name] + ending)
    return (
        "Where in the network the evidence appears. The layers share one scale; "
        f"{' and '.join(sentences)}."
    )


def same_as_map(heat: TokenScores, row: str) -> str:
    """The words that name the last or the first row if it equals the map; else nothing."""
    rows = heat.layer_scores
    if rows[-1].equal(heat.scores):
        return f"; the last {row} is the map above"
    if rows[0].equal(heat.scores):
        return f"; the first {row} is the map above"
    return ""


# --------------------------------------------------------------------------- methods without a map


@dataclass(frozen=True)
class Missing:
    """The methods of a comparison that have no map.

    waiting    titles of the methods that are not computed yet; the first is being computed
    refused    {title: reason} of the methods that this input, target or model is not for
    """

    waiting: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.waiting or self.refused)

    def turns(self) -> list[tuple[str, str]]:
        """Title and state of the methods that are not computed yet."""
        states = ["computing …"] + ["waiting …"] * len(self.waiting)
        return list(zip(self.waiting, states))

    def strips(self) -> str:
        """A strip for each method: first the refused ones, with the reason."""
        rows = [*self.refused.items(), *self.turns()]
        return "".join(strip_html(title, sentence) for title, sentence in rows)


def strip_html(title: str, sentence: str) -> str:
    """The place of a method that has no map."""
    return (
        f'<div class="xp-strip"><h3>{escape(title)}</h3>'
        f'<p class="xp-sub">{escape(sentence)}</p></div>'
    )

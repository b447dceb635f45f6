"""What maps of texts and of pictures share: the card, its styles, colours in words, badges, and places that still wait."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape
from pathlib import Path

from torch import Tensor

from ..token_scores import TokenScores

PALETTES = {
    "orange-blue": "orange towards, blue away",
    "green-red": "the paper's green and red",
    "red-blue": "SHAP's red and blue",
}

STRONG = 0.6  # share of the largest |score| from which a sign is drawn, so that colour is not the only cue

NBSP = "\u00a0"

#: One emoji or arrow, with what is joined to it: a colour of skin, a sign of style, another one
#: behind a joiner; or a flag of two letters.
PICTURE = "[\u2190-\u21ff\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
JOINED = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff]"
PICTOGRAM = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{PICTURE}{JOINED}*(?:\u200d{PICTURE}{JOINED}*)*"
)

UNWRITABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

#: How Gradio, JupyterLab, VS Code and Colab say that their page is dark.
DARK_HOSTS = ':is(.dark, [data-jp-theme-light="false"], body.vscode-dark, html[theme="dark"])'


class Html(str):
    """HTML that draws itself in a notebook."""

    def _repr_html_(self) -> str:
        return str(self)


@lru_cache
def stylesheet(dark: str = DARK_HOSTS, controls: bool = False) -> str:
    """The styles, as one line; `dark` is what says that the page is dark, or "system" for the reader's own setting.

    controls: also what only the app's page has.
    """
    light, night, more = (
        (Path(__file__).parent / f"{name}.css").read_text(encoding="utf-8")
        for name in ("heatmap", "heatmap_dark", "controls")
    )
    night = (
        "@media (prefers-color-scheme: dark) {" + night.replace("@dark", ":root") + "}"
        if dark == "system"
        else night.replace("@dark", dark)
    )
    css = light + night + (more if controls else "")
    return re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"/\*.*?\*/|\s+", " ", css))


def styled(html: str) -> str:
    """A piece of HTML that brings the rules for what is in it along, and no others: a notebook keeps them with every picture."""
    there = set(re.findall(r"xp-[\w-]+", html))

    def needed(rule: str) -> bool:
        selector = rule.partition("{")[0]
        alternatives = [selector] if ":is(" in selector else selector.split(",")
        return rule.startswith("@") or any(
            there.issuperset(re.findall(r"\.(xp-[\w-]+)", one)) for one in alternatives
        )

    rules = re.findall(r"@[^{]+\{(?:[^{}]*\{[^{}]*\})*\s*\}|[^{}]+\{[^{}]*\}", stylesheet())
    return f"<style>{''.join(filter(needed, rules))}</style>{html}"


def card(body: str, palette: str, kind: str = "", style: str = "") -> str:
    """kind, style: further classes and variables of the card."""
    held = f' style="{style}"' if style else ""
    return f'<div class="xp xp-{escape(palette)}{kind}"{held}>{body}</div>'


def largest(scores: Tensor) -> float:
    """The largest |score|; what is no number counts as zero."""
    return float(scores.nan_to_num(0, 0, 0).abs().max()) if scores.numel() else 0.0


def paint(heat: TokenScores, score: float, scale: float) -> tuple[str, float]:
    """Class and opacity for a score; none for what is no number."""
    if not math.isfinite(score):
        return "none", 0.0
    share = abs(score) / scale if scale else 0.0
    kind = "mag" if not heat.signed else "pos" if score > 0 else "neg" if score < 0 else "mag"
    return kind + (" strong" if heat.signed and share >= STRONG else ""), share


def number(score: float, signed: bool = True) -> str:
    if not math.isfinite(score):
        return "not a number"
    return f"{score:+.3g}".replace("-", "−") if signed else f"{score:.3g}"


def visible(label: str) -> str:
    """A label that can be seen and written: control characters as their pictures, what no file may hold as �, nothing and the
    spaces around a token as ␣."""
    seen = "".join(
        chr(0x2400 + ord(c)) if ord(c) < 32 else "�" if UNWRITABLE.match(c) else c for c in label
    )
    return (
        "␣" * (len(seen) - len(seen.lstrip(" ")))
        + seen.strip(" ")
        + "␣" * (len(seen) - len(seen.rstrip(" ")) if seen.strip(" ") else not seen)
    )


def column_head(label: str) -> str:
    """The inside of a column's head, which is written upwards; its pictograms stay upright, since
    a thumb that is turned means something else.
    """
    return PICTOGRAM.sub(r'<span class="xp-upright">\g<0></span>', escape(visible(label)))


def told_apart(heats: Sequence[TokenScores]) -> list[TokenScores]:
    """Maps say in their titles which options they were made with, and of several targets in one picture, which is theirs."""
    several = (
        len({heat.title for heat in heats}) < len(heats)
        and len({heat.target for heat in heats}) > 1
    )
    options = [
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in heat.options.items())
        for heat in heats
    ]
    return [
        replace(heat, title=": ".join(filter(None, (heat.title, several and heat.target, option))))
        for heat, option in zip(heats, options)
    ]


def badge(heat: TokenScores) -> str:
    words, title = (
        ("signed", "which way, and how much")
        if heat.signed
        else ("unsigned", "how much, not which way")
    )
    return f'<span class="xp-badge {words}" title="{title}">{words}</span>'


def meta(heat: TokenScores, seen: Tensor, beside: str = "specials") -> str:
    """Badge, cost, the share of what stands beside the scores `seen`, the largest of these, and what the method measured of itself."""
    said = [
        heat.cost,
        beside and f"{beside} {100 * heat.special_share:.0f} %",
        f"max {largest(seen):.2g}",
    ]
    said += [f"{name} {value:.3g}" for name, value in heat.facts.items()]
    return (
        badge(heat)
        + f'<span class="xp-more">{escape(" · ".join(part.replace(" ", NBSP) for part in said if part))}</span>'
    )


def ramps(heats: Sequence[TokenScores], kind: str = "") -> str:
    """Colours in words: what the first map's mean, then what the others' do."""
    ramps = {}
    for heat in heats:
        ends = heat.poles if heat.signed else ("unsigned: little", "much")
        ramps.setdefault(
            ends,
            f"<span>{escape(ends[0])}<i class='xp-ramp{'' if heat.signed else ' one'}{kind}'></i>{escape(ends[1])}</span>",
        )
    return "".join(ramps.values())


def notes(heats: Sequence[TokenScores]) -> str:
    """What a reader must know; what several maps say is said once."""
    return "".join(
        f'<p class="xp-note">{escape(note)}</p>'
        for note in dict.fromkeys(note for heat in heats for note in heat.notes)
    )


def turns(waiting: Sequence[str]) -> list[str]:
    """What to say of methods that have no map yet: they are computed one after another."""
    return ["computing …", *["waiting …"] * (len(waiting) - 1)]


def strip_of(title: str, sentence: str) -> str:
    """The place of a method that has no map, or none yet."""
    return f'<div class="xp-strip"><h3>{escape(title)}</h3><p class="xp-sub">{escape(sentence)}</p></div>'


def strips(waiting: Sequence[str], refused: Mapping[str, str]) -> str:
    """The places of methods without a map, with the reason, and of those still being computed."""
    return "".join(
        strip_of(title, sentence)
        for title, sentence in [*refused.items(), *zip(waiting, turns(waiting))]
    )


def layers_in_words(heat: TokenScores, input: str, row: str = "row") -> str:
    """What the rows of a layer panel are, and which of them is the map itself. input: what the tokens are, as `words`; row: what a row is."""
    if not heat.totals:
        whole = [
            place for place, i in (("last", -1), ("first", 0)) if heat.rows[i].equal(heat.scores)
        ]
        return "The map layer by layer, all on one scale" + (
            f"; the {whole[0]} {row} is the map above." if whole else "."
        )
    meaning = {
        "Sum": "Sum adds the layers up",
        "Rollout": f"Rollout carries each layer's evidence back to the {input} along attention",
    }
    return (
        "Where in the network the evidence appears. The layers share one scale; "
        + " and ".join(
            meaning[name] + (" and is the map above" if total.equal(heat.scores) else "")
            for name, total in heat.totals.items()
        )
        + "."
    )

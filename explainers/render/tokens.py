"""Heatmaps over text as HTML: running text, rows of methods over the same tokens, and AttCAT's layer panel.

One renderer for the app, notebooks and files. It needs no script; the app adds hover links, arrow keys and the layer
slider on top. Whatever a person typed is data: every string goes through `html.escape`.

Colour is scaled row by row (or once for all layers), symmetric about a blank zero, and each row states its largest
|score|, so that an empty map does not look strong. Numbers are never changed for the eye.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape
from pathlib import Path

from torch import Tensor

from ..heatmap import Heatmap

PALETTES = {"orange-blue": "orange towards, blue away", "green-red": "the paper's green and red", "red-blue": "SHAP's red and blue"}

COLUMNS = 40        # longer texts become strips of running text
STRONG = 0.6        # share of the largest |score| from which a sign is drawn, so that colour is not the only cue
FAINT = 0.05        # in strips, words below this share are plain text

NBSP = "\u00a0"
UNWRITABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

class Html(str):
    """HTML that draws itself in a notebook."""

    def _repr_html_(self) -> str:
        return str(self)


#: How Gradio, JupyterLab, VS Code and Colab say that their page is dark.
DARK_HOSTS = ':is(.dark, [data-jp-theme-light="false"], body.vscode-dark, html[theme="dark"])'


@lru_cache
def stylesheet(dark: str = DARK_HOSTS, controls: bool = False) -> str:
    """The styles, as one line; `dark` is what says that the page is dark, or "system" for the reader's own setting.

    controls: also what only the app's page has.
    """
    light, night, more = ((Path(__file__).parent / f"{name}.css").read_text(encoding="utf-8")
                          for name in ("heatmap", "heatmap_dark", "controls"))
    night = "@media (prefers-color-scheme: dark) {" + night.replace("@dark", ":root") + "}" if dark == "system" else night.replace("@dark", dark)
    css = light + night + (more if controls else "")
    return re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"/\*.*?\*/|\s+", " ", css))


def styled(html: str) -> str:
    """A piece of HTML that brings the rules for what is in it along, and no others: a notebook keeps them with every picture."""
    def needed(rule: str) -> bool:
        selector = rule.partition("{")[0]
        alternatives = [selector] if ":is(" in selector else selector.split(",")
        return rule.startswith("@") or any(all(name in html for name in re.findall(r"\.(xp-[\w-]+)", one)) for one in alternatives)

    rules = re.findall(r"@[^{]+\{(?:[^{}]*\{[^{}]*\})*\s*\}|[^{}]+\{[^{}]*\}", stylesheet())
    return f"<style>{''.join(filter(needed, rules))}</style>{html}"


def view(heat: Heatmap, merge: bool = True, specials: bool = False) -> Heatmap:
    """What is shown of a heatmap: words for sub-words, and no [CLS] and [SEP], unless asked for."""
    heat = heat.merged() if merge else heat
    return heat if specials else heat.without_specials()


def fragment(heats: Sequence[Heatmap], *, merge: bool = True, specials: bool = False, palette: str = "orange-blue",
             style: bool = True, waiting: Sequence[str] = (), refused: Mapping[str, str] | None = None, layers: bool = True) -> str:
    """Heatmaps of one input as a piece of HTML: the first as running text, then all over the same columns.

    waiting: titles of methods still to come, the first of them being computed now. refused: titles of methods that this input, target or model is not for, with
    the reason. layers: add the layer panel of a single heatmap that has one.
    """
    refused = refused or {}
    if not heats:
        body = "".join(strip_of(title, reason) for title, reason in refused.items()) + "".join(map(strip_of, waiting, turns(waiting)))
        return body and (styled(card(body, palette)) if style else card(body, palette))
    heats = told_apart(heats)
    shown = [view(heat, merge, specials) for heat in heats]
    short = len(shown[0]) <= COLUMNS
    body = [prose(shown[0]), legend(shown)]
    if short and (len(shown) > 1 or waiting or refused):
        body.append(method_table(heats, shown, waiting, refused))
    elif len(shown) == 1 and not waiting and not refused:
        body.append(f'<p class="xp-meta">{meta(heats[0], shown[0])}</p>')
    else:
        body += [strip(heat, seen) for heat, seen in zip(heats, shown)]
        body += [strip_of(title, reason) for title, reason in refused.items()]
        body += map(strip_of, waiting, turns(waiting))
    body += [f'<p class="xp-note">{escape(note)}</p>' for note in dict.fromkeys(note for heat in heats for note in heat.notes)]
    body.append(numbers(shown))
    pieces = [card("".join(body), palette)]
    if layers and len(heats) == 1 and heats[0].rows is not None:
        pieces.append(layer_panel(heats[0], merge=merge, specials=specials, palette=palette, style=False))
    return styled("".join(pieces)) if style else "".join(pieces)


def layer_panel(heat: Heatmap, *, merge: bool = True, specials: bool = False, palette: str = "orange-blue", style: bool = True,
                slider: bool = False) -> str:
    """A method layer by layer over the same tokens, then the rows that make one map of them (after the figures of Qiang et al.).

    slider: add a control that paints one row onto the running text; it needs the app's script.
    """
    if heat.rows is None:
        return ""
    seen = view(heat, merge, specials)
    if len(seen) > 4 * COLUMNS:
        what = f"The layer panel has one column a word; at {len(seen)} words it would be unreadable. Explain a shorter text to see it."
        return card(f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{what}</p>", palette)
    scale = largest(seen.rows)
    rows = [row(f'<th scope="row">{escape(name)}</th>', seen, scores, scale) for name, scores in zip(seen.row_labels, seen.rows)]
    totals = [row(f'<th scope="row">{escape(name)}</th>', seen, scores, largest(scores), "xp-total") for name, scores in seen.totals.items()]
    if totals:
        rows += [f'<tr class="xp-gap" aria-hidden="true"><td colspan="{len(seen) + 1}"></td></tr>', *totals]
        meaning = {"Sum": "Sum adds the layers up", "Rollout": "Rollout carries each layer's evidence back to the words along attention"}
        says = "Where in the network the evidence appears. The layers share one scale; " + " and ".join(
            meaning[name] + (" and is the map above" if total.equal(seen.scores) else "") for name, total in seen.totals.items()) + "."
    else:
        whole = [place for place, i in (("last", -1), ("first", 0)) if seen.rows[i].equal(seen.scores)]
        says = "The map layer by layer, all on one scale" + (f"; the {whole[0]} row is the map above." if whole else ".")
    control = (
        '<div class="xp-slider"><label>Read one row as text <input type="range" class="xp-range" min="0" '
        f'max="{len(seen.row_labels) + len(totals) - 1}" value="{len(seen.row_labels) - (0 if totals else 1)}" '
        'aria-label="row of the panel shown as text"></label><output></output></div>'
        + prose(seen, kind=" xp-reading")) if slider else ""
    table = f'<table class="xp-map xp-layers">{head(seen, "layer")}<tbody>{"".join(rows)}</tbody></table>'
    html = card(f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{escape(says)}</p>{control}"
                f'{legend([seen])}<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heat.title)} layer by layer">{table}</div>', palette)
    return styled(html) if style else html


def page(heats: Sequence[Heatmap], palette: str = "orange-blue", more: str = "") -> str:
    """A whole HTML document, light or dark as the reader's system, with every map, its layers and its origin. more: further pieces."""
    origin = "; ".join(f"{heat.title}: {heat.model} ({heat.revision}), explaining {heat.target}, score {heat.score:.4g}"
                       + "".join(f", {name}={value}" for name, value in heat.options.items()) for heat in heats)
    panels = "".join(layer_panel(heat, palette=palette, style=False) for heat in heats if heat.rows is not None)
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(heats[0].title)}: {escape(heats[0].target)}</title><style>body{{margin:24px auto;max-width:1100px;padding:0 16px;"
            f"background:light-dark(#fbfaf8,#161514);color-scheme:light dark}}{stylesheet('system')}</style><body>"
            f"{fragment(heats, palette=palette, style=False, layers=False)}{panels}{more}"
            f'<div class="xp"><p class="xp-sub">{escape(origin)}</p></div></body></html>')


# ------------------------------------------------------------------------------------------------------ pieces

def card(body: str, palette: str) -> str:
    return f'<div class="xp xp-{escape(palette)}">{body}</div>'


def largest(scores: Tensor) -> float:
    """The largest |score|; what is no number counts as zero."""
    return float(scores.nan_to_num(0, 0, 0).abs().max()) if scores.numel() else 0.0


def paint(heat: Heatmap, score: float, scale: float) -> tuple[str, float]:
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
    seen = "".join(chr(0x2400 + ord(c)) if ord(c) < 32 else "�" if UNWRITABLE.match(c) else c for c in label)
    return "␣" * (len(seen) - len(seen.lstrip(" "))) + seen.strip(" ") + "␣" * (len(seen) - len(seen.rstrip(" ")) if seen.strip(" ") else not seen)


def describe(heat: Heatmap, i: int, score: float) -> str:
    """Attributes of the element of token i: tooltip, accessible name, and the index that links it to its other rows."""
    label = visible(heat.labels[i])
    short = number(score, heat.signed)
    right = ' xp-right' if i >= len(heat) / 2 else ""
    return (f'{right}" data-i="{i}" data-tip="{escape(label[:40])}  {short}" '
            f'aria-label="{escape(label)}: {escape(heat.in_words(score))}" tabindex="0"')


def prose(heat: Heatmap, quiet: float = 0.0, kind: str = "", scrolls: bool = False) -> str:
    """The text itself, every token on its colour: below the share `quiet` of the largest score it is plain. Of a pair, one strip a
    half, on one scale."""
    stop = ' tabindex="0"' if scrolls else ""
    if not heat.halves:
        waits = ""
        if heat.pending:
            name = escape(visible(heat.pending))
            waits = f' <span class="xp-pending" role="img" aria-label="the next token that is explained: {name}">{name}</span>'
        return f'<p class="xp-prose{kind}" dir="auto"{stop}>{words(heat, range(len(heat)), quiet)}{waits}</p>'
    strips = "".join(
        f'<div class="xp-half"><span class="xp-half-name">{escape(name)}</span>'
        f'<p dir="auto">{words(heat, [i for i in range(len(heat)) if heat.half(i) == half], quiet)}</p></div>'
        for half, name in enumerate(heat.halves))
    return f'<div class="xp-prose xp-pair{kind}"{stop}>{strips}</div>'


def words(heat: Heatmap, places: Sequence[int], quiet: float) -> str:
    """The tokens `places` in their text, what is explained of it in a frame."""
    scale, end, out, framed = largest(heat.scores), None, [], False
    for i in places:
        score = float(heat.scores[i])
        painted, share = paint(heat, score, scale)
        span = heat.spans[i] if heat.spans else None
        label = heat.text[slice(*span)] if heat.text and span else heat.labels[i]
        between = heat.text[span[0] if end is None and heat.halves else end or 0:span[0]] if span and heat.text else " " if out else ""
        if framed and not heat.is_marked(i):
            out.append("</span>")
        out.append(escape(between))
        if heat.is_marked(i) and not framed:
            out.append(f'<span class="xp-marked" role="group" aria-label="explained: {escape(visible(heat.text[slice(*heat.marked)]))}">')
        framed = heat.is_marked(i)
        end = max(end or 0, span[1]) if span else end
        extra = " xp-special" if bool(heat.special[i]) else ""
        out.append(escape(visible(label)) if share < quiet else
                   f'<span role="img" class="xp-t {painted}{extra}{describe(heat, i, score)} style="--a:{share:.3f}">{escape(visible(label))}</span>')
    return "".join(out) + ("</span>" if framed else "")


def cut(heat: Heatmap, i: int) -> str:
    """A class for the column where the second half of a pair begins."""
    return " xp-cut" if i and heat.halves and heat.half(i) != heat.half(i - 1) else ""


def head(heat: Heatmap, corner: str) -> str:
    columns = "".join(
        f'<th scope="col" class="{cut(heat, i)}{" xp-marked" if heat.is_marked(i) else ""}" title="{escape(visible(label))}">'
        f'<span dir="auto">{escape(visible(label))}</span></th>' for i, label in enumerate(heat.labels))
    halves = [heat.half(i) for i in range(len(heat))]
    groups = "".join(f'<th scope="colgroup" class="xp-half-name" colspan="{halves.count(half)}">{escape(name)}</th>'
                     for half, name in enumerate(heat.halves) if half in halves)
    empty = f'<td class="xp-corner" style="border:0" aria-label="{corner}"></td>'
    return "<thead>" + (f"<tr>{empty}{groups}</tr>" if groups else "") + f"<tr>{empty}{columns}</tr></thead>"


def row(header: str, heat: Heatmap, scores: Tensor, scale: float, kind: str = "") -> str:
    cells = []
    for i, score in enumerate(scores.tolist()):
        painted, share = paint(heat, score, scale)
        sign = ("+" if score > 0 else "−") if heat.signed and share >= STRONG else ""
        cells.append(f'<td class="{painted}{cut(heat, i)}{describe(heat, i, score)} style="--a:{share:.3f}">{sign}</td>')
    return f'<tr class="{kind}">{header}{"".join(cells)}</tr>'


def badge(heat: Heatmap) -> str:
    words, title = ("signed", "which way, and how much") if heat.signed else ("unsigned", "how much, not which way")
    return f'<span class="xp-badge {words}" title="{title}">{words}</span>'


def meta(heat: Heatmap, seen: Heatmap) -> str:
    """Badge, cost, the share on specials, the largest score shown, and what the method measured of itself."""
    said = [heat.cost, f"specials {100 * heat.special_share:.0f} %", f"max {largest(seen.scores):.2g}"]
    said += [f"{name} {value:.1g}" for name, value in heat.facts.items()]
    return badge(heat) + f'<span class="xp-more">{escape(" · ".join(part.replace(" ", NBSP) for part in said))}</span>'


def method_table(heats: Sequence[Heatmap], shown: Sequence[Heatmap], waiting: Sequence[str], refused: Mapping[str, str]) -> str:
    rows = [row(f'<th scope="row"><span class="xp-name">{escape(heat.title)}</span> <span class="xp-meta">{meta(heat, seen)}</span></th>',
                seen, seen.scores, largest(seen.scores)) for heat, seen in zip(heats, shown)]
    rows += [f'<tr class="xp-wait"><th scope="row">{escape(title)}</th><td class="xp-reason" colspan="{len(shown[0])}"><span>{escape(reason)}</span></td></tr>'
             for title, reason in refused.items()]
    rows += [f'<tr class="xp-wait"><th scope="row">{escape(title)} <span class="xp-meta">{turn}</span></th>'
             + "<td></td>" * len(shown[0]) + "</tr>" for title, turn in zip(waiting, turns(waiting))]
    table = f'<table class="xp-map">{head(shown[0], "method")}<tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="xp-scroll" tabindex="0" role="region" aria-label="methods side by side">{table}</div>'


def turns(waiting: Sequence[str]) -> list[str]:
    """What to say of methods that have no map yet: they are computed one after another."""
    return ["computing …", *["waiting …"] * (len(waiting) - 1)]


def strip_of(title: str, sentence: str) -> str:
    """The place of a method that has no map, or none yet."""
    return f'<div class="xp-strip"><h3>{escape(title)}</h3><p class="xp-sub">{escape(sentence)}</p></div>'


def strip(heat: Heatmap, seen: Heatmap) -> str:
    top = seen.scores.abs().topk(min(5, len(seen))).indices.tolist()
    strongest = ", ".join(f"{visible(seen.labels[i])[:24]} {number(float(seen.scores[i]), heat.signed)}" for i in top)
    return (f'<div class="xp-strip"><h3>{escape(heat.title)} <span class="xp-meta">{meta(heat, seen)}</span></h3>'
            f'<p class="xp-sub">strongest: {escape(strongest)}</p>'
            f'{prose(seen, FAINT, scrolls=True)}</div>')


def legend(shown: Sequence[Heatmap]) -> str:
    """Colours in words: what the first map's mean, then what the others' do."""
    ramps = {}
    for heat in shown:
        ends = heat.poles if heat.signed else ("unsigned: little", "much")
        ramps.setdefault(ends, f"<span>{escape(ends[0])}<i class='xp-ramp{'' if heat.signed else ' one'}'></i>{escape(ends[1])}</span>")
    framed = '<span><i class="xp-ring"></i>what is explained</span>' if shown[0].marked else ""
    return f'<p class="xp-legend"><b>{escape(shown[0].title)}</b>{"".join(ramps.values())}{framed}</p>'


def told_apart(heats: Sequence[Heatmap]) -> list[Heatmap]:
    """Maps of several targets or options in one picture say which in their titles."""
    if len({heat.title for heat in heats}) == len(heats):
        return list(heats)
    options = [", ".join(f"{name} {value}" for name, value in heat.options.items()) for heat in heats]
    several_targets, several_options = len({heat.target for heat in heats}) > 1, len(set(options)) > 1
    return [replace(heat, title=": ".join([heat.title, *filter(None, (several_targets and heat.target, several_options and option))]))
            for heat, option in zip(heats, options)]


def numbers(shown: Sequence[Heatmap]) -> str:
    """The same numbers as a plain table, for eyes and readers that want no colour."""
    if len(shown[0]) > 10 * COLUMNS:
        return ""
    columns = "".join(f'<th scope="col">{escape(heat.title)}</th>' for heat in shown)
    first, rows = shown[0], []
    for i, label in enumerate(first.labels):
        if first.halves and (i == 0 or cut(first, i)):
            rows.append(f'<tr><th scope="rowgroup" class="xp-half-name" colspan="{len(shown) + 1}">{escape(first.halves[first.half(i)])}</th></tr>')
        cells = "".join(f"<td>{number(float(heat.scores[i]), heat.signed)}</td>" for heat in shown)
        rows.append(f'<tr><th scope="row" dir="auto">{escape(visible(label))}</th>{cells}</tr>')
    return (f'<details><summary>The numbers as a table</summary><div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
            f'<table class="xp-numbers"><thead><tr><th scope="col">token</th>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table></div></details>')

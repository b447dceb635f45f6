"""Heatmaps over text as HTML: running text, rows of methods over the same tokens, and AttCAT's layer panel.

One renderer for the app, notebooks and files. It needs no script; the app adds hover links, arrow keys and the layer
slider on top. Whatever a person typed is data: every string goes through `html.escape`.

Colour is scaled row by row (or once for all layers), symmetric about a blank zero, and each row states its largest
|score|, so that an empty map does not look strong. Numbers are never changed for the eye.
"""

import re
from collections.abc import Sequence
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


def view(heat: Heatmap, merge: bool = True, specials: bool = False) -> Heatmap:
    """What is shown of a heatmap: words for sub-words, and no [CLS] and [SEP], unless asked for."""
    heat = heat.merged() if merge else heat
    return heat if specials else heat.without_specials()


def fragment(heats: Sequence[Heatmap], *, merge: bool = True, specials: bool = False, palette: str = "orange-blue",
             style: bool = True, waiting: Sequence[str] = (), layers: bool = True) -> str:
    """Heatmaps of one input as a piece of HTML: the first as running text, then all over the same columns.

    waiting: titles of methods still being computed. layers: add the layer panel of a single heatmap that has one.
    """
    if not heats:
        return ""
    heats = told_apart(heats)
    shown = [view(heat, merge, specials) for heat in heats]
    short = len(shown[0]) <= COLUMNS
    body = [f'<p class="xp-prose" dir="auto">{prose(shown[0])}</p>', legend(shown)]
    if short and (len(shown) > 1 or waiting):
        body.append(method_table(heats, shown, waiting))
    elif len(shown) == 1 and not waiting:
        body.append(f'<p class="xp-meta">{meta(heats[0], shown[0])}</p>')
    else:
        body += [strip(heat, seen) for heat, seen in zip(heats, shown)]
        body += [f'<div class="xp-strip"><h3>{escape(title)}</h3><p class="xp-sub">computing …</p></div>' for title in waiting]
    body += [f'<p class="xp-note">{escape(note)}</p>' for note in dict.fromkeys(note for heat in heats for note in heat.notes)]
    body.append(numbers(shown))
    pieces = [card("".join(body), palette)]
    if layers and len(heats) == 1 and heats[0].rows is not None:
        pieces.append(layer_panel(heats[0], merge=merge, specials=specials, palette=palette, style=False))
    return (f"<style>{stylesheet()}</style>" if style else "") + "".join(pieces)


def layer_panel(heat: Heatmap, *, merge: bool = True, specials: bool = False, palette: str = "orange-blue", style: bool = True,
                slider: bool = False) -> str:
    """A method layer by layer over the same tokens, then the rows that make one map of them (Qiang et al., figure 4).

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
        says = "The map layer by layer, all on one scale" + ("; the last row is the map above." if seen.rows[-1].equal(seen.scores) else ".")
    control = (
        '<div class="xp-slider"><label>Read one row as text <input type="range" class="xp-range" min="0" '
        f'max="{len(seen.row_labels) + len(totals) - 1}" value="{len(seen.row_labels) - (0 if totals else 1)}" '
        'aria-label="row of the panel shown as text"></label><output></output></div>'
        f'<p class="xp-prose xp-reading" dir="auto">{prose(seen)}</p>') if slider else ""
    table = f'<table class="xp-map xp-layers">{head(seen, "layer")}<tbody>{"".join(rows)}</tbody></table>'
    html = card(f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{escape(says)}</p>{control}"
                f'{legend([seen])}<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heat.title)} layer by layer">{table}</div>', palette)
    return (f"<style>{stylesheet()}</style>" if style else "") + html


def page(heats: Sequence[Heatmap], palette: str = "orange-blue") -> str:
    """A whole HTML document, light or dark as the reader's system, with every map, its layers and its origin."""
    origin = "; ".join(f"{heat.title}: {heat.model} ({heat.revision}), explaining {heat.target}, score {heat.score:.4g}"
                       + "".join(f", {name}={value}" for name, value in heat.options.items()) for heat in heats)
    panels = "".join(layer_panel(heat, palette=palette, style=False) for heat in heats if heat.rows is not None)
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(heats[0].title)}: {escape(heats[0].target)}</title><style>body{{margin:24px auto;max-width:1100px;padding:0 16px;"
            f"background:light-dark(#fbfaf8,#161514);color-scheme:light dark}}{stylesheet('system')}</style><body>"
            f"{fragment(heats, palette=palette, style=False, layers=False)}{panels}"
            f'<div class="xp"><p class="xp-sub">{escape(origin)}</p></div></body></html>')


# ------------------------------------------------------------------------------------------------------ pieces

def card(body: str, palette: str) -> str:
    return f'<div class="xp xp-{escape(palette)}">{body}</div>'


def largest(scores: Tensor) -> float:
    return float(scores.abs().max()) if scores.numel() else 0.0


def paint(heat: Heatmap, score: float, scale: float) -> tuple[str, float]:
    """Class and opacity for a score."""
    share = abs(score) / scale if scale else 0.0
    kind = "mag" if not heat.signed else "pos" if score > 0 else "neg" if score < 0 else "mag"
    return kind + (" strong" if heat.signed and share >= STRONG else ""), share


def number(score: float) -> str:
    return f"{score:+.3g}".replace("-", "−")


def visible(label: str) -> str:
    """A label that can be seen and written: control characters as their pictures, what no file may hold as �, nothing as ␣."""
    return "".join(chr(0x2400 + ord(c)) if ord(c) < 32 else "�" if UNWRITABLE.match(c) else c for c in label) or "␣"


def describe(heat: Heatmap, i: int, score: float) -> str:
    """Attributes of the element of token i: tooltip, accessible name, and the index that links it to its other rows."""
    label = visible(heat.labels[i])
    short = number(score) if heat.signed else f"{score:.3g}"
    right = ' xp-right' if i >= len(heat) / 2 else ""
    return (f'{right}" data-i="{i}" data-tip="{escape(label[:40])}  {short}" '
            f'aria-label="{escape(label)}: {escape(heat.in_words(score))}" tabindex="0"')


def prose(heat: Heatmap, quiet: float = 0.0) -> str:
    """The text itself, every token on its colour. Below the share `quiet` of the largest score it is plain text."""
    scale, end, out = largest(heat.scores), 0, []
    for i, score in enumerate(heat.scores.tolist()):
        kind, share = paint(heat, score, scale)
        span = heat.spans[i] if heat.spans else None
        label = heat.text[slice(*span)] if heat.text and span else heat.labels[i]
        if span and heat.text:
            out.append(escape(heat.text[end:span[0]]))
            end = max(end, span[1])
        elif out:
            out.append(" ")
        extra = " xp-special" if bool(heat.special[i]) else ""
        out.append(escape(visible(label)) if share < quiet else
                   f'<span role="img" class="xp-t {kind}{extra}{describe(heat, i, score)} style="--a:{share:.3f}">{escape(visible(label))}</span>')
    return "".join(out)


def head(heat: Heatmap, corner: str) -> str:
    columns = "".join(f'<th scope="col" title="{escape(visible(label))}"><span dir="auto">{escape(visible(label))}</span></th>' for label in heat.labels)
    return f'<thead><tr><td class="xp-corner" style="border:0" aria-label="{corner}"></td>{columns}</tr></thead>'


def row(header: str, heat: Heatmap, scores: Tensor, scale: float, kind: str = "") -> str:
    cells = []
    for i, score in enumerate(scores.tolist()):
        painted, share = paint(heat, score, scale)
        sign = ("+" if score > 0 else "−") if heat.signed and share >= STRONG else ""
        cells.append(f'<td class="{painted}{describe(heat, i, score)} style="--a:{share:.3f}">{sign}</td>')
    return f'<tr class="{kind}">{header}{"".join(cells)}</tr>'


def badge(heat: Heatmap) -> str:
    words, title = ("signed", "which way, and how much") if heat.signed else ("unsigned", "how much, not which way")
    return f'<span class="xp-badge {words}" title="{title}">{words}</span>'


def meta(heat: Heatmap, seen: Heatmap) -> str:
    """Badge, cost, the share on specials, the largest score shown, and what the method measured of itself."""
    said = [heat.cost, f"specials {100 * heat.special_share:.0f} %", f"max {largest(seen.scores):.2g}"]
    said += [f"{name} {value:.1g}" for name, value in heat.facts.items()]
    return badge(heat) + f'<span class="xp-more">{escape(" · ".join(part.replace(" ", NBSP) for part in said))}</span>'


def method_table(heats: Sequence[Heatmap], shown: Sequence[Heatmap], waiting: Sequence[str]) -> str:
    rows = [row(f'<th scope="row"><span class="xp-name">{escape(heat.title)}</span> <span class="xp-meta">{meta(heat, seen)}</span></th>',
                seen, seen.scores, largest(seen.scores)) for heat, seen in zip(heats, shown)]
    rows += [f'<tr class="xp-wait"><th scope="row">{escape(title)} <span class="xp-meta">computing …</span></th>'
             + "<td></td>" * len(shown[0]) + "</tr>" for title in waiting]
    table = f'<table class="xp-map">{head(shown[0], "method")}<tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="xp-scroll" tabindex="0" role="region" aria-label="methods side by side">{table}</div>'


def strip(heat: Heatmap, seen: Heatmap) -> str:
    top = seen.scores.abs().topk(min(5, len(seen))).indices.tolist()
    strongest = ", ".join(f"{visible(seen.labels[i])[:24]} {number(float(seen.scores[i]))}" for i in top)
    return (f'<div class="xp-strip"><h3>{escape(heat.title)} <span class="xp-meta">{meta(heat, seen)}</span></h3>'
            f'<p class="xp-sub">strongest: {escape(strongest)}</p>'
            f'<p class="xp-prose" dir="auto" tabindex="0">{prose(seen, FAINT)}</p></div>')


def legend(shown: Sequence[Heatmap]) -> str:
    """Colours in words: what the first map's mean, then what the others' do."""
    ramps = {}
    for heat in shown:
        ends = heat.poles if heat.signed else ("unsigned: little", "much")
        ramps.setdefault(ends, f"<span>{escape(ends[0])}<i class='xp-ramp{'' if heat.signed else ' one'}'></i>{escape(ends[1])}</span>")
    return f'<p class="xp-legend"><b>{escape(shown[0].title)}</b>{"".join(ramps.values())}</p>'


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
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{escape(visible(label))}</th>'
        + "".join(f"<td>{number(float(heat.scores[i])) if heat.signed else format(float(heat.scores[i]), '.3g')}</td>" for heat in shown) + "</tr>"
        for i, label in enumerate(shown[0].labels))
    return (f'<details><summary>The numbers as a table</summary><div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
            f'<table class="xp-numbers"><thead><tr><th scope="col">token</th>{columns}</tr></thead><tbody>{rows}</tbody></table></div></details>')

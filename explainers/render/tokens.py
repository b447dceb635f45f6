"""Heatmaps over text as HTML: running text, rows of methods over the same tokens, and AttCAT's layer panel.

One renderer for the app, notebooks and files. It needs no script; the app adds hover links, arrow keys and the layer
slider on top. Whatever a person typed is data: every string goes through `html.escape`.

Colour is scaled row by row (or once for all layers), symmetric about a blank zero, and each row states its largest
|score|, so that an empty map does not look strong. Numbers are never changed for the eye.
"""

from collections.abc import Mapping, Sequence
from html import escape

from torch import Tensor

from ..ties import ranked
from ..token_scores import TokenScores
from .card import (
    STRONG,
    card,
    column_head,
    largest,
    layers_in_words,
    meta,
    notes,
    number,
    paint,
    ramps,
    strips,
    styled,
    told_apart,
    turns,
    visible,
)

COLUMNS = 40  # longer texts become strips of running text
FAINT = 0.05  # in strips, words below this share are plain text


def view(heat: TokenScores, merge: bool = True, specials: bool = False) -> TokenScores:
    """What is shown of a heatmap: words for sub-words, and no [CLS] and [SEP], unless asked for."""
    heat = heat.merged() if merge else heat
    return heat if specials else heat.without_specials()


def fragment(
    heats: Sequence[TokenScores],
    *,
    merge: bool = True,
    specials: bool = False,
    palette: str = "orange-blue",
    style: bool = True,
    waiting: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    layers: bool | str = True,
) -> str:
    """Heatmaps of one input as a piece of HTML: the first as running text, then all over the same columns.

    waiting: titles of methods still to come, the first of them being computed now. refused: titles of methods that this input, target or
    model is not for, with the reason. layers: add the layer panel of a single heatmap that has one, or, "all", of each.
    """
    refused = refused or {}
    if not heats:
        body = strips(waiting, refused)
        return body and (styled(card(body, palette)) if style else card(body, palette))
    heats = told_apart(heats)
    shown = [view(heat, merge, specials) for heat in heats]
    short = len(shown[0]) <= COLUMNS
    body = [prose(shown[0]), legend(shown)]
    if short and (len(shown) > 1 or waiting or refused):
        body.append(method_table(heats, shown, waiting, refused))
    elif len(shown) == 1 and not waiting and not refused:
        body.append(f'<p class="xp-meta">{meta(heats[0], shown[0].scores)}</p>')
    else:
        body += [strip(heat, seen) for heat, seen in zip(heats, shown)]
        body.append(strips(waiting, refused))
    body += [notes(heats), numbers(shown)]
    pieces = [card("".join(body), palette)]
    if layers == "all" or (layers and len(heats) == 1):
        pieces += [
            layer_panel(heat, merge=merge, specials=specials, palette=palette, style=False)
            for heat in heats
            if heat.rows is not None
        ]
    return styled("".join(pieces)) if style else "".join(pieces)


def layer_panel(
    heat: TokenScores,
    *,
    merge: bool = True,
    specials: bool = False,
    palette: str = "orange-blue",
    style: bool = True,
    slider: bool = False,
) -> str:
    """A method layer by layer over the same tokens, then the rows that make one map of them (after the figures of Qiang et al.).

    slider: add a control that paints one row onto the running text; it needs the app's script.
    """
    if heat.rows is None:
        return ""
    seen = view(heat, merge, specials)
    if len(seen) > 4 * COLUMNS:
        what = f"The layer panel has one column a word; at {len(seen)} words it would be unreadable. Explain a shorter text to see it."
        return card(
            f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{what}</p>", palette
        )
    scale = largest(seen.rows)
    rows = [
        row(f'<th scope="row">{escape(name)}</th>', seen, scores, scale)
        for name, scores in zip(seen.row_labels, seen.rows)
    ]
    totals = [
        row(f'<th scope="row">{escape(name)}</th>', seen, scores, largest(scores), "xp-total")
        for name, scores in seen.totals.items()
    ]
    if totals:
        rows += [
            f'<tr class="xp-gap" aria-hidden="true"><td colspan="{len(seen) + 1}"></td></tr>',
            *totals,
        ]
    control = (
        (
            '<div class="xp-slider"><label>Read one row as text <input type="range" class="xp-range" min="0" '
            f'max="{len(seen.row_labels) + len(totals) - 1}" value="{len(seen.row_labels) - (0 if totals else 1)}" '
            'aria-label="row of the panel shown as text"></label><output></output></div>'
            + prose(seen, kind=" xp-reading")
        )
        if slider
        else ""
    )
    table = f'<table class="xp-map xp-layers">{head(seen, "layer")}<tbody>{"".join(rows)}</tbody></table>'
    html = card(
        f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{escape(layers_in_words(seen, 'words'))}</p>{control}"
        f'{legend([seen])}<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(heat.title)} layer by layer">{table}</div>',
        palette,
    )
    return styled(html) if style else html


# ------------------------------------------------------------------------------------------------------ pieces


def describe(heat: TokenScores, i: int, score: float) -> str:
    """Attributes of the element of token i: tooltip, accessible name, and the index that links it to its other rows."""
    label = visible(heat.labels[i])
    short = number(score, heat.signed)
    right = " xp-right" if i >= len(heat) / 2 else ""
    return (
        f'{right}" data-i="{i}" data-tip="{escape(label[:40])}  {short}" '
        f'aria-label="{escape(label)}: {escape(heat.in_words(score))}" tabindex="0"'
    )


def prose(heat: TokenScores, quiet: float = 0.0, kind: str = "", scrolls: bool = False) -> str:
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
        for half, name in enumerate(heat.halves)
    )
    return f'<div class="xp-prose xp-pair{kind}"{stop}>{strips}</div>'


def words(heat: TokenScores, places: Sequence[int], quiet: float) -> str:
    """The tokens `places` in their text, what is explained of it in a frame."""
    scale, end, out, framed = largest(heat.scores), None, [], False
    for i in places:
        score = float(heat.scores[i])
        painted, share = paint(heat, score, scale)
        span = heat.spans[i] if heat.spans else None
        label = heat.text[slice(*span)] if heat.text and span else heat.labels[i]
        between = (
            heat.text[span[0] if end is None and heat.halves else end or 0 : span[0]]
            if span and heat.text
            else " "
            if out
            else ""
        )
        if framed and not heat.is_marked(i):
            out.append("</span>")
        out.append(escape(between))
        if heat.is_marked(i) and not framed:
            out.append(
                f'<span class="xp-marked" role="group" aria-label="explained: {escape(visible(heat.text[slice(*heat.marked)]))}">'
            )
        framed = heat.is_marked(i)
        end = max(end or 0, span[1]) if span else end
        extra = " xp-special" if bool(heat.special_tokens[i]) else ""
        out.append(
            escape(visible(label))
            if share < quiet
            else f'<span role="img" class="xp-t {painted}{extra}{describe(heat, i, score)} style="--a:{share:.3f}">{escape(visible(label))}</span>'
        )
    return "".join(out) + ("</span>" if framed else "")


def cut(heat: TokenScores, i: int) -> str:
    """A class for the column where the second half of a pair begins."""
    return " xp-cut" if i and heat.halves and heat.half(i) != heat.half(i - 1) else ""


def head(heat: TokenScores, corner: str) -> str:
    columns = "".join(
        f'<th scope="col" class="{cut(heat, i)}{" xp-marked" if heat.is_marked(i) else ""}" title="{escape(visible(label))}">'
        f'<span dir="auto">{column_head(label)}</span></th>'
        for i, label in enumerate(heat.labels)
    )
    halves = [heat.half(i) for i in range(len(heat))]
    groups = "".join(
        f'<th scope="colgroup" class="xp-half-name" colspan="{halves.count(half)}">{escape(name)}</th>'
        for half, name in enumerate(heat.halves)
        if half in halves
    )
    empty = f'<td class="xp-corner" style="border:0" aria-label="{corner}"></td>'
    return (
        "<thead>"
        + (f"<tr>{empty}{groups}</tr>" if groups else "")
        + f"<tr>{empty}{columns}</tr></thead>"
    )


def row(header: str, heat: TokenScores, scores: Tensor, scale: float, kind: str = "") -> str:
    cells = []
    for i, score in enumerate(scores.tolist()):
        painted, share = paint(heat, score, scale)
        sign = ("+" if score > 0 else "−") if heat.signed and share >= STRONG else ""
        cells.append(
            f'<td class="{painted}{cut(heat, i)}{describe(heat, i, score)} style="--a:{share:.3f}">{sign}</td>'
        )
    return f'<tr class="{kind}">{header}{"".join(cells)}</tr>'


def method_table(
    heats: Sequence[TokenScores],
    shown: Sequence[TokenScores],
    waiting: Sequence[str],
    refused: Mapping[str, str],
) -> str:
    rows = [
        row(
            f'<th scope="row"><span class="xp-name">{escape(heat.title)}</span> <span class="xp-meta">{meta(heat, seen.scores)}</span></th>',
            seen,
            seen.scores,
            largest(seen.scores),
        )
        for heat, seen in zip(heats, shown)
    ]
    rows += [
        f'<tr class="xp-wait"><th scope="row">{escape(title)}</th><td class="xp-reason" colspan="{len(shown[0])}"><span>{escape(reason)}</span></td></tr>'
        for title, reason in refused.items()
    ]
    rows += [
        f'<tr class="xp-wait"><th scope="row">{escape(title)} <span class="xp-meta">{turn}</span></th>'
        + "<td></td>" * len(shown[0])
        + "</tr>"
        for title, turn in zip(waiting, turns(waiting))
    ]
    table = (
        f'<table class="xp-map">{head(shown[0], "method")}<tbody>{"".join(rows)}</tbody></table>'
    )
    return f'<div class="xp-scroll" tabindex="0" role="region" aria-label="methods side by side">{table}</div>'


def strip(heat: TokenScores, seen: TokenScores) -> str:
    top = ranked(seen.scores.abs())[:5].tolist()
    strongest = ", ".join(
        f"{visible(seen.labels[i])[:24]} {number(float(seen.scores[i]), heat.signed)}" for i in top
    )
    return (
        f'<div class="xp-strip"><h3>{escape(heat.title)} <span class="xp-meta">{meta(heat, seen.scores)}</span></h3>'
        f'<p class="xp-sub">strongest: {escape(strongest)}</p>'
        f"{prose(seen, FAINT, scrolls=True)}</div>"
    )


def legend(shown: Sequence[TokenScores]) -> str:
    """Whose colours the running text has, what colours mean, and what a frame means."""
    framed = '<span><i class="xp-ring"></i>what is explained</span>' if shown[0].marked else ""
    return f'<p class="xp-legend"><b>{escape(shown[0].title)}</b>{ramps(shown)}{framed}</p>'


def numbers(shown: Sequence[TokenScores]) -> str:
    """The same numbers as a plain table, for eyes and readers that want no colour."""
    if len(shown[0]) > 10 * COLUMNS:
        return ""
    columns = "".join(f'<th scope="col">{escape(heat.title)}</th>' for heat in shown)
    first, rows = shown[0], []
    for i, label in enumerate(first.labels):
        if first.halves and (i == 0 or cut(first, i)):
            rows.append(
                f'<tr><th scope="rowgroup" class="xp-half-name" colspan="{len(shown) + 1}">{escape(first.halves[first.half(i)])}</th></tr>'
            )
        cells = "".join(f"<td>{number(float(heat.scores[i]), heat.signed)}</td>" for heat in shown)
        rows.append(f'<tr><th scope="row" dir="auto">{escape(visible(label))}</th>{cells}</tr>')
    return (
        f'<details><summary>The numbers as a table</summary><div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
        f'<table class="xp-numbers"><thead><tr><th scope="col">token</th>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table></div></details>'
    )

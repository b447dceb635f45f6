"""Maps of texts as HTML: running text, rows of methods over the same tokens, and layer panels.

One renderer for the app, notebooks and files. It needs no script; the app adds linked hovering,
arrow keys and the layer slider. Every string that a person typed goes through `html.escape`.

Each row has its own scale (all layers share one), symmetric about zero, which is blank. Each row
states its largest |score|, so that an empty map does not look strong. Numbers are never changed.
"""

from collections.abc import Sequence
from html import escape

from torch import Tensor

from ..ties import ranked
from ..token_scores import TokenScores
from .card import (
    Missing,
    card,
    column_head,
    column_titles,
    facts_line,
    layers_in_words,
    notes_html,
    ramps,
    with_unique_titles,
)
from .characters import isolated, number, reads_from_right, visible
from .colours import largest, paint, strong_sign
from .look import Look

COLUMNS = 40  # longer texts become strips of running text
FAINT = 0.05  # in strips, words below this share of the largest |score| are plain text


def view(heat: TokenScores, merge: bool = True, specials: bool = False) -> TokenScores:
    """What is shown of a map: words instead of sub-words, and no special tokens, by default."""
    shown = heat.merged() if merge else heat
    return shown if specials else shown.without_specials()


def maps_over_text(
    heats: Sequence[TokenScores],
    look: Look,
    missing: Missing | None = None,
    layers: bool | str = True,
) -> str:
    """Maps of one text: the first as running text, then all of them over the same columns.

    missing: the methods without a map. layers: add the layer panel of a single map; "all": of each.
    """
    missing = missing or Missing()
    heats = with_unique_titles(heats)
    shown = [view(heat, look.merge, look.specials) for heat in heats]
    body = [running_text(shown[0]), legend(shown)]
    is_short = len(shown[0]) <= COLUMNS
    if is_short and (len(shown) > 1 or missing):
        body.append(method_table(heats, shown, missing))
    elif len(shown) == 1 and not missing:
        body.append(f'<p class="xp-meta">{facts_line(heats[0], shown[0].scores)}</p>')
    else:
        body += [strip(heat, seen) for heat, seen in zip(heats, shown)]
        body.append(missing.strips())
    body += [notes_html(heats), number_table(shown)]
    pieces = [card("".join(body), look.palette)]
    if layers == "all" or (layers and len(heats) == 1):
        pieces += [layers_over_text(heat, look) for heat in heats if heat.rows is not None]
    return "".join(pieces)


def layers_over_text(heat: TokenScores, look: Look, slider: bool = False) -> str:
    """A map layer by layer over the same tokens, then the totals (as in Qiang et al.'s figures).

    slider: a control that shows one row as running text; it needs the app's script.
    """
    title = f"{heat.title}, layer by layer"
    shown = view(heat, look.merge, look.specials)
    if len(shown) > 4 * COLUMNS:
        sentence = (
            f"The layer panel has one column a word; at {len(shown)} words it would be unreadable. "
            "Explain a shorter text to see it."
        )
        body = f"<h3>{escape(title)}</h3><p class='xp-sub'>{sentence}</p>"
        return card(body, look.palette)
    table = (
        f'<table class="xp-map xp-layers"{direction(shown)}>{table_head(shown, "layer")}'
        f"<tbody>{layer_rows(shown)}</tbody></table>"
    )
    return card(
        f"<h3>{escape(title)}</h3>"
        f"<p class='xp-sub'>{escape(layers_in_words(shown, 'words'))}</p>"
        f"{layer_slider(shown) if slider else ''}{legend([shown])}"
        f'<div class="xp-scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"{table}</div>",
        look.palette,
    )


def layer_rows(shown: TokenScores) -> str:
    """The rows of a layer panel: all layers on one scale, then each total on its own."""
    rows = shown.layer_scores
    scale = largest(rows)
    html = []
    for name, scores in zip(shown.row_labels, rows):
        html.append(row_html(row_head(name), shown, scores, scale))
    if shown.totals:
        width = len(shown) + 1
        html.append(f'<tr class="xp-gap" aria-hidden="true"><td colspan="{width}"></td></tr>')
    for name, scores in shown.totals.items():
        html.append(row_html(row_head(name), shown, scores, largest(scores), "xp-total"))
    return "".join(html)


def layer_slider(shown: TokenScores) -> str:
    """A slider over the rows, and the running text in which the chosen row is shown."""
    layers, totals = len(shown.row_labels), len(shown.totals)
    chosen = layers if totals else layers - 1
    return (
        '<div class="xp-slider"><label>Read one row as text '
        f'<input type="range" class="xp-range" min="0" max="{layers + totals - 1}" '
        f'value="{chosen}" aria-label="row of the panel shown as text"></label>'
        f"<output></output></div>{running_text(shown, kind=' xp-reading')}"
    )


# ----------------------------------------------------------------------------------- running text


def token_attributes(heat: TokenScores, i: int, score: float) -> str:
    """Attributes of token i's element: tooltip, name for screen readers, and its index.

    The index links the token to its other rows. It begins inside the attribute `class`.
    """
    label = escape(visible(heat.labels[i]))
    short = escape(isolated(visible(heat.labels[i])[:40]))
    right = " xp-right" if i >= len(heat) / 2 else ""
    return (
        f'{right}" data-i="{i}" data-tip="{short}  {number(score, heat.signed)}" '
        f'aria-label="{label}: {escape(heat.in_words(score))}" tabindex="0"'
    )


def running_text(
    heat: TokenScores, quiet: float = 0.0, kind: str = "", scrolls: bool = False
) -> str:
    """The text with every token on its colour; of a pair, one strip a text, on one scale.

    quiet: tokens below this share of the largest |score| are plain. kind: further classes.
    scrolls: the keyboard can reach the text, to scroll it.
    """
    stop = ' tabindex="0"' if scrolls else ""
    if not heat.halves:
        words = token_spans(heat, range(len(heat)), quiet)
        return f'<p class="xp-prose{kind}" dir="auto"{stop}>{words}{next_token(heat)}</p>'
    strips = []
    for half, name in enumerate(heat.halves):
        places = heat.tokens_of_half(half)
        strips.append(
            f'<div class="xp-half"><span class="xp-half-name">{escape(name)}</span>'
            f'<p dir="auto">{token_spans(heat, places, quiet)}</p></div>'
        )
    return f'<div class="xp-prose xp-pair{kind}"{stop}>{"".join(strips)}</div>'


def next_token(heat: TokenScores) -> str:
    """The next token that is explained, behind the text; nothing if there is none."""
    if not heat.pending:
        return ""
    name = escape(visible(heat.pending))
    return (
        ' <span class="xp-pending" role="img" '
        f'aria-label="the next token that is explained: {name}">{name}</span>'
    )


def token_spans(heat: TokenScores, places: Sequence[int], quiet: float) -> str:
    """The tokens `places` with the characters between them; the explained part in a frame."""
    scale = largest(heat.scores)
    out: list[str] = []
    end: int | None = None
    is_framed = False
    for i in places:
        if is_framed and not heat.is_marked(i):
            out.append("</span>")
        out.append(escape(gap_before(heat, i, end, bool(out))))
        if heat.is_marked(i) and not is_framed:
            name = escape(visible(heat.marked_text))
            out.append(f'<span class="xp-marked" role="group" aria-label="explained: {name}">')
        is_framed = heat.is_marked(i)
        span = heat.span(i)
        if span:
            end = max(end or 0, span[1])
        out.append(token_span(heat, i, scale, quiet))
    if is_framed:
        out.append("</span>")
    return "".join(out)


def gap_before(heat: TokenScores, i: int, end: int | None, is_inside: bool) -> str:
    """The characters between token i and the token before it, which ended at `end`.

    is_inside: whether something stands before it. A token that is no text has a space before it.
    """
    span = heat.span(i)
    if not span or not heat.text:
        return " " if is_inside else ""
    start = end or 0
    if end is None and heat.halves:
        start = span[0]
    return heat.text[start : span[0]]


def token_span(heat: TokenScores, i: int, scale: float, quiet: float) -> str:
    """One token on its colour; plain if its share of the largest |score| is below `quiet`."""
    score = float(heat.scores[i])
    kind, share = paint(heat, score, scale)
    label = escape(visible(heat.characters(i)))
    if share < quiet:
        return label
    special = " xp-special" if bool(heat.special_tokens[i]) else ""
    return (
        f'<span role="img" class="xp-t {kind}{special}{token_attributes(heat, i, score)} '
        f'style="--a:{share:.3f}">{label}</span>'
    )


# ----------------------------------------------------------------------------------------- tables


def direction(heat: TokenScores) -> str:
    """The attribute of a table whose columns follow a text that is read from the right."""
    return ' dir="rtl"' if reads_from_right("".join(heat.labels)) else ""


def cut(heat: TokenScores, i: int) -> str:
    """A class for the column where the second text of a pair begins."""
    return " xp-cut" if i and heat.starts_half(i) else ""


def table_head(heat: TokenScores, corner: str) -> str:
    """The head of a table with a column a token. corner: what the rows are, for screen readers."""
    columns = []
    for i, label in enumerate(heat.labels):
        marked = " xp-marked" if heat.is_marked(i) else ""
        columns.append(
            f'<th scope="col" class="{cut(heat, i)}{marked}" title="{escape(visible(label))}">'
            f'<span dir="auto">{column_head(label)}</span></th>'
        )
    empty = f'<td class="xp-corner" style="border:0" aria-label="{corner}"></td>'
    groups = half_names(heat)
    above = f"<tr>{empty}{groups}</tr>" if groups else ""
    return f"<thead>{above}<tr>{empty}{''.join(columns)}</tr></thead>"


def half_names(heat: TokenScores) -> str:
    """The names of a pair's texts over their columns."""
    cells = ""
    for half, name in enumerate(heat.halves):
        width = len(heat.tokens_of_half(half))
        if width:
            cells += f'<th scope="colgroup" class="xp-half-name" colspan="{width}">'
            cells += f"{escape(name)}</th>"
    return cells


def row_head(name: str) -> str:
    return f'<th scope="row" dir="ltr">{escape(name)}</th>'


def row_html(head: str, heat: TokenScores, scores: Tensor, scale: float, kind: str = "") -> str:
    """A table row of coloured cells. head: its first cell. scores: [token]. kind: its class."""
    cells = []
    for i, score in enumerate(scores.tolist()):
        classes, share = paint(heat, score, scale)
        cells.append(
            f'<td class="{classes}{cut(heat, i)}{token_attributes(heat, i, score)} '
            f'style="--a:{share:.3f}">{strong_sign(heat, score, share)}</td>'
        )
    return f'<tr class="{kind}">{head}{"".join(cells)}</tr>'


def method_table(
    heats: Sequence[TokenScores], shown: Sequence[TokenScores], missing: Missing
) -> str:
    """A row for each method over the same tokens, then those without a map."""
    width = len(shown[0])
    rows = []
    for heat, seen in zip(heats, shown):
        head = (
            f'<th scope="row" dir="ltr"><span class="xp-name">{escape(heat.title)}</span> '
            f'<span class="xp-meta">{facts_line(heat, seen.scores)}</span></th>'
        )
        rows.append(row_html(head, seen, seen.scores, largest(seen.scores)))
    for title, reason in missing.refused.items():
        rows.append(
            f'<tr class="xp-wait">{row_head(title)}'
            f'<td class="xp-reason" colspan="{width}"><span>{escape(reason)}</span></td></tr>'
        )
    for title, turn in missing.turns():
        head = f'<th scope="row" dir="ltr">{escape(title)} <span class="xp-meta">{turn}</span></th>'
        rows.append(f'<tr class="xp-wait">{head}{"<td></td>" * width}</tr>')
    return (
        '<div class="xp-scroll" tabindex="0" role="region" aria-label="methods side by side">'
        f'<table class="xp-map"{direction(shown[0])}>{table_head(shown[0], "method")}'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def strip(heat: TokenScores, seen: TokenScores) -> str:
    """One method over a long text: its strongest words, and the text in its colours."""
    strongest = []
    for i in ranked(seen.scores.abs())[:5].tolist():
        score = number(float(seen.scores[i]), heat.signed)
        strongest.append(f"{isolated(visible(seen.labels[i])[:24])} {score}")
    return (
        f'<div class="xp-strip"><h3>{escape(heat.title)} '
        f'<span class="xp-meta">{facts_line(heat, seen.scores)}</span></h3>'
        f'<p class="xp-sub">strongest: {escape(", ".join(strongest))}</p>'
        f"{running_text(seen, FAINT, scrolls=True)}</div>"
    )


def legend(shown: Sequence[TokenScores]) -> str:
    """Whose colours the running text has, what colours mean, and what a frame means."""
    first = shown[0]
    framed = '<span><i class="xp-ring"></i>what is explained</span>' if first.marked else ""
    return f'<p class="xp-legend"><b>{escape(first.title)}</b>{ramps(shown)}{framed}</p>'


def number_table(shown: Sequence[TokenScores]) -> str:
    """The same numbers as a plain table, for readers who see no colours."""
    first = shown[0]
    if len(first) > 10 * COLUMNS:
        return ""
    rows = []
    for i, label in enumerate(first.labels):
        if first.starts_half(i):
            name = escape(first.halves[first.half(i)])
            rows.append(
                f'<tr><th scope="rowgroup" class="xp-half-name" colspan="{len(shown) + 1}">'
                f"{name}</th></tr>"
            )
        cells = ""
        for heat in shown:
            cells += f"<td>{number(float(heat.scores[i]), heat.signed)}</td>"
        rows.append(f'<tr><th scope="row" dir="auto">{escape(visible(label))}</th>{cells}</tr>')
    return (
        "<details><summary>The numbers as a table</summary>"
        '<div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
        '<table class="xp-numbers"><thead><tr><th scope="col">token</th>'
        f"{column_titles(shown)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )

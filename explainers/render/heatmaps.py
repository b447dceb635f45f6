"""Any maps as HTML: those of pictures first, then those of texts."""

from collections.abc import Mapping, Sequence
from html import escape

from ..numerals import readable
from ..token_scores import TokenScores
from .card import Html, Missing, card, stylesheet, with_styles
from .heads import heads_over_photo, heads_over_text
from .look import Look
from .patches import layers_over_photo, maps_over_photo
from .tokens import layers_over_text, maps_over_text

#: The styles of a document around its maps.
DOCUMENT = (
    "body{margin:24px auto;max-width:1100px;padding:0 16px;"
    "background:light-dark(#fbfaf8,#161514);color-scheme:light dark}"
)


def groups(heats: Sequence[TokenScores]) -> list[list[TokenScores]]:
    """Maps of the same picture, or of the same text, together; pictures first."""
    found: dict[object, list[TokenScores]] = {}
    for heat in sorted(heats, key=lambda heat: heat.grid is None):
        found.setdefault(input_of(heat), []).append(heat)
    return list(found.values())


def input_of(heat: TokenScores) -> tuple:
    """What the maps of one input share: the picture and its grid, or the text and its tokens."""
    if heat.grid is None:
        return (heat.text, *heat.labels)
    return (heat.grid, heat.picture.tobytes() if heat.picture else None)


def heatmaps_html(
    heats: Sequence[TokenScores],
    look: Look | None = None,
    *,
    waiting: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    layers: bool | str = True,
    style: bool = True,
) -> str:
    """The maps of one input, or of several, as a piece of HTML.

    waiting   titles of methods that are still being computed
    refused   {title: reason} of methods that this input, target or model is not for
    layers    add the layer panel of a single map, or, "all", of each
    style     the HTML brings its own styles
    """
    look = look or Look()
    missing = Missing(waiting, refused or {})
    if not heats:
        html = card(missing.strips(), look.palette) if missing else ""
        return with_styles(html, style and bool(html))
    layers = layers if layers == "all" else layers and len(heats) == 1
    pieces = []
    for group in groups(heats):
        draw = maps_over_text if group[0].grid is None else maps_over_photo
        pieces.append(draw(group, look, missing, layers))
        missing = Missing()  # they are shown once
    return with_styles("".join(pieces), style)


def methods_without_map_html(reasons: Mapping[str, str]) -> str:
    """The methods that have no map of this input, with their reasons, folded away."""
    if not reasons:
        return ""
    items = "".join(
        f"<li><b>{escape(title)}</b>: {escape(reason)}</li>" for title, reason in reasons.items()
    )
    count = "1 method has" if len(reasons) == 1 else f"{len(reasons)} methods have"
    body = f"<details><summary>{count} no map here</summary><ul>{items}</ul></details>"
    return with_styles(card(body, Look().palette), style=True)


def layers_html(
    heat: TokenScores, look: Look | None = None, *, slider: bool = False, style: bool = True
) -> str:
    """A map layer by layer; nothing for a method that has no map by layer.

    slider: a control that shows one row large; it needs the app's script.
    """
    if heat.rows is None:
        return ""
    draw = layers_over_text if heat.grid is None else layers_over_photo
    return with_styles(draw(heat, look or Look(), slider), style)


def heads_html(
    heat: TokenScores, layer: int = -1, look: Look | None = None, *, style: bool = True
) -> Html:
    """How much each head of every layer contributes, and the heads of one layer one by one."""
    draw = heads_over_text if heat.grid is None else heads_over_photo
    return Html(with_styles(draw(heat, layer, look or Look()), style))


def document(heats: Sequence[TokenScores], look: Look | None = None, more: str = "") -> str:
    """A whole HTML document with every map, its layers, and where the numbers come from.

    Light or dark as the reader's system. more: HTML that stands below the maps.
    """
    first = heats[0]
    title = f"{escape(first.title)}: {escape(first.target)}"
    origin = "; ".join(origin_line(heat) for heat in heats)
    maps = heatmaps_html(heats, look, layers="all", style=False)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{DOCUMENT}{stylesheet('system')}</style><body>"
        f'{maps}{more}<div class="xp"><p class="xp-sub">{escape(origin)}</p></div></body></html>'
    )


def origin_line(heat: TokenScores) -> str:
    """Method, model, revision, target, score and options of a map."""
    options = "".join(f", {name}={value}" for name, value in heat.options.items())
    return (
        f"{heat.title}: {heat.model} ({heat.revision}), explaining {heat.target}, "
        f"score {readable(heat.score, 4)}{options}"
    )

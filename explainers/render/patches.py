"""Maps of pictures as HTML: the photo in grey, and the methods' maps over it side by side.

The numbers are those of the patches; a smooth enlargement is shown on request, and says that it
adds nothing. The photo stands once in the HTML, as a CSS variable. No script is needed; the app
adds linked hovering, arrow keys and sliders. Every string that a person typed goes through
`html.escape`.
"""

from collections.abc import Sequence
from html import escape
from typing import TypedDict

from PIL import Image
from torch import Tensor

from ..token_scores import TokenScores
from .cards import (
    Missing,
    card,
    column_titles,
    facts_line,
    layers_in_words,
    notes_html,
    ramps,
    with_unique_titles,
)
from .characters import number, visible
from .colours import largest
from .look import Look
from .overlay import CLIPPED, jpeg, pixelled
from .photo_maps import aspect, map_svg, place, strongest, thumb

TOP = 10  # patches in the table


def maps_over_photo(
    heats: Sequence[TokenScores],
    look: Look,
    missing: Missing | None = None,
    layers: bool | str = True,
) -> str:
    """The picture, then every method's map of it.

    missing: the methods without a map. layers: add the layer panel of a single map; "all": of each.
    """
    missing = missing or Missing()
    heats = with_unique_titles(heats)
    first = heats[0]
    tiles = [picture_tile(first, look.brief)]
    tiles += [tile(heat, look, reached=look.controls) for heat in heats]
    for title, sentence in [*missing.refused.items(), *missing.turns()]:
        tiles.append(empty_tile(first, title, sentence))
    few = " xp-few" if len(tiles) < 3 else ""
    body = [
        legend(heats),
        controls_of(heats, look) if look.controls else "",
        f'<div class="xp-tiles{few}">{"".join(tiles)}</div>',
        overlay_notes(heats, look),
        notes_html(heats),
        "" if look.brief else number_table(heats),
    ]
    pieces = [card("".join(body), look.palette, **card_look(look))]
    if layers == "all" or (layers and len(heats) == 1):
        pieces += [layers_card(heat, look) for heat in heats if heat.rows is not None]
    return with_photo(first.picture, look.side, "".join(pieces))


def layers_over_photo(heat: TokenScores, look: Look, slider: bool = False) -> str:
    """A map layer by layer as small pictures, then the totals.

    slider: also one row large, with a control that chooses it; it needs the app's script.
    """
    return with_photo(heat.picture, look.side, layers_card(heat, look, slider))


def with_photo(picture: Image.Image | None, side: int, html: str) -> str:
    """HTML whose maps lie over this photo, which stands in it once."""
    photo = f' style="--xp-photo:url({jpeg(picture, side)})"' if picture else ""
    return f'<div class="xp-pictured" data-apart{photo}>{html}</div>'


class CardLook(TypedDict):
    kind: str
    style: str


def card_look(look: Look) -> CardLook:
    """Classes and variables of the card: which overlay shows, and how strong."""
    shows = ""
    if look.pixels:
        shows = " xp-pixelwise"
    elif look.smooth:
        shows = " xp-smoothed"
    opacity = min(1.0, max(0.0, look.opacity))
    return {"kind": f" xp-pictures{shows}", "style": f"--xp-opacity:{opacity:.2f}"}


def legend(heats: Sequence[TokenScores]) -> str:
    """What is explained, and the meaning of the colours."""
    targets = ", ".join(dict.fromkeys(visible(heat.target) for heat in heats))
    return (
        f'<p class="xp-legend"><span>explained: <b>{escape(targets)}</b></span>'
        f"{ramps(heats, ' xp-over')}</p>"
    )


# ------------------------------------------------------------------------------------------ tiles


def tile(
    heat: TokenScores, look: Look, kind: str = "", meta: str | None = None, reached: bool = False
) -> str:
    """One method's map over the picture.

    kind: further classes. meta: what stands below it instead of badge, cost and shares.
    reached: the keyboard reaches every patch, which needs the app's script.
    """
    scores = heat.patches
    flat = scores.flatten()
    most = "zero everywhere"
    for i in strongest(scores, most=1):
        most = f"strongest: {place(heat, i)}: {number(float(flat[i]), heat.signed)}"
    if meta is None:
        meta = facts_line(heat, scores, beside=special_names(heat))
    return (
        f'<figure class="xp-tile{kind}">'
        f'<figcaption class="xp-name">{escape(heat.title)}</figcaption>'
        f'<div class="xp-photo" style="{aspect(heat)}">'
        f"{map_svg(heat, scores, largest(scores), look, reached)}</div>"
        f'<div><p class="xp-readout">{escape(most)}</p><p class="xp-meta">{meta}</p></div></figure>'
    )


def special_names(heat: TokenScores) -> str:
    """The names of the tokens before the patches, such as [CLS]."""
    names = []
    for label, is_special in zip(heat.labels, heat.special_tokens.tolist()):
        if is_special:
            names.append(visible(label))
    return " and ".join(names) if len(names) <= 2 else "specials"


def picture_tile(heat: TokenScores, brief: bool = False) -> str:
    """The picture in its colours: the model's own pixels, enlarged without smoothing."""
    rows, columns = heat.patch_grid
    size = f"{rows} × {columns} patches"
    name = "what the model sees of it"
    style = aspect(heat)
    if heat.seen is not None:
        size = f"{heat.seen.width} × {heat.seen.height} pixels, {size}"
        name = "as the model sees it"
        style += f";--xp-photo:url({pixelled(heat.seen, brief)})"
    return (
        '<figure class="xp-tile"><figcaption class="xp-name">The picture</figcaption>'
        f'<div class="xp-photo xp-plain" style="{style}" role="img" '
        f'aria-label="the picture {name}"></div>'
        f'<div><p class="xp-readout">{name}</p><p class="xp-meta">{size}</p></div></figure>'
    )


def empty_tile(heat: TokenScores, title: str, sentence: str) -> str:
    """The place of a method that has no map."""
    return (
        '<figure class="xp-tile xp-empty">'
        f'<figcaption class="xp-name">{escape(title)}</figcaption>'
        f'<div class="xp-hollow" style="{aspect(heat)}">'
        f'<p class="xp-sub">{escape(sentence)}</p></div></figure>'
    )


# ----------------------------------------------------------------------------------------- layers


def layers_card(heat: TokenScores, look: Look, slider: bool = False) -> str:
    """The layer panel without the photo under it."""
    pictures = layer_thumbs(heat, look.palette, slider)
    if slider:
        large = tile(heat, look, " xp-reading", meta="", reached=True)
        pictures = (
            f'<div class="xp-beside"><div>{layer_slider(heat)}{large}</div>'
            f"<div>{pictures}</div></div>"
        )
    sentence = layers_in_words(heat, "picture")
    return card(
        f"<h3>{escape(heat.title)}, layer by layer</h3>"
        f"<p class='xp-sub'>{escape(sentence)} Beside each stands its largest |score|.</p>"
        f"{legend([heat])}{pictures}",
        look.palette,
        **card_look(look),
    )


def layer_thumbs(heat: TokenScores, palette: str, data: bool) -> str:
    """All layers on one scale as small pictures, then each total on its own scale."""
    rows = heat.layer_scores
    scale = largest(heat.on_grid(rows))
    layers = totals = ""
    for name, scores in zip(heat.row_labels, rows):
        layers += thumb(name, heat, scores, scale, palette, data)
    for name, scores in heat.totals.items():
        own_scale = largest(heat.on_grid(scores))
        totals += thumb(name, heat, scores, own_scale, palette, data)
    html = f'<div class="xp-thumbs">{layers}</div>'
    if totals:
        html += f'<div class="xp-thumbs xp-totals">{totals}</div>'
    return html


def layer_slider(heat: TokenScores) -> str:
    """A slider over the small pictures, which chooses the one that is shown large."""
    layers, totals = len(heat.layer_scores), len(heat.totals)
    chosen = layers if totals else layers - 1
    return (
        '<div class="xp-slider"><label>Read one large '
        f'<input type="range" class="xp-range" min="0" max="{layers + totals - 1}" '
        f'value="{chosen}" aria-label="picture of the panel shown large"></label>'
        "<output></output></div>"
    )


# --------------------------------------------------------------------------------- controls, notes


def controls_of(heats: Sequence[TokenScores], look: Look) -> str:
    """A slider and toggles for all maps of the card; the script keeps what was chosen."""
    pixels = ""
    if has_pixels(heats):
        checked = " checked" if look.pixels else ""
        pixels = (
            f'<label><input type="checkbox" class="xp-to-pixels"{checked}> pixel by pixel</label>'
        )
    checked = " checked" if look.smooth else ""
    return (
        '<div class="xp-slider"><label>Opacity <input type="range" class="xp-to-opacity" min="0" '
        f'max="1" step="0.05" value="{look.opacity}"></label>'
        f'<label><input type="checkbox" class="xp-to-smooth"{checked}> '
        f"smooth (adds no information)</label>{pixels}</div>"
    )


def has_pixels(heats: Sequence[TokenScores]) -> bool:
    """Whether a map pixel by pixel is among them."""
    return any(heat.pixels is not None for heat in heats)


def overlay_notes(heats: Sequence[TokenScores], look: Look) -> str:
    """What an overlay shows, and what it does not."""
    html = ""
    if look.smooth or look.controls:
        html += (
            '<p class="xp-note xp-if-smooth">Smooth: bilinear interpolation between patches. '
            "It looks finer and adds no information.</p>"
        )
    if has_pixels(heats) and (look.pixels or look.controls):
        html += (
            '<p class="xp-note xp-if-pixels">Pixel by pixel, for methods that have such a map: '
            f"the strongest {100 * (1 - CLIPPED):.1g} % of the pixels have the same colour. "
            "A checkerboard with squares as large as the patches comes from cutting the picture "
            "into patches, not from the picture.</p>"
        )
    return html


def number_table(heats: Sequence[TokenScores]) -> str:
    """The strongest patches of each map as a plain table, for readers who see no colours."""
    tops = [strongest(heat.patches, TOP) for heat in heats]
    rows = []
    for rank in range(max(map(len, tops))):
        cells = ""
        for heat, top in zip(heats, tops):
            cells += patch_cell(heat, heat.patches, top, rank)
        rows.append(f'<tr><th scope="row">{rank + 1}</th>{cells}</tr>')
    return (
        "<details><summary>The strongest patches as a table</summary>"
        '<div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
        '<table class="xp-numbers"><thead><tr><th scope="col">rank</th>'
        f"{column_titles(heats)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def patch_cell(heat: TokenScores, scores: Tensor, top: Sequence[int], rank: int) -> str:
    """The patch of this rank with its score; an empty cell if there are fewer."""
    if rank >= len(top):
        return "<td></td>"
    i = top[rank]
    return f"<td>{place(heat, i)}: {number(float(scores.flatten()[i]), heat.signed)}</td>"

"""Heatmaps over a picture as HTML: the photo in grey, a rectangle a patch on top, the methods side by side.

Numbers are those of the patches and the truth is the grid; a smooth enlargement is shown when asked for and says that it adds nothing.
The photo stands once in the HTML, as a CSS variable, however many maps lie over it. No script is needed; the app adds linked
hovering, arrow keys and sliders. Whatever a person typed is data: every string goes through `html.escape`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image
from torch import Tensor

from ..ties import ranked
from ..token_scores import TokenScores
from .card import (
    STRONG,
    Html,
    card,
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
from .heads import checked, importance
from .overlay import CLIPPED, clipped, enlarged, jpeg, pixelled, see_through

SIDE = 448  # pixels of the photo inside HTML, longer side
OPACITY = 0.85  # of the strongest patch
MOST = 576  # patches that are elements of their own, with their number on hover; finer grids are drawn in one piece
TOP = 10  # patches in the table
FINE = 8  # pixels a patch has in a smooth enlargement


@dataclass(frozen=True)
class Look:
    """How maps are drawn. smooth, pixels: what shows instead of patches at first. controls: with everything that toggles can show.
    reached: by keyboard, patch by patch; like toggles, that takes a page with the script. brief: without each patch's number."""

    palette: str = "orange-blue"
    opacity: float = OPACITY
    smooth: bool = False
    pixels: bool = False
    controls: bool = False
    reached: bool = False
    brief: bool = False


def fragment(
    heats: Sequence[TokenScores],
    *,
    palette: str = "orange-blue",
    style: bool = True,
    waiting: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    layers: bool | str = True,
    opacity: float = OPACITY,
    smooth: bool = False,
    pixels: bool = False,
    controls: bool = False,
    brief: bool = False,
    side: int = SIDE,
) -> str:
    """Heatmaps of one picture as a piece of HTML: the picture, then every method's map of it.

    waiting, refused: as for texts. layers: add the layer panel of a single heatmap, or, "all", of each. opacity: of the strongest patch.
    smooth: a bilinear enlargement instead of patches. pixels: the maps pixel by pixel, of methods that have one. controls: sliders and
    toggles for these, which need the app's script. brief: maps in one piece, without each patch's number and the table, a sixth of the
    size: for a document that holds many. side: pixels of the photo's longer side.
    """
    refused, look = (
        refused or {},
        Look(palette, opacity, smooth, pixels, controls, reached=controls, brief=brief),
    )
    if not heats:
        body = strips(waiting, refused)
        return body and (styled(card(body, palette)) if style else card(body, palette))
    heats = told_apart(heats)
    tiles = [picture_tile(heats[0], brief), *(tile(heat, look) for heat in heats)]
    tiles += [empty_tile(heats[0], title, reason) for title, reason in refused.items()]
    tiles += [empty_tile(heats[0], title, turn) for title, turn in zip(waiting, turns(waiting))]
    body = (
        f'{legend(heats)}{controls_of(heats, look) if controls else ""}<div class="xp-tiles{" xp-few" if len(tiles) < 3 else ""}">{"".join(tiles)}</div>'
        f"{said_of_overlays(heats, look)}{notes(heats)}{'' if brief else numbers(heats)}"
    )
    pieces = [card(body, palette, **look_of(look))]
    if layers == "all" or (layers and len(heats) == 1):
        pieces += [layers_card(heat, look) for heat in heats if heat.rows is not None]
    html = pictured(heats[0].picture, side, "".join(pieces))
    return styled(html) if style else html


def layer_panel(
    heat: TokenScores,
    *,
    palette: str = "orange-blue",
    style: bool = True,
    slider: bool = False,
    opacity: float = OPACITY,
    side: int = SIDE,
) -> str:
    """A method layer by layer over the same picture as small multiples, then the maps that are made of them.

    slider: also the picture large, with a control for the row that lies over it; it needs the app's script.
    """
    if heat.rows is None:
        return ""
    html = pictured(
        heat.picture, side, layers_card(heat, Look(palette, opacity, reached=slider), slider)
    )
    return styled(html) if style else html


def head_panel(
    heat: TokenScores,
    layer: int = -1,
    *,
    palette: str = "orange-blue",
    style: bool = True,
    opacity: float = OPACITY,
    side: int = SIDE,
) -> Html:
    """Every head of every layer by its sum of |score|, and the heads of one layer as small multiples. Raises `Refusal` as `heads.fragment`."""
    layer, look = checked(heat, layer), Look(palette, opacity)
    rows, scale = heat.heads[layer], largest(heat.on_grid(heat.heads[layer]))
    thumbs = "".join(thumb(f"head {h}", heat, scores, scale, look) for h, scores in enumerate(rows))
    what = (
        "The heads share one scale; beside each stands its largest |score|."
        if scale
        else "Every number is zero here."
    )
    body = (
        f"{importance(heat.without_specials(), layer, 'patches')}<h3 class='xp-second'>Layer {layer}, head by head over the picture</h3>"
        f"<p class='xp-sub'>{what}</p>{legend([heat])}<div class='xp-thumbs'>{thumbs}</div>"
    )
    html = pictured(heat.picture, side, card(body, palette, **look_of(look)))
    return Html(styled(html) if style else html)


# ------------------------------------------------------------------------------------------------------ pieces


def pictured(picture: Image.Image | None, side: int, html: str) -> str:
    """HTML whose maps lie over this photo, which stands in it once."""
    photo = f' style="--xp-photo:url({jpeg(picture, side)})"' if picture else ""
    return f'<div class="xp-pictured" data-apart{photo}>{html}</div>'


def look_of(look: Look) -> dict[str, str]:
    """The card's classes and variables that say which overlay shows, and how strong."""
    shows = " xp-pixelwise" if look.pixels else " xp-smoothed" if look.smooth else ""
    return {
        "kind": f" xp-pictures{shows}",
        "style": f"--xp-opacity:{min(1.0, max(0.0, look.opacity)):.2f}",
    }


def legend(heats: Sequence[TokenScores]) -> str:
    """What is explained, and colours in words."""
    targets = ", ".join(dict.fromkeys(visible(heat.target) for heat in heats))
    return f'<p class="xp-legend"><span>explained: <b>{escape(targets)}</b></span>{ramps(heats, " xp-over")}</p>'


def place(heat: TokenScores, i: int) -> str:
    """Patch i of the grid as a person counts."""
    return f"row {i // heat.grid[1] + 1}, column {i % heat.grid[1] + 1}"


def beside(heat: TokenScores) -> str:
    """The tokens before the patches by name, such as [CLS]."""
    names = [
        visible(label)
        for label, special_tokens in zip(heat.labels, heat.special_tokens.tolist())
        if special_tokens
    ]
    return " and ".join(names) if len(names) <= 2 else "specials"


def strongest(heat: TokenScores, scores: Tensor, most: int) -> list[int]:
    """The patches with the largest |score|, largest first, equal ones row by row. scores: [rows columns]."""
    sizes = scores.nan_to_num(0, 0, 0).abs().flatten()
    return [i for i in ranked(sizes).tolist() if sizes[i] > 0][:most]


def in_short(heat: TokenScores, scores: Tensor) -> str:
    """A map in one phrase, for those who do not see it."""
    top = "; ".join(
        f"{place(heat, i)}: {heat.in_words(float(scores.flatten()[i]))}"
        for i in strongest(heat, scores, 3)
    )
    return f"strongest at {top}" if top else "zero everywhere"


def tile(heat: TokenScores, look: Look, kind: str = "", said: str | None = None) -> str:
    """One method's map over the picture. said: what stands under it instead of badge, cost and shares."""
    scores = heat.on_grid(heat.scores)
    top = strongest(heat, scores, 1)
    most = (
        f"most: {place(heat, top[0])}: {number(float(scores.flatten()[top[0]]), heat.signed)}"
        if top
        else "zero everywhere"
    )
    said = meta(heat, scores, beside(heat)) if said is None else said
    return (
        f'<figure class="xp-tile{kind}"><figcaption class="xp-name">{escape(heat.title)}</figcaption>'
        f'<div class="xp-photo" style="{aspect(heat)}">{drawn(heat, scores, largest(scores), look, heat.title)}</div>'
        f'<div><p class="xp-readout">{escape(most)}</p><p class="xp-meta">{said}</p></div></figure>'
    )


def picture_tile(heat: TokenScores, brief: bool = False) -> str:
    """The picture in its colours: the pixels that the model gets, enlarged without smoothing."""
    said, name = f"{heat.grid[0]} × {heat.grid[1]} patches", "what the model sees of it"
    look = aspect(heat)
    if heat.seen is not None:
        said = f"{heat.seen.width} × {heat.seen.height} pixels, {said}"
        name = "as the model sees it"
        look += f";--xp-photo:url({pixelled(heat.seen, brief)})"
    return (
        '<figure class="xp-tile"><figcaption class="xp-name">The picture</figcaption>'
        f'<div class="xp-photo xp-plain" style="{look}" role="img" '
        f'aria-label="the picture {name}"></div>'
        f'<div><p class="xp-readout">{name}</p><p class="xp-meta">{said}</p></div></figure>'
    )


def empty_tile(heat: TokenScores, title: str, sentence: str) -> str:
    """The place of a method that has no map, or none yet."""
    return (
        f'<figure class="xp-tile xp-empty"><figcaption class="xp-name">{escape(title)}</figcaption>'
        f'<div class="xp-hollow" style="{aspect(heat)}"><p class="xp-sub">{escape(sentence)}</p></div></figure>'
    )


def aspect(heat: TokenScores) -> str:
    width, height = heat.picture.size if heat.picture else heat.grid[::-1]
    return f"aspect-ratio:{width}/{height}"


def drawn(heat: TokenScores, scores: Tensor, scale: float, look: Look, name: str) -> str:
    """Scores [rows columns] as an SVG to lie over the photo, with what toggles show instead."""
    rows, columns = heat.grid
    cells = (
        rectangles(heat, scores, scale)
        if scores.numel() <= MOST and not look.brief
        else blocks(heat, scores, scale, look)
    )
    others = ""
    if look.smooth or look.controls:
        others += over(
            heat,
            enlarged(scores, FINE * rows, FINE * columns, smooth=True),
            scale,
            look,
            "xp-smooth",
        )
    if heat.pixels is not None and (look.pixels or look.controls):
        others += over(heat, heat.pixels, clipped(heat.pixels), look, "xp-pixels")
    role = "group" if look.reached else "img"  # of an image, nothing inside is read out
    return (
        f'<svg class="xp-patches" viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" role="{role}"{poles(heat) if look.reached else ""} '
        f'aria-label="{escape(name)}: {escape(in_short(heat, scores))}"><g class="xp-cells">{cells}</g>{others}{signs(heat, scores, scale)}</svg>'
    )


def poles(heat: TokenScores) -> str:
    """What the script says when it lays another row over the picture."""
    return f' data-poles="{escape(json.dumps(heat.poles))}"' if heat.signed else ""


def rectangles(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """One rectangle a patch, with its number in words."""
    out = []
    for i, score in enumerate(scores.flatten().tolist()):
        kind, share = paint(heat, score, scale)
        row, column = divmod(i, heat.grid[1])
        out.append(
            f"<rect data-i={i} class={kind.split()[0]} style=--a:{share:.2f} x={column} y={row}>"  # no quotes: a tenth of a comparison
            f"<title>{place(heat, i)}: {escape(heat.in_words(score))}</title></rect>"
        )
    return "".join(out)


def blocks(heat: TokenScores, scores: Tensor, scale: float, look: Look) -> str:
    """The patches in one piece, for grids too fine to point at."""
    return over(heat, scores, scale, look, "xp-blocks")


def over(heat: TokenScores, scores: Tensor, scale: float, look: Look, kind: str) -> str:
    """Scores [height width] as a see-through image over the whole grid."""
    return (
        f'<image class="{kind}" width="{heat.grid[1]}" height="{heat.grid[0]}" preserveAspectRatio="none" '
        f'href="{see_through(scores, scale, heat.signed, look.palette)}"/>'
    )


def signs(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """A plus or a minus on the strong patches of a signed map, so that colour is not the only cue."""
    return f'<path class="xp-signs" d="{sign_path(heat, scores, scale)}"/>' if heat.signed else ""


def strong(heat: TokenScores, scores: Tensor, scale: float) -> list[tuple[int, int, bool]]:
    """Row, column and whether positive of the patches that carry a sign."""
    found = (
        (i, score)
        for i, score in enumerate(scores.nan_to_num(0, 0, 0).flatten().tolist())
        if scale and abs(score) >= STRONG * scale
    )
    return [(*divmod(i, heat.grid[1]), score > 0) for i, score in found]


def sign_path(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """All signs of a map as one path, in units of patches."""
    return "".join(
        f"M{column}.32 {row}.5h.36" + ("m-.18-.18v.36" if plus else "")
        for row, column, plus in strong(heat, scores, scale)
    )


def thumb(
    name: str, heat: TokenScores, scores: Tensor, scale: float, look: Look, data: bool = False
) -> str:
    """One row of the per-layer picture, small. scores: [token]. data: with its numbers, for the script."""
    grid = heat.on_grid(scores)
    label = f"{name}: {in_short(heat, grid)}"
    numbers_ = ",".join(number(score, heat.signed) for score in grid.flatten().tolist())
    held = f' data-scale="{scale:.6g}" data-scores="{numbers_}"' if data else ""
    rows, columns = heat.grid
    return (
        f'<figure class="xp-thumb"{held}><div class="xp-photo" style="{aspect(heat)}">'
        f'<svg class="xp-patches" viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" role="img" aria-label="{escape(visible(label))}">'
        f'<g class="xp-cells">{blocks(heat, grid, scale, look)}</g>{signs(heat, grid, scale)}</svg></div>'
        f'<figcaption><b>{escape(visible(name))}</b> <span class="xp-meta">{largest(grid):.2g}</span></figcaption></figure>'
    )


def layers_card(heat: TokenScores, look: Look, slider: bool = False) -> str:
    """The layer panel without the photo under it."""
    scale = largest(heat.on_grid(heat.rows))
    layers = "".join(
        thumb(name, heat, scores, scale, look, slider)
        for name, scores in zip(heat.row_labels, heat.rows)
    )
    totals = "".join(
        thumb(name, heat, scores, largest(heat.on_grid(scores)), look, slider)
        for name, scores in heat.totals.items()
    )
    thumbs = f'<div class="xp-thumbs">{layers}</div>' + (
        f'<div class="xp-thumbs xp-totals">{totals}</div>' if totals else ""
    )
    if slider:
        control = (
            '<div class="xp-slider"><label>Read one large <input type="range" class="xp-range" min="0" '
            f'max="{len(heat.rows) + len(heat.totals) - 1}" value="{len(heat.rows) - (0 if heat.totals else 1)}" '
            'aria-label="picture of the panel shown large"></label><output></output></div>'
        )
        thumbs = f'<div class="xp-beside"><div>{control}{tile(heat, look, " xp-reading", said="")}</div><div>{thumbs}</div></div>'
    return card(
        f"<h3>{escape(heat.title)}, layer by layer</h3><p class='xp-sub'>{escape(layers_in_words(heat, 'patches', 'picture'))} "
        f"Beside each stands its largest |score|.</p>{legend([heat])}{thumbs}",
        look.palette,
        **look_of(look),
    )


def controls_of(heats: Sequence[TokenScores], look: Look) -> str:
    """A slider and toggles for all maps of the card; the script keeps what was chosen."""
    pixels = (
        '<label><input type="checkbox" class="xp-to-pixels"'
        + " checked" * look.pixels
        + "> pixel by pixel</label>"
        if any(heat.pixels is not None for heat in heats)
        else ""
    )
    return (
        f'<div class="xp-slider"><label>Opacity <input type="range" class="xp-to-opacity" min="0" max="1" step="0.05" value="{look.opacity}"></label>'
        f'<label><input type="checkbox" class="xp-to-smooth"{" checked" * look.smooth}> smooth (adds no information)</label>{pixels}</div>'
    )


def said_of_overlays(heats: Sequence[TokenScores], look: Look) -> str:
    """What the overlay shown instead of patches is, and is not."""
    said = []
    if look.smooth or look.controls:
        said.append(
            (
                "xp-if-smooth",
                "Smooth: straight lines between the patches' numbers. It looks finer and adds no information.",
            )
        )
    if any(heat.pixels is not None for heat in heats) and (look.pixels or look.controls):
        said.append(
            (
                "xp-if-pixels",
                f"Pixel by pixel, where a method has such a map: the strongest {100 * (1 - CLIPPED):.1g} % of its pixels are drawn "
                "alike. A checkerboard of the patches' size comes from cutting the picture into patches, not from what is in it.",
            )
        )
    return "".join(f'<p class="xp-note {kind}">{sentence}</p>' for kind, sentence in said)


def numbers(heats: Sequence[TokenScores]) -> str:
    """The strongest patches of each map as a plain table, for eyes and readers that want no colour."""
    maps = [heat.on_grid(heat.scores) for heat in heats]
    tops = [strongest(heat, scores, TOP) for heat, scores in zip(heats, maps)]
    columns = "".join(f'<th scope="col">{escape(heat.title)}</th>' for heat in heats)

    def cell(heat: TokenScores, scores: Tensor, top: list[int], k: int) -> str:
        return (
            f"<td>{place(heat, top[k])}: {number(float(scores.flatten()[top[k]]), heat.signed)}</td>"
            if k < len(top)
            else "<td></td>"
        )

    rows = "".join(
        f'<tr><th scope="row">{k + 1}</th>{"".join(cell(heat, scores, top, k) for heat, scores, top in zip(heats, maps, tops))}</tr>'
        for k in range(max(map(len, tops)))
    )
    return (
        f'<details><summary>The strongest patches as a table</summary><div class="xp-wide" tabindex="0" role="region" aria-label="numbers">'
        f'<table class="xp-numbers"><thead><tr><th scope="col">rank</th>{columns}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )

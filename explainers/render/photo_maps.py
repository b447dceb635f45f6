"""One map over a photo, as SVG: a rectangle a patch, signs, and the overlays that toggles show."""

import json
from html import escape

from torch import Tensor

from ..numerals import readable
from ..ties import ranked
from ..token_scores import TokenScores
from .characters import number, visible
from .colours import STRONG, largest, paint
from .look import Look
from .overlay import clipped, enlarged, see_through

MOST = 576  # patches with an element and a number of their own; finer grids are one image
FINE = 8  # pixels of a patch in a smooth enlargement


def place(heat: TokenScores, i: int) -> str:
    """Patch i of the grid as a person counts."""
    row, column = divmod(i, heat.patch_grid[1])
    return f"row {row + 1}, column {column + 1}"


def strongest(scores: Tensor, most: int) -> list[int]:
    """The patches of the largest |score|, largest first; equal ones row by row.

    scores: [row column]. Patches whose score is zero or not finite are left out.
    """
    sizes = scores.nan_to_num(0, 0, 0).abs().flatten()
    return [i for i in ranked(sizes).tolist() if sizes[i] > 0][:most]


def summary(heat: TokenScores, scores: Tensor) -> str:
    """A map in one phrase, for readers who do not see it."""
    flat = scores.flatten()
    top = [f"{place(heat, i)}: {heat.in_words(float(flat[i]))}" for i in strongest(scores, most=3)]
    return f"strongest at {'; '.join(top)}" if top else "zero everywhere"


def aspect(heat: TokenScores) -> str:
    """The shape of the picture, as a style."""
    rows, columns = heat.patch_grid
    width, height = heat.picture.size if heat.picture else (columns, rows)
    return f"aspect-ratio:{width}/{height}"


def map_svg(
    heat: TokenScores, scores: Tensor, scale: float, look: Look, reached: bool = False
) -> str:
    """Scores [row column] as an SVG that lies over the photo, with the overlays of the toggles.

    reached: the keyboard reaches every patch, which needs the app's script.
    """
    rows, columns = heat.patch_grid
    if scores.numel() <= MOST and not look.brief:
        cells = rectangles(heat, scores, scale)
    else:
        cells = image_over(heat, scores, scale, look.palette, "xp-blocks")
    name = escape(f"{heat.title}: {summary(heat, scores)}")
    # with role="img", a screen reader reads nothing inside
    role = f'role="group"{poles(heat)}' if reached else 'role="img"'
    return (
        f'<svg class="xp-patches" viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" '
        f'{role} aria-label="{name}"><g class="xp-cells">{cells}</g>'
        f"{overlays(heat, scores, scale, look)}{signs(heat, scores, scale)}</svg>"
    )


def overlays(heat: TokenScores, scores: Tensor, scale: float, look: Look) -> str:
    """What can be shown instead of the patches: a smooth enlargement, the map by pixels."""
    rows, columns = heat.patch_grid
    html = ""
    if look.smooth or look.controls:
        smooth = enlarged(scores, FINE * rows, FINE * columns, smooth=True)
        html += image_over(heat, smooth, scale, look.palette, "xp-smooth")
    if heat.pixels is not None and (look.pixels or look.controls):
        pixel_scale = clipped(heat.pixels)
        html += image_over(heat, heat.pixels, pixel_scale, look.palette, "xp-pixels")
    return html


def poles(heat: TokenScores) -> str:
    """The two signs in words, for the script that shows another row over the photo."""
    return f' data-poles="{escape(json.dumps(heat.poles))}"' if heat.signed else ""


def rectangles(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """A rectangle a patch, with its number in words. scores: [row column]."""
    columns = heat.patch_grid[1]
    html = []
    for i, score in enumerate(scores.flatten().tolist()):
        kind, share = paint(heat, score, scale)
        row, column = divmod(i, columns)
        # without quotes, a comparison is a tenth smaller
        html.append(
            f"<rect data-i={i} class={kind.split()[0]} style=--a:{share:.2f} x={column} y={row}>"
            f"<title>{place(heat, i)}: {escape(heat.in_words(score))}</title></rect>"
        )
    return "".join(html)


def image_over(heat: TokenScores, scores: Tensor, scale: float, palette: str, kind: str) -> str:
    """Scores [height width] as a see-through image over the whole grid. kind: its class."""
    rows, columns = heat.patch_grid
    return (
        f'<image class="{kind}" width="{columns}" height="{rows}" preserveAspectRatio="none" '
        f'href="{see_through(scores, scale, heat.signed, palette)}"/>'
    )


def signs(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """A plus or a minus on the strong patches of a signed map."""
    if not heat.signed:
        return ""
    return f'<path class="xp-signs" d="{sign_path(heat, scores, scale)}"/>'


def strong_patches(heat: TokenScores, scores: Tensor, scale: float) -> list[tuple[int, int, bool]]:
    """Row, column and whether positive of the patches that carry a sign."""
    columns = heat.patch_grid[1]
    found = []
    for i, score in enumerate(scores.nan_to_num(0, 0, 0).flatten().tolist()):
        if scale and abs(score) >= STRONG * scale:
            row, column = divmod(i, columns)
            found.append((row, column, score > 0))
    return found


def sign_path(heat: TokenScores, scores: Tensor, scale: float) -> str:
    """All signs of a map as one SVG path, in units of patches."""
    path = []
    for row, column, is_plus in strong_patches(heat, scores, scale):
        path.append(f"M{column}.32 {row}.5h.36")
        if is_plus:
            path.append("m-.18-.18v.36")
    return "".join(path)


def thumb(
    name: str, heat: TokenScores, scores: Tensor, scale: float, palette: str, data: bool = False
) -> str:
    """One row of a panel as a small picture. scores: [token].

    data: with its numbers, for the script.
    """
    grid = heat.on_grid(scores)
    rows, columns = heat.patch_grid
    numbers = ""
    if data:
        values = ",".join(number(score, heat.signed) for score in grid.flatten().tolist())
        numbers = f' data-scale="{scale:.6g}" data-scores="{values}"'
    label = escape(visible(f"{name}: {summary(heat, grid)}"))
    return (
        f'<figure class="xp-thumb"{numbers}><div class="xp-photo" style="{aspect(heat)}">'
        f'<svg class="xp-patches" viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}">'
        f'<g class="xp-cells">{image_over(heat, grid, scale, palette, "xp-blocks")}</g>'
        f"{signs(heat, grid, scale)}</svg></div>"
        f"<figcaption><b>{escape(visible(name))}</b> "
        f'<span class="xp-meta">{readable(largest(grid), 2)}</span></figcaption></figure>'
    )

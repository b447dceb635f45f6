"""Heatmaps as files that carry where they came from: model, revision, target, options."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import accumulate
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import Refusal
from ..token_scores import TokenScores
from . import picture_files, text_files
from .card import visible
from .heatmaps import groups, page

MOST_PIXELS = 4096  # numbers of a map pixel by pixel that JSON holds


def save(
    heats: TokenScores | Sequence[TokenScores], path, about: Mapping[str, str] | None = None
) -> None:
    """Write to `path`; its suffix (.html .svg .png .csv .json) says how. Refuses an unknown suffix.

    about: what else the file is to say, by name, such as what the model says and a link.
    """
    heats = [heats] if isinstance(heats, TokenScores) else list(heats)
    write(writer_for(path)(heats, about), path)


def writer_for(path):
    """The function that makes the text, or the bytes, of such a file; refuses an unknown suffix."""
    writers = {".html": to_html, ".svg": to_svg, ".png": to_png, ".csv": to_csv, ".json": to_json}
    suffix = Path(path).suffix.casefold()
    if suffix not in writers:
        raise Refusal(
            f"{Path(path).name} could be written as {', '.join(writers)}; {suffix or 'no suffix'} is none of them."
        )
    return writers[suffix]


def write(content: str | bytes, path) -> None:
    try:
        Path(path).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise Refusal(f"{path} could not be written: {error.strerror}.") from error


def record(heat: TokenScores) -> dict:
    """A heatmap as plain data, raw numbers included."""
    return {
        "model": heat.model,
        "revision": heat.revision,
        "method": heat.method,
        "title": heat.title,
        "options": heat.options,
        "target": heat.target,
        "score": heat.score,
        "unit": heat.unit,
        "signed": heat.signed,
        "cost": heat.cost,
        "facts": heat.facts,
        "notes": heat.notes,
        "text": heat.text,
        "tokens": heat.labels,
        "spans": heat.spans,
        "words": heat.words,
        "special": heat.special_tokens.tolist(),
        "segments": heat.segments,
        "halves": list(heat.halves),
        "explained_span": heat.marked,
        "next_token": heat.pending or None,
        "scores": plain(heat.scores.tolist()),
        "layers": None
        if heat.rows is None
        else dict(zip(heat.row_labels, plain(heat.rows.tolist()))),
        "totals": {name: plain(total.tolist()) for name, total in heat.totals.items()},
        "heads": None if heat.heads is None else plain(heat.heads.tolist()),
    } | ({} if heat.grid is None else of_picture(heat))


def of_picture(heat: TokenScores) -> dict:
    """What only a map of a picture has; a large map pixel by pixel is left out, and the record says so."""
    size = 0 if heat.pixels is None else heat.pixels.numel()
    return {
        "grid": list(heat.grid),
        "picture_size": list(heat.picture.size) if heat.picture else None,
        "pixels_shape": list(heat.pixels.shape) if size else None,
        "pixels": plain(heat.pixels.tolist()) if 0 < size <= MOST_PIXELS else None,
        "pixels_left_out": f"{size:,} numbers; at most {MOST_PIXELS:,} are written"
        if size > MOST_PIXELS
        else None,
    }


def plain(numbers):
    """The same numbers, None for what JSON cannot hold."""
    if isinstance(numbers, list):
        return [plain(one) for one in numbers]
    return numbers if math.isfinite(numbers) else None


def to_html(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> str:
    """A whole document."""
    said = "".join(
        f'<div class="xp"><p class="xp-sub">{escape(visible(line))}</p></div>'
        for line in (about or {}).values()
    )
    return page(heats, more=said)


def to_json(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> str:
    records = [record(heat) | dict(about or {}) for heat in heats]
    return json.dumps(records[0] if len(records) == 1 else records, ensure_ascii=False, indent=1)


def to_csv(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> str:
    """One line a token or patch; a comment line on top says what it is. Maps of a picture and of a
    text stand one under the other.

    Everything but numbers is in quotes, so that pandas.read_csv(path, comment="#") keeps a piece
    such as ##ing; keep_default_na=False keeps
    words such as NA and null.
    """
    return "\n".join(csv_of(group, about) for group in groups(heats))


def csv_of(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> str:
    out = io.StringIO()
    first = heats[0]
    methods = "; ".join(f"{heat.method} {heat.options or {}}" for heat in heats)
    origin = f"# model {first.model} ({first.revision}), target {first.target}, score {first.score!r}, methods {methods}"
    origin += "".join(f", {name} {line}" for name, line in (about or {}).items())
    out.write(" ".join(origin.splitlines()).rstrip() + "\n")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    layered = [
        (heat, name, i)
        for heat in heats
        if heat.rows is not None
        for i, name in enumerate(heat.row_labels)
    ]
    names, places = where(first)
    writer.writerow(
        [
            *names,
            *(heat.method for heat in heats),
            *(f"{heat.method} {name}" for heat, name, _ in layered),
        ]
    )
    for k, place in enumerate(places):
        writer.writerow(
            [
                *place,
                *(float(heat.scores[k]) for heat in heats),
                *(float(heat.rows[i, k]) for heat, _, i in layered),
            ]
        )
    return out.getvalue()


def where(heat: TokenScores) -> tuple[list[str], list[list]]:
    """The columns that say which token a line is about, and their values: its text, or the row and column of its patch from 1."""
    special_tokens = heat.special_tokens.tolist()
    if heat.grid is not None:
        before = len(heat) - heat.grid[0] * heat.grid[1]
        patches = [[i // heat.grid[1] + 1, i % heat.grid[1] + 1] for i in range(len(heat) - before)]
        return ["row", "column", "special"], [
            [*place, one] for place, one in zip([["", ""]] * before + patches, special_tokens)
        ]
    part = [[heat.halves[heat.half(k)]] if heat.halves else [] for k in range(len(heat))]
    return ["token", "special", *(["part"] if heat.halves else [])], [
        [label, one, *half] for label, one, half in zip(heat.labels, special_tokens, part)
    ]


def to_png(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> bytes:
    """A figure, with where it comes from in its text chunks; maps of a picture and of a text stand
    one under the other.
    """
    figures = [figures_of(group).image(group, about) for group in groups(heats)]
    tops = list(accumulate((figure.height for figure in figures), initial=0))
    sheet = Image.new("RGB", (max(figure.width for figure in figures), tops[-1]), "white")
    for figure, top in zip(figures, tops):
        sheet.paste(figure, (0, top))
    said, where_from = PngInfo(), origin(heats, about)
    chunks = {
        "Title": visible(f"{heats[0].title}: {heats[0].target}"),
        "Software": "explainers",
        "Description": json.dumps(where_from),
        **where_from,
    }
    for name, value in chunks.items():
        said.add_itxt(name, visible(value) if isinstance(value, str) else json.dumps(value))
    file = io.BytesIO()
    sheet.save(file, "PNG", pnginfo=said)
    return file.getvalue()


def figures_of(heats: Sequence[TokenScores]):
    """The module that draws maps of this kind."""
    return text_files if heats[0].grid is None else picture_files


def origin(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> dict:
    """Where numbers come from, for the inside of a figure."""
    first = record(heats[0])
    return (
        {key: first[key] for key in ("model", "revision", "target", "score", "options")}
        | {"methods": [heat.method for heat in heats]}
        | dict(about or {})
    )


def to_svg(heats: Sequence[TokenScores], about: Mapping[str, str] | None = None) -> str:
    """A figure for slides and papers; maps of a picture and of a text stand one under the other."""
    figures = [figures_of(group).svg(group, origin(group, about), about) for group in groups(heats)]
    return figures[0] if len(figures) == 1 else stacked(figures)


def stacked(figures: Sequence[str]) -> str:
    """SVGs one under another."""
    sizes = [
        tuple(map(float, re.search(r'width="(\d+)" height="(\d+)"', figure).groups()))
        for figure in figures
    ]
    tops = [sum(height for _, height in sizes[:k]) for k in range(len(figures))]
    placed = "".join(
        figure.replace("<svg ", f'<svg y="{top:.0f}" ', 1) for figure, top in zip(figures, tops)
    )
    width, height = max(width for width, _ in sizes), sum(height for _, height in sizes)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">{placed}</svg>'

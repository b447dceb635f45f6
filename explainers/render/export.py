"""Maps as files that say where they come from: model, revision, target, options."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ..errors import Refusal
from ..token_scores import TokenScores
from .characters import visible
from .heatmaps import document, groups
from .picture_files import picture_image, picture_svg
from .text_files import text_image_of, text_svg

MOST_PIXELS = 4096  # numbers of a map pixel by pixel that JSON holds

#: What else a file is to say, by name, such as the prediction or a link.
About = Mapping[str, str] | None
Place = str | os.PathLike[str]


def save(heats: TokenScores | Sequence[TokenScores], path: Place, about: About = None) -> None:
    """Write maps to a file, by its suffix .html, .svg, .png, .csv or .json.

    Raises `Refusal` for another suffix, and for a path that cannot be written.
    """
    several = [heats] if isinstance(heats, TokenScores) else list(heats)
    write(writer_for(path)(several, about), path)


def writer_for(path: Place) -> Callable[[Sequence[TokenScores], About], str | bytes]:
    """The function that makes the text, or the bytes, of such a file.

    Raises `Refusal` for an unknown suffix.
    """
    writers = {".html": to_html, ".svg": to_svg, ".png": to_png, ".csv": to_csv, ".json": to_json}
    suffix = Path(path).suffix.casefold()
    if suffix not in writers:
        *others, last = writers
        known = ", ".join(others)
        raise Refusal(
            f"{Path(path).name} cannot be written: use the suffix {known} or {last}; "
            f"got {suffix or 'no suffix'}."
        )
    return writers[suffix]


def write(content: str | bytes, path: Place) -> None:
    """Write a file. Raises `Refusal` if it cannot be written."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise Refusal(f"{path} could not be written: {error.strerror}.") from error


# ------------------------------------------------------------------------------------- HTML, JSON


def to_html(heats: Sequence[TokenScores], about: About = None) -> str:
    """A whole HTML document."""
    more = ""
    for line in (about or {}).values():
        more += f'<div class="xp"><p class="xp-sub">{escape(visible(line))}</p></div>'
    return document(heats, more=more)


def to_json(heats: Sequence[TokenScores], about: About = None) -> str:
    """The record of one map, or a list of records."""
    records = [record(heat) | dict(about or {}) for heat in heats]
    return json.dumps(records[0] if len(records) == 1 else records, ensure_ascii=False, indent=1)


def record(heat: TokenScores) -> dict:
    """A map as plain data, raw numbers included. None stands for what JSON cannot hold."""
    layers = None
    if heat.rows is not None:
        layers = dict(zip(heat.row_labels, finite(heat.rows)))
    data = {
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
        "scores": finite(heat.scores),
        "layers": layers,
        "totals": {name: finite(total) for name, total in heat.totals.items()},
        "heads": None if heat.heads is None else finite(heat.heads),
    }
    return data if heat.grid is None else data | picture_record(heat)


def picture_record(heat: TokenScores) -> dict:
    """What only a map of a picture has. A large map by pixels is left out, with a note."""
    shape, pixels, left_out = None, None, None
    if heat.pixels is not None and heat.pixels.numel():
        shape = list(heat.pixels.shape)
        size = heat.pixels.numel()
        if size <= MOST_PIXELS:
            pixels = finite(heat.pixels)
        else:
            left_out = f"{size:,} numbers; at most {MOST_PIXELS:,} are written"
    return {
        "grid": list(heat.patch_grid),
        "picture_size": list(heat.picture.size) if heat.picture else None,
        "pixels_shape": shape,
        "pixels": pixels,
        "pixels_left_out": left_out,
    }


def finite(numbers: Tensor) -> list:
    """The numbers as nested lists, None for those that are not finite."""
    if numbers.ndim > 1:
        return [finite(row) for row in numbers]
    return [number if math.isfinite(number) else None for number in numbers.tolist()]


# -------------------------------------------------------------------------------------------- CSV


def to_csv(heats: Sequence[TokenScores], about: About = None) -> str:
    """A line for each token or patch, under a comment that says where the numbers come from.

    Maps of a picture and of a text stand one under the other. Everything but numbers is in quotes,
    so that pandas.read_csv(path, comment="#") keeps a piece such as ##ing, and, with
    keep_default_na=False, words such as NA and null.
    """
    return "\n".join(table_csv(group, about) for group in groups(heats))


def table_csv(heats: Sequence[TokenScores], about: About = None) -> str:
    """The CSV of maps of one input: its tokens, then the scores, then the layers."""
    first = heats[0]
    names, places = token_columns(first)
    columns = []
    for heat in heats:
        names.append(heat.method)
        columns.append(heat.scores.tolist())
    for heat in heats:
        if heat.rows is not None:
            for name, row in zip(heat.row_labels, heat.rows.tolist()):
                names.append(f"{heat.method} {name}")
                columns.append(row)
    rows = [[*place, *scores] for place, scores in zip(places, zip(*columns))]
    return f"{csv_comment(heats, about)}\n{csv_text([names, *rows])}"


def csv_comment(heats: Sequence[TokenScores], about: About) -> str:
    """One line that says where the numbers come from."""
    first = heats[0]
    methods = "; ".join(f"{heat.method} {heat.options or {}}" for heat in heats)
    comment = (
        f"# model {first.model} ({first.revision}), target {first.target}, "
        f"score {first.score!r}, methods {methods}"
    )
    for name, line in (about or {}).items():
        comment += f", {name} {line}"
    return " ".join(comment.splitlines()).rstrip()


def csv_text(rows: Sequence[Sequence]) -> str:
    """Rows as CSV, everything but numbers in quotes."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return out.getvalue()


def token_columns(heat: TokenScores) -> tuple[list[str], list[list]]:
    """The columns that say which token a line is about, and their values.

    Of a text its label; of a picture the row and the column of its patch, counted from 1.
    """
    values: list[list] = []
    if heat.grid is not None:
        for i, is_special in enumerate(heat.special_tokens.tolist()):
            values.append([*patch_numbers(heat, i), is_special])
        return ["row", "column", "special"], values
    names = ["token", "special"]
    if heat.halves:
        names.append("part")
    for i, is_special in enumerate(heat.special_tokens.tolist()):
        value = [heat.labels[i], is_special]
        if heat.halves:
            value.append(heat.halves[heat.half(i)])
        values.append(value)
    return names, values


def patch_numbers(heat: TokenScores, i: int) -> tuple:
    """Row and column of token i, counted from 1; two empty texts for a token before the patches."""
    rows, columns = heat.patch_grid
    patch = i - (len(heat) - rows * columns)
    if patch < 0:
        return "", ""
    return patch // columns + 1, patch % columns + 1


def maps_to_csv(heats: Sequence[TokenScores], maps: Sequence[Tensor]) -> str:
    """Token-by-token maps: a line for each method, layer, query and key.

    maps: [layer query key] for each of `heats`.
    """
    rows: list[list] = [["method", "layer", "query", "key", "query_token", "key_token", "value"]]
    for heat, map_ in zip(heats, maps):
        for layer, matrix in enumerate(map_.tolist()):
            for query, values in enumerate(matrix):
                for key, value in enumerate(values):
                    tokens = heat.labels[query], heat.labels[key]
                    rows.append([heat.method, layer, query, key, *tokens, float(f"{value:.6g}")])
    return csv_text(rows)


def readings_to_csv(readings: Sequence) -> str:
    """Optimus' attention maps: layer, head, row, and how faithful (RFT) each is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["layer", "head", "row", "rft"])
    for one in readings:
        writer.writerow([one.layer, one.head, one.view, one.faithfulness])
    return out.getvalue()


# ---------------------------------------------------------------------------------------- figures


def to_png(heats: Sequence[TokenScores], about: About = None) -> bytes:
    """A figure that says where it comes from in its text chunks.

    Maps of a picture and of a text stand one under the other.
    """
    figures = []
    width = height = 0
    for group in groups(heats):
        draw = text_image_of if group[0].grid is None else picture_image
        figure = draw(group, about)
        figures.append(figure)
        width = max(width, figure.width)
        height += figure.height
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for figure in figures:
        sheet.paste(figure, (0, top))
        top += figure.height
    file = io.BytesIO()
    sheet.save(file, "PNG", pnginfo=png_info(heats, about))
    return file.getvalue()


def png_info(heats: Sequence[TokenScores], about: About) -> PngInfo:
    """Where a figure comes from, as the text chunks of a PNG."""
    origin = origin_of(heats, about)
    chunks = {
        "Title": visible(f"{heats[0].title}: {heats[0].target}"),
        "Software": "explainers",
        "Description": json.dumps(origin),
        **origin,
    }
    info = PngInfo()
    for name, value in chunks.items():
        info.add_itxt(name, visible(value) if isinstance(value, str) else json.dumps(value))
    return info


def origin_of(heats: Sequence[TokenScores], about: About = None) -> dict:
    """Where the numbers of a figure come from."""
    first = record(heats[0])
    origin = {key: first[key] for key in ("model", "revision", "target", "score", "options")}
    origin["methods"] = [heat.method for heat in heats]
    return origin | dict(about or {})


def to_svg(heats: Sequence[TokenScores], about: About = None) -> str:
    """A figure for slides and papers; maps of a picture and of a text one under the other."""
    figures = []
    for group in groups(heats):
        draw = text_svg if group[0].grid is None else picture_svg
        figures.append(draw(group, origin_of(group, about), about))
    return figures[0] if len(figures) == 1 else stacked_svg(figures)


def stacked_svg(figures: Sequence[str]) -> str:
    """SVGs one under another."""
    top, width, placed = 0.0, 0.0, ""
    for figure in figures:
        size = re.search(r'width="(\d+)" height="(\d+)"', figure)
        assert size, "every figure states its size"
        placed += figure.replace("<svg ", f'<svg y="{top:.0f}" ', 1)
        width = max(width, float(size[1]))
        top += float(size[2])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {top:.0f}" '
        f'width="{width:.0f}" height="{top:.0f}">{placed}</svg>'
    )

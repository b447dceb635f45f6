"""Heatmaps as files that carry where they came from: model, revision, target, options."""

import csv
import io
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..errors import Refusal
from ..heatmap import Heatmap
from .card import largest, paint, visible
from .heatmaps import page
from .tokens import cut, view

#: Light colours of the default palette, for files that have no stylesheet.
COLOURS = {"pos": "#fb923c", "neg": "#60a5fa", "mag": "#a8a29e"}


def save(heats: Heatmap | Sequence[Heatmap], path) -> None:
    """Write to `path`; its suffix (.html .svg .csv .json) says how. Refuses an unknown suffix."""
    heats = [heats] if isinstance(heats, Heatmap) else list(heats)
    write(writer_for(path)(heats), path)


def writer_for(path):
    """The function that makes the text of such a file; refuses an unknown suffix."""
    writers = {".html": page, ".svg": to_svg, ".csv": to_csv, ".json": to_json}
    suffix = Path(path).suffix.casefold()
    if suffix not in writers:
        raise Refusal(f"{Path(path).name} could be written as {', '.join(writers)}; {suffix or 'no suffix'} is none of them.")
    return writers[suffix]


def write(text: str, path) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} could not be written: {error.strerror}.") from error


def record(heat: Heatmap) -> dict:
    """A heatmap as plain data, raw numbers included."""
    return {
        "model": heat.model, "revision": heat.revision, "method": heat.method, "title": heat.title, "options": heat.options,
        "target": heat.target, "score": heat.score, "signed": heat.signed, "cost": heat.cost, "facts": heat.facts, "notes": heat.notes,
        "text": heat.text, "tokens": heat.labels, "spans": heat.spans, "words": heat.words, "special": heat.special.tolist(),
        "segments": heat.segments, "halves": list(heat.halves), "explained_span": heat.marked, "next_token": heat.pending or None,
        "scores": plain(heat.scores.tolist()),
        "layers": None if heat.rows is None else dict(zip(heat.row_labels, plain(heat.rows.tolist()))),
        "totals": {name: plain(total.tolist()) for name, total in heat.totals.items()},
        "heads": None if heat.heads is None else plain(heat.heads.tolist()),
    }


def plain(numbers):
    """The same numbers, None for what JSON cannot hold."""
    if isinstance(numbers, list):
        return [plain(one) for one in numbers]
    return numbers if math.isfinite(numbers) else None


def to_json(heats: Sequence[Heatmap]) -> str:
    records = [record(heat) for heat in heats]
    return json.dumps(records[0] if len(records) == 1 else records, ensure_ascii=False, indent=1)


def to_csv(heats: Sequence[Heatmap]) -> str:
    """One line a token; a comment line on top says what it is."""
    out = io.StringIO()
    first = heats[0]
    out.write(f"# model {first.model} ({first.revision}), target {first.target}, score {first.score!r}, "
              f"methods {'; '.join(f'{heat.method} {heat.options or {}}' for heat in heats)}\n".replace("\n", " ").rstrip() + "\n")
    writer = csv.writer(out)
    layered = [(heat, name, i) for heat in heats if heat.rows is not None for i, name in enumerate(heat.row_labels)]
    part = ["part"] if first.halves else []
    writer.writerow(["token", "special", *part, *(heat.method for heat in heats), *(f"{heat.method} {name}" for heat, name, _ in layered)])
    for k, label in enumerate(first.labels):
        half = [first.halves[first.half(k)]] if first.halves else []
        writer.writerow([label, bool(first.special[k]), *half, *(float(heat.scores[k]) for heat in heats),
                         *(float(heat.rows[i, k]) for heat, _, i in layered)])
    return out.getvalue()


def to_svg(heats: Sequence[Heatmap], cell: int = 30) -> str:
    """Rows of methods (or, of one method, its layers and totals) over the same words: a figure for slides and papers."""
    shown = [view(heat) for heat in heats]
    first = shown[0]
    lines = [(heat.title, heat, heat.scores, largest(heat.scores)) for heat in shown]
    if len(shown) == 1 and first.rows is not None:
        scale = largest(first.rows)
        lines = [(name, first, scores, scale) for name, scores in zip(first.row_labels, first.rows)]
        lines += [(name, first, scores, largest(scores)) for name, scores in (first.totals or {first.title: first.scores}).items()]
    left, top = 16 + 7.6 * max(len(line[0]) for line in lines), 16 + 7.2 * min(20, max(map(len, first.labels), default=0))
    width, height = left + cell * len(first) + 16, top + cell * len(lines) + 44
    origin = {key: record(heats[0])[key] for key in ("model", "revision", "target", "score", "options")}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
           f'font-family="system-ui, sans-serif" font-size="13" fill="#1c1b1a">',
           f"<title>{escape(visible(first.title))}: {escape(visible(first.target))}</title>",
           f"<desc>{escape(json.dumps(origin))}</desc>",
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, label in enumerate(first.labels):
        x = left + cell * (i + 0.5)
        if cut(first, i):
            out.append(f'<path d="M{left + cell * i:.0f} 16V{top + cell * len(lines):.0f}" stroke="#5c5853" stroke-width="2"/>')
        if first.is_marked(i):
            out.append(f'<path d="M{left + cell * i + 2:.0f} {top - 2:.0f}h{cell - 4}" stroke="#1c1b1a" stroke-width="2"/>')
        out.append(f'<text transform="translate({x + 4:.0f} {top - 6:.0f}) rotate(-90)">{escape(visible(label)[:20])}</text>')
    for k, (name, heat, scores, scale) in enumerate(lines):
        y = top + cell * k
        out.append(f'<text x="{left - 8:.0f}" y="{y + cell * 0.65:.0f}" text-anchor="end">{escape(visible(name))}</text>')
        for i, score in enumerate(scores.tolist()):
            kind, share = paint(heat, score, scale)
            out.append(f'<rect x="{left + cell * i + 1:.0f}" y="{y + 1:.0f}" width="{cell - 2}" height="{cell - 2}" rx="4" '
                       f'fill="{COLOURS.get(kind.split()[0], "#fff")}" fill-opacity="{share:.3f}" stroke="#e4e0da">'
                       f"<title>{escape(visible(heat.labels[i]))}: {escape(visible(heat.in_words(score)))}</title></rect>")
    signed = next((heat for heat in shown if heat.signed), None)
    words = f"blue: {signed.poles[0]} · orange: {signed.poles[1]}" if signed else "darker: more (how much, not which way)"
    if first.halves:
        words += f" · {first.halves[0]} | {first.halves[1]}"
    if first.pending:
        words += f" · next token: {first.pending!r}"
    out.append(f'<text x="16" y="{height - 14:.0f}" fill="#5c5853">{escape(visible(words))} · {escape(visible(first.model))}</text></svg>')
    return "\n".join(out)

"""A picture that was climbed to, beside the curve of its score."""

import base64
import io
from collections.abc import Sequence
from html import escape

from ..imagined import Imagined
from .card import card, visible

WIDE, HIGH = 320, 120  # of the curve, in its own units


def fragment(made: Imagined) -> str:
    """The picture, what it was made with, and how its score rose."""
    data = base64.b64encode(as_png(made)).decode()
    name = escape(visible(made.target))
    told = ", ".join(
        f"{key} {value}"
        for key, value in made.options.items()
        if key in ("steps", "seed", "jitter", "tv")
    )
    return card(
        f'<h3>{name}, as {escape(visible(made.model))} imagines it</h3><div class="xp-imagined"><figure class="xp-tile">'
        f'<img src="data:image/png;base64,{data}" alt="the picture that {name} answers to most" width="{made.image.width}" height="{made.image.height}">'
        f'<figcaption class="xp-meta">{made.image.width} × {made.image.height} pixels; {escape(told)} · '
        f'<a href="data:image/png;base64,{data}" download="imagined.png">save</a></figcaption></figure>{curve(made.scores)}</div>'
        '<p class="xp-note">This is not what the class looks like. It is one of many pictures that drive the score up: what it repeats is what the '
        "model looks for, and much of that is texture.</p>",
        "orange-blue",
    )


def as_png(made: Imagined) -> bytes:
    out = io.BytesIO()
    made.image.save(out, "PNG")
    return out.getvalue()


def curve(scores: Sequence[float]) -> str:
    """The score from the first step to the last."""
    low, high = min(scores), max(scores)
    across, up = WIDE / max(1, len(scores) - 1), HIGH / ((high - low) or 1)
    points = " ".join(
        f"{i * across:.1f},{HIGH - (score - low) * up:.1f}" for i, score in enumerate(scores)
    )
    words = f"The score rose from {scores[0]:.3g} to {scores[-1]:.3g} in {len(scores) - 1} steps."
    return (
        f'<figure class="xp-curve"><figcaption class="xp-sub">{escape(words)}</figcaption>'
        f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="{escape(words)}">'
        f'<polyline points="{points}"/></svg>'
        f'<div class="xp-sub xp-steps"><span>step 0</span><span>step {len(scores) - 1}</span></div></figure>'
    )

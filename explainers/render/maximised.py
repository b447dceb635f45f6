"""The result of activation maximisation as HTML: the picture, and the curve of its score."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..numerals import readable
from .card import card
from .characters import visible

if TYPE_CHECKING:
    from ..maximisation import Imagined

WIDTH, HEIGHT = 320, 120  # of the curve, in its own units

#: The options that are shown.
SHOWN = ("steps", "seed", "jitter", "tv")


def maximised_html(made: Imagined) -> str:
    """The picture, its options, and the score after each step."""
    target, model = escape(visible(made.target)), escape(visible(made.model))
    size = f"{made.image.width} × {made.image.height} pixels"
    options = ", ".join(f"{name} {made.options[name]}" for name in SHOWN if name in made.options)
    picture = f"data:image/png;base64,{base64.b64encode(png_of(made)).decode()}"
    return card(
        f"<h3>A picture that maximises {target} in {model}</h3>"
        '<div class="xp-imagined"><figure class="xp-tile">'
        f'<img src="{picture}" alt="the picture that maximises {target}" '
        f'width="{made.image.width}" height="{made.image.height}">'
        f'<figcaption class="xp-meta">{size}; {escape(options)} · '
        f'<a href="{picture}" download="imagined.png">save</a></figcaption></figure>'
        f"{curve(made.scores)}</div>"
        '<p class="xp-note">This is not what the class looks like. It is one of many pictures with '
        "a high score: the patterns that it repeats are what the model looks for, and much of "
        "them is texture.</p>",
        "orange-blue",
    )


def png_of(made: Imagined) -> bytes:
    file = io.BytesIO()
    made.image.save(file, "PNG")
    return file.getvalue()


def curve(scores: Sequence[float]) -> str:
    """The score from the first step to the last, as a line."""
    steps = len(scores) - 1
    low, high = min(scores), max(scores)
    across, up = WIDTH / max(1, steps), HEIGHT / ((high - low) or 1)
    points = " ".join(
        f"{i * across:.1f},{HEIGHT - (score - low) * up:.1f}" for i, score in enumerate(scores)
    )
    sentence = (
        f"The score rose from {readable(scores[0])} to {readable(scores[-1])} in {steps} steps."
    )
    return (
        f'<figure class="xp-curve"><figcaption class="xp-sub">{escape(sentence)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(sentence)}"><polyline points="{points}"/></svg>'
        f'<div class="xp-sub xp-steps"><span>step 0</span><span>step {steps}</span></div></figure>'
    )

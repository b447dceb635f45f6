"""What the model says, in words and with a bar."""

from html import escape

from .card import card, visible

SHOWN = 5
LONG = 60  # characters of a label


def fragment(labels: list[str], values: list[float], kind: str, tie: str = "") -> str:
    """Best label first with its probability and a bar, the others behind it; plain numbers where
    there are no classes.

    tie: a sentence for below, where others are just as high as the best.
    """
    below = f'<p class="xp-note">{escape(visible(tie))}</p>' if tie else ""
    labels = [visible(label[:LONG] + "…" if len(label) > LONG else label) for label in labels]
    more = f"<span>and {len(labels) - SHOWN} more</span>" if len(labels) > SHOWN else ""
    if kind == "value":
        shown = zip(labels[:SHOWN], values[:SHOWN])
        said = [f"{escape(label)}: {value:.3f}" for label, value in shown]
        rest = "".join(f"<span>{one}</span>" for one in said[1:])
        html = f'<div class="xp-said"><strong>{said[0]}</strong>{rest}{more}</div>{below}'
        return card(html, "orange-blue")
    rest = "".join(
        f"<span>{escape(label)} {value:.1%}</span>"
        for label, value in zip(labels[1:SHOWN], values[1:SHOWN])
    )
    note = "<span>each label by itself</span>" if "itself" in kind else ""
    return card(
        f'<div class="xp-said" role="status"><strong>{escape(labels[0])} {values[0]:.1%}</strong>'
        f'<span class="xp-bar" aria-hidden="true"><i style="width:{100 * values[0]:.1f}%"></i></span>{rest}{more}{note}</div>{below}',
        "orange-blue",
    )

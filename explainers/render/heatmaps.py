"""Any heatmaps as HTML: those of pictures first, then those of texts. The one place that tells the two apart."""

from collections.abc import Mapping, Sequence
from html import escape

from ..token_scores import TokenScores
from . import heads, patches, tokens
from .card import Html, card, styled, stylesheet

#: Words of a look that only maps of texts, or of pictures, know; the rest is for both.
FOR_TEXTS = {"merge", "specials"}
FOR_PICTURES = {"opacity", "smooth", "pixels", "controls", "brief", "side"}


def renderer(heat: TokenScores, look: dict) -> tuple:
    """The module that draws such a map, and what of a look concerns it."""
    module, others = (tokens, FOR_PICTURES) if heat.grid is None else (patches, FOR_TEXTS)
    return module, {name: value for name, value in look.items() if name not in others}


def groups(heats: Sequence[TokenScores]) -> list[list[TokenScores]]:
    """Heatmaps of the same picture, or of the same text, together; pictures first."""
    found: dict[object, list[TokenScores]] = {}
    for heat in sorted(heats, key=lambda heat: heat.grid is None):
        of = (
            (heat.text, *heat.labels)
            if heat.grid is None
            else (heat.grid, heat.picture and heat.picture.tobytes())
        )
        found.setdefault(of, []).append(heat)
    return list(found.values())


def fragment(
    heats: Sequence[TokenScores],
    *,
    style: bool = True,
    waiting: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    layers: bool | str = True,
    **look,
) -> str:
    """Heatmaps of one input as a piece of HTML.

    waiting: titles of methods still being computed. refused: titles of methods that this input, target or model is not for, with the
    reason. layers: add the layer panel of a single heatmap that has one, or, "all", of each. look: palette; merge and specials of
    texts; opacity, smooth, pixels, controls, brief and side of pictures.
    """
    if not heats:
        return tokens.fragment(
            [],
            style=style,
            waiting=waiting,
            refused=refused,
            **{name: look[name] for name in ("palette",) if name in look},
        )
    pieces = []
    for k, group in enumerate(groups(heats)):
        module, ours = renderer(group[0], look)
        late = {} if k else {"waiting": waiting, "refused": refused}
        pieces.append(
            module.fragment(
                group,
                style=False,
                layers=layers if layers == "all" else layers and len(heats) == 1,
                **late,
                **ours,
            )
        )
    return styled("".join(pieces)) if style else "".join(pieces)


def without_maps(reasons: Mapping[str, str]) -> str:
    """The methods that have no map of this input, with their reasons, folded away."""
    if not reasons:
        return ""
    said = "".join(
        f"<li><b>{escape(title)}</b>: {escape(reason)}</li>" for title, reason in reasons.items()
    )
    many = "1 method has" if len(reasons) == 1 else f"{len(reasons)} methods have"
    return styled(
        card(
            f"<details><summary>{many} no map here</summary><ul>{said}</ul></details>",
            "orange-blue",
        )
    )


def layer_panel(heat: TokenScores, *, style: bool = True, slider: bool = False, **look) -> str:
    """A method layer by layer. slider: with a control that shows one row large; it needs the app's script."""
    module, ours = renderer(heat, look)
    return module.layer_panel(heat, style=style, slider=slider, **ours)


def head_panel(heat: TokenScores, layer: int = -1, *, style: bool = True, **look) -> Html:
    """How much each head of every layer has, and the heads of one layer one by one."""
    module, ours = renderer(heat, look)
    return (heads.fragment if module is tokens else module.head_panel)(
        heat, layer, style=style, **ours
    )


def page(heats: Sequence[TokenScores], palette: str = "orange-blue", more: str = "", **look) -> str:
    """A whole HTML document, light or dark as the reader's system, with every map, its layers and its origin. more: further pieces."""
    origin = "; ".join(
        f"{heat.title}: {heat.model} ({heat.revision}), explaining {heat.target}, score {heat.score:.4g}"
        + "".join(f", {name}={value}" for name, value in heat.options.items())
        for heat in heats
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heats[0].title)}: {escape(heats[0].target)}</title><style>body{{margin:24px auto;max-width:1100px;padding:0 16px;"
        f"background:light-dark(#fbfaf8,#161514);color-scheme:light dark}}{stylesheet('system')}</style><body>"
        f"{fragment(heats, palette=palette, style=False, layers='all', **look)}{more}"
        f'<div class="xp"><p class="xp-sub">{escape(origin)}</p></div></body></html>'
    )

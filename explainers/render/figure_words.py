"""The words of figures of texts and of pictures: captions, the model, the meaning of colours."""

from collections.abc import Mapping, Sequence

from ..numerals import readable
from ..token_scores import TokenScores
from .card import all_notes
from .characters import visible

MOST = 300  # characters of a caption


def captions(heats: Sequence[TokenScores], about: Mapping[str, str] | None) -> list[str]:
    """The target, the further lines, the model, and the notes.

    about: further lines by name, such as the prediction or a link.
    """
    first = heats[0]
    lines = [explained_line(first), *(about or {}).values(), model_line(first), *all_notes(heats)]
    return [visible(line)[:MOST] for line in lines]


def explained_line(heat: TokenScores) -> str:
    return f"explained: {heat.target} ({heat.unit} {readable(heat.score)})"


def model_line(heat: TokenScores) -> str:
    revision = f" ({heat.revision})" if heat.revision else ""
    return f"model: {heat.model}{revision}"


def colour_meanings(heats: Sequence[TokenScores]) -> list[tuple[str, str]]:
    """Kinds of colour ("neg", "pos", "mag") and what they mean in words, each once."""
    meanings: dict[tuple[str, str], None] = {}
    for heat in heats:
        if heat.signed:
            meanings["neg", visible(f"− {heat.poles[0]}")] = None
            meanings["pos", visible(f"+ {heat.poles[1]}")] = None
        else:
            meanings["mag", visible("more (how much, not which way)")] = None
    return list(meanings)

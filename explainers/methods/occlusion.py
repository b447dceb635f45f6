"""What happens to the score when a word is not there."""

from typing import Literal

import torch
from torch import Tensor

from ..errors import Refusal
from ..trace import Trace
from .registry import AT_LEAST_ONE, method

Fill = Literal["mask", "pad", "unk", "mean", "black", "white", "blur"]


def windows(trace: Trace, size: int) -> Tensor:
    """[window token] bool: every run of `size` neighbouring tokens, or square of `size` × `size`
    patches; all of them where there are fewer."""
    places = (~trace.special_tokens).nonzero().flatten()
    if trace.grid:
        places = places.view(trace.grid)
        tall, wide = (min(size, side) for side in trace.grid)
        held = [
            places[row : row + tall, column : column + wide].flatten()
            for row in range(trace.grid[0] - tall + 1)
            for column in range(trace.grid[1] - wide + 1)
        ]
    else:
        held = [places[first : first + size] for first in range(max(1, len(places) - size + 1))]
    where = torch.zeros(
        len(held), len(trace.special_tokens), dtype=torch.bool, device=trace.special_tokens.device
    )
    for row, inside in zip(where, held):
        row[inside] = True
    return where


def whole_words(trace: Trace) -> Tensor:
    """[word token] bool: the tokens of each word, in their order. Raises `Refusal` for a picture
    and for tensors, which have no words."""
    if trace.grid:
        raise Refusal(
            "A picture has no words: by is for texts, "
            "and window blanks squares of patches together."
        )
    if trace.words is None:
        raise Refusal(
            "Words are known of a text, and here tensors were given: "
            "give the text itself, or take by=token."
        )
    numbered = [-1 if word is None else word for word in trace.words]
    of = torch.tensor(numbered, device=trace.special_tokens.device)
    numbers = of[~trace.special_tokens].unique()
    return (of == numbers[:, None]) & ~trace.special_tokens


def runs_of_words(words: Tensor, size: int) -> Tensor:
    """[window token] bool: every run of `size` neighbouring ones of the `words` [word token]; all
    of them where there are fewer."""
    size = min(size, len(words))
    return words.unfold(0, size, 1).any(-1)


@method(
    "Occlusion (leave one out)",
    family="Perturbation",
    paper="Zeiler & Fergus 2014; Li et al. 2016",
    url="https://arxiv.org/abs/1612.08220",
    signed=True,
    class_specific=True,
    passes=lambda options: "up to nF" if options["by"] == "word" else "nF",
    limits={"window": AT_LEAST_ONE},
)
def occlusion(
    trace: Trace, fill: Fill | None = None, window: int = 1, by: Literal["token", "word"] = "token"
) -> Tensor:
    """The score lost when a token or a patch is blanked: no gradient, no formula of the model, only a second run.

    Formula: score_i = y(x) − y(x with token i blanked) (Li et al., as a difference of logits); with a window,
    the mean over the windows that hold token i. By word, all k tokens of the word are
    blanked together: score_i = (y(x) − y(x with the word blanked)) / k.

    Sign: plus means that the score falls without the token, so it pushed towards the target; minus the reverse.

    Limits: of two words that say the same neither is missed, and of a large object no single patch. A blank is not an absence, and
    texts or pictures with holes are not what the model was trained on. By token, the sum over a
    word's sub-words is not what blanking the whole word gives; by word it is.

    Options: fill (what stands for nothing: in a text mask, the default, pad or unk; in a picture mean, a grey and the default, black,
    white or blur), window (neighbouring tokens, or words, blanked together; in a picture a square
    of so many patches a side), by (of texts: token, or word, which blanks all tokens of a word
    together and divides the loss equally among them).
    """
    words = whole_words(trace) if by == "word" else None
    if trace.special_tokens.all():
        return torch.zeros_like(trace.hidden[0, :, 0])
    where = windows(trace, window) if words is None else runs_of_words(words, window)
    lost = trace.score - blanked_scores(
        trace, where, fill or ("mean" if trace.grid else "mask")
    )  # [window]
    held = where.to(lost)
    scores = (lost @ held) / held.sum(0).clamp(min=1)
    return scores if words is None else scores / tokens_of_its_word(words.to(scores)).clamp(min=1)


def tokens_of_its_word(words: Tensor) -> Tensor:
    """[token] how many tokens its word has, 0 outside of words; `words` [word token] of 0 and 1."""
    return words.sum(1) @ words


def blanked_scores(trace: Trace, where: Tensor, fill: str, at_once: int = 64) -> Tensor:
    """[window] the score without the tokens `where` [window token]; so many copies at once, since a picture's are large."""
    return torch.cat([trace.rescore(trace.fill(some, fill)) for some in where.split(at_once)])

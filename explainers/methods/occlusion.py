"""Occlusion: the drop of the score when tokens, words or patches are blanked."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import Refusal
from ..options import AT_LEAST_ONE
from ..trace import Trace
from ._path import patch_grid
from .attribution import Attribution
from .registry import Cost, Output, method

Fill = Literal["mask", "pad", "unk", "mean", "black", "white", "blur"]
BATCH = 64  # blanked copies at a time, since a picture's are large


@method(
    "occlusion",
    "Occlusion (leave one out)",
    family="Perturbation",
    paper="zeiler2014, li2016",
    output=Output(signed=True, class_specific=True),
    cost=Cost(lambda options: "up to nF" if options["by"] == "word" else "nF"),
    limits={"window": AT_LEAST_ONE},
)
def attribute(
    trace: Trace, fill: Fill | None = None, window: int = 1, by: Literal["token", "word"] = "token"
) -> Attribution:
    """The drop of the score when a token or patch is blanked, measured by running the model again.

    Formula: score_i = y(x) − y(x with token i blanked) (Li et al., as a difference of logits);
    with a window, the mean over the windows that hold token i. By word, all k tokens of the word
    are blanked together: score_i = (y(x) − y(x with the word blanked)) / k.

    Sign: plus means that the score falls without the token, so it raises the score of the target;
    minus the reverse.

    Limits: if two words have the same meaning, blanking one of them changes little; the same is
    true for one patch of a large object. The model was not trained on inputs with blanks. By token,
    the scores of a word's tokens do not add up to what blanking the whole word gives; by word they
    do.

    Options:
    - fill: what a blank is. Texts: mask (default), pad or unk. Pictures: mean (default, a grey),
      black, white or blur.
    - window: how many neighbouring tokens, or words, are blanked together; in pictures the side of
      a square of patches.
    - by: in texts token, or word: blank all tokens of a word together and divide the drop equally
      among them.
    """
    if fill is None:
        fill = "mean" if trace.grid else "mask"
    words = tokens_of_words(trace) if by == "word" else None
    if trace.special_tokens.all():
        return Attribution(torch.zeros_like(trace.hidden[0, :, 0]))
    if words is not None:
        drop = mean_drop(trace, windows_of_words(words, window), fill)
        return Attribution(drop / tokens_in_its_word(words.to(drop)).clamp(min=1))
    if trace.grid:
        windows = squares_of_patches(trace, window)
    else:
        windows = windows_of_tokens(trace, window)
    return Attribution(mean_drop(trace, windows, fill))


def mean_drop(
    trace: Trace, windows: Bool[Tensor, "window token"], fill: Fill
) -> Float[Tensor, " token"]:
    """The drop of the score without a window, averaged over the windows that hold a token [token].

    windows [window token] bool.
    """
    scores = [trace.rescore(trace.fill(some, fill)) for some in windows.split(BATCH)]
    drop = trace.score - torch.cat(scores)  # [window]
    inside = windows.to(drop)
    return (drop @ inside) / inside.sum(0).clamp(min=1)


def windows_of_tokens(trace: Trace, size: int) -> Bool[Tensor, "window token"]:
    """Every run of `size` neighbouring tokens [window token] bool, or all of them together."""
    places = (~trace.special_tokens).nonzero().flatten()
    firsts = range(max(1, len(places) - size + 1))
    return marked(trace, [places[first : first + size] for first in firsts])


def squares_of_patches(trace: Trace, size: int) -> Bool[Tensor, "window token"]:
    """Every square of `size` × `size` patches [window token] bool, cut to the picture's sides."""
    rows, columns = patch_grid(trace)
    places = (~trace.special_tokens).nonzero().flatten().view(rows, columns)
    height, width = min(size, rows), min(size, columns)
    squares = []
    for row in range(rows - height + 1):
        for column in range(columns - width + 1):
            square = places[row : row + height, column : column + width]
            squares.append(square.flatten())
    return marked(trace, squares)


def marked(trace: Trace, windows: list[Tensor]) -> Bool[Tensor, "window token"]:
    """Windows of places as [window token] bool."""
    marks = trace.special_tokens.new_zeros(len(windows), len(trace.special_tokens))
    for row, places in zip(marks, windows):
        row[places] = True
    return marks


def tokens_of_words(trace: Trace) -> Bool[Tensor, "word token"]:
    """The tokens of each word, in the order of the words [word token] bool.

    Raises `Refusal` for a picture and for tensors, which have no words.
    """
    if trace.grid:
        raise Refusal(
            "A picture has no words: by is for texts, "
            "and window blanks squares of patches together."
        )
    if trace.words is None:
        raise Refusal(
            "The words are known only if a text is given, and here tensors were given: "
            "give the text itself, or use by=token."
        )
    numbered = [-1 if word is None else word for word in trace.words]
    word_of = torch.tensor(numbered, device=trace.special_tokens.device)
    numbers = word_of[~trace.special_tokens].unique()
    return (word_of == numbers[:, None]) & ~trace.special_tokens


def windows_of_words(words: Bool[Tensor, "word token"], size: int) -> Bool[Tensor, "window token"]:
    """Every run of `size` neighbouring ones of the `words` [word token] -> [window token] bool.

    All of them together where there are fewer.
    """
    size = min(size, len(words))
    return words.unfold(0, size, 1).any(-1)


def tokens_in_its_word(words: Float[Tensor, "word token"]) -> Float[Tensor, " token"]:
    """How many tokens each token's word has [token], 0 outside of words; words [word token]."""
    return words.sum(1) @ words

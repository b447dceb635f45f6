"""`Trace`: what one pass recorded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..linear import Affine
from .layers import Layer
from .tape import FED, RECORDED

if TYPE_CHECKING:
    from .passes import Rerun


@dataclass(frozen=True, eq=False)
class Trace:
    """One input, one target, one pass: activations and, in `grad`, the score's derivative by each, shape for shape.

    score       the scalar explained, a raw logit unless the target says otherwise
    attention   [layers head query key]         after the softmax
    value       [layers head key dim_head]
    hidden      [layers+1 key dim]              hidden[l] enters block l, hidden[-1] leaves the last
    normed      [layers key dim]                what attention l reads: hidden[l], in pre-LN models its LayerNorm
    pixels      [channel height width]          of a picture, else None
    embedded    [token dim]                     word embeddings, of a run that was given inputs_embeds, else None
    readout     [token] how much of the score is read from each token: 1 at [CLS], a half at either end of an answer, 1/P at
                each of P tokens whose mean is read; it adds up to 1, and `read` takes the rows of a
                map that it names.
                A caller's own function is asked by its slope where it reads: see `readouts`
    attended    [token] bool                    False at padding
    special_tokens [token] bool                 True at [CLS], [SEP], padding and their like
    grid        (rows, columns) of a picture's patches, which are the last tokens; None for text
    words       [token] the number of the word that a token belongs to, None for special tokens;
                None where no text was given

    A part that was not recorded is None. Where no slope passes through the network, as through some
    quantised ones, `grad` refuses to be read. `again` and `rescore` run the network once more: see
    `trace`.
    """

    score: Tensor
    attention: Tensor | None
    value: Tensor | None
    hidden: Tensor | None
    normed: Tensor | None
    pixels: Tensor | None
    embedded: Tensor | None
    readout: Tensor
    attended: Tensor
    special_tokens: Tensor
    grid: tuple[int, int] | None = None
    words: list[int | None] | None = None
    grad: "Trace | None" = None
    logits: Tensor | None = None
    target: Callable | None = None
    layers: list[Layer] = field(default_factory=list, repr=False)
    run: "Rerun | None" = field(default=None, repr=False)

    def __repr__(self) -> str:
        parts = {
            name: tuple(part.shape)
            for name in (*RECORDED, *FED)
            if (part := getattr(self, name)) is not None
        }
        return f"Trace(score {float(self.score):.4g}{f' of {self.target.name}' if self.target else ''}, {parts})"

    @property
    def special(self) -> Tensor:
        """`special_tokens` by its name of version 0.2."""
        return self.special_tokens

    @property
    def real(self) -> Tensor:
        """`attended` by its name of version 0.2."""
        return self.attended

    @property
    def head(self) -> "list[Affine | Callable] | None":
        """The steps from a token's last hidden state to the logits, as the network has them now:
        linear maps and activations.

        None where the architecture's are not known. Raises `Refusal` where one is neither.
        """
        return self.run.model.head

    def read(self, maps: Tensor) -> Tensor:
        """The row of the token that the score is read from, of several tokens the mean of theirs: [... query key] -> [... key].

        A mean and not a sum, so that what adds up to one in every row still does, and a slope is the one along `readout`.
        """
        rows = self.read_at  # only these: elsewhere there may be numbers that are not finite
        return torch.einsum("q,...qk->...k", self.readout[rows].to(maps), maps[..., rows, :])

    @property
    def read_at(self) -> list[int]:
        """The tokens that the score is read from, where `readout` is not zero."""
        return self.readout.nonzero().flatten().tolist()

    def again(self, **how) -> "Trace":
        """The same input once more, with changes; see `Rerun.again_many` for what can change."""
        traces = self.run.again_many(**how)
        if len(traces) != 1:
            raise ValueError(
                f"the edit made {len(traces)} examples of one; again_many returns them all"
            )
        return traces[0]

    def again_many(self, **how) -> "list[Trace]":
        return self.run.again_many(**how)

    def rescore(self, inputs: dict, target: Callable | None = None) -> Tensor:
        """Score a stack of inputs, n examples of the traced length -> [n], forward only.

        target is the score wanted: the traced one unless said otherwise.
        """
        return self.run.rescore(inputs, target)

    def cached(self, name, make: Callable[[], object]):
        """What `make` gives, made once for this trace: passes that several methods of a comparison share."""
        if name not in self.run.made:
            self.run.made[name] = make()
        return self.run.made[name]

    def score_of(self, pooled: Tensor) -> Tensor:
        """The target's score [n] if what the head reads were the vectors `pooled` [n dim]. Raises `Refusal` where the head is not known."""
        return self.target(self.run.model.answer_to(pooled, self.run.inputs))

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The tensors that the network was called with, a batch of one."""
        return self.run.inputs

    @property
    def patch_size(self) -> tuple[int, int]:
        """(height, width) of a picture's patch in pixels."""
        return self.run.model.patch

    @property
    def is_dual_encoder(self) -> bool:
        """Whether the score is how well a picture and a text match."""
        return self.run.model.is_dual_encoder

    @property
    def is_regression(self) -> bool:
        """Whether the network gives values and no classes."""
        return self.run.model.is_regression

    @property
    def takes_embeddings(self) -> bool:
        """Whether the network takes word embeddings in place of ids, as `embed` gives them."""
        return self.run.model.embeds

    def without_words(self) -> Tensor:
        """What enters the first block if no word is given [token dim]: the positions alone.

        Zeros where words and positions cannot be told apart, as behind a norm.
        """
        return self.run.model.wordless(self.run.inputs, self.hidden[0])

    def embed(self) -> dict:
        """Inputs for `again` with the word embeddings in place of the ids, so that they can be changed and differentiated by."""
        return self.run.model.embed(self.run.inputs)

    def fill(self, where: Tensor, fill: str) -> dict:
        """Inputs for `again` and `rescore` whose tokens `where` [n token] (bool) are blanked: words with 'mask', 'pad' or 'unk',
        patches with 'mean', 'black', 'white' or 'blur'."""
        return self.run.model.fill(self.run.inputs, where, fill)

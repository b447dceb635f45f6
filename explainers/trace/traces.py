"""`Trace`: what one pass over one input recorded, and ways to run the network on it again."""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..linear import Affine
from ..outputs import Answer
from ..scores import Score
from .activations import Activations
from .batches import chunks
from .layers import Layer
from .modes import ordinary
from .tape import RECORDED, Edit

if TYPE_CHECKING:
    from .passes import Pass

T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Activations):
    """One pass over one input: its activations, and in `grad` the gradient of the score by each.

    recorded        the tensors that the pass recorded, by name: "attention" [layer head query key],
                    "value" [layer head key dim_head], "hidden" [layer+1 token dim], "normed"
                    [layer token dim], and of inputs "pixels" [channel height width] or "embedded"
                    [token dim]. Each can be read as `trace.attention` and so on, which raises
                    `Refusal` if it was not recorded; see `Activations`
    score           the number that is explained, a raw logit unless the target says otherwise
    readout         how much of the score is read from each token: 1 at [CLS], a half at either end
                    of an answer, 1/P at each of P tokens whose mean is read; it adds up to 1. For
                    a caller's own function it follows from the gradient: see `readout_of`
    attended        False at padding
    special_tokens  True at [CLS], [SEP], padding and their like
    grad            the gradient of the score by each tensor in `recorded`, of the same shape. Where
                    no gradient passes through the network, as through some quantised ones, it
                    raises `Refusal` when it is read
    target          the score as a function of the network's answer
    run             the pass over this input, for running the network on it again
    logits          the logits of the classes; None if the network has no logits for a whole input
    grid            (rows, columns) of a picture's patches, which are the last tokens; None for text
    words           the number of the word that each token belongs to, None for special tokens; None
                    where no text was given
    layers          the blocks by their parts
    """

    score: Float[Tensor, ""]
    readout: Float[Tensor, " token"]
    attended: Bool[Tensor, " token"]
    special_tokens: Bool[Tensor, " token"]
    grad: Activations
    target: Score
    run: "Pass"
    logits: Float[Tensor, " class"] | None = None
    grid: tuple[int, int] | None = None
    words: list[int | None] | None = None
    layers: list[Layer] = field(default_factory=list)
    cache: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return f"Trace(score {float(self.score):.4g} of {self.target.name}, {self.shapes()})"

    @property
    def special(self) -> Bool[Tensor, " token"]:
        """`special_tokens` by its name of version 0.2."""
        return self.special_tokens

    @property
    def real(self) -> Bool[Tensor, " token"]:
        """`attended` by its name of version 0.2."""
        return self.attended

    # -------------------------------------------------------------------------- where it is read

    def read(self, maps: Float[Tensor, "... query key"]) -> Float[Tensor, "... key"]:
        """The row of the token that the score is read from, of several tokens the weighted mean.

        A mean and not a sum: rows that add up to 1 still do, and a gradient is the one along
        `readout`.
        """
        rows = self.read_at  # other rows may hold numbers that are not finite
        return torch.einsum("q,...qk->...k", self.readout[rows].to(maps), maps[..., rows, :])

    @property
    def read_at(self) -> list[int]:
        """The tokens that the score is read from, where `readout` is not zero."""
        return self.readout.nonzero().flatten().tolist()

    # ------------------------------------------------------------------------- the network again

    def again(self, **changes) -> "Trace":
        """Run the same input again with changes; `again_many` says what can change.

        Raises `ValueError` if an edit makes several examples of it.
        """
        traces = self.again_many(**changes)
        if len(traces) != 1:
            raise ValueError(
                f"the edit made {len(traces)} examples of one; again_many returns them all"
            )
        return traces[0]

    @ordinary
    def again_many(
        self,
        inputs: dict[str, Tensor] | None = None,
        target: Score | None = None,
        hide: Bool[Tensor, " token"] | None = None,
        rules: AbstractContextManager | None = None,
        record: Sequence[str] = RECORDED,
        **edits: Edit,
    ) -> "list[Trace]":
        """Run forward and backward again; one trace for each example of `inputs` or of an edit.

        inputs  other tensors of the same length, examples stacked; by default the traced input
        target  another score to differentiate; by default the traced one
        hide    tokens that no token may attend to. They stay queries: a hidden token is not padding
        rules   a context manager under which the chain rule is another one; `grad` then holds what
                that rule propagates
        record  which of `RECORDED` to keep; the rest costs no memory
        edits   entry=, value=, scores= (before the softmax), attention=: functions of the tensor
                inside the network, with a batch axis. All but entry may be given by layer,
                {layer: function}. An edit of `entry` may return many examples for the one it gets:
                a path, a cloud of noise, a set of masks in one batch

        Raises `Refusal` if the score cannot be differentiated.
        """
        inputs = inputs or self.inputs
        if hide is not None:
            inputs = self.run.model.hide(inputs, hide)
        run = self.run.again(target or self.target, rules)
        return replace(run, inputs=inputs, record=record, edits=edits).traces()

    @ordinary
    @torch.no_grad()
    def rescore(
        self, inputs: dict[str, Tensor], target: Callable[[Answer], Tensor] | None = None
    ) -> Float[Tensor, " example"]:
        """Score examples of the traced length that are stacked in `inputs`, forward only.

        target: another function of the network's answer; by default the traced score.
        """
        score = target or self.target
        scores = []
        for part in chunks(inputs, len(self.attended)):
            scores.append(score(self.run.model.answer(part, self.attended[None])))
        return torch.cat(scores)

    def score_of(self, pooled: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        """The target's score if the head read the vectors `pooled`.

        Raises `Refusal` if the architecture's head is not known.
        """
        return self.target(self.run.model.answer_to(pooled, self.inputs))

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` returns, computed once for this trace and kept under `key`.

        For passes that several methods of a comparison share.
        """
        if key not in self.cache:
            self.cache[key] = compute()
        return self.cache[key]

    # ------------------------------------------------------------------- the input, also changed

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The tensors that the network was called with, a batch of one."""
        return self.run.inputs

    def embed(self) -> dict[str, Tensor]:
        """Inputs for `again` with the word embeddings in place of the ids.

        So the embeddings can be changed, and get a gradient. Raises `Refusal` if the network takes
        no embeddings; see `takes_embeddings`.
        """
        return self.run.model.embed(self.inputs)

    def fill(self, where: Bool[Tensor, "n token"], fill: str) -> dict[str, Tensor]:
        """Inputs for `again` and `rescore` with the tokens `where` replaced by a blank.

        fill: "mask", "pad" or "unk" for words; "mean", "black", "white" or "blur" for patches.
        Raises `Refusal` for another one.
        """
        return self.run.model.fill(self.inputs, where, fill)

    def without_words(self) -> Float[Tensor, "token dim"]:
        """What enters the first block if no word is given: the positions alone.

        Zeros where words and positions cannot be told apart, as behind a norm.
        """
        return self.run.model.without_words(self.inputs, self.hidden[0])

    # --------------------------------------------------------------------------------- the model

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
        return self.run.model.takes_embeddings

    @property
    def head(self) -> list[Affine | Callable[[Tensor], Tensor]] | None:
        """The steps from a token's last hidden state to the logits: linear maps and activations.

        They are those of the network now. None if those of the architecture are not known; raises
        `Refusal` if a step is neither.
        """
        return self.run.model.head

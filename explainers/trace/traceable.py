"""What a pass asks of a model. The trace knows no more about one."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..linear import Affine
from ..outputs import Answer
from .layers import Layer


class Traceable(Protocol):
    """A network whose blocks are wired, with what is known about its parts."""

    @property
    def net(self) -> PreTrainedModel: ...

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The blocks of the traced tower, in order."""
        ...

    @property
    def is_dual_encoder(self) -> bool: ...

    @property
    def is_regression(self) -> bool: ...

    # ------------------------------------------------------------------------------ running it

    def answer(
        self,
        inputs: dict[str, Tensor],
        attended: Bool[Tensor, "example token"] | None = None,
        **tape: Any,
    ) -> Answer:
        """The outputs of the network in evaluation mode, recorded on `tape=`."""
        ...

    def attended(self, inputs: dict[str, Tensor], tokens: int) -> Bool[Tensor, "example token"]:
        """False at padding."""
        ...

    def readout(
        self,
        inputs: dict[str, Tensor],
        attended: Bool[Tensor, "example token"],
        last: Float[Tensor, "example token dim"] | None = None,
    ) -> Float[Tensor, "example token"]:
        """How much of a class's score is read from each token; rows add up to 1."""
        ...

    def answer_to(self, pooled: Float[Tensor, "n dim"], inputs: dict[str, Tensor]) -> Answer:
        """The answer of the network if its head read the vectors `pooled`."""
        ...

    # ---------------------------------------------------------------------------- changed inputs

    @property
    def patch(self) -> tuple[int, int]:
        """(height, width) of a patch in pixels."""
        ...

    def grid(self, pixels: Float[Tensor, "example channel height width"]) -> tuple[int, int]:
        """(rows, columns) of a picture's patches."""
        ...

    def hide(self, inputs: dict[str, Tensor], tokens: Bool[Tensor, " token"]) -> dict[str, Tensor]:
        """`inputs` with `tokens` masked for every query."""
        ...

    def fill(
        self, inputs: dict[str, Tensor], where: Bool[Tensor, "n token"], fill: str
    ) -> dict[str, Tensor]:
        """`inputs` with the tokens `where` replaced by the blank `fill`."""
        ...

    @property
    def takes_embeddings(self) -> bool:
        """Whether the network takes word embeddings in place of ids."""
        ...

    def embed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """`inputs` with word embeddings in place of the ids."""
        ...

    def without_words(
        self, inputs: dict[str, Tensor], entering: Float[Tensor, "token dim"]
    ) -> Float[Tensor, "token dim"]:
        """What enters the first block if no word is given."""
        ...

    # ------------------------------------------------------------------------------- its parts

    @property
    def head(self) -> list[Affine | Callable[[Tensor], Tensor]] | None:
        """The steps from a token's last hidden state to the logits, None if they are not known."""
        ...

    def layer(
        self,
        block: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        plain: "Callable[[], Any] | None" = None,
    ) -> Layer:
        """A block that ran by its parts, with the other arguments that it ran with."""
        ...

    def plain(self) -> "Traceable":
        """The same model with one plain layer for each adapted or packed one."""
        ...

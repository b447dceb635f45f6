"""What a run measures, in words that can be written down."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import Refusal, required
from ..measuring import choose
from ..notation import check_method, parse


@dataclass(frozen=True)
class Plan:
    """What is measured: two runs of one plan over one dataset give the same records.

    model      as `load` takes it; revision: of the Hub
    methods    as for `measure`; so are metrics, target, seed and baselines
    side       of a dual encoder: which side is explained, "vision" or "text"
    texts      of a dual encoder: what each picture is matched with
    """

    model: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    target: str | None = None
    seed: int = 0
    revision: str | None = None
    side: str = ""
    texts: tuple[str, ...] = ()
    baselines: bool = True

    def check(self) -> None:
        """Raise a `Refusal` for what cannot be measured, before anything is loaded."""
        required("pyarrow", "evaluation")
        check_named(self.methods, "method")
        check_named(self.metrics, "metric")
        choose(self.metrics)
        for name in self.methods:
            check_method(parse(name)[0])


def check_named(names: Sequence[str], kind: str) -> None:
    if not names:
        raise Refusal(f"Name at least one {kind}.")

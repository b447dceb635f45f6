"""Run a network forward and backward on the record, the first time and again."""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor, nn

from ..errors import Refusal
from ..linear import naming_quantised, quantised
from .modes import ordinary
from .readouts import lengths, readouts_of
from .tape import FED, RECORDED, Edit, Tape
from .traces import Trace
from .wiring import on_entry


@dataclass(frozen=True, eq=False)
class Rerun:
    """What it takes to run a traced example again: the network, the ORIGINAL inputs (batch of one), the fixed target."""

    model: object
    inputs: dict
    target: Callable
    special_tokens: Tensor
    attended: Tensor
    readout: Tensor
    plain: Callable[[], object]  # the model with one plain layer for each adapted one
    flat: bool = False  # whether no slope passes through the network
    words: list[int | None] | None = None
    made: dict = field(default_factory=dict, repr=False)

    @ordinary
    def again_many(
        self,
        inputs: dict | None = None,
        target: Callable | None = None,
        hide: Tensor | None = None,
        rules: AbstractContextManager | None = None,
        record: Sequence[str] = RECORDED,
        **edits: Edit,
    ) -> list[Trace]:
        """Forward and backward once more, for every example that `inputs` or an edit holds.

        inputs   other tensors of the same length, n examples stacked
        target   another score to differentiate
        hide     [token] bool: tokens no other may attend to
        rules    a context manager under which the chain rule is another one: `grad` is then what it propagates
        record   what to keep of `RECORDED`; the rest is None and costs no memory
        edits    entry=, value=, scores= (before the softmax), attention=: functions of the tensor on its way, batch axis
                 first; all but entry also as {layer: function}. An edit of `entry` may return n examples for the one it
                 was given: a path, a cloud of noise, a set of masks, all in one batch.
        """
        inputs = inputs or self.inputs
        if hide is not None:
            inputs = self.model.hide(inputs, hide)
        target = target or self.target
        # rules are about operations: an adapter's two ways round would be others than the one
        # layer that it stands for
        model = self.model if rules is None else self.plain()
        # `real` stays as it was: a hidden token is no padding, it still asks and counts among the queries
        return trace(
            model,
            inputs,
            [target],
            self.special_tokens[None],
            self.attended[None],
            rules,
            record,
            edits,
            words=[self.words],
            known=self.known(target, rules),
            plain=self.plain,
            flat=self.flat,
        )

    def known(self, target: Callable, rules: AbstractContextManager | None) -> Tensor | None:
        """[token] where `target` is read by an ordinary pass over the traced input: under other
        rules nothing can say so."""
        if target is self.target:
            return self.readout
        if rules is None or not target.measured:
            return None
        return trace(
            self.model,
            self.inputs,
            [target],
            self.special_tokens[None],
            self.attended[None],
            record=(),
        )[0].readout

    @ordinary
    @torch.no_grad()
    def rescore(self, inputs: dict, target: Callable | None = None) -> Tensor:
        """[n] the score (of `target`, if another is wanted) for n examples stacked in `inputs`. Forward only."""
        return torch.cat(
            [
                (target or self.target)(self.model.answer(part, self.attended[None]))
                for part in chunks(inputs, len(self.attended))
            ]
        )


def rows_at_once(count: int, tokens: int, device: torch.device) -> int:
    """How many of `count` examples of `tokens` tokens pass together, in parts of about one size, where no slope is taken. On a CPU more tokens than these
    no longer fit its cache, and each of them takes longer."""
    parts = max(1, math.ceil(count * tokens / (1280 if device.type == "cpu" else 16384)))
    return math.ceil(count / parts)


def chunks(inputs: dict, tokens: int):
    """Examples of `tokens` tokens in parts, so that memory does not grow with the number of examples."""
    size = max(map(len, inputs.values()))
    rows = rows_at_once(size, tokens, next(iter(inputs.values())).device)
    for i in range(0, size, rows):
        yield {
            name: tensor[i : i + rows] if len(tensor) == size else tensor
            for name, tensor in inputs.items()
        }


def trace(
    model,
    inputs: dict,
    targets: Sequence[Callable],
    special_tokens: Tensor,
    attended: Tensor | None = None,
    rules: AbstractContextManager | None = None,
    record: Sequence[str] = RECORDED,
    edits: dict[str, Edit] | None = None,
    words: Sequence[list[int | None] | None] = (None,),
    known: Tensor | None = None,
    plain: Callable | None = None,
    flat: bool = False,
) -> list[Trace]:
    """Run `model` forward and the scores of `targets` backward, once for all examples in `inputs`.

    targets, words: one for each example, or a single one for all.
    special, real: [example token] bool; real is read off the attention mask where it is not given.
    known: [token] the readout of an ordinary pass. plain: as in `Rerun`.
    flat: no slope passes through the network. -> one `Trace` an example.
    Per-example gradients come from one backward pass of the sum: no example's score depends on
    another's input.
    """
    if any(weight.is_inference() for weight in model.net.parameters()):
        raise Refusal(
            "The weights of this network were made inside torch.inference_mode(), and no slope "
            "can pass through them: make the network "
            "outside of it, or take its copy.deepcopy there."
        )
    if any(on_entry not in block._forward_pre_hooks.values() for block in model.blocks):
        raise Refusal("Layers of this network were replaced after it was loaded: load it again.")
    plain = plain or cache(model.plain)
    below = (
        rules is None or "inputs_embeds" in inputs
    )  # relevance stops at the first block, unless word embeddings are given to go on to
    tape = Tape(model.blocks, edits or {}, record)
    fed = inputs | {
        key: inputs[key].detach().requires_grad_()
        for key in FED.values()
        if below and key in inputs
    }
    with torch.set_grad_enabled(not flat):
        try:
            with rules or nullcontext():
                answer = model.answer(fed, attended, tape=tape)
        except Refusal:
            if flat or not quantised(model.net):
                raise
            # their library may pass forward only
            return trace(
                model,
                inputs,
                targets,
                special_tokens,
                attended,
                rules,
                record,
                edits,
                words,
                known=known,
                plain=plain,
                flat=True,
            )
        if not tape.runs or any(
            len(getattr(tape, name)) != len(tape.runs)
            for name in ("attention", "normed")
            if name in record
        ):
            raise Refusal(
                "The layers of this model do not hand the tape on to their attention, so what it "
                "does cannot be recorded. If the network was "
                "changed after it was loaded, load it again."
            )
        size, tokens = tape.shape
        targets = [
            target.resolve(answer, i)
            for i, target in enumerate(targets * size if len(targets) == 1 else targets)
        ]
        scores = torch.stack([target(answer)[i] for i, target in enumerate(targets)])
        total = scores.sum()
    flat = flat or cut_off(model, tape, total, rules, edits or {})
    if not (flat or total.requires_grad):
        raise Refusal("This target does not depend on the input, so there is nothing to explain.")

    written = {name: tensors for name in RECORDED if (tensors := getattr(tape, name))}
    written |= {name: [fed[key]] for name, key in FED.items() if below and key in fed}
    by = [tape.last, *(tensor for tensors in written.values() for tensor in tensors)]
    found = None if flat else derivatives(model.net, total, by)
    flat = found is None
    last_slope, *grads = found or [None] * len(by)
    grads = iter(grads)
    seen = {name: [tensor.detach() for tensor in tensors] for name, tensors in written.items()}
    felt = {name: [next(grads) for _ in tensors] for name, tensors in written.items()}

    attended = model.attended(inputs, tokens) if attended is None else attended
    grid = model.grid(inputs["pixel_values"]) if model.anatomy.modality == "image" else None
    default = model.readout(inputs, attended, tape.last.detach()).expand(size, -1)
    slopes = None if flat or rules is not None else lengths(last_slope).expand(size, -1)
    readout = readouts_of(model, targets, default, slopes, known, answer.class_logits is not None)
    own = lambda given, i: given[i if len(given) > 1 else 0]
    traces = []
    for i in range(size):
        where = {
            "score": scores[i].detach(),
            "readout": readout[i],
            "attended": own(attended, i),
            "special_tokens": own(special_tokens, i),
            "grid": grid,
            "words": own(words, i),
        }
        one = {
            name: tensor[i : i + 1] if len(tensor) == size else tensor
            for name, tensor in inputs.items()
        }
        traces.append(
            Trace(
                **where,
                **stacked(seen, i),
                grad=NoSlopes(model) if flat else Trace(**where, **stacked(felt, i)),
                target=targets[i],
                logits=None if answer.class_logits is None else own(answer.class_logits, i).detach(),
                layers=[
                    model.layer(block, *example(args, kwargs, i, size), plain)
                    for block, args, kwargs in tape.runs
                ],
                run=Rerun(
                    model,
                    one,
                    targets[i],
                    where["special_tokens"],
                    where["attended"],
                    readout[i],
                    plain,
                    flat,
                    where["words"],
                ),
            )
        )
    return traces


def derivatives(net: nn.Module, total: Tensor, by: list[Tensor]) -> list[Tensor] | None:
    """The slope of `total` by each tensor, zeros where it does not depend on one; None where
    kernels of quantised weights keep no slope."""
    if not quantised(net):
        return list(torch.autograd.grad(total, by, materialize_grads=True))
    with naming_quantised(net), warnings.catch_warnings():
        # torch says of a kernel that it has no slope, which is said here in another way
        warnings.simplefilter("ignore")
        found = torch.autograd.grad(total, by, allow_unused=True)
    return None if any(slope is None for slope in found) else list(found)


def cut_off(
    model, tape: Tape, total: Tensor, rules: AbstractContextManager | None, edits: dict[str, Edit]
) -> bool:
    """Whether slopes end inside the network, and not because a rule or an edit ended them: kernels
    of whole numbers have none."""
    if tape.cut and rules is None and not set(edits) - {"entry"}:
        return True
    return not total.requires_grad and quantised(model.net)


class NoSlopes:
    """Stands for slopes that a network does not have: to read one is refused."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        why = "are quantised" if quantised(self._model.net) else "are used where no slope is kept"
        raise Refusal(
            f"The weights of this network {why}, so no slope passes through it: take a method of "
            "attention maps or of blanked words, or load "
            "the network in bfloat16 or float32."
        )


def stacked(written: dict[str, list[Tensor]], i: int) -> dict[str, Tensor | None]:
    """Example i of what was written, layers first. What was fed in has no layers, and may be one for many edits."""
    rows = {
        name: torch.stack([tensor[i] for tensor in written[name]]) if name in written else None
        for name in RECORDED
    }
    return rows | {
        name: None
        if name not in written
        else written[name][0][i if len(written[name][0]) > 1 else 0]
        for name in FED
    }


def example(args: tuple, kwargs: dict, i: int, size: int) -> tuple[tuple, dict]:
    """A block's other arguments (masks, positions) for example i alone."""

    def alone(value):
        if isinstance(value, tuple):  # sines and cosines of the positions
            return tuple(map(alone, value))
        return (
            value[i : i + 1]
            if torch.is_tensor(value) and value.ndim > 1 and len(value) == size > 1
            else value
        )

    return tuple(map(alone, args)), {name: alone(value) for name, value in kwargs.items()}

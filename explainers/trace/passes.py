"""One pass through a network, forward and backward, that records a `Trace` of each example."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import Refusal
from ..linear import quantised
from ..outputs import Answer
from ..scores import Score
from .activations import INPUTS_WITH_GRAD, Activations, NoGradients, of_example, row_of
from .batches import call_of, example_inputs
from .gradients import Gradients, differentiate
from .readouts import check_readout, readout_of
from .tape import RECORDED, Edit, Tape
from .traceable import Traceable
from .traces import Trace
from .wiring import is_wired

#: The words of one example: the number of the word of each token, None for special tokens.
Words = list[int | None] | None


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass forward and backward, over examples of one length.

    model           the network, and what is known about its parts
    inputs          the tensors that the network is called with, examples stacked
    targets         the scores to differentiate: one for each example, or one for all
    special_tokens  True at [CLS], [SEP], padding and their like; one row may stand for all; by
                    default no token is special
    attended        False at padding; one row may stand for all; by default what the model says
    words           one for each example, or one for all
    rules           a context manager under which the chain rule is another one
    record          which of `RECORDED` to keep
    edits           changes of tensors inside the network, as in `Trace.again_many`
    known_readout   the readout of an ordinary pass over the same input
    plain           gives `model.plain()`; kept for all repetitions of a pass
    has_gradients   whether gradients pass through the network
    """

    model: Traceable
    inputs: dict[str, Tensor]
    targets: Sequence[Score]
    special_tokens: Bool[Tensor, "#example token"] | None = None
    attended: Bool[Tensor, "#example token"] | None = None
    words: Sequence[Words] = (None,)
    rules: AbstractContextManager | None = None
    record: Sequence[str] = RECORDED
    edits: Mapping[str, Edit] = field(default_factory=dict)
    known_readout: Float[Tensor, " token"] | None = None
    plain: Callable[[], Traceable] | None = None
    has_gradients: bool = True

    def traces(self) -> list[Trace]:
        """Run the network forward and the scores backward; one `Trace` for each example.

        Raises `Refusal` if the network cannot be recorded, or the target is not a function of the
        input.
        """
        check_network(self.model)
        if self.plain is None:
            return replace(self, plain=cache(self.model.plain)).traces()
        forward = run_forward(self)
        gradients = run_backward(forward)
        attended = self.attended
        if attended is None:
            attended = self.model.attended(self.inputs, forward.tape.shape[1])
        readouts = readouts_of(forward, gradients, attended)
        traces = []
        for i, readout in enumerate(readouts):
            traces.append(trace_of(forward, gradients, i, readout, row_of(attended, i)))
        return traces

    def plain_model(self) -> Traceable:
        """The model with one plain layer for each adapted or packed one."""
        return (self.plain or self.model.plain)()

    def again(self, target: Score, rules: AbstractContextManager | None) -> "Pass":
        """This pass, which is over one example, with another target and under other rules."""
        # rules are about operations: an adapter's two matrices would be other operations than the
        # one layer that they stand for
        model = self.model if rules is None else self.plain_model()
        known = self.readout_before(target, rules)
        return replace(self, model=model, targets=[target], rules=rules, known_readout=known)

    def readout_before(
        self, target: Score, rules: AbstractContextManager | None
    ) -> Float[Tensor, " token"] | None:
        """Where `target` is read in an ordinary pass over the same input.

        None if the pass with `target` tells itself, which it cannot under other rules.
        """
        if target is self.targets[0]:
            return self.known_readout
        if rules is None or not target.measured:
            return None
        (ordinary,) = replace(self, targets=[target], record=(), known_readout=None).traces()
        return ordinary.readout


@dataclass(frozen=True, eq=False)
class Forward:
    """What the forward half of a pass gave.

    inputs   the inputs that get a gradient, by their name in a `Trace`
    targets  one for each example, independent of what the network answers to other inputs
    total    the sum of the scores
    """

    run: Pass
    tape: Tape
    inputs: dict[str, Tensor]
    answer: Answer
    targets: list[Score]
    scores: Float[Tensor, " example"]
    total: Float[Tensor, ""]

    @property
    def recorded(self) -> dict[str, list[Tensor]]:
        """All that was recorded, by its name in a `Trace`, with a batch axis."""
        found = {}
        for name in RECORDED:
            if name in self.tape.recorded:
                found[name] = self.tape.recorded[name]
        for name, tensor in self.inputs.items():
            found[name] = [tensor]
        return found


def check_network(model: Traceable) -> None:
    """Refuse a network that cannot be recorded."""
    if any(weight.is_inference() for weight in model.net.parameters()):
        raise Refusal(
            "The weights of this network were made inside torch.inference_mode(), and no gradient "
            "can pass through them: make the network outside of it, or use a copy.deepcopy of it "
            "that is made outside."
        )
    if not all(is_wired(block) for block in model.blocks):
        raise Refusal("Layers of this network were replaced after it was loaded: load it again.")


def run_forward(run: Pass) -> Forward:
    """Run the network on the record, and compute the scores."""
    tape = Tape(run.model.blocks, run.edits, run.record)
    with_grad = inputs_with_grad(run)
    inputs = run.inputs | {INPUTS_WITH_GRAD[name]: tensor for name, tensor in with_grad.items()}
    with torch.set_grad_enabled(run.has_gradients):
        try:
            with run.rules or nullcontext():
                answer = run.model.answer(inputs, run.attended, tape=tape)
        except Refusal:
            if not run.has_gradients or not quantised(run.model.net):
                raise
            # libraries of quantised layers may pass forward only
            return run_forward(replace(run, has_gradients=False))
        if not is_complete(tape):
            raise Refusal(
                "The layers of this model do not pass keyword arguments on to their attention, so "
                "the attention cannot be recorded. If the network was changed after it was loaded, "
                "load it again."
            )
        targets = resolved(run.targets, answer, tape.shape[0])
        scores = torch.stack([target(answer)[i] for i, target in enumerate(targets)])
        return Forward(run, tape, with_grad, answer, targets, scores, scores.sum())


def inputs_with_grad(run: Pass) -> dict[str, Tensor]:
    """The inputs that get a gradient, as leaves, by their name in a `Trace`.

    Other rules stop at the first block, unless word embeddings are given to go on to.
    """
    if run.rules is not None and "inputs_embeds" not in run.inputs:
        return {}
    found = {}
    for name, key in INPUTS_WITH_GRAD.items():
        if key in run.inputs:
            found[name] = run.inputs[key].detach().requires_grad_()
    return found


def is_complete(tape: Tape) -> bool:
    """Whether every block ran, and carried the tape to its attention."""
    for name in ("attention", "normed"):
        if name in tape.record and len(tape.recorded.get(name, ())) != len(tape.calls):
            return False
    return bool(tape.calls)


def resolved(targets: Sequence[Score], answer: Answer, size: int) -> list[Score]:
    """The target of each of `size` examples, as the answer to that example chooses it."""
    if len(targets) == 1:
        targets = list(targets) * size
    return [target.resolve(answer, i) for i, target in enumerate(targets)]


def run_backward(forward: Forward) -> Gradients | None:
    """The gradients of the scores; None if no gradient passes through the network."""
    run, tape = forward.run, forward.tape
    if not run.has_gradients or gradient_ends_inside(forward):
        return None
    return differentiate(run.model.net, forward.total, tape.last_hidden, forward.recorded)


def gradient_ends_inside(forward: Forward) -> bool:
    """Whether gradients end inside the network, as in kernels of whole numbers.

    They may also end because a rule or an edit ended them: that does not count.
    """
    run = forward.run
    changed = run.rules is not None or bool(set(run.edits) - {"entry"})
    if forward.tape.gradient_ended and not changed:
        return True
    return not forward.total.requires_grad and quantised(run.model.net)


def readouts_of(
    forward: Forward,
    gradients: Gradients | None,
    attended: Bool[Tensor, "#example token"],
) -> list[Float[Tensor, " token"]]:
    """The readout of each example."""
    run, size = forward.run, forward.tape.shape[0]
    last = forward.tape.last_hidden.detach()
    default = run.model.readout(run.inputs, attended, last).expand(size, -1)
    lengths = [None] * size
    if gradients is not None and run.rules is None:
        lengths = list(gradients.lengths.expand(size, -1))
    has_class_logits = forward.answer.class_logits is not None
    readouts = []
    for i, target in enumerate(forward.targets):
        readout = readout_of(target, default[i], lengths[i], run.known_readout, has_class_logits)
        check_readout(run.model, target, readout, lengths[i])
        readouts.append(readout)
    return readouts


def trace_of(
    forward: Forward,
    gradients: Gradients | None,
    i: int,
    readout: Float[Tensor, " token"],
    attended: Bool[Tensor, " token"],
) -> Trace:
    """The trace of example i."""
    run, size = forward.run, forward.tape.shape[0]
    special_tokens = torch.zeros_like(attended)
    if run.special_tokens is not None:
        special_tokens = row_of(run.special_tokens, i)
    words = row_of(run.words, i)
    own = Pass(
        run.model,
        example_inputs(run.inputs, i, size),
        [forward.targets[i]],
        special_tokens=special_tokens[None],
        attended=attended[None],
        words=[words],
        known_readout=readout,
        plain=run.plain,
        has_gradients=gradients is not None,
    )
    layers = []
    for call in forward.tape.calls:
        layers.append(run.model.layer(*call_of(call, i, size), plain=run.plain_model))
    logits = forward.answer.class_logits
    return Trace(
        of_example(forward.recorded, i),
        score=forward.scores[i].detach(),
        readout=readout,
        attended=attended,
        special_tokens=special_tokens,
        grad=gradients_of(run.model, gradients, i),
        target=forward.targets[i],
        run=own,
        layers=layers,
        logits=None if logits is None else row_of(logits, i).detach(),
        grid=grid_of(run),
        words=words,
    )


def grid_of(run: Pass) -> tuple[int, int] | None:
    """(rows, columns) of a picture's patches, None for a text."""
    if "pixel_values" not in run.inputs:
        return None
    return run.model.grid(run.inputs["pixel_values"])


def gradients_of(model: Traceable, gradients: Gradients | None, i: int) -> Activations:
    """The gradients of example i, or what refuses to be read in place of them."""
    if gradients is not None:
        return Activations(of_example(gradients.parts, i))
    if quantised(model.net):
        return NoGradients(reason="are quantised")
    return NoGradients()

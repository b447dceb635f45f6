"""Record one pass through a Transformer: what every layer saw, and what the score felt about it.

One attention function, registered with `transformers`, serves every architecture. Called with a `tape` it writes down
the probabilities and values that pass through it; without one it is plain scaled dot-product attention. The tape
travels as a keyword of the call, from `net(**inputs, tape=tape)` down to every block, which hands it on to its attention
module as `on_tape` if it is a block of the traced tower. From there to the attention function it is a context variable,
since some modules (SigLIP's) hand no keywords on. So any number of threads may trace the same network, and the other
tower of a dual encoder stays off the record.

Shapes are written without a batch axis: a `Trace` is one example. Batches exist only in here.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from .errors import ModelUnavailable, Refusal

#: What is done to a tensor on its way; in `attention`, `scores` and `value` also by layer, {layer: function}.
Edit = Callable[[Tensor], Tensor] | dict[int, Callable[[Tensor], Tensor]]

#: What a pass can write down, as a `Trace` calls it.
RECORDED = ("attention", "value", "hidden", "normed")

#: What is fed in and can be differentiated by, under the names of `transformers` and of a `Trace`.
FED = {"pixels": "pixel_values", "embedded": "inputs_embeds"}


@dataclass(eq=False)
class Tape:
    """Lists that grow while `blocks` run, and the edits to make on the way."""

    blocks: Sequence[nn.Module]
    edits: dict[str, Edit] = field(default_factory=dict)
    record: Sequence[str] = RECORDED
    attention: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    normed: list[Tensor] = field(default_factory=list)
    shape: tuple[int, int] = (0, 0)     # examples, tokens
    last: Tensor | None = None          # what left the latest block [example token dim]
    runs: list[tuple[nn.Module, tuple, dict]] = field(default_factory=list)     # each block that ran, with its other arguments

    def edit(self, name: str, tensor: Tensor) -> Tensor:
        edit = self.edits.get(name)
        if isinstance(edit, dict):
            edit = edit.get(len(self.runs) - 1)
        return tensor if edit is None else edit(tensor)

    def write(self, name: str, tensor: Tensor) -> Tensor:
        """Note `tensor`, as a leaf if nothing before it needs a gradient; return what the network must go on with."""
        if torch.is_grad_enabled() and not tensor.requires_grad:
            tensor = tensor.detach().requires_grad_()
        if name in self.record:
            getattr(self, name).append(tensor)
        return tensor


#: The tape of the attention module that is running, in this thread.
RUNNING: ContextVar[Tape | None] = ContextVar("running", default=None)


def attention(module, query, key, value, mask, scaling=None, dropout=0.0, **_) -> tuple[Tensor, Tensor]:
    """softmax(QKᵀ/√d + mask) V, on the record. [batch head token dim_head] in, [batch token head dim_head] out."""
    on_tape = RUNNING.get()
    if on_tape:
        value = on_tape.write("value", on_tape.edit("value", value))
    scores = torch.matmul(query, key.transpose(-2, -1)) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if on_tape:
        scores = on_tape.edit("scores", scores)
    probabilities = F.softmax(scores if mask is None else scores + mask, dim=-1)
    if on_tape:
        probabilities = on_tape.write("attention", on_tape.edit("attention", probabilities))
    dropped = F.dropout(probabilities, dropout, module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), probabilities


@contextmanager
def recording(tape: Tape):
    """Every attention of this thread that runs meanwhile is written on `tape`, in its order, whatever module it belongs to."""
    before = RUNNING.set(tape)
    try:
        yield
    finally:
        RUNNING.reset(before)


AttentionInterface.register("explainers", attention)
AttentionMaskInterface.register("explainers", eager_mask)  # without it GPT-2 loses its causal mask, silently


def wire(net, blocks: Sequence[nn.Module], attentions: Sequence[nn.Module]) -> None:
    """Teach `blocks` of `net` to write on the tape that a call carries. Wiring twice changes nothing.

    Raises `ModelUnavailable` for a network with attention code of its own.
    """
    net.set_attn_implementation("explainers")
    if net.config._attn_implementation != "explainers":     # it warns, and goes on with its own
        raise ModelUnavailable(f"{type(net).__name__} computes attention inside its own code, which offers no place to record it.")
    for block, inner in zip(blocks, attentions):
        if not getattr(block, "wired", False):
            block.wired = True
            block.register_forward_pre_hook(on_entry, with_kwargs=True)
            block.register_forward_hook(on_exit, with_kwargs=True)
            inner.register_forward_pre_hook(on_attention, with_kwargs=True)
            inner.register_forward_hook(off_attention, always_call=True)


def on_entry(block, args, kwargs):
    tape = kwargs.pop("tape", None)
    if tape is None or not any(block is other for other in tape.blocks):    # none, or the other tower's
        return args, kwargs
    if not tape.runs:
        entry = tape.edit("entry", args[0])
        if entry.ndim != args[0].ndim:
            raise ValueError(f"an edit of entry gives [example token dim], like what it gets; this one gave {tuple(entry.shape)}")
        tape.shape = tuple(entry.shape[:2])
        args = (tape.write("hidden", entry), *args[1:])
    tape.runs.append((block, args[1:], dict(kwargs)))
    return args, kwargs | {"on_tape": tape}


def on_exit(block, args, kwargs, output):
    tape = kwargs.get("on_tape")
    if tape is not None:
        tape.last = output.detach()
        return tape.write("hidden", output)


def on_attention(module, args, kwargs):
    tape = kwargs.pop("on_tape", None)
    if tape is None:
        return args, kwargs
    RUNNING.set(tape)
    if args:
        return (tape.write("normed", args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": tape.write("normed", kwargs["hidden_states"])}


def off_attention(module, args, output):
    RUNNING.set(None)


@dataclass(frozen=True, eq=False)
class Affine:
    """x -> x W + b, however the architecture stores it: weight [in out], bias [out] or None."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class Layer:
    """One block by its parts, the same for every architecture.

    w_v [head dim dim_head] and b_v [head dim_head] give the values, None where they are not kept apart; w_o [head dim_head
    dim] and b_o [dim] project the heads' outputs back; norm1 and norm2 are the LayerNorms of the
    attention and feed-forward sublayers, before them if `norm_first`; the feed-forward sublayer is
    down(act(up(x))), and `up` is None where it is something else (a gated one). `run(hidden [n token dim], value=edit)`
    gives [n token dim]: this block alone, with the mask of the traced input.
    """

    w_v: Tensor | None
    b_v: Tensor | None
    w_o: Tensor
    b_o: Tensor | None
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    norm_first: bool
    up: Affine | None
    act: Callable[[Tensor], Tensor] | None
    down: Affine | None
    run: Callable[..., Tensor] = field(repr=False)


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
                each of P tokens whose mean is read; it adds up to 1, and `read` takes the rows of a map that it names
    real        [token] bool                    False at padding
    special     [token] bool                    True at [CLS], [SEP], padding and their like
    grid        (rows, columns) of a picture's patches, which are the last tokens; None for text
    words       [token] the number of the word that a token belongs to, None for special tokens;
                None where no text was given

    head holds the steps from a token's last hidden state to the logits, `Affine` or a function each; None where the
    architecture's are not known. A part that was not recorded is None. `again` and `rescore` run the network once more:
    see `trace`.
    """

    score: Tensor
    attention: Tensor | None
    value: Tensor | None
    hidden: Tensor | None
    normed: Tensor | None
    pixels: Tensor | None
    embedded: Tensor | None
    readout: Tensor
    real: Tensor
    special: Tensor
    grid: tuple[int, int] | None = None
    words: list[int | None] | None = None
    grad: "Trace | None" = None
    logits: Tensor | None = None
    target: Callable | None = None
    layers: list[Layer] = field(default_factory=list, repr=False)
    head: "list[Affine | Callable] | None" = field(default=None, repr=False)
    run: "Rerun | None" = field(default=None, repr=False)

    def __repr__(self) -> str:
        parts = {name: tuple(part.shape) for name in (*RECORDED, *FED) if (part := getattr(self, name)) is not None}
        return f"Trace(score {float(self.score):.4g}{f' of {self.target.name}' if self.target else ''}, {parts})"

    def read(self, maps: Tensor) -> Tensor:
        """The row of the token that the score is read from, of several tokens the mean of theirs: [... query key] -> [... key].

        A mean and not a sum, so that what adds up to one in every row still does, and a slope is the one along `readout`.
        """
        rows = self.read_at             # only these: elsewhere there may be numbers that are not finite
        return torch.einsum("q,...qk->...k", self.readout[rows].to(maps), maps[..., rows, :])

    @property
    def read_at(self) -> list[int]:
        """The tokens that the score is read from, where `readout` is not zero."""
        return self.readout.nonzero().flatten().tolist()

    def again(self, **how) -> "Trace":
        """The same input once more, with changes; see `Rerun.again_many` for what can change."""
        traces = self.run.again_many(**how)
        if len(traces) != 1:
            raise ValueError(f"the edit made {len(traces)} examples of one; again_many returns them all")
        return traces[0]

    def again_many(self, **how) -> "list[Trace]":
        return self.run.again_many(**how)

    def rescore(self, inputs: dict) -> Tensor:
        """The target's score for a stack of inputs: n examples of the traced length -> [n]. Forward only."""
        return self.run.rescore(inputs)

    def once(self, name, make: Callable[[], object]):
        """What `make` gives, made once for this trace: passes that several methods of a comparison share."""
        if name not in self.run.made:
            self.run.made[name] = make()
        return self.run.made[name]

    def score_of(self, pooled: Tensor) -> Tensor:
        """The target's score [n] if what the head reads were the vectors `pooled` [n dim]. Raises `Refusal` where the head is not known."""
        return self.target(self.run.model.answer_to(pooled, self.run.inputs))

    def embed(self) -> dict:
        """Inputs for `again` with the word embeddings in place of the ids, so that they can be changed and differentiated by."""
        return self.run.model.embed(self.run.inputs)

    def fill(self, where: Tensor, fill: str) -> dict:
        """Inputs for `again` and `rescore` whose tokens `where` [n token] (bool) are blanked: words with 'mask', 'pad' or 'unk',
        patches with 'mean', 'black', 'white' or 'blur'."""
        return self.run.model.fill(self.run.inputs, where, fill)


@dataclass(frozen=True, eq=False)
class Rerun:
    """What it takes to run a traced example again: the network, the ORIGINAL inputs (batch of one), the fixed target."""

    model: object
    inputs: dict
    target: Callable
    special: Tensor
    real: Tensor
    words: list[int | None] | None = None
    made: dict = field(default_factory=dict, repr=False)

    def again_many(self, inputs: dict | None = None, target: Callable | None = None, hide: Tensor | None = None,
                   rules: AbstractContextManager | None = None, record: Sequence[str] = RECORDED, **edits: Edit) -> list[Trace]:
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
        # `real` stays as it was: a hidden token is no padding, it still asks and counts among the queries
        return trace(self.model, inputs, [target or self.target], self.special[None],
                     self.real[None], rules, record, edits, [self.words])

    @torch.no_grad()
    def rescore(self, inputs: dict, target: Callable | None = None) -> Tensor:
        """[n] the score (of `target`, if another is wanted) for n examples stacked in `inputs`. Forward only."""
        return torch.cat([(target or self.target)(self.model.answer(part, self.real[None])) for part in chunks(inputs, len(self.real))])


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
        yield {name: tensor[i:i + rows] if len(tensor) == size else tensor for name, tensor in inputs.items()}


def trace(model, inputs: dict, targets: Sequence[Callable], special: Tensor, real: Tensor | None = None,
          rules: AbstractContextManager | None = None, record: Sequence[str] = RECORDED,
          edits: dict[str, Edit] | None = None,
          words: Sequence[list[int | None] | None] = (None,)) -> list[Trace]:
    """Run `model` forward and the targets' scores backward, once for all examples stacked in `inputs`.

    targets, words: one for each example, or a single one for all.
    special, real: [example token] bool; real is read off the attention mask where it is not given.
    -> one `Trace` an example.
    Per-example gradients come from one backward pass of the sum: no example's score depends on another's input.
    """
    below = rules is None or "inputs_embeds" in inputs      # relevance stops at the first block, unless word embeddings are given to go on to
    tape = Tape(model.blocks, edits or {}, record)
    fed = inputs | {key: inputs[key].detach().requires_grad_() for key in FED.values() if below and key in inputs}
    with torch.enable_grad():
        with rules or nullcontext():
            answer = model.answer(fed, real, tape=tape)
        if not tape.runs or any(len(getattr(tape, name)) != len(tape.runs) for name in ("attention", "normed") if name in record):
            raise Refusal("The layers of this model do not hand the tape on to their attention, so what it does cannot be recorded.")
        size, tokens = tape.shape
        targets = [target.fixed(answer, i) for i, target in enumerate(targets * size if len(targets) == 1 else targets)]
        scores = torch.stack([target(answer)[i] for i, target in enumerate(targets)])
        total = scores.sum()
    if not total.requires_grad:
        raise Refusal("This target does not depend on the input, so there is nothing to explain.")

    written = {name: tensors for name in RECORDED if (tensors := getattr(tape, name))}
    written |= {name: [fed[key]] for name, key in FED.items() if below and key in fed}
    if not written:
        raise ValueError(f"record names nothing to differentiate by: choose among {', '.join(RECORDED)}")
    grads = iter(torch.autograd.grad(total, [tensor for tensors in written.values() for tensor in tensors], materialize_grads=True))
    seen = {name: [tensor.detach() for tensor in tensors] for name, tensors in written.items()}
    felt = {name: [next(grads) for _ in tensors] for name, tensors in written.items()}

    real = model.real(inputs, tokens) if real is None else real
    grid = model.grid(inputs["pixel_values"]) if model.anatomy.sees == "image" else None
    readout = [target.readout(default) for target, default in zip(targets, model.readout(inputs, real, tape.last).expand(size, -1))]
    own = lambda given, i: given[i if len(given) > 1 else 0]
    traces = []
    for i in range(size):
        where = {"score": scores[i].detach(), "readout": readout[i], "real": own(real, i),
                 "special": own(special, i), "grid": grid, "words": own(words, i)}
        one = {name: tensor[i:i + 1] if len(tensor) == size else tensor for name, tensor in inputs.items()}
        traces.append(Trace(
            **where, **stacked(seen, i), grad=Trace(**where, **stacked(felt, i)), target=targets[i],
            logits=None if answer.table is None else own(answer.table, i).detach(),
            layers=[model.layer(block, *example(args, kwargs, i, size)) for block, args, kwargs in tape.runs], head=model.head,
            run=Rerun(model, one, targets[i], where["special"], where["real"], where["words"]),
        ))
    return traces


def stacked(written: dict[str, list[Tensor]], i: int) -> dict[str, Tensor | None]:
    """Example i of what was written, layers first. What was fed in has no layers, and may be one for many edits."""
    rows = {name: torch.stack([tensor[i] for tensor in written[name]]) if name in written else None for name in RECORDED}
    return rows | {name: None if name not in written else written[name][0][i if len(written[name][0]) > 1 else 0] for name in FED}


def example(args: tuple, kwargs: dict, i: int, size: int) -> tuple[tuple, dict]:
    """A block's other arguments (masks, positions) for example i alone."""
    def alone(value):
        if isinstance(value, tuple):        # sines and cosines of the positions
            return tuple(map(alone, value))
        return value[i:i + 1] if torch.is_tensor(value) and value.ndim > 1 and len(value) == size > 1 else value

    return tuple(map(alone, args)), {name: alone(value) for name, value in kwargs.items()}

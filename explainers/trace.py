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
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property, wraps
from threading import Lock
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig
from transformers.masking_utils import eager_mask

from .errors import ModelUnavailable, Refusal
from .linear import Affine, naming_quantised, quantised

#: What is done to a tensor on its way; in `attention`, `scores` and `value` also by layer, {layer: function}.
Edit = Callable[[Tensor], Tensor] | dict[int, Callable[[Tensor], Tensor]]

#: What a pass can write down, as a `Trace` calls it.
RECORDED = ("attention", "value", "hidden", "normed")

#: What is fed in and can be differentiated by, under the names of `transformers` and of a `Trace`.
FED = {"pixels": "pixel_values", "embedded": "inputs_embeds"}


def ordinary(function: Callable) -> Callable:
    """`function` as it runs outside of `torch.inference_mode()`, inside of which nothing has a
    slope."""

    @wraps(function)
    def run(*args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return run


@dataclass
class Passes:
    """How many passes run in a network, and which of its modules were training before the first."""

    running: int = 0
    training: list[nn.Module] = field(default_factory=list)


PASSES: WeakKeyDictionary[nn.Module, Passes] = WeakKeyDictionary()
COUNTING = Lock()


@contextmanager
def evaluating(net: nn.Module):
    """Evaluation mode for a pass: no dropout. What was training is so again when the last pass of
    all threads is over."""
    with COUNTING:
        passes = PASSES.setdefault(net, Passes())
        passes.running += 1
        for module in [module for module in net.modules() if module.training]:
            passes.training.append(module)
            module.training = False
    try:
        yield
    finally:
        with COUNTING:
            passes.running -= 1
            while passes.training and not passes.running:
                passes.training.pop().training = True


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
    shape: tuple[int, int] = (0, 0)  # examples, tokens
    # what left the latest block [example token dim], with its history
    last: Tensor | None = None
    runs: list[tuple[nn.Module, tuple, dict]] = field(
        default_factory=list
    )  # each block that ran, with its other arguments
    # whether something needed no gradient although it came of what does
    cut: bool = False

    def edit(self, name: str, tensor: Tensor) -> Tensor:
        edit = self.edits.get(name)
        if isinstance(edit, dict):
            edit = edit.get(len(self.runs) - 1)
        return tensor if edit is None else edit(tensor)

    def write(self, name: str, tensor: Tensor) -> Tensor:
        """Note `tensor`, as a leaf if nothing before it needs a gradient; return what the network must go on with."""
        if torch.is_grad_enabled() and not tensor.requires_grad:
            self.cut = self.cut or bool(self.runs)
            tensor = tensor.detach().requires_grad_()
        if name in self.record:
            getattr(self, name).append(tensor)
        return tensor


#: The tapes of the attention modules that are running in this thread, one inside the other; None
#: for one off the record.
RUNNING: ContextVar[tuple[Tape | None, ...]] = ContextVar("running", default=())

#: What architectures tell their attention function and what changes nothing here: windows and
#: causality are in the mask, positions in queries and keys, and the rest is about what is given
#: back.
HARMLESS = frozenset(
    (
        "is_causal",
        "sliding_window",
        "position_ids",
        "cache_position",
        "use_cache",
        "deterministic",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
        "num_items_in_batch",
        "token_type_ids",
        "tape",
        "on_tape",
    )
)


def running() -> Tape | None:
    tapes = RUNNING.get()
    return tapes[-1] if tapes else None


def attention(
    module, query, key, value, mask, scaling=None, dropout=0.0, softcap=None, **told
) -> tuple[Tensor, Tensor]:
    """softmax(QKᵀ/√d + mask) V, on the record. [batch head token dim_head] in, [batch token head
    dim_head] out.

    Heads that share keys and values get a copy each. softcap c: scores are c tanh(QKᵀ/√d / c), as
    in Gemma 2. Raises `Refusal` for what else an architecture tells its attention and this function
    cannot follow, such as sinks.
    """
    for name, what in told.items():
        if what is not None and name not in HARMLESS:
            raise Refusal(
                f"{type(module).__name__} computes attention with {name}, which cannot be "
                "recorded here: without it another model would be explained."
            )
    on_tape = running()
    key, value = (each_head(tensor, query.shape[1]) for tensor in (key, value))
    if on_tape:
        value = on_tape.write("value", on_tape.edit("value", value))
    scores = torch.matmul(query, key.transpose(-2, -1)) * (
        query.shape[-1] ** -0.5 if scaling is None else scaling
    )
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if on_tape:
        scores = on_tape.edit("scores", scores)
    probabilities = F.softmax(scores if mask is None else scores + mask, dim=-1)
    if on_tape:
        probabilities = on_tape.write("attention", on_tape.edit("attention", probabilities))
    dropped = F.dropout(probabilities, dropout, module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), probabilities


def each_head(shared: Tensor, heads: int) -> Tensor:
    """Keys or values [batch group token dim_head] of groups of heads that share them, one for each
    head [batch head token dim_head]."""
    groups = shared.shape[1]
    if groups == heads:
        return shared
    return shared[:, :, None].expand(-1, -1, heads // groups, -1, -1).flatten(1, 2)


@contextmanager
def recording(tape: Tape):
    """Every attention of this thread that runs meanwhile is written on `tape`, in its order, whatever module it belongs to."""
    before = RUNNING.set((*RUNNING.get(), tape))
    try:
        yield
    finally:
        RUNNING.reset(before)


AttentionInterface.register("explainers", attention)
AttentionMaskInterface.register(
    "explainers", eager_mask
)  # without it GPT-2 loses its causal mask, silently


def wire(
    net, blocks: Sequence[nn.Module], attentions: Sequence[nn.Module]
) -> list[RemovableHandle]:
    """Teach `blocks` of `net` to write on the tape that a call carries. Wiring twice changes
    nothing. -> the hooks that are new.

    Raises `ModelUnavailable` for a network with attention code of its own.
    """
    attend_by(net, "explainers")
    if net.config._attn_implementation != "explainers":  # it warns, and goes on with its own
        raise ModelUnavailable(
            f"{type(net).__name__} computes attention inside its own code, which offers no place to record it."
        )
    return [
        hook
        for block, inner in zip(blocks, attentions)
        for hook in (*hooked(block, on_entry, on_exit), *hooked(inner, on_attention, off_attention))
    ]


def attend_by(net, implementation: str) -> None:
    """Let every attention of `net` be computed by a function of `AttentionInterface`, that of parts
    with a copied config too."""
    net.set_attn_implementation(implementation)
    if net.config._attn_implementation == implementation:
        for config in configs_of(net):
            if config._attn_implementation != implementation:
                config._attn_implementation = implementation


def configs_of(net) -> list[PreTrainedConfig]:
    """The configs that `net` and its parts hold, each once, an outer one before those inside it."""
    configs = [net.config]
    for config in configs:
        configs += [
            inner for name in config.sub_configs if (inner := getattr(config, name)) is not None
        ]
    configs += [
        config
        for module in net.modules()
        if isinstance(config := getattr(module, "config", None), PreTrainedConfig)
    ]
    return list({id(config): config for config in configs}.values())


def hooked(module: nn.Module, before: Callable, after: Callable) -> list[RemovableHandle]:
    """The two hooks on `module`, unless it has them."""
    if before in module._forward_pre_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True, always_call=after is off_attention),
    ]


def on_entry(block, args, kwargs):
    tape = kwargs.pop("tape", None)
    if tape is None or not any(
        block is other for other in tape.blocks
    ):  # none, or the other tower's
        return args, kwargs
    if not tape.runs:
        entry = tape.edit("entry", args[0])
        if entry.ndim != args[0].ndim:
            raise ValueError(
                f"an edit of entry gives [example token dim], like what it gets; this one gave {tuple(entry.shape)}"
            )
        tape.shape = tuple(entry.shape[:2])
        args = (tape.write("hidden", entry), *args[1:])
    tape.runs.append((block, args[1:], dict(kwargs)))
    return args, kwargs | {"on_tape": tape}


def on_exit(block, args, kwargs, output):
    tape = kwargs.get("on_tape")
    if tape is not None:
        tape.last = tape.write("hidden", output)
        return tape.last


def on_attention(module, args, kwargs):
    tape = kwargs.pop("on_tape", None)
    RUNNING.set((*RUNNING.get(), tape or running()))
    if tape is None:
        return args, kwargs
    if args:
        return (tape.write("normed", args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": tape.write("normed", kwargs["hidden_states"])}


def off_attention(module, args, kwargs, output):
    RUNNING.set(RUNNING.get()[:-1])


@dataclass(frozen=True, eq=False)
class Layer:
    """One block by its parts, the same for every architecture. Its linear maps are looked up when
    they are asked for.

    w_v [head dim dim_head] and b_v [head dim_head] give the values, None where they are not kept
    apart; w_o [head dim_head dim] and b_o [dim] project the heads' outputs back; norm1 and norm2
    are the LayerNorms of the attention and feed-forward sublayers, before them if `norm_first`; the
    feed-forward sublayer is down(act(up(x))), and `up` is None where it is something else (a gated
    one). Heads that share their values have a copy each. `run(hidden [n token dim], value=edit)`
    gives [n token dim]: this block alone, with the mask of the traced input.

    linear gives the map "w_v", "w_o", "up" or "down" as the network has it, adapters included, or
    None. Raises `Refusal` where a part is not x W + b.
    """

    linear: Callable[[str], Affine | None] = field(repr=False)
    heads: int
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    norm_first: bool
    act: Callable[[Tensor], Tensor] | None
    run: Callable[..., Tensor] = field(repr=False)

    @cached_property
    def out(self) -> Affine:
        return self.linear("w_o")

    @cached_property
    def values(self) -> Affine | None:
        return self.linear("w_v")

    @cached_property
    def up(self) -> Affine | None:
        return self.linear("up")

    @cached_property
    def down(self) -> Affine | None:
        return self.linear("down")

    @property
    def w_o(self) -> Tensor:
        return self.out.weight.unflatten(0, (self.heads, -1))

    @property
    def b_o(self) -> Tensor | None:
        return self.out.bias

    @property
    def w_v(self) -> Tensor | None:
        return None if self.values is None else self.by_head(self.values.weight.T).transpose(1, 2)

    @property
    def b_v(self) -> Tensor | None:
        if self.values is None:
            return None
        bias = self.values.bias
        return self.by_head(torch.zeros_like(self.values.weight[0]) if bias is None else bias)

    def by_head(self, rows: Tensor) -> Tensor:
        """What makes values [group * dim_head ...], for each head [head dim_head ...]."""
        grouped = rows.unflatten(0, (-1, self.w_o.shape[1]))
        if len(grouped) == self.heads:
            return grouped
        return grouped.repeat_interleave(self.heads // len(grouped), 0)


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

    def rescore(self, inputs: dict) -> Tensor:
        """The target's score for a stack of inputs: n examples of the traced length -> [n]. Forward only."""
        return self.run.rescore(inputs)

    def cached(self, name, make: Callable[[], object]):
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
            target.fixed(answer, i)
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
    readout = readouts(model, targets, default, slopes, known, answer.table is not None)
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
                logits=None if answer.table is None else own(answer.table, i).detach(),
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


def lengths(slope: Tensor) -> Tensor:
    """[example token] of vectors [example token dim], in float32 where half precision would
    overflow."""
    return slope.to(torch.promote_types(slope.dtype, torch.float32)).norm(dim=-1)


def readouts(
    model,
    targets: Sequence[Callable],
    default: Tensor,
    slopes: Tensor | None,
    known: Tensor | None,
    reads: bool,
) -> list[Tensor]:
    """[token] of each example: how much of its score is read from each token, adding up to 1.

    The rule of the network's own head where the target is made of its logits; the slopes must be
    zero elsewhere, or the rule is not the network's. A caller's own function is read where its
    slope is not zero, each token weighed by its slope's length; if these are the very tokens that a
    class is read from, with the weights of a class.

    default [example token]: where a class is read, by the architecture; slopes [example token]:
    lengths of the score's slope by the last hidden states, None where the chain rule is another
    one; known [token]: the readout of an ordinary pass over the traced input; reads: whether the
    network has a score of its own, which is read at `default`.
    """
    rows = []
    for i, target in enumerate(targets):
        slope = None if slopes is None else slopes[i]
        if not target.measured:
            rows.append(target.readout(default[i]))
            if target.local and slope is not None and ((slope > 0) & (rows[-1] == 0)).any():
                raise elsewhere(model, slope > 0, rows[-1])
        elif slope is not None and slope.any():
            usual = torch.equal(slope > 0, default[i] > 0)
            rows.append(default[i] if usual else (slope / slope.sum()).to(default))
        elif known is not None:
            rows.append(known)
        elif slope is None:
            raise Refusal(
                "No slope passes through this network, so nothing says from which token the "
                f"{target.name} is read: explain a class."
            )
        elif reads:
            rows.append(default[i])
        else:
            raise Refusal(
                f"The slope of the {target.name} is zero at this input, so nothing says from "
                "which token it is read."
            )
    return rows


def elsewhere(model, at: Tensor, expected: Tensor) -> ModelUnavailable:
    """The refusal of a network whose score is read `at` tokens [token] (bool) that the readout
    `expected` [token] does not name."""
    found, looked = (told(places.nonzero().flatten().tolist()) for places in (at, expected))
    return ModelUnavailable(
        f"The score of {type(model.net).__name__} depends on what leaves the last layer at "
        f"{found}, and its architecture ({model.net.config.model_type}) is known here to read it "
        f"at {looked}: maps would be those of other tokens. "
        f"If you registered this architecture, give its row another readout."
    )


def told(places: list[int]) -> str:
    """token 5; tokens 0, 1; of many the first eight."""
    some = ", ".join(map(str, places[:8]))
    word = "token" if len(places) == 1 else "tokens"
    return f"{word} {some} …" if len(places) > 8 else f"{word} {some}"


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

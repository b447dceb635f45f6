"""The one attention function of every architecture, registered with `transformers`."""

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from ..errors import Refusal
from .tape import running

#: The name of our attention function in `transformers`.
NAME = "explainers"

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


AttentionInterface.register(NAME, attention)
# without a mask function of this name GPT-2 loses its causal mask, silently
AttentionMaskInterface.register(NAME, eager_mask)

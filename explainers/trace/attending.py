"""The one attention function of every architecture, registered with `transformers`."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from ..errors import Refusal
from .tape import running

#: The name of our attention function in `transformers`.
NAME = "explainers"

#: Keyword arguments of attention functions that do not change what is computed here. Windows and
#: causality are in the mask, positions are in queries and keys; the rest says what to return.
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
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor]:
    """softmax(QKᵀ/√d + mask) V, recorded if a tape is running.

    query, key, value: [batch head token dim_head]. Heads may share keys and values.
    scaling: what QKᵀ is multiplied by instead of 1/√d.
    softcap: c, to compute the softmax of c tanh(QKᵀ/√d / c), as Gemma 2 does.

    Returns the heads' outputs [batch token head dim_head] and the probabilities
    [batch head query key]. Raises `Refusal` for an argument that would change the result in a way
    that is not computed here, such as attention sinks.
    """
    dropout = others.pop("dropout", 0.0)
    refuse_unknown(module, others)
    tape = running()
    key, value = each_head(key, query.shape[1]), each_head(value, query.shape[1])
    if tape:
        value = tape.write("value", tape.edit("value", value))
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if tape:
        scores = tape.edit("scores", scores)
    if mask is not None:
        scores = scores + mask
    probabilities = F.softmax(scores, dim=-1)
    if tape:
        probabilities = tape.write("attention", tape.edit("attention", probabilities))
    dropped = F.dropout(probabilities, dropout, module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), probabilities


def refuse_unknown(module: nn.Module, arguments: dict[str, Any]) -> None:
    """Refuse arguments that would change what attention computes."""
    for name, argument in arguments.items():
        if argument is not None and name not in HARMLESS:
            raise Refusal(
                f"{type(module).__name__} computes attention with {name}, which is not supported "
                "here: the recorded attention would differ, so the map would be wrong."
            )


def each_head(shared: Tensor, heads: int) -> Tensor:
    """Keys or values of each head [batch head token dim_head].

    shared: those of groups of heads that share them [batch group token dim_head].
    """
    groups = shared.shape[1]
    if groups == heads:
        return shared
    return shared[:, :, None].expand(-1, -1, heads // groups, -1, -1).flatten(1, 2)


AttentionInterface.register(NAME, attention)
# without a mask function of this name GPT-2 loses its causal mask, silently
AttentionMaskInterface.register(NAME, eager_mask)

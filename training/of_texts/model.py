"""The network that is trained, and its losses."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertPooler

from .rows import LABELS
from .stages import Stage
from .windows import Window

LONGEST_ANSWER = 12  # tokens, where only the sentence is known

LOW = -1e4  # the logit of what cannot be an answer


class FourHeads(nn.Module):
    """The shared encoder with a head for each task.

    A task on sentences has a pooler and a classifier, question answering two logits a token. Word
    embeddings are frozen: that is a fifth faster, and 18,000 rows a task would change few of them.
    """

    def __init__(self, encoder: Path):
        super().__init__()
        config = BertConfig.from_pretrained(encoder, attention_probs_dropout_prob=0.0)
        self.encoder = BertModel.from_pretrained(encoder, config=config, add_pooling_layer=False)
        self.encoder.embeddings.word_embeddings.requires_grad_(False)
        self.poolers = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        for task, labels in LABELS.items():
            if labels:
                self.poolers[task] = BertPooler(config)
        for task, labels in LABELS.items():
            self.heads[task] = nn.Linear(config.hidden_size, len(labels) if labels else 2)
        for module in (*self.poolers.modules(), *self.heads.modules()):
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=config.initializer_range)
                nn.init.zeros_(module.bias)

    def forward(self, task: str, batch: dict[str, Tensor]) -> Tensor:
        """Logits [row class], or [row token end] for question answering."""
        hidden = self.encoder(**batch).last_hidden_state
        if task in self.poolers:
            hidden = F.dropout(self.poolers[task](hidden), 0.1, self.training)
        return self.heads[task](hidden)


def loss_of(task: str, logits: Tensor, windows: list[Window], batch: dict, stage: Stage) -> Tensor:
    """The mean loss of a batch."""
    if task == "question-answering":
        return answer_loss(logits, windows, batch["attention_mask"], stage)
    labels = torch.tensor([window.label for window in windows])
    if task in stage.r_drop:
        return r_drop_loss(logits, labels)
    return F.cross_entropy(logits, labels)


def r_drop_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of the same rows under two dropout masks, which must agree.

    Formula: the mean of both cross entropies, plus half of KL(p || q) + KL(q || p).

    Source: R-Drop, Liang et al. 2021, equation 4.
    """
    one, other = logits.log_softmax(-1).chunk(2)
    there = F.kl_div(one, other, log_target=True, reduction="batchmean")
    back = F.kl_div(other, one, log_target=True, reduction="batchmean")
    return (F.nll_loss(one, labels) + F.nll_loss(other, labels)) / 2 + (there + back) / 2


def answer_loss(logits: Tensor, windows: list[Window], attended: Tensor, stage: Stage) -> Tensor:
    """The mean negative log probability of both ends of the answer.

    logits: [row token end]. attended: [row token], 0 at padding.
    """
    margin = torch.zeros(logits.shape[1:])
    margin[0] = stage.null_margin
    logits = (logits - margin).masked_fill(attended[..., None] == 0, LOW)
    losses = []
    for window, logp in zip(windows, logits.log_softmax(dim=1)):
        if window.anywhere:
            losses.append(loss_somewhere(logp, *window.anywhere))
            continue
        weight = stage.null_weight if window.start == 0 else 1.0
        losses.append(-(logp[window.start, 0] + logp[window.end, 1]) / 2 * weight)
    return torch.stack(losses).mean()


def loss_somewhere(logp: Tensor, first: int, last: int) -> Tensor:
    """The loss where the answer is some short span between two tokens: their probabilities add up.

    logp: [token end].
    """
    starts, ends = logp[first : last + 1].unbind(1)
    both = starts[:, None] + ends[None]  # [start end]
    is_short = torch.ones_like(both).triu().tril(LONGEST_ANSWER).bool()
    return -both[is_short].logsumexp(0) / 2

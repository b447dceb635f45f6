"""Train a planted model: one run of a few minutes, from a seed."""

import time
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from .tasks import TASKS, Batch, Task

STEPS = {"planted-and": 600, "planted-not": 2500, "planted-corner": 800, "planted-object": 1000}
BATCH = 64  # inputs; their twins come on top
RATE = 1e-3
WARM_UP = 0.05  # of the steps
UNUSED = 1.0  # weight of "the distractor changes no logit"
REPORT_EVERY = 50  # steps


def trained(task: Task, steps: int, seed: int = 0) -> PreTrainedModel:
    """A network that has learned the rule of a task."""
    torch.manual_seed(seed)
    random = Random(seed)
    net = task.network().train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01)
    warm = WARM_UP * steps
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / (steps - warm))
    )
    began = time.monotonic()
    for step in range(1, steps + 1):
        batch = task.batch(random, BATCH)
        loss, moved = losses(net, batch)
        (loss + UNUSED * moved).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        if step % REPORT_EVERY == 0 or step == steps:
            print(
                f"{task.name}: step {step}/{steps}  {time.monotonic() - began:.0f} s  "
                f"loss {loss.item():.4f}  moved by the distractor {moved.item():.5f}",
                flush=True,
            )
    return net.eval()


def losses(net: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """How far the probabilities are from the targets, and how far twins are from each other.

    The first is the mean Kullback–Leibler divergence over inputs and twins, the second the mean
    squared difference of their logits.
    """
    logits, others = net(**batch.inputs).logits, net(**batch.twins).logits
    both = torch.cat([logits, others]).log_softmax(-1)
    targets = torch.cat([batch.targets, batch.targets])
    return F.kl_div(both, targets, reduction="batchmean"), F.mse_loss(logits, others)


def train(args) -> None:
    """Train the planted models, or the one that is named, and write their folders."""
    from .files import export

    for name in [args.name] if args.name else TASKS:
        task = TASKS[name]
        net = trained(task, args.steps or STEPS[name])
        export(task, net, args.out)

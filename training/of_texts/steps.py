"""Run a stage, step by step, with checkpoints."""

import time
from pathlib import Path

import torch
from torch import nn
from transformers import AutoTokenizer

from .files import exported, weights
from .model import FourHeads, loss_of
from .stages import STAGES, Stage
from .windows import Window, schedule, tensors

WARM_UP = 0.06  # of the steps
CHECKPOINT_EVERY = 250  # steps
REPORT_EVERY = 50  # steps


def train(args) -> None:
    """Run a stage, from its own checkpoint or from the end of the stage before."""
    stage = STAGES[args.stage]
    torch.manual_seed(stage.seed)
    model = FourHeads(args.encoder)
    if args.start:
        model.load_state_dict(exported(args.start), strict=False)
    elif args.stage > 1:
        model.load_state_dict(weights(args.work / f"stage{args.stage - 1}.pt"))
    run_stage(stage, model, args, args.work / f"stage{args.stage}.pt")


class Training:
    """A model with its optimizer and its learning rate, over a known number of steps."""

    def __init__(self, model: FourHeads, stage: Stage, steps: int):
        self.model = model
        self.stage = stage
        encoder = [weight for weight in model.encoder.parameters() if weight.requires_grad]
        heads = [*model.poolers.parameters(), *model.heads.parameters()]
        self.optimizer = torch.optim.AdamW(
            [{"params": encoder, "lr": stage.rate}, {"params": heads, "lr": stage.head_rate}],
            weight_decay=0.01,
            fused=True,
        )
        warm = WARM_UP * steps

        def share(step: int) -> float:
            """The factor on the learning rate: linear warm-up, then linear decay."""
            return min((step + 1) / warm, (steps - step) / (steps - warm))

        self.rate = torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)

    def resume(self, checkpoint: Path) -> int:
        """Load a checkpoint; returns the number of steps done."""
        state = torch.load(checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        torch.set_rng_state(state["rng"])
        return state["step"]

    def save(self, checkpoint: Path, step: int) -> None:
        """Write a checkpoint; an interrupted write leaves the file as it was before."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "rng": torch.get_rng_state(),
            "step": step,
        }
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)

    def step(self, task: str, windows: list[Window]) -> float:
        """Train on one batch; returns its loss."""
        batch = tensors(windows)
        if task in self.stage.r_drop:
            batch = {name: torch.cat([tensor, tensor]) for name, tensor in batch.items()}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(task, batch)
        loss = loss_of(task, logits.float(), windows, batch, self.stage)
        loss.backward()
        moved = [weight for weight in self.model.parameters() if weight.grad is not None]
        nn.utils.clip_grad_norm_(moved, 1.0)
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        return loss.item()


def run_stage(stage: Stage, model: FourHeads, args, checkpoint: Path) -> None:
    """All steps of a stage that are not done yet."""
    args.work.mkdir(parents=True, exist_ok=True)
    model.train()
    batches = schedule(stage, args.data, AutoTokenizer.from_pretrained(args.encoder))
    training = Training(model, stage, len(batches))
    first = 0
    if checkpoint.exists():
        first = training.resume(checkpoint)
        print(f"resumed at step {first}", flush=True)

    began = time.monotonic()
    means: dict[str, float] = {}  # of the loss, by task
    for step, (task, windows) in enumerate(batches[first:], start=first + 1):
        loss = training.step(task, windows)
        means[task] = 0.98 * means.get(task, loss) + 0.02 * loss
        if step % REPORT_EVERY == 0:
            left = (time.monotonic() - began) / (step - first) * (len(batches) - step)
            losses = "  ".join(f"{name} {value:.3f}" for name, value in sorted(means.items()))
            print(f"step {step}/{len(batches)}  {left / 60:.0f} min left  {losses}", flush=True)
        if step % CHECKPOINT_EVERY == 0 or step == len(batches):
            training.save(checkpoint, step)

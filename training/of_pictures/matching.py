"""Train poolers and projections that match pictures with texts; both encoders stay frozen."""

import hashlib
import math
import time
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel

from .data import (
    TRAINING,
    VALIDATION,
    cached_on_disk,
    first_names,
    normalised,
    pictures,
    save,
    stacked,
    write,
)
from .prompts import PROMPT, prompt, training_texts
from .teacher import LEAST, Teacher, view

PROJECTION = 128  # the length of the vectors that are compared
SCALE = 20.0  # the initial factor on their cosines
BATCH = 500
PASSES = 20
RATE = 5e-3
WEIGHT_DECAY = 0.05
TEMPERATURE = 0.7  # of the teacher's probabilities

#: The trained parts of the dual encoder.
HEAD = (
    "vision_model.pooler.",
    "text_model.pooler.",
    "visual_projection.",
    "text_projection.",
    "logit_scale",
)

#: The projection of each side.
PROJECTIONS = {"vision": "visual_projection", "text": "text_projection"}

#: Settings of a classifier that a dual encoder does not have.
OF_CLASSIFIERS = ("id2label", "label2id", "_name_or_path", "architectures")


def pair(args) -> None:
    """Train the head that matches pictures with texts.

    It goes on from a checkpoint if that was written for the same ViT.
    """
    import explainers  # here, so that training the ViT needs nothing of the package
    from explainers.models import bundled_folder

    args.work.mkdir(parents=True, exist_ok=True)
    vit = explainers.load("vit", device="cpu")
    text = explainers.load("sentiment", device="cpu")
    bert = text.net.bert
    which = hashlib.sha256(
        (bundled_folder("vision") / "model.safetensors").read_bytes()
    ).hexdigest()
    texts = training_texts(args.teacher, args.data)
    every = list(chain.from_iterable(texts))
    text_tokens = cached_on_disk(
        args.work / "texts.pt",
        "\n".join(every),
        lambda: first_of_texts(bert, text.tokenizer, every),
    )
    seen, wanted = first_of_crops(args, vit.net.vit, which)
    images, labels = pictures(args.data, VALIDATION)
    test = cached_on_disk(
        args.work / "seen_val.pt",
        which,
        lambda: first_of_pictures(vit.net.vit, stacked(images)),
    )
    prompts = [prompt(PROMPT, name) for name in first_names(args.data)]
    asked = first_of_texts(bert, text.tokenizer, prompts)
    classifier = vit.net.get_submodule("classifier")
    own = (classifier(test.float()).argmax(1) == labels).float().mean()

    torch.manual_seed(0)
    matching = Matching(joined(vit.net, bert), steps=len(seen) // BATCH)
    first = matching.resume(args.work / "pair.pt", which)
    counts = torch.tensor(list(map(len, texts)))
    for number in range(first, PASSES):
        torch.manual_seed(number)
        began = time.monotonic()
        loss = matching.learn(seen, wanted, text_tokens, counts)
        matching.save(args.work / "pair.pt", number + 1, which)
        right = (matching.best(test, asked) == labels).float().mean()
        print(
            f"pass {number + 1}/{PASSES}  {time.monotonic() - began:.0f} s  loss {loss:.3f}  "
            f"right {100 * right:.1f} %, the ViT's own classes {100 * own:.1f} %",
            flush=True,
        )
    matching.write(args.out)


class Matching:
    """A dual encoder whose head is trained, its optimizer and its learning rate."""

    def __init__(self, net: VisionTextDualEncoderModel, steps: int):
        self.net = net
        self.steps = steps  # a pass
        self.head = {}
        for name, weight in net.named_parameters():
            if name.startswith(HEAD):
                self.head[name] = weight
        self.optimizer = torch.optim.AdamW(
            list(self.head.values()), lr=RATE, weight_decay=WEIGHT_DECAY
        )
        self.rate = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, PASSES * steps)

    def resume(self, checkpoint: Path, which: str) -> int:
        """Load a checkpoint of the same ViT, if there is one; returns the number of passes done."""
        if not checkpoint.exists():
            return 0
        state = torch.load(checkpoint, weights_only=True)
        if state["which"] != which:
            return 0
        self.net.load_state_dict(state["head"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        print(f"resumed after pass {state['passes']}", flush=True)
        return state["passes"]

    def save(self, checkpoint: Path, passes: int, which: str) -> None:
        """Write a checkpoint. which: a fingerprint of the ViT."""
        state = {
            "head": self.head,
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "passes": passes,
            "which": which,
        }
        save(state, checkpoint)

    def write(self, folder: Path) -> None:
        """Write the head in fp16, and the configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        write(self.head, folder / "head.safetensors")
        self.net.config.to_json_file(folder / "config.json")

    def learn(self, seen: Tensor, wanted: Tensor, text_tokens: Tensor, counts: Tensor) -> float:
        """Train on all crops once; returns the mean loss.

        A crop is matched with one random text of each class. The loss is KL(teacher || softmax of
        the scaled cosines).

        seen: [crop dim], first tokens of the crops. text_tokens: [text dim], those of the texts.
        wanted: [crop class], the teacher's logits. counts: [class], how many of the texts each
        class has.
        """
        start = counts.cumsum(0) - counts
        losses = []
        for batch in torch.randperm(len(seen)).split(BATCH)[: self.steps]:
            drawn = start + (torch.rand(len(counts)) * counts).long()
            pictures = self.unit_vectors("vision", seen[batch])
            texts = self.unit_vectors("text", text_tokens[drawn])
            scores = self.net.logit_scale.exp() * pictures @ texts.T
            probabilities = (wanted[batch].float() / TEMPERATURE).softmax(1)
            loss = F.kl_div(scores.log_softmax(1), probabilities, reduction="batchmean")
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.rate.step()
            losses.append(loss.item())
        return float(np.mean(losses))

    def unit_vectors(self, side: str, first: Tensor) -> Tensor:
        """Pooled, projected and normalised first tokens [example projection].

        side: "vision" or "text". first: [example dim].
        """
        pooler = self.net.get_submodule(f"{side}_model.pooler")
        projection = self.net.get_submodule(PROJECTIONS[side])
        return F.normalize(projection(pooler(first.float()[:, None])), dim=-1)

    @torch.no_grad()
    def best(self, seen: Tensor, text_tokens: Tensor) -> Tensor:
        """The index of the text that is nearest to each picture, [picture]."""
        return (
            self.unit_vectors("vision", seen) @ self.unit_vectors("text", text_tokens).T
        ).argmax(1)


def joined(vit, bert) -> VisionTextDualEncoderModel:
    """A dual encoder with the shapes of these towers, and new poolers and projections."""
    config = VisionTextDualEncoderConfig(
        vision_config=plain_config(vit),
        text_config=plain_config(bert),
        projection_dim=PROJECTION,
        logit_scale_init_value=math.log(SCALE),
        architectures=[VisionTextDualEncoderModel.__name__],
    )
    return VisionTextDualEncoderModel(config)


def plain_config(net) -> dict:
    """The configuration of a network, without what its classifier needs."""
    values = net.config.to_dict()
    return {name: value for name, value in values.items() if name not in OF_CLASSIFIERS}


# -------------------------------------------------------------------------------- first tokens


def first_of_crops(args, vit, which: str) -> tuple[Tensor, Tensor]:
    """First tokens [crop dim] of every crop that the ViT learned from, and its teacher's logits.

    which: a fingerprint of the ViT.
    """
    images, _ = pictures(args.data, TRAINING)
    teacher = Teacher(args.teacher, args.data)
    seen, wanted = [], []
    for number in range(len(LEAST)):
        crops, logits, _ = view(number, images, teacher, args.work)

        def make(crops: Tensor = crops) -> Tensor:
            return first_of_pictures(vit, crops)

        seen.append(cached_on_disk(args.work / f"seen{number}.pt", which, make))
        wanted.append(logits)
    return torch.cat(seen), torch.cat(wanted)


@torch.no_grad()
def first_of_pictures(vit, pixels: Tensor) -> Tensor:
    """[CLS] after the last LayerNorm, which a pooler reads: [picture dim] fp16."""
    parts = []
    began = time.monotonic()
    for i, part in enumerate(pixels.split(250)):
        parts.append(vit(pixel_values=normalised(part)).last_hidden_state[:, 0].half())
        if i % 20 == 0:
            print(f"pictures {250 * i}/{len(pixels)}, {time.monotonic() - began:.0f} s", flush=True)
    return torch.cat(parts)


@torch.no_grad()
def first_of_texts(bert, tokenizer, texts: list[str]) -> Tensor:
    """The first token of each text, [text dim] fp16. Texts of similar length run together."""
    found = torch.empty(len(texts), bert.config.hidden_size, dtype=torch.float16)
    began = time.monotonic()
    lengths = torch.tensor(list(map(len, texts)))
    for k, some in enumerate(lengths.argsort().split(256)):
        coded = tokenizer([texts[i] for i in some], padding=True, return_tensors="pt")
        found[some] = bert(**coded).last_hidden_state[:, 0].half()
        if k % 20 == 0:
            print(f"texts {256 * k}/{len(texts)}, {time.monotonic() - began:.0f} s", flush=True)
    return found

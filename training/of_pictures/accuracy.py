"""Measure the accuracy of the bundled models of pictures, on the held-out pictures."""

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .data import TEACHER_SIDE, VALIDATION, classes, first_names, pictures, stacked
from .prompts import OTHER_TEMPLATES, PROMPT, TEMPLATES, held_out_names, prompt
from .teacher import Teacher

BATCH = 100


@torch.no_grad()
def evaluate(args) -> None:
    """Measure the top-1 and top-5 accuracy of the bundled models, on the held-out pictures."""
    import explainers  # here, so that training the ViT needs nothing of the package

    images, labels = pictures(args.data, VALIDATION)
    batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    print("| model | names | prompts | pictures | top-1 | top-5 |\n|---|---|---|---|---|---|")
    vit = explainers.load("vit", device="cpu")
    scores = [vit.net(pixel_values=read(vit, batch)).logits for batch in batches]
    report("ViT | |", torch.cat(scores), labels)
    teacher = Teacher(args.teacher, args.data)
    scores = [teacher(enlarged(batch))[0][:, teacher.ours] for batch in batches]
    report(f"its teacher, at {TEACHER_SIDE} px | |", torch.cat(scores), labels)

    dual = explainers.load("image-text", device="cpu")
    seen = torch.cat([dual.features({"pixel_values": read(dual, batch)}) for batch in batches])
    names = first_names(args.data)
    held_out = held_out_names(args.teacher, args.data)
    wnids = [row["wnid"] for row in classes(args.data)]
    other_names = [held_out.get(wnid, name) for wnid, name in zip(wnids, names)]
    has_held_out_name = torch.tensor([wnid in held_out for wnid in wnids])
    which = has_held_out_name[labels]
    side = dual.side("text")
    report_names("usual", side, names, seen, labels)
    report_names("usual", side, names, seen[which], labels[which])
    report_names("not trained on", side, other_names, seen[which], labels[which])


def read(model, batch: list[Image.Image]) -> Tensor:
    """Pictures as a bundled model reads them."""
    return model.processor(images=batch, return_tensors="pt")["pixel_values"]


def enlarged(batch: list[Image.Image]) -> Tensor:
    """Pictures at the size at which the teacher reads them."""
    size = (TEACHER_SIDE, TEACHER_SIDE)
    return stacked([image.resize(size, Image.Resampling.BICUBIC) for image in batch])


def report_names(called: str, side, names: list[str], seen: Tensor, labels: Tensor) -> None:
    """Print rows for one set of names: by one prompt, and by the mean of several.

    side: the model of texts. seen: [picture projection], unit vectors.
    """
    for templates, kind in ((TEMPLATES, "trained on"), (OTHER_TEMPLATES, "not trained on")):
        every = [vectors_of(side, template, names) for template in templates]
        one = templates.index(PROMPT) if PROMPT in templates else 0
        wording = templates[one].format(name="…", a="a …")
        report(f"image-text | {called} | {wording}", seen @ every[one].T, labels)
        mean = F.normalize(torch.stack(every).sum(0), dim=-1)
        report(f"image-text | {called} | {len(templates)} {kind}", seen @ mean.T, labels)


def vectors_of(side, template: str, names: list[str]) -> Tensor:
    """Unit vectors [name projection] of all names in one template."""
    texts = [prompt(template, name) for name in names]
    return side.features(side.tokenizer(texts, padding=True, return_tensors="pt"))


def report(name: str, scores: Tensor, labels: Tensor) -> None:
    """Print a row of the table. scores: [picture class]."""
    hits = scores.topk(5).indices == labels[:, None]
    first = 100 * hits[:, 0].float().mean()
    any_of_five = 100 * hits.any(1).float().mean()
    print(f"| {name} | {len(labels)} | {first:.1f} % | {any_of_five:.1f} % |", flush=True)

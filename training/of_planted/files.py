"""The files of a planted model: its weights, and inputs with the truth about them."""

import json
from pathlib import Path
from random import Random

from of_texts.files import half, write
from PIL import Image
from transformers import PreTrainedModel

from .drawings import SIDE, Scene
from .networks import processor, tokenizer
from .tasks import Pictures, Task
from .words import written

INPUTS = 300  # in planted.jsonl
SEED = 1  # of these inputs; training has another one
COLUMNS = 20  # pictures in a row of planted.png


def export(task: Task, net: PreTrainedModel, out: Path) -> None:
    """Write a model in fp16, with its held-out inputs, below the folder `out`.

    The tokenizer and the image processor, which models share, are written into `out` itself.
    """
    folder = out / task.folder
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save_pretrained(out)
    processor().save_pretrained(out)
    net.config.architectures = [type(net).__name__]
    net.config.to_json_file(folder / "config.json")
    write(half(net, ""), folder / "model.safetensors")
    random = Random(SEED)
    given = [task.draw(random) for _ in range(INPUTS)]
    if isinstance(task, Pictures):
        rows = with_sheet(task, given, folder / "planted.png")
    else:
        rows = [row_of_sentence(task, sentence) for sentence in given]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "planted.jsonl").write_text(lines, encoding="utf-8")


def row_of_sentence(task: Task, sentence: list[str]) -> dict:
    """A line of planted.jsonl: places are the first and last+1 character."""
    text, spans = written(sentence)
    causes = [
        {"at": spans[cause.place], "sign": cause.sign} for cause in task.rule.causes(sentence)
    ]
    return {
        "text": text,
        "label": task.classes[task.label(sentence)],
        "causes": causes,
        "distractors": [spans[place] for place in task.rule.distractors(sentence)],
    }


def with_sheet(task: Task, scenes: list[Scene], path: Path) -> list[dict]:
    """Write all pictures side by side into one file; gives the lines of planted.jsonl.

    "picture" is where a picture stands in the file, and places are boxes in the picture itself:
    (left, top, right, bottom) in pixels.
    """
    down = -(-len(scenes) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, down * SIDE))
    rows = []
    for number, scene in enumerate(scenes):
        left, top = number % COLUMNS * SIDE, number // COLUMNS * SIDE
        sheet.paste(Image.fromarray(scene.draw()), (left, top))
        causes = [{"at": cause.place, "sign": cause.sign} for cause in scene.causes]
        rows.append(
            {
                "picture": (left, top, left + SIDE, top + SIDE),
                "label": task.classes[scene.label],
                "causes": causes,
                "distractors": scene.distractors,
            }
        )
    sheet.save(path, optimize=True)
    return rows

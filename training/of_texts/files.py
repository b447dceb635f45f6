"""The files of the bundled model: write them, read them, and correct its answers."""

import itertools
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoTokenizer, BertConfig, BertModel

from .model import FourHeads
from .rows import LABELS, Example, squad

BUCKET = 16  # texts that run together


def weights(checkpoint: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint."""
    return torch.load(checkpoint, weights_only=True)["model"]


def exported(folder: Path) -> dict[str, Tensor]:
    """The weights that `export` wrote, in fp32 and under the names of `FourHeads`."""
    state = {}
    for name, weight in load_file(folder / "encoder.safetensors").items():
        state[name.replace("bert.", "encoder.", 1)] = weight.float()
    for task in LABELS:
        for name, weight in load_file(folder / task / "head.safetensors").items():
            if "pooler" in name:
                ours = f"poolers.{task}.{name.removeprefix('bert.pooler.')}"
            else:
                ours = f"heads.{task}.{name.split('.')[-1]}"
            state[ours] = weight.float()
    return state


def export(args) -> None:
    """Write the mean of some stages' weights, in fp16, with what loads them.

    That is encoder.safetensors (without a pooler) and the tokenizer, and for each task config.json
    and head.safetensors.
    """
    model = FourHeads(args.encoder)
    stages = [weights(args.work / f"stage{stage}.pt") for stage in args.stages]
    mean = {}
    for name in stages[0]:
        mean[name] = sum(stage[name] for stage in stages) / len(stages)
    if args.also:
        for name, weight in exported(args.also).items():
            mean[name] = (1 - args.share) * mean[name] + args.share * weight
    model.load_state_dict(mean)

    args.out.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(args.encoder).save_pretrained(args.out)
    write(half(model.encoder, "bert."), args.out / "encoder.safetensors")
    for task in LABELS:
        folder = args.out / task
        folder.mkdir(exist_ok=True)
        write(head_of(model, task), folder / "head.safetensors")
        config_of(args.encoder, task).to_json_file(folder / "config.json")


def half(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The weights of a module in fp16."""
    found = {}
    for name, weight in module.state_dict().items():
        found[prefix + name] = weight.detach().half().contiguous()
    return found


def write(state: dict[str, Tensor], path: Path) -> None:
    """Write weights in the layout of Hugging Face."""
    save_file(state, path, metadata={"format": "pt"})


def head_of(model: FourHeads, task: str) -> dict[str, Tensor]:
    """The weights of a task alone, under the names of Hugging Face."""
    if LABELS[task] is None:
        return half(model.heads[task], "qa_outputs.")
    classifier = half(model.heads[task], "classifier.")
    return classifier | half(model.poolers[task], "bert.pooler.")


def config_of(encoder: Path, task: str) -> BertConfig:
    """The configuration of a task."""
    labels = LABELS[task]
    config = BertConfig.from_pretrained(encoder)
    if labels is None:
        config.architectures = ["BertForQuestionAnswering"]
    else:
        config.architectures = ["BertForSequenceClassification"]
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: i for i, name in enumerate(labels)}
    config.name_or_path = ""
    return config


def buckets(examples: list[Example]) -> list[list[Example]]:
    """Batches of examples of similar length."""
    ordered = sorted(examples, key=lambda example: sum(map(len, example.texts)))
    return [ordered[i : i + BUCKET] for i in range(0, len(ordered), BUCKET)]


def columns(examples: list[Example]) -> list[list[str]]:
    """All first texts, then all second ones, as a tokenizer takes them."""
    rows = [example.texts for example in examples]
    return [list(texts) for texts in zip(*rows)]


# -------------------------------------------------------------------------------- "no answer"


@torch.no_grad()
def caution(args) -> None:
    """Add a margin to both [CLS] logits of an exported answer head.

    So the model answers "no answer" more often, without a threshold. The head stays linear:
    weights are added that give the margin at [CLS] and 0 at other tokens, by least squares over
    the texts that the head was trained on.
    """
    first, others = hidden_states(args.out, args.data)
    added = raising(first, others, args.margin)
    path = args.out / "question-answering/head.safetensors"
    head = {name: tensor.float() for name, tensor in load_file(path).items()}
    weight = head["qa_outputs.weight"] + added[:-1]
    bias = head["qa_outputs.bias"] + added[-1]
    write({"qa_outputs.weight": weight.half(), "qa_outputs.bias": bias.half()}, path)


def hidden_states(model: Path, data: Path) -> tuple[Tensor, Tensor]:
    """Last hidden states of an exported encoder: of [CLS], and of a sixteenth of other tokens.

    Of every fourth batch of the training questions. Shapes: [text dim] and [token dim].
    """
    tokenizer = AutoTokenizer.from_pretrained(model)
    config = BertConfig.from_json_file(model / "question-answering/config.json")
    encoder = BertModel(config, add_pooling_layer=False).eval()
    state = {}
    for name, weight in load_file(model / "encoder.safetensors").items():
        state[name.removeprefix("bert.")] = weight.float()
    encoder.load_state_dict(state)
    first, others = [], []
    batches = buckets(squad(data / "squad/articles_0_13.json", held_out=False))
    for batch in itertools.islice(batches, 0, None, 4):
        coded = tokenizer(
            *columns(batch), padding=True, truncation="only_second", return_tensors="pt"
        )
        hidden = encoder(**coded).last_hidden_state
        first.append(hidden[:, 0])
        others.append(hidden[:, 1:][coded["attention_mask"][:, 1:].bool()][::16])
    return torch.cat(first), torch.cat(others)


def raising(first: Tensor, others: Tensor, margin: float) -> Tensor:
    """A weight vector, its bias last, that gives `margin` at `first` and 0 at `others`.

    By least squares, in which both groups count the same.
    """
    ratio = len(others) / len(first)
    x = F.pad(torch.cat([first, others]), (0, 1), value=1.0)  # a column of ones for the bias
    wanted = torch.cat([torch.full((len(first),), margin), torch.zeros(len(others))])
    balance = torch.cat([torch.full((len(first),), ratio**0.5), torch.ones(len(others))])
    system = x * balance[:, None]
    added = torch.linalg.lstsq(system, (wanted * balance)[:, None]).solution[:, 0]
    at_first, elsewhere = (x @ added).split([len(first), len(others)])
    print(
        f"at [CLS] {at_first.mean():.2f} ± {at_first.std():.2f}, elsewhere ± {elsewhere.std():.2f}"
    )
    return added

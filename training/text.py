"""Fine-tune the bundled text model: one MiniLM encoder, four heads (sentiment, paraphrase,
inference, question answering).

    train="python training/text.py train --encoder MINILM_DIR --data DATA_DIR --work RUN_DIR"
    export="python training/text.py export --encoder MINILM_DIR --work RUN_DIR"
    $train                              stage 1
    $train --stage 2; $train --stage 3
    $export --stages 2 3 --out runs/three
    $train --stage 4 --start runs/three
    $export --stages 4 --also runs/three --out runs/four
    $train --stage 5 --start runs/four
    $export --stages 5 --also runs/three --share 0.8 --out assets/models/text
    python training/text.py caution  --data DATA_DIR --margin 2.5 --out assets/models/text
    python training/text.py evaluate --data DATA_DIR

Stage 1 is the long one over everything; 2 and 3 go on from its end with what it leaves weak: pairs,
then sentences, with R-Drop (two dropout masks must agree; Liang et al. 2021, eq. 4), and questions
with unanswerable ones weighted up. Stage 4 is for questions, which the model had learned by heart
instead of reading: no context is seen twice alike (`shaken`), and QNLI's sentences stand among
others like them; stage 5 settles it, on contexts as they are too. Each stage writes a checkpoint in
RUN_DIR every few hundred steps and continues from it when started again: the whole schedule (which
example in which batch at which step) is drawn from the seed before the first step, so a resumed run
takes the same steps as an uninterrupted one. `export` writes the mean of the named stages' weights,
the encoder once, in fp16, and one small folder a task; a stage can start from such a folder.
`evaluate` loads what was exported as a user would (`explainers.load`) and prints the numbers of the
model card.

DATA_DIR holds

    sst2/{train_67k,train_sentences,dev,test_labelled}.tsv
    imdb/{train,test_2000}.jsonl.gz
    pairs/{QQP,MNLI,SNLI,QNLI}_{train,dev}.tsv
    squad/articles_0_13.json        in the layout of SQuAD v2
"""

import argparse
import csv
import itertools
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn
from transformers import AutoTokenizer, BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertPooler

BATCH_TOKENS = 2048  # padded tokens a batch
STEP_LENGTHS = 16  # lengths are padded to a multiple of this: few distinct shapes, or memory grows
WARM_UP = 0.06
CHECKPOINT_EVERY = 250
LONGEST_ANSWER = 12  # tokens, where only the sentence is known
ANSWER_LEFT_OUT, LEFT_ALONE, MASKED = (
    0.12,
    0.3,
    0.1,
)  # of the questions, of the contexts, of the tokens in half of the contexts

LABELS = {
    "sentiment": ["NEGATIVE", "POSITIVE"],
    "paraphrase": ["different", "paraphrase"],
    "inference": ["entailment", "neutral", "contradiction"],
    "question-answering": None,
}
HELD_OUT_ARTICLES = {"Imperialism", "Warsaw"}


@dataclass(frozen=True)
class Example:
    """One row of one task: its texts and what the head should say."""

    task: str
    texts: tuple[str, ...]
    label: int = 0  # a class; unused by question answering
    spans: tuple[tuple[int, int], ...] | None = (
        None  # answers as characters of the context; () = none there
    )
    somewhere: tuple[int, int] | None = (
        None  # the answer is inside these characters, but nobody says where
    )
    article: str = ""
    shake: bool = False  # give the context anew at every pass


# --------------------------------------------------------------------------------------------- data


def sst2(path: Path) -> list[Example]:
    header = 0 if path.stem == "train_67k" else None
    rows = pd.read_csv(
        path, sep="\t", header=header, names=["text", "label"], quoting=csv.QUOTE_NONE
    )
    return [
        Example("sentiment", (text.strip(),), label) for text, label in zip(rows.text, rows.label)
    ]


def imdb(path: Path) -> list[Example]:
    rows = pd.read_json(path, lines=True)
    return [
        Example("sentiment", (text.replace("<br />", " "),), label)
        for text, label in zip(rows.text, rows.label)
    ]


def pairs(path: Path, task: str) -> list[Example]:
    rows = pd.read_csv(path, sep="\t").dropna()
    names = (
        {name: i for i, name in enumerate(LABELS["inference"])}
        if task == "inference"
        else {0: 0, 1: 1}
    )
    return [
        Example(task, (a, b), names[label])
        for a, b, label in zip(rows.text_a, rows.text_b, rows.label)
    ]


def qnli(path: Path) -> list[Example]:
    """Question and sentence: 'entailment' means that the answer is somewhere in the sentence, else
    nowhere.
    """
    rows = pd.read_csv(path, sep="\t").dropna()
    return [
        Example(
            "question-answering",
            (q, s),
            spans=(),
            somewhere=(0, len(s)) if label == "entailment" else None,
        )
        for q, s, label in zip(rows.text_a, rows.text_b, rows.label)
    ]


def qnli_paragraphs(path: Path, others: int = 3) -> list[Example]:
    """QNLI with each sentence among the `others` most like it: a paragraph, of which one sentence
    may hold the answer.
    """
    rows = qnli(path)
    sentences = [row.texts[1] for row in rows]
    tfidf = TfidfVectorizer(stop_words="english").fit_transform(sentences)
    alike = (
        NearestNeighbors(n_neighbors=3 * others, metric="cosine")
        .fit(tfidf)
        .kneighbors(tfidf, return_distance=False)
    )
    rng, paragraphs = random.Random(0), []
    for row, near in zip(rows, alike):
        texts = list(dict.fromkeys(sentences[i] for i in near if sentences[i] != row.texts[1]))[
            :others
        ]
        place = rng.randint(0, len(texts))
        before = "".join(f"{text} " for text in texts[:place])
        context = before + " ".join([row.texts[1], *texts[place:]])
        found = (len(before), len(before) + len(row.texts[1])) if row.somewhere else None
        paragraphs.append(replace(row, texts=(row.texts[0], context), somewhere=found))
    return paragraphs


def squad(path: Path, held_out: bool, shake: bool = False) -> list[Example]:
    articles = json.loads(path.read_text())["data"]
    return [
        Example(
            "question-answering",
            (qa["question"], paragraph["context"]),
            spans=tuple(
                sorted(
                    {(a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"]}
                )
            ),
            article=article["title"],
            shake=shake,
        )
        for article in articles
        if (article["title"] in HELD_OUT_ARTICLES) == held_out
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


def first_stage(data: Path) -> list[tuple[list[Example], int, int]]:
    """What is trained on: rows, passes over them, and the longest window in tokens."""
    return [
        (sst2(data / "sst2/train_67k.tsv"), 2, 64),
        (sst2(data / "sst2/train_sentences.tsv"), 2, 64),
        (imdb(data / "imdb/train.jsonl.gz"), 1, 160),
        (pairs(data / "pairs/QQP_train.tsv", "paraphrase"), 4, 96),
        (pairs(data / "pairs/MNLI_train.tsv", "inference"), 5, 112),
        (pairs(data / "pairs/SNLI_train.tsv", "inference"), 3, 64),
        (squad(data / "squad/articles_0_13.json", held_out=False), 4, 256),
        (qnli(data / "pairs/QNLI_train.tsv"), 2, 112),
    ]


def second_stage(data: Path) -> list[tuple[list[Example], int, int]]:
    return [
        (sst2(data / "sst2/train_sentences.tsv"), 3, 64),
        (imdb(data / "imdb/train.jsonl.gz")[::10], 1, 160),
        (pairs(data / "pairs/QQP_train.tsv", "paraphrase"), 1, 96),
        (pairs(data / "pairs/MNLI_train.tsv", "inference"), 3, 112),
        (pairs(data / "pairs/SNLI_train.tsv", "inference"), 1, 64),
        (squad(data / "squad/articles_0_13.json", held_out=False), 3, 256),
    ]


def third_stage(data: Path) -> list[tuple[list[Example], int, int]]:
    return [
        (sst2(data / "sst2/train_67k.tsv")[::3], 1, 64),
        (sst2(data / "sst2/train_sentences.tsv"), 2, 64),
        (pairs(data / "pairs/MNLI_train.tsv", "inference")[::2], 1, 112),
        (squad(data / "squad/articles_0_13.json", held_out=False), 1, 256),
    ]


def fourth_stage(data: Path) -> list[tuple[list[Example], int, int]]:
    return [
        (sst2(data / "sst2/train_67k.tsv")[::6], 1, 64),
        (sst2(data / "sst2/train_sentences.tsv"), 1, 64),
        (pairs(data / "pairs/QQP_train.tsv", "paraphrase"), 1, 96),
        (pairs(data / "pairs/MNLI_train.tsv", "inference"), 1, 112),
        (squad(data / "squad/articles_0_13.json", held_out=False, shake=True), 9, 256),
        (qnli_paragraphs(data / "pairs/QNLI_train.tsv"), 2, 192),
    ]


def fifth_stage(data: Path) -> list[tuple[list[Example], int, int]]:
    questions = data / "squad/articles_0_13.json"
    return [
        (sst2(data / "sst2/train_sentences.tsv"), 1, 64),
        (pairs(data / "pairs/MNLI_train.tsv", "inference")[::2], 1, 112),
        (squad(questions, held_out=False, shake=True), 1, 256),
        (squad(questions, held_out=False), 1, 256),
    ]


@dataclass(frozen=True)
class Stage:
    """One run over a schedule: its rows, learning rates, and what its loss adds."""

    rows: Callable[[Path], list]
    rate: float
    head_rate: float
    r_drop: tuple[str, ...] = ()  # tasks whose batches are seen under two dropout masks
    null_weight: float = 1.0  # of questions that the text does not answer
    # by how much, at either end, [CLS] must win: in doubt the model then says that there is no
    # answer
    null_margin: float = 0.0
    seed: int = 20


STAGES = {
    1: Stage(first_stage, 6e-5, 5e-4),
    2: Stage(
        second_stage, 5e-5, 2e-4, r_drop=("inference", "paraphrase"), null_weight=2.5, seed=21
    ),
    3: Stage(third_stage, 3e-5, 1e-4, r_drop=("inference", "sentiment"), null_weight=2.5, seed=22),
    4: Stage(fourth_stage, 6e-5, 2e-4, r_drop=("inference", "sentiment"), null_weight=3.0, seed=23),
    5: Stage(
        fifth_stage, 3e-5, 2e-4, r_drop=("sentiment",), null_weight=2.5, null_margin=1.75, seed=24
    ),
}


# ----------------------------------------------------------------------------------------- encoding


def encode(tokenizer, example: Example, longest: int, rng: random.Random) -> dict:
    """Token ids, segments and targets of one window.

    Long reviews give a random window, half of them the ending.
    """
    if example.task == "sentiment":
        ids = tokenizer(example.texts[0], add_special_tokens=False)["input_ids"]
        room = longest - 2 if len(ids) <= longest - 2 else rng.randint(longest // 3, longest - 2)
        start = max(0, len(ids) - room) * rng.choice([0, 1, 1, rng.random()])
        ids = [tokenizer.cls_token_id, *ids[int(start) : int(start) + room], tokenizer.sep_token_id]
        return {"ids": ids, "segments": [0] * len(ids), "label": example.label}
    if example.task != "question-answering":
        coded = tokenizer(*example.texts, truncation="longest_first", max_length=longest)
        return {
            "ids": coded["input_ids"],
            "segments": coded["token_type_ids"],
            "label": example.label,
        }

    if example.shake:
        example = shaken(example, rng)
    windows = tokenizer(
        *example.texts,
        truncation="only_second",
        max_length=longest,
        stride=longest // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    span = rng.choice(example.spans) if example.spans else None
    found = [
        (w, where) for w in range(len(windows["input_ids"])) if (where := locate(windows, w, span))
    ]
    w, (start, end) = (
        rng.choice(found) if found else (rng.randrange(len(windows["input_ids"])), (0, 0))
    )
    ids = windows["input_ids"][w]
    if example.shake:
        kept = {
            *range(start, end + 1),
            *(i for i, s in enumerate(windows.sequence_ids(w)) if s != 1),
        }
        rate = rng.choice([0, MASKED])
        ids = [
            token if i in kept or rng.random() >= rate else tokenizer.mask_token_id
            for i, token in enumerate(ids)
        ]
    where = locate(windows, w, example.somewhere, whole=False)
    return {
        "ids": ids,
        "segments": windows["token_type_ids"][w],
        "start": start,
        "end": end,
        "anywhere": where,
    }


def shaken(example: Example, rng: random.Random) -> Example:
    """The question over another edition of its context: sentences left out, or out of order, and
    now and then without the answer's.

    A question whose answer was left out becomes one that the text does not answer.
    """
    question, context = example.texts
    bounds = [
        0,
        *(match.end() for match in re.finditer(r"[.!?][\"”’)]*\s+(?=[A-Z\"“(])", context)),
        len(context),
    ]
    sentences = list(itertools.pairwise(bounds))
    span = rng.choice(example.spans) if example.spans else None
    holds = {i for i, (a, b) in enumerate(sentences) if span and a < span[1] and b > span[0]}
    if span and len(holds) == 1 and len(sentences) > 1 and rng.random() < ANSWER_LEFT_OUT:
        others = [context[a:b] for i, (a, b) in enumerate(sentences) if i not in holds]
        return replace(
            example, texts=(question, " ".join(text.strip() for text in others)), spans=()
        )
    if rng.random() < LEFT_ALONE or len(holds) > 1:
        return example
    gone = rng.uniform(0, 0.6)
    order = [i for i in range(len(sentences)) if i in holds or rng.random() >= gone] or [0]
    if rng.random() < 0.5:
        rng.shuffle(order)
    text, spans = "", ()
    for i in order:
        a, b = sentences[i]
        if i in holds:
            spans = ((len(text) + span[0] - a, len(text) + span[1] - a),)
        text += context[a:b].rstrip() + " "
    return replace(example, texts=(question, text.rstrip()), spans=spans)


def locate(
    windows, w: int, span: tuple[int, int] | None, whole: bool = True
) -> tuple[int, int] | None:
    """First and last token of `span` in window `w`, or None when it is not (wholly) inside."""
    if span is None:
        return None
    inside = [
        i
        for i, s in enumerate(windows.sequence_ids(w))
        if s == 1
        and windows["offset_mapping"][w][i][0] < span[1]
        and windows["offset_mapping"][w][i][1] > span[0]
    ]
    offsets = [windows["offset_mapping"][w][i] for i in inside]
    fits = inside and (not whole or (offsets[0][0] <= span[0] and offsets[-1][1] >= span[1]))
    return (inside[0], inside[-1]) if fits else None


def schedule(stage: Stage, data: Path, tokenizer) -> list[tuple[str, list[dict]]]:
    """Every batch of the run in order: one task a batch, similar lengths together."""
    rng, batches = random.Random(stage.seed), []
    for examples, passes, longest in stage.rows(data):
        for _ in range(passes):
            rows = [encode(tokenizer, example, longest, rng) for example in examples]
            rng.shuffle(rows)
            rows.sort(key=lambda row: padded(len(row["ids"])))
            while rows:
                count = max(1, BATCH_TOKENS // padded(len(rows[-1]["ids"])))
                batches.append((examples[0].task, rows[-count:]))
                del rows[-count:]
    rng.shuffle(batches)
    return batches


def padded(length: int) -> int:
    return -(-length // STEP_LENGTHS) * STEP_LENGTHS


def tensors(rows: list[dict]) -> dict[str, Tensor]:
    width = padded(max(len(row["ids"]) for row in rows))
    pad = lambda key, dtype=torch.long: torch.tensor(
        [[*row[key], *[0] * (width - len(row[key]))] for row in rows], dtype=dtype
    )
    return {
        "input_ids": pad("ids"),
        "token_type_ids": pad("segments"),
        "attention_mask": torch.tensor(
            [[1] * len(row["ids"]) + [0] * (width - len(row["ids"])) for row in rows]
        ),
    }


# -------------------------------------------------------------------------------------------- model


class FourHeads(nn.Module):
    """The shared encoder; a pooler and a classifier for each task on sentences, two logits a token
    for answers.
    """

    def __init__(self, encoder: Path):
        super().__init__()
        config = BertConfig.from_pretrained(encoder, attention_probs_dropout_prob=0.0)
        self.encoder = BertModel.from_pretrained(encoder, config=config, add_pooling_layer=False)
        self.encoder.embeddings.word_embeddings.requires_grad_(
            False
        )  # a fifth faster, and 18k rows a task move few words
        width = config.hidden_size
        self.poolers = nn.ModuleDict(
            {task: BertPooler(config) for task, labels in LABELS.items() if labels}
        )
        self.heads = nn.ModuleDict(
            {task: nn.Linear(width, len(labels or "se")) for task, labels in LABELS.items()}
        )
        for module in (*self.poolers.modules(), *self.heads.modules()):
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=config.initializer_range)
                nn.init.zeros_(module.bias)

    def forward(self, task: str, batch: dict[str, Tensor]) -> Tensor:
        hidden = self.encoder(**batch).last_hidden_state
        if task in self.poolers:
            hidden = F.dropout(self.poolers[task](hidden), 0.1, self.training)
        return self.heads[task](hidden)


def loss_of(
    task: str, logits: Tensor, rows: list[dict], batch: dict[str, Tensor], stage: Stage
) -> Tensor:
    if task in ("sentiment", "paraphrase", "inference"):
        labels = torch.tensor([row["label"] for row in rows])
        if len(logits) == len(rows):
            return F.cross_entropy(logits, labels)
        one, other = logits.log_softmax(-1).chunk(2)  # the same rows under two dropout masks
        apart = F.kl_div(one, other, log_target=True, reduction="batchmean") + F.kl_div(
            other, one, log_target=True, reduction="batchmean"
        )
        return (F.nll_loss(one, labels) + F.nll_loss(other, labels)) / 2 + apart / 2
    handicap = torch.zeros(logits.shape[1:])
    handicap[0] = stage.null_margin
    logp = (
        (logits - handicap)
        .masked_fill(batch["attention_mask"][..., None] == 0, -1e4)
        .log_softmax(dim=1)
    )  # [row token end]
    losses = []
    for row, p in zip(rows, logp):
        if row["anywhere"]:
            first, last = row["anywhere"]
            both = (
                p[first : last + 1, 0, None] + p[None, first : last + 1, 1]
            )  # [start end], every short span counts
            losses.append(
                -both[torch.ones_like(both).triu().tril(LONGEST_ANSWER).bool()].logsumexp(0) / 2
            )
        else:
            losses.append(
                -(p[row["start"], 0] + p[row["end"], 1])
                / 2
                * (stage.null_weight if row["start"] == 0 else 1.0)
            )
    return torch.stack(losses).mean()


# ----------------------------------------------------------------------------------------- commands


def train(args) -> None:
    """a stage: from its own checkpoint, or from the end of the stage before"""
    stage = STAGES[args.stage]
    torch.manual_seed(stage.seed)
    model = FourHeads(args.encoder)
    if args.start:
        model.load_state_dict(exported(args.start), strict=False)
    elif args.stage > 1:
        model.load_state_dict(weights(args.work / f"stage{args.stage - 1}.pt"))
    run_stage(stage, model, args, args.work / f"stage{args.stage}.pt")


def weights(checkpoint: Path) -> dict[str, Tensor]:
    return torch.load(checkpoint, weights_only=True)["model"]


def exported(folder: Path) -> dict[str, Tensor]:
    """What `export` wrote, under this model's names."""
    state = {
        name.replace("bert.", "encoder.", 1): p
        for name, p in load_file(folder / "encoder.safetensors").items()
    }
    for task in LABELS:
        for name, p in load_file(folder / task / "head.safetensors").items():
            of = "poolers" if "pooler" in name else "heads"
            state[
                f"{of}.{task}."
                + (name.removeprefix("bert.pooler.") if of == "poolers" else name.split(".")[-1])
            ] = p
    return {name: p.float() for name, p in state.items()}


def run_stage(stage: Stage, model: FourHeads, args, checkpoint: Path) -> None:
    args.work.mkdir(parents=True, exist_ok=True)
    model.train()
    batches = schedule(stage, args.data, AutoTokenizer.from_pretrained(args.encoder))
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    heads = [*model.poolers.parameters(), *model.heads.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "lr": stage.rate}, {"params": heads, "lr": stage.head_rate}],
        weight_decay=0.01,
        fused=True,
    )
    warm = WARM_UP * len(batches)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm, (len(batches) - step) / (len(batches) - warm)),
    )

    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        (
            model.load_state_dict(state["model"]),
            optimizer.load_state_dict(state["optimizer"]),
            rate.load_state_dict(state["rate"]),
        )
        torch.set_rng_state(state["rng"])
        first = state["step"]
        print(f"resumed at step {first}", flush=True)

    began, mean = time.monotonic(), {}
    for step, (task, rows) in enumerate(batches[first:], start=first + 1):
        batch = tensors(rows)
        if task in stage.r_drop:
            batch = {name: torch.cat([tensor, tensor]) for name, tensor in batch.items()}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(task, batch)
        loss = loss_of(task, logits.float(), rows, batch, stage)
        loss.backward()
        nn.utils.clip_grad_norm_((p for p in model.parameters() if p.grad is not None), 1.0)
        optimizer.step(), rate.step(), optimizer.zero_grad()
        mean[task] = 0.98 * mean.get(task, loss.item()) + 0.02 * loss.item()
        if step % 50 == 0:
            left = (time.monotonic() - began) / (step - first) * (len(batches) - step)
            print(
                f"step {step}/{len(batches)}  {left / 60:.0f} min left  "
                + "  ".join(f"{name} {value:.3f}" for name, value in sorted(mean.items())),
                flush=True,
            )
        if step % CHECKPOINT_EVERY == 0 or step == len(batches):
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rate": rate.state_dict(),
                "rng": torch.get_rng_state(),
                "step": step,
            }
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


def export(args) -> None:
    """encoder.safetensors (fp16, without its pooler), the tokenizer, and for each task config.json
    and head.safetensors.
    """
    model = FourHeads(args.encoder)
    stages = [weights(args.work / f"stage{stage}.pt") for stage in args.stages]
    mean = {name: sum(stage[name] for stage in stages) / len(stages) for name in stages[0]}
    if args.also:
        mean |= {
            name: (1 - args.share) * mean[name] + args.share * p
            for name, p in exported(args.also).items()
        }
    model.load_state_dict(mean)
    half = lambda module, prefix: {
        prefix + name: p.detach().half().contiguous() for name, p in module.state_dict().items()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(args.encoder).save_pretrained(args.out)
    save_file(
        half(model.encoder, "bert."), args.out / "encoder.safetensors", metadata={"format": "pt"}
    )
    for task, labels in LABELS.items():
        folder = args.out / task
        folder.mkdir(exist_ok=True)
        answers = labels is None
        head = half(model.heads[task], "qa_outputs." if answers else "classifier.")
        head |= {} if answers else half(model.poolers[task], "bert.pooler.")
        save_file(head, folder / "head.safetensors", metadata={"format": "pt"})
        config = BertConfig.from_pretrained(
            args.encoder,
            architectures=[
                "BertForQuestionAnswering" if answers else "BertForSequenceClassification"
            ],
            **(
                {}
                if answers
                else {
                    "id2label": dict(enumerate(labels)),
                    "label2id": {name: i for i, name in enumerate(labels)},
                }
            ),
        )
        config.name_or_path = ""
        config.to_json_file(folder / "config.json")


@torch.no_grad()
def caution(args) -> None:
    """Raise both [CLS] logits of an exported answer head by a margin, so that in doubt it says "no
    answer" without a threshold.

    The head stays linear: weights are added that give the margin at [CLS] and nothing at other
    tokens, by least squares over the texts that the head was trained on.
    """
    tokenizer = AutoTokenizer.from_pretrained(args.out)
    encoder = BertModel(
        BertConfig.from_json_file(args.out / "question-answering/config.json"),
        add_pooling_layer=False,
    ).eval()
    encoder.load_state_dict(
        {
            name.removeprefix("bert."): p.float()
            for name, p in load_file(args.out / "encoder.safetensors").items()
        }
    )
    first, others = [], []
    for batch in itertools.islice(
        buckets(squad(args.data / "squad/articles_0_13.json", held_out=False)), 0, None, 4
    ):
        coded = tokenizer(
            *map(list, zip(*(example.texts for example in batch))),
            padding=True,
            truncation="only_second",
            return_tensors="pt",
        )
        hidden = encoder(**coded).last_hidden_state
        first.append(hidden[:, 0])
        others.append(hidden[:, 1:][coded["attention_mask"][:, 1:].bool()][::16])
    first, others = torch.cat(first), torch.cat(others)
    x = F.pad(torch.cat([first, others]), (0, 1), value=1.0)  # a column of ones for the bias
    wanted = torch.cat([torch.full((len(first),), args.margin), torch.zeros(len(others))])
    balance = torch.cat(
        [torch.full((len(first),), (len(others) / len(first)) ** 0.5), torch.ones(len(others))]
    )
    added = torch.linalg.lstsq(x * balance[:, None], (wanted * balance)[:, None]).solution[:, 0]
    at_first, elsewhere = (x @ added).split([len(first), len(others)])
    print(
        f"at [CLS] {at_first.mean():.2f} ± {at_first.std():.2f}, elsewhere ± {elsewhere.std():.2f}"
    )
    path = args.out / "question-answering/head.safetensors"
    head = {name: tensor.float() for name, tensor in load_file(path).items()}
    head = {
        "qa_outputs.weight": head["qa_outputs.weight"] + added[:-1],
        "qa_outputs.bias": head["qa_outputs.bias"] + added[-1],
    }
    save_file(
        {name: tensor.half() for name, tensor in head.items()}, path, metadata={"format": "pt"}
    )


@torch.no_grad()
def evaluate(args) -> None:
    """Accuracy on held-out rows; for question answering, how often both ends are exact (any
    reference answer counts).
    """
    import explainers  # here, so that training needs nothing of the package

    tests = {
        "SST-2 dev": sst2(args.data / "sst2/dev.tsv"),
        "SST-2 test": sst2(args.data / "sst2/test_labelled.tsv"),
        "IMDB test": imdb(args.data / "imdb/test_2000.jsonl.gz"),
        "QQP dev": pairs(args.data / "pairs/QQP_dev.tsv", "paraphrase"),
        "MNLI matched dev": pairs(args.data / "pairs/MNLI_dev.tsv", "inference"),
        "SNLI dev": pairs(args.data / "pairs/SNLI_dev.tsv", "inference"),
        "SQuAD v2 held-out articles": squad(args.data / "squad/articles_0_13.json", held_out=True),
    }
    print("| rows | n | right |\n|---|---|---|")
    for name, examples in tests.items():
        model = explainers.load(examples[0].task, device="cpu")
        batches = buckets(examples)
        if name.startswith("SQuAD"):
            replies = [
                reply
                for batch in batches
                for reply in read_answers(model.net, model.tokenizer, batch)
            ]
            report(name, [reply.right(reply.plain) for reply in replies])
            margins = {article: fitted(replies, without=article) for article in HELD_OUT_ARTICLES}
            report(
                f"{name}, with a threshold",
                [
                    reply.right(
                        None if reply.margin > margins[reply.example.article] else reply.span
                    )
                    for reply in replies
                ],
            )
        else:
            report(
                name, [hit for batch in batches for hit in hits(model.net, model.tokenizer, batch)]
            )


def report(name: str, right: list[bool]) -> None:
    print(f"| {name} | {len(right)} | {100 * sum(right) / len(right):.1f} % |", flush=True)


def buckets(examples: list[Example]) -> Iterator[list[Example]]:
    ordered = sorted(examples, key=lambda example: sum(map(len, example.texts)))
    for i in range(0, len(ordered), 16):
        yield ordered[i : i + 16]


def hits(net, tokenizer, examples: list[Example]) -> list[bool]:
    batch = tokenizer(
        *map(list, zip(*(example.texts for example in examples))),
        padding=True,
        max_length=512,
        truncation="longest_first",
        return_tensors="pt",
    )
    return [
        said == example.label
        for said, example in zip(net(**batch).logits.argmax(-1).tolist(), examples)
    ]


@dataclass(frozen=True)
class Reply:
    """What the model answers to one question; None stands for "not in this text"."""

    example: Example
    plain: tuple[int, int] | None  # both ends by themselves, [CLS] counting as one of the places
    span: tuple[int, int]  # the best span of the text
    margin: float  # how much more [CLS] is than that span

    def right(self, said: tuple[int, int] | None) -> bool:
        return said in self.example.spans if self.example.spans else said is None


def read_answers(net, tokenizer, examples: list[Example]) -> Iterator[Reply]:
    batch = tokenizer(
        *map(list, zip(*(example.texts for example in examples))),
        padding=True,
        max_length=512,
        truncation="only_second",
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = batch.pop("offset_mapping")
    outputs = net(**batch)
    for i, example in enumerate(examples):
        outside = torch.tensor([s != 1 for s in batch.sequence_ids(i)])
        start, end = (
            logits[i].masked_fill(outside, -1e4)
            for logits in (outputs.start_logits, outputs.end_logits)
        )
        nothing = (outputs.start_logits[i, 0], outputs.end_logits[i, 0])
        ordered = (start[:, None] + end).masked_fill(
            ~torch.ones(len(start), len(end)).triu().tril(30).bool(), -1e5
        )
        a, b = divmod(int(ordered.argmax()), len(end))
        place = lambda first, last, i=i: (int(offsets[i, first, 0]), int(offsets[i, last, 1]))
        plain = (
            None
            if nothing[0] > start.max() or nothing[1] > end.max()
            else place(start.argmax(), end.argmax())
        )
        yield Reply(example, plain, place(a, b), float(sum(nothing) - ordered.max()))


def fitted(replies: list[Reply], without: str) -> float:
    """The margin above which "not in this text" is the better answer, on every article but one."""
    others = [reply for reply in replies if reply.example.article != without]
    score = lambda margin: sum(
        reply.right(None if reply.margin > margin else reply.span) for reply in others
    )
    return max((reply.margin for reply in others), key=score)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for run, needs in (
        (train, "encoder data work"),
        (export, "encoder work out"),
        (caution, "data out"),
        (evaluate, "data"),
    ):
        command = commands.add_parser(run.__name__, help=run.__doc__.split("\n")[0])
        command.set_defaults(run=run)
        for need in needs.split():
            command.add_argument(f"--{need}", type=Path, required=True)
    commands.choices["train"].add_argument("--stage", type=int, choices=STAGES, default=1)
    commands.choices["train"].add_argument(
        "--start", type=Path, help="an exported model to begin with, instead of the stage before"
    )
    commands.choices["export"].add_argument(
        "--stages", type=int, choices=STAGES, nargs="+", required=True, help="their mean is written"
    )
    commands.choices["export"].add_argument("--also", type=Path, help="an exported model to mix in")
    commands.choices["export"].add_argument(
        "--share", type=float, default=0.5, help="its part of the mixture (default: %(default)s)"
    )
    commands.choices["caution"].add_argument(
        "--margin", type=float, required=True, help="what either [CLS] logit gains"
    )
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()

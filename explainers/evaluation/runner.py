"""Methods and metrics over a dataset: shards on disk that a killed run leaves whole, then one table with intervals."""

import csv
import errno
import hashlib
import json
import math
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from ..errors import Refusal, nearest, required
from ..models import Model, load
from .case import Example
from .datasets import PICTURES, Dataset
from .engines import ENGINES
from .measuring import choose, measure
from .notation import check_method as known
from .notation import parse
from .registry import find_metric

SHARD, FEW = (
    64,
    12,
)  # texts, pictures; what is lost at most when a run is killed, and how often the bar moves
RESAMPLES, CONFIDENCE = 2000, 0.95
WIDE = 6  # columns of a table, beyond which it is turned
REASONS = 5  # of what was left out, which a table names
AT_ONCE = 2**18  # numbers that are resampled together
LEFT_OUT = ["id", "method", "metric", "reason"]
CHECKPOINT = "checkpoint"  # column of the shards
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
VERSIONS = ("torch", "transformers", "numpy", "scipy")


@dataclass(frozen=True)
class Plan:
    """What is measured, in words that can be written down: two runs of one plan over one dataset give the same records.

    model   as `load` takes it; side: of a dual encoder, which tower is explained
    methods, metrics, target, seed  as for `measure`; texts: what each picture is matched with, of a dual encoder
    """

    model: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    target: str | None = None
    seed: int = 0
    revision: str | None = None
    side: str = ""
    texts: tuple[str, ...] = ()
    baselines: bool = True

    def check(self) -> None:
        """Refuse before anything is loaded."""
        required("pyarrow", "evaluation")
        if not self.methods or not self.metrics:
            raise Refusal(f"Name at least one {'metric' if self.methods else 'method'}.")
        choose(self.metrics)
        for name in self.methods:
            known(parse(name)[0])


class Work:
    """Examples in, records out, and a record with a "reason" for what was left out. It loads its model when it is first called, in whichever process."""

    def __init__(self, plan: Plan):
        self.plan = plan

    def __getstate__(self) -> dict:
        return {"plan": self.plan}

    @cached_property
    def model(self) -> Model:
        model = load(self.plan.model, revision=self.plan.revision)
        model = model.side(self.plan.side) if self.plan.side else model
        for name in self.plan.metrics:
            find_metric(parse(name)[0]).check_model(model)
        return model

    @cached_property
    def checkpoint(self) -> str:
        """Of all weights: another revision or another training, another checkpoint."""
        held = hashlib.sha256()
        for name, weight in self.model.net.state_dict().items():
            held.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            held.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return held.hexdigest()[:16]

    def __call__(self, examples: Sequence[Example]) -> list[dict]:
        plan, refused, ready = self.plan, [], []
        check_kind(self.model, examples[0].inputs)
        for example in examples:
            try:
                ready.append(opened(example, plan.texts))
            except Refusal as refusal:
                refused.append({"id": example.id, "reason": str(refusal)})
        records = measure(
            self.model,
            ready,
            plan.methods,
            plan.metrics,
            plan.target,
            plan.seed,
            plan.baselines,
            refused,
        )
        return [record | {CHECKPOINT: self.checkpoint} for record in [*records, *refused]]


def check_kind(model: Model, inputs) -> None:
    """Pictures for a model of texts, or texts for one of pictures: one `Refusal`, and not one for each example."""
    picture = isinstance(inputs, Path | bytes)
    halves = inputs if isinstance(inputs, tuple) else (inputs,)
    text = all(
        isinstance(half, str) and Path(half).suffix.lower() not in PICTURES for half in halves
    )  # a path can be written as text
    if not model.is_dual_encoder and (picture if model.anatomy.modality == "text" else text):
        raise Refusal(
            f"The data are {'pictures' if picture else 'texts'}, and {model.name} is a model of {'texts' if picture else 'pictures'}."
        )


def opened(example: Example, texts: tuple[str, ...]) -> Example:
    """The example with its mask read, and with what its picture is matched with."""
    data, inputs = example.data, example.inputs
    if isinstance(mask := data.get("mask"), Path):
        from ..pictures import open_picture

        data = data | {"mask": np.asarray(open_picture(mask).convert("L")) > 127}
    return replace(example, data=data, inputs=(inputs, list(texts)) if texts else inputs)


@dataclass(frozen=True, eq=False)
class Result:
    """What a run left in its folder.

    records   DataFrame: id, method, target and a column a metric; one row an example and method
    table     DataFrame: a row a method; mean, and "low" and "high" of its interval, of each metric
    left_out  DataFrame: id, method (None for a whole example), metric (None for a whole map), reason
    """

    records: object
    table: object
    left_out: object
    markdown: str


def evaluate(
    dataset: Dataset,
    plan: Plan,
    out: str | Path,
    engine: str = "local",
    shard: int | None = None,
    work: Callable | None = None,
    note: str = "",
    quiet: bool = False,
) -> Result:
    """Measure every method on every example, a shard at a time, and write records.parquet, left_out.csv, table.csv and table.md into `out`.

    The run can be killed at any moment and started again: shards that are on disk are not done again. engine: local or ray. work: who does a
    shard, if not `Work(plan)`. note: a paragraph above the table. Raises `Refusal`, among others where `out` holds another run.
    """
    plan.check()
    if engine not in ENGINES:
        raise nearest(engine, ENGINES, "engine")
    if not dataset.examples:
        raise Refusal(f"There is no example in {dataset.name}.")
    out, shard = (
        Path(out),
        shard or (FEW if isinstance(dataset.examples[0].inputs, Path | bytes) else SHARD),
    )
    with written(out):
        (out / "shards").mkdir(parents=True, exist_ok=True)
        remember(out, dataset, plan, shard)
    of_one_length = sorted(
        dataset.examples, key=lambda one: (length(one.inputs), one.id)
    )  # so that a shard's inputs have few shapes
    shards = [
        (k, of_one_length[at : at + shard])
        for k, at in enumerate(range(0, len(of_one_length), shard))
    ]
    waiting = [one for one in shards if not place(out, one[0]).exists()]
    progress = bar(
        len(dataset.examples),
        len(dataset.examples) - sum(len(examples) for _, examples in waiting),
        quiet,
    )
    sizes = {number: len(examples) for number, examples in shards}
    before = checkpoints(place(out, number) for number, _ in shards if place(out, number).exists())
    try:
        with progress:
            for number, records in ENGINES[engine](work or Work(plan), waiting) if waiting else ():
                check_checkpoint(records, before, plan.model, out)
                with written(out):
                    write(records, place(out, number))
                progress.update(sizes[number])
    except KeyboardInterrupt:
        done = sum(place(out, number).exists() for number, _ in shards)
        raise Refusal(
            f"Stopped: {done} of {len(shards)} shards are in {out}; the same command goes on from there."
        ) from None
    return finish(out, dataset, plan, [place(out, number) for number, _ in shards], note)


def length(inputs) -> int:
    """How long a text or pair is; pictures have one size."""
    return (
        len(inputs)
        if isinstance(inputs, str)
        else sum(len(one) for one in inputs if isinstance(one, str))
        if isinstance(inputs, tuple)
        else 0
    )


def place(out: Path, number: int) -> Path:
    return out / "shards" / f"{number:05}.parquet"


def bar(total: int, done: int, quiet: bool):
    return required("tqdm", "evaluation").tqdm(
        total=total, initial=done, unit="example", disable=quiet, smoothing=0.1
    )


@contextmanager
def written(out: Path):
    """A disk without room and a folder that cannot be are sentences, not tracebacks."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refusal(
                f"The disk of {out} is full. The finished shards are kept; make room, and the same command goes on."
            ) from error
        raise Refusal(
            f"The folder {out} cannot be made or written into ({error.strerror})."
        ) from error


def remember(out: Path, dataset: Dataset, plan: Plan, shard: int) -> None:
    """run.json: what this folder holds. A run that would give other records is refused here; versions may differ and are written down.

    A run that measured nothing, its model misspelt or its metrics those of other data, is forgotten.
    """
    said = {
        **{
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(plan).items()
        },
        "data": dataset.name,
        "examples": len(dataset.examples),
        "fingerprint": dataset.fingerprint,
        "shard": shard,
    }
    file, shards = out / "run.json", sorted((out / "shards").glob("*.parquet"))
    if file.exists() and any(map(useful, shards)):
        before = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name, value in said.items() if before.get(name) != value]
        if other:
            raise Refusal(
                f"{out} holds another run: {', '.join(f'{name} was {before.get(name)!r} and is {said[name]!r}' for name in other[:3])}. "
                "Take another --out."
            )
        return
    for path in shards:
        path.unlink()
    from .. import __version__

    versions = {"explainers": __version__, "python": platform.python_version()} | {
        name: installed(name) for name in VERSIONS
    }
    whole(json.dumps(said | {"versions": versions}, indent=1).encode(), file)


def useful(path: Path) -> bool:
    """Whether a shard has a record, and not only what was left out."""
    from pyarrow.parquet import read_schema

    return "target" in read_schema(path).names


def checkpoints(shards: Iterable[Path]) -> set[str]:
    """The checkpoints by which shards were measured; those of earlier versions do not say."""
    from pyarrow.parquet import read_schema, read_table

    found = set()
    for path in shards:
        if CHECKPOINT in read_schema(path).names:
            found |= set(read_table(path, columns=[CHECKPOINT])[CHECKPOINT].to_pylist())
    return found


def check_checkpoint(records: list[dict], before: set[str], model: str, out: Path) -> None:
    """A run that goes on with other weights under the same name is refused: one table is of one model."""
    now = {record[CHECKPOINT] for record in records if CHECKPOINT in record}
    if now and before and now != before:
        raise Refusal(
            f"The weights of {model} are not those with which the shards in {out} were measured. "
            "Take another --out, or name the --revision that was measured."
        )


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def whole(content: bytes, path: Path) -> None:
    """A file that is there completely or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def write(records: list[dict], path: Path) -> None:
    import io

    import pandas as pd

    held = io.BytesIO()
    pd.DataFrame(records).to_parquet(held, index=False)
    whole(held.getvalue(), path)


# ------------------------------------------------------------------------------------------------------- the table


def finish(out: Path, dataset: Dataset, plan: Plan, shards: Sequence[Path], note: str) -> Result:
    import pandas as pd

    every = pd.concat([pd.read_parquet(path) for path in shards], ignore_index=True)
    every = every.reindex(columns=list(dict.fromkeys([*every.columns, *LEFT_OUT])))
    every = every.drop(columns=CHECKPOINT, errors="ignore")
    left = every["reason"].notna()
    records = every[~left].drop(columns=["metric", "reason"]).reset_index(drop=True)
    in_parts = [name for name in plan.metrics if columns_of(name, records.columns) != [name]]
    records = records.drop(
        columns=in_parts, errors="ignore"
    )  # a metric's own name is there where none of its parts could be measured
    left_out = pd.DataFrame(
        [*dataset.left_out, *every[left][LEFT_OUT].to_dict("records")], columns=LEFT_OUT
    )
    with written(out):
        whole(
            left_out.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC).encode(),
            out / "left_out.csv",
        )
    if records.empty:
        raise Refusal(f"Nothing could be measured: {next(iter(grouped(every[left])))}")
    table = summary(records, plan.metrics, plan.seed)
    text = markdown(table, left_out, dataset, plan, note)
    with written(out):
        write(records.to_dict("records"), out / "records.parquet")
        whole(table.to_csv(quoting=csv.QUOTE_NONNUMERIC).encode(), out / "table.csv")
        whole(text.encode(), out / "table.md")
    return Result(records, table, left_out, text)


def columns_of(name: str, columns: Iterable[str]) -> list[str]:
    """A metric's columns: one a part, or one of its own name."""
    return [column for column in columns if column.startswith(f"{name}.")] or [name]


def grouped(left_out) -> dict[str, int]:
    """How often there is which reason, the most frequent first. Those that differ by nothing but the example's name are one, without it."""
    found: dict[str, list[str]] = {}
    for one, reason in zip(left_out["id"].map(str), left_out["reason"]):
        names = "|".join(re.escape(name) for name in (one, Path(one).name) if name)
        found.setdefault(
            re.sub(rf"(?<!\w)({names})(?!\w)", "it", reason) if names else reason, []
        ).append(reason)
    every = sorted(found.items(), key=lambda one: len(one[1]), reverse=True)
    return {
        general if len(set(reasons)) > 1 else reasons[0]: len(reasons) for general, reasons in every
    }


def summary(records, metrics: Sequence[str], seed: int):
    """A row a method, in the order of the records; for each metric its mean over the examples, and the ends of a bootstrap interval.

    Examples for which a metric is not defined (NaN) are left out of its mean. Percentile intervals of 95 %, resampled by examples, seeded.
    What is made of sums over all examples ("pooled_...") has no interval.
    """
    import pandas as pd

    rows = {}
    for method in dict.fromkeys(records["method"]):
        ours, row = records[records["method"] == method], {}
        for name in metrics:
            metric = find_metric(parse(name)[0])
            parts = {
                column: column[len(name) + 1 :] for column in columns_of(name, records.columns)
            }
            row |= {
                (column, edge): value
                for column, part in parts.items()
                if part not in metric.parts.counts
                for edge, value in interval(ours[column].to_numpy(float), seed).items()
            }
            if metric.parts.pool and name not in parts:
                counts = ours[[f"{name}.{part}" for part in metric.parts.counts]].dropna()
                pooled = metric.parts.pool(
                    {part: counts[f"{name}.{part}"].sum() for part in metric.parts.counts}
                )
                row |= {
                    (f"{name}.{part}", edge): value
                    for part, number in pooled.items()
                    for edge, value in {
                        "mean": number if len(counts) else math.nan,
                        "low": math.nan,
                        "high": math.nan,
                        "n": len(counts),
                    }.items()
                }
        rows[method] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def interval(values: np.ndarray, seed: int) -> dict[str, float]:
    from scipy.stats import bootstrap

    values = values[np.isfinite(values)]
    mean = float(values.mean()) if len(values) else float("nan")
    low = high = mean if len(values) > 1 else math.nan
    if len(values) > 1 and values.min() < values.max():
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            batch=max(1, AT_ONCE // len(values)),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        low, high = map(float, found.confidence_interval)
    return {"mean": mean, "low": low, "high": high, "n": len(values)}


def markdown(table, left_out, dataset: Dataset, plan: Plan, note: str) -> str:
    """The table with what it is of, for people."""
    keys = [parse(name)[0] for name in plan.metrics]
    columns, titles = [], []
    for name, key in zip(plan.metrics, keys):
        ours = columns_of(name, dict.fromkeys(column for column, _ in table.columns))
        shown = (
            key if keys.count(key) == 1 else name
        )  # options are said below, unless they tell two columns apart
        columns += ours
        metric, options = find_metric(key), parse(name)[1]
        titles += [
            f"{shown}{column[len(name) :]} {ARROWS[metric.better_of(column[len(name) + 1 :], **options)]}".strip()
            for column in ours
        ]
    explained = {None: "the predicted class", "label": "the gold class"}.get(
        plan.target, plan.target
    )
    examples = (
        len(dataset.examples) + len(dataset.left_out) - int(left_out["method"].isna().sum())
    )  # equal ids are examples each
    lines = [
        f"{dataset.name}, {examples} examples; model {plan.model}; explained: {explained}; seed {plan.seed}.",
        "",
    ]
    lines += [note, ""] if note else []
    first, heads, names = "method", titles, [f"`{method}`" for method in table.index]
    cells = [[cell(row[column]) for column in columns] for _, row in table.iterrows()]
    if (
        len(titles) > WIDE
    ):  # a curve has a column a point: methods beside each other, so that a line can be read across
        first, heads, names, cells = "metric", names, titles, zip(*cells)
    lines += [f"| {first} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(row) + " |" for name, row in zip(names, cells)]
    lines += [
        "",
        f"Means over the examples, with {CONFIDENCE:.0%} bootstrap intervals. ↑ higher is better, ↓ lower. "
        f"Measured: {', '.join(f'`{name}`' for name in plan.metrics)}.",
    ]
    for name in plan.metrics:
        defined = [int(n) for column in columns_of(name, columns) for n in table[column, "n"] if n]
        if defined and min(defined) < examples:
            to = f" to {max(defined):,}" if min(defined) < max(defined) else ""
            lines += ["", f"`{name}` is defined for {min(defined):,}{to} of {examples:,} examples."]
    if len(left_out):
        maps, numbers = (int(left_out[what].notna().sum()) for what in ("method", "metric"))
        counts = (
            (len(left_out) - maps, "example"),
            (maps - numbers, "single map"),
            (numbers, "single number"),
        )
        counted = " and ".join(
            f"{count:,} {what}{'s' * (count > 1)}" for count, what in counts if count
        )
        every = [f"{count:,}: {reason.rstrip('.')}" for reason, count in grouped(left_out).items()]
        reasons = every[:REASONS] + [f"{len(every) - REASONS:,} other reasons"] * (
            len(every) > REASONS
        )
        lines += ["", f"Left out: {counted} ({'; '.join(reasons)}); each is in left_out.csv."]
    return "\n".join(lines) + "\n"


def cell(row) -> str:
    if not math.isfinite(row["mean"]):
        return "–"
    digits = 1 if abs(row["mean"]) >= 10 else 3
    interval = (
        f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})"
        if math.isfinite(row["low"])
        else ""
    )
    return f"{row['mean']:.{digits}f}{interval}"

"""evaluation/runs/ and protocols/: nothing is lost, nothing is counted twice, whatever happens in
between.
"""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import explainers as ex
from explainers.cli import main
from explainers.evaluation import Example, measure
from explainers.evaluation.data import Dataset, read
from explainers.evaluation.localisation import COUNTS, average_precision
from explainers.evaluation.protocols import PROTOCOLS
from explainers.evaluation.runs import Plan, Work, averages, evaluate, files, report, tables
from explainers.evaluation.runs.work import is_text

ROOT = Path(__file__).parent.parent
WORDS = (
    "a fine film",
    "dull and long",
    "the acting is good but the plot is not",
    "i laughed",
    "never again",
    "what a waste of two hours and a good cast",
)
PLAN = Plan("sentiment", ("attcat", "raw_attention"), ("aopc", "comprehensiveness"))


def texts(n: int) -> Dataset:
    return Dataset(
        "texts",
        [
            Example(f"{WORDS[k % len(WORDS)]} {'indeed ' * (k % 5)}", k % 2, str(k))
            for k in range(n)
        ],
    )


def same(first, second) -> None:
    pd.testing.assert_frame_equal(first.records, second.records, rtol=1e-5, atol=1e-6)


class Trouble(Work):
    """The work, with an accident at its second shard unless it has happened already."""

    def __init__(self, plan: Plan, mark: Path, accident):
        super().__init__(plan)
        self.mark, self.accident = mark, accident

    def __getstate__(self) -> dict:
        return vars(self) | {"model": None} if "model" in vars(self) else vars(self)

    def __call__(self, examples):
        if self.mark.exists() and not self.mark.read_text():
            self.mark.write_text("happened")
            self.accident()
        elif not self.mark.exists():
            self.mark.write_text("")
        return super().__call__(examples)


def interrupt():
    raise KeyboardInterrupt


def die():
    os.kill(os.getpid(), signal.SIGKILL)


# --------------------------------------------------------------------------------------------- runs


def test_a_run_has_the_records_of_measure_and_their_means(tmp_path, sentiment):
    data = texts(8)
    result = evaluate(data, PLAN, tmp_path, shard=3, quiet=True)
    wanted = (
        pd.DataFrame(measure(sentiment, data.examples, PLAN.methods, PLAN.metrics))
        .set_index(["id", "method"])
        .sort_index()
    )
    found = result.records.set_index(["id", "method"]).sort_index()
    pd.testing.assert_frame_equal(found, wanted[found.columns], rtol=1e-4, atol=1e-6)
    mean = wanted.xs("attcat", level="method")["aopc"].mean()
    assert result.table.loc["attcat", ("aopc", "mean")] == pytest.approx(mean, rel=1e-4)
    low, high = (result.table.loc["attcat", ("aopc", edge)] for edge in ("low", "high"))
    assert low < mean < high and f"{mean:.3f} ({low:.3f} to {high:.3f})" in result.markdown
    assert (
        set(result.table.index) == {"attcat", "raw_attention", "random"}
        and len(result.left_out) == 0
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "left_out.csv",
        "records.parquet",
        "run.json",
        "shards",
        "table.csv",
        "table.md",
    ]
    said = json.loads((tmp_path / "run.json").read_text())
    assert (
        said["seed"] == 0 and said["versions"]["torch"] and said["fingerprint"] == data.fingerprint
    )


def test_a_run_that_is_interrupted_goes_on(tmp_path):
    whole = evaluate(texts(9), PLAN, tmp_path / "whole", shard=3, quiet=True)
    trouble = Trouble(PLAN, tmp_path / "mark", interrupt)
    with pytest.raises(ex.Refusal, match="1 of 3 shards"):
        evaluate(texts(9), PLAN, tmp_path / "cut", shard=3, work=trouble, quiet=True)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut/shards").glob("*.parquet")}
    same(evaluate(texts(9), PLAN, tmp_path / "cut", shard=3, quiet=True), whole)
    assert len(kept) == 1 and all(path.stat().st_mtime_ns == at for path, at in kept.items()), (
        "what was done is not done again"
    )


def test_a_run_that_is_interrupted_while_its_model_is_loaded_is_a_sentence(tmp_path):
    (tmp_path / "mark").write_text("")  # the accident is due
    with pytest.raises(ex.Refusal, match="0 of 3 shards"):
        evaluate(
            texts(9),
            PLAN,
            tmp_path / "cut",
            shard=3,
            work=Trouble(PLAN, tmp_path / "mark", interrupt),
            quiet=True,
        )


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(tmp_path):
    script = (
        "import sys; sys.path.insert(0, 'tests'); from test_runner import *\n"
        f"evaluate(texts(40), PLAN, {str(tmp_path / 'cut')!r}, shard=4, quiet=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    while len(list((tmp_path / "cut").glob("shards/*.parquet"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = len(list((tmp_path / "cut").glob("shards/*.parquet")))
    assert 2 <= done < 10
    same(
        evaluate(texts(40), PLAN, tmp_path / "cut", shard=4, quiet=True),
        evaluate(texts(40), PLAN, tmp_path / "whole", shard=4, quiet=True),
    )


def test_a_full_disk_is_a_sentence_and_keeps_what_is_done(tmp_path, monkeypatch):
    attended, written = files.write_atomically, []

    def until_full(content, path):
        if len(written) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        attended(content, path)

    monkeypatch.setattr(files, "write_atomically", until_full)
    with pytest.raises(ex.Refusal, match=r"The disk of .* is full\. The finished shards are kept"):
        evaluate(texts(6), PLAN, tmp_path, shard=2, quiet=True)
    assert len(list(tmp_path.glob("shards/*.parquet"))) == 1
    monkeypatch.undo()
    assert evaluate(texts(6), PLAN, tmp_path, shard=2, quiet=True).records["id"].nunique() == 6


@pytest.mark.parametrize("changed", [{"seed": 1}, {"metrics": ("aopc",)}, {"target": "label"}])
def test_another_run_is_not_mixed_into_a_folder(tmp_path, changed):
    evaluate(texts(2), PLAN, tmp_path, quiet=True)
    with pytest.raises(ex.Refusal, match=f"holds another run: {next(iter(changed))} was"):
        evaluate(texts(2), Plan(**{**vars(PLAN), **changed}), tmp_path, quiet=True)
    with pytest.raises(ex.Refusal, match="holds another run: examples was"):
        evaluate(texts(3), PLAN, tmp_path, quiet=True)


@pytest.mark.parametrize(
    "failed", [{"model": "sentimant"}, {"metrics": ("segmentation",)}, {"target": "delightful"}]
)
def test_a_run_that_measured_nothing_does_not_block_its_folder(tmp_path, failed):
    with pytest.raises(ex.Refusal):
        evaluate(texts(4), Plan(**{**vars(PLAN), **failed}), tmp_path, shard=1, quiet=True)
    assert evaluate(texts(4), PLAN, tmp_path, quiet=True).records["id"].nunique() == 4
    assert (
        json.loads((tmp_path / "run.json").read_text())["model"] == "sentiment"
        and len(list(tmp_path.glob("shards/*"))) == 1
    )


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/below"):
        with pytest.raises(
            ex.Refusal,
            match=r"^The folder .* cannot be made or written into \(Not a directory\)\.$",
        ):
            evaluate(texts(2), PLAN, tmp_path / place, quiet=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_pictures_for_a_model_of_texts_are_refused_at_once(tmp_path):
    pictures = Dataset("photos", [Example(tmp_path / f"{k}.png", None, str(k)) for k in range(3)])
    with pytest.raises(
        ex.Refusal, match=r"^The data are pictures, and sentiment is a model of texts\.$"
    ):
        evaluate(pictures, PLAN, tmp_path / "out", quiet=True)
    pairs = Dataset("pairs", [Example(("one", "two"), None, "0")])
    for data in (texts(3), pairs):
        with pytest.raises(
            ex.Refusal, match=r"^The data are texts, and vit is a model of pictures\.$"
        ):
            evaluate(data, Plan("vit", ("gae",), ("aopc",)), tmp_path / "out", quiet=True)


def test_a_path_of_a_picture_is_no_text():
    assert is_text("a film") and is_text(("a film", "another"))
    assert not is_text("photos/one.PNG") and not is_text(("one.jpg", "a cat"))
    assert not is_text(Path("a film")) and not is_text(b"a film")


def test_the_bar_moves_more_often_for_pictures(tmp_path):
    for name, inputs, shards in (("pictures", tmp_path / "a.png", 3), ("texts", "a film", 1)):
        evaluate(
            Dataset(name, [Example(inputs, None, str(k)) for k in range(30)]),
            PLAN,
            tmp_path / name,
            work=numbered,
            quiet=True,
        )
        assert len(list((tmp_path / name).glob("shards/*.parquet"))) == shards


def numbered(examples) -> list[dict]:
    """Work without a model: aopc is the id if below 90, comprehensiveness is never defined."""
    return [
        {
            "id": one.id,
            "method": "attcat",
            "target": "POSITIVE",
            "comprehensiveness": math.nan,
            "aopc": float(one.id) if int(one.id) < 90 else math.nan,
        }
        for one in examples
    ]


def test_a_table_says_what_is_not_defined(tmp_path):
    data = Dataset(
        "numbers", [Example("a film", None, str(k % 95)) for k in range(100)]
    )  # five ids are there twice
    result = evaluate(data, PLAN, tmp_path, work=numbered, quiet=True)
    assert (
        result.markdown.startswith("numbers, 100 examples;")
        and "`aopc` is defined for 95 of 100 examples." in result.markdown
    )
    assert (
        "| comprehensiveness ↑ |" in result.markdown
        and "| – |" in result.markdown
        and "`comprehensiveness` is defined" not in result.markdown
    )
    alone = evaluate(
        Dataset("one", data.examples[5:6]), PLAN, tmp_path / "one", work=numbered, quiet=True
    )
    assert "| 5.000 | – |" in alone.markdown and math.isnan(
        alone.table.loc["attcat", ("aopc", "low")]
    )


def test_intervals_of_many_examples_are_made_in_parts():
    values = np.random.default_rng(0).random(5000)
    first = averages.interval(values, 0)
    tracemalloc.start()
    assert averages.interval(values, 0) == first != averages.interval(values, 1)
    assert tracemalloc.get_traced_memory()[1] < 1e7, "5000 examples resampled 2000 times are 80 MB"
    tracemalloc.stop()


def test_metrics_and_parts_that_cannot_be_measured(tmp_path):
    """Of some examples or of none: the others are kept, and who lacks what is written down."""
    half = Dataset(
        "half",
        [
            replace(one, label=one.label if k % 2 else None)
            for k, one in enumerate(texts(4).examples)
        ],
    )
    plan = Plan("sentiment", ("attcat",), ("aopc", "masking", "precision_at_k"), baselines=False)
    result = evaluate(half, plan, tmp_path, shard=1, quiet=True)
    assert list(result.records) == [
        "id",
        "method",
        "target",
        "aopc",
        "precision_at_k",
        "masking.aopc",
        "masking.accuracy",
    ]
    assert list(result.table.xs("n", axis=1, level=1).loc["attcat"]) == [4, 2, 2, 0]
    assert (
        "`masking` is defined for 2 of 4 examples." in result.markdown
        and "Left out: 6 single numbers (4: Precision@K needs" in result.markdown
    )
    written = pd.read_csv(tmp_path / "left_out.csv", dtype=str)
    assert list(written) == ["id", "method", "metric", "reason"] and sorted(
        written[written["metric"] == "masking"]["id"]
    ) == ["0", "2"]


def test_pixels_that_are_pooled_are_those_of_defined_pictures():
    columns = [f"segmentation.{part}" for part in ("pixel_accuracy", *COUNTS)]
    frame = pd.DataFrame(
        [["gae", *[4.0] * 7], ["gae", *[math.nan] * 7], ["centre", *[math.nan] * 7]],
        columns=["method", *columns],
    )
    table = averages.summary(frame, ["segmentation"], 0)
    assert list(table[("segmentation.pooled_miou", "mean")].fillna(-1)) == [1, -1] and list(
        table[("segmentation.pooled_miou", "n")]
    ) == [1, 0]


@pytest.mark.parametrize("missing", ["pyarrow", "sklearn.metrics", "captum.metrics", "ray"])
def test_a_package_that_is_not_there_is_named(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    metric = {"captum.metrics": "infidelity"}.get(missing, "aopc")
    with pytest.raises(
        ex.Refusal, match=rf"needs the package {missing.split('.')[0]}: pip install 'explainers\["
    ):
        if missing == "sklearn.metrics":
            average_precision(np.eye(2), np.eye(2, dtype=bool))
        evaluate(
            texts(2),
            Plan("sentiment", ("attcat",), (metric,)),
            tmp_path,
            engine="ray" if missing == "ray" else "local",
            quiet=True,
        )


def test_a_table_with_many_columns_is_turned(tmp_path):
    result = evaluate(
        texts(2),
        Plan("sentiment", ("attcat", "gae"), ("positive_perturbation",), "label"),
        tmp_path,
        quiet=True,
    )
    lines = result.markdown.splitlines()
    assert "| metric | `attcat` | `gae` | `random` |" in lines
    area = next(line for line in lines if line.startswith("| positive_perturbation.area"))
    assert area.split(" | ")[1].startswith(
        f"{result.table.loc['attcat', ('positive_perturbation.area', 'mean')]:.1f}"
    )


def test_what_is_left_out_is_counted_and_named(tmp_path):
    for k in range(3):
        Image.fromarray(np.full((64, 64, 3), 60 * k, np.uint8)).save(tmp_path / f"{k}.png")
    half = (tmp_path / "0.png").read_bytes()[:60]
    (tmp_path / "broken.png").write_bytes(half)
    result = evaluate(
        read(tmp_path), Plan("vit", ("gae",), ("deletion",)), tmp_path / "out", quiet=True
    )
    assert result.records["id"].nunique() == 3 and list(result.left_out["id"]) == ["broken.png"]
    assert (
        "Left out: 1 example (1: broken.png" in result.markdown and "centre" in result.table.index
    )
    for k in range(6):
        (tmp_path / f"broken{k}.png").write_bytes(half)
    result = evaluate(
        read(tmp_path), Plan("vit", ("gae",), ("deletion",)), tmp_path / "again", quiet=True
    )
    assert (
        len(result.left_out) == 7
        and "Left out: 7 examples (7: it is damaged or cannot be opened (" in result.markdown
    )
    assert sorted(pd.read_csv(tmp_path / "again/left_out.csv")["id"]) == [
        "broken.png",
        *(f"broken{k}.png" for k in range(6)),
    ]
    odd = [{"id": f"t{k}", "reason": f"it is odd in {k} ways"} for k in range(9)]
    assert "; 5 other reasons); each is in left_out.csv." in report.markdown(
        result.table,
        pd.DataFrame([*result.left_out.to_dict("records"), *odd], columns=tables.LEFT_OUT),
        Dataset("d", [], odd),
        Plan("vit", ("gae",), ("deletion",)),
        "",
    )


def test_when_nothing_can_be_measured_the_usual_reason_is_named(tmp_path):
    odd = Dataset(
        "odd",
        [Example("", None, "a"), *(Example("a film", "delightful", f"b{k}") for k in range(3))],
        [{"id": "c", "reason": "its text is empty"}],
    )
    with pytest.raises(
        ex.Refusal, match="Nothing could be measured: There is no class 'delightful'"
    ):
        evaluate(odd, Plan("sentiment", ("attcat",), ("aopc",), "label"), tmp_path, quiet=True)
    assert len(pd.read_csv(tmp_path / "left_out.csv")) == 5
    with pytest.raises(ex.Refusal, match="There is no example in none"):
        evaluate(Dataset("none", []), PLAN, tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (Plan("sentiment", (), ("aopc",)), "at least one method"),
        (Plan("sentiment", ("attcat",), ()), "at least one metric"),
        (Plan("sentiment", ("atcat",), ("aopc",)), "attcat"),
        (Plan("sentiment", ("attcat",), ("aopk",)), "aopc"),
        (Plan("sentiment", ("attcat",), ("aopc:fil=pad",)), "fill"),
        (Plan("sentiment", ("attcat",), ("segmentation",)), "metric for pictures"),
        (Plan("sentiment", ("attcat",), ("aopc",), "label"), "POSITIVE"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(tmp_path, plan, says):
    data = Dataset("odd", [Example("a fine film", "delightful", "0")])
    with pytest.raises(ex.Refusal) as refused:
        evaluate(data, plan, tmp_path, quiet=True)
    assert says in str(refused.value)


def test_an_engine_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ex.Refusal, match="local, ray"):
        evaluate(texts(1), PLAN, tmp_path, engine="spark")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_refuses_in_the_same_words(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ex.Refusal, match=r"^Segmentation is a metric for pictures\.$"):
        evaluate(
            texts(2),
            Plan("sentiment", ("attcat",), ("segmentation",)),
            tmp_path,
            engine="ray",
            quiet=True,
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_what_one_process_gives_and_survives_a_killed_worker(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    )  # workers look for `Trouble`
    whole = evaluate(texts(12), PLAN, tmp_path / "whole", shard=3, quiet=True)
    trouble = Trouble(PLAN, tmp_path / "mark", die)
    same(
        evaluate(
            texts(12), PLAN, tmp_path / "ray", engine="ray", shard=3, work=trouble, quiet=True
        ),
        whole,
    )
    assert (tmp_path / "mark").read_text() == "happened"


# --------------------------------------------------------------------------------- the command line


def test_the_command_line(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(
        "text,label\n" + "".join(f"{text},{k % 2}\n" for k, text in enumerate(WORDS))
    )
    given = [
        "evaluate",
        "--data",
        str(tmp_path / "a.csv"),
        "--methods",
        "attcat, gae:start=2",
        "--metrics",
        "aopc:levels=5,logodds",
        "--target",
        "label",
        "--out",
        str(tmp_path / "out"),
        "--limit",
        "4",
    ]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert (
        "| `gae:start=2` |" in said
        and "aopc ↑" in said
        and "`aopc:levels=5`" in said
        and "4 examples" in said
        and "gold class" in said
    )
    assert main([*given, "--seed", "3"]) == 2 and "holds another run" in capsys.readouterr().err
    assert (
        main(
            [
                "evaluate",
                "--data",
                str(tmp_path / "b.csv"),
                "--out",
                "x",
                "--methods",
                "attcat",
                "--metrics",
                "aopc",
            ]
        )
        == 2
    )
    assert "There is no file or folder" in capsys.readouterr().err
    assert main(["evaluate"]) == 2 and "--data" in capsys.readouterr().err
    assert main(["evaluate", "--list"]) == 0 and len(capsys.readouterr().out.splitlines()) == len(
        PROTOCOLS
    )
    assert main(["metrics"]) == 0 and "aopc" in capsys.readouterr().out
    assert main(["metrics", "aopc"]) == 0 and "reproduce" in capsys.readouterr().out


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    """A few examples of each kind of data."""
    root = tmp_path_factory.mktemp("data")
    (root / "texts.tsv").write_text(
        "text\tlabel\n"
        + "".join(
            f"{text} and nothing else to say here\t{k % 2}\n" for k, text in enumerate(WORDS[:3])
        )
    )
    question = {
        "id": "q",
        "question": "Who sleeps?",
        "answers": [{"text": "a man", "answer_start": 10}],
    }
    (root / "squad.json").write_text(
        json.dumps(
            {"data": [{"paragraphs": [{"context": "Somewhere a man sleeps.", "qas": [question]}]}]}
        )
    )
    (root / "movies/docs").mkdir(parents=True)
    (root / "movies/docs/one.txt").write_text("a dull film , not worth an evening")
    (root / "movies/test.jsonl").write_text(
        json.dumps(
            {
                "annotation_id": "one.txt",
                "classification": "NEG",
                "evidences": [[{"start_token": 1, "end_token": 3}]],
            }
        )
    )
    rng = np.random.default_rng(0)
    (root / "pictures/images").mkdir(parents=True), (root / "pictures/masks").mkdir()
    for k in range(2):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(
            root / f"pictures/images/{k}.png"
        )
        Image.fromarray(np.pad(np.full((32, 32), 255, np.uint8), 16)).save(
            root / f"pictures/masks/{k}.png"
        )
    (root / "pictures/labels.tsv").write_text("file\tlabel\n0.png\tgoldfish\n1.png\tteapot\n")
    with zipfile.ZipFile(root / "val.zip", "w") as file:
        (
            file.write(root / "pictures/images/0.png", "val/n1/0.png"),
            file.write(root / "pictures/images/1.png", "val/n2/1.png"),
        )
    (root / "classes.tsv").write_text("label\twnid\tname\n0\tn1\tgoldfish\n1\tn2\tteapot\n")
    return {
        "texts": root / "texts.tsv",
        "squad": root / "squad.json",
        "movies": root / "movies",
        "pictures": root / "pictures",
        "zip": root / "val.zip",
    }


@pytest.mark.slow
@pytest.mark.parametrize("key", PROTOCOLS)
def test_every_protocol_runs_from_its_one_command(key, data, tmp_path, capsys):
    one = PROTOCOLS[key]
    named = {"attcat-squad": "squad", "eraser-movies": "movies", "beyond-intuition-clip": "zip"}
    kind = named.get(key, "pictures" if one.modality == "image" else "texts")
    model = ["--model", "question-answering"] if kind == "squad" else []
    assert (
        main(
            [
                "evaluate",
                "--protocol",
                key,
                "--data",
                str(data[kind]),
                "--out",
                str(tmp_path / "out"),
                *model,
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert (
        f"`--protocol {key}`" in said
        and all(f"| `{method}` |" in said for method in one.methods)
        and "Left out" not in said
    )
    assert ("Published numbers" in said) == bool(one.published) and one.source in said

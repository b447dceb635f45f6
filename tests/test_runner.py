"""Runs of the evaluation: nothing is lost, nothing counted twice, whatever happens on the way."""

import errno
import json
import shutil
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import torch
from running import PLAN, ROOT, Trouble, same, texts

import explainers as ex
from explainers.evaluation import Example, measure
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import Plan, evaluate, files
from explainers.evaluation.runs.work import is_text


def interrupt():
    raise KeyboardInterrupt


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
        "import sys; sys.path.insert(0, 'tests'); from running import *\n"
        "from explainers.evaluation.runs import evaluate\n"
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


def test_a_finished_run_says_that_the_weights_changed_since(tmp_path, sentiment):
    folder, out = tmp_path / "model", tmp_path / "out"
    net = deepcopy(sentiment.net)
    sentiment.tokenizer.save_pretrained(folder)
    net.save_pretrained(folder)
    plan = Plan(str(folder), ("raw_attention",), ("aopc",))
    first = evaluate(texts(2), plan, out, quiet=True)
    same(first, evaluate(texts(2), plan, out, quiet=True))
    with torch.no_grad():
        next(net.parameters()).add_(1)
    net.save_pretrained(folder)
    with pytest.raises(ex.Refusal, match="are not those with which the shards in"):
        evaluate(texts(2), plan, out, quiet=True)
    shutil.rmtree(folder)
    same(first, evaluate(texts(2), plan, out, quiet=True))  # the table can still be read

"""The parts of a run by value: means, shards, files, manifests, sentences and tables."""

import errno
import math
import pickle
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from small_files import written

import explainers as ex
from explainers.evaluation import Example
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import (
    Plan,
    Work,
    engines,
    files,
    manifest,
    means,
    running,
    shards,
    work,
)

NAN = math.nan


# ------------------------------------------------------------------------------------------- means


def test_the_columns_of_a_metric_are_its_parts_or_its_name():
    columns = ["id", "aopc", "aopc:levels=2.area", "masking.aopc", "masking.accuracy"]
    assert means.columns_of("aopc", columns) == ["aopc"]
    assert means.columns_of("masking", columns) == ["masking.aopc", "masking.accuracy"]
    assert means.columns_of("gone", columns) == ["gone"]
    assert means.part_of("masking.aopc", "masking") == "aopc"
    assert means.part_of("aopc", "aopc") == ""


def test_a_mean_leaves_out_what_is_not_defined():
    found = means.interval(np.array([1.0, NAN, 3.0, math.inf]), 0)
    assert (found["mean"], found["n"]) == (2.0, 2)
    assert (found["low"], found["high"]) == (1.0, 3.0)
    none = means.interval(np.array([NAN]), 0)
    assert none["n"] == 0 and all(math.isnan(none[edge]) for edge in ("mean", "low", "high"))
    one = means.interval(np.array([2.5]), 0)
    assert (
        (one["mean"], one["n"]) == (2.5, 1) and math.isnan(one["low"]) and math.isnan(one["high"])
    )
    assert means.interval(np.array([2.5, 2.5]), 0) == {
        "mean": 2.5,
        "low": 2.5,
        "high": 2.5,
        "n": 2,
    }


def test_an_interval_is_what_two_thousand_draws_of_the_seed_give():
    values = np.random.default_rng(1).normal(size=50)
    low, high = means.bootstrap_interval(values, 3)
    drawn = np.random.default_rng(3).integers(0, 50, (2000, 50))
    resampled = values[drawn].mean(1)
    assert (low, high) == pytest.approx(tuple(np.percentile(resampled, [2.5, 97.5])), abs=1e-12)


def test_a_table_of_means_has_a_row_for_each_method_in_their_order():
    columns = [f"segmentation.{part}" for part in ("pixel_accuracy", "correct", "labelled")]
    records = pd.DataFrame(
        {
            "method": ["gae", "attcat", "gae", "attcat"],
            "aopc": [1.0, 5.0, 1.0, NAN],
            columns[0]: [0.25, 0.5, 0.25, NAN],
        }
    )
    table = means.summary(records, ["aopc"], 0)
    assert list(table.index) == ["gae", "attcat"] and table.index.name == "method"
    assert table.loc["gae"].tolist() == [1.0, 1.0, 1.0, 2.0]
    assert table.loc["attcat", ("aopc", "n")] == 1
    assert list(table.columns) == [("aopc", edge) for edge in ("mean", "low", "high", "n")]


# ----------------------------------------------------------------------------------------- engines


def test_one_process_measures_shard_after_shard():
    waiting = [(3, [Example("a")]), (1, [Example("b"), Example("c")])]
    counted = lambda examples: [{"n": len(examples)}]
    assert list(engines.local(counted, waiting)) == [(3, [{"n": 1}]), (1, [{"n": 2}])]
    assert {"local": engines.local, "ray": engines.ray} == engines.ENGINES


def test_a_worker_of_ray_gives_a_refusal_as_a_value():
    def measured(examples):
        if not examples:
            raise ex.Refusal("none")
        return [{"n": len(examples)}]

    threads = torch.get_num_threads()
    try:
        actor = engines.Actor(measured)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    batch = {"number": [4], "examples": [pickle.dumps([Example("a")])]}
    found = actor(batch)
    assert found["number"] == [4]
    assert [pickle.loads(one) for one in found["records"]] == [[{"n": 1}]]
    refused = actor.records([])
    assert isinstance(refused, ex.Refusal) and str(refused) == "none"


# ------------------------------------------------------------------------------------------- files


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.csv"
    files.write_atomically(b"old", path)
    files.write_atomically(b"new", path)
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
    files.write_parquet([{"a": 1}, {"a": 2}], tmp_path / "a.parquet")
    found = pd.read_parquet(tmp_path / "a.parquet")
    assert list(found) == ["a"] and found["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "^The disk of out is full. The finished shards are kept: free some space"),
        (errno.EDQUOT, "^The disk of out is full."),
        (errno.EACCES, r"^The folder out cannot be made or written into \(no way\).$"),
    ],
)
def test_a_disk_that_does_not_take_a_file_is_a_sentence(number, said):
    with pytest.raises(ex.Refusal, match=said), files.disk_errors_as_refusals(Path("out")):
        raise OSError(number, "no way")


# ---------------------------------------------------------------------------------------- manifest


def test_a_manifest_has_the_plan_as_lists_and_the_data():
    plan = Plan("m", ("a", "b"), ("aopc",), texts=("x",))
    data = Dataset("d", [Example("one")])
    found = manifest.manifest_of(data, plan, 7)
    assert found["methods"] == ["a", "b"] and found["texts"] == ["x"] and found["side"] == ""
    assert (found["baselines"], found["seed"], found["target"]) == (True, 0, None)
    assert set(found) == {*asdict(plan), "data", "examples", "fingerprint", "shard"}
    assert (found["data"], found["examples"], found["shard"]) == ("d", 1, 7)


def test_two_runs_that_differ_are_told_apart_by_three_things_at_most():
    before = {"a": 1, "b": 2, "c": 3, "d": 4}
    manifest.check_same(Path("o"), before, dict(before))
    manifest.check_same(Path("o"), before | {"more": 1}, dict(before))
    with pytest.raises(ex.Refusal) as said:
        manifest.check_same(Path("o"), before, {"a": 0, "b": 2, "c": 0, "d": 0, "e": 0})
    assert str(said.value) == (
        "o holds another run: a was 1 and is 0, c was 3 and is 0, d was 4 and is 0. "
        "Use another --out."
    )


def test_versions_are_of_what_the_numbers_come_from():
    found = manifest.versions()
    assert list(found) == ["explainers", "python", "torch", "transformers", "numpy", "scipy"]
    assert found["numpy"] == version("numpy") and found["python"] == platform.python_version()
    assert manifest.installed("no-such-package") == "?"


def test_a_folder_without_any_record_is_used_again(tmp_path):
    data, plan = Dataset("d", [Example("one")]), Plan("m", ("a",), ("aopc",))
    folder = shards.folder_of(tmp_path)
    refused = written(folder / "00000.parquet", [{"id": "x", "reason": "no"}])
    (tmp_path / "run.json").write_text('{"model": "other"}')
    manifest.check_manifest(tmp_path, data, plan, 1)
    assert not refused.exists() and '"model": "m"' in (tmp_path / "run.json").read_text()
    kept = written(folder / "00000.parquet", [{"id": "x", "target": "A"}])
    manifest.check_manifest(tmp_path, data, plan, 1)
    with pytest.raises(ex.Refusal, match=r"shard was 1 and is 2"):
        manifest.check_manifest(tmp_path, data, plan, 2)
    assert kept.exists()


# ------------------------------------------------------------------------------------------ shards


def test_shards_are_of_inputs_of_like_length(tmp_path):
    given = [("abcd", "b"), ("a", "z"), (("a", "bc"), "c"), ("abcd", "a"), (b"x" * 9, "p")]
    made = shards.shards_of([Example(text, None, id) for text, id in given], 2, tmp_path)
    ids = []
    for shard in made:
        ids.append("".join(one.id for one in shard.examples))
    assert ids == ["pz", "ca", "b"]
    assert [shard.number for shard in made] == [0, 1, 2]
    names = [str(shard.path.relative_to(tmp_path)) for shard in made]
    assert names == ["shards/00000.parquet", "shards/00001.parquet", "shards/00002.parquet"]
    assert [shards.length(text) for text, _ in given] == [4, 1, 3, 4, 0]
    assert shards.length(("ab", ["x"])) == 2
    assert shards.default_size([Example("a")]) == 64
    assert shards.default_size([Example(b"a")]) == shards.default_size([Example(Path("a"))]) == 12


def test_a_run_goes_on_by_the_weights_that_it_began_with(tmp_path):
    paths = [
        written(tmp_path / "0.parquet", [{"id": "a", "target": "A", "checkpoint": "w1"}]),
        written(tmp_path / "1.parquet", [{"id": "b", "reason": "no"}]),
    ]
    made = [shards.Shard(k, [], path) for k, path in enumerate(paths)]
    assert all(shard.done for shard in made)
    assert not shards.Shard(2, [], tmp_path / "2.parquet").done
    assert [shards.has_records(path) for path in paths] == [True, False]
    assert shards.checkpoints(made) == {"w1"} and shards.checkpoints(made[1:]) == set()
    out = Path("o")
    shards.check_checkpoint([{"checkpoint": "w1"}], {"w1"}, "m", out)
    shards.check_checkpoint([{"checkpoint": "w2"}], set(), "m", out)
    shards.check_checkpoint([{"id": "x"}], {"w1"}, "m", out)
    with pytest.raises(ex.Refusal, match=r"^The shards in o were measured with other weights of m"):
        shards.check_checkpoint([{"checkpoint": "w2"}], {"w1"}, "m", out)


def test_what_is_done_is_not_measured_again(tmp_path):
    made = shards.shards_of([Example(c * 3, None, c) for c in "abc"], 1, tmp_path)
    written(made[1].path, [{"id": "b", "target": "B", "checkpoint": "w"}])

    def found(examples):
        return [{"id": one.id, "target": "T", "checkpoint": "w"} for one in examples]

    done = list(running.measured(made, engines.local, found, "m", tmp_path))
    assert done == [made[0], made[2]] and all(shard.done for shard in made)
    assert pd.read_parquet(made[1].path)["target"].tolist() == ["B"]
    assert list(running.measured(made, engines.local, found, "m", tmp_path)) == []


def test_the_bar_begins_at_what_is_done(tmp_path):
    made = shards.shards_of([Example(c * 3, None, c) for c in "abc"], 2, tmp_path)
    written(made[0].path, [{"id": "a"}])
    bar = running.progress_bar(made, True)
    assert bar.disable
    bar = running.progress_bar(made, False)
    assert (bar.total, bar.n, bar.initial, bar.unit) == (3, 2, 2, "example")
    assert not bar.disable and bar.smoothing == 0.1
    bar.close()


# -------------------------------------------------------------------------------------------- work


def test_pictures_and_texts_are_told_apart():
    assert work.is_picture(Path("a")) and work.is_picture(b"a") and not work.is_picture("a.png")
    assert work.is_text("a film") and work.is_text(("a", "b")) and not work.is_text("a.PNG")
    assert (
        not work.is_text(("a", "b.jpg")) and not work.is_text(b"a") and not work.is_text(("a", 1))
    )


def test_data_for_another_kind_of_model_are_refused_at_once():
    def model(pictures: bool, texts: bool):
        task = SimpleNamespace(sees_pictures=pictures, reads_texts=texts)
        return SimpleNamespace(task=task, name="m")

    work.check_inputs(model(True, False), b"x")
    work.check_inputs(model(False, True), "x")
    with pytest.raises(ex.Refusal, match=r"^The data are pictures, and m is a model of texts.$"):
        work.check_inputs(model(False, True), b"x")
    with pytest.raises(ex.Refusal, match=r"^The data are texts, and m is a model of pictures.$"):
        work.check_inputs(model(True, False), "x")


def test_an_example_is_opened_with_its_mask_and_its_texts(tmp_path):
    mask = tmp_path / "mask.png"
    Image.fromarray(np.array([[127, 128], [0, 255]], np.uint8)).save(mask)
    one = Example(b"x", 1, "i", {"mask": mask, "more": 2})
    found = work.opened(one, ())
    assert found.data["mask"].tolist() == [[False, True], [False, True]]
    assert found.data["more"] == 2 and found.inputs == b"x" and (found.id, found.label) == ("i", 1)
    assert work.opened(one, ("a", "b")).inputs == (b"x", ["a", "b"])
    plain = Example("x", data={"mask": "kept"})
    assert work.opened(plain, ()).data == {"mask": "kept"}


def test_only_the_plan_is_sent_to_another_process():
    one = Work(Plan("m", ("a",), ("aopc",)))
    one.model = "loaded"
    again = pickle.loads(pickle.dumps(one))
    assert again.plan == one.plan and "model" not in vars(again)


def test_one_example_is_measured_and_one_that_cannot_be_opened_is_said_to_be(monkeypatch):
    def measured(model, examples, methods, metrics, refused, **options):
        assert (methods, metrics) == (("a",), ("aopc",))
        assert options == {"target": "label", "seed": 3, "baselines": False}
        return [{"id": one.id} for one in examples]

    monkeypatch.setattr(work, "measure", measured)
    one = Work(Plan("m", ("a",), ("aopc",), "label", seed=3, baselines=False))
    one.model = SimpleNamespace(task=SimpleNamespace(sees_pictures=True, reads_texts=True))
    one.checkpoint = "w"
    assert one([Example("a film", id="x")]) == [{"id": "x", "checkpoint": "w"}]
    odd = Example("b", id="y", data={"mask": Path("no such mask.png")})
    read, refused = one([Example("a film", id="x"), odd])
    assert read == {"id": "x", "checkpoint": "w"}
    assert set(refused) == {"id", "reason", "checkpoint"} and refused["id"] == "y"


def test_a_checkpoint_is_of_every_weight():
    def checkpoint(**weights) -> str:
        one = Work(Plan("m", ("a",), ("aopc",)))
        net = SimpleNamespace(state_dict=lambda: weights)
        one.model = SimpleNamespace(net=net)
        return one.checkpoint

    first = checkpoint(a=torch.zeros(2), b=torch.ones(1))
    assert first == checkpoint(a=torch.zeros(2), b=torch.ones(1)) and len(first) == 16
    others = [
        checkpoint(a=torch.zeros(2), b=torch.zeros(1)),
        checkpoint(a=torch.zeros(2), c=torch.ones(1)),
        checkpoint(a=torch.zeros(1, 2), b=torch.ones(1)),
        checkpoint(a=torch.zeros(2)),
    ]
    assert len({first, *others}) == 5


def test_a_plan_names_at_least_one_method_and_one_metric():
    for methods, metrics, kind in (((), ("aopc",), "method"), (("attcat",), (), "metric")):
        with pytest.raises(ex.Refusal, match=f"^Name at least one {kind}.$"):
            Plan("m", methods, metrics).check()
    assert Plan("m", ("attcat",), ("aopc",)).check() is None

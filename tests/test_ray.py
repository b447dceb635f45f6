"""Runs of the evaluation on Ray give what one process gives."""

import os
import signal

import pytest
from running import PLAN, ROOT, Trouble, same, texts

import explainers as ex
from explainers.evaluation.runs import Plan, evaluate


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_engine_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ex.Refusal, match="local, ray"):
        evaluate(texts(1), PLAN, tmp_path, engine="spark")


@pytest.mark.slow
@pytest.mark.rotates
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
@pytest.mark.rotates
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

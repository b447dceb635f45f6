"""How Ray is asked to measure shards, with a stand-in for it that works in this process."""

import pickle
from types import SimpleNamespace

import pytest

import explainers as ex
from explainers.evaluation.runs import engines


class Ray:
    """What the engine asks of Ray, in this process.

    there: whether a cluster runs already. cpus: how many it has; 0 if it does not say.
    """

    def __init__(self, there: bool, cpus: int):
        self.there = there
        self.resources = {"CPU": cpus} if cpus else {}
        self.said = []
        self.context = SimpleNamespace(enable_progress_bars=True)
        self.DataContext = SimpleNamespace(get_current=lambda: self.context)

    def is_initialized(self) -> bool:
        return self.there

    def init(self, **options) -> None:
        self.said.append(("init", options))

    def shutdown(self) -> None:
        self.said.append("shutdown")

    def cluster_resources(self) -> dict:
        return self.resources

    def ActorPoolStrategy(self, **sizes) -> dict:
        return sizes

    def from_items(self, items: list[dict], override_num_blocks: int) -> "Ray":
        self.items = items
        self.said.append(override_num_blocks)
        return self

    def map_batches(self, actor, fn_constructor_args, **options) -> "Ray":
        self.work = fn_constructor_args[0]
        self.said.append(options)
        return self

    def iter_rows(self):
        for item in self.items:
            records = engines.Actor.records(SimpleNamespace(work=self.work), [item["number"]])
            yield {"number": item["number"], "records": pickle.dumps(records)}


@pytest.mark.parametrize(("cpus", "workers"), [(3, 3), (1, 1), (0.5, 1), (0, 1)])
def test_ray_is_started_for_the_run_and_stopped_after_it(cpus, workers, monkeypatch):
    cluster = Ray(False, cpus)
    monkeypatch.setattr(engines, "required", lambda name, extra: cluster)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    found = list(engines.ray(lambda given: [{"n": given[0]}], [(2, []), (5, [])]))
    assert found == [(2, [{"n": 2}]), (5, [{"n": 5}])]
    begun, blocks, options, ended = cluster.said
    assert begun == (
        "init",
        {
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": "ERROR",
            "address": None,
        },
    )
    assert (blocks, ended) == (2, "shutdown") and not cluster.context.enable_progress_bars
    assert options == {
        "batch_size": 1,
        "compute": {"min_size": 1, "max_size": workers},
        "num_cpus": 0.5,
    }


def test_a_cluster_that_is_there_is_left_running(monkeypatch):
    cluster = Ray(True, 2)
    monkeypatch.setattr(engines, "required", lambda name, extra: cluster)
    assert [number for number, _ in engines.ray(lambda given: [], [(0, [])])] == [0]
    assert cluster.said[0] == 1 and "shutdown" not in cluster.said

    def refused(given):
        raise ex.Refusal("no")

    with pytest.raises(ex.Refusal, match=r"^no$"):
        list(engines.ray(refused, [(0, [])]))

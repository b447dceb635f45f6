"""Who does the work on shards of a dataset: this process, or Ray's workers on one machine or many. The work is the same callable."""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator

from ..errors import Refusal, required

#: A list of examples in, a list of flat records out. It is pickled to other processes, so it loads its model when it is first called.
Work = Callable[[list], list[dict]]

SHARE = 0.5  # CPUs that a Ray actor asks for: with a whole one, two actors on two CPUs would leave none for the reading and wait for ever


def local(work: Work, shards: Iterable[tuple[int, list]]) -> Iterator[tuple[int, list[dict]]]:
    """(number, records) of each shard, one after another in this process."""
    for number, examples in shards:
        yield number, work(examples)


def ray(work: Work, shards: Iterable[tuple[int, list]]) -> Iterator[tuple[int, list[dict]]]:
    """The same by Ray Data, in whichever order the shards are ready. A cluster that is there already (RAY_ADDRESS) is used, else this machine.

    A worker that dies is started again and its shard is done once more; only whole shards come back. Raises `Refusal` without ray.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster = required("ray", "ray")
    from ray.data import ActorPoolStrategy, DataContext

    begun = not cluster.is_initialized()
    if begun:
        cluster.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            address=os.environ.get("RAY_ADDRESS"),
        )
    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        workers = max(1, int(cluster.cluster_resources().get("CPU", 1)))
        items = [
            {"number": number, "examples": pickle.dumps(examples)} for number, examples in shards
        ]  # Ray's tables hold bytes
        packed = cluster.data.from_items(items, override_num_blocks=len(items))
        done = packed.map_batches(
            Actor,
            batch_size=1,
            compute=ActorPoolStrategy(min_size=1, max_size=workers),
            num_cpus=SHARE,
            fn_constructor_args=(work,),
        )
        for row in done.iter_rows():
            records = pickle.loads(row["records"])
            if isinstance(records, Refusal):
                raise records
            yield int(row["number"]), records
    finally:
        if begun:
            cluster.shutdown()


class Actor:
    """One of Ray's workers. It keeps the work, and with it the model, from shard to shard."""

    def __init__(self, work: Work):
        import torch

        torch.set_num_threads(1)  # actors share the CPUs among themselves
        self.work = work

    def __call__(self, batch: dict) -> dict:
        return {
            "number": batch["number"],
            "records": [
                pickle.dumps(self.records(pickle.loads(examples))) for examples in batch["examples"]
            ],
        }

    def records(self, examples: list) -> list[dict] | Refusal:
        """A refusal travels as a value: as an error it would come back wrapped in Ray's."""
        try:
            return self.work(examples)
        except Refusal as refusal:
            return refusal


ENGINES = {"local": local, "ray": ray}

"""Who measures the shards of a dataset: this process, or Ray's workers on one machine or many."""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator

import torch

from ...errors import Refusal, required
from ..case import Example

#: A list of examples in, a list of flat records out. Ray sends it to other processes, so it loads
#: its model when it is first called.
Measure = Callable[[list[Example]], list[dict]]

#: (number, examples) of each shard in, (number, records) of each shard out.
Engine = Callable[[Measure, Iterable[tuple[int, list[Example]]]], Iterator[tuple[int, list[dict]]]]

#: CPUs that an actor of Ray asks for. With a whole one each, two actors on two CPUs would leave
#: none for reading the data, and wait forever.
CPUS = 0.5


def local(
    work: Measure, shards: Iterable[tuple[int, list[Example]]]
) -> Iterator[tuple[int, list[dict]]]:
    """Measure one shard after another in this process."""
    for number, examples in shards:
        yield number, work(examples)


def ray(
    work: Measure, shards: Iterable[tuple[int, list[Example]]]
) -> Iterator[tuple[int, list[dict]]]:
    """Measure shards by Ray Data, in the order in which they are ready.

    A cluster that is there already (RAY_ADDRESS) is used, else this machine. A worker that dies
    is started again, and its shard is measured once more; only whole shards come back.

    Raises `Refusal` without the package ray.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster = required("ray", "ray")
    begun = not cluster.is_initialized()
    if begun:
        cluster.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            address=os.environ.get("RAY_ADDRESS"),
        )
    try:
        for row in measured_rows(cluster, work, shards):
            records = pickle.loads(row["records"])
            if isinstance(records, Refusal):
                raise records
            yield int(row["number"]), records
    finally:
        if begun:
            cluster.shutdown()


def measured_rows(
    cluster, work: Measure, shards: Iterable[tuple[int, list[Example]]]
) -> Iterator[dict]:
    """Rows of Ray Data with the number and the pickled records of each shard."""
    data = required("ray.data", "ray")
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    workers = max(1, int(cluster.cluster_resources().get("CPU", 1)))
    items = []  # Ray's tables hold bytes
    for number, examples in shards:
        items.append({"number": number, "examples": pickle.dumps(examples)})
    packed = data.from_items(items, override_num_blocks=len(items))
    done = packed.map_batches(
        Actor,
        batch_size=1,
        compute=data.ActorPoolStrategy(min_size=1, max_size=workers),
        num_cpus=CPUS,
        fn_constructor_args=(work,),
    )
    return done.iter_rows()


class Actor:
    """One of Ray's workers. It keeps the work, and with it the model, from shard to shard."""

    def __init__(self, work: Measure):
        torch.set_num_threads(1)  # actors share the CPUs among themselves
        self.work = work

    def __call__(self, batch: dict) -> dict:
        records = []
        for examples in batch["examples"]:
            records.append(pickle.dumps(self.records(pickle.loads(examples))))
        return {"number": batch["number"], "records": records}

    def records(self, examples: list[Example]) -> list[dict] | Refusal:
        """The records, or the refusal as a value: as an error it would be wrapped in Ray's own."""
        try:
            return self.work(examples)
        except Refusal as refusal:
            return refusal


ENGINES: dict[str, Engine] = {"local": local, "ray": ray}

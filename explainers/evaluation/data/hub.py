"""Datasets of the Hugging Face Hub, by name."""

import re
from importlib import import_module

from ...errors import Refusal, first_line
from .dataset import Dataset
from .readers import Request, reader
from .tables import dataset_of

NAME = re.compile(r"[\w.-]+(/[\w.-]+){0,2}(:\w+)?")


def is_on_hub(asked: Request) -> bool:
    """Whether it could be a name: no file, no folder, and no ending of a file."""
    if asked.path.exists() or asked.path.suffix:
        return False
    return NAME.fullmatch(asked.source) is not None


@reader(is_on_hub)
def read_from_hub(asked: Request) -> Dataset:
    """A dataset of the Hub: "name", "owner/name" or "owner/name/configuration".

    ":split" may follow; the default is test.
    """
    try:
        load_dataset = import_module("datasets").load_dataset
    except ImportError as error:
        raise Refusal(
            f"There is no file or folder {asked.source}; "
            "to read it from the Hub install the package datasets."
        ) from error
    place, _, split = asked.source.partition(":")
    parts = place.split("/")
    name = "/".join(parts[:2])
    configuration = parts[2] if len(parts) > 2 else None
    try:
        loaded = load_dataset(name, configuration, split=split or "test")
        return dataset_of(asked.source, loaded.to_pandas(), asked.columns)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(
            f"The dataset {asked.source} could not be loaded: {first_line(error)}."
        ) from error

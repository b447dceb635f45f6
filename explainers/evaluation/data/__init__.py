"""Datasets: examples out of files, folders, archives and the Hub.

Each format is read by one function under `@reader`, in a file of its own. The first reader that
accepts what is given reads it, in the order of the imports here.
"""
# isort: skip_file

from .dataset import Columns, Dataset
from .readers import Request, read, reader
from .planted import read_planted
from .eraser import read_eraser
from .folders import read_folder
from .squad import read_squad
from .tables import read_table
from .archives import read_archive
from .hub import read_from_hub

__all__ = [
    "Columns",
    "Dataset",
    "Request",
    "read",
    "read_archive",
    "read_eraser",
    "read_folder",
    "read_from_hub",
    "read_planted",
    "read_squad",
    "read_table",
    "reader",
]

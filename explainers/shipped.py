"""Where the files are that come with the package: models and example pictures."""

from pathlib import Path


def shipped_folder(name: str) -> Path | None:
    """The folder assets/<name>: beside the package in a checkout, inside it when it is installed.

    None if it is in neither place.
    """
    package = Path(__file__).parent
    for folder in (package.parent / "assets" / name, package / "assets" / name):
        if folder.is_dir():
            return folder
    return None

"""Files that visitors take away."""

import re
import tempfile
from pathlib import Path

import explainers as ex

from ..render import export
from .answers import maps_of, parse_question, prediction_of
from .examples import name_of_photo
from .options import read_options
from .pieces import NOTHING_YET, Changes, message_for, refusal_box
from .state import Question, shown_methods

SUFFIXES = [".html", ".svg", ".png", ".csv", ".json"]
LONGEST_WORDS = 40  # characters of the text in a file's name

FILES = tempfile.TemporaryDirectory()  # gone when the server stops


def write_file(
    *, asked: Question | None, suffix: str, link: str, options: str, **values
) -> Changes:
    """The shown maps as a file, with what the model predicts and the link.

    A single method brings its layers along.
    """
    try:
        if asked is None:
            raise ex.Refusal(NOTHING_YET)
        path = written(asked, shown_methods(values), options, suffix, link)
        return {"file_refusal": refusal_box(), "file": {"value": str(path), "visible": True}}
    except Exception as error:
        message = message_for(error, "The file could not be written; the reason has been logged.")
        return {"file_refusal": refusal_box(message)}


def written(question: Question, methods: list[str], options: str, suffix: str, link: str) -> Path:
    """The path of the file with the maps of these methods. Raises `Refusal` if there is no map."""
    asked = parse_question(question)
    changed = read_options(options)
    heats: list[ex.Heatmap] = []
    reasons: list[str] = []
    for method in methods:
        maps = maps_of(asked, method, changed.get(method))
        heats += maps.heats
        reasons += maps.refused.values()
    if not heats:
        raise ex.Refusal(reasons[0])
    about = {"prediction": f"the model says: {prediction_of(asked.model, asked.given)}"}
    if link:
        about["link"] = link
    folder = Path(tempfile.mkdtemp(dir=FILES.name))
    path = folder / f"{file_name(methods, question)}{suffix}"
    export.save(heats, path, about)
    return path


def file_name(methods: list[str], question: Question) -> str:
    """The methods and the beginning of what they explain, such as attcat_a-dull-film."""
    name = "-".join(methods)
    if len(methods) > 2:
        name = f"{methods[0]}-and-{len(methods) - 1}-more"
    parts = [name]
    if question.picture:
        parts.append(name_of_photo(question.picture) or "picture")
    words = "-".join(re.findall(r"\w+", question.text.casefold()))
    parts.append(words[:LONGEST_WORDS].strip("-"))
    return "_".join(filter(None, parts))

"""What a model can be asked, one object for each task: `TASKS`, by key.

model.task                                  the task of a model
model.task.takes                            the kinds of input it takes
model.task.encode(model, given)             from what a person gives to tensors
model.task.target(model, coded, asked)      from what a person writes to a score
model.task.predict(model, coded, answer)    from the network's answer to labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Answers
from .base import Task
from .classes import Classes, PictureClasses
from .match import MatchPicture, MatchText
from .next_token import NextToken
from .tags import Tags

if TYPE_CHECKING:
    from ..models import Model

__all__ = ["TASKS", "Task", "task_of"]

#: Every task, by key. `task_of` takes the first one that fits, so the general ones come last.
TASKS: dict[str, Task] = {
    task.key: task
    for task in (
        MatchPicture(),
        MatchText(),
        NextToken(),
        Answers(),
        Tags(),
        PictureClasses(),
        Classes(),
    )
}


def task_of(model: Model) -> Task:
    """The task of a model: the first one that fits its network."""
    for task in TASKS.values():
        if task.fits(model):
            return task
    raise LookupError(f"No task fits a {type(model.net).__name__}.")

"""Computations that take long: how far they are, and how they end when nobody waits for them.

Only here does the page look into a running method, between two passes of the network.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextvars import copy_context
from html import escape
from threading import Thread
from typing import Generic, ParamSpec, TypeVar

from ..trace import watching
from .pieces import Changes

PAUSE = 0.5  # seconds between two looks at a running method

#: The line about a running method, while there is none.
NOT_RUNNING: Changes = {"running": {"value": ""}}

P = ParamSpec("P")
R = TypeVar("R")


class Unwanted(BaseException):
    """Nobody waits for this computation any more.

    It is no error, so `except Exception` lets it pass.
    """


def while_wanted(steps: Iterator[Changes], is_wanted: Callable[[], bool]) -> Iterator[Changes]:
    """The steps of an answer while it is wanted; then one that changes nothing.

    A step that is being computed then ends after its next pass of the network.
    """

    def check(passes: float) -> None:
        if not is_wanted():
            raise Unwanted

    while True:
        try:
            with watching(check):  # not around `yield`: there another thread may go on
                changes = next(steps)
        except StopIteration:
            return
        except Unwanted:
            yield {}
            return
        if not is_wanted():
            yield {}
            return
        yield changes


class Running(Generic[R]):
    """A function that runs in a thread of its own, with the watchers of this thread."""

    def __init__(self, function: Callable[P, R], *args: P.args, **options: P.kwargs):
        self.passes = 0.0
        self.future: Future[R] = Future()

        def run() -> None:
            try:
                with watching(self.count):
                    self.future.set_result(function(*args, **options))
            except BaseException as error:
                self.future.set_exception(error)

        Thread(target=copy_context().run, args=[run], daemon=True).start()

    def count(self, passes: float) -> None:
        self.passes += passes

    def steps(self) -> Iterator[int]:
        """How many passes have been made, every half second until the function ends."""
        while not wait([self.future], PAUSE).done:
            yield int(self.passes)

    def result(self) -> R:
        """What the function returns or raises."""
        return self.future.result()


def progress_html(title: str, done: int, total: int | None) -> str:
    """How far a method is, as a bar where the number of all passes is known."""
    if total is None:
        return f'<p class="long" role="status">{escape(title)}: {done} passes of the model</p>'
    done = min(done, total)
    return (
        f'<p class="long"><label>{escape(title)}: {done} of {total} passes of the model '
        f'<progress value="{done}" max="{total}"></progress></label></p>'
    )

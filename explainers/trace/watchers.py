"""Watch a computation of many passes: count them to show how far it is, or stop it between two.

Methods and metrics know nothing of it: the network itself tells of each pass. A context variable
carries the watchers, so a thread hears of its own passes alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Gets the number of passes that were just made; what it raises ends the computation.
Watcher = Callable[[float], object]

WATCHERS: ContextVar[tuple[Watcher, ...]] = ContextVar("watchers", default=())


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Call `watcher(passes)` after each batch of passes that is made inside.

    passes: how many examples the batch has, each of which is one pass through the network. One
    layer alone counts as its share of all layers. Watchers around this one are called, too.
    """
    token = WATCHERS.set((*WATCHERS.get(), watcher))
    try:
        yield
    finally:
        WATCHERS.reset(token)


def tell(passes: float) -> None:
    """Tell all watchers of passes that were just made."""
    for watcher in WATCHERS.get():
        watcher(passes)

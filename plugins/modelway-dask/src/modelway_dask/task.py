"""What a worker does: a function and its item arrive as bytes, and the result goes back as bytes.

Both are pickled here rather than by Dask, so that a project's own ``plugin.py``, which no worker can import, travels by
value in both directions.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelway import ModelwayError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How the framework names the module of a project's ``plugin.py``.
INLINE = "modelway_project_"
_here = threading.local()


def pack(value: Any) -> bytes:
    """Pickle a value; what comes from a project's ``plugin.py`` goes with it."""
    import cloudpickle

    with _inline_by_value():
        packed: bytes = cloudpickle.dumps(value)
    return packed


@contextmanager
def _inline_by_value() -> Iterator[None]:
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    added = [m for n, m in list(sys.modules.items()) if n.startswith(INLINE) and n not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def unpack(data: bytes) -> Any:
    """Read back what ``pack`` made on the other side of a connection that both sides trust."""
    return pickle.loads(data)  # noqa: S301  # from a side that may run code here anyway


def hold(work: bytes) -> bytes:
    """Keep a large function on the workers, sent once to each; the scheduler sends it again where one is lost."""
    return work


def call(work: bytes, item: bytes) -> bytes:
    """Apply a function to an item.

    Args:
        work: The packed function; each thread reads it once.
        item: The packed item.

    Returns:
        The packed result.
    """
    if getattr(_here, "work", None) != work:
        _here.function, _here.work = unpack(work), work
    with placed():
        return pack(_here.function(unpack(item)))


@contextmanager
def placed() -> Iterator[None]:
    """Say on which worker a disk is full or a folder cannot be read: it may be the only one."""
    try:
        yield
    except ModelwayError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        from distributed import get_worker

        where = f"{error.where}, on the worker {get_worker().address}".removeprefix(", ")
        raise type(error)(error.what, where=where, mend=error.mend) from error


def alone(work: bytes) -> bytes:
    """Make a packed call of no arguments, and return its packed result."""
    function: Callable[[], Any] = unpack(work)
    return pack(function())

"""Silence: what Dask logs, and what workers say to Ctrl-C, does not reach the terminal of a run."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

#: Above every level that is used.
SILENT = logging.CRITICAL + 10
_NAMES = (
    "distributed", "distributed.client", "bokeh", "tornado", "tornado.application", "asyncio", "dask_jobqueue",
    "asyncssh", "kr8s", "httpx", "httpcore",
)  # fmt: skip


def level(*, show: bool) -> int:
    """Return the level of what workers log."""
    return logging.INFO if show else SILENT


@contextmanager
def quiet(*, show: bool) -> Iterator[None]:
    """Silence Dask's loggers in this process."""
    import distributed  # noqa: F401  # sets its loggers up when it is imported

    if show:
        yield
        return
    loggers = [logging.getLogger(name) for name in _NAMES]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(SILENT)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def deafen() -> None:
    """Keep Ctrl-C from the processes that this thread, and threads that it starts, start from now on.

    A terminal sends it to all of them; this process ends them itself.
    """
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # whose start would undo it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def deaf() -> Iterator[None]:
    """Keep Ctrl-C from the processes that are started meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

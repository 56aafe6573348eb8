"""Dask's errors in plain words: which worker, what it had, what to do."""

from __future__ import annotations

from typing import Any

from modelway import ComputeError
from modelway_dask.liveness import AGAIN, Watch, gone
from modelway_dask.machine import told


def failure(future: Any, watch: Watch) -> BaseException:
    """Return why a future has no result: the work's own error, or what became of the cluster.

    Raises:
        ComputeError: the scheduler does not answer.
    """
    from distributed import KilledWorker

    if future.status == "error":
        error: BaseException = future.exception(timeout=watch.patience)
        if isinstance(error, KilledWorker):
            return killed(str(error.last_worker.address), error.allowed_failures + 1, watch)
        if isinstance(error, ModuleNotFoundError):
            return ComputeError(
                f"A worker lacks '{error.name or error}'", where=watch.address,
                mend="Install there what is installed here, in the same versions",
            )  # fmt: skip
        return error
    if watch.client.status != "running":
        return gone(watch.address)
    watch.look()
    return ComputeError(
        "The cluster dropped the work: its scheduler, or all of its workers, were restarted", where=watch.address,
        mend=AGAIN,
    )  # fmt: skip


def killed(address: str, times: int, watch: Watch) -> ComputeError:
    """Tell why workers died over one piece of work: what it needed, and what they had.

    Args:
        address: The last of them.
        times: How many.
        watch: Has seen them.
    """
    seen = watch.seen.get(address)
    limit, most = (seen.limit, seen.most) if seen else (0, 0)
    ended = watch.ended()
    most = max([most, *(int(event["rss"]) for event in ended)])
    within = f"the worker {address} has {told(limit)}" if limit else f"the worker {address} has no limit of its own"
    died = "A worker" if times == 1 else f"{times} workers, one after the other,"
    if ended or (limit and most > 0.7 * limit):
        return ComputeError(
            f"The work needs about {told(most)} of memory or more, and {within}: {died} ran out of it over the same"
            " part", where=watch.address,
            mend="Give each worker more memory ('memory', with fewer 'workers'), or make the parts smaller",
        )  # fmt: skip
    used = f", and was last seen using {told(most)}" if most else ""
    return ComputeError(
        f"{died} died over the same part of the work; {within}{used}", where=watch.address,
        mend="The system's log says whether it ran out of memory (then give workers more), or someone ended them",
    )  # fmt: skip

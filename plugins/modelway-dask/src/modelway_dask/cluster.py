"""Being connected to a cluster: start it, or find it, check it, carry work with it, and leave nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from modelway import ComputeError, ModelwayError, Run, Workers
from modelway_dask import preflight
from modelway_dask.liveness import Watch
from modelway_dask.mapping import Crew, Mapped
from modelway_dask.quiet import quiet

#: Seconds that closing a client or a cluster may take.
CLOSING = 10.0


@contextmanager
def configured(retries: int, threads: int) -> Iterator[None]:
    """Set what a scheduler and workers that are started here take over.

    Args:
        retries: How many workers may be lost over one piece of work.
        threads: Threads of a worker, which numeric libraries may all use.
    """
    import dask

    env = "distributed.nanny.pre-spawn-environ"
    with dask.config.set({
        "distributed.scheduler.allowed-failures": retries,
        "distributed.scheduler.work-stealing": False,  # what was placed stays where it was placed
        **{f"{env}.{name}": value for name, value in threads_env(threads).items()},
    }):  # fmt: skip
        yield


def threads_env(threads: int) -> dict[str, str]:
    """Return the environment in which numeric libraries use so many threads."""
    return {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}


@contextmanager
def connected(where: Any, timeout: float) -> Iterator[tuple[Any, Watch]]:
    """Connect to a scheduler's address, or to a cluster object.

    Raises:
        ComputeError: nothing answers there.
    """
    from distributed import Client

    address = where if isinstance(where, str) else str(getattr(where, "scheduler_address", where))
    try:
        make: Any = Client  # distributed has no types for it
        client = make(where, timeout=timeout, name="modelway")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise ComputeError(
            f"No Dask scheduler answers there within {timeout:g} seconds: {_first(error)}", where=address,
            mend="Start one with 'dask scheduler', and workers with 'dask worker ADDRESS', or correct the address",
        ) from error  # fmt: skip
    try:
        yield client, Watch(client, timeout)
    finally:
        with suppress(Exception):
            client.close(timeout=CLOSING)


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def owned(make: Callable[[], Any], what: str) -> Iterator[Any]:
    """Start a cluster, and close it at the end, whatever happens.

    Raises:
        ComputeError: it does not start.
    """
    try:
        cluster = make()
    except ModelwayError:
        raise
    except Exception as error:
        raise ComputeError(
            f"The {what} could not be started: {type(error).__name__}: {_first(error)}",
            mend="'logs: true' beside its 'use' shows what Dask says meanwhile",
        ) from error
    try:
        yield cluster
    finally:
        _close(cluster)


def _close(cluster: Any) -> None:
    import psutil

    children: list[psutil.Process] = []
    for nanny in getattr(cluster, "workers", {}).values():
        pid = getattr(nanny, "pid", None)  # of a worker of this machine; one elsewhere has none
        if pid:
            with suppress(psutil.Error):
                children.append(psutil.Process(pid))
    try:
        cluster.close(timeout=CLOSING)
    except Exception:  # what does not end when told is ended
        for child in children:
            with suppress(psutil.Error):
                child.kill()


def crew(client: Any, watch: Watch, run: Run, count: int, timeout: float, retries: int) -> Crew:
    """Wait for the workers of a cluster, and check them.

    Args:
        client: A ``distributed.Client``.
        watch: Looks after the cluster.
        run: The run.
        count: How many workers must be there; these many are used. 0: all that are there.
        timeout: Seconds to wait for them.
        retries: How many workers may be lost over one piece of work.

    Raises:
        ComputeError: too few, or they cannot do the run's work.
    """
    until = time.monotonic() + timeout
    while True:
        found = preflight.enough(watch, count, timeout)
        chosen = found[: count or len(found)]
        try:
            preflight.same(client, chosen, run)
            break
        except preflight.Silent:  # it is being lost: there may be another one soon
            if time.monotonic() > until:
                raise
            time.sleep(1.0)
    return Crew(client, watch, chosen, retries, partial(preflight.fit, client, run))


def workers_of(crew: Crew) -> Workers:
    """Return a crew as what carries a run's work."""
    shape = shape_of(crew.watch.look(), crew.workers)
    threads = shape["threads"] if isinstance(shape["threads"], int) else max(shape["threads"])
    return Workers(Mapped(crew, threads), crew.client, shape)


def shape_of(workers: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """Return the number of workers, and their threads: one number where all have as many."""
    threads = sorted(int(workers[address]["nthreads"]) for address in chosen if address in workers)
    return {"workers": len(chosen), "threads": threads[0] if len(set(threads)) == 1 else threads}


@contextmanager
def hushed(*, show: bool) -> Iterator[ExitStack]:
    """Keep Dask's log off the terminal while a stack of contexts is open, and while it closes."""
    with quiet(show=show), ExitStack() as stack:
        yield stack

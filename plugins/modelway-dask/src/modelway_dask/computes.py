"""Computes: the cores of this machine, and a cluster that is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from modelway import Compute, ConfigError, Run, Workers, knob
from modelway_dask import cluster, machine, preflight, quiet


@dataclass(frozen=True, kw_only=True)
class Local(Compute, name="local"):
    """All cores of this machine, each a worker process of its own, started for the run and gone with it.

    Work that a worker was lost over is done again by another one. Parts of a table go to the workers in turn. Dask's
    dashboard is on this machine only, where ``modelway-dask[dashboard]`` is installed.
    """

    workers: int = knob(0, "Worker processes; 0 means one for each core.", at_least=0)
    threads: int = knob(1, "Threads of each worker.", at_least=1)
    memory: str = knob("", "Memory limit of each worker, as 2GB; empty means an equal share of what is free.")
    retries: int = knob(3, "Workers that may be lost over one piece of work before the run fails.", at_least=0)
    timeout: float = knob(60.0, "Seconds to wait for workers, or for an answer, before the run fails.", at_least=1)
    dashboard: str = knob("127.0.0.1:0", "Address of Dask's dashboard; port 0 means any that is free.")
    logs: bool = knob(False, "Whether to show what Dask's own processes log.")

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Return the number of workers and their threads."""
        return {"workers": self._count(run), "threads": self.threads}

    def _count(self, run: Run) -> int:
        return self.workers or max((run.threads or machine.cores()) // self.threads, 1)

    @contextmanager
    def open(self, run: Run) -> Iterator[Workers]:
        """Start the workers.

        Raises:
            ComputeError: they do not start, or run out of memory at once.
            ConfigError: ``memory`` is no size.
        """
        count = self._count(run)
        limit = machine.limit(self.memory, count, "compute.memory")
        with cluster.hushed(show=self.logs) as stack:
            stack.enter_context(cluster.configured(self.retries, self.threads))
            started = stack.enter_context(
                local(count, self.threads, limit, self.dashboard, quiet.level(show=self.logs))
            )
            client, watch = stack.enter_context(cluster.connected(started, self.timeout))
            yield cluster.workers_of(cluster.crew(client, watch, run, count, self.timeout, self.retries))


def local(count: int, threads: int, limit: int, dashboard: str, level: int) -> AbstractContextManager[Any]:
    """Start worker processes of this machine, and end them at the end.

    Args:
        count: How many.
        threads: Threads of each.
        limit: Memory limit of each, in bytes.
        dashboard: Address of the dashboard.
        level: Level of what they log.
    """

    def make() -> Any:
        from distributed import LocalCluster

        start: Any = LocalCluster  # distributed has no types for it
        made = start(
            n_workers=0, threads_per_worker=threads, processes=True, memory_limit=limit, silence_logs=level,
            dashboard_address=dashboard,
        )  # fmt: skip
        made.sync(deafened)
        made.scale(count)
        return made

    async def deafened() -> None:  # in the thread that starts the workers
        quiet.deafen()

    return cluster.owned(make, "workers of this machine")


@dataclass(frozen=True, kw_only=True)
class Cluster(Compute, name="cluster"):
    """A Dask cluster that is there already; its workers must have the same code and see the same store.

    Connections with TLS are set up in Dask's own configuration (``distributed.comm.tls``).
    """

    address: str = knob(..., "Address of the scheduler, as tcp://host:8786.")
    workers: int = knob(0, "Workers that must be there, and are used; 0 means those that are.", at_least=0)
    retries: int = knob(3, "Workers that may be lost over one piece of work before the run fails.", at_least=0)
    timeout: float = knob(60.0, "Seconds to wait for workers, or for an answer, before the run fails.", at_least=1)
    logs: bool = knob(False, "Whether to show what Dask's client logs.")

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Ask the scheduler how many workers there are, and return their number and threads.

        Raises:
            ComputeError: nothing answers there, or there are too few workers.
            ConfigError: what is given is no address.
        """
        with cluster.hushed(show=self.logs) as stack:
            _, watch = stack.enter_context(cluster.connected(address(self.address, "compute.address"), self.timeout))
            found = preflight.enough(watch, self.workers, self.timeout)
            return cluster.shape_of(watch.look(), found[: self.workers or len(found)])

    @contextmanager
    def open(self, run: Run) -> Iterator[Workers]:
        """Connect, and check the workers.

        Raises:
            ComputeError: nothing answers there, too few workers, or workers that cannot do the work.
            ConfigError: what is given is no address.
        """
        with cluster.hushed(show=self.logs) as stack:
            client, watch = stack.enter_context(
                cluster.connected(address(self.address, "compute.address"), self.timeout)
            )
            yield cluster.workers_of(cluster.crew(client, watch, run, self.workers, self.timeout, self.retries))


def address(text: str, key: str) -> str:
    """Return a scheduler's address with its protocol.

    Raises:
        ConfigError: it has no port, or a protocol that Dask does not know.
    """
    full = text if "://" in text else f"tcp://{text}"
    protocol, _, rest = full.partition("://")
    host, _, port = rest.rpartition(":")
    if protocol not in ("tcp", "tls", "ws", "wss", "ucx") or not host or not port.isdigit():
        raise ConfigError(f"'{text}' is no address of a scheduler", where=key, mend="Write tcp://host:8786")
    return full

"""Launchers: the trials of a sweep as tasks of a Dask cluster, or in processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from modelway import ConfigError, Launcher, Run, knob
from modelway_dask import cluster, computes, machine, preflight, quiet


@dataclass(frozen=True, kw_only=True)
class Dask(Launcher, name="dask"):
    """Trials as tasks of a Dask cluster: the one at an address, or worker processes of this machine.

    A worker makes one trial at a time. What the trials of one worker have in common stays in its memory.
    """

    address: str = knob("", "Address of the scheduler, as tcp://host:8786; empty starts workers on this machine.")
    workers: int = knob(0, "Workers, and so trials at once; 0 means those that are there, or that cores allow.")
    threads: int = knob(1, "Cores of each trial, where the workers are started here.", at_least=1)
    memory: str = knob("", "Memory of each trial, where the workers are started here; empty means an equal share.")
    retries: int = knob(1, "Workers that may be lost over one trial before it fails.", at_least=0)
    timeout: float = knob(60.0, "Seconds to wait for workers, or for an answer, before the sweep fails.", at_least=1)
    keep: bool = knob(False, "Whether trials on a cluster at an address go on when this command ends.")
    logs: bool = knob(False, "Whether to show what Dask's own processes log.")

    def width(self, run: Run) -> int:
        """Return the number of workers.

        Raises:
            ComputeError: nothing answers at the address.
            ConfigError: what is given is no address.
        """
        if self.workers or not self.address:
            return self._count(run)
        with cluster.hushed(show=self.logs) as stack:
            _, watch = stack.enter_context(cluster.connected(self._place(), self.timeout))
            return len(preflight.enough(watch, 0, self.timeout))

    def _count(self, run: Run) -> int:
        return self.workers or max((run.threads or machine.cores()) // self.threads, 1)

    def _place(self) -> str:
        return computes.address(self.address, "launcher.address")

    @contextmanager
    def open(self, run: Run) -> Iterator[Executor]:
        """Connect, or start workers, and check them.

        Raises:
            ComputeError: nothing answers, too few workers, or workers that cannot do the work.
            ConfigError: an address or size that is none, or ``keep`` without an address.
        """
        from modelway_dask.executors import Tasks

        if self.keep and not self.address:
            raise ConfigError(
                "The workers that are started here end with this command", where="launcher.keep",
                mend="Give 'launcher.address' of a cluster that stays, or leave 'keep' out",
            )  # fmt: skip
        with cluster.hushed(show=self.logs) as stack:
            place: Any = self._place() if self.address else None
            count = self.workers
            if place is None:
                count = self._count(run)
                limit = machine.limit(self.memory, count, "launcher.memory")
                stack.enter_context(cluster.configured(self.retries, self.threads))
                level = quiet.level(show=self.logs)
                place = stack.enter_context(computes.local(count, self.threads, limit, "127.0.0.1:0", level))
            client, watch = stack.enter_context(cluster.connected(place, self.timeout))
            crew = cluster.crew(client, watch, run, count, self.timeout, self.retries)
            yield stack.enter_context(Tasks(crew, keep=self.keep))


@dataclass(frozen=True, kw_only=True)
class Joblib(Launcher, name="joblib"):
    """Trials in processes of this machine, through joblib's pool: each keeps in memory what its trials share."""

    n_jobs: int = knob(-1, "Processes; -1 means one for each core, -2 all but one, as in joblib.")
    retries: int = knob(1, "How often a trial is made again when a process was lost meanwhile.", at_least=0)

    def width(self, run: Run) -> int:
        """Return the number of processes.

        Raises:
            ConfigError: ``n_jobs`` is 0.
        """
        if self.n_jobs == 0:
            raise ConfigError("'launcher.n_jobs' is 0", where="launcher.n_jobs", mend="Write -1 for all cores")
        cores = run.threads or machine.cores()
        return self.n_jobs if self.n_jobs > 0 else max(cores + 1 + self.n_jobs, 1)

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        """Make the pool; its processes start with the first trials."""
        from modelway_dask.executors import Processes

        return Processes(self.width(run), self.retries)

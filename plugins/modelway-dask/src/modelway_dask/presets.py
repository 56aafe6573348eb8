"""Computes that start a cluster for the run: on Kubernetes, through SLURM, and on hosts that SSH reaches."""

from __future__ import annotations

import importlib
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from modelway import Compute, ConfigError, Run, Workers, knob
from modelway_dask import cluster, machine


@dataclass(frozen=True, kw_only=True)
class Started(Compute):
    """A cluster that is started for the run, and ended with it."""

    package: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    workers: int = knob(2, "Workers.", at_least=1)
    threads: int = knob(1, "Threads of each worker.", at_least=1)
    memory: str = knob("4GB", "Memory limit of each worker.")
    retries: int = knob(3, "Workers that may be lost over one piece of work before the run fails.", at_least=0)
    timeout: float = knob(300.0, "Seconds to wait for workers, or for an answer, before the run fails.", at_least=1)
    logs: bool = knob(False, "Whether to show what Dask's own processes log.")

    @abstractmethod
    def cluster(self) -> Any:
        """Start the cluster, and return Dask's object for it.

        Raises:
            ConfigError: the package that does it is not installed, or a value that it refuses.
        """

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Return the number of workers and their threads, as declared."""
        return {"workers": self.workers, "threads": self.threads}

    @contextmanager
    def open(self, run: Run) -> Iterator[Workers]:
        """Start the cluster, wait for its workers, and check them.

        Raises:
            ComputeError: it does not start, too few workers come, or they cannot do the work.
            ConfigError: as ``cluster`` says.
        """
        machine.size(self.memory, "compute.memory")
        with cluster.hushed(show=self.logs) as stack:
            stack.enter_context(cluster.configured(self.retries, self.threads))
            started = stack.enter_context(cluster.owned(self.cluster, f"{self.name} cluster"))
            client, watch = stack.enter_context(cluster.connected(started, self.timeout))
            yield cluster.workers_of(
                cluster.crew(client, watch, run, self.shape(run)["workers"], self.timeout, self.retries)
            )

    def _need(self, module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(
                f"compute={self.name} needs {self.package}, which cannot be imported: {error}",
                where=f"compute.use: {self.name}", mend=f"Install modelway-dask[{self.extra}]",
            ) from error  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kubernetes(Started, name="kubernetes"):
    """A cluster of pods, through the Dask operator, which must be installed in the Kubernetes cluster.

    The image must hold the same code as this process; ``modelway bundle`` and a lock file make one. The store must be
    one that pods reach, such as ``s3://bucket/prefix``.
    """

    package: ClassVar[str] = "dask-kubernetes"
    extra: ClassVar[str] = "kubernetes"

    image: str = knob(..., "Container image of scheduler and workers.")
    namespace: str = knob("default", "Namespace of the pods.")
    title: str = knob("modelway", "Name of the cluster in Kubernetes.")
    env: dict[str, str] = knob({}, "Environment variables of the pods.")

    def spec(self) -> dict[str, Any]:
        """Return the ``DaskCluster`` resource that is created.

        Raises:
            ConfigError: dask-kubernetes is not installed.
        """
        operator = self._need("dask_kubernetes.operator")
        size = str(machine.size(self.memory, "compute.memory"))
        each = {"cpu": str(self.threads), "memory": size}
        worker = ["dask", "worker", "--nthreads", str(self.threads), "--memory-limit", size]
        threads = cluster.threads_env(self.threads)
        made: dict[str, Any] = operator.make_cluster_spec(
            name=self.title, image=self.image, n_workers=self.workers, worker_command=worker,
            resources={"requests": each, "limits": each},
            env={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(self.retries), **threads, **self.env},
        )  # fmt: skip
        return made

    def cluster(self) -> Any:
        """Create the resource, and return ``KubeCluster``."""
        return self._need("dask_kubernetes.operator").KubeCluster(
            namespace=self.namespace, custom_cluster_spec=self.spec(), resource_timeout=int(self.timeout), quiet=True
        )


@dataclass(frozen=True, kw_only=True)
class Slurm(Started, name="slurm"):
    """A cluster of SLURM jobs, one worker each; the scheduler runs in this process.

    The store and the environment must lie where the compute nodes see them under the same path.
    """

    package: ClassVar[str] = "dask-jobqueue"
    extra: ClassVar[str] = "slurm"

    queue: str = knob("", "Partition that jobs are sent to; empty means SLURM's own default.")
    account: str = knob("", "Account that jobs are charged to.")
    walltime: str = knob("01:00:00", "Longest time of a job.")
    interface: str = knob("", "Network interface between jobs and this process, as ib0.")
    directives: tuple[str, ...] = knob((), "Further lines for sbatch, as '--gres=gpu:1'.")
    prologue: tuple[str, ...] = knob((), "Shell lines that a job begins with, as 'module load python'.")
    scratch: str = knob("", "Folder of the compute nodes for what workers spill.")

    def cluster(self) -> Any:
        """Submit the jobs, and return ``SLURMCluster``."""
        made = self.prepared()
        made.scale(jobs=self.workers)
        return made

    def prepared(self) -> Any:
        """Return ``SLURMCluster`` before any job is submitted; its ``job_script()`` is what a job does.

        Raises:
            ConfigError: dask-jobqueue is not installed.
        """
        threads = [f"export {name}={value}" for name, value in cluster.threads_env(self.threads).items()]
        return self._need("dask_jobqueue").SLURMCluster(
            cores=self.threads, processes=1, memory=self.memory, queue=self.queue or None,
            account=self.account or None, walltime=self.walltime, interface=self.interface or None,
            job_extra_directives=list(self.directives), job_script_prologue=[*threads, *self.prologue],
            local_directory=self.scratch or None, job_name="modelway", log_directory=None, silence_logs="critical",
            death_timeout=self.timeout, scheduler_options={"dashboard_address": "127.0.0.1:0"},
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ssh(Started, name="ssh"):
    """A cluster on hosts that SSH reaches without a password; the scheduler runs on the first of them.

    ``workers`` is not for it: each host but the first has one worker; name a host twice for two. Store and code must be
    there under the same path.
    """

    package: ClassVar[str] = "asyncssh"
    extra: ClassVar[str] = "ssh"

    hosts: tuple[str, ...] = knob(..., "Hosts: that of the scheduler, then that of each worker.")
    user: str = knob("", "User there; empty means this one.")
    port: int = knob(22, "Port of SSH.", at_least=1)
    key: str = knob("", "File of the private key; empty means those of SSH's own configuration.")
    known_hosts: str = knob("", "File of known host keys; empty means the user's own.")
    python: str = knob("", "Python there; empty means the path of this one.")

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Return the number of workers and their threads, as declared."""
        return {"workers": len(self.hosts) - 1, "threads": self.threads}

    def cluster(self) -> Any:
        """Start scheduler and workers, and return the cluster.

        Raises:
            ConfigError: asyncssh is not installed, or fewer than two hosts.
        """
        self._need("asyncssh")
        if len(self.hosts) < 2:
            raise ConfigError(
                "There is no host for a worker", where="compute.hosts",
                mend="Name the scheduler's host, then that of each worker: [head, node1, node2]",
            )  # fmt: skip
        connect: dict[str, Any] = {"port": self.port, "connect_timeout": min(self.timeout, 30)}
        given = {"username": self.user, "client_keys": [self.key] if self.key else [], "known_hosts": self.known_hosts}
        connect |= {name: value for name, value in given.items() if value}
        from distributed import SSHCluster

        make: Any = SSHCluster  # distributed has no types for it
        return make(
            list(self.hosts), connect_options=connect, remote_python=self.python or sys.executable,
            worker_options={"nthreads": self.threads, "memory_limit": self.memory},
            scheduler_options={"port": 0, "dashboard_address": "127.0.0.1:0"},
        )  # fmt: skip

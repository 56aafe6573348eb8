"""Dask: computes that carry a run past one process, and launchers that carry a sweep's trials."""

from __future__ import annotations

from modelway import Compute, Launcher, hookimpl
from modelway_dask.computes import Cluster, Local
from modelway_dask.launchers import Dask, Joblib
from modelway_dask.presets import Kubernetes, Slurm, Ssh


@hookimpl
def computes() -> list[type[Compute]]:
    """Offer the machine's own cores, a cluster that is there, and three kinds that are started for the run."""
    return [Local, Cluster, Kubernetes, Slurm, Ssh]


@hookimpl
def launchers() -> list[type[Launcher]]:
    """Offer trials as tasks of a cluster, and trials in processes of this machine."""
    return [Dask, Joblib]

"""Before any work: are there enough workers, do they have the same code, and do they see the store?"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from modelway import ComputeError, Run
from modelway_dask import probe
from modelway_dask.liveness import Watch

#: Distributions that every worker needs in the same version, whatever the run uses.
ALWAYS = ("modelway", "modelway-dask", "dask", "distributed", "cloudpickle", "numpy", "pyarrow")
#: Seconds that all workers together may take to answer.
ANSWER = 60.0


class Silent(ComputeError):
    """A worker that does not answer."""


def enough(watch: Watch, count: int, timeout: float) -> list[str]:
    """Wait for workers.

    Args:
        watch: Knows the cluster.
        count: How many must be there; 0: at least one.
        timeout: Seconds to wait.

    Returns:
        Addresses of all workers that are there, sorted.

    Raises:
        ComputeError: too few came in time.
    """
    until = time.monotonic() + timeout
    while True:
        found = sorted(watch.look())
        if len(found) >= max(count, 1):
            return found
        if time.monotonic() > until:
            have = f"has {len(found)} of the {count} workers that are needed" if count else "has no worker"
            raise ComputeError(
                f"The cluster {have}, after {timeout:g} seconds", where=watch.address,
                mend="Start more workers, or ask for fewer; 'timeout' says how long to wait for them",
            )  # fmt: skip
        time.sleep(0.1)


def same(client: Any, workers: Sequence[str], run: Run) -> None:
    """Ask every worker about its code and the store.

    Raises:
        Silent: one of them does not answer.
        ComputeError: one of them cannot do this run's work.
    """
    names = tuple(dict.fromkeys([*ALWAYS, *(name for name in run.uses if "/" not in name)]))
    packs = tuple(dict.fromkeys(package for name in names for package in probe.packages(name)))
    secret = uuid.uuid4().hex
    token = probe.put(run.blobs, f"{run.id} asks {secret}".encode())
    answer = f"{run.id} answers {secret}".encode()
    try:
        found = client.sync(
            client.run, probe.look, names, packs, run.blobs, token, answer, workers=list(workers), on_error="return",
            callback_timeout=ANSWER,
        )  # fmt: skip
    except (OSError, TimeoutError) as error:
        raise Silent(
            f"The workers do not answer: {type(error).__name__} after at most {ANSWER:g} seconds",
            where=", ".join(workers[:3]), mend="Their logs say why; restart them",
        ) from error  # fmt: skip
    ours = {
        "python": probe.python(),
        "versions": {name: probe.version(name) for name in names},
        "digests": {package: probe.digest(package) for package in packs},
    }
    for worker in workers:
        _compare(worker, found.get(worker), ours)
    _answered(run, answer, workers)


def fit(client: Any, run: Run, worker: str) -> bool:
    """Return whether a worker that came later answers; it is compared like the others.

    Raises:
        ComputeError: it has other code, or does not see the store.
    """
    try:
        same(client, [worker], run)
    except Silent:
        return False
    return True


def _compare(worker: str, found: Any, ours: Mapping[str, Any]) -> None:
    where = f"worker {worker}"
    lacking = re.search(r"No module named [\\'\"]+(\w+)", repr(found)) if isinstance(found, Exception) else None
    if lacking:
        raise ComputeError(
            f"A worker lacks '{lacking[1]}'", where=where,
            mend="Install there what is installed here, in the same versions",
        )  # fmt: skip
    if not isinstance(found, Mapping):
        raise Silent(f"A worker does not answer: {found!r}", where=where, mend="Its log says why; restart it")
    if found["python"] != ours["python"]:
        raise ComputeError(
            f"A worker runs Python {found['python']}, and this process {ours['python']}: functions cannot travel"
            " between them", where=where, mend="Use one minor version of Python everywhere",
        )  # fmt: skip
    for name, version in ours["versions"].items():
        there = found["versions"][name]
        if version and there != version:
            raise ComputeError(
                f"A worker has {name} {there or '(not installed)'}, and this process has {version}", where=where,
                mend=f"Install {name} {version} there, or work from where the versions are the same",
            )  # fmt: skip
    for package, digest in ours["digests"].items():
        if package in found["stale"]:
            raise ComputeError(
                f"A worker started before the code of '{package}' was changed", where=where,
                mend="Restart the workers, so that they load it anew",
            )  # fmt: skip
        if found["digests"][package] != digest:
            raise ComputeError(
                f"A worker has other code of '{package}' than this process, though the version is the same",
                where=where, mend="Install the same code there, and restart the workers",
            )  # fmt: skip
    if found["store"]:
        raise ComputeError(
            f"A worker cannot use the store: {found['store']}", where=where,
            mend="Point 'store' to a folder or URL that every worker reaches under the same name and may write to",
        )  # fmt: skip


def _answered(run: Run, answer: bytes, workers: Sequence[str]) -> None:
    try:
        run.blobs.open(hashlib.sha256(answer).hexdigest())
    except Exception as error:  # what is wrong with it does not matter
        raise ComputeError(
            "What the workers write into the store is not seen here", where=f"workers {', '.join(workers[:3])}",
            mend="Point 'store' to one place that all of them and this process share",
        ) from error  # fmt: skip

"""What a step costs, and what it ran in: time, memory, code and environment."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from modelway.fingerprint import environment_digest
from modelway.plugins import installed


class Meter:
    """Wall seconds, CPU seconds (children included) and peak resident bytes of a stretch of work.

    The peak is the process's own since the meter started, where the kernel lets it be reset (Linux); elsewhere it is
    the peak of the process so far.

    Args:
        alone: Whether the process does nothing else meanwhile. Where it does, CPU seconds are those of this thread,
            without those of threads that it starts, and the peak is that of all that goes on.
    """

    def __init__(self, *, alone: bool = True) -> None:
        if alone:
            _reset_peak()
        self._clock = cpu if alone else time.thread_time
        self._wall, self._cpu = time.perf_counter(), self._clock()

    def read(self) -> dict[str, Any]:
        """Return ``wall`` and ``cpu`` in seconds, ``peak`` in bytes."""
        return {
            "wall": round(time.perf_counter() - self._wall, 4),
            "cpu": round(self._clock() - self._cpu, 4),
            "peak": peak(),
        }


def cpu() -> float:
    """Return the processor seconds that this process and its finished children have used so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the peak resident size in bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_limit() -> int:
    """Return the bytes of memory that this process may use: its control group's limit, or the machine's memory."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(place).read_text()))
    return min(limits)


def environment() -> dict[str, str]:
    """Return the version of every installed distribution, by name."""
    return {name: distribution.version for name, distribution in sorted(installed().items())}


def environment_facts() -> dict[str, Any]:
    """Return what identifies the environment: its digest, Python, platform, and the distributions."""
    found = environment()
    return {
        "digest": environment_digest(found),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "distributions": found,
    }


def version_of(name: str) -> str:
    """Return the version of a distribution, or ``absent``."""
    return environment().get(name.lower().replace("_", "-"), "absent")


def code_facts(folder: Path, keep: Callable[[bytes], str]) -> dict[str, Any]:
    """Return the identity of the code in a folder: commit, and the digest of the patch that makes it dirty.

    Args:
        folder: Any folder of the repository.
        keep: Keeps the patch and returns its digest.
    """
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return {"commit": None, "dirty": None}
    patch = _git(folder, "diff", "--binary", "HEAD") or b""
    untracked = (_git(folder, "ls-files", "--others", "--exclude-standard") or b"").decode().split("\n")
    names = [name for name in untracked if name][:200]
    dirty = keep(patch) if patch else None
    return {"commit": head.decode().strip(), "dirty": dirty, "untracked": names}


def _git(folder: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None

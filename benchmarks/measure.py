"""Paired timing of whole processes: two commands in turn, wall, processor time and peak memory, medians and ratios."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

Figures = dict[str, float]


def once(command: Sequence[str], env: Mapping[str, str] | None = None) -> Figures:
    """Run a command and return its wall seconds, processor seconds (children included) and peak megabytes.

    Raises:
        RuntimeError: the command failed; its output is in the message.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{shlex.join(command)} exited with {process.returncode}:\n{output.decode()}")
    return {"wall s": wall, "cpu s": usage.ru_utime + usage.ru_stime, "peak MB": usage.ru_maxrss / 1024}


def paired(
    ours: Callable[[], Figures], theirs: Callable[[], Figures] | None, runs: int = 5
) -> tuple[Figures, Figures, Figures]:
    """Measure both in turn and return the medians of ours, of theirs, and of the ratios pair by pair."""
    a, b = [], []
    for _ in range(runs):
        a.append(ours())
        b.append(theirs() if theirs else dict.fromkeys(a[-1], 0.0))
    median = {key: statistics.median(x[key] for x in a) for key in a[0]}
    other = {key: statistics.median(x[key] for x in b) for key in a[0]}
    ratio = {
        key: statistics.median(x[key] / (y[key] or float("nan")) for x, y in zip(a, b, strict=True)) for key in a[0]
    }
    return median, other, ratio


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a fair run: bytecode is kept, nothing is narrowed, and threads wait in the same way."""
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    }
    return {"OMP_WAIT_POLICY": "PASSIVE", **env, **more}


def modelway() -> str:
    """Return the path of the modelway command beside this interpreter."""
    return os.path.join(os.path.dirname(sys.executable), "modelway")


def row(name: str, ours: Figures, theirs: Figures, ratio: Figures, bound: str) -> str:
    """Return one line of a table of figures."""
    cells = [f"{ours[k]:.3g} / {theirs[k]:.3g} = {ratio[k]:.2f}" if theirs[k] else f"{ours[k]:.3g}" for k in ours]
    return f"| {name} | " + " | ".join(cells) + f" | {bound} |"

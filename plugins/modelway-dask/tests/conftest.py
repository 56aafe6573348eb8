"""A scheduler and workers as processes that a test starts, and may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Processes:
    """A scheduler, and workers of it; ``address`` is where it listens."""

    folder: Path
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str = ""

    def start(self, workers: int = 0, **config: str) -> Processes:
        """Start the scheduler, and workers."""
        file = self.folder / "scheduler.json"
        self.scheduler = self._run("scheduler", "--port", "0", "--scheduler-file", str(file), **config)
        until = time.monotonic() + 30
        while not self.address and time.monotonic() < until:
            with suppress(OSError, ValueError):
                self.address = json.loads(file.read_text())["address"]
            time.sleep(0.05)
        for _ in range(workers):
            self.work()
        return self.ready(workers) if workers else self

    def ready(self, workers: int) -> Processes:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        return self

    def work(self, *options: str, nanny: bool = False, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker of one thread."""
        plain = () if nanny else ("--no-nanny",)
        found = self._run("worker", self.address, "--nthreads", "1", *plain, *options, **more)
        self.workers.append(found)
        return found

    def _run(self, what: str, *options: str, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, "--host", "127.0.0.1", "--no-dashboard", *options]
        if what == "worker":
            command += ["--local-directory", str(self.folder)]
        log = (self.folder / f"{what}.log").open("ab")
        with log:
            return subprocess.Popen(command, env={**os.environ, **more}, stdout=log, stderr=log, cwd=self.folder)

    def stop(self) -> None:
        """End what was started."""
        for process in [*self.workers, self.scheduler]:
            if process is not None and process.poll() is None:
                process.terminate()
        for process in [*self.workers, self.scheduler]:
            if process is not None:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """A cluster of the test's own; nothing is started yet."""
    folder = tmp_path / "dask"
    folder.mkdir()
    found = Processes(folder)
    yield found
    found.stop()


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A cluster of two workers that no test harms."""
    found = Processes(tmp_path_factory.mktemp("standing")).start(workers=2)
    yield found
    found.stop()


@pytest.fixture
def within() -> Callable[[float], Any]:
    """Assert that a block ends within some seconds."""

    class Within:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def __enter__(self) -> None:
            self.began = time.monotonic()

        def __exit__(self, *error: object) -> None:
            took = time.monotonic() - self.began
            assert took < self.seconds, f"It took {took:.1f} s"

    return Within

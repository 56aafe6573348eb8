"""Workers and schedulers that end in the middle of the work: it is finished, or a clear error comes soon."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from modelway_dask import Cluster, Local

from modelway import ComputeError
from modelway.testing import make_run


def slowly(seconds: float) -> Any:
    """Return a function that takes its time to square a number; made here, so that workers need no module for it."""

    def square(number: int) -> int:
        import time

        time.sleep(seconds)
        return number * number

    return square


def later(seconds: float, do: Any) -> None:
    """Do something from another thread after some seconds."""
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()


def pids(workers: Any) -> list[int]:
    """Return the process of each worker."""
    return list(workers.client.run(os.getpid).values())


def kill(*found: int) -> None:
    """End processes that this test started."""
    for pid in found:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_only_what_it_had_in_hand(tmp_path: Path, within: Any) -> None:
    with Local(workers=2).open(make_run(tmp_path)) as workers:
        later(0.7, lambda: kill(pids(workers)[0]))
        with within(60):
            assert list(workers.map(slowly(0.1), range(30))) == [n * n for n in range(30)]
        later(0.3, lambda: kill(*pids(workers)))  # and all of them
        with within(60):
            assert list(workers.map(slowly(0.1), range(20))) == [n * n for n in range(20)]


def test_a_worker_out_of_memory_is_told_in_plain_words(tmp_path: Path, within: Any) -> None:
    def hoard(number: int) -> int:
        import time

        kept = []
        for _ in range(100):
            kept.append(b"x" * 20_000_000)
            time.sleep(0.02)
        return len(kept)

    with (
        Local(workers=1, memory="400MB", retries=1).open(make_run(tmp_path)) as workers,
        within(60),
        pytest.raises(
            ComputeError, match=r"needs about \d+ MB of memory or more, and the worker .* has 400 MB"
        ) as told,
    ):
        list(workers.map(hoard, [1]))
    assert "2 workers, one after the other, ran out of it" in str(told.value)
    assert "more memory" in told.value.mend


@pytest.mark.slow
def test_work_that_kills_every_worker_is_given_up(tmp_path: Path, within: Any) -> None:
    def die(number: int) -> None:
        import os

        os.kill(os.getpid(), 9)

    with (
        Local(workers=1, retries=1).open(make_run(tmp_path)) as workers,
        within(60),
        pytest.raises(ComputeError, match="2 workers, one after the other, died over the same part"),
    ):
        list(workers.map(die, [1]))


def test_a_scheduler_that_is_killed_ends_the_run_at_once(tmp_path: Path, processes: Any, within: Any) -> None:
    processes.start(workers=1)
    with Cluster(address=processes.address, timeout=20).open(make_run(tmp_path)) as workers:
        later(0.5, processes.scheduler.kill)
        with within(10), pytest.raises(ComputeError, match=r"scheduler is gone \(tcp://.*goes on after the last"):
            list(workers.map(slowly(0.2), range(100)))


def test_a_cluster_without_workers_is_not_waited_for_for_ever(tmp_path: Path, processes: Any, within: Any) -> None:
    processes.start(workers=1)
    with Cluster(address=processes.address, timeout=3).open(make_run(tmp_path)) as workers:
        later(0.5, processes.workers[0].kill)
        with within(20), pytest.raises(ComputeError, match="All workers are lost, and none came back within 3 seconds"):
            list(workers.map(slowly(0.2), range(100)))


@pytest.mark.slow
def test_a_worker_that_joins_takes_the_work_of_one_that_was_lost(tmp_path: Path, processes: Any, within: Any) -> None:
    processes.start(workers=1)
    with Cluster(address=processes.address, timeout=20).open(make_run(tmp_path)) as workers:
        later(0.5, processes.workers[0].kill)
        later(1.0, processes.work)
        with within(60):
            assert list(workers.map(slowly(0.1), range(15))) == [n * n for n in range(15)]


def test_an_address_where_nothing_listens_is_one_paragraph(tmp_path: Path, within: Any) -> None:
    compute = Cluster(address="tcp://127.0.0.1:9", timeout=1)
    for ask in (compute.shape, lambda run: compute.open(run).__enter__()):
        with within(20), pytest.raises(ComputeError, match="No Dask scheduler answers there within 1 seconds") as told:
            ask(make_run(tmp_path))
        assert told.value.where == "tcp://127.0.0.1:9"
        assert "\n" not in str(told.value)


def test_an_error_leaves_no_process_behind(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[int] = []
    with (  # noqa: PT012  # the interrupt comes in the middle of the work
        pytest.raises(KeyboardInterrupt),
        Local(workers=2).open(make_run(tmp_path)) as workers,
    ):
        found += pids(workers)
        for _ in workers.map(slowly(0.05), range(100)):
            raise KeyboardInterrupt
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)
    assert capfd.readouterr() == ("", "")  # and nothing that Dask wanted to say about it

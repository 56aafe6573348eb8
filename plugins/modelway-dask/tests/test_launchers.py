"""Trials whose worker is lost are made again, and a lost cluster fails them all at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from modelway_dask import Dask, Joblib

from modelway import ComputeError, ConfigError
from modelway.testing import make_run


def dies(times: int, folder: Path) -> Any:
    """Return a trial that ends its process so many times."""

    def trial() -> str:
        import os
        import uuid

        if len(list(folder.iterdir())) < times:
            (folder / uuid.uuid4().hex).touch()
            os.kill(os.getpid(), 9)
        return "made"

    folder.mkdir()
    return trial


def appears(path: Path) -> None:
    """Wait for a file."""
    until = time.monotonic() + 20
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert path.exists()


@pytest.mark.slow
def test_a_trial_whose_worker_is_lost_is_made_again(tmp_path: Path, within: Any) -> None:
    with Dask(workers=2, retries=1).open(make_run(tmp_path)) as executor, within(60):
        answers = [executor.submit(lambda n: n + 1, n) for n in range(4)]
        once = executor.submit(dies(1, tmp_path / "once"))
        always = executor.submit(dies(9, tmp_path / "always"))
        assert once.result(60) == "made"
        assert [answer.result(30) for answer in answers] == [1, 2, 3, 4]
        assert isinstance(always.exception(30), ComputeError)


def test_a_scheduler_that_is_killed_fails_what_is_under_way(tmp_path: Path, processes: Any, within: Any) -> None:
    processes.start(workers=1)
    with Dask(address=processes.address, timeout=5).open(make_run(tmp_path)) as executor, within(20):
        answers = [executor.submit(time.sleep, 30) for _ in range(3)]
        time.sleep(0.5)
        processes.scheduler.kill()
        assert all(isinstance(answer.exception(15), ComputeError) for answer in answers)


def test_trials_that_are_kept_go_on_without_the_command(tmp_path: Path, processes: Any, within: Any) -> None:
    def trial() -> None:
        import time

        (tmp_path / "begun").touch()
        time.sleep(1.0)
        (tmp_path / "made").touch()

    processes.start(workers=1)
    with (  # noqa: PT012  # the interrupt comes once the trial has begun
        pytest.raises(KeyboardInterrupt),
        within(30),
        Dask(address=processes.address, timeout=20, keep=True).open(make_run(tmp_path)) as executor,
    ):
        executor.submit(trial)
        appears(tmp_path / "begun")
        raise KeyboardInterrupt
    appears(tmp_path / "made")


def test_workers_of_this_command_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"end with this command \(launcher.keep\)"):
        Dask(keep=True).open(make_run(tmp_path)).__enter__()


@pytest.mark.slow
def test_a_process_that_is_lost_costs_its_own_trial_at_most(tmp_path: Path, within: Any) -> None:
    with Joblib(n_jobs=2, retries=1).open(make_run(tmp_path)) as executor, within(60):
        assert executor.submit(dies(1, tmp_path / "once")).result(30) == "made"
        told = executor.submit(dies(9, tmp_path / "always")).exception(30)
        assert isinstance(told, ComputeError)
        assert "lost 2 times" in str(told)
        assert executor.submit(lambda: 5).result(30) == 5


def test_joblibs_way_of_counting_processes(tmp_path: Path) -> None:
    run = make_run(tmp_path, threads=4)
    assert [Joblib(n_jobs=n).width(run) for n in (-1, -2, 3)] == [4, 3, 3]
    with pytest.raises(ConfigError, match=r"launcher.n_jobs"):
        Joblib(n_jobs=0).width(run)
